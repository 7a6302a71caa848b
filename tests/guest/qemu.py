"""Running a guest: its console is our standard output."""

import subprocess
import threading

# The guest does not outlive who started it.
QEMU = ("setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", "qemu-system-x86_64", "-cpu", "max",
        "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio")
END = "end of the guest"
# A machine whose time is the number of its instructions: 1 ns each. What the guest draws at random,
# above all seeds of hash tables, is the same in each boot.
COUNTING = ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1",
            "-rtc", "base=2024-01-01,clock=vm", "-m", "3000", "-smp", "1")


def run(kernel, initramfs, log, seconds, options):
    """Boots the guest; yields its lines until it says END. The console goes to the log too."""
    command = [*QEMU, *options, "-kernel", str(kernel.image), "-initrd", str(initramfs),
               "-append", "console=ttyS0 quiet panic=1"]
    with open(log, "w", encoding="utf-8") as copy, \
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
        timer = threading.Timer(seconds, guest.kill)
        timer.start()
        try:
            for line in guest.stdout:
                copy.write(line)
                copy.flush()
                if line.strip() == END:
                    return
                yield line.rstrip()
        finally:
            timer.cancel()
            guest.kill()
    raise SystemExit(f"the guest ended before it was done: see {log}")
