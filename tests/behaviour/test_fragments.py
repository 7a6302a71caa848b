"""A packet in fragments reaches one member whole: only its first fragment has ports."""

import re
import socket
import struct

import pytest

from lab import VIP, patience, wait_until

NODES = ["fe5", "fe6", "fe7"]
CLIENT = "192.0.2.200"
PORT = 5060
ECHO_REQUEST, ECHO_REPLY = 8, 0
DONT_FRAGMENT, MORE_FRAGMENTS = 0x4000, 0x2000


def launch(make_lab, **service):
    lab = make_lab(NODES)
    group = lab.group(services=[{"name": "sip", "protocol": "udp"} | service])
    lab.launch(group, udp=str(PORT))
    return lab


def counted(lab):
    """Fragments whose first one the balancer has not sent anywhere."""
    chain = lab["fe5"].run("nft", "list", "chain", "netdev", "drover", "fragment/A").stdout
    return int(re.search(r"counter packets (\d+)", chain)[1])


@pytest.mark.parametrize("scheduler", ["hash", "source", "rr", "random"])
@pytest.mark.parametrize("size", [4000, 60000], ids=["a SIP message", "60 kB"])
def test_large_datagrams_arrive_whole(make_lab, scheduler, size):
    lab = launch(make_lab, scheduler=scheduler, ports=str(PORT))
    answers = lab.client.datagrams(VIP, PORT, 60, ports=60, first_port=20000, size=size)
    assert not answers.failures and answers.total == 60
    if scheduler != "source":
        assert set(answers.by_member) == set(NODES), "the balancer itself is one of them"


@pytest.mark.parametrize("scheduler", ["hash", "rr"])
def test_large_datagrams_to_a_service_of_all_ports(make_lab, scheduler):
    lab = launch(make_lab, scheduler=scheduler)
    answers = lab.client.datagrams(VIP, PORT, 60, ports=60, first_port=20000, size=4000)
    assert not answers.failures and answers.total == 60


def test_a_large_ping_is_answered_by_the_balancer(make_lab):
    lab = launch(make_lab, scheduler="hash", ports=str(PORT))
    # Zeros behind the header leave its checksum as it is.
    checksum = 0xffff - (ECHO_REQUEST << 8) - 0x1234 - 1
    request = struct.pack("!BBHHH", ECHO_REQUEST, 0, checksum, 0x1234, 1)
    with lab.client.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                               socket.IPPROTO_ICMP)) as sock:
        sock.settimeout(patience(8))
        sock.sendto(request + bytes(4000), (VIP, 0))
        answer = sock.recv(65536)
    assert answer[20] == ECHO_REPLY and len(answer) == 20 + 8 + 4000


def udp_fragments(source_port, number, text, flags=0):
    """Two fragments of one datagram, as raw IPv4 packets without checksums."""
    payload = struct.pack("!HHHH", source_port, PORT, 8 + len(text), 0) + text
    pieces = (payload[:16], MORE_FRAGMENTS | flags), (payload[16:], 2 | flags)
    ends = socket.inet_aton(CLIENT) + socket.inet_aton(VIP)
    return [struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), number, offset, 64,
                        socket.IPPROTO_UDP, 0) + ends + piece
            for piece, offset in pieces]


@pytest.mark.parametrize("flags", [0, DONT_FRAGMENT], ids=["plain", "with DF"])
def test_fragments_in_order_arrive_whatever_their_flags(make_lab, flags):
    lab = launch(make_lab, scheduler="hash", ports=str(PORT))

    def ask():
        answers = set()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for number in range(1, 31):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.bind((CLIENT, 30000 + number))
                    sock.settimeout(patience(8))
                    text = b"%032d" % number
                    for packet in udp_fragments(30000 + number, number, text, flags):
                        raw.sendto(packet, (VIP, 0))
                    name, echoed = sock.recv(100).split()
                    assert echoed == text
                    answers.add(name.decode())
        return answers

    assert lab.client.call(ask) == set(NODES)


def test_second_fragments_that_come_first_are_counted(make_lab):
    lab = launch(make_lab, scheduler="hash", ports=str(PORT))

    def send_turned_round():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
            for number in range(1, 31):
                for packet in reversed(udp_fragments(30000 + number, number, b"%032d" % number)):
                    sock.sendto(packet, (VIP, 0))

    lab.client.call(send_turned_round)
    wait_until(lambda: counted(lab) == 30, what="30 fragments without their first")


def test_the_marks_of_fragments_do_not_reach_the_balancers_own_stack(make_lab):
    """A rule on marks in the balancer's own ruleset must not see ours."""
    lab = launch(make_lab, scheduler="hash", ports=str(PORT))
    lab["fe5"].load_ruleset("table ip other { chain input { type filter hook input priority 0; "
                            "meta mark != 0 counter; }; }")
    answers = lab.client.datagrams(VIP, PORT, 60, ports=60, first_port=20000, size=4000)
    assert not answers.failures
    other = lab["fe5"].run("nft", "list", "table", "ip", "other").stdout
    assert "counter packets 0 " in other
