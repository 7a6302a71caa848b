"""Fragments in an order of their own: whole at exactly one member, and answered once."""

import socket
import time
from collections import Counter

import pytest

from lab import VIP, VIP6, wait_until
from lab.packets import datagram_fragments, frame, send, send_frames

NODES = ["fe5", "fe6", "fe7"]
CLIENTS = {VIP: "192.0.2.200", VIP6: "2001:db8:1::200"}
PORT = 5060
FIRST_PORT, COUNT = 30000, 12
EVERYONE_RATE = 256
BOTH = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])


def launch(make_lab, members=("fe5", "fe6", "fe7"), **service):
    lab = make_lab(NODES, vips=(VIP, VIP6))
    services = [{"name": "sip", "protocol": "udp", "ports": str(PORT)} | service]
    lab.launch(lab.group(dict.fromkeys(members, 100), NODES, services=services), udp=str(PORT))
    return lab


def counters(lab, chain):
    """What the rules of a chain have counted, of those that count."""
    rules = [rule for rule in lab["fe5"].drover_objects("rule") if rule["chain"] == chain]
    return [part["counter"]["packets"]
            for rule in rules for part in rule["expr"] if "counter" in part]


def overtaken(lab, vip):
    return counters(lab, "fragment/A" if vip == VIP else "fragment6/A")[0]


class Client:
    """UDP sockets whose datagrams are sent by hand."""

    def __init__(self, lab, vip, address=None, ports=range(FIRST_PORT, FIRST_PORT + COUNT)):
        self.lab, self.vip, self.address = lab, vip, address or CLIENTS[vip]
        self.sockets = lab.client.call(lambda: [self._open(port) for port in ports])

    def _open(self, port):
        sock = socket.socket(socket.AF_INET6 if ":" in self.vip else socket.AF_INET,
                             socket.SOCK_DGRAM)
        sock.bind((self.address, port))
        sock.settimeout(8)
        return sock

    def fragments(self, number, size=64, length=150, first_id=1):
        """The number-th socket's datagram of this length."""
        port = self.sockets[number].getsockname()[1]
        text = (b"%d " % port).ljust(length, b"x")
        return datagram_fragments((self.address, port), (self.vip, PORT), first_id + number, text,
                                  size)

    def send(self, packets):
        send(self.lab.client, self.lab["fe5"].mac, packets)

    def send_turned_round(self):
        self.send(packet for number in range(COUNT)
                  for packet in ORDERS["first comes second"](*self.fragments(number)))

    def answers(self):
        """The members that answered, after one whole datagram each."""
        members = Counter()
        for sock in self.sockets:
            name, port, _ = sock.recv(65536).split(b" ", 2)
            assert int(port) == sock.getsockname()[1]
            members[name.decode()] += 1
        return members

    def assert_no_more(self):
        """Each datagram was answered once: what else there was came before the next answer."""
        for sock in self.sockets:
            sock.sendto(b"last", (self.vip, PORT))
        assert all(sock.recv(65536).endswith(b" last") for sock in self.sockets)


ORDERS = {
    "in order": lambda first, *later: [first, *later],
    "first comes second": lambda first, second, *later: [second, first, *later],
    "first comes last": lambda first, *later: [*later, first],
    "turned round": lambda *packets: reversed(packets),
    "the last comes twice": lambda *packets: [*packets, packets[-1]],
}


@pytest.mark.parametrize("scheduler, persistence", [("hash", 0), ("rr", 0), ("source", 0),
                                                    ("rr", 60)])
def test_fragments_in_any_order_reach_one_member(make_lab, scheduler, persistence):
    lab = launch(make_lab, scheduler=scheduler, persistence=persistence)
    clients = [Client(lab, vip) for vip in (VIP, VIP6)]
    for index, (name, order) in enumerate(ORDERS.items()):
        for client in clients:
            client.send(packet for number in range(COUNT)
                        for packet in order(*client.fragments(number, first_id=1000 * index)))
            members = client.answers()
            if scheduler != "source" and not persistence:
                assert set(members) == set(NODES), (name, client.vip)
            client.assert_no_more()


@BOTH
def test_two_clients_may_use_the_same_number(make_lab, vip):
    lab = launch(make_lab, scheduler="rr")
    other = "192.0.2.201" if vip == VIP else "2001:db8:1::201"
    lab.client.ip("addr", "add", f"{other}/{24 if vip == VIP else 64}", "dev", "eth0")
    both = [Client(lab, vip), Client(lab, vip, other)]
    for number in range(COUNT):
        mine, theirs = (client.fragments(number) for client in both)
        both[0].send([mine[0], theirs[0], mine[1], theirs[2], mine[2], theirs[1]])
    for client in both:
        assert sum(client.answers().values()) == COUNT
        client.assert_no_more()


@BOTH
def test_what_overtakes_its_first_is_counted(make_lab, vip):
    """The least that a fragment may carry is 8 bytes: a UDP header, and no data."""
    lab = launch(make_lab, scheduler="hash")
    client = Client(lab, vip)
    client.send(packet for number in range(COUNT) for packet in
                ORDERS["first comes second"](*client.fragments(number, size=8, length=20)))
    assert set(client.answers()) == set(NODES)
    client.assert_no_more()
    assert overtaken(lab, vip) == COUNT
    assert counters(lab, "everyone/A") == [0, COUNT]


@BOTH
def test_a_balancer_that_is_no_member(make_lab, vip):
    lab = launch(make_lab, ["fe6", "fe7"], scheduler="hash")
    client = Client(lab, vip)
    client.send_turned_round()
    assert set(client.answers()) == {"fe6", "fe7"}
    client.assert_no_more()


@BOTH
def test_fragments_that_nobody_knows_do_not_become_a_flood(make_lab, vip):
    """Above the limit they are dropped and counted; those that follow their first are not.

    The orphans are one ready-made frame: even an emulated client sends it often enough.
    """
    lab = launch(make_lab, scheduler="hash")
    client = Client(lab, vip)
    orphans = [frame(lab["fe5"].mac, client.fragments(0, first_id=5000)[1])] * 4 * EVERYONE_RATE
    began = time.monotonic()
    send_frames(lab.client, orphans)
    wait_until(lambda: sum(counters(lab, "everyone/A")) == len(orphans), what="all counted")
    lasted = time.monotonic() - began
    dropped, copied = counters(lab, "everyone/A")
    assert EVERYONE_RATE <= copied <= EVERYONE_RATE * (1 + lasted) + 1 and dropped > 0
    client.send(packet for number in range(COUNT) for packet in client.fragments(number))
    assert sum(client.answers().values()) == COUNT
