"""SIP over UDP with a real tool, through drover-helper's balancer, in both directions."""

import pytest

from lab import VIP, sip, wait_until

CALLS = 40
OUTGOING = {"fe5": 33000, "fe6": 34000, "fe7": 35000}
CLIENT = "192.0.2.200"


@pytest.fixture
def lab(make_lab):
    """A cluster that balances SIP by hash: the messages of a call meet one server."""
    lab = make_lab(["fe5", "fe6", "fe7"], vips=(VIP,))
    members = [{"name": name, "address": lab.address(name), "outgoing": f"{first}-{first + 999}"}
               for name, first in OUTGOING.items()]
    services = [{"name": "sip", "protocol": "udp", "ports": "5060"}]
    for node in lab:
        (node.directory / "vipaddrs").write_text(f"{VIP}\n")
        node.start_helper({"groups": [{"name": "A", "members": members, "services": services}]})
    listed = " ".join(f"{lab.address(name)}:100" for name in OUTGOING)
    lab["fe5"].helper.tell(f"SERVERS {listed}")
    lab["fe5"].helper.tell("ACTIVE A")
    lab.wait_serving("fe5")
    return lab


def wait_bound(host, address):
    wait_until(lambda: f"{address}:5060" in host.run("ss", "-Huln").stdout, 20,
               f"a SIP server on {address} of {host.name}")


def test_calls_from_a_client(lab):
    """Each call from a port of its own; INVITE, ACK and BYE reach the same member."""
    servers = {node.name: sip.Server(node, VIP) for node in lab}
    for node in lab:
        wait_bound(node, VIP)
    for port in range(6000, 6008):
        sip.calls(lab.client, f"{VIP}:5060", CALLS // 8, "-i", CLIENT, "-p", port)
    invites = {name: server.requests("INVITE") for name, server in servers.items()}
    byes = {name: server.requests("BYE") for name, server in servers.items()}
    assert sum(invites.values()) == CALLS and invites == byes
    assert sum(count > 0 for count in invites.values()) >= 2, invites


@pytest.mark.parametrize("name", OUTGOING)
def test_calls_by_a_member_from_the_vip(lab, name):
    """The answers of somebody outside come back through the balancer, by the port range."""
    sip.Server(lab.client, CLIENT)
    wait_bound(lab.client, CLIENT)
    sip.calls(lab[name], f"{CLIENT}:5060", CALLS, "-i", VIP, "-p", OUTGOING[name])


@pytest.mark.parametrize("pinged", ["fe6", "fe7"])
def test_a_ping_is_answered_by_the_pinged_member(lab, pinged):
    """Its own address and the Route say whom it is for, whatever the farm would do with it."""
    servers = {}
    for name in ("fe6", "fe7"):
        address = lab.address(name)
        servers[name] = sip.Server(lab[name], address, sip.ANSWER.replace("{name}", name))
        wait_bound(lab[name], address)
    assert sip.ping(lab["fe5"], lab.address(pinged), lab.address("fe5")) == [pinged]
    assert {name: server.requests("OPTIONS") for name, server in servers.items()} == {
        "fe6": int(pinged == "fe6"), "fe7": int(pinged == "fe7")}
    text = servers[pinged].messages.read_text()
    assert f"Route: <sip:{lab.address(pinged)}:5060;lr>" in text
