"""What tests/chaos relies on: its load notices each way to break, its tampering tampers."""

import socket

import pytest

from chaos.load import Load
from chaos.tamper import Tampering
from lab import VIP, wait_until
from lab.programs import program

PACE = {"pause": 50, "retry": 100, "patience": 3000, "life": 0}
COUNT = 20
PORT = 8848
GROUP = "239.192.8.148"
PACKETS = 200


def echo(node, name):
    process = node.popen(program("chaos-echo"), name, "tcp=80", "udp=5060", stdout=True)
    process.read_line(20, expected="ready")
    return process


@pytest.fixture(name="segment")
def fixture_segment(make_lab):
    """Hosts without a balancer: fe5 has the VIP because fe6 and fe7 keep silent about it."""
    lab = make_lab(["fe5", "fe6", "fe7"], vips=[VIP])
    for name in ("fe6", "fe7"):
        lab[name].set_sysctl("ipv4/conf/all/arp_ignore", 1)
    return lab


@pytest.fixture(name="load")
def fixture_load(segment):
    segment.server = echo(segment["fe5"], "fe5")
    load = Load(segment.client, [f"tcp,tcp,{VIP},80,{COUNT}", f"udp,udp,{VIP},5060,{COUNT},20000"],
                PACE)
    load.wait_open()
    assert load.wait_settled() == 0
    assert load.mark()["broken"] == []
    return load


def losses(load, tcp, count=COUNT):
    """The reasons why flows broke, when so many have."""
    wait_until(lambda: sum(loss["tcp"] == tcp for loss in load.report()["broken"]) >= count, 20)
    return {(loss["why"], loss["member"]) for loss in load.report()["broken"]
            if loss["tcp"] == tcp}


def test_nothing_breaks_by_itself(load):
    for _ in range(3):
        assert load.wait_settled() == 0
    report = load.report()
    assert report["broken"] == [] and report["members"] == {"fe5": 2 * COUNT}
    assert 0 < report["longest"] < 0.9


def test_a_server_that_ends(segment, load):
    segment.server.end()
    assert losses(load, tcp=True) & {("ended", "fe5"), ("reset", "fe5")}


def test_another_kernel_that_knows_no_connection(segment, load):
    segment.cut(segment["fe5"])
    echo(segment["fe6"], "fe6")
    segment["fe6"].set_sysctl("ipv4/conf/all/arp_ignore", 0)
    segment.client.ip("neigh", "flush", "dev", "eth0")
    assert losses(load, tcp=True) == {("reset", "fe5")}
    assert losses(load, tcp=False) == {("moved", "fe5")}


def test_silence(segment, load):
    segment.cut(segment["fe5"])
    assert losses(load, tcp=True) == losses(load, tcp=False) == {("silent", "fe5")}


def test_the_flows_of_a_dead_member_are_no_loss(segment, load):
    segment.cut(segment["fe5"])
    load.bury("fe5")
    echo(segment["fe6"], "fe6")
    segment["fe6"].set_sysctl("ipv4/conf/all/arp_ignore", 0)
    segment.client.ip("neigh", "flush", "dev", "eth0")
    load.wait_open()
    assert load.wait_settled() == 0
    report = load.report()
    assert report["members"] == {"fe6": 2 * COUNT} and report["broken"] == []


# --- tampering --------------------------------------------------------------------------------

def listener(node, address):
    def listen():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("", PORT))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        socket.inet_aton(GROUP) + socket.inet_aton(address))
        sock.setblocking(False)
        return sock
    return node.call(listen)


def received(sock, into):
    """Adds what has come to a list, and returns it."""
    while True:
        try:
            into.append(sock.recv(2048))
        except BlockingIOError:
            return into


@pytest.mark.parametrize("target", ["192.0.2.6", GROUP], ids=["to one", "to all"])
@pytest.mark.parametrize("how", ["lost", "doubled", "reordered", "forged"])
def test_tampering(segment, how, target):
    packets = [b"%05d" % number + bytes(60) for number in range(PACKETS)]
    sock = listener(segment["fe6"], segment.address("fe6"))
    sender = segment["fe5"].call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.5"))
    came = []
    with Tampering(segment, PORT, how, seed=1) as tampering:
        for packet in packets:
            sender.sendto(packet, (target, PORT))
        wait_until(lambda: tampering.seen == PACKETS and tampering.is_idle)
        wait_until(lambda: len(received(sock, came)) >= tampering.sent_to("fe6"))
    true = [packet for packet in came if packet in packets]
    assert len(set(true)) < PACKETS if how == "lost" else set(true) == set(packets)
    assert (len(came) > len(set(came))) == (how in ("doubled", "forged"))
    assert (sorted(true) != true) == (how in ("doubled", "reordered"))
    assert (len(true) < len(came)) == (how == "forged")
    sock.close()
    sender.close()
