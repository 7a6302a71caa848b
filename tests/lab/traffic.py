"""Running client.py inside a namespace, and its results as Python values."""

import json
from collections import Counter
from pathlib import Path

from .wait import patience, wait_until

CLIENT = Path(__file__).with_name("client.py")
PYTHON = "/usr/bin/python3"


class Answers:
    """Who answered how often, and what failed."""

    def __init__(self, report):
        self.by_member = Counter(report["answers"])
        self.failures = report["failures"]
        self.slowest = report["slowest"]
        self.order = report.get("order")

    @property
    def total(self):
        return sum(self.by_member.values())

    def share(self, member):
        return self.by_member[member] / self.total if self.total else 0.0

    def __repr__(self):
        return f"<{dict(self.by_member)} {len(self.failures)} failed: {self.failures[:3]}>"


class Running:
    """A client that goes on (mode hold or churn) until stop()."""

    def __init__(self, process):
        self._process = process
        self._process.read_line(60, expected='"ready"')

    def _command(self, word):
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.read_line(30))

    def report(self):
        return self._command("report")

    def failures(self):
        return self.report()["failures"]

    def wait_rounds(self, rounds=2, timeout=20):
        """Waits until each connection has exchanged so many times from now on."""
        self._command("mark")
        wait_until(lambda: self.report()["rounds"] >= rounds, timeout, "all connections going on",
                   interval=0.05)

    def wait_alive(self, count, timeout=60):
        """Waits until only so many connections are left, and these go on; returns the report."""
        wait_until(lambda: self.report()["alive"] <= count, timeout, f"{count} connections alive",
                   interval=0.05)
        self.wait_rounds(2, timeout)
        return self.report()

    def stop(self):
        """Ends it and returns its last report."""
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()
        last = json.loads(self._process.read_line(30))
        self._process.wait(patience(30))
        return last


def start(host, mode, target, port, **spec):
    """Starts client.py in the host; see there for the further words of spec."""
    spec = {"mode": mode, "to": [target, port], "patience": 8} | spec
    spec["patience"] = patience(spec["patience"])
    if "source" in spec or "first_port" in spec:
        spec["from"] = [spec.pop("source", ""), spec.pop("first_port", 0)]
    return host.popen(PYTHON, CLIENT, json.dumps(spec), stdin=True, stdout=True)


def finish(process, timeout=90):
    """Waits for a client that ends by itself."""
    answers = Answers(json.loads(process.read_line(timeout)))
    process.wait(patience(10))
    return answers
