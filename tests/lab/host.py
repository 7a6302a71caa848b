"""A host of the laboratory: a namespace, the processes in it, and the traffic that it makes."""

import json
import os
import signal
import subprocess
from pathlib import Path

from . import traffic
from .capture import Capture
from .listing import table_of
from .namespace import Namespace
from .process import Process
from .wait import patience, wait_until

ECHO = Path(__file__).with_name("echo.py")


class Host:
    """Everything with a network of its own: clients, routers, switches, nodes."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = Path(directory) / name
        self.directory.mkdir()
        self.directory.chmod(0o755)
        self._processes = []
        self._captures = []
        self._echo = None
        self.namespace = None
        self._begin()

    def _begin(self):
        self.namespace = Namespace(self.name)
        try:
            self._prepare()
        except BaseException:
            self.namespace.delete()
            raise

    def _prepare(self):
        """The same start on every machine, whatever its own settings are."""
        for setting in ("rp_filter", "arp_ignore", "arp_announce", "arp_filter"):
            for scope in ("all", "default"):
                self.set_sysctl(f"ipv4/conf/{scope}/{setting}", 0)
        for setting in ("disable_ipv6", "accept_dad", "accept_ra", "router_solicitations"):
            for scope in ("all", "default"):
                self.set_sysctl(f"ipv6/conf/{scope}/{setting}", 0)
        self.run("ip", "link", "set", "lo", "up")

    def disable_ipv6(self):
        """For interfaces that are made from now on, and those that are there."""
        for scope in ("all", "default"):
            self.set_sysctl(f"ipv6/conf/{scope}/disable_ipv6", 1)

    # --- programs ---------------------------------------------------------

    def run(self, *command, check=True, stdin=None, timeout=60):
        """Runs a program to its end; raises with its stderr if it fails."""
        done = subprocess.run(self.namespace.command(command), input=stdin, text=True,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, check=False, timeout=patience(timeout))
        if check and done.returncode:
            words = " ".join(map(str, command))
            raise AssertionError(f"{self.name}: {words}: exit {done.returncode}\n{done.stderr}")
        return done

    def popen(self, *command, stdin=False, stdout=False, **options):
        """Starts a program that the laboratory ends when it is closed."""
        process = Process(self.namespace.command(command), stdin=stdin, stdout=stdout, **options)
        self._processes.append(process)
        return process

    # --- network ----------------------------------------------------------

    def ip(self, *words):
        return self.run("ip", *words).stdout

    def call(self, function):
        """Calls a Python function in this host's network."""
        return self.namespace.call(function)

    def sysctl(self, name):
        path = Path("/proc/sys/net") / name
        return self.call(path.read_text).strip()

    def set_sysctl(self, name, value):
        path = Path("/proc/sys/net") / name
        if self.call(path.exists):
            self.call(lambda: path.write_text(f"{value}\n"))

    def capture(self, interface=None, *protocol):
        capture = Capture(self.namespace, interface, *protocol)
        self._captures.append(capture)
        return capture

    # --- nftables ---------------------------------------------------------

    def ruleset(self):
        return self.run("nft", "list", "ruleset").stdout

    def nft_json(self, *options):
        """The ruleset as nft's objects, without the line about nft itself.

        Tables by family and name: nft has them in the order in which they were made.
        """
        text = self.run("nft", *options, "-j", "list", "ruleset").stdout
        objects = [item for item in json.loads(text)["nftables"] if "metainfo" not in item]
        return sorted(objects, key=table_of)

    def load_ruleset(self, script):
        self.run("nft", "-f", "-", stdin=script)

    # --- servers and clients -----------------------------------------------

    def serve(self, tcp="", udp=""):
        """Starts an echo server that answers with this host's name; "25,6000-6009" are ports."""
        self._echo = self.popen(traffic.PYTHON, ECHO, self.name, f"tcp={tcp}", f"udp={udp}",
                                stdout=True)
        self._echo.read_line(20, expected="ready")

    def pause_serving(self, paused=True):
        """Its connections are still made, by the kernel, and not answered."""
        self._echo.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def stop_serving(self):
        self._echo.end()

    def connect(self, target, port, count, **spec):
        """Opens so many connections, asks once on each; returns Answers."""
        return traffic.finish(traffic.start(self, "connect", target, port, count=count, **spec))

    def datagrams(self, target, port, count, **spec):
        """Sends so many datagrams, one after the other; returns Answers."""
        return traffic.finish(traffic.start(self, "datagrams", target, port, count=count, **spec))

    def hold(self, target, port, count, **spec):
        """Opens so many connections and keeps all of them busy; returns Running."""
        return traffic.Running(traffic.start(self, "hold", target, port, count=count, **spec))

    def churn(self, target, port, **spec):
        """Opens one connection after the other until stopped; returns Running."""
        return traffic.Running(traffic.start(self, "churn", target, port, **spec))

    def wait_for_link(self, interface="eth0"):
        wait_until(lambda: "LOWER_UP" in self.ip("-o", "link", "show", interface),
                   what=f"{interface} of {self.name} up")

    # --- end --------------------------------------------------------------

    def kill_all(self):
        """SIGKILL to all that runs here, and to what that has started."""
        for process in self._processes:
            process.end()
        self._processes.clear()
        wait_until(self._kill_rest, 10, f"the end of all that runs on {self.name}")

    def _kill_rest(self):
        rest = self.namespace.processes()
        for pid in rest:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not rest

    def reset(self):
        """All that runs here ends, and its kernel forgets all: as after a power cut."""
        self.close()
        self._begin()

    def close(self):
        """Ends all that runs here and removes the namespace."""
        for capture in self._captures:
            try:
                capture.stop()
            except AssertionError:
                pass
        self._captures.clear()
        self.kill_all()
        self.namespace.delete()
