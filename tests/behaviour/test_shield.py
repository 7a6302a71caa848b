"""The shield: what comes while somebody has flushed the rules is dropped, and nothing else is."""

import signal

import pytest

from lab import DUAL_STACK, VIP, VIP6, wait_until

TABLE = "table inet drover-shield"
NODES = ("fe5", "fe6", "fe7", "fe8")
MEMBER, NO_MEMBER = {"fe5": 100, "fe7": 100, "fe8": 50}, {"fe7": 100, "fe8": 50}
SSH, DNS = 22, 53


def tables(node):
    return node.run("nft", "list", "tables").stdout.splitlines()


def dropped(node):
    return node.ctl("status")["shield"]["dropped"]


def flush(node):
    """Flushes the ruleset as a stranger does, and waits until it is back."""
    repairs = node.ctl("status")["kernel"]["repairs"]
    node.run("nft", "flush", "ruleset")
    wait_until(lambda: node.ctl("status")["kernel"]["repairs"] > repairs, what="a repair")


def launch(make_lab, weights, **options):
    """fe5 is active, fe6 a balancer as well; all nodes serve SSH and DNS, drover does not."""
    lab = make_lab(NODES, vips=DUAL_STACK)
    lab.launch(lab.group(weights, balancers=["fe5", "fe6"]), tcp=f"80,{SSH}", udp=str(DNS),
               **options)
    return lab


@pytest.fixture(name="dual")
def dual_stack_lab(make_lab):
    return launch(make_lab, MEMBER)


# --- what it is for ----------------------------------------------------------------


@pytest.mark.parametrize("weights", [MEMBER, NO_MEMBER], ids=["member", "no member"])
def test_a_flush_breaks_no_connection(make_lab, weights):
    lab = launch(make_lab, weights)
    balancer = lab["fe5"]
    held = [lab.client.hold(vip, 80, 150, pause=0.05) for vip in (VIP, VIP6)]
    for _ in range(8):
        flush(balancer)
        for each in held:
            each.wait_rounds(1)
    assert dropped(balancer) > 0, "no packet met a gap: this test has shown nothing"
    reports = [each.stop() for each in held]
    assert [(report["alive"], report["failures"]) for report in reports] == [(150, [])] * 2


def seconds_left(node, port):
    """What conntrack has for a UDP flow from this port; None without an entry."""
    for line in node.run("cat", "/proc/net/nf_conntrack").stdout.splitlines():
        words = line.split()
        if words[2] == "udp" and f"sport={port}" in words:
            return int(words[4])
    return None


def test_what_it_drops_keeps_no_entry_of_conntrack_alive(make_lab):
    """Such an entry would make this host look like the flow's owner, who is another by now."""
    lab = make_lab(["fe5", "fe6"])
    lab.launch(lab.group({"fe5": 100, "fe6": 100}, services=[
        {"name": "dns", "protocol": "udp", "ports": "53"}]), udp="53")
    node = lab["fe5"]
    ports = range(20000, 20016)
    for port in ports:
        assert not lab.client.datagrams(VIP, 53, 4, first_port=port).failures
    port = next(port for port in ports if seconds_left(node, port))
    silent = seconds_left(node, port) - 3
    wait_until(lambda: seconds_left(node, port) <= silent, what="three seconds of silence")
    node.daemon.signal(signal.SIGSTOP)
    # Not all of it: for some 10 ms after a flush, most of the gap, conntrack still works.
    node.run("nft", "delete", "table", "netdev", "drover")
    assert lab.client.datagrams(VIP, 53, 1, first_port=port, patience=0.2).failures
    assert seconds_left(node, port) <= silent
    node.daemon.signal(signal.SIGCONT)
    wait_until(lambda: not lab.client.datagrams(VIP, 53, 1, first_port=port).failures,
               what="the rules back")


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_this_hosts_own_connections_live_through_it(dual, vip):
    held = dual.client.hold(vip, SSH, 50, pause=0.05)
    for _ in range(3):
        flush(dual["fe5"])
        held.wait_rounds(1)
    report = held.stop()
    assert report["alive"] == 50 and not report["failures"]
    assert report["answers"] == {"fe5": 50}


# --- what it leaves alone ------------------------------------------------------------


