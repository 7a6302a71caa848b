"""What happens to packets of sync between the hosts: lost, doubled, reordered, forged.

The switch forwards none of them any more. They are taken from its ports instead, and delivered by
hand, to each receiver for itself.
"""

import heapq
import itertools
import random
import select
import socket
import struct
import threading
import time
from collections import Counter

from lab import bpf
from lab.capture import ETH_P_ALL, ETH_P_IP

LOSS = 0.3
LATEST = 0.25
HISTORY = 400
IP, UDP = 20, 8  # bytes of their headers

TABLE = """
table bridge tampering {{
    chain forward {{
        type filter hook forward priority 0
        ip protocol udp udp dport {port} drop
    }}
}}
"""


def fields(port):
    """Of a packet to be tampered with: IPv4 without options, UDP, no fragment, to this port."""
    return [(12, 2, ETH_P_IP), (14, 1, 0x45), (23, 1, socket.IPPROTO_UDP), (20, 2, 0, 0x3fff),
            (36, 2, port)]


def _checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def rebuilt(frame, payload, source=None):
    """The frame with another payload, perhaps from another (MAC, address), right in all else.

    Without a checksum of UDP: what is captured on a veth carries an unfinished one.
    """
    ethernet, packet, udp = frame[:14], bytearray(frame[14:34]), bytearray(frame[34:42])
    if source:
        ethernet = ethernet[:6] + source[0] + ethernet[12:]
        packet[12:16] = source[1]
    struct.pack_into("!H", packet, 2, IP + UDP + len(payload))
    struct.pack_into("!H", packet, 10, 0)
    struct.pack_into("!H", packet, 10, _checksum(bytes(packet)))
    struct.pack_into("!HH", udp, 4, UDP + len(payload), 0)
    return ethernet + bytes(packet) + bytes(udp) + payload


def payload_of(frame):
    return frame[42:14 + int.from_bytes(frame[16:18], "big")]


class Tamperer:
    """Decides what becomes of a packet on its way to one receiver: [(delay, frame)].

    sources: {receiver: (MAC, address) of the others}
    """

    def __init__(self, how, seed, sources):
        self._dice = random.Random(f"{how} {seed}")
        self._sources = sources
        self._history = []
        self.deliveries = getattr(self, f"_{how}")

    def remember(self, frame):
        self._history.append(frame)
        if len(self._history) > HISTORY:
            del self._history[self._dice.randrange(len(self._history))]

    def _lost(self, frame, _):
        return [] if self._dice.random() < LOSS else [(0, frame)]

    def _doubled(self, frame, _):
        """At once, once more somewhat later, and now and then one that is long known."""
        again = [(0, frame), (self._dice.uniform(0, LATEST), frame)]
        if self._dice.random() < 0.3:
            again.append((0, self._dice.choice(self._history)))
        return again

    def _reordered(self, frame, _):
        return [(self._dice.uniform(0, LATEST), frame)]

    def _forged(self, frame, receiver):
        return [(0, frame)] + [(0, self._forge(frame, self._sources[receiver]))
                               for _ in range(2)]

    def _forge(self, frame, sources):
        payload = bytearray(payload_of(frame))
        source = self._dice.choice([None, *sources])
        kind = self._dice.choice(("mutated", "truncated", "longer", "random", "stolen"))
        if kind == "mutated":
            for _ in range(self._dice.randint(1, 8)):
                payload[self._dice.randrange(len(payload))] ^= 1 << self._dice.randrange(8)
        elif kind == "truncated":
            del payload[self._dice.randrange(len(payload)):]
        elif kind == "longer":
            payload += self._dice.randbytes(self._dice.randint(1, 64))
        elif kind == "random":
            payload = self._dice.randbytes(self._dice.randint(1, 1400))
        elif source is None:  # stolen: a true packet in the name of another host
            source = self._dice.choice(sources)
        return rebuilt(frame, bytes(payload), source)


class Tampering:
    """While it is entered, packets to a UDP port of the cluster's hosts are tampered with."""

    def __init__(self, lab, port, how, seed):
        self._switch = lab.switch
        self._table = TABLE.format(port=port)
        self._macs = {bytes.fromhex(node.mac.replace(":", "")): node.name for node in lab}
        sources = {receiver: [(mac, socket.inet_aton(lab.address(name)))
                              for mac, name in self._macs.items() if name != receiver]
                   for receiver in self._macs.values()}
        self._tamperer = Tamperer(how, seed, sources)
        self._fields = fields(port)
        self._waiting, self._numbers = [], itertools.count()
        self._ports, self._thread, self._stopping = {}, None, False
        self.seen = 0
        self._sent = Counter()

    def __enter__(self):
        self._ports = {name: self._switch.call(lambda name=name: self._open(name))
                       for name in self._macs.values()}
        self._switch.load_ruleset(self._table)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._switch.run("nft", "delete", "table", "bridge", "tampering")
        self._stopping = True
        self._thread.join()
        for sock in self._ports.values():
            sock.close()

    @property
    def is_idle(self):
        """Nothing is on its way."""
        return not self._waiting

    def sent_to(self, name):
        """How many packets were delivered to a host."""
        return self._sent[name]

    def _open(self, name):
        """A socket for what a host sends and is sent; the filter first, then the packets."""
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        bpf.attach(sock, self._fields)
        sock.bind((name, ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def _receivers(self, frame, came_by):
        """Ports that a frame is for: one, or with a multicast address all others."""
        if frame[0] & 1:
            return [name for name in self._ports if name != came_by]
        name = self._macs.get(frame[:6])
        return [name] if name and name != came_by else []

    def _take(self, name):
        """Reads what a host has sent. What is sent to it by hand passes here as well."""
        try:
            frame, address = self._ports[name].recvfrom(65536)
        except OSError:
            return  # its cable is cut
        if address[2] != socket.PACKET_OUTGOING:
            self.seen += 1
            self._pass_on(frame, name)

    def _pass_on(self, frame, came_by):
        frame = rebuilt(frame, payload_of(frame))
        self._tamperer.remember(frame)
        for name in self._receivers(frame, came_by):
            for delay, packet in self._tamperer.deliveries(frame, name):
                heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._numbers),
                                               name, packet))

    def _deliver(self):
        """Sends what is due; returns how long until the next is."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, name, packet = heapq.heappop(self._waiting)
            try:
                self._ports[name].send(packet)
                self._sent[name] += 1
            except OSError:
                pass  # its cable is cut
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else 0.05

    def _run(self):
        names = {sock: name for name, sock in self._ports.items()}
        while not self._stopping:
            readable, _, _ = select.select(names, [], [], self._deliver())
            for sock in readable:
                self._take(names[sock])
