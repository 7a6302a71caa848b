"""keepalived decides, and the active balancer dies: how long the client is without answers."""

import statistics

from chaos.cluster import DRAWN, HASHED, UDP, Cluster
from chaos.drover import Drover
from chaos.load import Load
from lab import VIP
from lab.keepalived import Keepalived
from lab.silence import Silence
from lab.wait import wait_until

PACE = {"pause": 300, "retry": 200, "patience": 20000, "life": 0}
DYING, OTHER = "lb1", "lb2"  # lb1 is no member: no connection dies with it


class Pair:
    """Both balancers with keepalived, and connections to the cluster."""

    def __init__(self, cluster, connections):
        self.cluster = cluster
        self.lab = cluster.lab
        self.balancer = Drover(cluster)
        self.balancer.start(activate=False)
        addresses = {name: self.lab.address(name) for name in (DYING, OTHER)}
        self.keepalived = {
            name: Keepalived(self.lab[name], addresses[name], [addresses[other]], priority)
            for name, other, priority in ((DYING, OTHER, 200), (OTHER, DYING, 190))}
        self._begin(DYING, "MASTER")
        self._begin(OTHER, "BACKUP")
        drawn = connections // 4
        self.load = Load(self.lab.client, [f"hashed,tcp,{VIP},{HASHED},{connections - drawn}",
                                           f"drawn,tcp,{VIP},{DRAWN},{drawn}"], PACE)
        self.load.wait_open()

    def _begin(self, name, state):
        self.keepalived[name].start()
        self.keepalived[name].wait_state(state)

    def _wait_active(self, name):
        wait_until(self.lab[name].is_active, 30, f"{name} taking the duty")
        self.balancer.active = name

    def die(self):
        """(longest silence, longest that a connection waited, how many broke)."""
        lab, load = self.lab, self.load
        self._wait_active(DYING)
        self.balancer.wait_settled()
        load.wait_settled()
        load.mark()
        with Silence(lab.client, VIP, UDP) as silence:
            lab.cut(lab[DYING])
            self.keepalived[DYING].kill()
            lab.crash(lab[DYING])
            self._wait_active(OTHER)
            silence.wait_answer()
        stuck = load.wait_settled()
        report = load.mark()
        return silence.longest, report["longest"], len(report["broken"]) + stuck

    def recover(self):
        """The dead one is back, and is handed the duty."""
        self.cluster.boot(DYING, self.balancer.start_node)
        self._begin(DYING, "BACKUP")
        self.balancer.wait_settled()
        self.keepalived[OTHER].stop()
        self._wait_active(DYING)
        self._begin(OTHER, "BACKUP")

    def close(self):
        for keepalived in self.keepalived.values():
            keepalived.end()


def measure(connections, rounds):
    """Times in seconds; broken: connections, in all rounds."""
    results = []
    with Cluster(with_ipv6=False) as cluster:
        pair = Pair(cluster, connections)
        for _ in range(rounds):
            results.append(pair.die())
            pair.recover()
        pair.close()
    silent, waited, broken = zip(*results)
    return {"times": silent, "median": statistics.median(silent), "worst": max(silent),
            "tcp": max(waited), "broken": sum(broken)}
