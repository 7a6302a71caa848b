"""What the operator sees and steers with droverctl, against running daemons."""

import pytest

from lab import VIP, wait_until

NAMES = {"fe5", "fe6", "fe7"}
GROUP_FIELDS = {"name", "role", "ready", "reason", "vips", "buckets", "members"}
MEMBER_FIELDS = {"name", "address", "mac", "state", "weight", "configured_weight", "overridden",
                 "local", "balancer", "buckets", "share", "packets", "bytes"}


def answering(lab, count=120):
    answers = lab.client.connect(VIP, 80, count, first_port=20000)
    assert not answers.failures, answers
    return set(answers.by_member)


def test_status(cluster):
    cluster.client.connect(VIP, 80, 300, first_port=20000)
    status = cluster["fe5"].ctl("status")
    assert status["ok"] and status["node"] == "fe5"
    assert status["pid"] == cluster["fe5"].daemon.pid
    assert status["interface"] == {"name": "eth0", "present": True, "running": True,
                                   "mac": cluster["fe5"].mac}
    assert status["election"] == "manual" and status["overrides"] == 0
    assert status["configuration"] == {"file": str(cluster["fe5"].conf_path), "errors": None}
    assert status["kernel"]["in_sync"] and status["kernel"]["error"] is None

    group, = status["groups"]
    assert GROUP_FIELDS <= set(group)
    assert (group["name"], group["role"], group["buckets"]) == ("A", "active", 4096)
    assert group["vips"] == cluster.vips
    for member in group["members"]:
        assert MEMBER_FIELDS <= set(member)
        assert member["state"] == "serving" and member["mac"] == cluster[member["name"]].mac
        assert member["share"] == pytest.approx(1 / 3, abs=0.001)
        assert member["packets"] > 300 or member["local"]
    assert sum(member["buckets"] for member in group["members"]) == 4096


def test_counters_are_those_of_the_kernel(cluster):
    before = cluster["fe5"].member("fe6")
    cluster.client.connect(VIP, 80, 200, first_port=20000)
    after = cluster["fe5"].member("fe6")
    assert after["packets"] == cluster["fe5"].forwarded("fe6") > before["packets"]
    assert after["bytes"] - before["bytes"] >= 40 * (after["packets"] - before["packets"])


def test_counters_survive_a_change_of_weight(cluster):
    cluster.client.connect(VIP, 80, 200, first_port=20000)
    before = cluster["fe5"].member("fe6")["packets"]
    cluster["fe5"].ctl("weight", "fe6", 50)
    assert cluster["fe5"].member("fe6")["packets"] >= before > 0


