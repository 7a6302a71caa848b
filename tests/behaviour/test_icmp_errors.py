"""ICMP errors about a flow reach the member that has it: they carry the flow's own header."""

import socket

import pytest
from scapy.layers.inet import ICMP, IPOption_RR, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig,
                                ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6ExtHdrFragment)
from scapy.packet import Raw

from lab import VIP, VIP6
from lab.packets import Listener, header, send

NODES = ["fe5", "fe6", "fe7"]
EVERYONE = set(NODES)
CLIENTS = {VIP: "192.0.2.200", VIP6: "2001:db8:1::200"}
ROUTERS = {VIP: "192.0.2.250", VIP6: "2001:db8:1::250"}
ERRORS = {
    VIP: [ICMP(type=3, code=4, nexthopmtu=1280), ICMP(type=3, code=1), ICMP(type=11),
          ICMP(type=12, ptr=1)],
    VIP6: [ICMPv6PacketTooBig(mtu=1280), ICMPv6DestUnreach(code=1), ICMPv6TimeExceeded(),
           ICMPv6ParamProblem()],
}
BOTH = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
KINDS = {"tcp": TCP, "udp": UDP}
# (protocol, scheduler, persistence) -> port
SERVICES = {key: 8000 + number for number, key in enumerate(
    (protocol, scheduler, persistence) for protocol in ("tcp", "udp")
    for scheduler in ("hash", "source", "rr", "random") for persistence in (0, 60))}
FIRST_PORT, COUNT = 20000, 12


@pytest.fixture
def lab(make_lab):
    """All schedulers, for TCP and UDP, each on a port of its own; fe6 owns 33000-33999."""
    made = make_lab(NODES, vips=(VIP, VIP6))
    group = made.group(services=[
        {"name": f"{protocol}-{scheduler}-{persistence}", "protocol": protocol,
         "ports": str(port), "scheduler": scheduler, "persistence": persistence}
        for (protocol, scheduler, persistence), port in SERVICES.items()])
    group["members"][1]["outgoing"] = "33000-33999"
    made.launch(group, tcp="8000-8015", udp="8000-8015")
    return made


class Errors:
    """Sends ICMP errors to the VIP, and knows whose stack each of them has reached."""

    def __init__(self, lab, vip):
        self.lab, self.vip, self.made, self.sent = lab, vip, 0, 0
        family = socket.AF_INET6 if vip == VIP6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if vip == VIP6 else socket.IPPROTO_ICMP
        self.listeners = {node.name: Listener(node, family, protocol) for node in lab}

    def about(self, kind, vip_port, client_port, **fields):
        """The packet of a flow that an error is about, as a member has sent it; each is unlike
        all others."""
        self.made += 1
        number = {"fl": self.made} if self.vip == VIP6 else {"id": self.made}
        return header(self.vip, CLIENTS[self.vip], **number, **fields) / KINDS[kind](
            sport=vip_port, dport=client_port)

    def send(self, quoted, error=None, length=None):
        """An error about this packet, of which it quotes so many bytes; returns its mark."""
        self.sent += 1
        mark = b"mark%08d" % self.sent
        # What an error quotes need not be whole; a mark behind it is for us to find it.
        data = bytes(quoted)[:length] if length else bytes(quoted / Raw(mark))
        error = error or ERRORS[self.vip][0]
        send(self.lab.client, self.lab["fe5"].mac,
             [header(ROUTERS[self.vip], self.vip) / error / Raw(data)])
        return data if length else mark

    def reached(self, marks):
        """[names of those who got it], for each mark."""
        last = self.send(self.about_fragment("last"))
        for listener in self.listeners.values():
            listener.wait_for(last)
        return [{name for name, listener in self.listeners.items()
                 if any(mark in message for message in listener.received())} for mark in marks]

    def about_fragment(self, text):
        """A later fragment tells no port, so an error about it goes to everyone."""
        if self.vip == VIP:
            return header(VIP, CLIENTS[VIP], frag=100, proto=17) / Raw(text)
        return header(VIP6, CLIENTS[VIP6]) / IPv6ExtHdrFragment(offset=100, nh=17) / Raw(text)


