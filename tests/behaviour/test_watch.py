"""droverctl watch: rates of real traffic in blocks, and on a terminal of 80 columns, 24 rows."""

import json
import os
import signal

import pytest
from test_droverctl_client import DROVERCTL, FE5, FE6, STATUS, FakeDaemon, run

from lab import VIP, wait_until
from lab.programs import program
from lab.terminal import Terminal

DNS = {"name": "dns", "protocol": "udp", "ports": "53"}
WEB = {"name": "web", "protocol": "tcp", "ports": "80"}
SLOW = ("--interval", "3600")


@pytest.fixture
def lab(make_lab):
    made = make_lab(["fe5", "fe6", "fe7"])
    made.launch(made.group(services=[DNS, WEB]), udp="53")
    return made


def watch(lab, *words):
    return [program("droverctl"), "-s", str(lab["fe5"].control_path), "watch", *words]


# --- blocks ---------------------------------------------------------------------------------

def test_blocks_with_the_rates_of_real_traffic(lab):
    churn = lab.client.churn(VIP, 80)
    done = lab["fe5"].droverctl("watch", "--interval", "0.3", "--count", "2")
    churn.stop()
    assert done.returncode == 0 and "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert sum(line.startswith("drover on fe5, ") for line in lines) == 2
    assert done.stdout.endswith("\n\n") and all(len(line) <= 80 for line in lines)
    members = [line.split() for line in lines if line.startswith("  fe")]
    assert [row[0] for row in members] == ["fe5", "fe6", "fe7"] * 2
    for row in members:
        assert row[1] == "serving" and float(row[2].rstrip("k")) > 0
        assert 1 < float(row[4].rstrip("%")) < 99 and row[5] == "33.3%" and "|" in row[-1]
    assert "group A: active" in done.stdout and "kernel in sync" in done.stdout
    assert [line.split()[2] for line in lines if " dns " in line] == ["0", "0"]


def test_rates_are_differences_of_counters(lab):
    """Rates times seconds add up to what was sent, neither more nor less."""
    process = lab["fe5"].popen_droverctl("-j", "watch", "--interval", "0.2")
    counted = {"services": 0, "members": 0, "bytes": 0}

    def add_block():
        reply = json.loads(process.read_line(10))
        assert reply["ok"] and reply["seconds"] > 0
        dns = next(entry for entry in reply["services"] if entry["name"] == "dns")
        group = reply["groups"][0]
        rates = [member["packets_per_second"] for member in group["members"]]
        assert group["packets_per_second"] == pytest.approx(sum(rates))
        if sum(rates):
            assert sum(member["traffic"] for member in group["members"]) == pytest.approx(1)
        counted["services"] += dns["packets_per_second"] * reply["seconds"]
        counted["members"] += group["packets_per_second"] * reply["seconds"]
        counted["bytes"] += dns["bits_per_second"] / 8 * reply["seconds"]
        return counted["services"] > 149

    add_block()
    assert counted == {"services": 0, "members": 0, "bytes": 0}
    lab.client.datagrams(VIP, 53, 150, ports=150, first_port=20000, size=100)
    wait_until(add_block, 10, "150 packets in rates")
    add_block()
    process.end()
    assert counted == {"services": pytest.approx(150, abs=1), "members": pytest.approx(150, abs=1),
                       "bytes": pytest.approx(150 * 128, abs=150)}


def test_a_daemon_that_goes_and_comes(lab):
    node = lab["fe5"]
    process = node.popen_droverctl("-j", "watch", "--interval", "0.1")

    def next_reply():
        return json.loads(process.read_line(10))

    assert next_reply()["groups"][0]["packets_per_second"] == 0
    node.stop_droverd()
    while next_reply()["ok"]:
        pass
    gone = next_reply()
    assert not gone["ok"] and "it is not running" in gone["error"]
    node.start_droverd()
    reply = next_reply()
    while not reply["ok"]:
        reply = next_reply()
    assert reply["groups"][0]["packets_per_second"] is None
    wait_until(lambda: next_reply()["groups"][0]["packets_per_second"] == 0, 10, "rates again")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_no_daemon_at_all(tmp_path):
    done = run("-s", str(tmp_path / "absent"), "watch", "--interval", "0.1", "--count", "2")
    assert done.returncode == 3 and done.stderr == ""
    assert done.stdout.count("PROBLEM: no answer from the daemon at") == 2
    assert "it is not running" in done.stdout


