"""The four schedulers, on TCP and on UDP."""

from collections import Counter

import pytest

from lab import VIP

WEIGHTS = {"fe5": 100, "fe6": 100, "fe7": 50}
EXPECTED = {"fe5": 0.4, "fe6": 0.4, "fe7": 0.2}


def launch(make_lab, scheduler, **options):
    """A cluster whose tcp 80 and udp 5060 use the scheduler."""
    lab = make_lab(["fe5", "fe6", "fe7"], **options)
    services = [
        {"name": "web", "protocol": "tcp", "ports": "80", "scheduler": scheduler},
        {"name": "sip", "protocol": "udp", "ports": "5060", "scheduler": scheduler},
    ]
    lab.launch(lab.group(WEIGHTS, services=services), tcp="80", udp="5060")
    return lab


def assert_shares(answers, tolerance):
    assert not answers.failures, answers
    for name, share in EXPECTED.items():
        assert abs(answers.share(name) - share) <= tolerance, answers


def test_hash_keeps_a_client_port_with_its_member(make_lab):
    client = launch(make_lab, "hash").client
    for port in (30000, 30001, 30002):
        answers = client.datagrams(VIP, 5060, 50, first_port=port)
        assert not answers.failures and len(answers.by_member) == 1, answers
    assert_shares(client.datagrams(VIP, 5060, 1500, ports=1500, first_port=20000), 0.04)


def test_hash_is_the_same_for_tcp_and_udp_and_every_time(make_lab):
    client = launch(make_lab, "hash").client
    runs = [client.datagrams(VIP, 5060, 200, ports=200, first_port=20000).order for _ in range(2)]
    held = client.hold(VIP, 80, 200, first_port=20000).stop()["members"]
    assert runs[0] == runs[1] == [held[str(20000 + index)] for index in range(200)]


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_source_keeps_a_client_address_with_its_member(make_lab, kind):
    lab = launch(make_lab, "source", router=True)

    def ask(count, **spec):
        if kind == "tcp":
            return lab.client.connect(VIP, 80, count, **spec)
        return lab.client.datagrams(VIP, 5060, count, ports=count, **spec)

    for address in ("198.18.1.1", "198.18.7.7"):
        answers = ask(60, source=address)
        assert not answers.failures and len(answers.by_member) == 1, answers
    sources = [f"198.18.{third}.{fourth}" for third in range(10, 14) for fourth in range(1, 251)]
    assert_shares(ask(len(sources), sources=sources), 0.06)


def test_rr_deals_datagrams_out_in_turns(make_lab):
    client = launch(make_lab, "rr").client
    answers = client.datagrams(VIP, 5060, 500, first_port=30000)
    assert not answers.failures
    for name, share in EXPECTED.items():
        assert abs(answers.by_member[name] - 500 * share) <= 3, answers
    for begin in range(0, 500, 10):
        turn = Counter(answers.order[begin:begin + 10])
        assert all(abs(turn[name] - 10 * share) <= 1 for name, share in EXPECTED.items()), turn


@pytest.mark.slow_with_sanitizers
def test_random_spreads_datagrams(make_lab):
    client = launch(make_lab, "random").client
    answers = client.datagrams(VIP, 5060, 2000, first_port=30000)
    assert_shares(answers, 0.06)
    cycle = [answers.order[index] == answers.order[index + 5] for index in range(1900)]
    assert sum(cycle) < 1000, "that looks like turns, not like chance"


@pytest.mark.parametrize("scheduler, tolerance", [("rr", 0.02), ("random", 0.10)])
def test_a_tcp_connection_stays_where_its_first_packet_went(make_lab, scheduler, tolerance):
    client = launch(make_lab, scheduler).client
    held = client.hold(VIP, 80, 500, first_port=20000)
    held.wait_rounds(4)
    report = held.stop()
    assert report["alive"] == 500 and not report["failures"]
    spread = Counter(report["members"].values())
    for name, share in EXPECTED.items():
        assert abs(spread[name] / 500 - share) <= tolerance, spread
