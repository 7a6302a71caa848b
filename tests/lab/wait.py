"""Waiting for a condition: the only place in the tests that may let time pass."""

import os
import time

# More than 1 where everything takes longer, as in tests/guest.
PATIENCE = float(os.environ.get("DROVER_TEST_PATIENCE", "1"))


class Timeout(AssertionError):
    """The condition did not come true in time."""


def patience(seconds):
    """How long to wait for what takes less than so long on a usual machine."""
    return seconds * PATIENCE


def wait_until(condition, timeout=10.0, what=None, interval=0.01):
    """Returns the condition's first true value; raises Timeout if there is none in time."""
    timeout = patience(timeout)
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "condition")
            raise Timeout(f"waited {timeout:g} s in vain for: {name}; last value {value!r}")
        time.sleep(interval)