def test_a_refusal_is_shown(tmp_path):
    with FakeDaemon(tmp_path, {"ok": False, "error": "another namespace"}) as daemon:
        done = run("-s", str(daemon.path), "watch", "--interval", "0.1", "--count", "1")
    assert done.returncode == 1 and "another namespace" in done.stdout


@pytest.mark.parametrize("words", [
    ("--interval", "0"), ("--interval", "0.01"), ("--interval", "x"), ("--interval", "1.2345"),
    ("--interval", "-1"), ("--interval", "1."), ("--interval",), ("--count", "0"),
    ("--count", "1x"), ("fe5",), ("--interval", "3601"), ("--count", "1", "--count", "2"),
], ids=" ".join)
def test_wrong_words(words):
    done = run("watch", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("droverctl: watch: ") and "Usage: droverctl" in done.stderr


def test_problems_come_first(tmp_path):
    status = STATUS | {"kernel": STATUS["kernel"] | {"in_sync": False, "error": "no space"}}
    with FakeDaemon(tmp_path, status) as daemon:
        done = run("-s", str(daemon.path), "watch", "--interval", "0.1", "--count", "1")
    assert done.stdout.splitlines()[1] == "PROBLEM: the kernel is not in sync: no space"


# --- a terminal -------------------------------------------------------------------------------

def assert_fits(terminal):
    assert not terminal.screen.overflows, terminal.screen.overflows[:10]


def test_screen_with_real_traffic(lab):
    churn = lab.client.churn(VIP, 80)
    command = lab["fe5"].namespace.command(watch(lab, "--interval", "0.2"))
    with Terminal(command) as terminal:
        terminal.wait_for("q ends")
        assert terminal.screen.alternate and not terminal.screen.cursor_shown
        lines = terminal.wait_for("###")
        assert lines[0].startswith("drover on fe5, ") and len(lines) == 24
        assert any(line.startswith("group A: active, ") for line in lines)
        assert sum(line.startswith("  fe") and "serving" in line for line in lines) == 3
        terminal.type("q")
        assert terminal.wait() == 0 and terminal.is_restored()
        assert_fits(terminal)
    churn.stop()


def crowd(count, groups=1):
    """A status with so many members, some with the longest of names."""
    members = [FE5 | {"name": f"member-{number:02}" + "x" * (54 if number == 3 else 0),
                      "share": 1 / count} for number in range(count)]
    return STATUS | {
        "groups": [STATUS["groups"][0] | {"name": f"G{number}", "members": members}
                   for number in range(groups)],
        "services": [{"group": "G0", "name": "smtp", "protocol": "tcp", "packets": 1, "bytes": 1,
                      "ports": ",".join(str(port) for port in range(1000, 1200))}]}


def start(daemon, *words, **options):
    return Terminal([str(DROVERCTL), "-s", str(daemon.path), "watch", *words], **options)


@pytest.fixture
def crowded(tmp_path):
    with FakeDaemon(tmp_path, crowd(60, groups=2)) as daemon:
        yield daemon


def test_more_than_fits(crowded):
    with start(crowded, *SLOW) as terminal:
        lines = terminal.wait_for("more lines")
        assert lines[-1] == "(107 more lines: j and k scroll)"
        assert any("member-15" in line for line in lines)
        terminal.type("j" * 5)
        terminal.wait_for("(102 more lines")
        terminal.type("\x1b[B" * 200)
        terminal.wait_without("more lines")
        assert "member-59" in terminal.screen.lines()[-1]
        terminal.type("k" * 300)
        assert terminal.wait_for("drover on fe5")[0].startswith("drover on fe5")
        assert_fits(terminal)


@pytest.mark.parametrize("columns, rows", [(80, 24), (132, 50), (40, 10), (20, 5), (1, 1)])
def test_sizes(crowded, columns, rows):
    with start(crowded, "--interval", "0.1", columns=columns, rows=rows) as terminal:
        terminal.wait_for("d" if columns > 1 or rows > 1 else "(")
        wait_until(lambda: len(crowded.requests) > 5, what="some blocks")
        terminal.read()
        terminal.type("q")
        assert terminal.wait() == 0 and terminal.is_restored()
        assert_fits(terminal)


def test_resizing(crowded):
    with start(crowded, *SLOW) as terminal:
        terminal.wait_for("more lines")
        terminal.resize(100, 40)
        assert terminal.wait_for("(91 more lines")[39].startswith("(91 more lines")
        terminal.resize(60, 12)
        terminal.wait_for("(119 more lines")
        assert_fits(terminal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_restore_the_terminal(crowded, number):
    with start(crowded, *SLOW) as terminal:
        terminal.wait_for("more lines")
        assert not terminal.is_restored()
        terminal.signal(number)
        assert terminal.wait() == 0 and terminal.is_restored()


def test_control_c(crowded):
    with start(crowded, *SLOW) as terminal:
        terminal.wait_for("more lines")
        terminal.type("\x03")
        assert terminal.wait() == 0 and terminal.is_restored()


def test_stopped_and_continued(crowded):
    """Ctrl-Z gives the terminal back; afterwards the screen is drawn anew."""
    with start(crowded, *SLOW) as terminal:
        terminal.wait_for("more lines")
        terminal.signal(signal.SIGTSTP)
        wait_until(terminal.is_stopped, what="watch being stopped")
        assert terminal.is_restored()
        terminal.screen.clear()
        terminal.go_on()
        terminal.wait_for("more lines")
        assert terminal.screen.alternate
        terminal.type("q")
        assert terminal.wait() == 0 and terminal.is_restored()


def test_the_daemon_goes_and_comes_on_the_screen(lab):
    node = lab["fe5"]
    command = node.namespace.command(watch(lab, "--interval", "0.1"))
    with Terminal(command) as terminal:
        terminal.wait_for("group A: active")
        node.stop_droverd()
        lines = terminal.wait_for("PROBLEM: no answer from the daemon")
        assert not any("fe6" in line for line in lines)
        node.start_droverd()
        terminal.wait_for("group A: active")
        terminal.type("q")
        assert terminal.wait() == 0 and terminal.is_restored()
        assert_fits(terminal)


def test_colours(tmp_path):
    with FakeDaemon(tmp_path, crowd(2)) as daemon:
        with start(daemon, *SLOW) as terminal:
            terminal.wait_for("serving")
            assert "\x1b[32mserving\x1b[0m" in terminal.raw
        with start(daemon, *SLOW, environment={"NO_COLOR": "1"}) as terminal:
            terminal.wait_for("serving")
            assert "\x1b[32m" not in terminal.raw


def test_a_dumb_terminal_gets_blocks(tmp_path):
    with FakeDaemon(tmp_path, crowd(2)) as daemon:
        with start(daemon, "--interval", "0.1", "--count", "1",
                   environment={"TERM": "dumb"}) as terminal:
            assert terminal.wait() == 0
            assert "\x1b" not in terminal.raw and "member-01" in terminal.raw


def test_hostile_names(tmp_path):
    """What a daemon says cannot steer the terminal."""
    status = crowd(2)
    status["groups"][0]["members"][0] = FE6 | {"name": "\x1b[2Jx\n\x9b31m", "state": "\x07"}
    with FakeDaemon(tmp_path, status) as daemon, start(daemon, *SLOW) as terminal:
        terminal.wait_for("member-01")
        assert "\\x1b[2Jx\\n\\u009b31m" in terminal.screen.text()
        assert_fits(terminal)


def test_the_terminal_is_closed(crowded):
    with start(crowded, *SLOW) as terminal:
        terminal.wait_for("more lines")
        os.close(terminal.slave)
        os.close(terminal.master)
        assert terminal.process.wait(10) == 0
        terminal.master, terminal.slave = os.openpty()
