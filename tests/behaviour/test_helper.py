"""drover-helper: the cluster's server speaks, the host balances."""

import random
import subprocess

import pytest

from lab import VIP, wait_until
from lab.listing import difference, without_shield
from lab.programs import REPOSITORY, program

HELD = 200


def servers(lab, *names, **weights):
    """The words behind SERVERS."""
    weights = dict.fromkeys(names, 100) | weights
    return " ".join(f"{lab.address(name)}:{weight}" for name, weight in weights.items())


@pytest.fixture
def hosts(make_lab):
    """Three hosts that serve the VIP, without drover."""
    lab = make_lab(["fe5", "fe6", "fe7"], vips=(VIP,))
    lab.serve("80", "5060")
    for node in lab:
        (node.directory / "vipaddrs").write_text(f"# of the cluster\n{VIP}\n")
    return lab


@pytest.fixture
def helper(hosts):
    """One that has been told nothing yet."""
    return hosts["fe5"].start_helper()


@pytest.fixture
def cluster(hosts):
    """A helper on each host, with sync; that of fe5 is active, all three serve."""
    for node in hosts:
        node.start_helper({"sync": hosts.sync()})
    for node in hosts:
        node.helper.tell("SERVERS " + servers(hosts, "fe5", "fe6", "fe7"))
    hosts["fe5"].helper.tell("ACTIVE A")
    hosts.wait_serving("fe5")
    return hosts


def answered_by(lab, count=150, first_port=20000):
    answers = lab.client.connect(VIP, 80, count, first_port=first_port)
    assert not answers.failures, answers
    return set(answers.by_member)


# --- the exchange ----------------------------------------------------------------------------

def test_the_exchange(hosts, helper):
    helper.write("00001 INTF 1\n00002 ACTIVE A\n00003 SERVERS 192.0.2.5:100 192.0.2.6:50\n"
                 "00004 ADD 192.0.2.7 100\n00005 STANDBY A\n00006 NOOP\n00008 BOGUS x\n")
    wait_until(lambda: helper.listen() and len(helper.responses) == 7, what="seven answers")
    assert helper.responses == {
        "00001": "INTF 1", "00002": "OK", "00003": "OK", "00004": "OK", "00005": "OK",
        "00006": "OK", "00008": "ERROR unknown command BOGUS"}
    assert "warning: unknown command: 00008 BOGUS x" in helper.informed
    members = {entry["name"]: entry["weight"] for entry in hosts["fe5"].group()["members"]}
    assert members == {"192.0.2.5": 100, "192.0.2.6": 50, "192.0.2.7": 100}
    helper.tell("weight 192.0.2.7 10")
    helper.tell("DEL 192.0.2.6")
    members = {entry["name"]: entry["weight"] for entry in hosts["fe5"].group()["members"]}
    assert members == {"192.0.2.5": 100, "192.0.2.7": 10}
    assert helper.quit() == 0
    assert helper.stderr() == ""


def test_a_line_without_a_number_is_for_the_log_only(helper):
    helper.write("NOOP\nBOGUS y\n\n   \n")
    helper.wait_informed("unknown command: BOGUS y")
    helper.tell("NOOP")
    assert "OK" in helper.informed and len(helper.responses) == 1


def test_an_unknown_command_is_logged_whole(helper):
    line = "BOGUS " + "x" * 3000 + " end"
    assert helper.ask(line) == "ERROR unknown command BOGUS"
    first = next(at for at, words in enumerate(helper.informed) if "BOGUS" in words)
    assert line in "".join(helper.informed[first:first + 2])


