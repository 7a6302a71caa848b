"""VIPs of IPv6: everything that balancing is, beside IPv4 or without it."""

import ipaddress
from collections import Counter

import pytest

from lab import VIP, VIP6
from lab.cluster import CLIENT_NUMBER, SEGMENT6

NODES = ["fe5", "fe6", "fe7"]
SUBNET = "2001:db8:2::30/124"
CLIENT = f"{SEGMENT6}:{CLIENT_NUMBER}"
CLIENT_MAC = f"02:00:00:00:00:{CLIENT_NUMBER:02x}"
SCHEDULERS = {"hash": 8000, "source": 8001, "rr": 8002, "random": 8003}
COUNT = 60


def service(name, protocol, ports=None, **settings):
    return {"name": name, "protocol": protocol} | settings | ({"ports": ports} if ports else {})


def of_schedulers(**settings):
    return [service(f"{protocol}-{scheduler}", protocol, str(port), scheduler=scheduler,
                    **settings)
            for protocol in ("tcp", "udp") for scheduler, port in SCHEDULERS.items()]


def launch(make_lab, services, vips=(VIP6,), **settings):
    lab = make_lab(NODES, vips=vips)
    lab.launch(lab.group(services=services, **settings), tcp="80,8000-8009",
               udp="53,8000-8009")
    return lab


def hold(lab, vip, port):
    """{client port: member} of connections that have stayed with their members for a while."""
    running = lab.client.hold(vip, port, COUNT, first_port=20000, pause=0.02)
    running.wait_rounds(3)
    report = running.stop()
    assert report["alive"] == COUNT and not report["failures"]
    return report["members"]


def ask(lab, kind, vip, port, count=COUNT, **spec):
    """Counter of the members that answered; from so many client ports."""
    if kind == "tcp":
        answers = lab.client.connect(vip, port, count, first_port=20000, **spec)
    else:
        answers = lab.client.datagrams(vip, port, count, ports=count, first_port=20000, **spec)
    assert not answers.failures and answers.total == count, answers
    return answers.by_member


def test_schedulers(make_lab):
    lab = launch(make_lab, of_schedulers())
    held = {name: hold(lab, VIP6, port) for name, port in SCHEDULERS.items()}
    datagrams = {name: lab.client.datagrams(VIP6, port, COUNT, ports=COUNT, first_port=20000)
                 for name, port in SCHEDULERS.items()}
    assert list(held["hash"].values()) == datagrams["hash"].order
    assert set(held["source"].values()) == set(datagrams["source"].order)
    assert len(set(held["source"].values())) == 1
    for turns in (Counter(held["rr"].values()), datagrams["rr"].by_member):
        assert all(abs(turns[name] - COUNT / 3) <= 1 for name in NODES), turns
    for spread in (held["hash"], held["random"]):
        assert set(spread.values()) == set(NODES)
    assert set(datagrams["random"].by_member) == set(NODES)


def test_sets_and_ranges_of_ports(make_lab):
    lab = launch(make_lab, [
        service(f"{kind}-{name}", kind, ports, members=members)
        for kind in ("tcp", "udp")
        for name, ports, members in (("one", "8000", ["fe5"]), ("set", "8001,8003", ["fe6"]),
                                     ("range", "8004-8006", ["fe7"]),
                                     ("mixed", "8002,8007-8009", ["fe5", "fe6"]))])
    expected = {8000: {"fe5"}, 8001: {"fe6"}, 8003: {"fe6"}, 8004: {"fe7"}, 8006: {"fe7"},
                8002: {"fe5", "fe6"}, 8007: {"fe5", "fe6"}, 8009: {"fe5", "fe6"}}
    for port, names in expected.items():
        assert set(ask(lab, "tcp", VIP6, port, 20)) == names, port
        assert set(ask(lab, "udp", VIP6, port, 20)) == names, port


def test_a_service_of_all_ports(make_lab):
    lab = launch(make_lab, [service("web", "tcp", "80", members=["fe6"]),
                            service("rest", "any", members=["fe5", "fe7"])])
    assert set(ask(lab, "tcp", VIP6, 80)) == {"fe6"}
    for kind, port in (("tcp", 8000), ("udp", 8000), ("udp", 53)):
        assert set(ask(lab, kind, VIP6, port)) == {"fe5", "fe7"}, (kind, port)


