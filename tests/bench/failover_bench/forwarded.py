"""When a balancer forwards its first packet, as seen on its port of the switch."""

import itertools
import select
import socket
import struct
import threading

from lab import bpf
from lab.capture import ETH_P_ALL, ETH_P_IP, SO_RCVBUFFORCE
from lab.wait import wait_until

SO_TIMESTAMPNS = 35
INTERVAL = 0.001
PORTS = range(30000, 30008)


def fields(source_mac, vip):
    """Of a packet of IPv4 to the VIP, in a frame from this MAC."""
    high, low = struct.unpack("!HI", bytes.fromhex(source_mac.replace(":", "")))
    address, = struct.unpack("!I", socket.inet_aton(vip))
    return [(12, 2, ETH_P_IP), (6, 2, high), (8, 4, low), (30, 4, address)]


class Forwarded:
    """Frames to a VIP that a balancer sends. The kernel tells when each one came."""

    def __init__(self, switch, node, vip):
        self._socket = switch.call(lambda: self._open(node, vip))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    @staticmethod
    def _open(node, vip):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        bpf.attach(sock, fields(node.mac, vip))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        sock.bind((node.name, ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def _receive(self):
        try:
            _, ancillary, _, _ = self._socket.recvmsg(64, 64)
        except BlockingIOError:
            return None
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
        return seconds + nanoseconds / 1e9

    def first(self):
        """Waits for the first one; its time, on the clock of time.time()."""
        return wait_until(self._receive, 20, "the balancer forwarding", interval=0.001)


class Asker:
    """Sends a datagram to the VIP each millisecond, from some ports in turn, and minds no answer.

    Some: a balancer that is a member as well keeps a part of them for itself.
    """

    def __init__(self, client, target):
        self._sockets = [client.call(lambda port=port: self._open(port)) for port in PORTS]
        self._target = target
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.close()
        self._thread.join()
        for sock in self._sockets:
            sock.close()

    @staticmethod
    def _open(port):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", port))
        return sock

    def _run(self):
        sockets = itertools.cycle(self._sockets)
        while not select.select([self._stopped], [], [], INTERVAL)[0]:
            try:
                next(sockets).sendto(b"?", self._target)
            except OSError:
                pass  # nobody has the VIP at this moment
