"""The build directory in DROVER_BUILD, else build/plain."""

import os
import subprocess
from pathlib import Path

from . import ROOT


def directory():
    return Path(os.environ.get("DROVER_BUILD") or ROOT / "build/plain").resolve()


def build(*targets):
    """Brings them up to date; what other targets of the tree are like does not matter."""
    if not (directory() / "build.ninja").exists():
        subprocess.run([str(ROOT / "contrib/build"), str(directory())], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["flock", f"{directory()}.lock", "ninja", "-C", str(directory()), *targets],
                   check=True, stdout=subprocess.DEVNULL)
