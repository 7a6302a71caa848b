"""What is counted of members and services, and what becomes of it when something changes."""

import pytest

from lab import DUAL_STACK, VIP, VIP6

NODES = ["fe5", "fe6", "fe7"]
DNS = {"name": "dns", "protocol": "udp", "ports": "53"}
GAME = {"name": "game", "protocol": "udp", "ports": "7000-7009"}
WEB = {"name": "web", "protocol": "tcp", "ports": "80"}
SIZE = 100
IP_HEADERS, IP6_HEADERS = 20 + 8, 40 + 8


def launch(make_lab, services, **options):
    lab = make_lab(NODES, **options)
    lab.launch(lab.group(services=services), tcp="53,80,81", udp="53,80,81,5060,5061,7000-7009")
    return lab


def services(lab, field="packets"):
    """{service: count} as the active balancer says."""
    return {entry["name"]: entry[field] for entry in lab["fe5"].ctl("services")["services"]}


def members(lab, field="packets"):
    return {entry["name"]: entry[field] for entry in lab["fe5"].ctl("members")["members"]}


def send(lab, port, count, to=VIP):
    """Sends so many datagrams of SIZE bytes, each from another port; returns {member: answers}."""
    answers = lab.client.datagrams(to, port, count, ports=count, first_port=20000, size=SIZE)
    assert not answers.failures and answers.total == count, answers
    return answers.by_member


def reconfigure(lab, new):
    lab.configure(lab.group(services=new))
    assert lab["fe5"].ctl("reload")["changed"]


# --- they are right -----------------------------------------------------------

def test_members_and_services_agree_with_what_was_sent(make_lab):
    lab = launch(make_lab, [DNS])
    assert services(lab) == {"dns": 0} and members(lab) == dict.fromkeys(NODES, 0)
    answers = send(lab, 53, 90)
    assert members(lab) == answers
    assert services(lab) == {"dns": 90}
    assert services(lab, "bytes") == {"dns": 90 * (SIZE + IP_HEADERS)}
    assert sum(members(lab, "bytes").values()) == 90 * (SIZE + IP_HEADERS)


def test_tcp_and_udp_on_the_same_port_are_told_apart(make_lab):
    lab = launch(make_lab, [DNS, {"name": "dns-tcp", "protocol": "tcp", "ports": "53"}])
    send(lab, 53, 25)
    assert services(lab) == {"dns": 25, "dns-tcp": 0}
    assert not lab.client.connect(VIP, 53, 10, first_port=20000).failures
    counts = services(lab)
    assert counts["dns"] == 25 and counts["dns-tcp"] >= 10 * 4
    assert sum(members(lab).values()) == sum(counts.values())


@pytest.mark.parametrize("ports", ["53,80,81", "53,80-81"], ids=["ports", "range"])
def test_the_ports_of_a_service_are_summed(make_lab, ports):
    lab = launch(make_lab, [{"name": "many", "protocol": "udp", "ports": ports}])
    for number, port in enumerate((53, 80, 81), 1):
        send(lab, port, 10 * number)
    assert services(lab) == {"many": 60}
    assert services(lab, "bytes") == {"many": 60 * (SIZE + IP_HEADERS)}


def test_services_that_share_a_rule_are_told_apart(make_lab):
    lab = launch(make_lab, [DNS, GAME])
    send(lab, 53, 10)
    send(lab, 7000, 20)
    send(lab, 7009, 3)
    assert services(lab) == {"dns": 10, "game": 23}


def test_both_protocols_of_a_service_are_summed(make_lab):
    lab = launch(make_lab, [WEB, {"name": "rest", "protocol": "any"}])
    send(lab, 53, 10)
    before = services(lab)
    assert before == {"web": 0, "rest": 10}
    lab.client.connect(VIP, 81, 10, first_port=20000)
    after = services(lab)
    assert after["web"] == 0 and after["rest"] >= 10 + 10 * 4


@pytest.mark.parametrize("scheduler", ["source", "rr", "random"])
def test_every_scheduler_counts(make_lab, scheduler):
    lab = launch(make_lab, [DNS | {"scheduler": scheduler},
                            {"name": "keep", "protocol": "udp", "ports": "80,81",
                             "scheduler": scheduler, "persistence": 60}])
    assert sum(send(lab, 53, 30).values()) + sum(send(lab, 81, 12).values()) == 42
    assert services(lab) == {"dns": 30, "keep": 12}
    assert sum(members(lab).values()) == 42


@pytest.mark.parametrize("new", [[DNS], [DNS, GAME]], ids=["rule", "set"])
def test_both_families_are_summed(make_lab, new):
    lab = launch(make_lab, new, vips=DUAL_STACK)
    send(lab, 53, 10)
    assert services(lab)["dns"] == 10
    send(lab, 53, 15, to=VIP6)
    assert services(lab)["dns"] == 25
    assert services(lab, "bytes")["dns"] == 25 * SIZE + 10 * IP_HEADERS + 15 * IP6_HEADERS
    assert sum(members(lab).values()) == 25


def test_groups_are_told_apart(make_lab):
    lab = make_lab(NODES)
    subnet = lab.vips[1]
    groups = [lab.group(services=[DNS], vips=[VIP]),
              lab.group(services=[DNS], vips=[subnet], name="B")]
    for node in lab:
        node.write_conf({"groups": groups})
    lab.serve(udp="53")
    lab.start()
    lab.activate("fe5")
    send(lab, 53, 10)
    send(lab, 53, 4, to="198.51.100.50")
    reply = lab["fe5"].ctl("services")["services"]
    assert {entry["group"]: entry["packets"] for entry in reply} == {"A": 10, "B": 4}


