"""Records the frames that pass an interface of a namespace, or all of its interfaces."""

import socket
import struct
import threading

ETH_P_ALL = 3
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86dd
FRAGMENT_HEADER = 44
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_STATISTICS = 6
BROADCAST = "ff:ff:ff:ff:ff:ff"


def _mac(raw):
    return ":".join(f"{byte:02x}" for byte in raw)


class Frame:
    """One frame, and which interface it passed in which direction."""

    def __init__(self, data, interface, outgoing):
        self.data = data
        self.interface = interface
        self.outgoing = outgoing

    @property
    def to_mac(self):
        return _mac(self.data[0:6])

    @property
    def from_mac(self):
        return _mac(self.data[6:12])

    @property
    def ethertype(self):
        return int.from_bytes(self.data[12:14], "big")

    @property
    def is_ip(self):
        return self.ethertype == ETH_P_IP

    @property
    def is_ip6(self):
        return self.ethertype == ETH_P_IPV6

    @property
    def is_arp(self):
        return self.ethertype == ETH_P_ARP

    # --- what IPv4 and IPv6 have in common: ask is_ip or is_ip6 first --------

    @property
    def packet(self):
        """The IP packet as it is: two frames that carry the same packet are equal here."""
        if self.is_ip6:
            return self.data[14:54 + int.from_bytes(self.data[18:20], "big")]
        return self.data[14:14 + int.from_bytes(self.data[16:18], "big")]

    @property
    def source(self):
        if self.is_ip6:
            return socket.inet_ntop(socket.AF_INET6, self.data[22:38])
        return socket.inet_ntoa(self.data[26:30])

    @property
    def destination(self):
        if self.is_ip6:
            return socket.inet_ntop(socket.AF_INET6, self.data[38:54])
        return socket.inet_ntoa(self.data[30:34])

    @property
    def _has_fragment_header(self):
        return self.is_ip6 and self.data[20] == FRAGMENT_HEADER

    @property
    def protocol(self):
        """That of the payload, behind a fragment header of IPv6."""
        if self.is_ip6:
            return self.data[54 if self._has_fragment_header else 20]
        return self.data[23]

    @property
    def payload(self):
        """What the packet carries: TCP, UDP, ICMP; of a later fragment, its part of that."""
        if self.is_ip6:
            return self.packet[48 if self._has_fragment_header else 40:]
        return self.packet[(self.data[14] & 15) * 4:]

    @property
    def ports(self):
        """Source and destination port of a TCP or UDP packet that is no later fragment."""
        return struct.unpack_from("!HH", self.payload)

    @property
    def fragment(self):
        """(identification, offset in bytes, whether more follow) of a fragment; None of a whole."""
        if self._has_fragment_header:
            offset, number = struct.unpack_from("!2xHI", self.data, 54)
            return number, offset & ~7, bool(offset & 1)
        number, offset = struct.unpack_from("!HH", self.data, 18)
        if self.is_ip6 or not offset & 0x3fff:
            return None
        return number, (offset & 0x1fff) * 8, bool(offset & 0x2000)

    # --- ARP -----------------------------------------------------------------

    @property
    def arp(self):
        """(operation, sender MAC, sender address, target address) of an ARP frame."""
        sender, target = self.data[28:32], self.data[38:42]
        return (int.from_bytes(self.data[20:22], "big"), _mac(self.data[22:28]),
                socket.inet_ntoa(sender), socket.inet_ntoa(target))

    def __repr__(self):
        return f"<{self.from_mac} > {self.to_mac} {self.interface} {self.data[12:54].hex()}>"


class Capture:
    """Records from when it is made until stop(); use it as a context manager.

    protocol: only frames of this type, incoming ones; what else passes then costs nothing.
    """

    def __init__(self, namespace, interface=None, protocol=ETH_P_ALL):
        self._socket = namespace.call(lambda: _open(interface, protocol))
        self._frames = []
        self._stopping = False
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def frames(self, *, incoming_only=False):
        """What was recorded so far."""
        recorded = list(self._frames)
        return [frame for frame in recorded if not (incoming_only and frame.outgoing)]

    def stop(self):
        """Ends the recording when all that has passed is read; fails if any frame was lost."""
        if self._stopping:
            return self.frames()
        self._stopping = True
        self._thread.join()
        _, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()
        assert lost == 0, f"the capture lost {lost} frames"
        return self.frames()

    def _record(self):
        while True:
            try:
                data, address = self._socket.recvfrom(65536 + 14)
            except TimeoutError:
                if self._stopping:
                    return
                continue
            outgoing = address[2] == socket.PACKET_OUTGOING
            self._frames.append(Frame(data, address[0], outgoing))


def _open(interface, protocol):
    # With an interface, nothing is taken in before bind() has said which.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                         0 if interface else socket.htons(protocol))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.settimeout(0.05)
    if interface:
        sock.bind((interface, protocol))
    return sock
