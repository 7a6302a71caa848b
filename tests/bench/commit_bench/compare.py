"""The same changes told to all balancers, at several sizes."""

import shutil
import statistics
import time
from pathlib import Path

from .balancers import CHANGES, Drover, Nftlb, Refused, buckets

MEMBERS = (4, 16, 64, 256)
SERVICES = (1, 16, 256)
DROVER_SERVICES = (1000,)
SECONDS = 15  # for the rounds of one balancer at one size; one round is always finished


def missing():
    """What is not measured here, and why."""
    if not shutil.which("nftlb"):
        yield "nftlb: not installed (Debian package nftlb)"
    if not Path("/proc/net/ip_vs").exists():
        yield "ipvsadm: not measured, for this kernel has no IPVS"
    else:
        yield "ipvsadm: not measured"


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
    for n_members in MEMBERS:
        for n_services in SERVICES + DROVER_SERVICES:
            yield n_members, n_services


def kinds(n_services):
    found = {"drover": Drover}
    if n_services not in DROVER_SERVICES and shutil.which("nftlb"):
        found["nftlb"] = Nftlb
    return found


def measure(n_members, n_services, rounds):
    """The rows of one size."""
    results = {name: _measure(kind, n_members, n_services, rounds)
               for name, kind in kinds(n_services).items()}
    for change in CHANGES:
        row = {"members": n_members, "services": n_services, "buckets": buckets(n_members),
               "change": change}
        for name, (medians, memory, why) in results.items():
            cpu, wall = medians.get(change, (None, None))
            row[name] = {"cpu": cpu, "wall": wall, "memory": memory, "why": why}
        yield row
