"""Debian's kernel in a machine that qemu emulates, for tests/guest/run and tests/bench/packet."""

import contextlib
import fcntl
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def alone(path):
    """One at a time among all that lock this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
