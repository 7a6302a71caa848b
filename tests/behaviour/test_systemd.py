"""The units under a real systemd, which is process 1 of a container."""

import json
import subprocess

import pytest

from lab import VIP, wait_until
from lab.config import render
from lab.programs import build_directory
from lab.systemd import Systemd

HELD = 100
UNIT = "droverd.service"
SHORT_WATCHDOG = "[Service]\nWatchdogSec=2s\n"

# And the sandbox of the unit is not for sanitizers, which need more of the system than droverd.
pytestmark = pytest.mark.slow_with_sanitizers


@pytest.fixture
def booted(make_lab):
    """(cluster, systemd): fe5 runs droverd under systemd and is active."""
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure()
    lab.serve()
    lab.start("fe6", "fe7")
    systemd = Systemd(lab["fe5"], {"groups": [lab.group()]}, SHORT_WATCHDOG)
    try:
        systemd.systemctl("start", UNIT)
        lab.activate("fe5")
        yield lab, systemd
    finally:
        systemd.close()


def restart(systemd):
    systemd.systemctl("restart", UNIT)


def send(number):
    def disturb(systemd):
        systemd.systemctl("kill", f"--signal={number}", "--kill-whom=main", UNIT)
    return disturb


def wait_restarted(systemd, before):
    def restarted():
        pid = systemd.show(UNIT, "MainPID")
        return pid not in ("0", before) and systemd.show(UNIT, "ActiveState") == "active"
    wait_until(restarted, 20, "a new droverd")


@pytest.mark.parametrize("disturb", [restart, send("SIGKILL"), send("SIGSTOP")],
                         ids=["restart", "crash", "hung"])
def test_a_new_daemon_costs_no_connection(booted, disturb):
    lab, systemd = booted
    balancer = lab["fe5"]
    held = lab.client.hold(VIP, 80, HELD)
    held.wait_rounds(1)
    handles, before = balancer.handles(), systemd.show(UNIT, "MainPID")
    disturb(systemd)
    wait_restarted(systemd, before)
    lab.wait_serving("fe5")
    assert balancer.is_active() and balancer.handles() == handles
    held.wait_rounds(2)
    report = held.stop()
    assert report["alive"] == HELD and not report["failures"]
    assert not lab.client.connect(VIP, 80, 50, first_port=30000).failures


def entries(systemd):
    return [json.loads(line) for line in
            systemd.journal(f"--unit={UNIT}", "--output=json").splitlines()]


def test_reload_and_what_the_journal_has(booted):
    _, systemd = booted
    before = systemd.show(UNIT, "MainPID")
    systemd.systemctl("reload", UNIT)
    assert systemd.show(UNIT, "MainPID") == before
    own = wait_until(lambda: [entry for entry in entries(systemd)
                              if entry["MESSAGE"].endswith(": loaded")])
    assert own[0]["PRIORITY"] == "5" and own[0]["SYSLOG_IDENTIFIER"] == "droverd"
    assert own[0]["_SYSTEMD_UNIT"] == UNIT and own[0]["_PID"] == before
    assert own[0]["_UID"] != "0" and int(own[0]["_CAP_EFFECTIVE"], 16) == 1 << 12 | 1 << 13


def test_only_the_network_can_be_set(booted):
    lab, systemd = booted
    assert lab["fe5"].sysctl("ipv4/conf/eth0/arp_ignore") == "1", "droverd may write this"
    pid = systemd.show(UNIT, "MainPID")
    mounts = systemd.run("cat", f"/proc/{pid}/mounts").stdout.splitlines()
    options = {words[1]: words[3].split(",") for words in map(str.split, mounts)}
    assert "ro" in options["/proc/sys"] and "rw" in options["/proc/sys/net"]
    assert "ro" in options["/"]


def test_an_instance_has_a_network_of_its_own(booted):
    lab, systemd = booted
    settings = {"node": "fe5", "interface": "eth0", "groups": [lab.group()],
                "control": "/run/drover/blue/control.sock"}
    systemd.run("tee", "/etc/drover/blue.conf", stdin=render(settings))
    assert systemd.run("ip", "netns", "add", "blue").returncode == 0
    systemd.systemctl("start", "droverd@blue")
    assert systemd.show(UNIT, "ActiveState") == "active"
    pids = [systemd.show(unit, "MainPID") for unit in (UNIT, "droverd@blue")]
    networks = [systemd.run("readlink", f"/proc/{pid}/ns/net").stdout for pid in pids]
    assert networks[0] != networks[1]
    systemd.systemctl("reload", "droverd@blue")
    systemd.systemctl("restart", "droverd@blue")


# What systemd-analyze still holds against the unit, and what each is for: see droverd.service.
NETWORK = {"PrivateNetwork"}
NEEDED = {
    "RestrictAddressFamilies_AF_INET_INET6": "checks, sync, metrics",
    "RestrictAddressFamilies_AF_PACKET": "gratuitous ARP",
    "RestrictAddressFamilies_AF_NETLINK": "nf_tables, addresses, neighbours",
    "RestrictAddressFamilies_AF_UNIX": "the control socket, sd_notify()",
    "CapabilityBoundingSet_CAP_NET_ADMIN": "nf_tables, addresses, sysctls",
    "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)": "gratuitous ARP",
    "AmbientCapabilities": "both, without root",
    "PrivateUsers": "capabilities over the host's network",
    "IPAddressDeny": "members have any address",
    "RootDirectoryOrRootImage": "checks by exec run what the host has",
    "ProcSubset": "/proc/sys/net",
    "DeviceAllow": "ProtectClock= adds the clock's device",
}


def analyze(unit, *options):
    path = build_directory() / "contrib" / unit
    return subprocess.run(["systemd-analyze", "--no-pager", "security", "--offline=true", *options,
                           path], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit, threshold", [("droverd.service", 18), ("droverd@.service", 14)])
def test_exposure(unit, threshold):
    done = analyze(unit, f"--threshold={threshold}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit, network",
                         [("droverd.service", NETWORK), ("droverd@.service", set())])
def test_only_what_is_needed_is_exposed(unit, network):
    done = analyze(unit, "--threshold=100", "--json=short")
    items, _ = json.JSONDecoder().raw_decode(done.stdout)
    exposed = {item["json_field"] for item in items if float(item["exposure"] or 0) > 0}
    assert exposed == NEEDED.keys() | network
