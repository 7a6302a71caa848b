"""The member guard: armed, a member drops what it would else reset, and nothing more."""

import socket

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from lab import DUAL_STACK, VIP, VIP6, patience, wait_until
from lab.packets import header, send

HELD = 60
SYN = 2
NODES = ("fe5", "fe6", "fe7")
# In front of drover's rules: everything for the VIPs goes to one member, whoever's it is.
MISLED = """
table netdev misled {{
	chain ingress {{
		type filter hook ingress device "eth0" priority -100; policy accept;
		ip daddr {vip} ether saddr set {own} ether daddr set {other} fwd to "eth0"
		ip6 daddr {vip6} ether saddr set {own} ether daddr set {other} fwd to "eth0"
	}}
}}
"""


@pytest.fixture(name="dual")
def dual_stack_lab(make_lab):
    lab = make_lab(NODES, vips=DUAL_STACK)
    lab.launch()
    return lab


def arm(node, seconds=60):
    # An element that is there already would keep its own end.
    element = f"inet drover armed {{ tcp timeout {seconds}s }}"
    node.load_ruleset(f"add element {element}\ndelete element inet drover armed {{ tcp }}\n"
                      f"add element {element}\n")
    assert node.ctl("status")["guard"]["armed"]


def dropped(node):
    return node.ctl("status")["guard"]["dropped"]


def mislead(lab, name):
    """Sends the packets of all flows to one member."""
    balancer = lab["fe5"]
    balancer.load_ruleset(MISLED.format(vip=VIP, vip6=VIP6, own=balancer.mac, other=lab[name].mac))


def lead_right(lab):
    lab["fe5"].run("nft", "delete", "table", "netdev", "misled")


def wait_disarmed(node):
    """A member arms it when it starts, too."""
    wait_until(lambda: not node.ctl("status")["guard"]["armed"], what="the guard's end")


def hold(lab, vip):
    held = lab.client.hold(vip, 80, HELD, first_port=20000)
    held.wait_rounds(1)
    members = list(held.report()["members"].values())
    assert set(members) == set(NODES)
    return held, members.count("fe6")


# --- what it is for ----------------------------------------------------------------


@pytest.mark.parametrize("loose", [1, 0])
@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_connections_survive_a_wrong_way_while_it_is_armed(dual, vip, loose):
    member = dual["fe6"]
    member.set_sysctl("netfilter/nf_conntrack_tcp_loose", loose)
    held, own = hold(dual, vip)
    arm(member)
    mislead(dual, "fe6")
    # Each of the others has sent something, and sent it again.
    wait_until(lambda: dropped(member) >= 2 * (HELD - own), what="dropped packets")
    new = dual.client.connect(vip, 80, 100, first_port=30000)
    assert not new.failures and set(new.by_member) == {"fe6"}
    assert new.slowest < patience(0.9), "a new connection had to wait"
    lead_right(dual)
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == HELD and not report["failures"]


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_connections_are_reset_on_a_wrong_way_while_it_is_not(dual, vip):
    held, own = hold(dual, vip)
    wait_disarmed(dual["fe6"])
    mislead(dual, "fe6")
    report = held.wait_alive(own)
    assert set(report["members"].values()) == {"fe6"}
    assert all("ConnectionResetError" in failure for failure in report["failures"])
    assert dropped(dual["fe6"]) == 0
    held.stop()


def test_it_ends_by_itself(dual):
    held, own = hold(dual, VIP)
    arm(dual["fe6"], 2)
    mislead(dual, "fe6")
    assert held.wait_alive(own)["alive"] == own
    assert not dual["fe6"].ctl("status")["guard"]["armed"]
    held.stop()


# --- what it leaves alone -------------------------------------------------------------


def arm_all(lab):
    for node in lab:
        arm(node)


def assert_nothing_dropped(lab):
    assert {node.name: dropped(node) for node in lab} == dict.fromkeys(lab.nodes, 0)


@pytest.mark.parametrize("cookies", [1, 2], ids=["usual", "always"])
@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_what_is_known_is_not_delayed(dual, vip, cookies):
    """Not even the end of a handshake that a listening socket knows by its cookie alone."""
    for node in dual:
        node.set_sysctl("ipv4/tcp_syncookies", cookies)
    held, _ = hold(dual, vip)
    arm_all(dual)
    churn = dual.client.churn(vip, 80)
    churn.wait_rounds(300)
    held.wait_rounds(2)
    held, churn = held.stop(), churn.stop()
    assert held["alive"] == HELD and not held["failures"] + churn["failures"]
    assert max(held["slowest"], churn["slowest"]) < patience(0.9), "a packet was dropped"
    assert_nothing_dropped(dual)


