"""Topologies: a switch with hosts on it, a client, perhaps behind a router.

        client ---- [router] ---- switch ---- fe5, fe6, ... (nodes)

The segment is 192.0.2.0/24 and 2001:db8:1::/64; node feN has the addresses 192.0.2.N and
2001:db8:1::N (the same digits) and the MAC 02:00:00:00:00:NN. The client is 192.0.2.200 and
2001:db8:1::200 on the segment itself; behind the router it is 203.0.113.1, 2001:db8:f::1, and every
address of 198.18.0.0/16 and 2001:db8:c::/64.
"""

import atexit
import contextlib
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from .host import Host
from .namespace import PREFIX, sweep
from .node import Node
from .programs import program
from .wait import wait_until

SUBNET, SUBNET6 = "198.51.100.48/29", "2001:db8:2::30/125"
VIP, VIP6 = "192.0.2.100", "2001:db8:1::100"
DUAL_STACK = (VIP, SUBNET, VIP6, SUBNET6)
SEGMENT, SEGMENT6 = "192.0.2", "2001:db8:1:"
NETWORKS = [ipaddress.ip_network(f"{SEGMENT}.0/24"), ipaddress.ip_network(f"{SEGMENT6}:/64")]
SYNC_GROUP = "239.192.8.148"
CLIENT_NUMBER = 200
ROUTER_NUMBER = 254
CLIENT_NETWORK, CLIENT_NETWORK6 = "198.18.0.0/16", "2001:db8:c::/64"


@contextlib.contextmanager
def uninterrupted():
    """Cleaning up goes on to its end, however often Ctrl-C is pressed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def number_of(name):
    """The number at the end of a node's name: its address and MAC carry it."""
    match = re.search(r"(\d+)$", name)
    assert match, f"the name of node {name} has no number at its end"
    return int(match[1])


def is_on_segment(vip):
    network = ipaddress.ip_network(vip)
    return any(network.version == other.version and network.subnet_of(other) for other in NETWORKS)


