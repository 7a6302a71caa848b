"""Nodes that cannot understand each other say so, and nobody is misled."""

import pytest

from lab import VIP, wait_until

NAMES = ["fe5", "fe6", "fe7"]


@pytest.fixture
def lab(make_lab):
    return make_lab(NAMES)


def wait_foreign(lab, by, fault):
    for name in by:
        peer = wait_until(lambda name=name: _foreign(lab[name], "fe7"), 15, f"{name} naming fe7")
        assert fault in peer["fault"]
        assert f"node fe7 is ignored: {peer['fault']}" in lab[name].log()
        assert "fe7" in lab[name].droverctl("status").stdout


def _foreign(node, name):
    peer = node.peer(name)
    return peer if peer and peer["state"] == "foreign" else None


@pytest.mark.parametrize("change, fault", [
    ("key", "key"), ("seed", "seed"), ("buckets", "buckets")])
def test_a_node_with_other_settings_is_named_and_ignored(lab, change, fault):
    lab.configure(sync=True)
    other = {"key": {"sync": lab.sync("other.key")}, "seed": {"seed": 7},
             "buckets": {"buckets": 256}}[change]
    lab.configure(only=["fe7"], **{"sync": True} | other)
    lab.serve()
    lab.start()
    lab.activate("fe5")
    wait_foreign(lab, ["fe5", "fe6"], fault)
    held = lab.client.hold(VIP, 80, 60)
    members = list(held.report()["members"].values())
    lab.wait_known(60 - members.count("fe7"), "fe5", "fe6")
    assert lab["fe6"].ctl("ready")["ready"]
    # With the right settings it belongs to the others again.
    lab["fe7"].stop_droverd()
    lab.configure(only=["fe7"], sync=True)
    lab.start("fe7")
    lab.wait_known(60)
    held.stop()


def test_another_configuration_is_pointed_out(lab):
    lab.launch(sync=True)
    lab.configure(lab.group({"fe5": 100, "fe6": 50, "fe7": 100}), only=["fe6"], sync=True)
    lab["fe6"].ctl("reload")
    wait_until(lambda: lab["fe5"].peer("fe6")["other_configuration"])
    assert lab["fe5"].peer("fe6")["state"] == "complete"
    assert "another configuration" in lab["fe5"].droverctl("status").stdout
    assert not lab["fe5"].peer("fe7")["other_configuration"]


def test_what_an_operator_says_reaches_all_nodes_and_those_that_return(lab):
    lab.launch(sync=True)
    lab["fe6"].stop_droverd()
    lab["fe5"].ctl("drain", "fe7")
    lab["fe5"].ctl("weight", "fe6", "10")
    lab.start("fe6")
    wait_until(lambda: lab["fe6"].member("fe7")["state"] == "draining")
    assert lab["fe6"].member("fe6")["weight"] == 10
    # It says so from another node, and after a restart of all of them it still holds.
    lab["fe6"].ctl("enable", "fe7")
    wait_until(lambda: lab["fe5"].member("fe7")["state"] == "serving")
    lab["fe7"].ctl("reload", "--reset")
    wait_until(lambda: lab["fe5"].member("fe6")["weight"] == 100)
    assert lab["fe6"].ctl("status")["overrides"] == 0


def test_a_silent_node_is_kept_in_mind(lab):
    lab.launch(sync=True)
    held = lab.client.hold(VIP, 80, 90)
    lab.wait_known(90)
    lab["fe7"].kill_droverd()
    wait_until(lambda: lab["fe5"].peer("fe7")["state"] == "silent", what="fe7 falling silent")
    assert lab["fe5"].ctl("ready")["ready"] and lab["fe6"].ctl("ready")["ready"]
    lab["fe5"].ctl("drain", "fe7")
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == 90 and not report["failures"]
    # What ended meanwhile is known to have ended as soon as it speaks again.
    lab.start("fe7")
    lab.wait_known(0)


@pytest.mark.parametrize("words, complaint", [
    ("no key", "there is no key in it"), ("# nothing\n", "there is no key in it"),
    (None, "No such file")])
def test_no_start_without_a_key(lab, words, complaint):
    settings = lab.sync()
    path = lab.directory / "bad.key"
    if words:
        path.write_text(words)
        path.chmod(0o600)
    lab.configure(sync=settings | {"key_file": str(path)})
    with pytest.raises(AssertionError):
        lab.start("fe5")
    lab["fe5"].daemon.expected = False
    assert complaint in lab["fe5"].log() or "is no key" in lab["fe5"].log()


def test_keys_are_secret(lab):
    path = lab.directory / "my.key"
    assert lab["fe5"].droverctl("keygen", path).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    done = lab["fe5"].droverctl("keygen", path)
    assert done.returncode == 1 and "left as it is" in done.stderr and path.read_text() == text
    path.chmod(0o644)
    lab.configure(sync=lab.sync() | {"key_file": str(path)})
    with pytest.raises(AssertionError):
        lab.start("fe5")
    lab["fe5"].daemon.expected = False
    assert "chmod 600" in lab["fe5"].log()


def test_sync_changes_only_by_a_restart(lab):
    lab.launch(sync=True)
    for change in ({"sync": lab.sync(port=9000)}, {"sync": None}, {"sync": True, "seed": 9}):
        lab.configure(only=["fe5"], **change)
        reply = lab["fe5"].ctl("reload", exit_status=1)
        assert any("sync" in error and "restart" in error for error in reply["errors"])
