"""From the cluster's state to the kernel's commit, by the C program that takes the same steps."""

import subprocess
from dataclasses import dataclass

from lab.namespace import Namespace
from lab.programs import build_directory

NAMES = ("plan", "compile", "diff", "commit", "cpu")


@dataclass(frozen=True)
class Size:
    """subsets: of the members, which every fourth service is over one of."""

    members: int
    services: int
    buckets: int
    subsets: int = 0


# Three services are one of each kind that 1000 have, and so make as many rules.
SIZES = (Size(4, 1, 4096), Size(64, 1, 16384), Size(64, 3, 16384), Size(64, 1000, 16384),
         Size(64, 1000, 16384, 1), Size(64, 1000, 16384, 4), Size(256, 64, 4096, 1),
         Size(256, 64, 65536, 1))


def add_interface(namespace):
    """eth0 as both balancers find it: up, with a peer that says nothing."""
    for command in ("link set lo up",
                    "link add eth0 address 02:00:00:00:00:01 type veth peer name peer0",
                    "link set eth0 up", "link set peer0 up",
                    "addr add 10.201.255.254/16 dev eth0"):
        subprocess.run(namespace.command(["ip", *command.split()]), check=True)


def measure(size, rounds):
    """The rows of one size: medians of the rounds, in milliseconds."""
    namespace = Namespace("steps")
    try:
        add_interface(namespace)
        numbers = (size.members, size.services, size.buckets, size.subsets, rounds)
        program = build_directory() / "tests/bench/bench-commit"
        done = subprocess.run(namespace.command([program, *numbers]), check=True, text=True,
                              stdout=subprocess.PIPE)
    finally:
        namespace.delete()
    for line in done.stdout.splitlines():
        *figures, messages, size_in_bytes, change = line.split(maxsplit=7)
        times = {name: int(figure) / 1000 for name, figure in zip(NAMES, figures)}
        yield {**vars(size), "change": change, **times, "messages": int(messages),
               "bytes": int(size_in_bytes)}
