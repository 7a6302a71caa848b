"""The same changes told to all balancers, at several sizes."""

import shutil
import statistics
import subprocess
import time

from .balancers import CHANGES, Drover, Ipvs, Nftlb, Refused, buckets

MEMBERS = (4, 16, 64, 256)
SERVICES = (1, 16, 256, 1000)
NFTLB_MOST = 4096  # members of all services; 16384 it has not loaded in 120 s
SECONDS = 15  # for the rounds of one balancer at one size; one round is always finished


def _has_ipvs():
    return bool(shutil.which("ipvsadm")) and subprocess.run(
        ["ipvsadm", "-L", "-n"], capture_output=True, check=False).returncode == 0


def missing():
    """What is not measured here, and why."""
    if not shutil.which("nftlb"):
        yield "nftlb: not installed (Debian package nftlb)"
    if not _has_ipvs():
        yield "IPVS: not measured, for there is no ipvsadm or no IPVS in this kernel; try --guest"


def _rounds(balancer, rounds):
    figures = {change: [] for change in CHANGES}
    deadline = time.monotonic() + SECONDS
    for _ in range(rounds):
        for change in CHANGES:
            figures[change].append(balancer.measure(change))
        if time.monotonic() > deadline:
            break
    return figures


def _measure(kind, n_members, n_services, rounds):
    """{change: (CPU, wall)}, medians; the daemon's memory afterwards; or why there are none."""
    with kind(n_members, n_services) as balancer:
        try:
            balancer.run()
            figures = _rounds(balancer, rounds)
        except (OSError, Refused) as error:
            return {}, None, str(error)
        medians = {change: [statistics.median(column) for column in zip(*pairs)]
                   for change, pairs in figures.items()}
        return medians, balancer.memory(), None


def sizes():
    return [(n_members, n_services) for n_members in MEMBERS for n_services in SERVICES]


def kinds(n_members, n_services, nftlb_most):
    found = {"drover": Drover}
    if n_members * n_services <= nftlb_most and shutil.which("nftlb"):
        found["nftlb"] = Nftlb
    if _has_ipvs():
        found["ipvs"] = Ipvs
    return found


def measure(n_members, n_services, rounds, nftlb_most=NFTLB_MOST):
    """The rows of one size."""
    results = {name: _measure(kind, n_members, n_services, rounds)
               for name, kind in kinds(n_members, n_services, nftlb_most).items()}
    for change in CHANGES:
        row = {"members": n_members, "services": n_services, "buckets": buckets(n_members),
               "change": change}
        for name, (medians, memory, why) in results.items():
            cpu, wall = medians.get(change, (None, None))
            row[name] = {"cpu": cpu, "wall": wall, "memory": memory, "why": why}
        yield row