@pytest.mark.parametrize("command, error", [
    ("ACTIVE B", "there is no group B"),
    ("ACTIVE A B", "one group at most"),
    ("SERVERS 192.0.2.5:100 192.0.2.5:50", "192.0.2.5:50 is listed twice"),
    ("SERVERS 192.0.2.5:100000", "192.0.2.5:100000 is no ADDRESS:WEIGHT"),
    ("SERVERS fe5", "fe5 is no ADDRESS:WEIGHT"),
    (f"SERVERS {VIP}:100", f"VIP {VIP} has the address of member"),
    ("SERVERS 224.0.0.1", "server 224.0.0.1 is not the address of a host"),
    ("ADD", "no server is named"),
    ("ADD 192.0.2.6 100 100", "100 is one word too many"),
    ("DEL 192.0.2.99", "192.0.2.99 is not among the servers"),
    ("WEIGHT 192.0.2.5", "no weight is named"),
    ("WEIGHT 192.0.2.5 -1", "-1 is no weight from 0 to 65535"),
    ("", "unknown command"),
    ("NOOP" + " " * 4096, "the line is longer than 4096 bytes"),
    ("NO\0OP", "the line is no text"),
    ("NOOP \x1b[2J", "the line is no text"),
])
def test_refused_commands_change_nothing(hosts, helper, command, error):
    helper.tell("SERVERS " + servers(hosts, "fe5", "fe6"))
    helper.tell("ACTIVE")
    hosts.wait_serving("fe5")
    before, handles = hosts["fe5"].group(), hosts["fe5"].handles()
    response = helper.ask(command)
    assert response.startswith("ERROR ") and error in response
    helper.tell("NOOP")
    after = hosts["fe5"].group()
    assert [m["weight"] for m in after["members"]] == [m["weight"] for m in before["members"]]
    assert after["role"] == "active" and hosts["fe5"].handles() == handles


def test_half_a_line_at_the_end_is_not_obeyed(hosts, helper):
    helper.tell("ACTIVE")
    helper.write("00099 SERVERS 192.0.2.6")
    assert helper.close_pipe() == 0
    assert "00099" not in helper.responses
    assert not (hosts["fe5"].state_directory / "servers.json").exists()


# --- balancing -------------------------------------------------------------------------------

def test_balances_what_it_is_told(hosts, helper):
    helper.tell("SERVERS " + servers(hosts, "fe6", "fe7"))
    helper.tell("ACTIVE")
    hosts.wait_serving("fe5", "192.0.2.6", "192.0.2.7")
    # Persistence: all that one address opens goes to one server, UDP and TCP.
    assert len(answered_by(hosts)) == 1
    helper.tell("SERVERS " + servers(hosts, "fe7"))
    helper.tell("STANDBY")
    assert not hosts["fe5"].is_active()


def test_a_list_replaces_the_servers_and_keeps_their_connections(cluster):
    """Without persistence, or all would be at one server."""
    for node in cluster:
        node.helper.quit()
        node.start_helper({"sync": cluster.sync()}, arguments=("-p", "0"))
    cluster["fe6"].helper.tell("SERVERS " + servers(cluster, "fe5", "fe6", "fe7"))
    cluster["fe6"].helper.tell("ACTIVE")
    cluster.wait_serving("fe6")
    held = cluster.client.hold(VIP, 80, HELD, first_port=20000)
    cluster.wait_known(HELD, "fe6")
    assert set(held.report()["members"].values()) == {"fe5", "fe6", "fe7"}

    cluster["fe6"].helper.tell("SERVERS " + servers(cluster, "fe5", "fe6", fe7=0))
    assert answered_by(cluster, first_port=30000) == {"fe5", "fe6"}
    cluster["fe6"].helper.tell("SERVERS " + servers(cluster, "fe6"))
    assert answered_by(cluster, first_port=31000) == {"fe6"}
    held.wait_rounds(2)
    assert held.stop()["alive"] == HELD


def test_the_duty_moves_as_the_cluster_says(cluster):
    held = cluster.client.hold(VIP, 80, HELD, first_port=20000)
    cluster.wait_known(HELD, "fe5", "fe6")
    cluster["fe6"].helper.tell("ACTIVE A")
    cluster["fe5"].helper.tell("STANDBY A")
    assert cluster["fe6"].is_active() and not cluster["fe5"].is_active()
    held.wait_rounds(2)
    held = held.stop()
    assert held["alive"] == HELD and not held["failures"]


