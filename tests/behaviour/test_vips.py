"""droverctl vips: a host becomes a member without a daemon, and is told what it lacks."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from lab import DUAL_STACK, VIP, VIP6
from lab.arp import who_has
from lab.cluster import CLIENT_NUMBER, SEGMENT, number_of
from lab.programs import REPOSITORY, build_directory, program
from lab.traffic import PYTHON

HOOK = REPOSITORY / "contrib/ifupdown/drover-vips"
UNIT = build_directory() / "contrib/drover-vips.service"
FILE = f"# single addresses\n{VIP}\n{VIP6} # of IPv6\n\n# a subnet\n198.51.100.48/30\n"
ADDRESSES = {f"{VIP}/32", f"{VIP6}/128", *(f"198.51.100.{last}/32" for last in range(48, 52))}
OUTGOING = "33000-33999"


def vips(node, *words, file="vipaddrs"):
    return node.droverctl("vips", *words, "-f", node.directory / file)


def bare(node):
    """Takes the VIPs away that the laboratory gives to each node."""
    node.ip("addr", "flush", "dev", "lo", "scope", "global")
    return node


@pytest.fixture
def node(make_lab):
    """A host without daemon and VIPs, with files that name some."""
    lab = make_lab(["fe5"])
    host = bare(lab["fe5"])
    (host.directory / "vipaddrs").write_text(FILE)
    group = lab.group()
    group["members"][0]["outgoing"] = OUTGOING
    host.write_conf({"groups": [group]})
    host.set_sysctl("ipv4/ip_local_port_range", "40000 60999")
    return host


def addresses(node, interface="lo"):
    """{address/length} of an interface, without those that it has by itself."""
    [entry] = json.loads(node.ip("-j", "addr", "show", "dev", interface))
    found = {f"{info['local']}/{info['prefixlen']}" for info in entry["addr_info"]}
    return found - {"127.0.0.1/8", "::1/128"}


def state(node):
    """What vips may change."""
    settings = {name: node.sysctl(f"ipv4/conf/{scope}/{name}")
                for name in ("arp_ignore", "arp_announce") for scope in ("all", "eth0", "lo")}
    return addresses(node), addresses(node, "eth0"), node.ip("link", "show", "lo"), settings


def show(node, *words):
    """The JSON of show, whose exit status must say the same."""
    done = node.droverctl("-j", "vips", "show", "-f", node.directory / "vipaddrs", *words)
    reply = json.loads(done.stdout)
    assert done.returncode == (0 if reply["complete"] else 1), done
    return reply


def missing(reply):
    return {check["name"]: check for check in reply["checks"] if check["state"] == "missing"}


def run_command(node, command):
    """As somebody does who copies what was printed."""
    path = f"{Path(program('droverctl')).parent}:{os.environ['PATH']}"
    node.run("env", f"PATH={path}", "sh", "-c", command)


# --- up and down ----------------------------------------------------------------


def test_up_twice(node):
    first, again = vips(node, "up"), vips(node, "up")
    assert (first.returncode, first.stdout) == (
        0, "set net.ipv4.conf.all.arp_ignore=1\nset net.ipv4.conf.all.arp_announce=2\n"
           "6 addresses are on lo, 6 of them new\n")
    assert (again.returncode, again.stdout) == (0, "6 addresses are on lo, 0 of them new\n")
    assert addresses(node) == ADDRESSES
    assert addresses(node, "eth0").isdisjoint(ADDRESSES)


def test_down_twice(node):
    """Only what the file names leaves, and ARP stays silent for what does not."""
    node.ip("addr", "add", "203.0.113.9/32", "dev", "lo")
    vips(node, "up")
    first, again = vips(node, "down"), vips(node, "down")
    assert (first.returncode, first.stdout) == (0, "6 of 6 addresses taken from lo\n")
    assert (again.returncode, again.stdout) == (0, "0 of 6 addresses taken from lo\n")
    assert addresses(node) == {"203.0.113.9/32"}
    assert node.sysctl("ipv4/conf/all/arp_ignore") == "1"


def test_up_completes_what_is_half_there(node):
    node.ip("addr", "add", "198.51.100.49/32", "dev", "lo")
    assert vips(node, "up").stdout.endswith("6 addresses are on lo, 5 of them new\n")
    assert addresses(node) == ADDRESSES


def test_up_sets_lo_up(node):
    node.ip("link", "set", "lo", "down")
    assert vips(node, "up").returncode == 0
    assert addresses(node) == ADDRESSES and missing(show(node)) == {}


def test_addresses_of_ipv6_are_usable_at_once(node):
    """Not probed for duplicates, nor chosen by the kernel for what this host sends."""
    vips(node, "up")
    listing = node.ip("-6", "addr", "show", "dev", "lo", "to", VIP6)
    assert "nodad" in listing and "deprecated" in listing
    node.run(PYTHON, "-c", f"import socket; socket.create_server(('{VIP6}', 80),"
                           " family=socket.AF_INET6)")


def test_up_on_one_interface(node):
    done = vips(node, "up", "-i", "eth0")
    assert "set net.ipv4.conf.eth0.arp_ignore=1\n" in done.stdout
    assert node.sysctl("ipv4/conf/all/arp_ignore") == "0"
    assert missing(show(node, "-i", "eth0")) == {}
    assert set(missing(show(node))) == {"arp_ignore", "arp_announce"}


def test_stricter_settings_stay(node):
    node.set_sysctl("ipv4/conf/all/arp_ignore", 8)
    assert vips(node, "up").returncode == 0
    assert node.sysctl("ipv4/conf/all/arp_ignore") == "8"


def test_down_does_not_touch_the_interface(make_lab):
    """An active balancer has the VIPs there."""
    lab = make_lab(["fe5"])
    lab.launch()
    balancer = lab["fe5"]
    (balancer.directory / "vipaddrs").write_text(f"{VIP}\n198.51.100.48/29\n")
    assert balancer.has_address(VIP, "lo") and balancer.has_address(VIP, "eth0")
    assert vips(balancer, "down").stdout == "9 of 9 addresses taken from lo\n"
    assert addresses(balancer) == set()
    assert balancer.has_address(VIP, "eth0") and balancer.has_address("198.51.100.50", "eth0")


def test_an_address_with_another_prefix_length_stays(node):
    node.ip("addr", "add", "198.51.100.48/29", "dev", "lo")
    assert vips(node, "up").stdout.endswith("6 addresses are on lo, 5 of them new\n")
    done = vips(node, "down")
    assert (done.returncode, done.stdout) == (
        0, "5 of 6 addresses taken from lo\n"
           "1 stay, for they are there with a shorter prefix\n")
    assert addresses(node) == {"198.51.100.48/29"}


# --- refusals --------------------------------------------------------------------

REFUSED = [
    ("192.0.2.7\n10.0.0.0/23\n", "2: VIP 10.0.0.0/23 is wider than /24"),
    ("192.0.2.7\n198.51.100.49/30\n",
     '2: VIP "198.51.100.49/30": the address is not the first of that subnet'),
    (f"{VIP}\n# again\n{VIP}\n", f"3: VIP {VIP} overlaps VIP {VIP} of "),
    ("192.0.2.7\n\nten\n", '3: VIP "ten" is neither address nor subnet'),
    ("192.0.2.7 192.0.2.8\n", "1: a line has one address or subnet"),
    ("2001:db8::/64\n", "1: VIP 2001:db8::/64 is wider than /120"),
]


@pytest.mark.parametrize("action", ["up", "down", "show"])
def test_refused_files_change_nothing(node, action):
    node.ip("addr", "add", "192.0.2.7/32", "dev", "lo")
    before = state(node)
    path = node.directory / "bad"
    for text, message in REFUSED:
        path.write_text(text)
        done = vips(node, action, file="bad")
        assert done.returncode == 1 and done.stdout == "", done
        assert done.stderr.startswith(f"droverctl: vips: {path} is refused as a whole; "
                                      f"nothing is changed\n  {path}:{message}"), done
        assert state(node) == before


def test_other_refusals(node):
    before = state(node)
    for words, message in {
            ("up", "-i", "eth7"): "there is no interface eth7",
            ("show", "-i", "all"): "there is no interface all",
            ("show", "-c", "/nonexistent"):
                "/nonexistent is refused as a whole; nothing is changed\n"
                "  /nonexistent: cannot open: No such file or directory"}.items():
        done = vips(node, *words)
        assert (done.returncode, done.stderr) == (1, f"droverctl: vips: {message}\n")
    assert state(node) == before


def test_without_privilege(node):
    """ARP is root's own file, addresses need a capability: it says what it could not do."""
    done = node.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--",
                    program("droverctl"), "vips", "up", "-f", node.directory / "vipaddrs",
                    check=False)
    assert (done.returncode, done.stderr) == (
        1, f"droverctl: vips: 6 of 6 addresses cannot be put on lo, first {VIP}: "
           "Operation not permitted\n")


