"""The comparison in a guest: on Debian's kernel, which has IPVS, and a machine that counts.

Its time is the number of instructions, 1 ns each, for CPU and wall alike; what a processor gains
by doing several at once, or loses by waiting for memory, is not in it.
"""

import json
import re
from pathlib import Path

from guest import ROOT, build, debian, qemu, system
from guest.kernel import Kernel

PACKAGES = (*system.PACKAGES, "ipvsadm", "nftlb")
PROGRAMS = ("src/daemon/droverd",)
RESULTS = "/tmp/results"
CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
LONGEST = 3600
# (members, services)
SIZES = ((4, 1), (4, 16), (4, 256), (16, 16), (64, 1), (64, 16), (64, 256), (64, 1000), (256, 1),
         (256, 16))
# Here it keeps two sockets open for each member of each service, and is deaf beyond the 1024th.
NFTLB_MOST = 256


def check_clock():
    """Any other clock would not be made of instructions."""
    if CLOCK.read_text().strip() != "tsc":
        raise SystemExit(f"the guest does not count instructions: {CLOCK} is not tsc")


def run(options, work, say):
    """Boots the guest, says what it says, and returns its results."""
    debian.require(("qemu-system-x86", *PACKAGES), options.install)
    build.build(*PROGRAMS)
    kernel, initramfs, results = Kernel(), work / "commit.initramfs", work / "commit-guest.results"
    script = f"python3 tests/bench/commit --in-guest {RESULTS} --rounds {options.rounds}"
    system.write_initramfs(initramfs, kernel, script, PACKAGES, PROGRAMS)
    status = None
    for line in qemu.run(kernel, initramfs, work / "commit-guest.log", LONGEST,
                         (*qemu.COUNTING, "-serial", f"file:{results}")):
        ended = re.fullmatch(r"guest status (\d+)", line)
        if ended:
            status = int(ended[1])
        else:
            say(line)
    initramfs.unlink()
    if status != 0:
        raise SystemExit(f"the guest failed: see {work.relative_to(ROOT)}/commit-guest.log")
    return json.loads(results.read_text())