@pytest.mark.parametrize("option, share", [((), 50), (("-r", "0"), 0), (("-r", "300"), 75)])
def test_the_share_of_the_active_balancer(hosts, option, share):
    helper = hosts["fe5"].start_helper(arguments=option)
    helper.tell("SERVERS " + servers(hosts, "fe5", "fe6"))
    assert hosts["fe5"].member("192.0.2.5")["configured_weight"] == 100
    helper.tell("ACTIVE")
    hosts.wait_serving("fe5")
    weights = {name: hosts["fe5"].member(name)["weight"] for name in ("192.0.2.5", "192.0.2.6")}
    assert 100 * weights["192.0.2.5"] // sum(weights.values()) == share
    helper.tell("STANDBY")
    assert hosts["fe5"].member("192.0.2.5")["configured_weight"] == 100


def test_other_words_for_commands(hosts):
    helper = hosts["fe5"].start_helper(
        {"helper": {"verbs": {"activate": ["BALANCE"], "servers": ["LIST"]}}})
    helper.tell("LIST 192.0.2.5:100")
    helper.tell("BALANCE A")
    assert hosts["fe5"].is_active()


def test_a_file_that_is_broken_meanwhile_does_not_matter(hosts, helper):
    """What the cluster says counts; the file is read anew only by a reload, which is refused."""
    helper.tell("SERVERS " + servers(hosts, "fe5"))
    hosts["fe5"].write_conf_text("nonsense")
    (hosts["fe5"].directory / "vipaddrs").write_text("nonsense\n")
    helper.tell("SERVERS " + servers(hosts, "fe5", "fe6"))
    assert len(hosts["fe5"].group()["members"]) == 2
    done = hosts["fe5"].droverctl("reload")
    assert done.returncode != 0 and "drover.conf:1" in done.stderr
    helper.tell("SERVERS " + servers(hosts, "fe5", "fe6", "fe7"))
    assert len(hosts["fe5"].group()["members"]) == 3


# --- the end ---------------------------------------------------------------------------------

@pytest.mark.parametrize("end", ["quit", "close_pipe"])
def test_switching_it_off_breaks_nothing(cluster, end):
    held = cluster.client.hold(VIP, 80, HELD, first_port=20000)
    cluster.wait_known(HELD, "fe5", "fe6")
    assert getattr(cluster["fe5"].helper, end)() == 0
    assert VIP not in cluster["fe5"].ip("addr", "show", "dev", "eth0")
    held.wait_rounds(2)
    cluster["fe6"].helper.tell("ACTIVE A")
    held.wait_rounds(2)
    held = held.stop()
    assert held["alive"] == HELD and not held["failures"]
    # A helper that is started anew finds what is left, and stands by.
    cluster["fe5"].start_helper({"sync": cluster.sync()}).tell("NOOP")
    wait_until(lambda: not cluster["fe5"].is_forwarding(), what="fe5 standing by")


def test_a_crash_is_no_end(cluster):
    """Its successor goes on with the duty and the servers, before it is told."""
    held = cluster.client.hold(VIP, 80, HELD, first_port=20000)
    handles = cluster["fe5"].handles()
    cluster["fe5"].helper.kill()
    cluster["fe5"].start_helper({"sync": cluster.sync()}).tell("NOOP")
    cluster.wait_serving("fe5")
    assert cluster["fe5"].is_active() and cluster["fe5"].handles() == handles
    held.wait_rounds(2)
    assert held.stop()["alive"] == HELD


def test_a_silent_server_has_gone(hosts):
    helper = hosts["fe5"].start_helper(arguments=("-t", "1"))
    helper.tell("ACTIVE")
    assert hosts["fe5"].is_active()
    helper.wait_informed("no command came for 1 s: giving the duty up")
    wait_until(lambda: not hosts["fe5"].is_active(), what="the duty given up")
    helper.tell("ACTIVE")
    assert hosts["fe5"].is_active()


