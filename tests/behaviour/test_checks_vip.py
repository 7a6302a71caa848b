"""Checks by VIPs: they find what clients find, and say by which VIP, and which half is ill."""

import ipaddress
import socket
import struct
from collections import Counter

import pytest

from lab import SUBNET, SUBNET6, VIP, VIP6, wait_until
from lab.answering import Server
from test_checks import (CHECKS, PORTS, SYN, checks_of, services_of, states, wait_member,
                         wait_outcomes)

BY_VIP = {"probe": "vip"}
MANY = (VIP, SUBNET)  # nine addresses
WEB = {"name": "web", "protocol": "tcp", "ports": "80", "check": "check0"}


def launch(make_lab, checks, services, members=("fe6",), balancers=("fe5",), vips=(VIP,), **top):
    """fe5 is the active balancer, and has the VIPs on its interface."""
    lab = make_lab([*dict.fromkeys([*balancers, *members])], vips=list(vips))
    lab.configure(lab.group(weights=dict.fromkeys(members, 100), balancers=list(balancers),
                            services=services), checks=checks_of(*checks), **top)
    return lab


def launch_web(make_lab, members=("fe6", "fe7"), balancers=("fe5",), **options):
    """An echo server that listens on all addresses."""
    lab = launch(make_lab, [("tcp", 80, BY_VIP)], [WEB], members, balancers, **options)
    lab.serve("80")
    lab.start()
    lab.activate("fe5")
    return lab


def by_datagrams(kind, settings):
    return settings.get("transport", "udp" if kind in ("sip", "dns") else "tcp") == "udp"


def test_dialogues(make_lab):
    """Who serves on the VIP alone is well; the balancer has that VIP itself."""
    checks = [(kind, port, {"port": port} | more | BY_VIP) for kind, port, more, _ in CHECKS]
    names = [f"s{number}" for number in range(len(CHECKS))]
    lab = launch(make_lab, checks, services_of(*checks))
    server = Server(lab["fe6"], VIP, *PORTS, itself="192.0.2.6")
    lab.start("fe5")
    lab["fe5"].ctl("activate")
    wait_outcomes(lab["fe5"], dict.fromkeys(names, "good"))
    wait_until(lambda: lab["fe5"].has_address(VIP))
    assert states(lab["fe5"])["s0"]["vip"] == VIP
    server.end()
    wait_outcomes(lab["fe5"], {name: "timeout" if by_datagrams(kind, more) else "refused"
                               for name, (kind, _, more, _) in zip(names, CHECKS)})
    # The kernel of fe6 refuses not more than one datagram a second.
    wait_until(lambda: all(states(lab["fe5"])[name]["own_outcome"] in ("refused", "timeout")
                           for name in names), 5)
    Server(lab["fe6"], VIP, *PORTS, mood="ill", itself="192.0.2.6")
    wait_outcomes(lab["fe5"], {name: outcome for name, (*_, outcome) in zip(names, CHECKS)})


