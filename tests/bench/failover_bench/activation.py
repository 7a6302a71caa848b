"""From `droverctl activate` on the standby to the first packet that it forwards."""

import statistics
import subprocess
import time

from chaos.cluster import HASHED, UDP, Cluster
from chaos.drover import Drover
from chaos.load import Load
from lab import VIP
from lab.programs import program
from lab.wait import wait_until

from .forwarded import Asker, Forwarded

# They open, are answered once, and keep still: what counts is that all hosts know them.
PACE = {"pause": 600000, "retry": 600000, "patience": 600000, "life": 0}
FLOWS_OF_A_PROCESS = 10000  # by its limit of open files


def open_flows(cluster, flows):
    loads = [Load(cluster.lab.client,
                  [f"hashed,tcp,{VIP},{HASHED},{min(FLOWS_OF_A_PROCESS, flows - begin)}"], PACE)
             for begin in range(0, flows, FLOWS_OF_A_PROCESS)]
    for load in loads:
        load.wait_open()


def activate(node):
    """Runs droverctl, and nothing else before it; returns when that began."""
    began = time.time()
    command = [program("droverctl"), "-s", node.control_path, "activate"]
    process = node.call(lambda: subprocess.Popen(command, stdout=subprocess.DEVNULL))
    return process, began


def one(cluster, balancer, old, new):
    """Seconds from droverctl to the first packet, and those that the kernel's commit took.

    old falls silent, new is told to take the duty.
    """
    lab = cluster.lab
    wait_until(lambda: not lab[new].is_forwarding(), 20, f"{new} forwarding nothing")
    with Forwarded(lab.switch, lab[new], VIP) as forwarded, Asker(lab.client, (VIP, UDP)):
        lab.cut(lab[old])
        process, began = activate(lab[new])
        took = forwarded.first() - began
        assert process.wait(20) == 0, f"droverctl activate ended with {process.returncode}"
    commit = lab[new].ctl("status")["kernel"]["last_commit_us"] / 1e6
    lab[old].ctl("standby")
    lab.mend(lab[old])
    balancer.active = new
    balancer.wait_settled()
    return took, commit


def measure(flows, reweighted, rounds):
    """Times in seconds.

    reweighted: a member's weight is changed when the flows are there, so that some are pinned.
    """
    with Cluster(with_ipv6=False) as cluster:
        balancer = Drover(cluster)
        balancer.start()
        balancer.wait_settled()
        open_flows(cluster, flows)
        if reweighted:
            balancer.weight("fe5", 50)
            balancer.wait_settled()
        times = []
        for _ in range(rounds):
            times.append(one(cluster, balancer, "lb1", "lb2"))
            balancer.move_duty("lb1")
            balancer.wait_settled()
    times, commits = zip(*times)
    return {"flows": flows, "reweighted": reweighted, "times": times, "commits": commits,
            "median": statistics.median(times), "worst": max(times),
            "commit": statistics.median(commits)}
