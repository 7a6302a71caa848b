"""The guest of tests/guest/run and tests/bench/commit: what the Debian packages of this host
consist of, the repository, the programs under test, and the kernel's modules. All of it is in
memory.
"""

import importlib.util
import os
import re
from pathlib import Path

from . import ROOT, build, debian
from .archive import Archive

HERE = Path(__file__).resolve().parent
PACKAGES = ("coreutils", "dash", "iproute2", "kmod", "mount", "nftables", "procps",
            "python3-pytest", "python3-scapy", "util-linux")
UNUSED = re.compile(r"/usr/share/(doc|info|locale|man)/")
MODULES = ("kernel/net/**/*.ko", "kernel/net/netfilter/ipvs/*.ko", "kernel/drivers/net/veth.ko")
DIRECTORIES = ("dev", "proc", "root", "run", "sys", "tmp")
PROGRAMS = ("src/daemon/droverd", "src/ctl/droverctl")
REPOSITORY = ("README.md", "contrib", "include", "man", "meson.build", "rules", "src", "tests")
INSIDE = "drover"


def _place(path):
    """A path in the guest: /lib and the like are links, and what is in them is elsewhere."""
    path = Path(path)
    return str(Path(os.path.realpath(path.parent)) / path.name).lstrip("/")


def _packages(names):
    for path in debian.files(debian.with_dependencies(names)):
        if UNUSED.match(path) or not os.path.lexists(path):
            continue
        yield _place(path), path
        compiled = importlib.util.cache_from_source(path) if path.endswith(".py") else ""
        if os.path.exists(compiled):
            yield _place(compiled), compiled


def _repository():
    for name in REPOSITORY:
        yield f"{INSIDE}/{name}", ROOT / name
        for path in (ROOT / name).rglob("*"):
            if "__pycache__" not in path.parts:
                yield f"{INSIDE}/{path.relative_to(ROOT)}", path


def _programs(names):
    """Where the tests look for them, and their libraries where these are on the host."""
    for name in (*names, "meson-info/intro-buildoptions.json"):
        yield f"{INSIDE}/build/plain/{name}", build.directory() / name
    for name in names:
        for library in debian.libraries(build.directory() / name):
            yield _place(library), os.path.realpath(library)


def write_initramfs(path, kernel, command, packages=PACKAGES, programs=PROGRAMS):
    """command: a shell script, which the guest runs in the repository."""
    files = dict([*_packages(packages), *_repository(), *_programs(programs)])
    files |= {f"usr/{name}": file for name, file in kernel.modules(*MODULES).items()}
    with open(path, "wb") as file, Archive(file) as archive:
        archive.directories(DIRECTORIES, files)
        for name in sorted(files):
            archive.copy(name, files[name])
        archive.program("init", HERE / "init")
        archive.text(f"{INSIDE}/command", command)
