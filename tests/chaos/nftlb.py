"""nftlb as the balancer of the cluster, for what it has a command for: lb1 has the duty, always."""

import http.client
import json

from lab import VIP
from lab.wait import wait_until

from .cluster import DRAWN, HASHED, UDP
from .plan import AT_FIRST, BALANCERS

KEY = "chaos"
PORT = 5555
HASH = "srcip srcport"
KINDS = {"nothing", "member added", "member removed", "member drained", "member enabled",
         "member reweighted", "member killed", "member returned", "node rebooted",
         "daemon restarted", "daemon killed", "ruleset flushed"}
# Not "udp": nftlb makes the name of a farm that of a chain, and nft takes it for its own word.
FARMS = {"hashed": ("tcp", HASHED), "drawn": ("tcp", DRAWN), "datagrams": ("udp", UDP)}


class Nftlb:
    """Farms of mode dsr. sessions: nftlb remembers where each flow has gone (persistence)."""

    def __init__(self, cluster, sessions):
        self.name = "nftlb with sessions" if sessions else "nftlb"
        self.cluster = cluster
        self.lab = cluster.lab
        self.host = self.lab[BALANCERS[0]]
        self.sessions = sessions
        self.backends = {name: {"state": "up", "weight": "100"} for name in AT_FIRST}
        self.notes = []
        self._process = None
        self._started = set()
        self._log = open(self.lab.directory / "nftlb.log", "a", encoding="utf-8")

    def supports(self, event):
        """Not what would take the only balancer away."""
        return event.kind in KINDS and (event.kind, event.host) != ("node rebooted",
                                                                    self.host.name)

    # --- nftlb ---------------------------------------------------------------

    def _backend(self, name):
        address = {"name": name, "ip-addr": self.lab.address(name),
                   "ether-addr": self.lab[name].mac}
        return address | self.backends[name]

    def _farm(self, name):
        protocol, port = FARMS[name]
        farm = {"name": name, "family": "ipv4", "iface": "eth0", "oface": "eth0",
                "ether-addr": self.host.mac, "virtual-addr": VIP, "virtual-ports": str(port),
                "protocol": protocol, "mode": "dsr", "scheduler": "hash", "sched-param": HASH,
                "state": "up", "backends": [self._backend(member) for member in self.backends]}
        return farm | ({"persistence": HASH} if self.sessions else {})

    def _run(self):
        path = self.lab.directory / "nftlb.json"
        path.write_text(json.dumps({"farms": [self._farm(name) for name in FARMS]}))
        self._process = self.host.popen("nftlb", "-k", KEY, "-l", "3", "-L", "2", "-H", "127.0.0.1",
                                        "-c", path, stderr=self._log)
        wait_until(self._answers, 20, "nftlb answering")

    def _answers(self):
        assert self._process.poll() is None, f"nftlb ended with {self._process.returncode}"
        try:
            return self._ask("GET", "/farms/hashed")
        except OSError:
            return False

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        self.host.call(connection.connect)
        try:
            connection.request(method, path, body and json.dumps(body), {"Key": KEY})
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        assert reply.status == 200, f"nftlb: {method} {path}: {reply.status} {text}"
        return text

    # --- the same words as in drover.py --------------------------------------

    def start(self):
        """The VIP is on eth0: nftlb takes the interface that has it."""
        for name in dict.fromkeys((*BALANCERS, *self.backends)):
            self.cluster.start(name, self.start_node)
        self.host.ip("addr", "del", f"{VIP}/32", "dev", "lo")
        self.host.ip("addr", "add", f"{VIP}/32", "dev", "eth0")
        self._run()

    def start_node(self, name):
        """A member keeps silent about the VIP on its lo, as nftlb's users are told to arrange."""
        self._started.add(name)
        if name != self.host.name:
            self.lab[name].set_sysctl("ipv4/conf/all/arp_ignore", 1)
            self.lab[name].set_sysctl("ipv4/conf/all/arp_announce", 2)

    def _change(self, member, **settings):
        self.backends.setdefault(member, {}).update(settings)
        backend = self._backend(member)
        self._ask("PUT", "/farms", {"farms": [{"name": name, "backends": [backend]}
                                              for name in FARMS]})

    def add(self, member):
        if member not in self._started:
            self.cluster.start(member, self.start_node)
        self._change(member, state="up", weight="100")

    def remove(self, member):
        del self.backends[member]
        for name in FARMS:
            self._ask("DELETE", f"/farms/{name}/backends/{member}")

    def drain(self, member):
        self._change(member, state="off")

    def enable(self, member):
        self._change(member, state="up")

    def weight(self, member, weight):
        self._change(member, weight=str(weight))

    def declare_dead(self, host):
        self._change(host, state="down")

    def declare_alive(self, host):
        self._change(host, state="up")

    def restart(self, _, kill):
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(20)
        self._run()

    def flush(self, everywhere):
        """Nothing notices. So that the trial goes on, nftlb is restarted by hand at once."""
        del everywhere
        self.host.run("nft", "flush", "ruleset")
        self.notes.append("rules that were flushed came back only when nftlb was restarted")
        self.restart(None, kill=False)

    def wait_settled(self):
        """An answer of nftlb says that the kernel has the change."""

    def complaints(self):
        if self._process.poll() is not None:
            yield f"nftlb ended with {self._process.returncode}"
