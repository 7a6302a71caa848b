"""What is balanced: ports, ranges, all ports, subsets of the members, subnets of VIPs."""

import socket
import struct

import pytest

from lab import VIP, patience

NODES = ["fe5", "fe6", "fe7"]
SUBNET_ADDRESSES = [f"198.51.100.{last}" for last in range(48, 56)]
ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY = 8, 0


def launch(make_lab, services, tcp="", udp=""):
    lab = make_lab(NODES)
    lab.launch(lab.group(services=services), tcp=tcp, udp=udp)
    return lab


def names(answers, total):
    assert not answers.failures and answers.total == total, answers
    return set(answers.by_member)


def test_several_ports_and_a_range(make_lab):
    services = [{"name": "mail", "protocol": "tcp", "ports": "25,465,6000-6009"}]
    client = launch(make_lab, services, tcp="25,465,6000-6009").client
    for port in (25, 465, 6000, 6005, 6009):
        assert names(client.connect(VIP, port, 60, first_port=20000), 60) == set(NODES)


@pytest.mark.parametrize("port", [5999, 6010])
def test_a_port_beside_the_range_is_not_distributed(make_lab, port):
    services = [{"name": "range", "protocol": "tcp", "ports": "6000-6009"}]
    client = launch(make_lab, services, tcp="5999-6010").client
    assert names(client.connect(VIP, port, 60, first_port=20000), 60) == {"fe5"}


def test_the_other_protocol_is_not_distributed(make_lab):
    services = [{"name": "dns", "protocol": "udp", "ports": "53"}]
    client = launch(make_lab, services, tcp="53", udp="53").client
    assert names(client.connect(VIP, 53, 60, first_port=20000), 60) == {"fe5"}
    assert names(client.datagrams(VIP, 53, 60, ports=60, first_port=20000), 60) == set(NODES)


def test_a_service_for_all_other_ports(make_lab):
    services = [
        {"name": "web", "protocol": "tcp", "ports": "80", "members": ["fe5"]},
        {"name": "rest", "protocol": "any"},
    ]
    client = launch(make_lab, services, tcp="80,7777", udp="80,9999").client
    assert names(client.connect(VIP, 80, 60, first_port=20000), 60) == {"fe5"}
    assert names(client.connect(VIP, 7777, 60, first_port=20000), 60) == set(NODES)
    for port in (80, 9999):
        answers = client.datagrams(VIP, port, 60, ports=60, first_port=20000)
        assert names(answers, 60) == set(NODES)


def test_a_service_on_a_subset_of_the_members(make_lab):
    services = [
        {"name": "web", "protocol": "tcp", "ports": "80", "members": ["fe6", "fe7"]},
        {"name": "sip", "protocol": "udp", "ports": "5060", "scheduler": "rr",
         "members": ["fe5", "fe7"]},
    ]
    client = launch(make_lab, services, tcp="80", udp="5060").client
    assert names(client.connect(VIP, 80, 100, first_port=20000), 100) == {"fe6", "fe7"}
    assert names(client.datagrams(VIP, 5060, 100, first_port=20000), 100) == {"fe5", "fe7"}


def test_every_address_of_a_vip_subnet(cluster):
    for address in SUBNET_ADDRESSES:
        answers = cluster.client.connect(address, 80, 60, first_port=20000)
        assert names(answers, 60) == set(NODES), address


def ping(host, address):
    """The source MAC of the answer to one echo request."""
    checksum = 0xffff - (ICMP_ECHO_REQUEST << 8) - 0x1234 - 1
    request = struct.pack("!BBHHH", ICMP_ECHO_REQUEST, 0, checksum, 0x1234, 1)
    with host.capture("eth0") as capture:
        with host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                             socket.IPPROTO_ICMP)) as sock:
            sock.settimeout(patience(5))
            sock.sendto(request, (address, 0))
            sock.recv(1000)
    return {frame.from_mac for frame in capture.frames(incoming_only=True)
            if frame.is_ip and frame.protocol == 1 and frame.source == address
            and frame.packet[20] == ICMP_ECHO_REPLY}


def test_the_balancer_answers_echo_requests(cluster):
    for address in (VIP, SUBNET_ADDRESSES[3]):
        assert ping(cluster.client, address) == {cluster["fe5"].mac}


def test_traffic_to_the_hosts_own_addresses_is_left_alone(cluster):
    for name in NODES:
        answers = cluster.client.connect(cluster.address(name), 80, 30, first_port=20000)
        assert names(answers, 30) == {name}
