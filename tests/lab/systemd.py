"""A node whose first process is systemd, in an installation of its own: a container."""

import os
import shutil
import subprocess
from pathlib import Path

from .config import render
from .programs import build_directory
from .wait import patience, wait_until

BOOT = Path(__file__).with_name("systemd-boot")
CONTROL = "run/drover/control.sock"


def _cgroup_root():
    """Where cgroups of version 2 are mounted."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return Path(next(line.split()[1] for line in lines if line.split()[2] == "cgroup2"))


class Systemd:
    """Boots systemd in a node's network. The files of root are below it, and stay as they are."""

    def __init__(self, node, settings=None, drop_in="", package=None, root="/"):
        """What it has of drover is the build's, or as yet nothing but the package in /root.

        With another root than this host's, it is what is installed there.
        """
        self.node = node
        self.root = root
        self.directory = node.directory / "systemd"
        self.installed = self.directory / "installed"
        self.directory.mkdir()
        if package:
            (self.installed / "root").mkdir(parents=True)
            shutil.copy(package, self.installed / "root/drover.deb")
        elif root == "/":
            subprocess.run(["meson", "install", "-C", build_directory(), "--no-rebuild", "--quiet",
                            "--destdir", self.installed], check=True, stdout=subprocess.DEVNULL)
        self.installed.mkdir(exist_ok=True)
        if settings:
            own = {"node": node.name, "interface": "eth0"}
            self.write("etc/drover/drover.conf", render(own | settings))
        if drop_in:
            self.write("etc/systemd/system/droverd.service.d/test.conf", drop_in)
        self.cgroup = _cgroup_root() / f"drover-{os.getpid()}-{node.name}"
        self.log_path = self.directory / "log"
        self._start()

    def write(self, name, text):
        path = self.installed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _start(self):
        self.cgroup.mkdir()
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = self.node.popen(BOOT, self.cgroup, self.directory, self.root,
                                           stderr=log)
        try:
            self.pid = wait_until(self._first_process, 20, "systemd as process 1")
            self.node.control_path = Path(f"/proc/{self.pid}/root") / CONTROL
            wait_until(lambda: self.run("systemctl", "is-active", "sysinit.target").stdout ==
                       "active\n", 40, "systemd reaching sysinit.target")
        except BaseException:
            print(self.log_path.read_text())
            self.close()
            raise

    def _first_process(self):
        if self.process.poll() is not None:
            raise AssertionError(f"no systemd\n{self.log_path.read_text()}")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for child in children.split():
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return int(child)
        return None

    def run(self, *command, stdin=""):
        """Runs a program inside."""
        return subprocess.run(["nsenter", f"--target={self.pid}", "--all", "--", *command],
                              capture_output=True, text=True, check=False,
                              input=stdin, timeout=patience(60))

    def systemctl(self, *words):
        done = self.run("systemctl", *words)
        if done.returncode:
            raise AssertionError(f"systemctl {' '.join(words)}: {done.stderr}\n"
                                 f"{self.log_path.read_text()}\n{self.journal()}")
        return done.stdout

    def show(self, unit, name):
        return self.systemctl("show", "--value", "--property", name, unit).strip()

    def journal(self, *options):
        return self.run("journalctl", "--no-pager", *options).stdout

    def close(self):
        self.process.end()
        wait_until(self._remove_cgroup, 20, "the end of what ran under systemd")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _remove_cgroup(self):
        subprocess.run(["find", self.cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
                       check=False, capture_output=True)
        return not self.cgroup.exists()
