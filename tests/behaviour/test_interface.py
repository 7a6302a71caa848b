"""The interface goes down, comes up, vanishes, and is made again."""

from lab import VIP, wait_until


def interface(node):
    return node.ctl("status")["interface"]


def assert_balancing(lab):
    lab.wait_serving("fe5")
    answers = lab.client.connect(VIP, 80, 150)
    assert not answers.failures and set(answers.by_member) == {"fe5", "fe6", "fe7"}, answers


def test_link_down_and_up(cluster):
    node = cluster["fe5"]
    node.ip("link", "set", "eth0", "down")
    wait_until(lambda: not interface(node)["running"])
    node.ip("link", "set", "eth0", "up")
    wait_until(lambda: interface(node)["running"])
    assert_balancing(cluster)


def test_carrier_lost_and_back(cluster):
    node = cluster["fe5"]
    cluster.cut(cluster["fe5"])
    wait_until(lambda: not interface(node)["running"])
    cluster.mend(cluster["fe5"])
    assert_balancing(cluster)


def test_interface_removed_and_made_again(cluster):
    node = cluster["fe5"]
    pid = node.ctl("status")["pid"]
    cluster.unplug(node)
    wait_until(lambda: not interface(node)["present"])
    assert not node.ctl("ready", exit_status=1)["ready"]
    cluster.plug(node)
    wait_until(lambda: interface(node)["present"] and interface(node)["mac"] == node.mac)
    assert_balancing(cluster)
    wait_until(lambda: node.has_address(VIP))
    assert node.ctl("status")["pid"] == pid, "droverd was not restarted for this"


def test_start_without_the_interface(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure()
    lab.serve()
    lab.unplug(lab["fe5"])
    lab.start()
    refusal = lab["fe5"].ctl("activate", exit_status=1)
    assert "interface" in refusal["error"] and not lab["fe5"].is_active()
    assert not interface(lab["fe5"])["present"]
    lab.plug(lab["fe5"])
    wait_until(lambda: interface(lab["fe5"])["running"])
    lab.activate("fe5")
    assert_balancing(lab)


def test_own_mac_changes(cluster):
    """Frames must leave with the new address, else the switch learns the old one wrongly."""
    mac = "02:00:00:00:55:05"
    cluster["fe5"].ip("link", "set", "eth0", "address", mac)
    wait_until(lambda: interface(cluster["fe5"])["mac"] == mac)
    cluster.client.ip("neigh", "flush", "dev", "eth0")
    cluster.wait_serving("fe5")
    with cluster.switch.capture("fe6") as capture:
        assert_balancing(cluster)
    macs = {frame.from_mac for frame in capture.frames()
            if frame.outgoing and frame.is_ip and frame.destination == VIP}
    assert macs == {mac}
