"""drover as the balancer of the cluster, and what its operator tells it."""

from lab.wait import wait_until

from .cluster import DRAWN, HASHED, UDP
from .plan import AT_FIRST, BALANCERS

SYNC_PORT = 8848
SERVICES = [
    {"name": "hashed", "protocol": "tcp", "ports": str(HASHED), "scheduler": "hash"},
    {"name": "drawn", "protocol": "tcp", "ports": str(DRAWN), "scheduler": "rr"},
    {"name": "udp", "protocol": "udp", "ports": str(UDP), "scheduler": "hash"},
]
SETTLED_SECONDS = 60
RESOLVED_SECONDS = 10


class Drover:
    """droverd on all hosts; each command is given as its operator would give it."""

    name = "drover"

    def __init__(self, cluster):
        self.cluster = cluster
        self.lab = cluster.lab
        self.active = BALANCERS[0]
        self.configured = list(AT_FIRST)
        self.down = set()
        # {member: [state, weight]}, as all balancers are to see it
        self.members = {name: ["serving", 100] for name in AT_FIRST}
        self.notes = []

    @staticmethod
    def supports(_):
        return True

    # --- configuration ------------------------------------------------------

    def _settings(self):
        weights = {name: 100 for name in self.configured}
        group = self.lab.group(weights, balancers=list(BALANCERS), services=SERVICES)
        return {"groups": [group], "sync": self.lab.sync(port=SYNC_PORT)}

    def _nodes(self):
        """Names of the hosts in the configuration, the active balancer first."""
        return list(dict.fromkeys([self.active, *BALANCERS, *self.configured]))

    def _up(self, names):
        return [name for name in names if name not in self.down]

    def _write(self):
        """A host that is not in the file keeps the one it has."""
        for name in self._nodes():
            self.lab[name].write_conf(self._settings())

    def start(self, activate=True):
        self._write()
        for name in self._nodes():
            self.cluster.start(name, self.start_node)
        if activate:
            self.lab[self.active].ctl("activate")

    def start_node(self, name):
        self.lab[name].hasten_neighbours()
        self.lab[name].start_droverd()

    # --- members ------------------------------------------------------------

    def _tell(self, *words):
        """All nodes will know what one was told."""
        self.lab[self.active].ctl(*words)

    def add(self, member):
        self.configured.append(member)
        self.members[member] = ["serving", 100]
        self._write()
        if not self.lab[member].is_running:
            self.cluster.start(member, self.start_node)
        self._reload()
        # What was said of it when it was a member before may still be known.
        self.weight(member, 100)

    def remove(self, member):
        """Its own daemon goes on with the file it has: its flows are still its."""
        self.configured.remove(member)
        del self.members[member]
        self._write()
        self._reload()

    def _reload(self):
        for name in self._up(self._nodes()):
            self.lab[name].ctl("reload")

    def drain(self, member):
        self.members[member][0] = "draining"
        self._tell("drain", member)

    def enable(self, member):
        self.members[member][0] = "serving"
        self._tell("enable", member)

    def weight(self, member, weight):
        self.members[member][1] = weight
        self._tell("weight", member, weight)

    def declare_dead(self, host):
        self.down.add(host)
        if host in self.members:
            self.members[host][0] = "disabled"
            self._tell("disable", host)

    def declare_alive(self, host):
        self.down.discard(host)
        if host in self.members and self.members[host][0] == "disabled":
            self.enable(host)

    # --- the duty and the daemons -------------------------------------------

    def take_over(self, host):
        """The active balancer is gone, and no longer asked."""
        self.active = host
        self.lab[host].ctl("activate")

    def move_duty(self, host, activate_first=True):
        old, self.active = self.active, host
        steps = [lambda: self.lab[host].ctl("activate"), lambda: self.lab[old].ctl("standby")]
        for step in steps if activate_first else reversed(steps):
            step()

    def resolve(self, loser):
        """Two balancers are active: the one that took the duty earlier gives it up by itself."""
        wait_until(lambda: not self.lab[loser].is_active(), RESOLVED_SECONDS,
                   f"{loser} giving up the duty that another one has")

    def restart(self, host, kill):
        node = self.lab[host]
        if kill:
            node.kill_droverd()
        else:
            node.stop_droverd()
        node.start_droverd()

    def flush(self, everywhere):
        """A stranger does this; nobody repairs it but drover."""
        for name in self._up(self._nodes()) if everywhere else [self.active]:
            self.lab[name].run("nft", "flush", "ruleset")

    # --- what all this comes to ---------------------------------------------

    def _is_settled(self, name):
        status = self.lab[name].ctl("status")
        group, = status["groups"]
        members = {member["name"]: [member["state"], member["weight"]]
                   for member in group["members"] if not member["retired"]}
        return (status["kernel"]["in_sync"] and members == self.members
                and group["role"] == ("active" if name == self.active else "standby")
                and self.lab[name].droverctl("ready").returncode == 0)

    def wait_settled(self):
        for name in self._up(BALANCERS):
            wait_until(lambda name=name: self._is_settled(name), SETTLED_SECONDS,
                       f"{name} having the state that it was told", interval=0.05)

    def refused(self):
        """Packets of sync that the balancers did not take."""
        statuses = [self.lab[name].ctl("status") for name in BALANCERS]
        return sum(sum(status["sync"]["refused"].values()) for status in statuses)

    def complaints(self):
        """What is wrong with the daemons at the end."""
        for node in self.lab:
            if node.daemon and node.daemon.expected and not node.daemon.running:
                yield f"droverd on {node.name} ended with {node.daemon.process.returncode}"
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
                if word in node.log():
                    yield f"{word} on {node.name}"
