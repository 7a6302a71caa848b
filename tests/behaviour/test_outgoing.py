"""Connections that members open from a VIP: the port range says whose the replies are."""

import pytest

from lab import VIP
from lab.cluster import CLIENT_NUMBER, SEGMENT

RANGES = {"fe5": "33000-33999", "fe6": "34000-34999", "fe7": "35000-35999"}
SERVER = f"{SEGMENT}.{CLIENT_NUMBER}"


@pytest.fixture
def lab(make_lab):
    made = make_lab(list(RANGES))
    group = made.group({name: 100 for name in RANGES})
    for member in group["members"]:
        member["outgoing"] = RANGES[member["name"]]
    made.launch(group)
    made.client.serve(tcp="8080", udp="8080")
    return made


@pytest.mark.parametrize("name", list(RANGES))
def test_replies_reach_the_member_that_owns_the_port(lab, name):
    first = int(RANGES[name].split("-")[0])
    with lab.switch.capture(name) as capture:
        answers = lab[name].connect(SERVER, 8080, 40, source=VIP, first_port=first)
        datagrams = lab[name].datagrams(SERVER, 8080, 40, ports=40, source=VIP, first_port=first)
    for each in (answers, datagrams):
        assert not each.failures and each.by_member == {"client": 40}, each
    replies = {frame.from_mac for frame in capture.frames()
               if frame.outgoing and frame.is_ip and frame.source == SERVER}
    through = {f"02:00:00:00:00:{CLIENT_NUMBER:02x}"} if name == "fe5" else {lab["fe5"].mac}
    assert replies == through


def test_the_last_port_of_a_range_belongs_to_it(lab):
    answers = lab["fe7"].connect(SERVER, 8080, 1, source=VIP, first_port=35999)
    assert not answers.failures, answers


def test_another_members_range_does_not_work(lab):
    """Proves that it is the range that routes the replies."""
    answers = lab["fe6"].connect(SERVER, 8080, 1, source=VIP, first_port=35000, patience=1)
    assert len(answers.failures) == 1


def test_services_are_balanced_beside_the_ranges(lab):
    answers = lab.client.connect(VIP, 80, 120, first_port=20000)
    assert not answers.failures and set(answers.by_member) == set(RANGES), answers


def test_connections_outlive_their_members_line_in_the_file(lab):
    """Those that it has opened; nobody has a connection to it, and its range is nobody else's."""
    opened = lab["fe7"].hold(SERVER, 8080, 20, source=VIP, first_port=35000)
    rest = lab.group({name: 100 for name in RANGES if name != "fe7"})
    for member in rest["members"]:
        member["outgoing"] = RANGES[member["name"]]
    lab.configure(rest, only=["fe5"])
    lab["fe5"].ctl("reload")
    assert "its outgoing ranges" in lab["fe5"].log()
    opened.wait_rounds(2)
    lab["fe5"].kill_droverd()
    lab["fe5"].start_droverd()
    opened.wait_rounds(2)
    assert not opened.stop()["failures"]
    lab["fe5"].ctl("reload")
    assert "fe7" not in lab["fe5"].ruleset()
