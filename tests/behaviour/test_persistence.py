"""Persistence: a client stays with its member until it has been silent for so long."""

import socket
import struct

import pytest
from scapy.layers.inet import ICMP, TCP
from scapy.packet import Raw

from lab import VIP, VIP6, wait_until
from lab.packets import Listener, header, send

NODES = ["fe5", "fe6", "fe7"]
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PORT, CLIENTS, TIMES = 8000, 24, 4
IPV6_TRANSPARENT = 75
NO_TIME_WAIT = struct.pack("ii", 1, 0)
SCHEDULERS = pytest.mark.parametrize("scheduler", ["hash", "source", "rr", "random"])
DRAWS = pytest.mark.parametrize("scheduler", ["hash", "rr"])


class Cluster:
    """A cluster behind a router, which serves TCP and UDP on one port."""

    def __init__(self, make_lab, scheduler, persistence=60, weights=None):
        self.lab = make_lab(NODES, router=True, vips=(VIP, VIP6))
        self.settings = {"ports": str(PORT), "scheduler": scheduler, "persistence": persistence}
        self.lab.launch(self.group(weights), tcp=str(PORT), udp=str(PORT))

    def group(self, weights):
        services = [{"name": kind, "protocol": kind} | self.settings for kind in KINDS]
        return self.lab.group(weights, NODES, services=services)

    def reconfigure(self, weights):
        self.lab.configure(self.group(weights))
        self.lab["fe5"].ctl("reload")
        self.lab.wait_serving("fe5")

    def disable(self, name):
        self.lab["fe5"].ctl("disable", name)
        wait_until(lambda: self.lab["fe5"].ctl("status")["kernel"]["in_sync"])

    def members(self, vip=VIP, numbers=range(1, CLIENTS + 1), kinds=tuple(KINDS)):
        """{(kind, client): the one member that answers it, from several ports}."""
        pattern = "198.18.7.{}" if vip == VIP else "2001:db8:c::{}"
        clients = [(kind, pattern.format(number)) for kind in kinds for number in numbers]
        found = self.lab.client.call(lambda: {
            client: {ask(vip, *client) for _ in range(TIMES)} for client in clients})
        assert all(len(members) == 1 for members in found.values()), found
        return {client: members.pop() for client, members in found.items()}

    def remembered(self, kind):
        """Elements of the map of clients."""
        name = f"clients/A/{kind}-"
        return next(each.get("elem", []) for each in self.lab["fe5"].drover_objects("map")
                    if each["name"].startswith(name))


def connect(vip, kind, address, port=0):
    sock = socket.socket(socket.AF_INET if vip == VIP else socket.AF_INET6, KINDS[kind])
    if kind == "tcp":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_TIME_WAIT)
    if vip == VIP6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    sock.settimeout(8)
    sock.bind((address, port))
    sock.connect((vip, PORT))
    return sock


def question(sock):
    """The member at the other end."""
    sock.sendall(b"who\n")
    return sock.recv(100).split()[0].decode()


def ask(vip, kind, address, port=0):
    """The member that answers one question."""
    with connect(vip, kind, address, port) as sock:
        return question(sock)


@SCHEDULERS
def test_a_client_has_one_member_whatever_its_port(make_lab, scheduler):
    cluster = Cluster(make_lab, scheduler)
    for vip in (VIP, VIP6):
        members = cluster.members(vip)
        for kind in KINDS:
            spread = [name for client, name in members.items() if client[0] == kind]
            assert set(spread) == set(NODES), kind
            if scheduler == "rr":
                assert all(abs(spread.count(name) - CLIENTS / 3) <= 1 for name in NODES)
        assert cluster.members(vip) == members


@SCHEDULERS
def test_clients_stay_when_others_come_or_weights_change(make_lab, scheduler):
    cluster = Cluster(make_lab, scheduler, weights={"fe5": 100, "fe6": 100})
    before = [cluster.members(vip) for vip in (VIP, VIP6)]
    for weights in ({"fe5": 100, "fe6": 100, "fe7": 100}, {"fe5": 1, "fe6": 100, "fe7": 100},
                    {"fe5": 100, "fe6": 0, "fe7": 100}):
        cluster.reconfigure(weights)
        assert [cluster.members(vip) for vip in (VIP, VIP6)] == before, weights
    newcomers = cluster.members(numbers=range(101, 101 + CLIENTS))
    assert set(newcomers.values()) == {"fe5", "fe7"}


@SCHEDULERS
def test_clients_of_a_member_that_leaves_find_another_and_stay(make_lab, scheduler):
    cluster = Cluster(make_lab, scheduler)
    before = cluster.members()
    cluster.disable("fe6")
    after = cluster.members()
    assert set(after.values()) == {"fe5", "fe7"}
    assert all(after[client] == name for client, name in before.items() if name != "fe6")
    # Remembered anew: they do not go back.
    cluster.lab["fe5"].ctl("enable", "fe6")
    cluster.lab.wait_serving("fe5")
    assert cluster.members() == after

    cluster.reconfigure({"fe5": 100, "fe6": 100})
    last = cluster.members()
    assert set(last.values()) == {"fe5", "fe6"}
    assert all(last[client] == name for client, name in after.items() if name != "fe7")
    cluster.reconfigure({"fe5": 100, "fe6": 1, "fe7": 100})
    assert cluster.members() == last


