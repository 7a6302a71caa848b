"""Health checks: they tell well from ill, and who is ill gets nothing; nobody else notices."""

import signal
import socket
import time

import pytest

from lab import VIP, sip, wait_until
from lab.answering import Server
from lab.listing import difference, without_shield
from lab.wait import patience

SYN = 0x02
QUICK = {"interval": 0.2, "timeout": 0.2, "rise": 1, "fall": 2, "probe": "address"}

# Kinds of answering.py, the checks that ask them, and what these find when the server is ill.
PORTS = ["smtp:25", "pop3:110", "imap:143", "http:80", "sip:5060", "dns:53", "send:7", "tcp:9"]
CHECKS = [
    ("smtp", 25, {}, "unexpected banner"),
    ("pop3", 110, {}, "unexpected banner"),
    ("imap", 143, {}, "unexpected banner"),
    ("http", 80, {"path": "/health", "host": "www", "body": "healthy"}, "unexpected status"),
    ("sip", 5060, {}, "unexpected status"),
    ("sip", 5060, {"transport": "tcp"}, "unexpected status"),
    ("dns", 53, {}, "unexpected status"),
    ("dns", 53, {"transport": "tcp", "query": "example.com"}, "unexpected status"),
    ("send", 7, {"send": "ping\n", "expect": "pong"}, "unexpected answer"),
    ("send", 7, {"transport": "udp", "send": "ping\n", "expect": "pong"}, "unexpected answer"),
]


def checks_of(*checks):
    return [QUICK | {"name": f"check{number}", "type": kind} | settings
            for number, (kind, _, settings, *_) in enumerate(checks)]


def services_of(*checks, **settings):
    """A service for each check; ports that several checks ask are balanced once."""
    return [{"name": f"s{number}", "protocol": "tcp", "ports": str(1000 + number),
             "check": f"check{number}"} | settings for number in range(len(checks))]


def states(node, member="fe6"):
    return {check["service"]: check for check in node.member(member)["checks"]}


def wait_outcomes(node, wanted, member="fe6"):
    """Waits until the outcomes of a member's checks are these, by service."""
    def outcomes():
        return {name: check["outcome"] for name, check in states(node, member).items()}
    wait_until(lambda: outcomes() == wanted, 10, f"outcomes {wanted}")


def wait_member(node, member, state):
    wait_until(lambda: node.member(member)["state"] == state, 10, f"{member} {state}")


def launch(make_lab, checks, services, names=("fe5", "fe6"), **options):
    """fe5 balances and does not serve, so that all members are asked over the wire."""
    lab = make_lab(list(names))
    members = {name: 100 for name in names if name != "fe5"}
    lab.configure(lab.group(weights=members, balancers=["fe5"], services=services),
                  checks=checks, **options)
    return lab


WEB_CHECK = [QUICK | {"name": "web", "type": "tcp", "port": 80}]


def web(**settings):
    return [{"name": "web", "protocol": "tcp", "ports": "80", "check": "web"} | settings]


def launch_web(make_lab, names=("fe5", "fe6", "fe7"), checks=None, services=None, **options):
    lab = launch(make_lab, checks or WEB_CHECK, services or web(), names, **options)
    lab.serve("80")
    lab.start()
    lab.activate("fe5")
    return lab


# --- what checks find ---------------------------------------------------------------------

def test_dialogues(make_lab):
    """Each kind of check, with a server that is absent, well, ill, and hung."""
    ports = [f"{kind}:{port}" for kind, port in (each.split(":") for each in PORTS)]
    settings = [{"port": port} | more for _, port, more, _ in CHECKS]
    checks = [(kind, port, more) for (kind, port, _, _), more in zip(CHECKS, settings)]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    node, names = lab["fe5"], [f"s{number}" for number in range(len(CHECKS))]
    lab.start("fe5")
    wait_outcomes(node, {name: "refused" for name in names})
    assert node.member("fe6")["state"] == "serving"  # fail is open

    server = Server(lab["fe6"], lab.address("fe6"), *ports)
    wait_outcomes(node, {name: "good" for name in names})
    wait_until(lambda: all(check["state"] == "up" for check in states(node).values()), 5)
    server.signal(signal.SIGSTOP)
    wait_outcomes(node, {name: "timeout" for name in names})
    server.signal(signal.SIGCONT)
    server.end()

    Server(lab["fe6"], lab.address("fe6"), *ports, mood="ill")
    wait_outcomes(node, {name: outcome for name, (*_, outcome) in zip(names, CHECKS)})
    assert states(node)["s0"]["detail"] == "554 go away"


