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


def open_udp(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    sock.bind(("0.0.0.0", port))
    return sock


def answer_datagrams(sock, name):
    """Answers from the address that each datagram was sent to: the VIP, not the host's own."""
    while True:
        try:
            data, ancillary, _, client = sock.recvmsg(65536, 256)
        except BlockingIOError:
            return
        local = b"\0\0\0\0"
        for level, kind, value in ancillary:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                local = value[8:12]
        source = struct.pack("I4s4s", 0, local, b"\0\0\0\0")
        sock.sendmsg([name + b" " + data], [(socket.IPPROTO_IP, IP_PKTINFO, source)], 0, client)


async def serve(name, tcp, udp):
    loop = asyncio.get_running_loop()
    servers = []
    for port in tcp:
        servers.append(await loop.create_server(
            lambda: TcpEcho(name), "0.0.0.0", port, backlog=4096))
    for port in udp:
        sock = open_udp(port)
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