class Lab:
    """A cluster. Close it, or use it as a context manager, and nothing of it remains.

    mtu: of the link between the router and the client. The client sends no longer packets, but
    asks for segments of TCP as for 1500 bytes, so what members answer is too big for the router.
    """

    def __init__(self, names, router=False, vips=(VIP, SUBNET), mtu=1500):
        self.vips = list(vips)
        self.mtu = mtu
        self.nodes = {}
        self.router = None
        self._hosts = []
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
        self.directory.chmod(0o755)
        atexit.register(self.close)
        try:
            self._build(names, router)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getitem__(self, name):
        return self.nodes[name]

    def __iter__(self):
        return iter(self.nodes.values())

    # --- topology ----------------------------------------------------------

    def _build(self, names, router):
        self.switch = self._add(Host("switch", self.directory))
        self.switch.disable_ipv6()
        self.switch.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.switch.ip("link", "set", "br0", "up")
        for name in names:
            node = self._add(Node(name, self.directory, number_of(name)))
            self.nodes[name] = node
            self.plug(node)
        self.client = self._add(Host("client", self.directory))
        if router:
            self._add_router()
        else:
            self._connect(self.client, CLIENT_NUMBER)
            self._route_vips(self.client)

    def _add(self, host):
        self._hosts.append(host)
        return host

    def _connect(self, host, number):
        """Gives a host its eth0 on the switch."""
        mac = f"02:00:00:00:00:{number:02x}"
        self.switch.ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0",
                       "address", mac, "netns", host.namespace.name)
        self.switch.ip("link", "set", host.name, "master", "br0", "up")
        host.ip("addr", "add", f"{SEGMENT}.{number}/24", "dev", "eth0")
        host.ip("addr", "add", f"{SEGMENT6}:{number}/64", "dev", "eth0")
        host.ip("link", "set", "eth0", "up")
        host.wait_for_link()

    def _route_vips(self, host):
        """VIPs of other networks are reached on the segment, each by its own ARP."""
        for vip in self.vips:
            if not is_on_segment(vip):
                host.ip("route", "add", vip, "dev", "eth0")

    def _route_default(self, node):
        node.ip("route", "add", "default", "via", f"{SEGMENT}.{ROUTER_NUMBER}")
        node.ip("-6", "route", "add", "default", "via", f"{SEGMENT6}:{ROUTER_NUMBER}")

    def _add_router(self):
        self.router = self._add(Host("router", self.directory))
        self.router.set_sysctl("ipv4/ip_forward", 1)
        self.router.set_sysctl("ipv6/conf/all/forwarding", 1)
        self._connect(self.router, ROUTER_NUMBER)
        self._route_vips(self.router)
        self.router.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth0",
                       "netns", self.client.namespace.name)
        self.router.ip("link", "set", "eth1", "up", "mtu", self.mtu)
        self.client.ip("link", "set", "eth0", "up")
        self._connect_client("203.0.113.{}", 24, CLIENT_NETWORK, 40)
        self._connect_client("2001:db8:f::{}", 64, CLIENT_NETWORK6, 60)
        self.client.wait_for_link()
        for node in self:
            self._route_default(node)

    def _connect_client(self, address, length, network, headers):
        """Puts client and router on one link, and the client's own network behind the client."""
        client, router = address.format(1), address.format(ROUTER_NUMBER)
        self.router.ip("addr", "add", f"{router}/{length}", "dev", "eth1")
        self.client.ip("addr", "add", f"{client}/{length}", "dev", "eth0")
        self.client.ip("route", "add", "local", network, "dev", "lo")
        family = "-6" if ":" in address else "-4"
        self.client.ip(family, "route", "add", "default", "via", router,
                       "mtu", self.mtu, "advmss", 1500 - headers)
        self.router.ip("route", "add", network, "via", client)

    def plug(self, node):
        """Gives a node an interface, again if it had been removed; VIPs stay on lo."""
        self._attach(node)
        self.add_vips(node)

    def _attach(self, node):
        self._connect(node, node.number)
        if self.router:
            self._route_default(node)

    def add_vips(self, node):
        """Puts the VIPs on a node's lo."""
        for address in self.vip_addresses():
            length = 128 if ":" in address else 32
            node.ip("addr", "replace", f"{address}/{length}", "dev", "lo")

    def vip_addresses(self):
        """All addresses of the VIPs; of a subnet the first and the last as well."""
        return [str(address) for vip in self.vips for address in ipaddress.ip_network(vip)]

    def unplug(self, node):
        """Removes a node's interface, as when its driver is unloaded."""
        self.switch.ip("link", "delete", node.name)

    def cut(self, node):
        """Pulls a node's cable out of the switch."""
        self.switch.ip("link", "set", node.name, "down")

    def mend(self, node):
        """Puts it in again."""
        self.switch.ip("link", "set", node.name, "up")
        node.wait_for_link()

    def crash(self, node):
        """A node falls silent: not even the end of its programs is seen on the segment."""
        self.cut(node)
        node.kill_all()

    def boot(self, node):
        """Starts a node's kernel anew, crashed or not: with addresses of its own, without VIPs."""
        self.unplug(node)
        node.reset()
        self._attach(node)

    # --- cluster -----------------------------------------------------------

    def group(self, weights=None, balancers=None, services=None, **changes):
        """The settings of group A: all nodes are members of weight 100 unless told otherwise.

        weights: {name: weight} of the members; balancers: names (default: all members)
        """
        weights = weights or {name: 100 for name in self.nodes}
        balancers = list(weights) if balancers is None else balancers
        members = []
        for name, weight in weights.items():
            member = {"name": name, "address": self.address(name), "weight": weight}
            members.append(member | ({"balancer": True} if name in balancers else {}))
        outside = [{"name": name, "address": self.address(name)}
                   for name in balancers if name not in weights]
        group = {"name": "A", "vips": self.vips, "members": members}
        group |= {"balancers": outside} if outside else {}
        services = services or [{"name": "web", "protocol": "tcp", "ports": "80"}]
        return group | {"services": services} | changes

    def address(self, name):
        return f"{SEGMENT}.{number_of(name)}"

    def address6(self, name):
        return f"{SEGMENT6}:{number_of(name)}"

    def configure(self, group=None, only=None, sync=None, **top):
        """Writes the configuration of all nodes, or of those in only.

        sync: its settings, or True for those that suit this segment.
        """
        if sync:
            top["sync"] = self.sync() if sync is True else sync
        for name in only or self.nodes:
            self[name].write_conf(top | {"groups": [group or self.group()]})

    def sync(self, key="sync.key", **changes):
        """Settings of sync by multicast, with a key of this name."""
        path = self.directory / key
        if not path.exists():
            done = self.switch.run(program("droverctl"), "keygen", path, check=False)
            assert done.returncode == 0, done.stderr
        return {"multicast": SYNC_GROUP, "key_file": str(path)} | changes

    def start(self, *names):
        """Starts droverd on these nodes, or all."""
        for name in names or self.nodes:
            self[name].start_droverd()

    def launch(self, group=None, active="fe5", tcp="80", udp="", hasty=False, **top):
        """The usual beginning: configuration, servers, daemons, and one active balancer.

        hasty: the kernel notices a lost neighbour in two seconds instead of up to a minute.
        """
        self.configure(group, **top)
        self.serve(tcp, udp)
        for node in self if hasty else ():
            node.hasten_neighbours()
        self.start()
        self.activate(active)

    def activate(self, name):
        """Gives the duty to a node, and waits until all its members are in the kernel's table."""
        self[name].ctl("activate")
        self.wait_serving(name)

    def activate_without(self, name, dead):
        """Gives the duty to a node whose fellow is dead, which it has not noticed yet."""
        self[name].ctl("activate")
        wait_until(lambda: self[name].member(dead)["state"] == "unreachable", 40,
                   f"{name} noticing that {dead} is dead")
        self.wait_serving(name, *(other for other in self.nodes if other != dead))

    def wait_serving(self, balancer, *names):
        """Waits until the balancer serves with these members, or with all that have weight."""
        def serving():
            members = self[balancer].group()["members"]
            wanted = [member for member in members
                      if (member["name"] in names if names else member["configured_weight"])]
            in_sync = self[balancer].ctl("status")["kernel"]["in_sync"]
            return in_sync and all(member["state"] == "serving" for member in wanted)
        wait_until(serving, 15, f"members serving on {balancer}")

    def wait_known(self, count, *names, timeout=15):
        """Waits until these nodes, or all that run droverd, know so many connections."""
        nodes = [self[name] for name in names] or [node for node in self if node.is_running]
        for node in nodes:
            wait_until(lambda node=node: node.connections() == count, timeout,
                       f"{node.name} knowing {count} connections")

    def serve(self, tcp="80", udp=""):
        """Starts echo servers on all nodes."""
        for node in self:
            node.serve(tcp, udp)

    # --- end --------------------------------------------------------------

    def logs(self):
        """What all daemons have written, for the report of a failed test."""
        return {node.name: node.log() for node in self if node.log()}

    def close(self):
        """Ends everything; a second call does nothing."""
        hosts, self._hosts = self._hosts, []
        with uninterrupted():
            for host in reversed(hosts):
                try:
                    host.close()
                except (OSError, subprocess.SubprocessError) as error:
                    print(f"cannot close {host.name}: {error}")
            shutil.rmtree(self.directory, ignore_errors=True)
        atexit.unregister(self.close)
