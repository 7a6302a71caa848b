"""Asking a segment by ARP."""

import socket
import struct

from .asking import ask
from .capture import ETH_P_ARP

REQUEST, REPLY = 1, 2


def _bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def _request(mac, address, target):
    header = b"\xff" * 6 + _bytes(mac) + struct.pack("!H", ETH_P_ARP)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, REQUEST)
    return (header + body + _bytes(mac) + socket.inet_aton(address)
            + b"\0" * 6 + socket.inet_aton(target)).ljust(60, b"\0")


def who_has(asker, mac, address, targets, others):
    """{target: set of MACs that answer for it}: see ask()."""
    def answers(frames):
        return [(frame.arp[2], frame.from_mac) for frame in frames
                if frame.is_arp and frame.arp[0] == REPLY]

    return ask(asker, ETH_P_ARP, lambda target: _request(mac, address, target), answers, targets,
               others)


def announcements(frames, address):
    """MACs of the gratuitous ARP frames for an address, in the order they were seen."""
    return [frame.arp[1] for frame in frames
            if frame.is_arp and frame.arp[2] == frame.arp[3] == address]