def test_up_without_ipv6(node):
    """What can be put up is, and the message says what could not."""
    node.set_sysctl("ipv6/conf/lo/disable_ipv6", 1)
    done = vips(node, "up")
    assert (done.returncode, done.stderr) == (
        1, f"droverctl: vips: 1 of 6 addresses cannot be put on lo, first {VIP6}: "
           "IPv6 is disabled there\n")
    assert addresses(node) == ADDRESSES - {f"{VIP6}/128"}


# --- show -------------------------------------------------------------------------

OTHER_WAY = "ip link add far0 type veth peer name far1 && ip link set far0 up && " \
            "ip link set far1 up && ip route add default dev far0"
SPOILED = {
    "a VIP": ("ip addr del 198.51.100.50/32 dev lo", {"vips"}),
    "all VIPs": ("ip addr flush dev lo scope global", {"vips"}),
    "VIP of IPv6": (f"ip addr del {VIP6}/128 dev lo", {"vips"}),
    "lo down": ("ip link set lo down", {"lo", "vips"}),  # the kernel drops IPv6 addresses
    "arp_ignore": ("sysctl -w net.ipv4.conf.eth0.arp_ignore=0", {"arp_ignore"}),
    "arp_ignore 3": ("sysctl -w net.ipv4.conf.all.arp_ignore=3", {"arp_ignore"}),
    "arp_announce": ("sysctl -w net.ipv4.conf.eth0.arp_announce=1", {"arp_announce"}),
    "rp_filter": (f"sysctl -w net.ipv4.conf.all.rp_filter=1 && {OTHER_WAY}", {"rp_filter"}),
    "ports": ('sysctl -w net.ipv4.ip_local_port_range="32768 60999"', {"ip_local_port_range"}),
    "IPv6 off lo": ("sysctl -w net.ipv6.conf.lo.disable_ipv6=1", {"ipv6", "vips"}),
    "IPv6 off eth0": ("sysctl -w net.ipv6.conf.eth0.disable_ipv6=1", {"ipv6"}),
    "all": ("ip link set lo down && ip addr flush dev lo && sysctl -w "
            "net.ipv4.conf.eth0.arp_ignore=0 net.ipv4.conf.eth0.arp_announce=0 "
            "net.ipv6.conf.lo.disable_ipv6=1", {"lo", "ipv6", "arp_ignore", "arp_announce",
                                                "vips"}),
}


