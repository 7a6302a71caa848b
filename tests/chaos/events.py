"""What each kind of event does to the cluster, its balancers and its flows.

Each function returns when everything is done and told, and nothing has settled yet.
"""

from lab.wait import wait_until

from .drover import SYNC_PORT
from .tamper import Tampering

REFUSED = ("doubled", "forged")
TAMPERED_FLOWS = 0.02  # of all flows: so many begin and end while packets are tampered with


def nothing(_trial, _event):
    pass


def member_added(trial, event):
    trial.balancer.add(event.host)


def member_removed(trial, event):
    trial.begin_removal(event.host)
    trial.balancer.remove(event.host)


def member_drained(trial, event):
    trial.begin_removal(event.host)
    trial.balancer.drain(event.host)


def member_enabled(trial, event):
    trial.balancer.enable(event.host)


def member_reweighted(trial, event):
    trial.balancer.weight(event.host, event.value)


def member_killed(trial, event):
    trial.crash(event.host)
    trial.begin_removal(event.host)
    trial.balancer.declare_dead(event.host)


def returned(trial, event):
    trial.boot(event.host)
    trial.balancer.declare_alive(event.host)
    if event.variant == "takes the duty at once":
        trial.balancer.move_duty(event.host)


def node_rebooted(trial, event):
    """Nobody is told, neither that it goes nor that it is back."""
    trial.crash(event.host)
    trial.boot(event.host)


def duty_moved(trial, event):
    trial.balancer.move_duty(event.host, event.variant == "activate first")


def balancer_killed(trial, event):
    trial.crash(event.host)
    trial.balancer.take_over(event.other)
    trial.begin_removal(event.host)
    trial.balancer.declare_dead(event.host)


def balancer_cut_off(trial, event):
    """It lives, and holds itself for active when its cable is mended, as the other one is."""
    lab, balancer = trial.cluster.lab, trial.balancer
    lab.cut(lab[event.host])
    trial.bury(event.host)
    balancer.take_over(event.other)
    balancer.declare_dead(event.host)
    trial.settle()
    lab.mend(lab[event.host])
    balancer.resolve(event.host)
    balancer.declare_alive(event.host)


def daemon_restarted(trial, event):
    trial.balancer.restart(event.host, kill=False)


def daemon_killed(trial, event):
    trial.balancer.restart(event.host, kill=True)


def ruleset_flushed(trial, event):
    trial.balancer.flush(everywhere=event.variant == "everywhere")


def sync_tampered(trial, event):
    """Flows begin and end, a member is reweighted, the duty moves: all that sync has to tell."""
    load = trial.cluster.load
    how = event.kind.removeprefix("sync ")
    refused = trial.balancer.refused()
    with Tampering(trial.cluster.lab, SYNC_PORT, how, trial.seed):
        ended = load.sums()["ended"]
        wait_until(lambda: load.sums()["ended"] - ended >= TAMPERED_FLOWS * load.count, 60,
                   "flows beginning and ending", interval=0.05)
        trial.balancer.weight(event.host, event.value)
        trial.settle()
        trial.balancer.move_duty(event.other)
        trial.settle()
    if how in REFUSED:
        assert trial.balancer.refused() > refused, f"no packet that was {how} was refused"


ACTIONS = {
    "nothing": nothing,
    "member added": member_added,
    "member removed": member_removed,
    "member drained": member_drained,
    "member enabled": member_enabled,
    "member reweighted": member_reweighted,
    "member killed": member_killed,
    "member returned": returned,
    "node rebooted": node_rebooted,
    "duty moved": duty_moved,
    "balancer killed": balancer_killed,
    "balancer returned": returned,
    "balancer cut off": balancer_cut_off,
    "daemon restarted": daemon_restarted,
    "daemon killed": daemon_killed,
    "ruleset flushed": ruleset_flushed,
    "sync lost": sync_tampered,
    "sync doubled": sync_tampered,
    "sync reordered": sync_tampered,
    "sync forged": sync_tampered,
}