def test_roles(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.launch(lab.group(balancers=["fe5", "fe6"]))
    assert [node.group()["role"] for node in lab] == ["active", "standby", "member"]
    reply = lab["fe7"].ctl("activate", exit_status=1)
    assert not reply["ok"] and reply["error"]
    assert lab["fe7"].group()["role"] == "member"


def test_members_and_services(cluster):
    members = cluster["fe5"].ctl("members")["members"]
    assert {member["name"] for member in members} == NAMES
    assert all(member["group"] == "A" and MEMBER_FIELDS <= set(member) for member in members)
    service, = cluster["fe5"].ctl("services")["services"]
    assert service == {"group": "A", "name": "web", "protocol": "tcp", "ports": "80",
                       "scheduler": "hash", "check": None, "members": ["fe5", "fe6", "fe7"],
                       "packets": 0, "bytes": 0,
                       "checked": 0, "up": 0, "fail": "open", "failed": False}


@pytest.mark.parametrize("command, state", [("drain", "draining"), ("disable", "disabled")])
def test_drain_and_disable_and_enable(cluster, command, state):
    node = cluster["fe5"]
    reply = node.ctl(command, "fe7")
    assert reply["ok"] and reply["member"] == "fe7" and reply["state"] == state
    assert node.member("fe7")["buckets"] == 0 and node.ctl("status")["overrides"] == 1
    assert answering(cluster) == {"fe5", "fe6"}

    assert node.ctl("enable", "fe7")["state"] == "serving"
    assert node.ctl("status")["overrides"] == 0
    assert answering(cluster) == NAMES


def test_weight_changes_shares(cluster):
    node = cluster["fe5"]
    reply = node.ctl("weight", "fe7", 50)
    assert (reply["member"], reply["weight"]) == ("fe7", 50)
    member = node.member("fe7")
    assert (member["weight"], member["configured_weight"], member["overridden"]) == (50, 100, True)
    assert member["share"] == pytest.approx(0.2, abs=0.001)


def test_a_change_of_weight_touches_no_rule(cluster):
    handles = cluster["fe5"].handles()
    cluster["fe5"].ctl("weight", "fe7", 50)
    cluster["fe5"].ctl("drain", "fe6")
    cluster["fe5"].ctl("enable", "fe6")
    cluster.wait_serving("fe5")
    assert cluster["fe5"].handles() == handles


def override(node):
    node.ctl("weight", "fe6", 30)
    node.ctl("drain", "fe7")


def overridden(node):
    return (node.member("fe6")["weight"], node.member("fe7")["state"],
            node.ctl("status")["overrides"])


@pytest.mark.parametrize("crash", [False, True])
def test_overrides_survive_a_restart(cluster, crash):
    node = cluster["fe5"]
    override(node)
    if crash:
        node.kill_droverd()
        node.start_droverd()
    else:
        node.restart_droverd()
    wait_until(lambda: node.member("fe6")["state"] == "serving")
    assert overridden(node) == (30, "draining", 2)
    assert answering(cluster) == {"fe5", "fe6"}


def test_overrides_survive_a_reload_until_they_are_reset(cluster):
    node = cluster["fe5"]
    override(node)
    node.ctl("reload")
    assert overridden(node) == (30, "draining", 2)
    node.ctl("reload", "--reset")
    assert overridden(node) == (100, "serving", 0)
    node.restart_droverd()
    cluster.wait_serving("fe5")
    assert overridden(node) == (100, "serving", 0)


@pytest.mark.parametrize("words", [
    ["drain", "nobody"], ["enable", "nobody"], ["weight", "nobody", "5"], ["activate", "B"],
    ["standby", "B"],
], ids=" ".join)
def test_unknown_names_are_refused(cluster, words):
    reply = cluster["fe5"].ctl(*words, exit_status=1)
    assert not reply["ok"] and words[1] in reply["error"]


@pytest.mark.parametrize("words", [["weight", "fe6", "70000"], ["weight", "fe6", "many"],
                                   ["weight", "fe6"], ["dance"], []], ids=" ".join)
def test_wrong_usage(cluster, words):
    assert cluster["fe5"].droverctl(*words).returncode == 2
    assert cluster["fe5"].member("fe6")["weight"] == 100


def test_ready(cluster):
    reply = cluster["fe6"].ctl("ready")
    assert reply["ok"] and reply["ready"]
    assert cluster["fe6"].droverctl("ready").returncode == 0


def test_no_daemon(cluster):
    cluster["fe5"].stop_droverd()
    assert cluster["fe5"].droverctl("status").returncode == 3


def test_another_network_namespace_is_refused(cluster):
    """The socket's path is visible everywhere, but fe6 must not steer fe5 by mistake."""
    intruder = cluster["fe6"]
    intruder.control_path, own = cluster["fe5"].control_path, intruder.control_path
    done = intruder.droverctl("standby")
    intruder.control_path = own
    assert done.returncode != 0 and "namespace" in done.stdout + done.stderr
    assert cluster["fe5"].is_active()


def test_text_for_people(cluster):
    status = cluster["fe5"].droverctl("status")
    assert status.returncode == 0
    for word in ("active", "fe5", "fe6", "fe7", "serving", VIP):
        assert word in status.stdout, status.stdout
    for command in ("members", "services", "rules", "ready"):
        done = cluster["fe5"].droverctl(command)
        assert done.returncode == 0 and done.stdout, command


def test_explain_agrees_with_the_packets(cluster):
    """What it says of 40 clients is what the kernel does with them."""
    held = cluster.client.hold(VIP, 80, 40, first_port=20000).stop()["members"]
    for port, member in held.items():
        reply = cluster["fe5"].ctl("explain", "tcp", f"192.0.2.200:{port}", f"{VIP}:80")
        assert (reply["member"], reply["service"], reply["scheduler"]) == (member, "web", "hash")
        assert reply["verdict"] == ("local" if member == "fe5" else "forward")
        assert 0 <= reply["bucket"] < 4096 and reply["reason"]


def test_explain_without_a_member_agrees_with_what_then_happens(cluster):
    node = cluster["fe5"]
    ends = [f"192.0.2.200:{port}" for port in range(20000, 20030)]
    replies = [node.ctl("explain", "tcp", end, f"{VIP}:80", "--without", "fe6") for end in ends]
    predicted = [reply["without"]["member"] for reply in replies]
    node.ctl("disable", "fe6")
    held = cluster.client.hold(VIP, 80, 30, first_port=20000).stop()["members"]
    assert predicted == [held[str(port)] for port in range(20000, 20030)]
