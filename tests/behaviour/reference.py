"""The reference rulesets: rules/NAME.nft is what droverd makes of contrib/examples/NAME.conf."""

import contextlib
import dataclasses
import re
from pathlib import Path

from lab import Lab
from lab.programs import REPOSITORY
from lab.wait import wait_until

# The groups that the example's node is active in, where these are not all of them.
ACTIVE = {"standby": (), "mutual-standby": ("A",)}


@dataclasses.dataclass(frozen=True)
class Reference:
    """One situation: its rules, and the configuration that they are made of."""

    name: str

    @property
    def rules_path(self) -> Path:
        return REPOSITORY / "rules" / f"{self.name}.nft"

    @property
    def conf(self):
        return (REPOSITORY / "contrib/examples" / f"{self.name}.conf").read_text()

    @property
    def node(self):
        """The host that the rules are those of."""
        return re.search(r'^node = "(\w+)";', self.conf, re.MULTILINE)[1]

    @property
    def groups(self):
        return re.findall(r'^    name = "(\w+)";', self.conf, re.MULTILINE)

    @property
    def active(self):
        """The groups that the node has the duty of."""
        return ACTIVE.get(self.name, self.groups)

    @property
    def is_manual(self):
        return 'election = "manual"' in self.conf


def references():
    """Every example, by name; drover.conf shows all settings and has no rules beside it."""
    names = {path.stem for path in (REPOSITORY / "contrib/examples").glob("*.conf")}
    return [Reference(name) for name in sorted(names - {"drover"})]


def code(script):
    """The lines of an nft script that mean something: no comments, no empty lines."""
    lines = [line.rstrip() for line in script.splitlines()]
    return [line for line in lines if line and not line.lstrip().startswith("#")]


@contextlib.contextmanager
def host(reference):
    """The example's node without a droverd: a Node of a Lab of its own."""
    with Lab([reference.node], vips=()) as lab:
        node = lab[reference.node]
        node.write_conf_text(f'control = "{node.control_path}";\n' + reference.conf)
        yield node


@contextlib.contextmanager
def running(reference):
    """The same with a droverd that has taken its duties."""
    with host(reference) as node:
        node.start_droverd()
        for group in reference.active if reference.is_manual else ():
            node.ctl("activate", group)
        wait_until(lambda: node.ctl("status")["kernel"]["in_sync"], what="the kernel in sync")
        yield node
        node.stop_droverd()