def test_http_settings(make_lab):
    """Method, path, status and body."""
    checks = [("http", 80, {"port": 80} | settings) for settings in (
        {"path": "/empty"}, {"path": "/empty", "body": "healthy"}, {"path": "/none"},
        {"path": "/none", "status": "404"}, {"path": "/health", "method": "HEAD", "body": "all"})]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    Server(lab["fe6"], lab.address("fe6"), "http:80")
    lab.start("fe5")
    wait_outcomes(lab["fe5"], {"s0": "good", "s1": "unexpected body", "s2": "unexpected status",
                               "s3": "good", "s4": "unexpected body"})


def test_real_servers(make_lab):
    """busybox as a web server, sipp as one of SIP."""
    checks = [("http", 80, {"port": 80, "path": "/health", "body": "well"}),
              ("sip", 5060, {"port": 5060})]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    host = lab["fe6"]
    (host.directory / "health").write_text("I am well\n")
    web_server = host.popen("busybox", "httpd", "-f", "-p", "192.0.2.6:80", "-h", host.directory)
    sip.Server(host, "192.0.2.6", sip.ANSWER.format(name="fe6"))
    lab.start("fe5")
    wait_outcomes(lab["fe5"], {"s0": "good", "s1": "good"})
    (host.directory / "health").write_text("I am ill\n")
    wait_outcomes(lab["fe5"], {"s0": "unexpected body", "s1": "good"})
    web_server.end()
    wait_outcomes(lab["fe5"], {"s0": "refused", "s1": "good"})


def test_icmp_and_exec(make_lab):
    command = 'test "$DROVER_MEMBER $DROVER_ADDRESS $DROVER_PORT" = "fe6 192.0.2.6 1001"'
    checks = [("icmp", 0, {}), ("exec", 0, {"command": command}),
              ("exec", 0, {"command": "exit 3"}), ("exec", 0, {"command": "exec cat /dev/zero"})]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    node = lab["fe5"]
    lab.start("fe5")
    wait_outcomes(node, {"s0": "good", "s1": "good", "s2": "command failed", "s3": "timeout"})
    assert states(node)["s2"]["detail"] == "exit status 3"
    lab.cut(lab["fe6"])
    wait_until(lambda: states(node)["s0"]["outcome"] in ("timeout", "unreachable"), 5)


def test_ipv6(make_lab):
    lab = make_lab(["fe5", "fe6"], vips=[VIP])
    group = lab.group(weights={"fe6": 100}, balancers=["fe5"],
                      services=services_of(*[("icmp",)] * 3))
    group["members"][0]["address"] = lab.address6("fe6")
    lab.configure(group, checks=checks_of(("icmp", 0, {}), ("http", 80, {"port": 80}),
                                          ("tcp", 81, {"port": 81})))
    Server(lab["fe6"], lab.address6("fe6"), "http:80")
    lab.start("fe5")
    wait_outcomes(lab["fe5"], {"s0": "good", "s1": "unexpected status", "s2": "refused"})