@pytest.mark.parametrize("name", SPOILED)
def test_the_command_mends_what_is_missing(node, name):
    spoil, expected = SPOILED[name]
    words = ("-c", node.conf_path)
    vips(node, "up", "-i", "eth0")
    assert missing(show(node, *words)) == {}
    run_command(node, spoil)
    found = missing(show(node, *words))
    assert set(found) == expected
    printed = vips(node, "show", *words).stdout.splitlines()
    for check in found.values():
        assert f"  {check['mend']}" in printed
        run_command(node, check["mend"])
    assert missing(show(node, *words)) == {}


def test_rp_filter_is_missing_where_the_kernel_drops(node):
    asked = ("ip", "route", "get", VIP, "from", "203.0.113.77", "iif", "eth0")
    vips(node, "up", "-i", "eth0")
    run_command(node, SPOILED["rp_filter"][0])
    assert node.run(*asked, check=False).returncode != 0
    run_command(node, missing(show(node, "-i", "eth0"))["rp_filter"]["mend"])
    assert node.run(*asked, check=False).returncode == 0


def test_the_way_out_of_answers_from_a_vip_counts(node):
    """Policy routing sends them back to where the packets come from: nothing is dropped."""
    vips(node, "up", "-i", "eth0")
    run_command(node, SPOILED["rp_filter"][0])
    for last in (48, 49):
        node.ip("rule", "add", "from", f"198.51.100.{last}", "lookup", "100")
    node.ip("rule", "add", "from", VIP, "lookup", "100")
    node.ip("route", "add", "default", "dev", "eth0", "table", "100")
    assert missing(show(node, "-i", "eth0")) == {}


