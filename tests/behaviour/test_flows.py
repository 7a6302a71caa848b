"""Members change under live connections, and none breaks: flows are known, and pinned."""

import time

import pytest

from lab import VIP, VIP6, wait_until

HELD = 300
WEIGHTS = {"fe5": 100, "fe6": 100, "fe7": 100, "fe8": 50}


def launch(lab, weights=None, services=None, **top):
    lab.launch(lab.group(weights or WEIGHTS, balancers=["fe5", "fe6"], services=services),
               sync=True, **top)


@pytest.fixture
def lab(make_lab):
    made = make_lab(list(WEIGHTS))
    launch(made)
    return made


def hold(lab, vip=VIP, **spec):
    """Connections that everybody knows."""
    held = lab.client.hold(vip, 80, HELD, **spec)
    lab.wait_known(HELD)
    return held


def assert_whole(held):
    """All connections go on, and each at its member (the client sees to that)."""
    held.wait_rounds(2)
    report = held.report()
    assert report["alive"] == HELD and not report["failures"], report["failures"][:5]


def by_member(held):
    members = list(held.report()["members"].values())
    return {name: members.count(name) for name in set(members)}


def test_everybody_knows_who_has_which_connection(lab):
    held = hold(lab)
    counts = by_member(held)
    for node in lab:
        flows = {entry["name"]: entry["flows"] for entry in node.ctl("flows")["members"]}
        assert flows == counts
    listed = lab["fe8"].ctl("flows", "fe7", "--list")["flows"]
    ends = {flow["client"] for flow in listed}
    expected = {f"192.0.2.200:{port}" for port, member in held.report()["members"].items()
                if member == "fe7"}
    assert ends == expected
    assert {(flow["protocol"], flow["vip"], flow["member"], flow["pinned"]) for flow in listed} \
        == {("tcp", f"{VIP}:80", "fe7", False)}
    held.stop()
    lab.wait_known(0)


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_members_change_and_no_connection_breaks(make_lab, vip):
    lab = make_lab(list(WEIGHTS), vips=(VIP, VIP6))
    launch(lab)
    balancer = lab["fe5"]
    held = hold(lab, vip)
    churn = lab.client.churn(vip, 80)
    for words in (("weight", "fe8", "300"), ("drain", "fe6"), ("weight", "fe5", "10"),
                  ("enable", "fe6"), ("weight", "fe8", "50"), ("weight", "fe5", "100")):
        balancer.ctl(*words)
        assert_whole(held)
    assert not churn.stop()["failures"]
    # Back where it was, none of them has to be pinned any more.
    ports = held.report()["members"]
    pinned = {flow["client"].rpartition(":")[2] for flow in balancer.ctl("flows", "--list")["flows"]
              if flow["pinned"]}
    assert len(ports) == HELD and not pinned & set(ports)


def test_pins_go_when_nobody_needs_them(lab):
    balancer = lab["fe5"]
    held = hold(lab)
    balancer.ctl("drain", "fe7")
    assert "pins/A" in balancer.ruleset() and "pin/A/fe5" in balancer.ruleset()
    held.stop()
    wait_until(lambda: balancer.ctl("flows")["totals"]["pinned"] == 0, what="pins going")
    wait_until(lambda: "pins/A" not in balancer.ruleset() and "pin/A" not in balancer.ruleset(),
               what="the rules of pins going")


def test_a_drained_member_keeps_what_it_has_and_gets_no_more(lab):
    held = hold(lab)
    before = by_member(held)["fe7"]
    lab["fe5"].ctl("drain", "fe7")
    answers = lab.client.connect(VIP, 80, 200)
    assert not answers.failures and "fe7" not in answers.by_member
    assert_whole(held)
    assert lab["fe5"].connections("fe7") == before
    assert lab["fe5"].ctl("flows", "fe7")["members"][0]["pinned"] == before


