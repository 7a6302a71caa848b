"""Buckets move while handshakes are in flight, and none of these connections breaks."""

import re
import socket

import pytest

from lab import VIP, VIP6, patience, wait_until

COUNT = 80
NODES = ("fe5", "fe6", "fe7")
# At the client: whatever it has to say after its SYN does not leave yet.
HELD_BACK = """
table inet heldback {
	chain output {
		type filter hook output priority 0;
		tcp dport 80 tcp flags & syn == 0 drop
	}
}
"""


@pytest.fixture
def lab(make_lab):
    made = make_lab(NODES, vips=(VIP, VIP6))
    made.launch(made.group(balancers=["fe5"]), sync=True)
    return made


def half_open(node):
    """The client's ports of the connections that are half-open at a node."""
    listing = node.run("ss", "-Hnt", "state", "syn-recv").stdout
    return {int(port) for port in re.findall(r":(\d+)\s*$", listing, re.MULTILINE)}


def connect(vip):
    sock = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET)
    sock.settimeout(patience(8))
    sock.connect((vip, 80))
    return sock


class Opening:
    """Connections whose last packet of the handshake is held back at the client."""

    def __init__(self, lab, vip):
        self._client = lab.client
        self._client.load_ruleset(HELD_BACK)
        self._sockets = self._client.call(lambda: [connect(vip) for _ in range(COUNT)])
        self.members = {port: node.name for node in lab for port in half_open(node)}
        assert set(self.members) == {sock.getsockname()[1] for sock in self._sockets}
        assert set(self.members.values()) == set(NODES)

    def go_on(self):
        """Lets the client speak; each connection is answered by the member that has it."""
        self._client.run("nft", "delete", "table", "inet", "heldback")
        for sock in self._sockets:
            sock.sendall(b"1\n")
        for sock in self._sockets:
            member = self.members[sock.getsockname()[1]]
            assert sock.recv(100) == f"{member} 1\n".encode()
            sock.close()

    def reset(self):
        """Ends them all before they have begun; that leaves at once."""
        self._client.run("nft", "insert", "rule", "inet", "heldback", "output",
                         "tcp flags & rst == rst accept")
        for sock in self._sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()


# The member that is drained is another one than the balancer, or the balancer itself.
@pytest.mark.parametrize("drained", ["fe7", "fe5"])
@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_handshakes_end_where_they_have_begun(lab, vip, drained):
    opening = Opening(lab, vip)
    lab["fe5"].ctl("drain", drained)
    opening.go_on()
    lab.wait_known(0)


def test_half_open_connections_are_known_and_pinned_while_they_last(lab):
    opening = Opening(lab, VIP)
    lab["fe5"].ctl("drain", "fe7")
    lab.wait_known(COUNT)
    held = list(opening.members.values()).count("fe7")
    wait_until(lambda: lab["fe5"].ctl("flows", "fe7")["members"][0]["pinned"] == held,
               what="pins of half-open connections")
    opening.reset()
    lab.wait_known(0)
