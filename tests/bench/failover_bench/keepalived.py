"""keepalived decides, and the active balancer dies: how long the client is without answers."""

import os
import shlex
import shutil
import signal
import statistics

from chaos.cluster import FIRST_PORT, HASHED, UDP, Cluster
from chaos.drover import Drover
from chaos.load import Load
from lab import VIP
from lab.programs import program
from lab.wait import wait_until

# keepalived demands an address of its own. The VIPs are drover's.
CONF = """
global_defs {{
    enable_script_security
    script_user root
}}
vrrp_script ready {{
    script "{ctl} ready"
    interval 1
    fall 2
    rise 1
}}
vrrp_instance drover_A {{
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 48
    priority {priority}
    advert_int 0.1
    version 3
    notify_master "{ctl} activate"
    notify_backup "{ctl} standby"
    notify_fault "{ctl} standby"
    notify_stop "{ctl} standby"
    track_script {{
        ready
    }}
    virtual_ipaddress {{
        169.254.48.1/32 dev lo
    }}
}}
"""
# Many flows of UDP that ask all the time see the gap to a few milliseconds; connections tell
# whether any broke, and see the gap by the client's retransmission timer.
UDP_FLOWS = 50
UDP_PACE = {"pause": 20, "retry": 5, "patience": 20000, "life": 0}
TCP_PACE = {"pause": 300, "retry": 200, "patience": 20000, "life": 0}


def is_there():
    return shutil.which("keepalived") is not None


class Keepalived:
    """keepalived on both balancers; whoever it chooses takes the duty."""

    def __init__(self, lab, names):
        self.lab = lab
        self.names = names
        self.processes = {}
        for priority, name in zip((110, 100), names):
            self._write(name, priority)
            self.start(name)

    def _write(self, name, priority):
        node = self.lab[name]
        ctl = shlex.join([program("droverctl"), "-s", str(node.control_path)])
        (node.directory / "keepalived.conf").write_text(CONF.format(priority=priority, ctl=ctl))

    def start(self, name):
        node = self.lab[name]
        with open(node.directory / "keepalived.log", "a", encoding="utf-8") as log:
            self.processes[name] = node.popen(
                "keepalived", "-n", "-l", "-D", "-f", node.directory / "keepalived.conf",
                "-p", node.run_directory / "keepalived.pid", "-r", node.run_directory / "vrrp.pid",
                stderr=log)

    def kill(self, name):
        """Both of its processes, of which only the first is a child of ours."""
        os.kill(int((self.lab[name].run_directory / "vrrp.pid").read_text()), signal.SIGKILL)
        self.processes[name].end()

    def prefer(self, name):
        """Gives one the duty: the others' keepalived stops until it has it."""
        others = [other for other in self.names if other != name]
        for other in others:
            self.processes[other].terminate()
            self.processes[other].wait(20)
        self.wait_active([name])
        for other in others:
            self.start(other)

    def wait_active(self, names):
        """Waits until one of these is active, and returns it."""
        return wait_until(lambda: next((name for name in names if self.lab[name].is_active()),
                                       None), 30, "an active balancer")


def measure(connections, rounds):
    """{"times": of the longest silence, in seconds, "broken": flows}."""
    with Cluster(with_ipv6=False) as cluster:
        lab, balancer = cluster.lab, Drover(cluster)
        balancer.start(activate=False)
        keepalived = Keepalived(lab, ("lb1", "lb2"))
        balancer.active = keepalived.wait_active(("lb1", "lb2"))
        loads = [Load(lab.client, [f"udp,udp,{VIP},{UDP},{UDP_FLOWS},{FIRST_PORT}"], UDP_PACE),
                 Load(lab.client, [f"hashed,tcp,{VIP},{HASHED},{connections}"], TCP_PACE)]
        results = [_one(cluster, balancer, keepalived, loads) for _ in range(rounds)]
    silent, connections_silent, broken = zip(*results)
    return {"times": silent, "median": statistics.median(silent), "worst": max(silent),
            "tcp": max(connections_silent), "broken": sum(broken)}


def _one(cluster, balancer, keepalived, loads):
    """The active host dies; (longest silence for UDP, for TCP, flows broken)."""
    lab = cluster.lab
    keepalived.prefer("lb1")
    balancer.active = "lb1"
    balancer.wait_settled()
    for load in loads:
        load.wait_settled()
        load.mark()
    lab.cut(lab["lb1"])
    keepalived.kill("lb1")
    lab.crash(lab["lb1"])
    balancer.active = keepalived.wait_active(("lb2",))
    for load in loads:
        load.wait_settled()
    udp, tcp = (load.mark() for load in loads)
    cluster.boot("lb1", balancer.start_node)
    keepalived.start("lb1")
    balancer.wait_settled()
    return udp["longest"], tcp["longest"], len(udp["broken"]) + len(tcp["broken"])