def test_drain_waits_and_says_how_many_are_left(lab):
    held = hold(lab)
    waiting = lab["fe5"].popen_droverctl("drain", "fe7", "--wait")
    waiting.read_line(10, expected="fe7 is draining, weight 100")
    waiting.read_line(10, expected=f"fe7: {by_member(held)['fe7']} connections left")
    held.stop()
    waiting.read_line(10, expected="fe7: 0 connections left")
    assert waiting.wait(10) == 0


def test_a_member_joins_and_no_connection_breaks(make_lab):
    lab = make_lab(list(WEIGHTS))
    before = [name for name in WEIGHTS if name != "fe8"]
    lab.configure(lab.group({name: WEIGHTS[name] for name in before}, balancers=["fe5", "fe6"]),
                  sync=True)
    lab.serve()
    lab.start(*before)
    # As long as no droverd sees to it.
    lab["fe8"].set_sysctl("ipv4/conf/eth0/arp_ignore", 1)
    lab.activate("fe5")
    held = hold(lab)
    lab.configure(lab.group(WEIGHTS, balancers=["fe5", "fe6"]), sync=True)
    lab.start("fe8")
    for name in ("fe7", "fe6", "fe5"):
        lab[name].ctl("reload")
    lab.wait_serving("fe5")
    assert_whole(held)
    assert lab.client.connect(VIP, 80, 200).by_member["fe8"] > 0
    assert lab["fe5"].ctl("flows")["totals"]["pinned"] > 0


def test_a_member_leaves_the_file_and_keeps_its_connections(lab):
    held = hold(lab)
    before = by_member(held)["fe7"]
    rest = {name: weight for name, weight in WEIGHTS.items() if name != "fe7"}
    for name in rest:
        lab.configure(lab.group(rest, balancers=["fe5", "fe6"]), only=[name], sync=True)
        lab[name].ctl("reload")
    assert f"its {before} connections stay until they end" in lab["fe5"].log()
    assert_whole(held)
    answers = lab.client.connect(VIP, 80, 200)
    assert not answers.failures and "fe7" not in answers.by_member
    member = lab["fe5"].member("fe7")
    assert member["retired"] and member["buckets"] == 0
    assert not lab["fe5"].peer("fe6")["other_configuration"]
    # A restart forgets it as little as the reload has.
    for end in (lab["fe5"].kill_droverd, lab["fe5"].stop_droverd):
        end()
        lab["fe5"].start_droverd()
        assert_whole(held)
        assert lab["fe5"].member("fe7")["retired"]
    held.stop()
    wait_until(lambda: lab["fe5"].connections("fe7") == 0, what="its last connection ending")
    lab["fe5"].ctl("reload")
    assert "fe7" not in {each["name"] for each in lab["fe5"].ctl("members")["members"]}


def test_a_balancer_that_is_no_member_any_more_is_noted_as_both(lab):
    held = hold(lab)
    rest = {name: weight for name, weight in WEIGHTS.items() if name != "fe6"}
    lab.configure(lab.group(rest, balancers=["fe5", "fe6"]), only=["fe5"], sync=True)
    lab["fe5"].ctl("reload")
    status = lab["fe5"].droverctl("status").stdout
    assert "  balancer, not in the file any more\n" in status, status
    assert_whole(held)


def test_only_a_member_that_is_disabled_loses_connections(lab):
    held = hold(lab, patience=20)
    counts = by_member(held)
    lab["fe5"].ctl("disable", "fe7")
    answers = lab.client.connect(VIP, 80, 200)
    assert not answers.failures and "fe7" not in answers.by_member
    report = held.wait_alive(HELD - counts["fe7"])
    assert {failure.split()[2] for failure in report["failures"]} == {"fe7:"}
    assert by_member(held) == {name: n for name, n in counts.items() if name != "fe7"}


def test_what_is_more_than_allowed_is_said(make_lab):
    lab = make_lab(list(WEIGHTS))
    launch(lab, pins=10)
    held = hold(lab)
    lab["fe5"].ctl("drain", "fe7")
    totals = lab["fe5"].ctl("flows")["totals"]
    assert totals["pinned"] == 10 and totals["unpinned"] > 0 and totals["most_pins"] == 10
    text = lab["fe5"].droverctl("status").stdout
    assert f"PROBLEM: {totals['unpinned']} connections would need a pin" in text
    assert f"{totals['unpinned']} connections would need a pin" in lab["fe5"].log()
    lab["fe5"].ctl("enable", "fe7")
    wait_until(lambda: "have one again" in lab["fe5"].log(), what="the end of the problem")
    held.stop()


