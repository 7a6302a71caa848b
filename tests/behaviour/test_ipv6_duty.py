"""VIPs of IPv6: who answers for them, who announces them, and that the duty moves with them."""

import pytest

from lab import DUAL_STACK, SUBNET6, VIP, VIP6, wait_until
from lab.cluster import CLIENT_NUMBER, SEGMENT6
from lab.nd import (ADVERTISEMENT, OVERRIDE, SOLICITATION, SOURCE_MAC, TARGET_MAC, announcements,
                    messages, who_has)

NODES = ["fe5", "fe6", "fe7"]
CLIENT = f"{SEGMENT6}:{CLIENT_NUMBER}"
CLIENT_MAC = f"02:00:00:00:00:{CLIENT_NUMBER:02x}"
VIPS = [VIP6, *(f"2001:db8:2::{last:x}" for last in range(0x30, 0x38))]
HELD = 200


@pytest.fixture
def dual(make_lab):
    """Like cluster, with VIPs of both families."""
    lab = make_lab(NODES, vips=DUAL_STACK)
    lab.launch()
    return lab


def answering(lab):
    others = [lab.address6(name) for name in lab.nodes]
    return who_has(lab.client, CLIENT_MAC, CLIENT, VIPS, others)


def only(lab, name):
    return {vip: {lab[name].mac} for vip in VIPS}


def nobody():
    return {vip: set() for vip in VIPS}


# --- neighbour discovery -----------------------------------------------------


def test_only_the_active_balancer_answers_for_vips(dual):
    assert answering(dual) == only(dual, "fe5")


def test_nobody_answers_without_an_active_balancer(dual):
    dual["fe5"].ctl("standby")
    assert answering(dual) == nobody()


def test_answers_follow_the_duty(dual):
    dual["fe5"].ctl("standby")
    dual.activate("fe7")
    assert answering(dual) == only(dual, "fe7")
    assert not dual["fe5"].has_address(VIP6) and dual["fe7"].has_address(VIP6)


def test_the_kernel_is_silent_about_a_vip_on_lo(make_lab):
    """Without any rule of drover, and without a sysctl: IPv6 answers on the address's own link."""
    lab = make_lab(NODES, vips=DUAL_STACK)
    assert all(node.has_address(VIP6, "lo") and not node.ruleset() for node in lab)
    assert answering(lab) == nobody()