def test_one_probe_however_many_services(make_lab):
    """Services that want the same of a member share one probe; another port is another one."""
    checks = [QUICK | {"name": "same", "type": "tcp", "port": 80}]
    services = [{"name": f"s{number}", "protocol": "tcp", "ports": str(1000 + number),
                 "check": "same"} for number in range(20)]
    lab = launch(make_lab, checks, services)
    lab.start("fe5")
    with lab["fe6"].capture() as capture:
        begin = states(lab["fe5"])["s0"]["bad"]
        wait_until(lambda: states(lab["fe5"])["s0"]["bad"] >= begin + 5, 10)
        asked = states(lab["fe5"])["s19"]["bad"] - begin
        syns = [frame for frame in capture.frames(incoming_only=True)
                if frame.protocol == socket.IPPROTO_TCP and frame.payload[13] == SYN]
    assert asked >= 5 and len(syns) <= asked + 2


# --- what follows ------------------------------------------------------------------------------

def test_killed_under_load(make_lab):
    """Out of the table within interval and timeout; connections of the others are untouched."""
    checks = [{"name": "web", "type": "tcp", "interval": 1, "timeout": 0.5}]
    lab = launch_web(make_lab, ("fe5", "fe6", "fe7", "fe8"), checks, sync=True)
    node = lab["fe5"]
    held = lab.client.hold(VIP, 80, 60)
    lab.wait_known(60, "fe5")
    members = held.report()["members"].values()
    others = sum(name != "fe8" for name in members)
    assert 0 < others < 60
    lab["fe8"].stop_serving()
    began = time.monotonic()
    wait_until(lambda: node.member("fe8")["buckets"] == 0, 5, "fe8 out of the table")
    assert time.monotonic() - began < patience(1.5)
    assert node.member("fe8")["state"] == "down"
    report = held.wait_alive(others)
    assert not [failure for failure in report["failures"] if " fe8: " not in failure]
    held.stop()
    answers = lab.client.connect(VIP, 80, 50)
    assert not answers.failures and set(answers.by_member) == {"fe6", "fe7"}
    assert "fe8 (192.0.2.8 port 80) is down: refused" in node.log()

    lab["fe8"].serve("80")
    wait_member(node, "fe8", "serving")
    assert node.log().count("member fe8") == 2 and "is up: good" in node.log()
    assert lab.client.connect(VIP, 80, 90).share("fe8") > 0


def test_hung_member(make_lab):
    """One whose kernel answers and whose server does not: its connections count as dead."""
    checks = [QUICK | {"name": "web", "type": "send", "send": "1\n", "expect": "fe"}]
    lab = launch_web(make_lab, checks=checks, services=[
        *web(), {"name": "other", "protocol": "tcp", "ports": "81"}], sync=True)
    node, held = lab["fe5"], lab.client.hold(VIP, 80, 40)
    lab.wait_known(40, "fe5")
    others = sum(name == "fe7" for name in held.report()["members"].values())
    lab["fe6"].pause_serving()
    wait_member(node, "fe6", "down")
    assert states(node)["web"]["outcome"] == "timeout"
    assert node.connections("fe6") == 40 - others
    assert all(each["pinned"] == 0 for each in node.ctl("flows")["members"])
    assert not [failure for failure in held.failures() if " fe7: " in failure]
    held.wait_alive(others)
    held.stop()
    lab["fe6"].pause_serving(False)
    wait_member(node, "fe6", "serving")


def test_one_service_of_several(make_lab):
    """Who fails in one service goes on in the others, and keeps its connections there."""
    services = [*web(), {"name": "mail", "protocol": "tcp", "ports": "25", "check": "mail"},
                {"name": "turn", "protocol": "tcp", "ports": "81", "scheduler": "rr"}]
    checks = [*WEB_CHECK, QUICK | {"name": "mail", "type": "tcp", "port": 25}]
    lab = launch(make_lab, checks, services, ("fe5", "fe6", "fe7"))
    for node in lab:
        node.serve("80,81")
    mail = Server(lab["fe6"], lab.address("fe6"), "tcp:25")
    Server(lab["fe7"], lab.address("fe7"), "tcp:25")
    lab.start()
    lab.activate("fe5")
    node = lab["fe5"]
    held, turn = lab.client.hold(VIP, 80, 30), lab.client.hold(VIP, 81, 30)
    mail.end()
    wait_until(lambda: states(node)["mail"]["ejected"], 5)
    assert not states(node)["web"]["ejected"] and node.member("fe6")["state"] == "serving"
    wait_until(lambda: "buckets/A/mail/up" in node.ruleset(), 5)
    assert node.ctl("explain", "tcp", "192.0.2.200:999", f"{VIP}:25")["member"] == "fe7"
    for each in (held, turn):
        each.wait_rounds(2)
        assert each.stop()["alive"] == 30
    assert {*lab.client.connect(VIP, 80, 40).by_member} == {"fe6", "fe7"}


