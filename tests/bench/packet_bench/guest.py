"""The guest: a Debian kernel with a small initramfs, run by qemu with counted instructions."""

import os
import re
import shutil
import stat
import subprocess
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL_PACKAGE = "linux-image-cloud-amd64"
PACKAGES = ("busybox-static", "gcc", "iproute2", "ipvsadm", "kmod", "libc6-dev", "nftables",
            "qemu-system-x86")
PROGRAMS = ("/usr/sbin/nft", "/usr/sbin/ip", "/usr/sbin/ipvsadm")
MODULES = ("veth", "nf_tables", "nft_fwd_netdev", "nft_dup_netdev", "nft_hash", "nft_numgen",
           "nft_limit")
IPVS_MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_mh", "ip_vs_sh")
DIRECTORIES = ("bench", "bin", "dev", "etc", "proc", "run", "sbin", "sys", "tmp", "usr", "usr/bin",
               "usr/sbin", "var", "var/run")
# -seed: what the guest draws at random, above all seeds of hash tables, is the same in each boot.
QEMU = ("nice", "-n", "10", "qemu-system-x86_64", "-accel", "tcg,thread=single",
        "-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2024-01-01,clock=vm",
        "-cpu", "max", "-m", "3000", "-smp", "1", "-nographic", "-nodefaults",
        "-serial", "stdio", "-no-reboot")


def output(*command, **options):
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def missing_packages():
    def installed(package):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
                              capture_output=True, text=True, check=False)
        return done.stdout == "installed"
    return [package for package in PACKAGES if not installed(package)]


def install(packages):
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], check=True,
                   env=environment)


# --- the kernel --------------------------------------------------------------------------

class Kernel:
    """Debian's kernel, unpacked below the cache directory and never installed."""

    def __init__(self, cache):
        self.cache = cache
        self.release = self._release()
        self.tree = cache / self.release
        if not (self.tree / "complete").exists():
            self._unpack()

    def _release(self):
        """That of the newest unpacked kernel, or else of the one that the package depends on."""
        unpacked = sorted(path.parent.name for path in self.cache.glob("*/complete"))
        if unpacked:
            return unpacked[-1]
        depends = output("apt-cache", "depends", KERNEL_PACKAGE)
        found = re.search(r"Depends: linux-image-(\S+)", depends)
        if not found:
            raise SystemExit(f"apt knows no {KERNEL_PACKAGE}: apt-get update may help")
        return found[1]

    def _unpack(self):
        package = f"linux-image-{self.release}"
        print(f"fetching {package}")
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

    def module_files(self):
        """{path in the guest: file} of our modules and of those that they need."""
        base = Path("lib/modules") / self.release
        needs, paths = {}, {}
        for line in (self.tree / base / "modules.dep").read_text().splitlines():
            path, others = line.split(":")
            paths[Path(path).stem.replace("-", "_")] = path
            needs[path] = others.split()
        wanted = set()
        for module in MODULES + IPVS_MODULES:
            if module in paths:
                wanted |= {paths[module], *needs[paths[module]]}
        files = {str(base / path): self.tree / base / path for path in wanted}
        for path in (self.tree / base).glob("modules.*"):
            files[str(base / path.name)] = path
        return files


# --- the initramfs -----------------------------------------------------------------------

class Archive:
    """A cpio archive in the "newc" format, which the kernel unpacks at boot."""

    def __init__(self, file):
        self.file = file
        self.inode = 0

    def add(self, name, mode, data=b""):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._write(header + encoded)
        self._write(data)

    def _write(self, data):
        self.file.write(data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def program(self, name, path):
        self.add(name, stat.S_IFREG | 0o755, Path(path).read_bytes())

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def text(self, name, text):
        self.add(name, stat.S_IFREG | 0o644, text.encode())

    def close(self):
        self.add("TRAILER!!!", 0)


def libraries(program):
    """The shared libraries of a program, with the dynamic linker."""
    return re.findall(r"(/\S+) \(0x", output("ldd", program))


def build_sender(directory):
    """Static, for it runs in the guest; and without the options of the build directory."""
    sender = directory / "packet-sender"
    source = HERE.parent / "packet-sender.c"
    if not sender.exists() or sender.stat().st_mtime < source.stat().st_mtime:
        output("gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
               "-o", str(sender), str(source))
    return sender


def _files(kernel, sender):
    """{path in the guest: file} of all that is not a text of ours."""
    files = {"init": HERE / "guest-init", "bin/busybox": "/bin/busybox",
             "bin/packet-sender": sender, **kernel.module_files()}
    for program in PROGRAMS:
        files[program.lstrip("/")] = program
        for library in libraries(program):
            files[library.lstrip("/")] = library
    return files


def write_initramfs(path, kernel, sender, texts):
    files = _files(kernel, sender)
    parents = {str(parent) for name in files for parent in Path(name).parents}
    with open(path, "wb") as file:
        archive = Archive(file)
        for name in sorted((parents | set(DIRECTORIES)) - {"."}):
            archive.directory(name)
        for name in sorted(files):
            archive.program(name, files[name])
        archive.link("bin/sh", "/bin/busybox")
        archive.link("sbin/modprobe", "/bin/busybox")
        archive.text("bench/modules", " ".join(MODULES) + "\n")
        for name, text in sorted(texts.items()):
            archive.text(f"bench/{name}", text)
        archive.close()


# --- running -----------------------------------------------------------------------------

def run(kernel, initramfs, log, seconds):
    """Boots the guest; yields its lines until it says "end". The console goes to the log too."""
    command = [*QEMU, "-kernel", str(kernel.image), "-initrd", str(initramfs),
               "-append", "console=ttyS0 quiet panic=1"]
    with open(log, "w", encoding="utf-8") as copy, \
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
        timer = threading.Timer(seconds, guest.kill)
        timer.start()
        try:
            for line in guest.stdout:
                copy.write(line)
                if line.strip() == "end":
                    return
                yield line.strip()
        finally:
            timer.cancel()
            guest.kill()
    raise SystemExit(f"the guest ended before it was done: see {log}")
