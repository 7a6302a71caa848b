#!/usr/bin/python3
"""Clients of the echo servers. The one argument is a JSON object; results are lines of JSON.

{"mode": "connect", "to": [ADDRESS, PORT], "from": [ADDRESS, FIRST-PORT], "count": N,
 "patience": SECONDS, ...}
    opens N connections, each from the next port, asks once on each, and reports who answered
{"mode": "hold", ...the same...}
    opens N connections and goes on asking on all of them, until told to stop
{"mode": "churn", "workers": N, ...}
    opens one connection after the other, until told to stop
{"mode": "datagrams", "ports": N, ...}
    sends N datagrams, one after the other, from so many ports in turn, each waits for its answer

"size": N fills each question, and so each answer, up to so many bytes.
FIRST-PORT 0 lets the kernel choose the ports; "sources": [ADDRESS, ...] are used in turn.
hold and churn print "ready", and answer each line of input with a report: "report" gives it,
"mark" also starts the counting of rounds anew, "stop" is answered with the last one.
"""

import asyncio
import json
import resource
import socket
import struct
import sys
import time
from collections import Counter

IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
NO_TIME_WAIT = struct.pack("ii", 1, 0)


class Broken(Exception):
    """A connection that did not do what connections do."""


class Tally:
    """Who answered, what failed, and the slowest exchange."""

    def __init__(self):
        self.answers = Counter()
        self.failures = []
        self.slowest = 0.0

    def report(self):
        return {"answers": self.answers, "failures": self.failures, "slowest": self.slowest}


def local_end(spec, index):
    """The address and port that the index-th connection or socket comes from."""
    address, first_port = spec.get("from", ["", 0])
    sources = spec.get("sources")
    if sources:
        address = sources[index % len(sources)]
    return address, first_port + index if first_port else 0


def open_socket(kind, end, target):
    is_ipv6 = ":" in target[0]
    sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, kind)
    # For TCP, where it is about old connections: two UDP sockets that say so may be given one port.
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    if end != ("", 0):
        sock.bind(end)
    return sock


class Connection:
    """One TCP connection to an echo server."""

    def __init__(self, spec, index):
        self.target = tuple(spec["to"])
        self.patience = spec["patience"]
        self.size = spec.get("size", 0)
        self.end = local_end(spec, index)
        self.sock = None
        self.asked = 0
        self.member = None

    async def open(self):
        self.sock = open_socket(socket.SOCK_STREAM, self.end, self.target)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_TIME_WAIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        connecting = asyncio.get_running_loop().sock_connect(self.sock, self.target)
        await asyncio.wait_for(connecting, self.patience)
        self.end = self.sock.getsockname()

    async def ask(self):
        """One exchange; returns the name of the member that answered."""
        self.asked += 1
        question = (b"%d" % self.asked).ljust(self.size) + b"\n"
        answer = await asyncio.wait_for(self._exchange(question), self.patience)
        name, _, number = answer.decode().partition(" ")
        if number.encode() + b"\n" != question:
            raise Broken(f"asked {self.asked}, was answered {answer[:80]!r}")
        if self.member not in (None, name):
            raise Broken(f"{self.member} answered before, now {name}")
        self.member = name
        return name

    async def _exchange(self, line):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sock, line)
        answer = b""
        while not answer.endswith(b"\n"):
            data = await loop.sock_recv(self.sock, 65536)
            if not data:
                raise Broken("the server closed the connection")
            answer += data
        return answer[:-1]

    def close(self):
        if self.sock:
            self.sock.close()


async def ask_once(spec, index, tally):
    connection = Connection(spec, index)
    began = time.monotonic()
    try:
        await connection.open()
        tally.answers[await connection.ask()] += 1
    except (OSError, Broken, asyncio.TimeoutError) as error:
        tally.failures.append(f"{connection.end}: {error!r}")
    finally:
        connection.close()
    tally.slowest = max(tally.slowest, time.monotonic() - began)


async def connect(spec):
    tally = Tally()
    numbers = iter(range(spec["count"]))

    async def worker():
        for number in numbers:
            await ask_once(spec, number, tally)

    await asyncio.gather(*(worker() for _ in range(spec.get("workers", 32))))
    print(json.dumps(tally.report()), flush=True)