def test_beside_a_droverd(hosts):
    lab = hosts
    lab.configure()
    lab.start("fe5")
    node = lab["fe5"]
    done = node.run(program("drover-helper"), "-f", node.directory / "vipaddrs", check=False)
    assert done.returncode == 1
    assert f"droverd (pid {node.daemon.pid}) runs on this host already" in done.stderr


@pytest.mark.parametrize("arguments, status, complaint", [
    (["-p", "x"], 2, "-p x is no number from 0 to 86400"),
    (["-s", "256"], 2, "-s 256 is no number from 0 to 255"),
    (["-Z"], 2, "usage: drover-helper"),
    (["more"], 2, "usage: drover-helper"),
    (["-f", "/missing"], 1, "vips_file: cannot read /missing: No such file"),
    (["-c", "/missing"], 1, "/missing: cannot open: No such file"),
    (["-i", "eth7"], 1, "eth7 has no address that would tell which server this host is"),
])
def test_what_it_cannot_do(hosts, arguments, status, complaint):
    node = hosts["fe5"]
    words = ["-f", node.directory / "vipaddrs"] if "-f" not in arguments else []
    done = node.run(program("drover-helper"), *words, *arguments, check=False)
    assert done.returncode == status and complaint in done.stderr


# --- nonsense --------------------------------------------------------------------------------

GOOD = ["INTF 1", "ACTIVE A", "SERVERS 192.0.2.5:100 192.0.2.6:50", "ADD 192.0.2.7 100", "NOOP",
        "DEL 192.0.2.7", "WEIGHT 192.0.2.6 10", "STANDBY A", "SERVERS A [2001:db8::1]:7"]


def mutated(draw):
    """A command with a few bytes changed, doubled, lost, or words of two commands."""
    words = draw.choice(GOOD).split() + draw.choice(GOOD).split()
    if draw.random() < 0.5:
        draw.shuffle(words)
    line = bytearray(" ".join(words[:draw.randint(1, 5)]).encode())
    for _ in range(draw.randint(0, 3)):
        at = draw.randrange(len(line) + 1)
        line[at:at + draw.randint(0, 2)] = bytes(
            draw.randrange(256) for _ in range(draw.randint(0, 3)))
    if draw.random() < 0.01:
        line *= draw.randint(1, 3000)
    return bytes(line).replace(b"\n", b" ")


def test_ten_thousand_mutated_lines(hosts, helper):
    """Whatever is refused has changed nothing: state is what the obeyed ones make of it."""
    draw, obeyed = random.Random(48), []
    helper.tell("SERVERS " + servers(hosts, "fe5", "fe6"))
    for batch in range(100):
        sent = {}
        for number in range(batch * 100, batch * 100 + 100):
            sent[f"5{number:05}"] = line = mutated(draw)
            helper.write(b"5%05d " % number + line + b"\n")
            helper.listen()
        helper.tell("NOOP")
        obeyed += [line for number, line in sent.items()
                   if helper.responses.get(number) == "OK" and line.split()]
    assert helper.running and helper.stderr() == ""
    status = hosts["fe5"].ctl("status")["groups"][0]
    members = {entry["name"]: entry["configured_weight"] for entry in status["members"]}

    # The obeyed ones alone, to another helper.
    other = hosts["fe6"].start_helper()
    other.tell("SERVERS " + servers(hosts, "fe5", "fe6"))
    for line in obeyed:
        if line.split()[0].upper() != b"QUIT":
            other.write(b"%s\n" % line)
    other.tell("NOOP")
    same = hosts["fe6"].ctl("status")["groups"][0]
    assert len(obeyed) > 100, "no mutation is a command any more"
    assert status["role"] == same["role"]
    # Each adds itself, if it is not in the list.
    own = {"192.0.2.5", "192.0.2.6"}
    assert {name: weight for name, weight in members.items() if name not in own} == {
        entry["name"]: entry["configured_weight"] for entry in same["members"]
        if entry["name"] not in own}


# --- as it is shipped ------------------------------------------------------------------------

