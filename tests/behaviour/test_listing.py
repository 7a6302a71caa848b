"""The rules as text: what droverd -p prints, what it commits, and what nft lists, are one."""

import re

import pytest

from lab.listing import difference, in_order, without_shield

RICH_SERVICES = [
    {"name": "mail", "protocol": "tcp", "ports": "25,465,6000-6009"},
    {"name": "login", "protocol": "tcp", "ports": "110", "scheduler": "source"},
    {"name": "turn", "protocol": "tcp", "ports": "80", "scheduler": "rr"},
    {"name": "dice", "protocol": "tcp", "ports": "81", "scheduler": "random"},
    {"name": "sip", "protocol": "udp", "ports": "5060", "scheduler": "rr",
     "members": ["fe5", "fe6"]},
    {"name": "game", "protocol": "udp", "ports": "7000", "scheduler": "random"},
    {"name": "rest", "protocol": "any"},
]
SHIELD = re.compile(r"^table inet drover-shield \{.*?^\}\n", re.MULTILINE | re.DOTALL)


def rich_group(lab):
    group = lab.group({"fe5": 100, "fe6": 100, "fe7": 50}, balancers=["fe5", "fe6"],
                      services=RICH_SERVICES)
    for member in group["members"]:
        number = lab[member["name"]].number
        member["outgoing"] = f"3{number}000-3{number}999"
    return group


@pytest.fixture(params=["plain", "rich"])
def lab(make_lab, request):
    made = make_lab(["fe5", "fe6", "fe7"])
    made.launch(rich_group(made) if request.param == "rich" else None)
    return made


def printed_tables(objects):
    """Without the table arp drover: -p prints the rules of an active balancer, but the shield."""
    return [item for item in without_shield(objects)
            if all(body.get("family") != "arp" for body in item.values())]


def netdev_text(node):
    """The same as text, without counts: it also shows by what a map is keyed."""
    text = node.run("nft", "list", "table", "netdev", "drover").stdout
    return in_order(re.sub(r"packets \d+ bytes \d+", "", text))


def reload_elsewhere(lab, script):
    """The ruleset that a script gives when fe7, with no daemon on it any more, loads it."""
    other = lab["fe7"]
    if other.daemon.running:
        other.stop_droverd()
    other.load_ruleset("flush ruleset")
    other.load_ruleset(script)
    return other.nft_json()


def test_the_printed_script_gives_what_is_committed(lab):
    printed = lab["fe5"].droverd("-p")
    assert printed.returncode == 0, printed.stderr
    loaded = reload_elsewhere(lab, printed.stdout)
    committed = lab["fe5"].nft_json()
    assert difference(printed_tables(committed), printed_tables(loaded)) == ""
    assert netdev_text(lab["fe5"]) == netdev_text(lab["fe7"])


def test_a_saved_ruleset_loads_again(lab):
    saved = lab["fe5"].ruleset()
    loaded = reload_elsewhere(lab, saved)
    assert difference(without_shield(lab["fe5"].nft_json()), loaded) == ""


def test_a_saved_ruleset_loaded_over_the_running_one_changes_nothing(lab):
    node = lab["fe5"]
    before = node.nft_json()
    node.load_ruleset("flush ruleset\n" + SHIELD.sub("", node.ruleset()))
    lab.wait_serving("fe5")
    assert difference(before, node.nft_json()) == ""


def test_the_shield_is_the_running_daemons_own(lab):
    """The kernel refuses what a saved listing says of it, and with it the whole listing."""
    node = lab["fe5"]
    before = node.nft_json()
    done = node.run("nft", "-f", "-", stdin="flush ruleset\n" + node.ruleset(), check=False)
    assert done.returncode and "Operation not permitted" in done.stderr
    assert difference(before, node.nft_json()) == ""
    assert node.ctl("status")["kernel"]["repairs"] == 0


def test_droverctl_rules_prints_what_would_load(lab):
    rules = lab["fe5"].ctl("rules")["rules"]
    loaded = reload_elsewhere(lab, rules)
    assert difference(printed_tables(lab["fe5"].nft_json()), printed_tables(loaded)) == ""


def test_the_listing_is_commented(lab):
    text = lab["fe5"].ruleset()
    for word in ("192.0.2.100", "fe6", "comment"):
        assert word in text
