"""rules/NAME.nft is what droverd makes of contrib/examples/NAME.conf, as nft lists it.

When droverd's rules change on purpose, tests/rules-update brings the files up to date.
"""

import difflib
import re

import pytest

from lab.listing import difference, in_order, without_shield
from lab.programs import REPOSITORY
from reference import code, host, references, running

REFERENCES = references()
FAMILIES = ("netdev", "arp", "ip6", "inet")


def text_difference(left, right):
    return "\n".join(difflib.unified_diff(left, right, "rules/", "droverd", lineterm="", n=1))


def listing(node):
    """What nft lists of each table, without the counters' values and elements that end.

    Table by table and sorted, since nft lists them, and what is in them, in the order in which
    they were made. As text, since nft's JSON leaves out map updates and what a map is a "typeof".
    """
    text = "".join(node.run("nft", "list", "table", family, "drover", check=False).stdout
                   for family in FAMILIES)
    assert text, f"no table drover on {node.name}"
    text = re.sub(r"\n\t\telements = \{[^}]* expires [^}]*\}", "", text)
    text = re.sub(r"packets \d+ bytes \d+", "", text)
    return in_order(text).splitlines()


def objects(node):
    return without_shield(node.nft_json())


def family_of(item):
    return next(iter(item.values()))["family"]


def test_each_example_has_its_rules():
    rules = {path.stem for path in (REPOSITORY / "rules").glob("*.nft")}
    assert rules == {reference.name for reference in REFERENCES}
    assert len(rules) >= 12


def test_the_index_names_every_file():
    index = (REPOSITORY / "rules/README.md").read_text()
    named = re.findall(r"^\| \[(\S+)\.nft\]\(\1\.nft\) \|", index, re.MULTILINE)
    assert named and sorted(named) == [reference.name for reference in REFERENCES]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.name)
def test_reference(reference):
    rules = reference.rules_path.read_text()
    with running(reference) as node, host(reference) as other:
        assert text_difference(code(rules), code(node.ctl("rules")["rules"])) == ""
        other.load_ruleset(rules)
        assert text_difference(listing(other), listing(node)) == ""
        assert difference(objects(other), objects(node)) == ""


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.name)
def test_what_is_printed(reference):
    """droverd -p prints what a node would hold that had the duty of all its groups."""
    with host(reference) as node, host(reference) as other:
        printed = node.droverd("-p")
        assert printed.returncode == 0, printed.stderr
        node.load_ruleset(printed.stdout)
        other.load_ruleset(reference.rules_path.read_text())
        if reference.active == reference.groups:
            assert text_difference(listing(other), listing(node)) == ""
            assert difference(objects(other), objects(node)) == ""
        else:
            assert {family_of(item) for item in objects(node)} == {"netdev", "inet"}


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.name)
def test_the_file_tells_its_story(reference):
    """A header that tells the situation, and a reason at every kind of chain and set."""
    lines = reference.rules_path.read_text().splitlines()
    header = lines[:lines.index("")]
    assert header[0].startswith(f"# {reference.name}.nft - ") and len(header) >= 8
    kinds = {}
    for before, line in zip(lines, lines[1:]):
        begin = re.match(r"\t(chain|map|set) ([a-z-]+)", line)
        if begin:
            kinds.setdefault(begin[2], []).append(before.startswith("\t# "))
    assert kinds and [kind for kind, commented in kinds.items() if not any(commented)] == []
    assert [line for line in lines if line.lstrip().startswith("#") and len(line) > 100] == []
