"""A host of the cluster: where droverd runs and members serve."""

import json
import re

from .config import render
from .daemon import Daemon
from .helper import Helper
from .host import Host
from .listing import table_of
from .programs import program


class CtlError(AssertionError):
    """droverctl did not end as expected."""


class Node(Host):
    """A host with one interface, eth0, and the files of a drover installation."""

    def __init__(self, name, directory, number):
        super().__init__(name, directory)
        self.number = number
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.daemon = None
        self.helper = None
        self.conf_path = self.directory / "drover.conf"
        self.state_directory = self.directory / "state"
        self.run_directory = self.directory / "run"
        self.control_path = self.run_directory / "control.sock"
        self.log_path = self.directory / "log"
        for path in (self.state_directory, self.run_directory):
            path.mkdir()
            path.chmod(0o777)

    # --- configuration -----------------------------------------------------

    def write_conf(self, settings):
        """Writes the configuration: a dict (see config.py), completed with this host's own."""
        own = {"node": self.name, "interface": "eth0", "control": str(self.control_path)}
        self.write_conf_text(render(own | settings))

    def write_conf_text(self, text):
        self.conf_path.write_text(text)
        self.conf_path.chmod(0o644)

    # --- droverd -----------------------------------------------------------

    def start_droverd(self, environment=None, arguments=(), unprivileged=False):
        """Starts droverd and waits until it says that it is ready."""
        assert not (self.daemon and self.daemon.running), f"droverd already runs on {self.name}"
        self.daemon = Daemon(self, environment, arguments, unprivileged)
        self.daemon.wait_ready()
        return self.daemon

    @property
    def is_running(self):
        return bool(self.daemon and self.daemon.running)

    def stop_droverd(self):
        status = self.daemon.stop()
        assert status == 0, f"droverd on {self.name} stopped with {status}\n{self.log()}"

    def restart_droverd(self):
        self.stop_droverd()
        self.start_droverd()

    def kill_droverd(self):
        self.daemon.kill()

    def kill_all(self):
        if self.daemon and self.daemon.running:
            self.kill_droverd()
        if self.helper and self.helper.running:
            self.helper.kill()
        super().kill_all()

    def reset(self):
        """What is on disk remains: configuration, state and log."""
        super().reset()
        for path in self.run_directory.iterdir():
            path.unlink()

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def droverd(self, *arguments):
        """Runs droverd with arguments that make it end by itself, like -t and -p."""
        return self.run(program("droverd"), "-c", self.conf_path, *arguments, check=False)

    # --- drover-helper -----------------------------------------------------

    def start_helper(self, settings=None, arguments=()):
        """Starts drover-helper with these settings, and the VIPs of a vipaddrs file."""
        self.write_conf_text(render({"control": str(self.control_path)} | (settings or {})))
        self.helper = Helper(self, "-f", self.directory / "vipaddrs", "-c", self.conf_path,
                             *arguments)
        return self.helper

    # --- droverctl ---------------------------------------------------------

    def droverctl(self, *words):
        """Runs droverctl as an operator does; returns what it printed and its exit status."""
        return self.run(program("droverctl"), "-s", self.control_path, *words, check=False)

    def popen_droverctl(self, *words):
        """Starts droverctl; its output can be read line by line."""
        return self.popen(program("droverctl"), "-s", self.control_path, *words, stdout=True)

    def ctl(self, *words, exit_status=0):
        """Runs droverctl -j and returns its reply; raises unless it ends with exit_status."""
        done = self.droverctl("-j", *words)
        if done.returncode != exit_status:
            raise CtlError(f"{self.name}: droverctl {' '.join(map(str, words))}: exit "
                           f"{done.returncode}\n{done.stdout}{done.stderr}\n{self.log()}")
        return json.loads(done.stdout)

    def group(self, name="A"):
        groups = self.ctl("status")["groups"]
        return next(group for group in groups if group["name"] == name)

    def member(self, name, group="A"):
        members = self.group(group)["members"]
        return next(member for member in members if member["name"] == name)

    def connections(self, member=None):
        """How many connections are known here, all of them or those of one member."""
        members = self.ctl("flows", *[member] if member else [])["members"]
        return sum(entry["flows"] for entry in members)

    def peer(self, name):
        """What is known of another node."""
        nodes = self.ctl("status")["sync"]["nodes"]
        return next((node for node in nodes if node["name"] == name), None)

    def is_active(self, group="A"):
        return self.group(group)["role"] == "active"

    def deafen(self, words):
        """Drops what matches, in nft's words, of the packets that come to this host itself."""
        self.load_ruleset(
            "add table inet lab\n"
            "add chain inet lab input { type filter hook input priority -300; }\n"
            f"add rule inet lab input {words} drop\n")

    def heal(self):
        self.run("nft", "delete", "table", "inet", "lab")

    def hasten_neighbours(self):
        """Lets the kernel notice lost neighbours in two seconds; for entries made from now on."""
        for name, value in (("base_reachable_time_ms", 1000), ("retrans_time_ms", 100),
                            ("delay_first_probe_time", 1), ("interval_probe_time_ms", 500)):
            for family in ("ipv4", "ipv6"):
                self.set_sysctl(f"{family}/neigh/eth0/{name}", value)

    # --- what is in the kernel ---------------------------------------------

    def drover_objects(self, kind, family="netdev"):
        """nft's objects of one kind in the table drover of a family."""
        return [item[kind] for item in self.nft_json("-a")
                if kind in item and table_of(item) == (family, "drover")]

    def is_forwarding(self):
        """Whether packets come to its rules. A standby has most of them too, but no hook."""
        return any("hook" in chain and chain.get("dev") != "lo"
                   for chain in self.drover_objects("chain"))

    def handles(self):
        """Every handle of drover's tables: they change when an object is made anew."""
        handles = set()
        for item in self.nft_json("-a"):
            for kind, body in item.items():
                if table_of(item)[1] == "drover":
                    name = body.get("name") or body.get("comment") or body.get("chain")
                    handles.add((kind, body["family"], name, body["handle"]))
        return handles

    def forwarded(self, member, group="A"):
        """Packets that the member's chain has counted."""
        chain = f"member/{group}/{member}"
        for rule in self.drover_objects("rule"):
            for part in rule["expr"] if rule["chain"] == chain else ():
                if "counter" in part:
                    return part["counter"]["packets"]
        raise AssertionError(f"no counter in chain {chain} of {self.name}\n{self.ruleset()}")

    def has_address(self, address, interface="eth0"):
        listing = self.run("ip", "-o", "addr", "show", "dev", interface, check=False).stdout
        return bool(re.search(rf"inet6? {re.escape(address)}[/ ]", listing))