def owners_of(lab, vip, kind, port):
    """{client port: member} of flows that the cluster has just had."""
    if kind == "tcp":
        members = lab.client.hold(vip, port, COUNT, first_port=FIRST_PORT).stop()["members"]
        return {int(client): name for client, name in members.items()}
    order = lab.client.datagrams(vip, port, COUNT, ports=COUNT, first_port=FIRST_PORT).order
    return {FIRST_PORT + index: name for index, name in enumerate(order)}


@BOTH
def test_errors_reach_the_member_that_has_the_flow(lab, vip):
    errors = Errors(lab, vip)
    for (kind, scheduler, persistence), port in SERVICES.items():
        owners = owners_of(lab, vip, kind, port)
        assert len(owners) == COUNT
        marks = [errors.send(errors.about(kind, port, client)) for client in owners]
        expected = [{name} for name in owners.values()]
        if kind == "udp" and scheduler in ("rr", "random") and not persistence:
            expected = [EVERYONE] * COUNT
        assert errors.reached(marks) == expected, (kind, scheduler, persistence)


@BOTH
def test_errors_of_every_kind_and_length(lab, vip):
    errors = Errors(lab, vip)
    port, size = SERVICES["udp", "hash", 0], 20 if vip == VIP else 40
    owners = owners_of(lab, vip, "udp", port)
    for error in ERRORS[vip]:
        # RFC 792 asks for 8 bytes of the packet's data, as many as a UDP header has.
        short = [errors.send(errors.about("udp", port, client), error, size + 8)
                 for client in owners]
        long = [errors.send(errors.about("udp", port, client) / Raw(bytes(400)), error)
                for client in owners]
        expected = [{name} for name in owners.values()]
        assert errors.reached(short) == errors.reached(long) == expected, error


@BOTH
def test_errors_about_what_is_no_flow_of_a_service(lab, vip):
    """About connections that members opened; about ports of nobody, and about nothing."""
    errors = Errors(lab, vip)
    opened = [errors.send(errors.about(kind, 33500, 80)) for kind in KINDS]
    assert errors.reached(opened) == [{"fe6"}, {"fe6"}]
    marks = [errors.send(errors.about(kind, 7, 20000)) for kind in KINDS]
    echo = ICMPv6EchoRequest() if vip == VIP6 else ICMP(type=8)
    marks.append(errors.send(errors.about("udp", SERVICES["udp", "hash", 0], 20000), echo))
    # To the balancer's own address, and about what it has sent from there.
    own = lab.address("fe5") if vip == VIP else lab.address6("fe5")
    quoted = header(own, CLIENTS[vip]) / UDP(sport=SERVICES["udp", "rr", 0], dport=20000)
    send(lab.client, lab["fe5"].mac,
         [header(ROUTERS[vip], own) / ERRORS[vip][0] / quoted / Raw("own")])
    assert errors.reached([*marks, b"own"]) == [{"fe5"}] * 4


@BOTH
def test_errors_about_packets_that_do_not_tell_their_flow_go_to_everyone(lab, vip):
    port = SERVICES["udp", "hash", 0]
    errors = Errors(lab, vip)
    packets = [errors.about_fragment("later")]
    if vip == VIP:
        options = [IPOption_RR(length=7)]
        packets.append(errors.about("udp", port, FIRST_PORT, options=options))
    else:
        first = IPv6ExtHdrFragment(m=1, nh=17) / UDP(sport=port, dport=FIRST_PORT)
        packets.append(header(vip, CLIENTS[vip]) / first)
    assert errors.reached([errors.send(packet) for packet in packets]) == [EVERYONE] * 2

    if vip == VIP6:
        return
    # A first fragment does tell.
    owners = owners_of(lab, VIP, "udp", port)
    marks = [errors.send(errors.about("udp", port, client, flags="MF")) for client in owners]
    assert errors.reached(marks) == [{name} for name in owners.values()]
