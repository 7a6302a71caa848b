"""droverd as systemd runs it: notification, watchdog, capabilities, one at a time."""

import re
import subprocess

import pytest

from lab import VIP, wait_until
from lab.programs import build_directory, program

UNIT = build_directory() / "contrib/droverd.service"


def test_watchdog(make_lab):
    lab = make_lab(["fe5"])
    lab.configure()
    daemon = lab["fe5"].start_droverd({"WATCHDOG_USEC": "400000"})
    wait_until(lambda: daemon.notifications().count("WATCHDOG=1") >= 3, 5)


def test_stopping_is_announced(cluster):
    daemon = cluster["fe6"].daemon
    assert daemon.stop() == 0
    assert "STOPPING=1" in daemon.messages


def test_needs_no_more_than_two_capabilities(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure()
    lab.serve()
    for node in lab:
        node.start_droverd(unprivileged=True)
    lab.activate("fe5")
    answers = lab.client.connect(VIP, 80, 120, first_port=20000)
    assert not answers.failures and set(answers.by_member) == {"fe5", "fe6", "fe7"}
    assert lab["fe6"].sysctl("ipv4/conf/eth0/arp_ignore") == "1"
    lab["fe5"].ctl("weight", "fe6", 50)
    assert list(lab["fe5"].state_directory.iterdir()), "overrides are kept"


def test_a_second_daemon_is_refused(cluster):
    node = cluster["fe5"]
    done = node.droverd()
    assert done.returncode == 1 and "already" in done.stderr.lower()
    assert node.is_active()
    assert not cluster.client.connect(VIP, 80, 50).failures


def test_version():
    done = subprocess.run([program("droverd"), "-V"], capture_output=True, text=True, check=True)
    assert re.search(r"\d+\.\d+", done.stdout)


@pytest.mark.parametrize("setting", [
    "Type=notify", "ExecReload=", "WatchdogSec=", "StateDirectory=drover",
    "RuntimeDirectory=drover", "RuntimeDirectoryPreserve=yes", "ReadWritePaths=/proc/sys/net",
    "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
    "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
])
def test_unit_says(setting):
    assert setting in UNIT.read_text()
