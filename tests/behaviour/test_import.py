# SPDX-License-Identifier: GPL-2.0-or-later
"""droverctl import: the samples become what stands beside them, and that balances."""

import re
import subprocess

import pytest

from lab import VIP, wait_until
from lab.programs import REPOSITORY, program

SITES = REPOSITORY / "contrib/examples/sites"
SYNTAXES = ["serveriron", "alteon", "bigip", "ipvsadm", "keepalived"]
# Of these two the file does not say which host balances.
OPTIONS = {"ipvsadm": ["--address", "64.173.55.176"], "keepalived": ["--address", "64.173.55.176"]}
FRONTENDS = ["fe5", "fe6", "fe7", "fe8"]
OK, REFUSED, USAGE, INCOMPLETE = 0, 1, 2, 4


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=60, check=False, **options)


def convert(*words, **options):
    return run(program("droverctl"), "import", *words, **options)


def sample(syntax):
    return (SITES / f"{syntax}.txt").read_text()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_sample(syntax):
    done = convert(syntax, SITES / f"{syntax}.txt", *OPTIONS.get(syntax, []))
    assert done.stdout == (SITES / f"{syntax}.conf").read_text()
    assert done.returncode == (INCOMPLETE if done.stderr else OK)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_daemon_accepts_it(syntax):
    done = run(program("droverd"), "-t", "-c", SITES / f"{syntax}.conf")
    assert done.returncode == 0, done.stderr


def test_notes_have_the_line_that_they_are_about():
    path = SITES / "alteon.txt"
    done = convert("alteon", path)
    lines = path.read_text().splitlines()
    notes = re.findall(r"^(.*):(\d+): (.*)$", done.stderr, re.MULTILINE)
    assert len(notes) == len(done.stderr.splitlines()) > 0
    assert {name for name, _, _ in notes} == {str(path)}
    assert [int(number) for _, number, _ in notes] == sorted(int(n) for _, n, _ in notes)
    about = {text: lines[int(number) - 1].strip() for _, number, text in notes}
    for text, line in about.items():
        words = re.match(r'"(mask|pop3|imap4|/c/\w+/\w+)', text)
        assert not words or words[1] in line, (text, line)


def test_all_is_carried_from_standard_input():
    done = convert("ipvsadm", "-", input=sample("ipvsadm"))
    assert (done.returncode, done.stderr) == (OK, "")
    assert 'node = "64.173.55.183";' in done.stdout and done.stdout.count("balancer = true") == 4


@pytest.mark.parametrize("words, status, complaint", [
    (["ipvsadm"], USAGE, "Usage: droverctl"),
    (["cisco", "/dev/null"], USAGE, "valid syntaxes: serveriron alteon"),
    (["ipvsadm", "/dev/null", "--address", "nowhere"], USAGE, "Usage: droverctl"),
    (["ipvsadm", "/nowhere/at/all"], REFUSED, "cannot read /nowhere/at/all: No such file"),
    (["ipvsadm", "/dev/null"], REFUSED, "nothing was made of /dev/null"),
    (["ipvsadm", "/dev/zero"], REFUSED, "nothing was made of /dev/zero"),
])
def test_refusals(words, status, complaint):
    done = convert(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert complaint in done.stderr


def test_keepalived_takes_the_sample(make_lab):
    """The sample is keepalived's syntax, not our idea of it."""
    node = make_lab(["fe5"])["fe5"]
    done = node.run("keepalived", "-t", "-f", SITES / "keepalived.txt", check=False)
    assert done.returncode == 0, done.stderr


# --- real traffic ---------------------------------------------------------------

def moved(text):
    """The sample on the laboratory's segment: 64.173.55.180 is fe5's 192.0.2.5, and so on."""
    text = text.replace("64.173.55.164", VIP).replace("64.173.55.176", "192.0.2.1")
    return re.sub(r"64\.173\.55\.18([0-3])", lambda m: f"192.0.2.{int(m[1]) + 5}", text)


@pytest.fixture
def site(make_lab):
    """Starts droverd on lb1 with what is imported, and servers on four frontends."""
    def start(syntax):
        lab = make_lab(["lb1", *FRONTENDS], vips=[VIP])
        options = [moved(word) for word in OPTIONS.get(syntax, [])]
        done = convert(syntax, "-", *options, input=moved(sample(syntax)))
        assert done.returncode in (OK, INCOMPLETE), done.stderr
        lb1 = lab["lb1"]
        lb1.write_conf_text(f'control = "{lb1.control_path}";\n' + done.stdout)
        for name in FRONTENDS:
            # As servers of any direct routing have it; they need no droverd.
            lab[name].set_sysctl("ipv4/conf/eth0/arp_ignore", 1)
            lab[name].set_sysctl("ipv4/conf/eth0/arp_announce", 2)
            lab[name].serve("25,110,143,5060,8100", "5060")
        lb1.start_droverd()
        wait_until(lambda: serving(lb1) == len(FRONTENDS), what="all members serving")
        wait_until(lambda: lb1.ctl("status")["kernel"]["in_sync"], what="the kernel in sync")
        return lab
    return start


def serving(node):
    return [member["state"] for member in node.ctl("members")["members"]].count("serving")


@pytest.mark.parametrize("syntax", ["serveriron", "alteon", "bigip", "ipvsadm"])
def test_connections_go_round(site, syntax):
    client = site(syntax).client
    for port in (25, 110, 143, 5060):
        answers = client.connect(VIP, port, 40, first_port=20000)
        assert not answers.failures
        assert set(answers.by_member) == set(FRONTENDS), port


def test_weights_are_kept(site):
    client = site("keepalived").client
    answers = client.connect(VIP, 110, 400, first_port=20000)
    assert not answers.failures
    assert 120 <= answers.by_member["fe5"] <= 200, answers.by_member


def test_stateless_udp_goes_round_from_one_port(site):
    client = site("alteon").client
    answers = client.datagrams(VIP, 5060, 80, ports=1, first_port=20000)
    assert not answers.failures and set(answers.by_member) == set(FRONTENDS)


def test_udp_with_sessions_stays(site):
    client = site("serveriron").client
    answers = client.datagrams(VIP, 5060, 40, ports=1, first_port=20000)
    assert not answers.failures and len(answers.by_member) == 1


def test_persistence_is_kept(site):
    client = site("ipvsadm").client
    answers = client.connect(VIP, 8100, 40, first_port=20000)
    assert not answers.failures and len(answers.by_member) == 1
