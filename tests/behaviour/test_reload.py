"""A new configuration is taken whole, or not at all."""

import signal

import pytest

from lab import VIP, wait_until

BROKEN = "groups = ( { name = \"A\"; colour = \"red\"; } );\n"


def answering(lab, port=80):
    answers = lab.client.connect(VIP, port, 120, first_port=20000)
    assert not answers.failures, answers
    return set(answers.by_member)


def test_a_reload_brings_what_is_new(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure()
    lab.configure(lab.group({"fe5": 100, "fe6": 100}), only=["fe5"])
    lab.serve("80,81")
    lab.start()
    lab.activate("fe5")
    assert answering(lab) == {"fe5", "fe6"}
    services = [{"name": "web", "protocol": "tcp", "ports": "80-81"}]
    lab.configure(lab.group(services=services), only=["fe5"])
    assert lab["fe5"].ctl("reload")["ok"]
    lab.wait_serving("fe5")
    assert answering(lab) == answering(lab, 81) == {"fe5", "fe6", "fe7"}


def test_a_vip_that_leaves_the_file_leaves_the_interface(cluster):
    node = cluster["fe5"]
    assert node.has_address("198.51.100.50")
    cluster.configure(cluster.group(vips=[VIP]), only=["fe5"])
    node.ctl("reload")
    wait_until(lambda: not node.has_address("198.51.100.50"))
    assert node.has_address(VIP) and node.group()["vips"] == [VIP]


def test_a_bad_file_leaves_the_running_one_in_force(cluster):
    node = cluster["fe5"]
    handles, rules = node.handles(), node.ctl("rules")["rules"]
    node.write_conf_text(BROKEN)
    reply = node.ctl("reload", exit_status=1)
    assert not reply["ok"] and reply["error"] and reply["errors"]
    assert any(f"{node.conf_path}:1: " in error for error in reply["errors"])
    assert node.ctl("status")["configuration"]["errors"] == reply["errors"]
    assert node.handles() == handles and node.ctl("rules")["rules"] == rules
    assert answering(cluster) == {"fe5", "fe6", "fe7"}

    cluster.configure(only=["fe5"])
    node.ctl("reload")
    assert node.ctl("status")["configuration"]["errors"] is None


def test_a_bad_file_by_signal(cluster):
    node = cluster["fe5"]
    node.write_conf_text(BROKEN)
    node.daemon.signal(signal.SIGHUP)
    wait_until(lambda: node.ctl("status")["configuration"]["errors"])
    assert "colour" in node.log()
    assert answering(cluster) == {"fe5", "fe6", "fe7"}


def test_a_daemon_does_not_start_with_a_bad_file(make_lab):
    lab = make_lab(["fe5"])
    lab["fe5"].write_conf_text(BROKEN)
    done = lab["fe5"].droverd()
    assert done.returncode != 0 and "drover.conf:1: " in done.stderr


@pytest.mark.parametrize("setting", [{"seed": 7}, {"buckets": 16384}])
def test_settings_that_move_every_flow_are_taken_too(cluster, setting):
    cluster.configure(only=["fe5"], **setting)
    cluster["fe5"].ctl("reload")
    cluster.wait_serving("fe5")
    assert answering(cluster) == {"fe5", "fe6", "fe7"}
    assert cluster["fe5"].group()["buckets"] == setting.get("buckets", 4096)


def test_vipaddrs_file(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    path = lab.directory / "vipaddrs"
    path.write_text(f"# addresses of the site\n{VIP}\n\n198.51.100.48/29   # and a subnet\n")
    group = lab.group(vips_file=str(path))
    del group["vips"]
    lab.launch(group)
    assert answering(lab) == {"fe5", "fe6", "fe7"}
    assert lab["fe5"].group()["vips"] == [VIP, "198.51.100.48/29"]
