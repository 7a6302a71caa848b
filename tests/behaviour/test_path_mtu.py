"""Path MTU discovery through a balancer: "too big" must reach the member that sent too much."""

import pytest

from lab import VIP, VIP6

NODES = ["fe5", "fe6", "fe7"]
MTU, SIZE, CONNECTIONS = 1280, 20000, 12
BOTH = pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
# (scheduler, persistence) -> port
SERVICES = {("hash", 0): 8000, ("source", 0): 8001, ("rr", 0): 8002, ("random", 60): 8003}


@pytest.fixture
def lab(make_lab):
    """A cluster whose clients are behind a link of 1280 bytes."""
    made = make_lab(NODES, router=True, vips=(VIP, VIP6), mtu=MTU)
    for node in made:
        # The guess that would help without ICMP errors, if slowly.
        node.set_sysctl("ipv4/tcp_mtu_probing", 0)
    services = [{"name": f"{protocol}-{scheduler}-{persistence}", "protocol": protocol,
                 "ports": str(port), "scheduler": scheduler, "persistence": persistence}
                for protocol in ("tcp", "udp")
                for (scheduler, persistence), port in SERVICES.items()]
    made.launch(made.group(services=services), tcp="8000-8003", udp="8000-8003")
    return made


def client_address(vip, number):
    """Each client finds a path of its own: what members know of one says nothing of another."""
    return f"198.18.0.{number}" if vip == VIP else f"2001:db8:c::{number}"


def informed(lab, vip, client):
    """The members that have been told how much the path to a client takes."""
    names = set()
    for node in lab:
        words = node.ip("route", "get", client, "from", vip).split()
        if "mtu" in words:
            assert words[words.index("mtu") + 1] == str(MTU)
            names.add(node.name)
    return names


@BOTH
def test_large_answers_arrive(lab, vip):
    for number, ((scheduler, persistence), port) in enumerate(SERVICES.items(), 1):
        client = client_address(vip, number)
        assert informed(lab, vip, client) == set()
        answers = lab.client.connect(vip, port, CONNECTIONS, source=client, size=SIZE,
                                     first_port=20000)
        assert not answers.failures and answers.total == CONNECTIONS, (scheduler, answers)
        assert len(answers.by_member) == (1 if scheduler == "source" or persistence else 3)
        assert informed(lab, vip, client) == set(answers.by_member), (scheduler, persistence)


@BOTH
def test_large_answers_hang_without_the_error(lab, vip):
    """Proves that it is the error that helps above, and nothing else."""
    lab.router.load_ruleset(
        "table inet other { chain output { type filter hook output priority 0; "
        "icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }")
    client = client_address(vip, 1)
    answers = lab.client.connect(vip, 8000, CONNECTIONS, source=client, size=SIZE, patience=1)
    assert len(answers.failures) == CONNECTIONS and informed(lab, vip, client) == set()


@BOTH
def test_datagrams_in_turns_inform_every_member(lab, vip):
    """Nobody can tell who sent the one that was too big. It is lost, as on any such path."""
    client = client_address(vip, 1)
    first = lab.client.datagrams(vip, SERVICES["rr", 0], 1, source=client, size=1400, patience=1)
    assert len(first.failures) == 1 and informed(lab, vip, client) == set(NODES)
    answers = lab.client.datagrams(vip, SERVICES["rr", 0], 6, source=client, size=1400)
    assert not answers.failures and set(answers.by_member) == set(NODES)
