"""rules/NAME.nft is what drover makes of contrib/examples/NAME.conf, as the kernel lists it."""

import pytest

from lab import Lab
from lab.listing import difference
from lab.programs import REPOSITORY

RULES = sorted((REPOSITORY / "rules").glob("*.nft"))


def test_there_are_some():
    assert len(RULES) >= 4


@pytest.fixture(scope="module")
def bench():
    """A host to load rules on; the examples are for an interface eth0 too."""
    with Lab(["fe5"]) as lab:
        yield lab


@pytest.mark.parametrize("path", RULES, ids=[path.stem for path in RULES])
def test_reference(bench, path):
    node = bench["fe5"]
    node.conf_path = REPOSITORY / "contrib/examples" / f"{path.stem}.conf"
    printed = node.droverd("-p")
    assert printed.returncode == 0, printed.stderr
    listings = []
    for script in (path.read_text(), printed.stdout):
        node.load_ruleset("flush ruleset")
        node.load_ruleset(script)
        listings.append(node.nft_json())
    assert listings[0] and difference(*listings) == ""