def test_the_example_for_a_site(hosts):
    """contrib/communigate/drover.conf, on fe6 of the site; the rehearsal takes no key."""
    node = hosts["fe6"]
    node.ip("addr", "add", "64.173.55.181/27", "dev", "eth0")
    listed = " ".join(f"64.173.55.{number}:100" for number in range(180, 184))
    done = node.run(program("drover-helper"), "-m", "-c",
                    REPOSITORY / "contrib/communigate/drover.conf",
                    stdin=f"1 SERVERS {listed}\n2 ACTIVE A\n")
    assert done.stderr == "" and {"1 OK", "2 OK"} <= set(done.stdout.splitlines())
    for words in ("node fe6 as active balancer", "34000-34999", "member fe5 (64.173.55.180)"):
        assert words in done.stdout
    assert "arping -q -U -c 1 -I eth0 64.173.55.164" in done.stdout


def test_without_a_file_and_directories(hosts):
    """As the cluster's server would start it, with /run and /var/lib of its own here."""
    node = hosts["fe5"]
    script = ("mount -t tmpfs none /run; mount -t tmpfs none /var/lib; unset STATE_DIRECTORY;"
              f"exec {program('drover-helper')} -f {node.directory}/vipaddrs")
    done = node.run("unshare", "--mount", "sh", "-c", script,
                    stdin="1 SERVERS 192.0.2.5:100\n2 ACTIVE\n3 QUIT\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert [f"{number} OK" in done.stdout for number in (1, 2, 3)] == [True] * 3
    assert "cannot" not in done.stdout


# --- -m --------------------------------------------------------------------------------------

def rehearsal(node):
    return program("drover-helper"), "-m", "-f", node.directory / "vipaddrs", "-p", "0"


def rehearse(node, commands):
    """The script that -m prints, without what happens at its end."""
    done = node.run(*rehearsal(node), stdin="".join(f"{command}\n" for command in commands))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith("* ") for line in lines if not line[0].isdigit())
    script = [line[2:] for line in lines if line.startswith("* ")]
    end = script.index("# the server has closed the pipe")
    return "\n".join(script[:end]) + "\n", lines


def test_a_rehearsal_waits_for_its_reader(hosts):
    """It has more to say than a log may miss, and nobody reads for a while."""
    node = hosts["fe5"]
    commands = ["1 SERVERS " + servers(hosts, "fe5"), "2 ACTIVE", "3 STANDBY", "4 ACTIVE"]
    _, lines = rehearse(node, commands)
    process = node.popen(*rehearsal(node), stdin=True, stdout=True)
    process.stdin.write("".join(f"{command}\n" for command in commands))
    process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    assert process.stdout.read().splitlines() == lines
    assert process.wait(10) == 0


@pytest.mark.parametrize("role", ["ACTIVE", "STANDBY"])
def test_a_rehearsal_is_what_would_be_done(hosts, role):
    """Its script, run on a host, leaves there what the helper itself does."""
    node = hosts["fe5"]
    commands = ["1 SERVERS " + servers(hosts, "fe5", fe6=30), "2 ACTIVE"]
    commands += ["3 STANDBY"] if role == "STANDBY" else []
    for name in ("fe6", "fe7"):
        node.connect(hosts.address(name), 80, 1)  # so that its neighbours are known
    before = node.ruleset(), node.ip("addr", "show")
    script, lines = rehearse(node, commands)
    assert [f"{number} OK" in lines for number in range(1, len(commands) + 1)]
    assert (node.ruleset(), node.ip("addr", "show")) == before

    helper = node.start_helper(arguments=("-p", "0"))
    for command in commands:
        helper.tell(command[2:])
    hosts.wait_serving("fe5")
    if role == "STANDBY":
        wait_until(lambda: not node.is_forwarding(), what="fe5 standing by")
    committed = without_shield(node.nft_json())
    addresses = node.ip("-br", "addr", "show", "eth0").split()
    assert helper.quit() == 0
    node.run("nft", "flush", "ruleset")
    node.run("sh", "-e", stdin=script.replace("arping", "true"))
    assert not difference(node.nft_json(), committed)
    assert node.ip("-br", "addr", "show", "eth0").split() == addresses
