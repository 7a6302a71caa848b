"""The guest: a small initramfs for Debian's kernel, on a machine that counts instructions."""

from pathlib import Path

from guest import debian, qemu
from guest.archive import Archive

HERE = Path(__file__).resolve().parent
PACKAGES = ("busybox-static", "gcc", "iproute2", "ipvsadm", "kmod", "libc6-dev", "nftables",
            "qemu-system-x86")
PROGRAMS = ("/usr/sbin/nft", "/usr/sbin/ip", "/usr/sbin/ipvsadm")
MODULES = ("veth", "nf_tables", "nft_fwd_netdev", "nft_dup_netdev", "nft_hash", "nft_numgen",
           "nft_limit")
IPVS_MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_mh", "ip_vs_sh")
DIRECTORIES = ("bench", "bin", "dev", "etc", "proc", "run", "sbin", "sys", "tmp", "usr", "usr/bin",
               "usr/sbin", "var", "var/run")


def build_sender(directory):
    """Static, for it runs in the guest; and without the options of the build directory."""
    sender = directory / "packet-sender"
    source = HERE.parent / "packet-sender.c"
    if not sender.exists() or sender.stat().st_mtime < source.stat().st_mtime:
        debian.output("gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
                      "-o", str(sender), str(source))
    return sender


def _files(kernel, sender):
    """{path in the guest: file} of all that is not a text of ours."""
    modules = kernel.modules(*(f"{name}.ko" for name in MODULES + IPVS_MODULES))
    files = {"init": HERE / "guest-init", "bin/busybox": "/bin/busybox",
             "bin/packet-sender": sender, **modules}
    for program in PROGRAMS:
        files[program.lstrip("/")] = program
        for library in debian.libraries(program):
            files[library.lstrip("/")] = library
    return files


def write_initramfs(path, kernel, sender, texts):
    files = _files(kernel, sender)
    with open(path, "wb") as file, Archive(file) as archive:
        archive.directories(DIRECTORIES, files)
        for name in sorted(files):
            archive.program(name, files[name])
        archive.link("bin/sh", "/bin/busybox")
        archive.link("sbin/modprobe", "/bin/busybox")
        archive.text("bench/modules", " ".join(MODULES) + "\n")
        for name, text in sorted(texts.items()):
            archive.text(f"bench/{name}", text)


def run(kernel, initramfs, log, seconds):
    """Boots the guest; yields its lines."""
    return qemu.run(kernel, initramfs, log, seconds, qemu.COUNTING)
