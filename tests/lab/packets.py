"""Packets made by hand with scapy: fragments in any order, ICMP errors; and who gets them.

scapy only builds bytes here. They leave by a socket inside the namespace, in a frame to the
MAC that is given, so that neither scapy nor the kernel has anything to look up.
"""

import socket

from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .wait import wait_until


def frame(mac, packet):
    """An IP packet on its way to a MAC, in bytes."""
    return bytes(Ether(src="02:00:00:00:00:c8", dst=mac) / packet)


def send_frames(host, frames):
    """Sends frames from a host's eth0 in this order, one right behind the other."""
    with host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as sock:
        sock.bind(("eth0", 0))
        for one in frames:
            sock.send(one)


def send(host, mac, packets):
    """Sends IP packets from a host's eth0 to a MAC of its segment, in this order."""
    send_frames(host, [frame(mac, packet) for packet in packets])


def header(source, target, **fields):
    """An IPv4 or IPv6 header, by what the addresses are."""
    return (IPv6 if ":" in target else IP)(src=source, dst=target, **fields)


def datagram_fragments(source, target, number, text, size=64):
    """A UDP datagram in fragments of so many bytes; source and target: (address, port)."""
    udp = UDP(sport=source[1], dport=target[1]) / Raw(text)
    if ":" not in target[0]:
        return fragment(header(source[0], target[0], id=number) / udp, size)
    whole = header(source[0], target[0]) / IPv6ExtHdrFragment(id=number) / udp
    return fragment6(whole, 40 + 8 + size)


class Listener:
    """Receives what the kernel of a host takes as its own of one protocol: ICMP, ICMPv6."""

    def __init__(self, host, family, protocol):
        self._socket = host.call(lambda: socket.socket(family, socket.SOCK_RAW, protocol))
        self._socket.setblocking(False)
        self._received = []

    def received(self):
        """All messages so far, from their ICMP header on."""
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return self._received
            is_ipv4 = self._socket.family == socket.AF_INET
            self._received.append(data[(data[0] & 15) * 4:] if is_ipv4 else data)

    def wait_for(self, text):
        """Waits for a message that contains a text."""
        wait_until(lambda: any(text in message for message in self.received()),
                   what=f"an ICMP message with {text!r}")

    def close(self):
        self._socket.close()
