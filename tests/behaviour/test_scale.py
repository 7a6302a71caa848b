"""A large cluster: 256 members, 64 services, 65536 buckets; and what a change of it touches."""

import subprocess

import pytest

from lab import VIP
from lab.programs import REPOSITORY, build_directory

MEMBERS, SERVICES, BUCKETS = 256, 64, 65536


def large_group(lab):
    """fe5 and 255 members that only the file knows, each with its MAC."""
    others = [{"name": f"m{i}", "address": f"198.51.{100 + i // 200}.{i % 200 + 1}",
               "mac": f"02:01:00:00:{i // 200:02x}:{i % 200:02x}"} for i in range(MEMBERS - 1)]
    group = lab.group({"fe5": 100}, services=[
        {"name": f"s{i}", "protocol": "udp" if i % 2 else "tcp", "ports": str(1000 + i),
         "scheduler": "source" if i % 3 == 2 else "hash"} for i in range(SERVICES)])
    group["members"] = [*group["members"], *others]
    return group


@pytest.mark.slow_with_sanitizers
def test_a_large_cluster_loads_and_changes(make_lab):
    lab = make_lab(["fe5"], vips=[VIP])
    lab.configure(large_group(lab), buckets=BUCKETS)
    node = lab["fe5"]
    node.start_droverd()
    node.ctl("activate")
    members = node.group()["members"]
    assert len(members) == MEMBERS
    assert all(member["buckets"] == BUCKETS // MEMBERS for member in members)

    before = node.handles()
    node.ctl("weight", "m7", 50)
    status = node.ctl("status")
    assert status["kernel"]["in_sync"] and status["kernel"]["error"] is None
    assert node.member("m7")["buckets"] in (128, 129)
    assert node.handles() == before, "one weight touches elements only, no rule"


@pytest.mark.slow_with_sanitizers
def test_the_benchmark_of_commits_runs():
    done = subprocess.run([REPOSITORY / "tests/bench/commit", "--quick"], text=True,
                          capture_output=True, timeout=300, check=True,
                          env={"DROVER_BUILD": str(build_directory()),
                               "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    print(done.stdout)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["256", "64", "65536", "1", "one", "weight"] in [row[:6] for row in rows]
