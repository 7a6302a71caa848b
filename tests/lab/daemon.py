"""One run of droverd, started as systemd would start it."""

import os
import shutil
import signal
import socket

from .programs import SANITIZERS, program
from .wait import Timeout, patience, wait_until

# What contrib/systemd/droverd.service allows, and nothing else.
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "--inh-caps=-all,+net_admin,+net_raw", "--ambient-caps=-all,+net_admin,+net_raw",
                "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs"]


class Daemon:
    """A droverd process with the notification socket of Type=notify."""

    def __init__(self, node, environment=None, arguments=(), unprivileged=False):
        self.node = node
        self.messages = []
        self.expected = True  # to live: nobody has stopped or killed it
        self._socket = self._listen(node.directory / "notify")
        self._log = open(node.log_path, "a", encoding="utf-8")
        droverd = program("droverd")
        command = [droverd, "-c", node.conf_path, *arguments]
        if unprivileged:
            # The build may be where nobody but root may go, like /root.
            command = [*UNPRIVILEGED, shutil.copy(droverd, node.directory), *command[1:]]
        self.process = node.popen(*command, stderr=self._log,
                                  env=os.environ | self._environment() | (environment or {}))

    def _listen(self, path):
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(str(path))
        path.chmod(0o777)
        sock.setblocking(False)
        return sock

    def _environment(self):
        node = self.node
        return {
            "NOTIFY_SOCKET": str(node.directory / "notify"),
            "STATE_DIRECTORY": str(node.state_directory),
            "RUNTIME_DIRECTORY": str(node.run_directory),
        } | SANITIZERS

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def notifications(self):
        """All lines that the daemon has sent to systemd so far."""
        while True:
            try:
                self.messages.extend(self._socket.recv(65536).decode().splitlines())
            except BlockingIOError:
                return self.messages

    def _said(self, line):
        if line in self.notifications():
            return True
        if not self.running:
            raise AssertionError(f"droverd on {self.node.name} ended with "
                                 f"{self.process.returncode}\n{self.node.log()}")
        return False

    def wait_ready(self, timeout=20):
        try:
            wait_until(lambda: self._said("READY=1"), timeout, f"READY=1 of {self.node.name}")
        except Timeout as error:
            raise AssertionError(f"{error}\n{self.node.log()}") from None

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, timeout=20):
        """SIGTERM, then waits; returns the exit status, which is 0 for a clean stop."""
        self.expected = False
        if self.running:
            self.signal(signal.SIGTERM)
        status = self.process.wait(patience(timeout))
        self.notifications()
        self._close()
        return status

    def kill(self):
        """SIGKILL: no chance to clean up."""
        self.expected = False
        self.process.kill()
        self.process.wait(patience(10))
        self._close()

    def _close(self):
        self._socket.close()
        self._log.close()