def converse(vip, port):
    """A connection that both sides end in peace."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(patience(8))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
        sock.connect((vip, 80))
        sock.sendall(b"1\n")
        assert sock.recv(100).endswith(b" 1\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""


def again(frame):
    """The frame's packet with the checksum that the kernel had left to the interface."""
    packet = (IPv6 if frame.is_ip6 else IP)(frame.packet)
    del packet[TCP].chksum
    return packet


def is_midstream(frame, vip):
    return (frame.outgoing and (frame.is_ip or frame.is_ip6) and frame.destination == vip
            and not frame.payload[13] & SYN)


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_what_comes_behind_the_end_is_known(dual, vip):
    """Both FINs, and each packet of the client once more when both sides have closed."""
    arm_all(dual)
    with dual.client.capture("eth0") as capture:
        for port in range(20000, 20020):
            dual.client.call(lambda port=port: converse(vip, port))
        frames = [frame for frame in capture.stop() if is_midstream(frame, vip)]
    assert len(frames) >= 20 * 4
    send(dual.client, dual["fe5"].mac, [again(frame) for frame in frames])
    behind = dual.client.connect(vip, 80, 60, first_port=30000)
    assert not behind.failures and set(behind.by_member) == set(NODES)
    assert_nothing_dropped(dual)


def test_who_was_there_before_conntrack_is_only_delayed(dual):
    """The guard must not be armed then; if it is, the connection goes on when it has ended."""
    member = dual["fe6"]
    table = member.run("nft", "list", "table", "inet", "drover").stdout
    member.stop_droverd()
    member.run("nft", "delete", "table", "inet", "drover")
    held, own = hold(dual, VIP)
    member.load_ruleset(table + "add element inet drover armed { tcp timeout 2s }\n")
    member.start_droverd()
    held.wait_rounds(3)
    assert dropped(member) >= own
    arm(member)
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == HELD and not report["failures"]


# --- its table ---------------------------------------------------------------------------


def test_arming_survives_the_daemon(dual):
    member = dual["fe6"]
    arm(member)
    handles = member.handles()
    member.restart_droverd()
    status = member.ctl("status")
    assert status["guard"]["armed"] and 0 < status["guard"]["left_ms"] <= 60000
    assert status["kernel"]["repairs"] == 0
    assert member.handles() == handles


def test_counts_survive_a_change(dual):
    member = dual["fe6"]
    arm(member)
    packet = header("192.0.2.200", VIP) / TCP(sport=4000, dport=80, flags="A")
    send(dual.client, member.mac, [packet] * 3)
    wait_until(lambda: dropped(member) == 3, what="three packets dropped")
    group = dual.group()
    group["vips"] = [VIP]
    dual.configure(group)
    member.ctl("reload")
    assert dropped(member) == 3
    assert member.ctl("status")["guard"]["armed"]


def test_only_members_have_it(make_lab):
    lab = make_lab(["fe6", "lb5"])
    lab.configure(lab.group({"fe6": 100}, balancers=["lb5"]))
    lab.start()
    assert lab["fe6"].ctl("status")["guard"]["armed"], "whoever comes knows nothing yet"
    wait_disarmed(lab["fe6"])
    assert lab["fe6"].ctl("status")["guard"] == {"armed": False, "left_ms": 0, "dropped": 0}
    assert lab["lb5"].ctl("status")["guard"] is None
    assert "guard          not armed, dropped 0 packets" in lab["fe6"].droverctl("status").stdout
    assert "guard" not in lab["lb5"].droverctl("status").stdout
    arm(lab["fe6"])
    assert "guard          armed for " in lab["fe6"].droverctl("status").stdout


def test_it_can_be_turned_off(make_lab):
    lab = make_lab(["fe5"])
    lab.configure(member_guard=False)
    lab.start()
    assert lab["fe5"].ctl("status")["guard"] is None
    assert "table inet drover" not in lab["fe5"].ruleset()
    lab.configure()
    lab["fe5"].ctl("reload")
    assert not lab["fe5"].ctl("status")["guard"]["armed"]
