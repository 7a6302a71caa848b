"""Network namespaces by name: making them, working inside them, and leaving none behind."""

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
import threading

PREFIX = "drover"
DIRECTORY = "/run/netns"
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


def free_name(directory, name):
    """drover-PID-NAME; a second laboratory of the same process gets drover-PID-NAME.2, …"""
    wanted = candidate = f"{PREFIX}-{os.getpid()}-{name}"
    number = 1
    while os.path.exists(os.path.join(directory, candidate)):
        number += 1
        candidate = f"{wanted}.{number}"
    return candidate


class Namespace:
    """One network namespace, visible in `ip netns` as drover-PID-NAME."""

    def __init__(self, name):
        self.name = free_name(DIRECTORY, name)
        self.path = f"{DIRECTORY}/{self.name}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def delete(self):
        """Removes the name; the kernel removes the rest when its last process has gone."""
        if os.path.exists(self.path):
            subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def processes(self):
        """The process ids of all that runs inside, whoever started it."""
        pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True,
                              check=True).stdout
        return list(map(int, pids.split()))

    def command(self, argv):
        """The command line that runs argv inside, and ends it if the laboratory is killed."""
        inside = ["nsenter", f"--net={self.path}", "--"]
        return ["setpriv", "--pdeathsig", "KILL", *inside, *map(str, argv)]

    def call(self, function):
        """Calls a function inside, on a thread of its own, and returns what it returns.

        The calling thread never leaves its namespace, whatever the function does. A
        socket made inside remains a socket of the namespace wherever it is used.
        """
        outcome = {}

        def enter_and_call():
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    _setns(descriptor)
                finally:
                    os.close(descriptor)
                outcome["value"] = function()
            except BaseException as error:  # pylint: disable=broad-except
                outcome["error"] = error

        thread = threading.Thread(target=enter_and_call)
        thread.start()
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]


def sweep():
    """Removes what laboratories left that were killed before they could clean up."""
    for name in _orphans(DIRECTORY):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    temporary = tempfile.gettempdir()
    for name in _orphans(temporary):
        shutil.rmtree(os.path.join(temporary, name), ignore_errors=True)


def _orphans(directory):
    """Entries that carry the process id of a laboratory that lives no more."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for name in names:
        match = re.fullmatch(PREFIX + r"-(\d+)-[\w.-]+", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            yield name
