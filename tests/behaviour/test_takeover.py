"""Who takes the duty knows all flows, or says so if not; of two active ones one gives way."""

import time
from collections import Counter

import pytest

from lab import VIP, wait_until
from lab.arp import announcements
from lab.wait import patience

HELD = 300
NAMES = ["fe5", "fe6", "fe7", "fe8"]
BALANCERS = ["fe5", "fe6"]


def launch(lab, services=None, **top):
    lab.launch(lab.group(balancers=BALANCERS, services=services), sync=True, **top)


@pytest.fixture
def lab(make_lab):
    made = make_lab(NAMES)
    launch(made)
    return made


def hold(lab, **spec):
    held = lab.client.hold(VIP, 80, HELD, **spec)
    lab.wait_known(HELD)
    return held


def assert_whole(held, count=HELD):
    held.wait_rounds(2)
    report = held.report()
    assert report["alive"] == count and not report["failures"], report["failures"][:5]


def _reason(node, name):
    ready = node.ctl("ready", exit_status=1)
    return ready if f"the connections of {name} are not known" in str(ready) else None


def start_without_fe7(lab):
    """Starts fe6 again, which then hears fe7, but not of its connections; returns what it says.

    What leaves fe7 and fits into a heartbeat comes through, news of connections do not.
    """
    lab["fe6"].stop_droverd()
    lab["fe6"].deafen("udp dport 8848 ip saddr 192.0.2.7 udp length > 400")
    lab.start("fe6")
    return wait_until(lambda: _reason(lab["fe6"], "fe7"), 15, "fe6 missing fe7's connections")


def test_pinned_connections_survive_a_failover(lab):
    held = hold(lab)
    lab["fe5"].ctl("drain", "fe7")
    lab["fe5"].ctl("weight", "fe8", "30")
    # What the operator said is known to the other balancer as well.
    wait_until(lambda: lab["fe6"].member("fe7")["state"] == "draining", what="fe6 hearing of it")
    for old, new in (("fe5", "fe6"), ("fe6", "fe5")):
        lab[new].ctl("activate")
        lab[old].ctl("standby")
        assert_whole(held)
        assert lab[new].ctl("flows")["totals"]["pinned"] > 0
        answers = lab.client.connect(VIP, 80, 100)
        assert not answers.failures and "fe7" not in answers.by_member
    held.stop()


@pytest.mark.parametrize("scheduler", ["rr", "random", "source"])
@pytest.mark.parametrize("persistence", [0, 60])
def test_connections_survive_whatever_drew_them(make_lab, scheduler, persistence):
    lab = make_lab(NAMES, router=True)
    service = {"name": "web", "protocol": "tcp", "ports": "80", "scheduler": scheduler}
    launch(lab, [service | ({"persistence": persistence} if persistence else {})])
    held = hold(lab, sources=[f"198.18.0.{number}" for number in range(1, 60)])
    lab["fe5"].ctl("drain", "fe7")
    lab["fe6"].ctl("activate")
    lab["fe5"].ctl("standby")
    assert_whole(held)
    held.stop()


def test_the_active_balancer_dies(make_lab):
    """Neither its daemon nor its link are there any more; fe5 is a member, too."""
    lab = make_lab(NAMES)
    launch(lab, hasty=True)
    held = hold(lab, patience=30)
    lab["fe5"].ctl("weight", "fe8", "300")
    members = Counter(held.report()["members"].values())
    lab["fe5"].kill_droverd()
    lab.switch.ip("link", "set", "fe5", "down")
    lab["fe6"].ctl("activate")
    wait_until(lambda: lab["fe6"].member("fe5")["state"] == "unreachable", 40, "fe5 missed")
    report = held.wait_alive(HELD - members["fe5"])
    assert {failure.split()[2] for failure in report["failures"]} == {"fe5:"}
    assert not lab.client.connect(VIP, 80, 200).failures


def test_taking_the_duty_waits_for_what_is_not_known(make_lab):
    lab = make_lab(NAMES)
    launch(lab, takeover_wait=60)
    held = hold(lab)
    assert not start_without_fe7(lab)["ready"]
    waiting = lab["fe6"].popen_droverctl("-j", "activate")
    wait_until(lambda: "waiting up to 60 s to know the connections of fe7" in lab["fe6"].log())
    assert not lab["fe6"].is_active() and lab["fe5"].is_active()
    lab["fe6"].heal()
    assert waiting.wait(patience(20)) == 0
    assert lab["fe6"].is_active()
    lab["fe5"].ctl("standby")
    assert_whole(held)
    held.stop()


