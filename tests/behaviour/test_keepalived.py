"""keepalived decides who has the duty, by the files in contrib/keepalived as they are."""

import pytest

from lab import VIP, wait_until
from lab.keepalived import Keepalived
from lab.silence import Silence
from lab.wait import patience

HELD = 200
MEMBERS = {"fe7": 100, "fe8": 100, "fe9": 50}
SERVICES = [{"name": "web", "protocol": "tcp", "ports": "80"},
            {"name": "dns", "protocol": "udp", "ports": "53"}]
# It is less than one on a machine that has nothing else to do.
SILENCE = 2
VRRP = "ip protocol 112"
# What leaves fe7 and fits into a heartbeat comes through, news of its connections do not.
NEWS_OF_FE7 = "udp dport 8848 ip saddr 192.0.2.7 udp length > 400"


class Cluster:
    """Balancers with keepalived, members, and a client behind a router."""

    def __init__(self, lab, priorities):
        self.lab = lab
        lab.configure(lab.group(MEMBERS, balancers=list(priorities), services=SERVICES), sync=True)
        lab.serve("80", "53")
        lab.start()
        self.keepalived = {}
        for name, priority in priorities.items():
            others = [lab.address(other) for other in priorities if other != name]
            self.keepalived[name] = Keepalived(lab[name], lab.address(name), others, priority)

    def begin(self, first, *others):
        """Starts keepalived on these; the first has the duty."""
        self.keepalived[first].start()
        self.wait_active(first)
        for name in others:
            self.keepalived[name].start()
            self.keepalived[name].wait_state("BACKUP")

    def active(self):
        return [name for name in self.keepalived
                if self.lab[name].is_running and self.lab[name].is_active()]

    def wait_active(self, name):
        """Waits until this one has the duty, and none of the others where droverd runs."""
        wait_until(lambda: self.active() == [name], 30, f"{name} alone being active")

    def hold(self):
        held = self.lab.client.hold(VIP, 80, HELD, patience=20)
        self.lab.wait_known(HELD)
        return held

    def silence(self):
        return Silence(self.lab.client, VIP, 53)

    def cut(self, name):
        self.lab.switch.ip("link", "set", name, "down")

    def mend(self, name):
        self.lab.switch.ip("link", "set", name, "up")

    def kill_keepalived(self, name):
        self.keepalived[name].kill()

    def crash(self, name):
        """Not even the end of its programs is seen on the segment."""
        self.cut(name)
        self.keepalived[name].kill()
        self.lab[name].kill_droverd()

    def close(self):
        for keepalived in self.keepalived.values():
            keepalived.end()


@pytest.fixture
def make_cluster(make_lab):
    made = []

    def make(**priorities):
        lab = make_lab([*priorities, *MEMBERS], router=True)
        made.append(Cluster(lab, priorities))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def pair(make_cluster):
    """lb1 has the duty, lb2 stands by."""
    cluster = make_cluster(lb1=200, lb2=190)
    cluster.begin("lb1", "lb2")
    return cluster


def assert_whole(held):
    held.wait_rounds(2)
    report = held.report()
    assert report["alive"] == HELD and not report["failures"], report["failures"][:5]
    return report["slowest"]


def test_one_is_elected(make_cluster):
    cluster = make_cluster(lb1=200, lb2=190)
    for keepalived in cluster.keepalived.values():
        keepalived.start()
    wait_until(cluster.active, 30, "an election")
    name, = cluster.active()
    other = "lb2" if name == "lb1" else "lb1"
    cluster.keepalived[other].wait_state("BACKUP")
    assert cluster.active() == [name] and cluster.keepalived[name].is_master()
    assert cluster.lab[name].has_address(VIP) and not cluster.lab[other].has_address(VIP)
    assert not cluster.lab.client.connect(VIP, 80, 50).failures


@pytest.mark.parametrize("way", [Cluster.cut, Cluster.kill_keepalived, Cluster.crash])
def test_failover(pair, way, record_property):
    held = pair.hold()
    with pair.silence() as silence:
        way(pair, "lb1")
        wait_until(pair.lab["lb2"].is_active, 30, "lb2 taking the duty")
        silence.wait_answer()
        slowest = assert_whole(held)
    held.stop()
    record_property("silence", silence.longest)
    record_property("slowest TCP exchange", slowest)
    print(f"{way.__name__}: no answer for {silence.longest:.3f} s, TCP {slowest:.3f} s")
    assert silence.longest < patience(SILENCE)