def test_vip_missing(make_lab):
    """Its own address answers, its VIP does not: found by active and standby alike."""
    lab = launch_web(make_lab, ("fe6", "fe7", "fe8"), ("fe5", "fe8"))
    askers = lab["fe5"], lab["fe8"]
    lab["fe6"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    for node in askers:
        wait_member(node, "fe6", "down")
        wait_until(lambda node=node: "member fe6 (192.0.2.6 port 80) is down: timeout by VIP "
                   f"{VIP} (by its own address: good)" in node.log())
        assert states(node)["web"]["own_outcome"] == "good"
    assert "fe6" not in lab.client.connect(VIP, 80, 60).by_member
    assert "by its own address good" in lab["fe5"].droverctl("members").stdout
    lab["fe6"].ip("addr", "add", f"{VIP}/32", "dev", "lo")
    for node in askers:
        wait_member(node, "fe6", "serving")
    assert states(lab["fe5"])["web"]["own_outcome"] is None


def test_answers_are_filtered(make_lab):
    """Strict reverse path filtering against a route elsewhere: the VIP's packets are lost."""
    lab = launch_web(make_lab)
    lab["fe6"].deafen(f"ip daddr {VIP} tcp dport 80")
    wait_member(lab["fe5"], "fe6", "down")
    assert states(lab["fe5"])["web"]["outcome"] == "timeout"
    lab["fe6"].heal()
    wait_member(lab["fe5"], "fe6", "serving")


def test_this_host(make_lab):
    """A balancer that serves asks itself, by its VIP, be it on the interface or on lo."""
    lab = launch_web(make_lab, ("fe5", "fe6"), ("fe5", "fe6"))
    for name in ("fe5", "fe6"):
        wait_until(lambda name=name: states(lab[name], name)["web"]["good"] >= 3)
        assert states(lab[name], name)["web"]["bad"] == 0
    lab["fe6"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    wait_until(lambda: states(lab["fe6"], "fe6")["web"]["outcome"] == "unreachable", 5)
    assert states(lab["fe6"], "fe6")["web"]["detail"] == "this host does not have the VIP"


def test_ipv6(make_lab):
    """A member with an address of IPv6 is asked by the VIPs of IPv6."""
    lab = make_lab(["fe5", "fe6"], vips=[VIP, VIP6])
    checks = [("http", 80, {"port": 80} | BY_VIP), ("dns", 53, {"port": 53} | BY_VIP)]
    group = lab.group(weights={"fe6": 100}, balancers=["fe5"], services=services_of(*checks))
    group["members"][0]["address"] = lab.address6("fe6")
    lab.configure(group, checks=checks_of(*checks), election="always")
    Server(lab["fe6"], VIP6, "http:80", "dns:53")
    lab.start("fe5")
    wait_outcomes(lab["fe5"], {"s0": "unexpected status", "s1": "good"})
    lab["fe6"].ip("addr", "del", f"{VIP6}/128", "dev", "lo")
    wait_outcomes(lab["fe5"], {"s0": "timeout", "s1": "timeout"})


def test_each_vip(make_lab):
    """Who misses one of nine VIPs is out, until it answers by all of them."""
    first, second = "198.51.100.55", "198.51.100.50"
    lab = launch_web(make_lab, vips=MANY)
    wait_until(lambda: states(lab["fe5"])["web"]["good"] >= 2 * 9)
    assert states(lab["fe5"])["web"]["vips"] == 9
    assert states(lab["fe5"])["web"]["bad"] == 0
    lab["fe6"].ip("addr", "del", f"{first}/32", "dev", "lo")
    wait_member(lab["fe5"], "fe6", "down")
    wait_until(lambda: "member fe6 (192.0.2.6 port 80) is down: timeout by VIP "
               f"{first} (by its own address: good)" in lab["fe5"].log())
    assert f"timeout by VIP {first}, by its own address good" in \
        lab["fe5"].droverctl("members").stdout
    # It keeps being asked by the one that fails.
    bad = states(lab["fe5"])["web"]["bad"]
    wait_until(lambda: states(lab["fe5"])["web"]["bad"] >= bad + 3)
    assert states(lab["fe5"])["web"]["vip"] == first

    lab["fe6"].ip("addr", "del", f"{second}/32", "dev", "lo")
    lab["fe6"].ip("addr", "add", f"{first}/32", "dev", "lo")
    wait_until(lambda: states(lab["fe5"])["web"]["vip"] == second
               and states(lab["fe5"])["web"]["outcome"] == "timeout", 5)
    assert "fe6 (192.0.2.6 port 80) is up" not in lab["fe5"].log()
    assert "fe6" not in lab.client.connect(second, 80, 60).by_member

    lab["fe6"].ip("addr", "add", f"{second}/32", "dev", "lo")
    wait_member(lab["fe5"], "fe6", "serving")
    wait_until(lambda: "fe6 (192.0.2.6 port 80) is up: good by all 9 VIPs" in lab["fe5"].log())


def test_each_vip_ipv6(make_lab):
    """The last address of a subnet of IPv6; VIPs of IPv4 are none of this member's."""
    vips = [VIP, VIP6, SUBNET6]
    lab = make_lab(["fe5", "fe6"], vips=vips)
    checks = [("tcp", 80, {"port": 80} | BY_VIP)]
    group = lab.group(weights={"fe6": 100}, balancers=["fe5"], services=services_of(*checks))
    group["members"][0]["address"] = lab.address6("fe6")
    lab.configure(group, checks=checks_of(*checks), election="always")
    last = str(ipaddress.ip_network(SUBNET6)[-1])
    Server(lab["fe6"], "::", "tcp:80")
    lab.start("fe5")
    wait_until(lambda: states(lab["fe5"])["s0"]["good"] >= 2 * 9, 10)
    assert states(lab["fe5"])["s0"]["vips"] == 9
    lab["fe6"].ip("addr", "del", f"{last}/128", "dev", "lo")
    wait_until(lambda: states(lab["fe5"])["s0"]["state"] == "down", 10)
    assert states(lab["fe5"])["s0"]["vip"] == last
    wait_until(lambda: states(lab["fe5"])["s0"]["own_outcome"] == "good")
    lab["fe6"].ip("addr", "add", f"{last}/128", "dev", "lo")
    wait_until(lambda: states(lab["fe5"])["s0"]["state"] == "up", 10)


def test_vips_take_turns(make_lab):
    """Nine VIPs are asked one after the other, and cost what one does; services share it."""
    services = [WEB, WEB | {"name": "other", "ports": "81"}]
    lab = launch(make_lab, [("tcp", 80, BY_VIP | {"port": 80})], services, vips=MANY)
    lab.serve("80,81")
    lab.start("fe5")
    lab.activate("fe5")
    wait_until(lambda: states(lab["fe5"])["web"]["good"] >= 9)
    with lab["fe6"].capture() as capture:
        begin = states(lab["fe5"])["web"]["good"]
        wait_until(lambda: states(lab["fe5"])["other"]["good"] >= begin + 27, 15)
        asked = states(lab["fe5"])["web"]["good"] - begin
        syns = Counter(frame.destination for frame in capture.frames(incoming_only=True)
                       if frame.protocol == socket.IPPROTO_TCP and frame.payload[13] == SYN)
    assert set(syns) == set(lab.vip_addresses())
    assert abs(sum(syns.values()) - asked) <= 2
    assert max(syns.values()) - min(syns.values()) <= 2


def test_first_round(make_lab):
    """A balancer that begins soon knows of all 256 VIPs of a subnet, also of the last."""
    lab = launch(make_lab, [("tcp", 80, BY_VIP)], [WEB], ("fe6", "fe7"),
                 vips=["198.51.100.0/24"])
    lab["fe6"].ip("addr", "del", "198.51.100.255/32", "dev", "lo")
    lab.serve("80")
    lab.start("fe5")
    lab.activate("fe5")
    wait_until(lambda: states(lab["fe5"])["web"]["state"] == "down", 60)
    assert states(lab["fe5"])["web"]["vip"] == "198.51.100.255"
    assert states(lab["fe5"], "fe7")["web"]["bad"] == 0


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_echo(make_lab, vip):
    """An echo request goes to the VIP as well, also from a balancer that has it."""
    lab = make_lab(["fe5", "fe6", "fe7"], vips=[VIP, VIP6])
    group = lab.group(weights={"fe6": 100, "fe7": 100}, balancers=["fe5", "fe7"],
                      services=services_of(("icmp",)))
    for member in group["members"]:
        if vip == VIP6:
            member["address"] = lab.address6(member["name"])
    lab.configure(group, checks=checks_of(("icmp", 0, BY_VIP)))
    lab.start("fe5", "fe7")
    lab.activate("fe5")
    length = 128 if vip == VIP6 else 32
    for asker in ("fe5", "fe7"):
        for name in ("fe6", "fe7"):
            wait_until(lambda asker=asker, name=name:
                       states(lab[asker], name)["s0"]["good"] >= 5, 10)
            assert states(lab[asker], name)["s0"]["bad"] == 0
            assert states(lab[asker], name)["s0"]["vip"] == vip
    lab["fe6"].ip("addr", "del", f"{vip}/{length}", "dev", "lo")
    lab["fe7"].ip("addr", "del", f"{vip}/{length}", "dev", "lo")
    for asker in ("fe5", "fe7"):
        wait_until(lambda asker=asker: states(lab[asker])["s0"]["state"] == "down", 10)
        wait_until(lambda asker=asker: states(lab[asker])["s0"]["own_outcome"] == "good")
        assert states(lab[asker])["s0"]["outcome"] == "timeout"
    wait_until(lambda: states(lab["fe7"], "fe7")["s0"]["outcome"] == "unreachable", 5)
    lab["fe6"].ip("addr", "add", f"{vip}/{length}", "dev", "lo")
    for asker in ("fe5", "fe7"):
        wait_until(lambda asker=asker: states(lab[asker])["s0"]["state"] == "up", 10)


def test_flush(make_lab):
    """Somebody flushes all rules: no probe takes another way for a good one."""
    lab = launch_web(make_lab)
    lab["fe6"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    wait_member(lab["fe5"], "fe6", "down")
    good = states(lab["fe5"])["web"]["good"]
    for _ in range(5):
        lab["fe5"].load_ruleset("flush ruleset")
        wait_until(lambda: "probe-back" in lab["fe5"].ruleset())
    wait_until(lambda bad=states(lab["fe5"])["web"]["bad"]:
               states(lab["fe5"])["web"]["bad"] > bad + 3)
    assert states(lab["fe5"])["web"]["good"] <= good + 1
    assert lab["fe5"].member("fe6")["state"] == "down"


def test_probes_are_no_connections(make_lab):
    """What a balancer asks its members is not told around as their connections."""
    lab = launch(make_lab, [("tcp", 80, BY_VIP)], [WEB], ("fe6", "fe7"), sync=True)
    lab.serve("80")
    lab.start()
    lab.activate("fe5")
    wait_until(lambda: states(lab["fe5"])["web"]["good"] >= 10)
    assert lab["fe5"].connections() == lab["fe6"].connections() == 0
    held = lab.client.hold(VIP, 80, 10)
    lab.wait_known(10, "fe5")
    held.stop()


def echo(address, identifiers):
    """Asks an address for echoes with these identifiers; returns those of the replies."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        asking.settimeout(2)
        found = set()
        for identifier in identifiers:
            begin = struct.pack("!BBHHH", 8, 0, 0xffff - 0x0800 - identifier, identifier, 0)
            asking.sendto(begin, (address, 0))
            while identifier not in found:
                packet, (source, _) = asking.recvfrom(2000)
                if source == address and packet[20] == 0:
                    found.add(struct.unpack("!H", packet[24:26])[0])
    return found


def connect_from(ports, address):
    """Which of these ports of this host are answered by a server."""
    answered = set()
    for port in ports:
        with socket.socket() as connection:
            connection.settimeout(1)
            connection.bind(("", port))
            try:
                connection.connect((address, 80))
                answered.add(port)
            except TimeoutError:
                pass
    return answered


def test_asker_is_a_client(make_lab):
    """What a standby sends to the VIP itself is its own, whichever port has asked before."""
    ports = range(40000, 40010)
    lab = launch(make_lab, [("tcp", 80, BY_VIP), ("icmp", 0, BY_VIP)],
                 [WEB, WEB | {"name": "echo", "ports": "81", "check": "check1"}],
                 ("fe6", "fe7"), ("fe5", "fe8"))
    lab["fe8"].set_sysctl("ipv4/ip_local_port_range", "40000 40009")
    lab["fe8"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    lab.serve("80,81")
    lab.start()
    lab.activate("fe5")
    wait_until(lambda: states(lab["fe8"])["web"]["good"] >= 30, 15)
    lab["fe8"].stop_droverd()  # the rules stay, and so does what they know
    assert lab["fe8"].call(lambda: connect_from(ports, VIP)) == set(ports)
    assert lab["fe8"].call(lambda: echo(VIP, range(1, 20))) == set(range(1, 20))


def test_own_port_has_asked(make_lab):
    """A balancer that asks itself by its VIP hears itself, from a port that has asked others."""
    lab = launch(make_lab, [("tcp", 80, BY_VIP)], [WEB], ("fe5", "fe6", "fe7"))
    lab["fe5"].set_sysctl("ipv4/ip_local_port_range", "40000 40099")
    lab.serve("80")
    lab.start("fe5")
    wait_until(lambda: states(lab["fe5"], "fe5")["web"]["good"] >= 40, 30)
    assert states(lab["fe5"], "fe5")["web"]["bad"] == 0


def test_ports_are_used_again(make_lab):
    """A port that has asked one member asks another: the answer is that one's."""
    lab = launch(make_lab, [("tcp", 80, BY_VIP)], [WEB], ("fe6", "fe7", "fe8"))
    lab["fe5"].set_sysctl("ipv4/ip_local_port_range", "40000 40005")
    lab.serve("80")
    lab.start("fe5")
    for name in ("fe6", "fe7", "fe8"):
        wait_until(lambda name=name: states(lab["fe5"], name)["web"]["good"] >= 15)
        assert states(lab["fe5"], name)["web"]["bad"] == 0
