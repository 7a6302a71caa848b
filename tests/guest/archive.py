"""The initramfs: a cpio archive in the "newc" format, which the kernel unpacks at boot."""

import os
import stat
from pathlib import Path


class Archive:
    """Names are relative to the guest's root. A directory must come before what is in it."""

    def __init__(self, file):
        self.file = file
        self.inode = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.add("TRAILER!!!", 0)

    def add(self, name, mode, data=b"", time=0):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, time, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._write(header + encoded)
        self._write(data)

    def _write(self, data):
        self.file.write(data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def directories(self, names, files):
        """These, and those that the files are in."""
        found = {str(parent) for name in files for parent in Path(name).parents}
        for name in sorted(found.union(names) - {"."}):
            self.directory(name)

    def program(self, name, path):
        self.add(name, stat.S_IFREG | 0o755, Path(path).read_bytes())

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def text(self, name, text):
        self.add(name, stat.S_IFREG | 0o644, text.encode())

    def copy(self, name, path):
        """What is there, as it is: Python looks at the time of a file that it has compiled."""
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode):
            self.add(name, found.st_mode)
        elif stat.S_ISLNK(found.st_mode):
            self.link(name, os.readlink(path))
        else:
            self.add(name, found.st_mode, Path(path).read_bytes(), int(found.st_mtime))
