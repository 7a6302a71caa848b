"""Members come, go, and change their Ethernet address."""

from collections import Counter

import pytest

from lab import VIP, wait_until

NEW_MAC = "02:00:00:00:77:07"


@pytest.fixture
def lab(make_lab):
    made = make_lab(["fe5", "fe6", "fe7"])
    made.launch(hasty=True)
    return made


def state_of(lab, name):
    return lab["fe5"].member(name)["state"]


def names(answers):
    assert not answers.failures, answers
    return set(answers.by_member)


def test_a_member_that_changed_its_mac_is_followed(lab):
    lab["fe7"].ip("link", "set", "eth0", "address", NEW_MAC)
    wait_until(lambda: lab["fe5"].member("fe7")["mac"] == NEW_MAC, 30, "the new MAC in status")
    wait_until(lambda: lab["fe5"].ctl("status")["kernel"]["in_sync"])
    assert names(lab.client.connect(VIP, 80, 150)) == {"fe5", "fe6", "fe7"}
    assert NEW_MAC.replace(":", "").lstrip("0") in lab["fe5"].ruleset()


def test_a_dead_member_leaves_the_table_and_returns(lab):
    held = lab.client.hold(VIP, 80, 150, patience=60)
    others = [name for name in held.report()["members"].values() if name != "fe7"]
    lab.cut(lab["fe7"])
    wait_until(lambda: state_of(lab, "fe7") == "unreachable", 40, "fe7 unreachable")
    assert lab["fe5"].member("fe7")["buckets"] == 0
    assert names(lab.client.connect(VIP, 80, 150)) == {"fe5", "fe6"}

    lost = Counter(failure.split()[2] for failure in held.failures())
    assert lost.total() - lost["fe7:"] <= 0.03 * len(others), lost

    lab.mend(lab["fe7"])
    wait_until(lambda: state_of(lab, "fe7") == "serving", 40, "fe7 serving again")
    assert names(lab.client.connect(VIP, 80, 150)) == {"fe5", "fe6", "fe7"}
    held.stop()


def test_a_member_that_never_was_there_has_no_buckets(make_lab):
    lab = make_lab(["fe5", "fe6"])
    group = lab.group()
    group["members"].append({"name": "ghost", "address": "192.0.2.77"})
    lab.configure(group)
    lab.serve()
    lab.start()
    lab["fe5"].ctl("activate")
    lab.wait_serving("fe5", "fe5", "fe6")
    ghost = lab["fe5"].member("ghost")
    assert (ghost["state"], ghost["buckets"], ghost["mac"]) == ("unreachable", 0, None)
    assert names(lab.client.connect(VIP, 80, 100)) == {"fe5", "fe6"}


def test_a_mac_in_the_file_is_not_resolved(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    group = lab.group()
    for member in group["members"]:
        member["mac"] = lab[member["name"]].mac
    lab.configure(group)
    lab.serve()
    lab.cut(lab["fe7"])
    lab.start("fe5")
    lab.activate("fe5")
    assert state_of(lab, "fe7") == "serving"


@pytest.mark.parametrize("before, after", [
    ({"fe5": 100, "fe6": 100, "fe7": 100}, {"fe5": 100, "fe6": 100, "fe7": 50}),
    ({"fe5": 100, "fe6": 100, "fe7": 100}, {"fe5": 100, "fe6": 100}),
])
def test_a_change_moves_only_what_must_move(make_lab, before, after):
    """Flows of the other members stay where they are, but for a few (buckets.md)."""
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.launch(lab.group(before))
    old = lab.client.hold(VIP, 80, 400, first_port=20000).stop()["members"]
    lab.configure(lab.group(after))
    lab["fe5"].ctl("reload")
    lab.wait_serving("fe5")
    new = lab.client.hold(VIP, 80, 400, first_port=20000).stop()["members"]
    stayed = sum(old[port] == new[port] for port in old if old[port] != "fe7")
    assert stayed >= 0.95 * sum(member != "fe7" for member in old.values())
    assert old != new