@pytest.mark.parametrize("scheduler", [{"scheduler": "rr"}, {"persistence": 600}])
def test_memories_of_a_service(make_lab, scheduler):
    """What the kernel remembers of a service leads nowhere that is down, and else as before."""
    services = [web(**scheduler)[0], {"name": "other", "protocol": "tcp", "ports": "81",
                                      "check": "other"} | scheduler]
    checks = [*WEB_CHECK, QUICK | {"name": "other", "type": "tcp", "port": 81}]
    lab = launch(make_lab, checks, services, ("fe5", "fe6", "fe7"))
    lab.serve("80")
    ill, _ = (Server(lab[name], lab.address(name), "tcp:81") for name in ("fe6", "fe7"))
    lab["fe7"].serve("82")
    lab.start()
    lab.activate("fe5")
    held = lab.client.hold(VIP, 80, 20)
    ill.end()
    wait_until(lambda: states(lab["fe5"])["other"]["ejected"], 5)
    wait_until(lambda: "/other/up" in lab["fe5"].ruleset(), 5)
    held.wait_rounds(2)
    assert held.stop()["alive"] == 20
    lab["fe6"].run("nft", "-f", "-", stdin=(
        "add table inet t\nadd chain inet t i { type filter hook input priority 0; }\n"
        "add rule inet t i tcp dport 81 ip daddr %s counter\n" % VIP))
    lab.client.connect(VIP, 81, 20, patience=0.5)
    assert "counter packets 0 " in lab["fe6"].run("nft", "list", "chain", "inet", "t", "i").stdout

    rules = lab["fe5"].ctl("rules")["rules"]
    lab["fe7"].stop_droverd()
    lab["fe7"].load_ruleset("flush ruleset")
    lab["fe7"].load_ruleset(rules)
    chains = [[item for item in without_shield(lab[name].nft_json()) if item.keys() <= {
        "table", "chain", "rule"}] for name in ("fe5", "fe7")]
    assert not difference(*chains)


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_nobody_is_up(make_lab, fail):
    """With open all are used, with closed nobody is; both can be seen, and end."""
    lab = launch_web(make_lab, services=web(fail=fail))
    node = lab["fe5"]
    for name in ("fe6", "fe7"):
        lab[name].stop_serving()
    wait_until(lambda: node.ctl("services")["services"][0]["failed"], 10)
    state = "serving" if fail == "open" else "down"
    assert [member["state"] for member in node.group()["members"]] == [state] * 2
    assert node.group()["failed_services"] == [{"service": "web", "fail": fail}]
    assert f"no member is up; fail = {fail}" in node.droverctl("status").stdout
    assert f"0/2, fails {fail}" in node.droverctl("services").stdout
    assert f"service web: no member is up; fail = {fail}" in node.log()
    lab["fe7"].serve("80")
    wait_until(lambda: not node.ctl("services")["services"][0]["failed"], 10)
    assert node.member("fe6")["state"] == "down"
    assert set(lab.client.connect(VIP, 80, 20).by_member) == {"fe7"}


def test_floor(make_lab):
    """min_up members stay, whoever is down; the first to fall go first."""
    lab = launch_web(make_lab, ("fe5", "fe6", "fe7", "fe8"), services=web(min_up=2))
    node = lab["fe5"]
    for name in ("fe8", "fe6", "fe7"):
        lab[name].stop_serving()
        wait_until(lambda name=name: states(node, name)["web"]["state"] == "down", 10)
    assert [node.member(name)["state"] for name in ("fe6", "fe7", "fe8")] == [
        "serving", "serving", "down"]


