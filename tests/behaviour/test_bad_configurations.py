"""Each file in tests/conf-bad is refused for the reason that its first line expects.

That line is `# expect: LINE: TEXT`; LINE is where the message must point (- if at no line of
the file), TEXT a part of it.
"""

import re
from pathlib import Path

import pytest

from lab import Lab

FOLDER = Path(__file__).resolve().parents[1] / "conf-bad"
FILES = sorted(path for path in FOLDER.glob("*") if path.is_file())
EXPECT = re.compile(r"# expect: (\d+|-): (.+)")


@pytest.fixture(scope="module")
def running():
    """One daemon that all bad files are offered to; it stays as it is."""
    with Lab(["fe5", "fe6"]) as lab:
        lab.launch()
        yield lab


def expectation(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        match = EXPECT.match(file.readline(4096))
    assert match, f"{path.name} does not begin with `# expect: LINE: TEXT`"
    return match[1], match[2].strip()


def state(node):
    status = node.ctl("status")
    return (status["groups"][0]["role"], [
        (member["name"], member["weight"], member["buckets"], member["state"])
        for member in status["groups"][0]["members"]], node.handles(), status["pid"])


def test_there_are_at_least_thirty():
    assert len(FILES) >= 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_is_refused(running, path):
    line, text = expectation(path)
    node = running["fe5"]
    before = state(node)
    good, node.conf_path = node.conf_path, path
    done = node.droverd("-t")
    node.conf_path = good
    assert done.returncode == 1, done.stderr
    mark = f"{path.name}: " if line == "-" else f":{line}: "
    pointing = [message for message in done.stderr.splitlines() if mark in message]
    assert any(text in message for message in pointing), done.stderr

    content = good.read_bytes()
    good.write_bytes(path.read_bytes())
    try:
        reply = node.ctl("reload", exit_status=1)
        assert not reply["ok"] and reply["errors"]
        assert state(node) == before
    finally:
        good.write_bytes(content)


def test_a_file_that_is_not_there(running):
    node = running["fe5"]
    good, node.conf_path = node.conf_path, node.directory / "absent.conf"
    done = node.droverd("-t")
    node.conf_path = good
    assert done.returncode == 1 and "absent.conf" in done.stderr


def test_the_good_one_is_accepted(running):
    assert running["fe5"].droverd("-t").returncode == 0
