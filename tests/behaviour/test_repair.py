"""What a stranger does to drover's tables is undone; what is not drover's is left alone."""

import time

import pytest

from lab import VIP, patience, wait_until
from lab.listing import difference
from lab.programs import is_sanitized

LIMIT = 0.1
TABLE = "buckets/A"
OTHER_TABLE = "table inet other { chain keep { counter comment \"not drover's\"; }; }"


def tables(node):
    return node.run("nft", "list", "tables").stdout.split("\n")


def test_a_foreign_flush_is_undone_at_once(cluster):
    balancer = cluster["fe5"]
    before = balancer.nft_json()
    repairs = balancer.ctl("status")["kernel"]["repairs"]
    # With the members' table go conntrack's hooks, which alone takes nft some 50 ms.
    balancer.run("nft", "flush", "ruleset")
    began = time.monotonic()
    wait_until(lambda: "table netdev drover" in tables(balancer), 5, interval=0.001)
    took = time.monotonic() - began
    began = time.monotonic()
    tables(balancer)
    looking = time.monotonic() - began
    wait_until(lambda: balancer.ctl("status")["kernel"]["in_sync"])
    assert difference(before, balancer.nft_json()) == ""
    assert balancer.ctl("status")["kernel"]["repairs"] > repairs
    assert not cluster.client.connect(VIP, 80, 200, first_port=20000).failures
    assert took - looking <= patience(LIMIT) * (10 if is_sanitized() else 1)


def test_a_flush_on_a_standby_restores_its_suppression(cluster):
    member = cluster["fe6"]
    before = member.nft_json()
    assert before, "a member holds the table arp drover"
    member.run("nft", "flush", "ruleset")
    wait_until(lambda: "table arp drover" in tables(member), 5)
    wait_until(lambda: member.ctl("status")["kernel"]["in_sync"])
    assert difference(before, member.nft_json()) == ""


@pytest.mark.parametrize("damage", [
    "flush chain netdev drover member/A/fe6",
    f"flush map netdev drover {TABLE}",
    "delete table netdev drover",
    "add rule netdev drover member/A/fe7 drop",
    "insert rule netdev drover member/A/fe7 drop",
    f"delete element netdev drover {TABLE} {{ 17 }}",
    f"delete element netdev drover {TABLE} {{ 17 }}\n"
    f"add element netdev drover {TABLE} {{ 17 : drop }}",
], ids=["chain flushed", "map flushed", "table deleted", "rule added", "rule inserted",
        "element deleted", "element replaced"])
def test_smaller_damage_is_repaired(cluster, damage):
    balancer = cluster["fe5"]
    before = balancer.nft_json()
    balancer.load_ruleset(damage)
    wait_until(lambda: difference(before, balancer.nft_json()) == "", 5,
               what=f"repair of: nft {damage}")


def test_tables_of_others_are_left_alone(cluster):
    balancer = cluster["fe5"]
    balancer.load_ruleset(OTHER_TABLE)
    before = [item for item in balancer.nft_json("-a") if "other" in str(item)]
    assert before
    balancer.ctl("weight", "fe6", "50")
    balancer.ctl("reload")
    balancer.restart_droverd()
    assert [item for item in balancer.nft_json("-a") if "other" in str(item)] == before


def test_drover_does_not_mistake_its_own_changes_for_damage(cluster):
    balancer = cluster["fe5"]
    repairs = balancer.ctl("status")["kernel"]["repairs"]
    for weight in range(90, 100):
        balancer.ctl("weight", "fe6", weight)
    assert balancer.ctl("status")["kernel"]["repairs"] == repairs