def test_slow_start(make_lab):
    """Who comes back gets its weight in steps."""
    lab = launch_web(make_lab, services=web(slow_start=2))
    node = lab["fe5"]
    lab["fe6"].stop_serving()
    wait_member(node, "fe6", "down")
    lab["fe6"].serve("80")
    wait_member(node, "fe6", "serving")
    seen = set()

    def whole():
        seen.add(states(node)["web"]["percent"])
        return 100 in seen
    wait_until(whole, 10, "all of its weight")
    assert min(seen) <= 30 and len(seen) >= 5


def test_who_asks(make_lab):
    """All balancers of the group ask, active or not; a host that is none does not."""
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.configure(lab.group(balancers=["fe5", "fe6"], services=web()), checks=WEB_CHECK)
    lab.serve("80")
    lab.start()
    lab.activate("fe5")
    lab["fe7"].stop_serving()
    for name in ("fe5", "fe6"):
        wait_member(lab[name], "fe7", "down")
    assert lab["fe7"].member("fe7")["checks"] == []


def test_start_with_a_dead_member(make_lab):
    """A daemon that starts asks first: its first table is without those that are down."""
    lab = launch(make_lab, WEB_CHECK, web(), ("fe5", "fe6", "fe7"), election="always")
    lab["fe6"].serve("80")
    lab.start("fe5")
    assert lab["fe5"].member("fe7")["state"] == "down"
    assert lab["fe5"].ctl("status")["kernel"]["commits"] == 1


def test_reload(make_lab):
    """Probes that are still wanted go on, others end; so does what they had found."""
    lab = launch_web(make_lab)
    node = lab["fe5"]
    lab["fe6"].stop_serving()
    wait_member(node, "fe6", "down")
    since = states(node)["web"]["since_ms"]
    node.ctl("reload")
    assert node.member("fe6")["state"] == "down"
    assert states(node)["web"]["since_ms"] >= since
    lab.configure(lab.group(weights={"fe6": 100, "fe7": 100}, balancers=["fe5"],
                            services=web(check="icmp")), only=["fe5"])
    node.ctl("reload")
    wait_member(node, "fe6", "serving")
    assert states(node)["web"]["check"] == "icmp"


def test_metrics(make_lab):
    lab = launch_web(make_lab)
    node = lab["fe5"]
    lab["fe6"].stop_serving()
    wait_member(node, "fe6", "down")
    text = node.droverctl("metrics").stdout
    assert 'drover_check_up{group="A",service="web",member="fe6"} 0' in text
    assert 'drover_check_up{group="A",service="web",member="fe7"} 1' in text
    assert 'drover_member_state{group="A",member="fe6",state="down"} 1' in text
    assert 'drover_service_failed{group="A",service="web"} 0' in text
    assert "fe6, web: down for" in node.droverctl("members").stdout


def test_helper(make_lab):
    """drover-helper asks the members that it is told."""
    lab = make_lab(["fe5", "fe6", "fe7"], vips=[VIP])
    lab.serve("80")
    for node in lab:
        (node.directory / "vipaddrs").write_text(f"{VIP}\n")
        node.start_helper({"checks": WEB_CHECK, "groups": [{"name": "A", "services": web()}]})
        servers = " ".join(f"{lab.address(name)}:100" for name in lab.nodes)
        node.helper.tell(f"SERVERS {servers}")
    helper, node = lab["fe5"].helper, lab["fe5"]
    helper.tell("ACTIVE A")
    lab.wait_serving("fe5")
    lab["fe6"].stop_serving()
    wait_until(lambda: any(member["state"] == "down" for member in node.group()["members"]), 10)
    assert set(lab.client.connect(VIP, 80, 30).by_member) == {"fe5", "fe7"}
    helper.tell(f"SERVERS {lab.address('fe5')}:100 {lab.address('fe7')}:100")
    wait_until(lambda: all(member["state"] == "serving" for member in node.group()["members"]), 10)
