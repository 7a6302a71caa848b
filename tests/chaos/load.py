"""The flows under load: load.c as a Python object."""

import json

from lab.programs import program
from lab.wait import Timeout, patience, wait_until


class Load:
    """Many flows from one host, kept busy; each report is a dict as load.c writes it.

    targets: words for load.c; pace: its times in milliseconds
    """

    def __init__(self, host, targets, pace):
        self.patience = pace["patience"] / 1000
        pace = pace | {"patience": int(1000 * patience(self.patience))}
        words = [f"{name}={value}" for name, value in pace.items()] + targets
        self.count = sum(int(target.split(",")[4]) for target in targets
                         if target.split(",")[1] != "probe")
        self._process = host.popen(program("chaos-load"), *words, stdin=True, stdout=True)

    def _command(self, words):
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.read_line(30))

    def report(self):
        return self._command("report")

    def sums(self):
        """A report without the lists of what broke and what was probed."""
        return self._command("sums")

    def mark(self):
        """What has happened since the last mark; this is the next one."""
        return self._command("mark")

    def bury(self, member):
        """A member is dead: its flows are no loss."""
        self._command(f"dead {member}")

    def start_probing(self):
        """Begins to open new connections all the time."""
        self._command("probe 1")

    def stop_probing(self):
        self._command("probe 0")

    def _flows(self):
        sums = self.sums()
        return sums["tcp"] + sums["udp"]

    def wait_open(self):
        wait_until(lambda: self._flows() == self.count, 60, "all flows open", interval=0.05)

    def wait_settled(self):
        """Waits until each flow has been answered twice from now on, and each probe has ended.

        Returns how many have not, after so long that they never will.
        """
        self._command("round")
        try:
            wait_until(lambda: not self._unsettled(), 2.5 * self.patience, interval=0.05)
        except Timeout:
            return self._unsettled()
        return 0

    def _unsettled(self):
        sums = self.sums()
        return sums["unsettled"] + sums["probing"]

    def stop(self):
        self._process.end()