def test_taking_the_duty_does_not_wait_for_ever(make_lab):
    lab = make_lab(NAMES)
    launch(lab, takeover_wait=2)
    held = hold(lab)
    start_without_fe7(lab)
    began = time.monotonic()
    reply = lab["fe6"].ctl("activate")
    assert time.monotonic() - began >= 1.9
    assert (reply["complete"], reply["lacks"]) == (False, "fe7") and reply["waited_ms"] >= 1900
    assert "without knowing all connections of fe7" in lab["fe6"].log()
    # They become known later, and are kept from then on.
    lab["fe6"].heal()
    lab["fe5"].ctl("standby")
    lab.wait_known(HELD, "fe6")
    held.stop()


def test_nobody_waits_when_no_other_could_carry_on(make_lab):
    lab = make_lab(NAMES)
    launch(lab, takeover_wait=60)
    held = hold(lab)
    start_without_fe7(lab)
    lab["fe5"].kill_droverd()
    lab.switch.ip("link", "set", "fe5", "down")
    wait_until(lambda: lab["fe6"].peer("fe5")["state"] == "silent", what="fe6 missing fe5")
    began = time.monotonic()
    assert lab["fe6"].ctl("activate")["lacks"] == "fe7"
    assert time.monotonic() - began < patience(10)
    held.stop()


def test_standing_by_ends_the_wait(make_lab):
    lab = make_lab(NAMES)
    launch(lab, takeover_wait=60)
    held = hold(lab)
    start_without_fe7(lab)
    waiting = lab["fe6"].popen_droverctl("activate")
    wait_until(lambda: "waiting up to" in lab["fe6"].log())
    lab["fe6"].ctl("standby")
    assert waiting.wait(patience(10)) == 1
    assert not lab["fe6"].is_active()
    held.stop()


def test_of_two_active_balancers_the_earlier_gives_way(lab):
    held = hold(lab)
    for name in BALANCERS:
        other = next(other for other in BALANCERS if other != name)
        lab[name].deafen(f"udp dport 8848 ip saddr {lab.address(other)}")
    wait_until(lambda: lab["fe6"].peer("fe5")["state"] == "silent", what="fe6 missing fe5")
    lab["fe6"].ctl("activate")
    assert lab["fe5"].is_active() and lab["fe6"].is_active()
    for name in BALANCERS:
        lab[name].heal()
    wait_until(lambda: not lab["fe5"].is_active(), what="fe5 giving way")
    assert lab["fe6"].is_active()
    assert "group A: standby; node fe6 took the duty after this node" in lab["fe5"].log()
    assert "node fe5 is active too" in lab["fe6"].log()
    wait_until(lambda: not lab["fe5"].has_address(VIP), what="the VIPs leaving fe5")
    assert_whole(held)
    held.stop()


def test_who_comes_back_with_an_old_duty_calls_nobody(lab):
    """Its cable was cut: before it tells its neighbours anything it hears who is active now."""
    lab.cut(lab["fe5"])
    lab["fe6"].ctl("activate")
    with lab.client.capture("eth0") as capture:
        lab.mend(lab["fe5"])
        wait_until(lambda: not lab["fe5"].has_address(VIP), what="the VIPs leaving fe5")
        wait_until(lambda: lab["fe6"].mac in announcements(capture.frames(), VIP), 15,
                   "fe6 announcing")
    assert lab["fe5"].mac not in announcements(capture.frames(), VIP)


def test_a_restart_of_the_active_balancer_keeps_pins(lab):
    held = hold(lab)
    lab["fe5"].ctl("drain", "fe7")
    pinned = lab["fe5"].ctl("flows")["totals"]["pinned"]
    handles = lab["fe5"].handles()
    for end in (lab["fe5"].stop_droverd, lab["fe5"].kill_droverd):
        end()
        lab.start("fe5")
        assert lab["fe5"].is_active()
        assert lab["fe5"].ctl("flows")["totals"]["pinned"] == pinned
        assert lab["fe5"].handles() == handles
        assert_whole(held)
    held.stop()
