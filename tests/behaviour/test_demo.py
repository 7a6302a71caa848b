"""The demo keeps its promises: it ends with an error if anything it claims did not happen."""

import os
import subprocess

import pytest

from lab.programs import REPOSITORY, build_directory


@pytest.mark.slow_with_sanitizers
def test_demo():
    done = subprocess.run([REPOSITORY / "contrib/demo"], capture_output=True, text=True,
                          check=False, timeout=300, stdin=subprocess.DEVNULL,
                          env=os.environ | {"DROVER_BUILD": str(build_directory())})
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "\033[" not in done.stdout, "colours are for terminals"
    for word in ("fe5", "fe6", "fe7", "fe8", "table netdev drover"):
        assert word in done.stdout
