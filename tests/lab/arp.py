"""Asking a segment by ARP, without waiting for answers that do not come."""

import socket
import struct

from .capture import ETH_P_ARP
from .wait import wait_until

REQUEST, REPLY = 1, 2


def _bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def _request(mac, address, target):
    header = b"\xff" * 6 + _bytes(mac) + struct.pack("!H", ETH_P_ARP)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, REQUEST)
    return (header + body + _bytes(mac) + socket.inet_aton(address)
            + b"\0" * 6 + socket.inet_aton(target)).ljust(60, b"\0")


def who_has(asker, mac, address, targets, others):
    """{target: set of MACs that answer for it}, asked from a host's eth0.

    others: addresses of all hosts on the segment. They are asked last; who has answered for
    itself has seen the earlier questions too, so its silence about them is an answer.
    """
    def send_all():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            for target in [*targets, *others]:
                sock.send(_request(mac, address, target))

    def replies():
        found = {}
        for frame in capture.frames(incoming_only=True):
            if frame.is_arp and frame.arp[0] == REPLY:
                found.setdefault(frame.arp[2], set()).add(frame.from_mac)
        return found

    with asker.capture("eth0", ETH_P_ARP) as capture:
        asker.call(send_all)
        wait_until(lambda: all(replies().get(other) for other in others),
                   what="all hosts answering for themselves")
    return {target: replies().get(target, set()) for target in targets}


def announcements(frames, address):
    """MACs of the gratuitous ARP frames for an address, in the order they were seen."""
    return [frame.arp[1] for frame in frames
            if frame.is_arp and frame.arp[2] == frame.arp[3] == address]
