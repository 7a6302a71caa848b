"""A packet in fragments reaches one member whole: only its first fragment has ports."""

import re
import socket
import struct

import pytest

from lab import VIP, VIP6

NODES = ["fe5", "fe6", "fe7"]
PORT = 5060
# Each scheduler, without and with persistence: a port of its own.
SCHEDULERS = {name: PORT + index for index, name in enumerate(
    (scheduler, persistence) for scheduler in ("hash", "source", "rr", "random")
    for persistence in (0, 60))}
BOTH = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
ECHO_REQUEST, ECHO_REPLY = 8, 0


def udp(scheduler="hash", persistence=0, **settings):
    return {"name": f"udp-{scheduler}-{persistence}", "protocol": "udp", "scheduler": scheduler,
            "persistence": persistence} | settings


def launch(make_lab, *services, **options):
    lab = make_lab(NODES, vips=(VIP, VIP6), **options)
    lab.launch(lab.group(services=services), udp="53,5060-5069,8224")
    return lab


@pytest.mark.parametrize("size", [4000, 60000], ids=["a SIP message", "60 kB"])
@BOTH
def test_large_datagrams_arrive_whole(make_lab, vip, size):
    lab = launch(make_lab, *(udp(scheduler, persistence, ports=str(port))
                             for (scheduler, persistence), port in SCHEDULERS.items()))
    for (scheduler, persistence), port in SCHEDULERS.items():
        answers = lab.client.datagrams(vip, port, 30, ports=30, first_port=20000, size=size)
        assert not answers.failures and answers.total == 30, (scheduler, persistence, answers)
        expected = 1 if persistence or scheduler == "source" else 3
        assert len(answers.by_member) == expected, (scheduler, persistence, answers)


@pytest.mark.parametrize("scheduler", ["hash", "rr"])
def test_large_datagrams_to_a_service_of_all_ports(make_lab, scheduler):
    lab = launch(make_lab, udp(scheduler))
    for vip in (VIP, VIP6):
        answers = lab.client.datagrams(vip, PORT, 60, ports=60, first_port=20000, size=4000)
        assert not answers.failures and set(answers.by_member) == set(NODES), vip


@pytest.mark.parametrize("of", ["a service", "an outgoing range"])
def test_data_that_look_like_a_port(make_lab, of):
    """The datagrams are filled with spaces: read as a port, two of them are 8224."""
    lab = make_lab(NODES, vips=(VIP, VIP6))
    services = [udp("hash", ports="5060")]
    if of == "a service":
        services.append(udp("rr", ports="8224", members=["fe6"], name="other"))
    group = lab.group(services=services)
    if of == "an outgoing range":
        group["members"][1]["outgoing"] = "8000-8999"
    lab.launch(group, udp=str(PORT))
    for vip in (VIP, VIP6):
        answers = lab.client.datagrams(vip, PORT, 60, ports=60, first_port=20000, size=4000)
        assert not answers.failures and set(answers.by_member) == set(NODES), vip


@pytest.mark.parametrize("serving", [NODES, NODES[1:]], ids=["that serves", "that does not"])
def test_a_large_ping_is_answered_by_the_balancer(make_lab, serving):
    lab = make_lab(NODES)
    lab.launch(lab.group(dict.fromkeys(serving, 100), balancers=NODES))
    # Zeros behind the header leave its checksum as it is.
    checksum = 0xffff - (ECHO_REQUEST << 8) - 0x1234 - 1
    request = struct.pack("!BBHHH", ECHO_REQUEST, 0, checksum, 0x1234, 1)
    with lab.client.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                               socket.IPPROTO_ICMP)) as sock:
        sock.settimeout(8)
        sock.sendto(request + bytes(4000), (VIP, 0))
        answer = sock.recv(65536)
    assert answer[20] == ECHO_REPLY and len(answer) == 20 + 8 + 4000


@BOTH
def test_the_marks_of_fragments_do_not_reach_the_balancers_own_stack(make_lab, vip):
    """A rule on marks in the balancer's own ruleset must not see ours."""
    lab = launch(make_lab, udp("hash", ports="5060"), udp("rr", 60, ports="5061"))
    lab["fe5"].load_ruleset("table inet other { chain input { type filter hook input priority 0; "
                            "meta mark != 0 counter; udp dport 5060 counter; }; }")
    for port in (5060, 5061):
        answers = lab.client.datagrams(vip, port, 60, ports=60, first_port=20000, size=4000)
        assert not answers.failures
    other = lab["fe5"].run("nft", "list", "table", "inet", "other").stdout
    marked, seen = map(int, re.findall(r"counter packets (\d+)", other))
    assert marked == 0 and seen > 0
