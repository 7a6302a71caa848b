"""Two active balancers behind a router that spreads flows, by the files in contrib/ecmp."""

import ipaddress

import pytest

from lab import SUBNET, wait_until
from lab.programs import REPOSITORY

HELD = 200
BALANCERS = ("lb1", "lb2")
MEMBERS = ("web11", "web12", "web13")
VIP = str(ipaddress.ip_network(SUBNET)[1])
EXAMPLE = REPOSITORY / "contrib/ecmp/drover.conf"


def write_example(lab, scheduler):
    """The example, but for what is this laboratory's: each node's name and files."""
    key_file = lab.sync()["key_file"]
    text = EXAMPLE.read_text().replace("/etc/drover/sync.key", key_file)
    text = text.replace('ports = "80,443"', f'ports = "80,443"; scheduler = "{scheduler}"')
    for node in lab:
        own = f'node = "{node.name}";\ncontrol = "{node.control_path}";\n'
        node.write_conf_text(own + text)


def route(lab, *balancers):
    """What a router's BGP does: the VIPs are reached by way of all of these."""
    hops = [word for name in balancers for word in ("nexthop", "via", lab.address(name))]
    lab.router.ip("route", "replace", SUBNET, *hops)


@pytest.fixture
def make_ecmp(make_lab):
    def make(scheduler="hash"):
        lab = make_lab([*BALANCERS, *MEMBERS], router=True, vips=[SUBNET])
        lab.router.set_sysctl("ipv4/fib_multipath_hash_policy", 1)
        write_example(lab, scheduler)
        lab.serve("80", "53")
        lab.start()
        for name in BALANCERS:
            lab.wait_serving(name)
        route(lab, *BALANCERS)
        return lab
    return make


def hold(lab, **spec):
    held = lab.client.hold(VIP, 80, HELD, **spec)
    lab.wait_known(HELD)
    return held


def carried(lab):
    """Packets that each balancer has forwarded so far."""
    return {name: sum(lab[name].forwarded(member) for member in MEMBERS) for name in BALANCERS}


def assert_whole(held):
    held.wait_rounds(2)
    report = held.report()
    assert report["alive"] == HELD and not report["failures"], report["failures"][:5]


def assert_carries(lab, held, *names):
    """All connections go on, and these balancers carry them, all others nothing."""
    before = carried(lab)
    assert_whole(held)
    after = carried(lab)
    assert {name for name in BALANCERS if after[name] > before[name]} == set(names)


def test_both_balancers_have_the_same_table(make_ecmp):
    lab = make_ecmp()
    assert all(lab[name].is_active() for name in BALANCERS)
    for port in range(40000, 40050):
        flow = ("tcp", f"203.0.113.1:{port}", f"{VIP}:80")
        one, other = (lab[name].ctl("explain", *flow)["member"] for name in BALANCERS)
        assert one == other
    answers = lab.client.connect(VIP, 80, 200)
    assert not answers.failures and set(answers.by_member) == set(MEMBERS)
    assert all(carried(lab).values())


def test_pins_are_on_both_and_a_balancer_may_leave_the_route(make_ecmp):
    lab = make_ecmp()
    held = hold(lab)
    assert_carries(lab, held, "lb1", "lb2")
    lab["lb1"].ctl("weight", "web11", "20")
    lab["lb2"].ctl("drain", "web12")
    wait_until(lambda: all(lab[name].member("web11")["weight"] == 20 and
                           lab[name].member("web12")["state"] == "draining"
                           for name in BALANCERS), what="both balancers knowing of both changes")
    assert_carries(lab, held, "lb1", "lb2")
    pinned = [lab[name].ctl("flows")["totals"]["pinned"] for name in BALANCERS]
    assert pinned[0] == pinned[1] > 0
    for balancers in (("lb2",), ("lb1",), BALANCERS):
        route(lab, *balancers)
        assert_carries(lab, held, *balancers)
    held.stop()


def test_a_balancer_dies(make_ecmp):
    lab = make_ecmp()
    held = hold(lab, patience=30)
    lab["lb2"].ctl("weight", "web11", "20")
    assert_whole(held)
    lab.switch.ip("link", "set", "lb1", "down")
    lab["lb1"].kill_droverd()
    route(lab, "lb2")
    assert_whole(held)
    held.stop()
    assert not lab.client.connect(VIP, 80, 100).failures


@pytest.mark.parametrize("scheduler", ["rr", "random"])
def test_what_was_drawn_is_known_to_others_when_they_are_told_to_look(make_ecmp, scheduler):
    """What a balancer has drawn itself, others do not know until they read it from the ledger."""
    lab = make_ecmp(scheduler)
    held = hold(lab)
    lab["lb2"].ctl("activate")
    route(lab, "lb2")
    assert_carries(lab, held, "lb2")
    held.stop()
