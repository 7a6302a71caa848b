"""Balancers that run as daemons, each in a namespace of its own, and are told the same changes."""

import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lab.namespace import Namespace
from lab.programs import program
from lab.wait import Timeout, wait_until
from packet_bench.rulesets import literal

from .steps import add_interface

VIP = "10.200.0.1"
LOAD_SECONDS = 120
ANSWER_SECONDS = 60
CHANGES = ("member out", "member in", "weight 50", "weight 100")


class Refused(Exception):
    """What a balancer cannot do, in words for the table."""


def members(n):
    return [{"name": f"m{i}", "address": f"10.201.{i // 200}.{i % 200 + 1}",
             "mac": f"02:00:00:00:{i // 200:02x}:{i % 200 + 1:02x}"} for i in range(n)]


def services(n):
    return [{"name": f"s{i}", "protocol": "udp" if i % 2 else "tcp", "ports": str(1000 + i)}
            for i in range(n)]


class Balancer:
    """A daemon with all services of a size, each over all members; m0 is this host."""

    def __init__(self):
        self.namespace = Namespace("commit")
        self.directory = Path(tempfile.mkdtemp(prefix="drover-bench-"))
        self.process = None

    def __enter__(self):
        add_interface(self.namespace)
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.namespace.delete()
        shutil.rmtree(self.directory)

    def start(self, *command, environment=None):
        """Runs the daemon, and waits until it answers."""
        with open(self.directory / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.namespace.command(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | (environment or {}))
        try:
            wait_until(lambda: self.process.poll() is not None or self.answers(), LOAD_SECONDS)
        except Timeout:
            raise Refused(f"not loaded in {LOAD_SECONDS} s") from None
        if self.process.poll() is not None:
            raise Refused(f"ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self):
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "silently"

    def answers(self):
        raise NotImplementedError

    def change(self, change):
        """Returns when the kernel has it."""
        raise NotImplementedError

    def measure(self, change):
        """Makes a change. Milliseconds of the daemon's CPU and of wall time."""
        cpu, begin = self.cpu(), time.monotonic_ns()
        self.change(change)
        wall = time.monotonic_ns() - begin
        return (self.cpu() - cpu) / 1e6, wall / 1e6

    def cpu(self):
        """Nanoseconds, those in the kernel on the daemon's behalf included."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0])

    def memory(self):
        """{"Rss": KiB, "Pss": KiB}"""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines[1:])
        return {name: int(fields[name].split()[0]) for name in ("Rss", "Pss")}


class Drover(Balancer):
    """droverd, asked on its control socket in droverctl's words."""

    REQUESTS = {"member out": {"command": "disable"}, "member in": {"command": "enable"},
                "weight 50": {"command": "weight", "weight": 50},
                "weight 100": {"command": "weight", "weight": 100}}

    def __init__(self, n_members, n_services):
        super().__init__()
        self.socket = self.directory / "socket"
        file = self.directory / "drover.conf"
        file.write_text(self._conf(n_members, n_services))
        status = os.stat(self.namespace.path)
        self.netns = f"{status.st_dev}:{status.st_ino}"
        self.command = (program("droverd"), "-c", file)

    def _conf(self, n_members, n_services):
        hosts = members(n_members)
        hosts[0]["balancer"] = True
        group = {"name": "A", "vips": [VIP], "members": tuple(hosts),
                 "services": tuple(services(n_services))}
        top = {"node": "m0", "interface": "eth0", "election": "always",
               "buckets": buckets(n_members), "control": str(self.socket), "groups": (group,)}
        return "".join(f"{key} = {literal(one)};\n" for key, one in top.items())

    def run(self):
        self.start(*self.command, environment={"STATE_DIRECTORY": str(self.directory)})

    def answers(self):
        try:
            return self._ask({"command": "status"})["kernel"]["commits"] > 0
        except OSError:
            return False

    def _ask(self, request):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(json.dumps({**request, "netns": self.netns}).encode() + b"\n")
            with connection.makefile() as replies:
                return json.loads(replies.readline())

    def change(self, change):
        reply = self._ask({**self.REQUESTS[change], "member": "m1"})
        if not reply["ok"]:
            raise Refused(reply["error"])


class Nftlb(Balancer):
    """nftlb, asked by HTTP: one farm for each service, all in one request."""

    BACKENDS = {"member out": {"state": "down"}, "member in": {"state": "up"},
                "weight 50": {"weight": "50"}, "weight 100": {"weight": "100"}}

    def __init__(self, n_members, n_services):
        super().__init__()
        self.file = self.directory / "nftlb.json"
        self.file.write_text(json.dumps({"farms": [
            self._farm(one, n_members) for one in services(n_services)]}))
        self.n_services = n_services

    @staticmethod
    def _farm(service, n_members):
        backends = [{"name": one["name"], "ip-addr": one["address"], "ether-addr": one["mac"],
                     "weight": "100", "state": "up"} for one in members(n_members)]
        return {"name": service["name"], "family": "ipv4", "iface": "eth0", "oface": "eth0",
                "ether-addr": "02:00:00:00:00:01", "virtual-addr": VIP,
                "virtual-ports": service["ports"], "protocol": service["protocol"],
                "mode": "dsr", "scheduler": "hash", "sched-param": "srcip srcport",
                "state": "up", "backends": backends}

    def run(self):
        self.start("nftlb", "-k", "bench", "-l", "3", "-L", "2", "-H", "127.0.0.1",
                   "-c", self.file)

    def answers(self):
        try:
            return self._ask("GET", "/farms/s0")[0] == 200
        except OSError:
            return False

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", 5555, timeout=ANSWER_SECONDS)
        self.namespace.call(connection.connect)
        try:
            connection.request(method, path, body, {"Key": "bench"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def change(self, change):
        backends = [{"name": "m1", **self.BACKENDS[change]}]
        farms = [{"name": f"s{i}", "backends": backends} for i in range(self.n_services)]
        status, text = self._ask("PUT", "/farms", json.dumps({"farms": farms}))
        if status != 200 or b"success" not in text:
            raise Refused(f"HTTP {status}")


class Ipvs(Balancer):
    """The kernel's own: one ipvsadm that is told all services on its standard input.

    Scheduler mh, hashed by address and port: like drover's hash it moves few flows. Its table has
    4093 slots for each service. There is no daemon: CPU is that of the ipvsadm.
    """

    SERVER = {"member out": "-d {service} -r {server}",
              "member in": "-a {service} -r {server} -g -w 100",
              "weight 50": "-e {service} -r {server} -g -w 50",
              "weight 100": "-e {service} -r {server} -g -w 100"}

    def __init__(self, n_members, n_services):
        super().__init__()
        self.members, self.services = members(n_members), services(n_services)

    @staticmethod
    def _service(service):
        return f"-{service['protocol'][0]} {VIP}:{service['ports']}"

    def _line(self, change, service, member):
        server = f"{member['address']}:{service['ports']}"
        return self.SERVER[change].format(service=self._service(service), server=server)

    def run(self):
        lines = []
        for service in self.services:
            lines.append(f"-A {self._service(service)} -s mh -b mh-port")
            lines += [self._line("member in", service, member) for member in self.members]
        self._restore(lines)

    def _restore(self, lines):
        """Milliseconds of ipvsadm's CPU and of wall time."""
        def start():
            return subprocess.Popen(["ipvsadm", "--restore"], stdin=subprocess.PIPE, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cpu, begin = self.cpu(), time.monotonic_ns()
        process = self.namespace.call(start)
        output, _ = process.communicate("".join(f"{line}\n" for line in lines))
        wall = time.monotonic_ns() - begin
        if process.returncode or output:
            why = output.splitlines()[0] if output else f"status {process.returncode}"
            raise Refused(f"ipvsadm: {why}")
        return (self.cpu() - cpu) / 1e6, wall / 1e6

    def measure(self, change):
        return self._restore([self._line(change, service, self.members[1])
                              for service in self.services])

    def cpu(self):
        """That of all ipvsadms that have ended."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (usage.ru_utime + usage.ru_stime) * 1e9

    def memory(self):
        return None


def buckets(n_members):
    """4096 is drover's default; it advises 16384 from 40 members on."""
    return 4096 if n_members <= 40 else 16384