def test_ports_are_free_after_mending(node):
    vips(node, "up", "-i", "eth0")
    run_command(node, SPOILED["ports"][0])
    run_command(node, missing(show(node, "-c", node.conf_path))["ip_local_port_range"]["mend"])
    assert node.sysctl("ipv4/ip_local_port_range").split() == ["34000", "60999"]


def test_what_show_prints(node):
    vips(node, "up")
    node.ip("addr", "del", "198.51.100.49/32", "dev", "lo")
    path = node.directory / "vipaddrs"
    done = vips(node, "show", "-c", node.conf_path)
    assert done.returncode == 1 and done.stdout == (
        f"VIPs of {path}\n"
        "  VIP               ADDRESSES  ON LO\n"
        "  192.0.2.100               1      1\n"
        "  2001:db8:1::100           1      1\n"
        "  198.51.100.48/30          4      3\n"
        "\n"
        "This host as a member, on eth0\n"
        "  CHECK                STATE    FOUND\n"
        "  lo                   ok       up\n"
        "  ipv6                 ok       enabled\n"
        "  arp_ignore           ok       1 on eth0\n"
        "  arp_announce         ok       2 on eth0\n"
        "  vips                 missing  1 of 6 addresses are not on lo\n"
        "  rp_filter            ok       0 on eth0\n"
        "  ip_local_port_range  ok       40000-60999, apart from outgoing ports\n"
        "\n"
        "something is missing; this mends it:\n"
        f"  droverctl vips up -f {path} -i eth0\n")


def test_json_of_show(node):
    vips(node, "up")
    reply = show(node)
    assert (reply["ok"], reply["complete"], reply["interface"]) == (True, True, "all")
    assert reply["vips"][2] == {"vip": "198.51.100.48/30", "addresses": 4, "on_lo": 4}
    states = {check["name"]: check["state"] for check in reply["checks"]}
    assert states == {"lo": "ok", "ipv6": "ok", "arp_ignore": "ok", "arp_announce": "ok",
                      "vips": "ok", "rp_filter": "skipped", "ip_local_port_range": "skipped"}
    assert {check["mend"] for check in reply["checks"]} == {None}


def test_every_field_is_in_the_manual(node):
    page = (REPOSITORY / "man/droverctl.8").read_text()
    done = node.droverctl("-j", "vips", "up", "-f", node.directory / "vipaddrs")
    shown = show(node)
    names = {*json.loads(done.stdout), *shown, *shown["vips"][0], *shown["checks"][0],
             *(check["name"] for check in shown["checks"])}
    assert not {name for name in names - {"ok"} if f'"{name}"' not in page}


def on_terminal(node, *words):
    """What droverctl prints on a terminal."""
    master, slave = pty.openpty()
    command = ["env", "TERM=xterm", "NO_COLOR=", program("droverctl"), "vips", *words]
    with subprocess.Popen(node.namespace.command(command), stdin=subprocess.DEVNULL,
                          stdout=slave) as process:
        os.close(slave)
        output = b""
        while chunk := _read(master):
            output += chunk
        process.wait(60)
    os.close(master)
    return output.decode().replace("\r\n", "\n")