def test_replies_to_connections_that_members_opened(make_lab):
    ranges = {"fe5": "33000-33999", "fe6": "34000-34999", "fe7": "35000-35999"}
    lab = make_lab(NODES, vips=(VIP, VIP6))
    group = lab.group()
    for member in group["members"]:
        member["outgoing"] = ranges[member["name"]]
    lab.launch(group)
    lab.client.serve(tcp="8080", udp="8080")
    for name, ports in ranges.items():
        spec = {"source": VIP6, "first_port": int(ports.split("-", maxsplit=1)[0])}
        for answers in (lab[name].connect(CLIENT, 8080, 20, **spec),
                        lab[name].datagrams(CLIENT, 8080, 20, ports=20, **spec)):
            assert not answers.failures and answers.by_member == {"client": 20}, (name, answers)


def test_both_families_at_once(make_lab):
    lab = launch(make_lab, of_schedulers(), vips=(VIP, VIP6))
    for vip in (VIP, VIP6):
        for kind in ("tcp", "udp"):
            assert set(ask(lab, kind, vip, SCHEDULERS["hash"])) == set(NODES), (vip, kind)
            assert set(ask(lab, kind, vip, SCHEDULERS["rr"])) == set(NODES), (vip, kind)


def test_every_address_of_a_subnet_is_a_vip(make_lab):
    lab = launch(make_lab, of_schedulers(), vips=(VIP6, SUBNET))
    expected = ask(lab, "tcp", VIP6, SCHEDULERS["hash"], 20)
    for address in ipaddress.ip_network(SUBNET):
        found = ask(lab, "tcp", str(address), SCHEDULERS["hash"], 20)
        assert found == expected, address


@pytest.mark.parametrize("first, second", [(VIP, VIP6), (VIP6, VIP), (VIP6, "2001:db8:1::101")])
def test_groups_of_different_families(make_lab, first, second):
    lab = make_lab(NODES, vips=(first, second))
    groups = [lab.group({name: 100 for name in members}, NODES, name=group, vips=[vip])
              for group, vip, members in (("A", first, ["fe5", "fe6"]),
                                          ("B", second, ["fe6", "fe7"]))]
    for node in lab:
        node.write_conf({"groups": groups})
    lab.serve()
    lab.start()
    lab.activate("fe5")
    assert set(ask(lab, "tcp", first, 80)) == {"fe5", "fe6"}
    assert set(ask(lab, "tcp", second, 80)) == {"fe6", "fe7"}


def test_a_client_whose_address_looks_like_a_vip_of_ipv4(make_lab):
    """In its header 192.0.2.100 is where an IPv4 packet has its destination."""
    lab = launch(make_lab, of_schedulers(), vips=(VIP, VIP6))
    client = "2001:db8:1:0:c000:264:0:1"
    lab.client.ip("addr", "add", f"{client}/64", "dev", "eth0")
    for kind in ("tcp", "udp"):
        members = ask(lab, kind, VIP6, SCHEDULERS["hash"], source=client)
        assert set(members) == set(NODES), kind


def test_two_active_balancers_do_not_loop(make_lab):
    """Each thinks that the other one should serve."""
    lab = launch(make_lab, of_schedulers())
    lab.activate("fe6")
    for name in ("fe5", "fe6"):
        for other in ("fe7", name):
            lab[name].ctl("disable", other)
        # It would ask as the VIP, and the client would answer whom it is steered to.
        lab[name].ip("neigh", "replace", CLIENT, "lladdr", CLIENT_MAC, "dev", "eth0")
    with lab.switch.capture() as capture:
        for name, server in (("fe5", "fe6"), ("fe6", "fe5")):
            lab.client.ip("neigh", "replace", VIP6, "lladdr", lab[name].mac, "dev", "eth0",
                          "nud", "permanent")
            for kind in ("tcp", "udp"):
                assert set(ask(lab, kind, VIP6, SCHEDULERS["hash"])) == {server}
    sent = Counter(frame.packet for frame in capture.frames(incoming_only=True)
                   if frame.is_ip6 and frame.destination == VIP6 and frame.interface != "br0")
    # A retransmission of TCP may be the same packet once more.
    assert len(sent) > 4 * COUNT and set(sent.values()) <= {2, 4}


def test_explain_agrees_with_what_happens(make_lab):
    lab = launch(make_lab, of_schedulers(), vips=(VIP6, SUBNET))
    for scheduler in ("hash", "source"):
        port = SCHEDULERS[scheduler]
        for client_port, member in list(hold(lab, VIP6, port).items())[:10]:
            explained = lab["fe5"].ctl("explain", "tcp", f"[{CLIENT}]:{client_port}",
                                       f"[{VIP6}]:{port}")
            assert explained["member"] == member, explained
