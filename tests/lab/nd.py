"""Asking a segment by neighbour discovery (RFC 4861), as arp.py does by ARP."""

import socket
import struct

from .asking import ask
from .capture import ETH_P_IPV6

ICMPV6 = 58
SOLICITATION, ADVERTISEMENT = 135, 136
ROUTER, SOLICITED, OVERRIDE = 0x80, 0x40, 0x20
SOURCE_MAC, TARGET_MAC = 1, 2
ALL_NODES = "ff02::1"


def _address(text):
    return socket.inet_pton(socket.AF_INET6, text)


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _solicitation(mac, address, target):
    group = _address("ff02::1:ff00:0")[:13] + _address(target)[13:]
    body = (struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + _address(target)
            + bytes([SOURCE_MAC, 1]) + _mac(mac))
    ends = _address(address) + group
    total = _checksum(ends + struct.pack("!II", len(body), ICMPV6) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    header = b"\x33\x33" + group[12:] + _mac(mac) + struct.pack("!H", ETH_P_IPV6)
    return header + struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + ends + body


def messages(frames, kind):
    """[(frame, target, flags, {option: value})] of the messages of one kind."""
    found = []
    for frame in frames:
        if not frame.is_ip6 or frame.protocol != ICMPV6 or frame.payload[0] != kind:
            continue
        options, rest = {}, frame.payload[24:]
        while rest:
            size = rest[1] * 8
            options[rest[0]], rest = rest[2:size].hex(":"), rest[size:]
        target = socket.inet_ntop(socket.AF_INET6, frame.payload[8:24])
        found.append((frame, target, frame.payload[4], options))
    return found


def who_has(asker, mac, address, targets, others):
    """{target: set of MACs that answer for it}: see ask()."""
    def answers(frames):
        return [(target, frame.from_mac)
                for frame, target, flags, _ in messages(frames, ADVERTISEMENT)
                if flags & SOLICITED]

    return ask(asker, ETH_P_IPV6, lambda target: _solicitation(mac, address, target), answers,
               targets, others)


def announcements(frames, address):
    """MACs of the unsolicited advertisements for an address, in the order they were seen."""
    return [options[TARGET_MAC]
            for frame, target, flags, options in messages(frames, ADVERTISEMENT)
            if target == address and flags == OVERRIDE and frame.destination == ALL_NODES]
