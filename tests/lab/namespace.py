"""Network namespaces by name: making them, working inside them, and leaving none behind."""

import ctypes
import os
import re
import subprocess
import threading

PREFIX = "drover"
DIRECTORY = "/run/netns"
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


class Namespace:
    """One network namespace, visible in `ip netns` as drover-PID-NAME."""

    def __init__(self, name):
        self.name = f"{PREFIX}-{os.getpid()}-{name}"
        self.path = f"{DIRECTORY}/{self.name}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def delete(self):
        """Removes the name; the kernel removes the rest when its last process has gone."""
        if os.path.exists(self.path):
            subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def command(self, argv):
        """The command line that runs argv inside, and ends it if the laboratory is killed."""
        inside = ["nsenter", f"--net={self.path}", "--"]
        return ["setpriv", "--pdeathsig", "KILL", *inside, *map(str, argv)]

    def call(self, function):
        """Calls a function inside, on a thread of its own, and returns what it returns.

        The calling thread never leaves its namespace, whatever the function does. A
        socket made inside remains a socket of the namespace wherever it is used.
        """
        outcome = {}

        def enter_and_call():
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    _setns(descriptor)
                finally:
                    os.close(descriptor)
                outcome["value"] = function()
            except BaseException as error:  # pylint: disable=broad-except
                outcome["error"] = error

        thread = threading.Thread(target=enter_and_call)
        thread.start()
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]


def sweep():
    """Removes what laboratories left that were killed before they could clean up."""
    if not os.path.isdir(DIRECTORY):
        return
    for name in os.listdir(DIRECTORY):
        match = re.fullmatch(PREFIX + r"-(\d+)-[\w.-]+", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
