#!/usr/bin/python3
"""A server that says who it is: each line or datagram is answered with this host's name and it.

usage: echo.py NAME tcp=PORTS udp=PORTS        PORTS: 25,465,6000-6009
"""

import asyncio
import resource
import socket
import struct
import sys

IP_PKTINFO = 8
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50


def parse_ports(text):
    ports = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        ports.extend(range(int(first), int(last or first) + 1))
    return ports


class TcpEcho(asyncio.Protocol):
    """Answers every complete line with the name and the line."""

    def __init__(self, name):
        self.name = name
        self.pending = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *lines, self.pending = (self.pending + data).split(b"\n")
        self.transport.write(b"".join(self.name + b" " + line + b"\n" for line in lines))


def open_udp(port, family):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    sock.bind(("", port))
    return sock


def sent_to(level, kind, value):
    """From the control message with a datagram's destination, that of a source."""
    if level == socket.IPPROTO_IPV6:
        return level, kind, struct.pack("16sI", value[:16], 0)
    return level, kind, struct.pack("I4s4s", 0, value[8:12], b"\0\0\0\0")


def answer_datagrams(sock, name):
    """Answers from the address that each datagram was sent to: the VIP, not the host's own."""
    wanted = (socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, IPV6_PKTINFO)
    while True:
        try:
            data, ancillary, _, client = sock.recvmsg(65536, 256)
        except BlockingIOError:
            return
        source = [sent_to(*message) for message in ancillary if message[:2] in wanted]
        sock.sendmsg([name + b" " + data], source, 0, client)


async def serve(name, tcp, udp):
    loop = asyncio.get_running_loop()
    servers = []
    for port in tcp:
        servers.append(await loop.create_server(
            lambda: TcpEcho(name), ["0.0.0.0", "::"], port, backlog=4096))
    for port in udp:
        for family in (socket.AF_INET, socket.AF_INET6):
            sock = open_udp(port, family)
            loop.add_reader(sock, answer_datagrams, sock, name)
    print("ready", flush=True)
    await loop.create_future()


def main():
    name = sys.argv[1].encode()
    options = dict(argument.split("=", 1) for argument in sys.argv[2:])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    asyncio.run(serve(name, parse_ports(options.get("tcp", "")),
                      parse_ports(options.get("udp", ""))))


if __name__ == "__main__":
    main()
