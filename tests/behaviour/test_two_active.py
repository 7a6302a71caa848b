"""Two balancers active at once: nothing loops, and connections through either work."""

from collections import Counter

import pytest

from lab import VIP


@pytest.fixture
def both(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7", "fe8"])
    lab.configure(lab.group(balancers=["fe5", "fe6"]))
    lab.serve("80", "5060")
    lab.start()
    lab.activate("fe5")
    lab.activate("fe6")
    return lab


def steer(lab, name):
    """Makes the client send to this balancer; which one ARP would choose is chance."""
    lab.client.ip("neigh", "replace", VIP, "lladdr", lab[name].mac, "dev", "eth0", "nud",
                  "permanent")


def crossings(frames):
    """How often each packet entered the switch: once for each time that somebody sent it."""
    return Counter(frame.packet for frame in frames
                   if frame.is_ip and frame.interface != "br0")


def test_no_packet_crosses_the_wire_more_than_twice(both):
    with both.switch.capture() as capture:
        for name in ("fe5", "fe6"):
            steer(both, name)
            answers = both.client.connect(VIP, 80, 400, first_port=20000)
            assert not answers.failures
            assert set(answers.by_member) == {"fe5", "fe6", "fe7", "fe8"}
    times = crossings(capture.frames(incoming_only=True))
    assert len(times) > 4000
    assert max(times.values()) == 2


def test_balancers_that_disagree_do_not_loop(both):
    """Each thinks that the other one should serve: without the loop guard, packets would circle."""
    for name in ("fe5", "fe6"):
        for other in ("fe7", "fe8", name):
            both[name].ctl("disable", other)
    with both.switch.capture() as capture:
        for name, server in (("fe5", "fe6"), ("fe6", "fe5")):
            steer(both, name)
            answers = both.client.connect(VIP, 80, 100, first_port=20000, patience=3)
            assert not answers.failures and set(answers.by_member) == {server}, answers
    assert max(crossings(capture.frames(incoming_only=True)).values()) == 2


def test_both_send_a_connection_to_the_same_member(both):
    steer(both, "fe5")
    held = both.client.hold(VIP, 80, 300)
    for name in ("fe6", "fe5"):
        steer(both, name)
        held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == 300 and not report["failures"]


def test_both_remain_active_and_say_so(both):
    assert both["fe5"].is_active() and both["fe6"].is_active()
