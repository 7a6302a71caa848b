"""A duty that was given up is handed over in peace, even when the daemon is told to end."""

import signal

import pytest

from lab import wait_until


@pytest.fixture(name="node")
def leaving_node(make_lab):
    lab = make_lab(["fe5", "fe6"])
    lab.configure()
    lab.start()
    lab.activate("fe5")
    lab["fe5"].ctl("standby")
    return lab["fe5"]


def tables(node):
    return [line.split()[1] for line in node.run("nft", "list", "tables").stdout.splitlines()]


def test_a_stop_waits_until_neighbours_have_turned_away(node):
    assert node.is_forwarding()
    assert node.daemon.stop() == 0
    assert not node.is_forwarding()
    assert sorted(tables(node)) == ["arp", "inet", "netdev"], "the shield went"
    assert "handed over" in node.log()


def test_a_second_stop_ends_it_at_once(node):
    node.daemon.signal(signal.SIGTERM)
    wait_until(lambda: "handed over" in node.log())
    assert node.daemon.running
    assert node.daemon.stop() == 0
    assert node.is_forwarding(), "what was not finished is left to the next start"
    node.start_droverd()
    assert not node.is_forwarding()
    assert sorted(tables(node)) == ["arp", "inet", "netdev"]


def test_election_from_always_to_manual_keeps_the_duty(make_lab):
    lab = make_lab(["fe5", "fe6"])
    lab.configure(only=["fe5"], election="always")
    node = lab["fe5"]
    node.start_droverd()
    wait_until(node.is_active)
    lab.configure(only=["fe5"], election="manual")
    node.ctl("reload")
    assert node.is_active()
    node.ctl("standby")
    assert not node.is_active()