# --- they are not there ----------------------------------------------------------

def nothing(lab, name):
    node = lab[name]
    entries = node.ctl("services")["services"] + node.ctl("members")["members"]
    return all(entry["packets"] is None and entry["bytes"] is None for entry in entries)


def test_who_does_not_forward_counts_nothing(make_lab):
    lab = launch(make_lab, [DNS])
    send(lab, 53, 10)
    assert nothing(lab, "fe6")
    # In this order: the last that the client is told is that fe6 has the VIPs.
    lab["fe5"].ctl("standby")
    lab["fe6"].ctl("activate")
    send(lab, 53, 10)
    reply = lab["fe6"].ctl("services")["services"]
    assert [entry["packets"] for entry in reply] == [10]


def counting_chains(node):
    return {rule["chain"] for rule in node.drover_objects("rule")
            if any("counter" in part for part in rule["expr"])}


def test_counters_turned_off_and_on(make_lab):
    lab = launch(make_lab, [DNS, GAME, WEB])
    send(lab, 53, 10)
    lab.configure(lab.group(services=[DNS, GAME, WEB]), counters=False)
    lab["fe5"].ctl("reload")
    send(lab, 53, 10)
    assert nothing(lab, "fe5")
    assert counting_chains(lab["fe5"]) <= {"everyone/A", "fragment/A"}
    shown = [line.split() for line in lab["fe5"].droverctl("services").stdout.splitlines()]
    assert {"PACKETS", "BYTES"} <= set(shown[0])
    assert {shown[1][shown[0].index(column)] for column in ("PACKETS", "BYTES")} == {"-"}
    assert lab["fe5"].droverctl("status").returncode == 0
    reconfigure(lab, [DNS, GAME, WEB])
    send(lab, 53, 7)
    assert services(lab) == {"dns": 7, "game": 0, "web": 0}


# --- they go on ------------------------------------------------------------------

@pytest.fixture(params=[[DNS, WEB], [DNS, GAME, WEB]], ids=["rule", "set"])
def counted(make_lab, request):
    """A cluster that has counted, in rules alone or in a set as well."""
    lab = launch(make_lab, request.param)
    send(lab, 53, 50)
    return lab


def change_weight(lab):
    lab["fe5"].ctl("weight", "fe7", 50)


def drain_another(lab):
    lab["fe5"].ctl("drain", "fe7")


def disable_another(lab):
    lab["fe5"].ctl("disable", "fe7")


def add_a_service_beside(lab):
    reconfigure(lab, [DNS, WEB, {"name": "sip", "protocol": "udp", "ports": "5060",
                                 "scheduler": "rr"}])


def add_a_service_that_is_merged(lab):
    reconfigure(lab, [DNS, WEB, {"name": "sip", "protocol": "udp", "ports": "5060-5061"}])


def add_a_port(lab):
    reconfigure(lab, [DNS | {"ports": "53,5353"}, WEB])


def change_the_scheduler(lab):
    reconfigure(lab, [DNS | {"scheduler": "random"}, WEB])


def add_a_vip(lab):
    lab.configure(lab.group(services=[DNS, WEB], vips=[VIP, "192.0.2.101"]))
    lab["fe5"].ctl("reload")


def restart(lab):
    lab["fe5"].restart_droverd()
    lab.wait_serving("fe5")


def restart_with_another_service(lab):
    lab["fe5"].stop_droverd()
    lab.configure(lab.group(services=[{"name": "sip", "protocol": "udp", "ports": "5060",
                                       "scheduler": "rr"}, DNS, WEB]))
    lab["fe5"].start_droverd()
    lab.wait_serving("fe5")


@pytest.mark.parametrize("change", [
    change_weight, drain_another, disable_another, add_a_service_beside,
    add_a_service_that_is_merged, add_a_port, change_the_scheduler, add_a_vip, restart,
], ids=lambda function: function.__name__)
def test_counters_go_on(counted, change):
    before = members(counted), members(counted, "bytes")
    change(counted)
    assert services(counted)["dns"] == 50
    after = members(counted), members(counted, "bytes")
    for name in ("fe5", "fe6"):
        assert [counts[name] for counts in after] == [counts[name] for counts in before]
    send(counted, 53, 20)
    assert services(counted)["dns"] == 70
    assert services(counted, "bytes")["dns"] == 70 * (SIZE + IP_HEADERS)


def test_a_new_start_with_another_service_keeps_what_did_not_change(make_lab):
    lab = launch(make_lab, [DNS, WEB])
    send(lab, 53, 50)
    before = members(lab)
    restart_with_another_service(lab)
    assert services(lab) == {"sip": 0, "dns": 50, "web": 0}
    assert members(lab) == before


def test_a_member_that_comes_back_begins_anew(make_lab):
    lab = launch(make_lab, [DNS])
    send(lab, 53, 50)
    lab["fe5"].ctl("disable", "fe7")
    assert members(lab)["fe7"] is None
    lab["fe5"].ctl("enable", "fe7")
    assert members(lab)["fe7"] == 0 and services(lab) == {"dns": 50}


def test_weights_touch_no_counter_in_the_kernel(counted):
    """Not even by carrying them over: no rule and no set is made anew, but for pins."""
    handles = counted["fe5"].handles()
    change_weight(counted)
    drain_another(counted)
    added = counted["fe5"].handles() - handles
    assert handles <= counted["fe5"].handles()
    assert all("pin" in str(name) for _, _, name, _ in added), added
