"""Restart, crash and reload of droverd do not disturb a single connection."""

import signal

import pytest

from lab import VIP, wait_until

HELD = 500


def restart(node):
    node.restart_droverd()


def crash_and_start(node):
    node.kill_droverd()
    node.start_droverd()


def reload_by_droverctl(node):
    node.ctl("reload")


def reload_by_signal(node):
    """SIGHUP; done when READY=1 follows RELOADING=1."""
    seen = node.daemon.notifications().count("READY=1")
    node.daemon.signal(signal.SIGHUP)
    wait_until(lambda: node.daemon.notifications().count("READY=1") > seen, what="the reload")
    assert "RELOADING=1" in node.daemon.notifications()


@pytest.mark.parametrize(
    "disturb", [restart, crash_and_start, reload_by_droverctl, reload_by_signal])
def test_no_connection_notices(cluster, disturb):
    balancer = cluster["fe5"]
    held = cluster.client.hold(VIP, 80, HELD)
    churn = cluster.client.churn(VIP, 80)
    handles = balancer.handles()
    commits = balancer.ctl("status")["kernel"]["commits"]
    held.wait_rounds(1)

    disturb(balancer)
    cluster.wait_serving("fe5")
    assert balancer.is_active()

    held.wait_rounds(2)
    churn.wait_rounds(200)
    held, churn = held.stop(), churn.stop()
    assert held["alive"] == HELD and not held["failures"]
    assert not churn["failures"] and sum(churn["answers"].values()) > 200
    assert max(held["slowest"], churn["slowest"]) < 0.9, "a packet was lost and sent again"
    assert balancer.handles() == handles
    assert balancer.ctl("status")["kernel"]["commits"] <= commits


def test_the_kernel_balances_while_no_daemon_runs(cluster):
    cluster["fe5"].kill_droverd()
    answers = cluster.client.connect(VIP, 80, 200, first_port=20000)
    assert not answers.failures and set(answers.by_member) == {"fe5", "fe6", "fe7"}


def test_a_clean_stop_leaves_the_rules(cluster):
    handles = cluster["fe5"].handles()
    cluster["fe5"].stop_droverd()
    assert cluster["fe5"].handles() == handles
    assert not cluster.client.connect(VIP, 80, 100, first_port=20000).failures


def test_a_start_corrects_what_changed_meanwhile(cluster):
    """One member leaves the file while no daemon runs: only the difference is sent."""
    balancer = cluster["fe5"]
    balancer.stop_droverd()
    handles = balancer.handles()
    balancer.write_conf({"groups": [cluster.group({"fe5": 100, "fe6": 100})]})
    balancer.start_droverd()
    cluster.wait_serving("fe5")
    answers = cluster.client.connect(VIP, 80, 100, first_port=20000)
    assert not answers.failures and set(answers.by_member) == {"fe5", "fe6"}
    kept = handles & balancer.handles()
    chains = {name for kind, _, name, _ in kept if kind == "chain"}
    assert "member/A/fe6" in chains, "the chain of a member that stayed was made anew"