async def churn(spec):
    tally = Tally()
    stop = asyncio.Event()
    window = spec.get("count", 20000)
    state = {"next": 0, "mark": 0, "done": 0}

    async def worker():
        while not stop.is_set():
            state["next"] += 1
            await ask_once(spec, state["next"] % window, tally)
            state["done"] += 1

    def report(mark):
        if mark:
            state["mark"] = state["done"]
        return tally.report() | {"rounds": state["done"] - state["mark"]}

    workers = [asyncio.create_task(worker()) for _ in range(spec.get("workers", 4))]
    await obey(report, stop)
    await asyncio.gather(*workers)
    print(json.dumps(report(False)), flush=True)


class Holder:
    """Many connections that are kept busy."""

    def __init__(self, spec):
        self.pause = spec.get("pause", 0.2)
        self.connections = [Connection(spec, index) for index in range(spec["count"])]
        self.marks = {}
        self.tally = Tally()
        self.stop = asyncio.Event()

    async def open(self, workers):
        waiting = iter(self.connections)

        async def worker():
            for connection in waiting:
                try:
                    await connection.open()
                    self.tally.answers[await connection.ask()] += 1
                except (OSError, Broken, asyncio.TimeoutError) as error:
                    self._lose(connection, error)

        await asyncio.gather(*(worker() for _ in range(workers)))

    def _lose(self, connection, error):
        self.tally.failures.append(f"{connection.end} {connection.member}: {error!r}")
        connection.close()
        connection.sock = None

    async def keep_busy(self, connection):
        while connection.sock and not self.stop.is_set():
            began = time.monotonic()
            try:
                await connection.ask()
            except (OSError, Broken, asyncio.TimeoutError) as error:
                self._lose(connection, error)
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
            try:
                await asyncio.wait_for(self.stop.wait(), self.pause)
            except asyncio.TimeoutError:
                pass

    def report(self, mark):
        """rounds: how often each of the connections that live has exchanged since the mark."""
        alive = [connection for connection in self.connections if connection.sock]
        if mark:
            self.marks = {connection: connection.asked + 1 for connection in alive}
            self.tally.slowest = 0.0
        rounds = min((connection.asked - self.marks.get(connection, 0) for connection in alive),
                     default=0)
        members = {str(connection.end[1]): connection.member for connection in alive}
        return self.tally.report() | {"alive": len(alive), "rounds": rounds, "members": members}


async def hold(spec):
    holder = Holder(spec)
    await holder.open(spec.get("workers", 32))
    tasks = [asyncio.create_task(holder.keep_busy(each)) for each in holder.connections]
    await obey(holder.report, holder.stop)
    await asyncio.gather(*tasks)
    print(json.dumps(holder.report(False)), flush=True)


async def obey(report, stop):
    """Answers the commands on standard input until it is told to stop, or input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print('"ready"', flush=True)
    while True:
        command = (await reader.readline()).strip()
        if command in (b"stop", b""):
            stop.set()
            return
        print(json.dumps(report(command == b"mark")), flush=True)


def datagrams(spec):
    tally = Tally()
    order = []
    ends = [local_end(spec, index) for index in range(spec.get("ports", 1))]
    sockets = [open_socket(socket.SOCK_DGRAM, end, spec["to"]) for end in ends]
    for number in range(spec["count"]):
        sock = sockets[number % len(sockets)]
        sock.settimeout(spec["patience"])
        sock.sendto((b"%d" % number).ljust(spec.get("size", 0)), tuple(spec["to"]))
        try:
            data, sender = sock.recvfrom(65536)
        except OSError as error:
            tally.failures.append(f"{sock.getsockname()} datagram {number}: {error!r}")
            continue
        name, _, echoed = data.decode().partition(" ")
        if int(echoed) != number or list(sender[:2]) != spec["to"]:
            tally.failures.append(f"datagram {number}: {data!r} from {sender}")
        tally.answers[name] += 1
        order.append(name)
    print(json.dumps(tally.report() | {"order": order}), flush=True)


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    spec = json.loads(sys.argv[1])
    if spec["mode"] == "datagrams":
        datagrams(spec)
    else:
        asyncio.run({"connect": connect, "hold": hold, "churn": churn}[spec["mode"]](spec))


if __name__ == "__main__":
    main()