def test_what_the_rules_have_seen_passes(dual):
    """Of services that fe5 takes part in, and to ports that none has; to each kind of VIP."""
    for vip in (VIP, "198.51.100.50", VIP6, "2001:db8:2::31"):
        web = dual.client.connect(vip, 80, 60, first_port=20000)
        assert not web.failures and set(web.by_member) == set(MEMBER), vip
        for answers in (dual.client.connect(vip, SSH, 10), dual.client.datagrams(vip, DNS, 10)):
            assert not answers.failures and set(answers.by_member) == {"fe5"}, vip
    assert dropped(dual["fe5"]) == 0


def test_fragments_pass(dual):
    for vip in (VIP, VIP6):
        answers = dual.client.datagrams(vip, DNS, 10, size=4000)
        assert not answers.failures and set(answers.by_member) == {"fe5"}
    assert dropped(dual["fe5"]) == 0


def test_this_host_reaches_its_own_vips(dual):
    for vip in (VIP, VIP6):
        answers = dual["fe5"].connect(vip, 80, 10)
        assert not answers.failures and set(answers.by_member) == {"fe5"}
    assert dropped(dual["fe5"]) == 0


def test_what_another_balancer_sends_passes(make_lab):
    lab = launch(make_lab, MEMBER | {"fe6": 100})
    lab.activate("fe6")
    for vip in (VIP, VIP6):
        answers = lab.client.connect(vip, 80, 200, first_port=20000)
        assert not answers.failures and set(answers.by_member) == set(NODES)
    assert dropped(lab["fe5"]) == dropped(lab["fe6"]) == 0


# --- its table ---------------------------------------------------------------------------


def test_it_is_there_while_this_host_has_the_duty(dual):
    balancer, standby = dual["fe5"], dual["fe6"]
    assert TABLE in tables(balancer) and TABLE not in tables(standby)
    assert "shield         up, dropped 0 packets" in balancer.droverctl("status").stdout
    assert standby.ctl("status")["shield"] is None
    assert "shield" not in standby.droverctl("status").stdout
    assert "drover-shield" not in balancer.droverd("-p").stdout + balancer.ctl("rules")["rules"]
    standby.ctl("activate")
    balancer.ctl("standby")
    assert TABLE in tables(standby)
    assert TABLE in tables(balancer), "it forwards what still comes here"
    wait_until(lambda: not balancer.is_forwarding(), 15, "the rules' end")
    assert TABLE not in tables(balancer)


def test_it_follows_a_reload(dual):
    node = dual["fe5"]
    flush(node)
    packets = dropped(node)
    group = dual.group(MEMBER, balancers=["fe5", "fe6"])
    for vips in (["192.0.2.101"], ["192.0.2.101", "2001:db8:1::101"]):
        dual.configure(group | {"vips": vips})
        node.ctl("reload")
        listing = node.run("nft", "list", *TABLE.split()).stdout
        assert all(vip in listing for vip in vips) and f"{VIP}\n" not in listing
        assert ("ip6 daddr" in listing) == (len(vips) == 2)
    assert dropped(node) >= packets
    assert node.ctl("status")["kernel"]["repairs"] == 1


def test_it_ends_with_the_daemon_and_begins_with_the_next(dual):
    node = dual["fe5"]
    held = dual.client.hold(VIP, 80, 60, first_port=20000)
    for end in (node.kill_droverd, node.stop_droverd):
        end()
        assert TABLE not in tables(node) and "table netdev drover" in tables(node)
        held.wait_rounds(2)
        node.start_droverd()
        wait_until(lambda: TABLE in tables(node), what="the shield of the next daemon")
        assert node.ctl("status")["kernel"]["repairs"] == 0
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == 60 and not report["failures"]


def test_without_it_all_else_works(make_lab):
    """The kernel refuses it to this daemon: here because somebody else has the table."""
    lab = make_lab(NODES[:3])
    node = lab["fe5"]
    script = lab.directory / "taken.nft"
    script.write_text(f"{TABLE} {{ flags owner; comment \"taken\"; }}\n")
    taker = node.popen("nft", "-i", stdin=True)
    taker.stdin.write(f'include "{script}"\n')
    wait_until(lambda: TABLE in tables(node), what="the table taken")
    lab.launch()
    assert node.log().count("cannot have table inet drover-shield (Operation not permitted)") == 1
    assert node.ctl("status")["shield"] is None
    answers = lab.client.connect(VIP, 80, 100, first_port=20000)
    assert not answers.failures and len(answers.by_member) == 3
    flush(node)
    taker.end()
    node.restart_droverd()
    wait_until(lambda: node.ctl("status")["shield"], what="the shield")
