"""Debian's kernel for virtual machines, unpacked below build/guest and never installed."""

import re
import shutil
from pathlib import Path

from . import ROOT, alone
from .debian import output

PACKAGE = "linux-image-cloud-amd64"
CACHE = ROOT / "build/guest/kernel"


class Kernel:
    """The newest unpacked kernel, or else the one that the package depends on."""

    def __init__(self):
        with alone(CACHE / "lock"):
            self.release = self._release()
            self.tree = CACHE / self.release
            if not (self.tree / "complete").exists():
                self._unpack()

    def _release(self):
        unpacked = sorted(path.parent.name for path in CACHE.glob("*/complete"))
        if unpacked:
            return unpacked[-1]
        depends = output("apt-cache", "depends", PACKAGE)
        found = re.search(r"Depends: linux-image-(\S+)", depends)
        if not found:
            raise SystemExit(f"apt knows no {PACKAGE}: apt-get update may help")
        return found[1]

    def _unpack(self):
        package = f"linux-image-{self.release}"
        print(f"fetching {package}", flush=True)
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        output("apt-get", "download", package, cwd=self.tree)
        archive, = self.tree.glob("*.deb")
        output("dpkg-deb", "-x", str(archive), str(self.tree))
        output("depmod", "-b", str(self.tree), self.release)
        (self.tree / "complete").write_text(archive.name + "\n")
        archive.unlink()

    @property
    def image(self):
        return self.tree / f"boot/vmlinuz-{self.release}"

    @property
    def version(self):
        """As in the package's file name: 6.1.0-56-cloud-amd64 6.1.192-2."""
        name = (self.tree / "complete").read_text().strip()
        return f"{self.release} {name.split('_')[1]}"

    def modules(self, *patterns):
        """{path in the guest: file} of the modules whose paths match, and of all they need."""
        base = Path("lib/modules") / self.release
        wanted = set()
        for line in (self.tree / base / "modules.dep").read_text().splitlines():
            path, needs = line.split(":")
            if any(Path(path).match(pattern) for pattern in patterns):
                wanted |= {path, *needs.split()}
        files = {str(base / path): self.tree / base / path for path in wanted}
        for path in (self.tree / base).glob("modules.*"):
            files[str(base / path.name)] = path
        return files
