"""keepalived on a node, by contrib/keepalived as it is, but for addresses and priority."""

import contextlib
import os
import re
import signal
from pathlib import Path

from .programs import REPOSITORY, program
from .wait import patience, wait_until

FOLDER = REPOSITORY / "contrib/keepalived"
TOKEN = "169.254.48.1"

# Mounts of its own: the scripts are where a package puts them, and below /run no other node's
# files are in the way.
INSTALLED = """
mount -t tmpfs none /usr/libexec
install -D -t /usr/libexec/drover/keepalived "$1/notify" "$1/check"
mount --bind "$2" /mnt
mount -t tmpfs none /run
mkdir -m 755 /run/drover
mount --move /mnt /run/drover
shift 2
exec keepalived --dont-fork --log-console --log-detail "$@"
"""


def configuration(own, others, priority):
    """The example, with the addresses of this balancer and of the other ones."""
    text = (FOLDER / "keepalived.conf").read_text()
    for pattern, value in ((r"(?<=unicast_src_ip )[\d.]+", own),
                           (r"(?<=        )192\.0\.2\.2$", "\n        ".join(others)),
                           (r"(?<=priority )\d+", str(priority))):
        text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
        assert count == 1, f"{pattern} is {count} times in the example"
    return text


class Keepalived:
    """Runs until it is ended; may be started again."""

    def __init__(self, node, own, others, priority=200):
        self.node = node
        self.process = None
        self._conf = node.directory / "keepalived.conf"
        self._log = node.directory / "keepalived.log"
        self._conf.write_text(configuration(own, others, priority))

    def start(self):
        directory = Path(program("droverctl")).parent
        with open(self._log, "a", encoding="utf-8") as log:
            self.process = self.node.popen(
                "unshare", "--mount", "sh", "-euc", INSTALLED, "sh", FOLDER,
                self.node.run_directory, "-f", self._conf, stderr=log,
                env=os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"})

    def log(self):
        return self._log.read_text()

    def states(self):
        """The states that it has entered, one after the other."""
        return re.findall(r"\(A\) Entering (\w+) STATE", self.log())

    def wait_state(self, state, timeout=30):
        wait_until(lambda: self.states()[-1:] == [state], timeout,
                   f"keepalived of {self.node.name} being {state}\n{self.log()}")

    def is_master(self):
        return self.node.has_address(TOKEN, "lo")

    def stop(self):
        """As a service manager ends it."""
        self.process.terminate()
        self.process.wait(patience(20))

    def end(self):
        if self.process and self.process.poll() is None:
            self.stop()

    def kill(self):
        """Parent first, which would start its child anew; nothing is cleaned up."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        self.process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(patience(20))