def test_datagrams_of_one_port_stay_at_one_member(make_lab):
    """UDP by hash: a client that goes on from the same port goes on with the same member."""
    lab = make_lab(list(WEIGHTS))
    service = {"name": "dns", "protocol": "udp", "ports": "53"}
    launch(lab, services=[service], tcp="", udp="53")
    ports = {"first_port": 20000, "ports": 60}
    before = lab.client.datagrams(VIP, 53, 60, **ports)
    lab.wait_known(60)
    lab["fe5"].ctl("drain", "fe7")
    after = lab.client.datagrams(VIP, 53, 60, **ports)
    assert not before.failures and not after.failures
    assert after.order == before.order
    fresh = lab.client.datagrams(VIP, 53, 60, first_port=30000, ports=60)
    assert "fe7" not in fresh.by_member


def test_datagrams_that_came_back_stay(make_lab):
    """Who had a flow in between does not get it again, though its conntrack has news of it later.

    The flow goes to a member, to another one while that is disabled, and back when the other one
    is: the first one's entry is still there, so nothing tells that it has the flow again.
    """
    lab = make_lab(["fe5", "fe6", "fe7"])
    launch(lab, weights={"fe6": 100, "fe7": 100, "fe5": 0}, udp="53",
           services=[{"name": "dns", "protocol": "udp", "ports": "53"}])
    ports = {"first_port": 20000, "ports": 40}

    def ask():
        asked = lab.client.datagrams(VIP, 53, 40, **ports)
        assert not asked.failures, asked.failures[:3]
        return asked.order

    def ask_for_a_while():
        """Flows have a time in whole seconds: the next owner shall not have the same."""
        began, order = time.monotonic(), ask()
        while time.monotonic() < began + 1.2:
            assert ask() == order
        return order

    before = ask_for_a_while()
    lab.wait_known(40)
    assert set(before) == {"fe6", "fe7"}
    for words, members in ((("disable", "fe6"), {"fe7"}), (("enable", "fe6"), {"fe7"}),
                           (("disable", "fe7"), {"fe6"}), (("enable", "fe7"), {"fe6"})):
        lab["fe5"].ctl(*words)
        assert set(ask_for_a_while()) == members, words


def test_datagrams_that_are_drawn_are_no_connections(make_lab):
    lab = make_lab(list(WEIGHTS))
    service = {"name": "sip", "protocol": "udp", "ports": "5060", "scheduler": "rr"}
    web = {"name": "web", "protocol": "tcp", "ports": "80"}
    launch(lab, services=[service, web], udp="5060")
    assert not lab.client.datagrams(VIP, 5060, 40, first_port=20000, ports=4).failures
    held = hold(lab)
    held.stop()
    lab.wait_known(0)


def test_sockets_older_than_the_daemon_are_known(make_lab):
    """Nothing but its socket tells of a connection that was there before conntrack's hooks."""
    lab = make_lab(["fe5", "fe6"])
    lab.configure(lab.group(balancers=["fe5"]), sync=True, member_guard=True)
    lab.serve()
    # As long as no droverd sees to it: neither answers nor questions shall name the VIP as its own.
    lab["fe6"].set_sysctl("ipv4/conf/eth0/arp_ignore", 1)
    lab["fe6"].set_sysctl("ipv4/conf/eth0/arp_announce", 2)
    lab.start("fe5")
    lab.activate("fe5")
    held = lab.client.hold(VIP, 80, 100, pause=0.2)
    lab.start("fe6")
    lab.wait_known(100)
    lab["fe5"].ctl("drain", "fe6")
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == 100 and not report["failures"], report["failures"][:5]
    lab.wait_known(0, timeout=40)
