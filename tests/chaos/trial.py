"""One balancer through the whole sequence of events."""

import subprocess
import time
from dataclasses import asdict, dataclass, field

from .events import ACTIONS
from .plan import MEMBERS, Event

PROMPT = 0.8  # a new connection that needs longer was not answered at its first SYN


@dataclass
class Outcome:
    """What an event did to the flows. Times are in seconds."""

    event: Event
    flows: int = 0          # open when it began
    dead: int = 0           # of these, owned by a host that died
    broken: list = field(default_factory=list)  # connections of hosts that live
    moved: list = field(default_factory=list)   # UDP flows
    unopened: int = 0       # new connections that were refused
    stuck: int = 0          # flows that go on in vain, when all others have settled
    longest: float = 0.0    # without an answer, of flows that lived on
    removal: float = None   # until new connections reached a live member
    lasted: float = 0.0     # until all had settled
    error: str = ""

    @property
    def harm(self):
        return len(self.broken) + len(self.moved) + self.stuck

    def record(self):
        return asdict(self) | {"harm": self.harm}


class Trial:
    """The cluster, its balancer, and the event that is under way."""

    def __init__(self, cluster, balancer, seed):
        self.cluster = cluster
        self.balancer = balancer
        self.seed = seed
        self._dead = set()
        self._removal = None
        self._stuck = 0

    def prepare(self, connections, pace):
        self.balancer.start()
        self.balancer.wait_settled()
        self.cluster.start_load(connections, pace)

    # --- what events do ------------------------------------------------------

    def bury(self, host):
        self._dead.add(host)
        self.cluster.load.bury(host)

    def crash(self, host):
        self._dead.add(host)
        self.cluster.crash(host)

    def boot(self, host):
        self.cluster.boot(host, self.balancer.start_node)

    def begin_removal(self, host):
        """From now on, new connections are to reach other members."""
        if host not in MEMBERS:
            return
        self.cluster.load.start_probing()
        self._removal = (time.monotonic(), host)

    def settle(self):
        self.balancer.wait_settled()
        self.cluster.load.stop_probing()
        self._stuck = max(self._stuck, self.cluster.load.wait_settled())

    # --- events --------------------------------------------------------------

    def strike(self, event):
        """Lets an event happen, waits until all is settled, and counts."""
        load = self.cluster.load
        self._dead, self._removal, self._stuck = set(), None, 0
        before = load.mark()
        began = time.monotonic()
        outcome = Outcome(event, flows=before["tcp"] + before["udp"])
        try:
            ACTIONS[event.kind](self, event)
            self.settle()
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            outcome.error = f"{type(error).__name__}: {error}"
        outcome.lasted = time.monotonic() - began
        report = load.mark()
        outcome.dead = sum(before["members"].get(host, 0) for host in self._dead)
        self._count(outcome, report)
        return outcome

    def _count(self, outcome, report):
        outcome.unopened, outcome.stuck = report["unopened"], self._stuck
        for loss in report["broken"]:
            if not self._died_with_its_member(loss):
                (outcome.broken if loss["tcp"] else outcome.moved).append(loss)
        outcome.longest = report["longest"]
        if self._removal:
            outcome.removal = self._until_live(report["probes"])

    def _died_with_its_member(self, loss):
        """A connection whose first answer had not come when somebody died may have been theirs.

        A UDP flow of a member that died is without one: another is to answer it before long.
        """
        if loss["member"] is None:
            return loss["tcp"] and bool(self._dead)
        return loss["member"] in self._dead

    def _until_live(self, probes):
        """When the first probe began since when all were answered at once, by who serves."""
        began, host = self._removal
        until = began
        for probe in sorted(probes, key=lambda probe: probe["at"]):
            late = probe["took"] is None or probe["took"] > PROMPT
            if probe["at"] >= began and (late or probe["member"] == host):
                until = probe["at"]
        return until - began
