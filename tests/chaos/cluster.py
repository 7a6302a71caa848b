"""The hosts of the cluster and what happens to them, whatever balances there."""

from lab import VIP, VIP6, Lab
from lab.programs import program

from .load import Load
from .plan import AT_FIRST, BALANCERS, MEMBERS

HASHED, DRAWN, UDP = 80, 25, 5060
FIRST_PORT = 20000
PROBES = 200  # in a second


def targets(connections, with_ipv6):
    """What load.c is to keep busy: so many connections, and UDP flows beside them."""
    drawn, udp = connections // 4, connections // 8
    tcp6, udp6 = (connections // 5, udp // 3) if with_ipv6 else (0, 0)
    words = [f"hashed,tcp,{VIP},{HASHED},{connections - drawn - tcp6}",
             f"drawn,tcp,{VIP},{DRAWN},{drawn}",
             f"udp,udp,{VIP},{UDP},{udp - udp6},{FIRST_PORT}",
             f"probe,probe,{VIP},{HASHED},{PROBES}"]
    if with_ipv6:
        words += [f"hashed6,tcp,{VIP6},{HASHED},{tcp6}",
                  f"udp6,udp,{VIP6},{UDP},{udp6},{FIRST_PORT}"]
    return words


class Cluster:
    """Close it, or use it as a context manager, as a Lab."""

    def __init__(self, with_ipv6):
        self.with_ipv6 = with_ipv6
        self.lab = Lab(dict.fromkeys(BALANCERS + MEMBERS),
                       vips=(VIP, VIP6) if with_ipv6 else (VIP,))
        self.load = None
        for node in self.lab:
            if node.name not in (*BALANCERS, *AT_FIRST):
                self.lab.boot(node)  # it has not been set up yet: no VIPs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def _serve(self, name):
        ports = (f"tcp={HASHED}", f"tcp={DRAWN}", f"udp={UDP}")
        echo = self.lab[name].popen(program("chaos-echo"), name, *ports, stdout=True)
        echo.read_line(20, expected="ready")

    def start(self, name, start_balancer):
        """Starts what runs on a host. It has the VIPs when all of that runs, and not before: it
        would answer ARP for them, and reset connections to them."""
        start_balancer(name)
        if name in MEMBERS:
            self._serve(name)
        self.lab.add_vips(self.lab[name])

    def start_load(self, connections, pace):
        self.load = Load(self.lab.client, targets(connections, self.with_ipv6), pace)
        self.load.wait_open()
        assert self.load.wait_settled() == 0, "flows are stuck before anything has happened"
        self.load.mark()

    def crash(self, name):
        """A host is dead: its cable is cut, its programs are killed, its flows are lost."""
        self.lab.crash(self.lab[name])
        self.load.bury(name)

    def boot(self, name, start_balancer):
        """A host starts again, with an empty kernel."""
        self.lab.boot(self.lab[name])
        self.start(name, start_balancer)