def _read(master):
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


def test_colours_on_a_terminal_only(node):
    coloured = on_terminal(node, "show", "-f", node.directory / "vipaddrs")
    assert "\033[31mmissing\033[0m" in coloured and "\033[32mok\033[0m" in coloured
    assert re.sub(r"\033\[\d*m", "", coloured) == vips(node, "show").stdout
    assert "\033" not in vips(node, "show").stdout


# --- at boot ------------------------------------------------------------------------


def hook(node, mode, interface="lo", **options):
    path = f"{Path(program('droverctl')).parent}:{os.environ['PATH']}"
    words = [f"{name}={value}" for name, value in options.items()]
    return node.run("env", f"PATH={path}", f"IFACE={interface}", f"MODE={mode}", *words, HOOK,
                    check=False)


def test_hook_of_ifupdown(node):
    file = {"IF_DROVER_VIPS": node.directory / "vipaddrs"}
    assert hook(node, "start", interface="eth0", **file).returncode == 0
    assert addresses(node) == set()
    assert hook(node, "start", **file).returncode == 0
    assert addresses(node) == ADDRESSES
    assert hook(node, "stop", **file).returncode == 0
    assert addresses(node) == set()


def test_hook_of_ifupdown_fails_aloud(node):
    done = hook(node, "start", IF_DROVER_VIPS="/nonexistent")
    assert done.returncode == 1 and "/nonexistent" in done.stderr


def test_unit_runs_commands_that_exist(node):
    """Each of its commands, with the file of this test, does what systemd wants of it."""
    text = UNIT.read_text()
    for setting, left in (("ExecStart", ADDRESSES), ("ExecReload", ADDRESSES), ("ExecStop", set())):
        command = re.search(rf"^{setting}=\S+/droverctl (.*)$", text, re.MULTILINE)[1]
        done = node.droverctl(*command.split(), "-f", node.directory / "vipaddrs")
        assert done.returncode == 0 and addresses(node) == left


@pytest.mark.parametrize("setting", [
    "Type=oneshot", "RemainAfterExit=yes", "Before=network-pre.target", "Wants=network-pre.target",
    "ConditionPathExists=/etc/sysconfig/vipaddrs",
])
def test_unit_says(setting):
    assert f"\n{setting}" in UNIT.read_text()


# --- and then ----------------------------------------------------------------------------


def test_a_member_without_a_daemon_serves(make_lab):
    """Nothing but "vips up" was done on fe6."""
    lab = make_lab(["fe5", "fe6"], vips=DUAL_STACK)
    member = bare(lab["fe6"])
    (member.directory / "vipaddrs").write_text("\n".join(DUAL_STACK))
    assert vips(member, "up").returncode == 0
    member.serve("80")
    lab.configure(lab.group(weights={"fe6": 100}, balancers=["fe5"]), only=["fe5"])
    lab.start("fe5")
    lab["fe5"].ctl("activate")
    lab.wait_serving("fe5", "fe6")
    for vip in (VIP, "198.51.100.55", VIP6, "2001:db8:2::37"):
        answers = lab.client.connect(vip, 80, 40)
        assert not answers.failures and answers.by_member == {"fe6": 40}, (vip, answers)


def test_a_member_without_a_daemon_is_silent(make_lab):
    lab = make_lab(["fe5", "fe6"])
    asked = [VIP, "198.51.100.48"]

    def answering():
        return who_has(lab.client, f"02:00:00:00:00:{CLIENT_NUMBER:02x}",
                       f"{SEGMENT}.{CLIENT_NUMBER}", asked,
                       [f"{SEGMENT}.{number_of(name)}" for name in lab.nodes])

    assert all(answering().values()), "VIPs on lo are answered for before"
    for node in lab:
        (node.directory / "vipaddrs").write_text("\n".join(lab.vips))
        assert vips(node, "up").returncode == 0
    assert answering() == {address: set() for address in asked}