@DRAWS
def test_clients_stay_when_a_member_leaves_the_file(make_lab, scheduler):
    cluster = Cluster(make_lab, scheduler)
    group = cluster.group(None)
    group["members"][2]["outgoing"] = "50000-50999"
    cluster.lab.configure(group)
    cluster.lab["fe5"].ctl("reload")
    before = cluster.members()
    # What fe7 has opened itself may live on, and so it is still forwarded to.
    cluster.reconfigure({"fe5": 100, "fe6": 100})
    assert cluster.lab["fe5"].member("fe7")["retired"]
    assert cluster.members() == before
    newcomers = cluster.members(numbers=range(101, 101 + CLIENTS))
    assert set(newcomers.values()) == {"fe5", "fe6"}


def test_silent_clients_are_forgotten(make_lab):
    # Longer than TCP waits before it sends a lost SYN again.
    cluster = Cluster(make_lab, "hash", persistence=3)
    cluster.members()
    cluster.reconfigure({"fe5": 0, "fe6": 0, "fe7": 100})
    wait_until(lambda: not cluster.remembered("tcp") and not cluster.remembered("udp"))
    assert set(cluster.members().values()) == {"fe7"}


@pytest.mark.parametrize("kind, scheduler", [("tcp", "hash"), ("tcp", "rr"), ("udp", "rr")])
def test_a_client_that_speaks_is_not_forgotten(make_lab, kind, scheduler):
    """While one speaks, the other is forgotten: so the first would have been as well."""
    cluster = Cluster(make_lab, scheduler, persistence=4, weights={"fe5": 100, "fe6": 100})
    before = cluster.members(numbers=[1], kinds=[kind])
    cluster.members(numbers=[2], kinds=[kind])
    cluster.reconfigure({"fe5": 0, "fe6": 0, "fe7": 100})

    def only_one_is_left():
        assert cluster.members(numbers=[1], kinds=[kind]) == before
        return len(cluster.remembered(kind)) == 1

    wait_until(only_one_is_left)
    wait_until(lambda: set(cluster.members(numbers=[2], kinds=[kind]).values()) == {"fe7"})


@DRAWS
def test_errors_follow_the_client(make_lab, scheduler):
    """To the member that it had before the weights changed."""
    cluster = Cluster(make_lab, scheduler)
    before = cluster.members(kinds=["tcp"])
    cluster.reconfigure({"fe5": 1, "fe6": 1, "fe7": 100})
    listeners = {node.name: Listener(node, socket.AF_INET, socket.IPPROTO_ICMP)
                 for node in cluster.lab}
    send(cluster.lab.router, cluster.lab["fe5"].mac, (
        header("192.0.2.254", VIP) / ICMP(type=3, code=4, nexthopmtu=1400) /
        header(VIP, client) / TCP(sport=PORT, dport=20000) / Raw(client)
        for _, client in before))

    def told():
        """{client: members that heard of it}"""
        messages = {name: listener.received() for name, listener in listeners.items()}
        return {client: [name for name in NODES
                         if any(message.endswith(client.encode()) for message in messages[name])]
                for _, client in before}

    wait_until(lambda: told() == {client: [name] for (_, client), name in before.items()})


@DRAWS
def test_a_connection_lives_longer_than_its_client_is_remembered(make_lab, scheduler):
    """When it speaks again, new connections of its client go to the same member."""
    cluster = Cluster(make_lab, scheduler, persistence=1)
    clients = [f"198.18.7.{number}" for number in range(1, CLIENTS + 1)]
    connections = cluster.lab.client.call(
        lambda: {client: connect(VIP, "tcp", client) for client in clients})
    before = {client: question(sock) for client, sock in connections.items()}
    wait_until(lambda: not cluster.remembered("tcp"))
    for client, sock in connections.items():
        assert question(sock) == before[client]
    after = cluster.lab.client.call(lambda: {client: ask(VIP, "tcp", client) for client in clients})
    assert after == before


def test_a_port_used_again_after_its_member_has_left(make_lab):
    """What is remembered of a connection by rr must give way to the new one."""
    cluster = Cluster(make_lab, "rr", persistence=0)

    def ask_from(port):
        return cluster.lab.client.call(lambda: ask(VIP, "tcp", "198.18.7.1", port))

    ports = range(20000, 20030)
    before = {port: ask_from(port) for port in ports}
    assert set(before.values()) == set(NODES)
    cluster.disable("fe6")
    after = {port: ask_from(port) for port in ports}
    assert set(after.values()) == {"fe5", "fe7"}
    assert all(after[port] == name for port, name in before.items() if name != "fe6")
