"""Connections land on the members by their weights, and members answer for themselves."""

import pytest

from lab import VIP

WEIGHTS = {"fe5": 100, "fe6": 100, "fe7": 50}
CONNECTIONS = 2000
TOLERANCE = 0.03


def assert_shares(answers, weights, tolerance=TOLERANCE):
    total = sum(weights.values())
    for name, weight in weights.items():
        assert abs(answers.share(name) - weight / total) <= tolerance, answers


def answered_by(frames):
    """{client port: (names in the answers, source MACs of all frames)} of what the VIP sent."""
    seen = {}
    for frame in frames:
        if not frame.is_ip or frame.protocol != 6 or frame.source != VIP:
            continue
        names, macs = seen.setdefault(frame.ports[1], (set(), set()))
        macs.add(frame.from_mac)
        payload = frame.packet[20 + (frame.packet[32] >> 4) * 4:]
        if payload:
            names.add(payload.split(b" ")[0].decode())
    return seen


@pytest.fixture
def dedicated(make_lab):
    """Three members and a balancer, fe9, that is no member."""
    lab = make_lab(["fe5", "fe6", "fe7", "fe9"])
    lab.launch(lab.group(WEIGHTS, balancers=["fe9"]), active="fe9")
    return lab


def test_shares_and_source_mac(dedicated):
    with dedicated.client.capture("eth0") as capture:
        answers = dedicated.client.connect(VIP, 80, CONNECTIONS, first_port=20000)
    assert not answers.failures and answers.total == CONNECTIONS, answers
    assert_shares(answers, WEIGHTS)

    seen = answered_by(capture.frames(incoming_only=True))
    assert len(seen) == CONNECTIONS
    for port, (names, macs) in seen.items():
        assert len(names) == 1, (port, names)
        assert macs == {dedicated[name].mac for name in names}, (port, names, macs)


def test_every_packet_to_the_vip_passes_the_balancer_once(dedicated):
    before = {name: dedicated["fe9"].forwarded(name) for name in WEIGHTS}
    with dedicated.switch.capture("client") as capture:
        dedicated.client.connect(VIP, 80, 300, first_port=20000)
    sent = sum(frame.is_ip and frame.destination == VIP
               for frame in capture.frames(incoming_only=True))
    counted = sum(dedicated["fe9"].forwarded(name) - before[name] for name in WEIGHTS)
    assert sent > 1000 and counted == sent


def test_a_balancer_that_is_a_member_serves_its_own_share(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.launch(lab.group(WEIGHTS))
    answers = lab.client.connect(VIP, 80, CONNECTIONS, first_port=20000)
    assert not answers.failures
    assert_shares(answers, WEIGHTS)
    assert lab["fe5"].member("fe5")["local"]


def test_both_balancers_choose_the_same_members(make_lab):
    """Also when their files list the members in different orders."""
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure(lab.group(WEIGHTS))
    lab.configure(lab.group(dict(reversed(WEIGHTS.items()))), only=["fe6"])
    lab.serve()
    lab.start()
    members = []
    for active, other in (("fe5", "fe6"), ("fe6", "fe5")):
        lab[other].ctl("standby")
        lab.activate(active)
        held = lab.client.hold(VIP, 80, 300, first_port=20000)
        report = held.stop()
        assert not report["failures"]
        members.append(report["members"])
    assert members[0] == members[1]


def test_a_member_of_weight_zero_gets_nothing(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.launch(lab.group({"fe5": 100, "fe6": 100, "fe7": 0}))
    answers = lab.client.connect(VIP, 80, 500, first_port=20000)
    assert not answers.failures
    assert set(answers.by_member) == {"fe5", "fe6"}