def test_who_comes_back_does_not_take_the_duty_back(pair):
    held = pair.hold()
    pair.cut("lb1")
    pair.wait_active("lb2")
    pair.keepalived["lb1"].wait_state("FAULT")
    pair.mend("lb1")
    pair.keepalived["lb1"].wait_state("BACKUP")
    assert_whole(held)
    assert pair.active() == ["lb2"]
    assert pair.keepalived["lb1"].states() == ["BACKUP", "MASTER", "FAULT", "BACKUP"]
    assert pair.keepalived["lb2"].states() == ["BACKUP", "MASTER"]
    held.stop()


def test_a_stop_hands_over(pair):
    held = pair.hold()
    with pair.silence() as silence:
        pair.keepalived["lb1"].stop()
        pair.wait_active("lb2")
        silence.wait_answer()
        assert_whole(held)
    held.stop()
    print(f"stop: no answer for {silence.longest:.3f} s")
    assert silence.longest < patience(0.5)
    pair.keepalived["lb1"].start()
    wait_until(lambda: pair.keepalived["lb1"].states()[-2:] == ["MASTER", "BACKUP"], 30)
    assert pair.active() == ["lb2"]


def test_a_restart_of_droverd_does_not_move_the_duty(pair):
    """It lasts for so long that a check fails."""
    held = pair.hold()
    pair.lab["lb1"].stop_droverd()
    wait_until(lambda: "now returning 1" in pair.keepalived["lb1"].log(), 10, "a check that fails")
    pair.lab.start("lb1")
    wait_until(lambda: "now returning 0" in pair.keepalived["lb1"].log(), 10, "one that does not")
    assert_whole(held)
    assert pair.active() == ["lb1"]
    assert pair.keepalived["lb1"].states() == ["BACKUP", "MASTER"]
    held.stop()


def test_without_droverd_the_duty_moves(pair):
    held = pair.hold()
    with pair.silence() as silence:
        pair.lab["lb1"].kill_droverd()
        pair.wait_active("lb2")
        silence.wait_answer()
        assert_whole(held)
        # It finds VIPs on its interface, and somebody who took the duty after it.
        pair.lab.start("lb1")
        pair.wait_active("lb2")
        assert_whole(held)
    held.stop()
    assert not pair.lab["lb1"].has_address(VIP)
    print(f"droverd killed: no answer for {silence.longest:.3f} s")
    assert silence.longest < patience(SILENCE)


def test_without_any_droverd_the_kernel_goes_on(pair):
    held = pair.hold()
    for name in pair.keepalived:
        pair.lab[name].kill_droverd()
    for keepalived in pair.keepalived.values():
        keepalived.wait_state("FAULT")
    assert_whole(held)
    pair.lab.start("lb2")
    pair.wait_active("lb2")
    pair.lab.start("lb1")
    pair.wait_active("lb2")
    assert_whole(held)
    held.stop()


def test_an_unsynchronised_balancer_is_the_last_to_have_the_duty(make_cluster):
    cluster = make_cluster(lb1=200, lb2=190, lb3=210)
    lab = cluster.lab
    cluster.begin("lb1", "lb2")
    held = cluster.hold()
    lab["lb3"].stop_droverd()
    lab["lb3"].deafen(NEWS_OF_FE7)
    lab.start("lb3")
    wait_until(lambda: "the connections of fe7" in str(lab["lb3"].ctl("ready", exit_status=1)), 15)
    cluster.keepalived["lb3"].start()
    wait_until(lambda: "VRRP_Script(drover_A) failed" in cluster.keepalived["lb3"].log(), 15)
    cluster.crash("lb1")
    cluster.wait_active("lb2")
    assert_whole(held)
    assert "MASTER" not in cluster.keepalived["lb3"].states()
    cluster.crash("lb2")
    cluster.wait_active("lb3")
    assert "taking the duty without knowing all connections of fe7" in lab["lb3"].log()
    held.stop()


def test_balancers_that_cannot_hear_vrrp_agree_by_themselves(pair):
    """A firewall in its way: both are master, one has the duty; then the way is free again."""
    held = pair.hold()
    for name in pair.keepalived:
        pair.lab[name].deafen(VRRP)
    pair.wait_active("lb2")
    assert_whole(held)
    assert pair.active() == ["lb2"] and all(each.is_master() for each in pair.keepalived.values())
    for name in pair.keepalived:
        pair.lab[name].heal()
    pair.wait_active("lb1")
    assert [each.is_master() for each in pair.keepalived.values()] == [True, False]
    assert_whole(held)
    held.stop()


def test_keepalived_has_the_last_word(pair):
    held = pair.hold()
    pair.lab["lb2"].ctl("activate")
    pair.wait_active("lb1")
    pair.lab["lb1"].ctl("standby")
    pair.wait_active("lb1")
    assert_whole(held)
    held.stop()