def test_a_vip_that_was_left_on_the_interface_is_silent(dual):
    dual["fe6"].ip("addr", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
    wait_until(lambda: not dual["fe6"].has_address(VIP6), what="fe6 taking it away again")
    for node in dual:
        node.stop_droverd()
    dual["fe6"].ip("addr", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
    assert answering(dual) == only(dual, "fe5")


def test_activation_announces_every_vip_several_times(dual):
    dual["fe5"].ctl("standby")
    with dual.client.capture("eth0") as capture:
        dual["fe6"].ctl("activate")
        wait_until(lambda: all(len(announcements(capture.frames(), vip)) >= 2 for vip in VIPS),
                   15, "two announcements of each VIP")
    for vip in VIPS:
        assert set(announcements(capture.frames(), vip)) == {dual["fe6"].mac}


def test_what_an_announcement_says(dual):
    dual["fe5"].ctl("standby")
    with dual.client.capture("eth0") as capture:
        dual["fe6"].ctl("activate")
        wait_until(lambda: announcements(capture.frames(), VIP6), 15)
    frame, options = next((frame, options)
                          for frame, target, flags, options
                          in messages(capture.frames(), ADVERTISEMENT)
                          if target == VIP6 and flags == OVERRIDE)
    assert (frame.from_mac, frame.to_mac) == (dual["fe6"].mac, "33:33:00:00:00:01")
    assert (frame.source, frame.destination) == (VIP6, "ff02::1")
    assert frame.packet[7] == 255 and options == {TARGET_MAC: dual["fe6"].mac}


def test_members_never_speak_of_a_vip(dual):
    """Not even when they ask for the client's address in order to answer it from the VIP."""
    with dual.switch.capture() as capture:
        for node in dual:
            node.run("ip", "neigh", "delete", CLIENT, "dev", "eth0", check=False)
        answers = dual.client.connect(VIP6, 80, 200, first_port=20000)
        assert not answers.failures
    frames = capture.frames(incoming_only=True)
    asked = messages(frames, SOLICITATION)
    assert any(options.get(SOURCE_MAC) == dual["fe6"].mac for _, _, _, options in asked), \
        "fe6 did not have to ask"
    spoken = [(frame.from_mac, target) for frame, target, _, _ in messages(frames, ADVERTISEMENT)]
    spoken += [(frame.from_mac, frame.source) for frame, _, _, _ in asked]
    assert {mac for mac, address in spoken if address in VIPS} <= {dual["fe5"].mac}


def test_neighbours_turn_to_the_new_balancer(dual):
    dual.client.connect(VIP6, 80, 1)
    neighbour = lambda: dual.client.ip("neigh", "show", VIP6)  # noqa: E731
    assert dual["fe5"].mac in neighbour()
    dual["fe5"].ctl("standby")
    dual["fe6"].ctl("activate")
    wait_until(lambda: dual["fe6"].mac in neighbour(), 5, "the client's neighbour entry")


# --- addresses on the interface ------------------------------------------------


def test_vips_are_put_on_the_interface_whole(dual):
    listing = dual["fe5"].ip("-6", "-o", "addr", "show", "dev", "eth0")
    lines = {vip: next(line for line in listing.splitlines() if f" {vip}/128 " in line)
             for vip in VIPS}
    for line in lines.values():
        assert "nodad" in line and "deprecated" in line
        assert "tentative" not in line and "dadfailed" not in line


def test_status_shows_vips_of_both_families(dual):
    assert dual["fe5"].group()["vips"] == list(DUAL_STACK)
    assert SUBNET6 in dual["fe5"].droverctl("status").stdout


def test_reload_adds_and_removes_vips(dual):
    node, new = dual["fe5"], "2001:db8:1::101"
    dual.configure(dual.group(vips=[VIP, VIP6, new]))
    with dual.client.capture("eth0") as capture:
        node.ctl("reload")
        wait_until(lambda: announcements(capture.frames(), new), what="the new VIP announced")
    assert node.has_address(new) and node.has_address(VIP6) and node.has_address(VIP)
    assert not any(node.has_address(vip) for vip in VIPS[1:])


def test_link_down_and_up(dual):
    """The kernel takes IPv6 addresses away with the link; they come back, and are answered for."""
    node = dual["fe5"]
    node.ip("link", "set", "eth0", "down")
    wait_until(lambda: not node.ctl("status")["interface"]["running"])
    node.ip("link", "set", "eth0", "up")
    node.ip("addr", "replace", f"{dual.address6('fe5')}/64", "dev", "eth0", "nodad")
    wait_until(lambda: all(node.has_address(vip) for vip in VIPS), what="VIPs on the interface")
    node.wait_for_link()
    wait_until(lambda: answering(dual) == only(dual, "fe5"), what="fe5 answering for its VIPs")


# --- the duty moves: these need packets of IPv6 balanced -----------------------


@pytest.fixture
def routed(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7", "fe8"], router=True, vips=DUAL_STACK)
    lab.launch(lab.group({"fe5": 100, "fe6": 100, "fe7": 100, "fe8": 50},
                         balancers=["fe5", "fe6"]), hasty=True)
    return lab


def test_connections_go_on_when_the_duty_moves_and_returns(routed):
    held = routed.client.hold(VIP6, 80, HELD)
    for old, new in (("fe5", "fe6"), ("fe6", "fe5")):
        routed[old].ctl("standby")
        routed.activate(new)
        held.wait_rounds(2)
        carried = routed[new].forwarded("fe8")
        held.wait_rounds(2)
        assert routed[new].forwarded("fe8") > carried
        answers = routed.client.connect(VIP6, 80, 100)
        assert not answers.failures and len(answers.by_member) == 4
    report = held.stop()
    assert report["alive"] == HELD and not report["failures"]


def test_members_that_are_known_by_an_address_of_ipv6(make_lab):
    """Found by neighbour discovery, they serve VIPs of both families."""
    lab = make_lab(NODES, vips=DUAL_STACK)
    group = lab.group()
    for member in group["members"]:
        member["address"] = lab.address6(member["name"])
    lab.launch(group)
    for vip in (VIP, VIP6):
        answers = lab.client.connect(vip, 80, 150)
        assert not answers.failures and set(answers.by_member) == set(NODES), vip


def test_explain_agrees_with_the_kernel(dual):
    """Each connection is answered by the member that explain names for it."""
    held = dual.client.hold(VIP6, 80, 40, source=CLIENT, first_port=30000)
    members = held.stop()["members"]
    assert set(members.values()) == set(NODES)
    for port, member in members.items():
        told = dual["fe5"].ctl("explain", "tcp", f"[{CLIENT}]:{port}", f"[{VIP6}]:80")
        assert told["member"] == member, port


def test_explain_refuses_a_mixture(dual):
    refusal = dual["fe5"].ctl("explain", "tcp", "192.0.2.200:30000", f"[{VIP6}]:80", exit_status=1)
    assert "IPv4" in refusal["error"]
