# SPDX-License-Identifier: GPL-2.0-or-later
"""droverctl against a daemon of canned replies: what it sends, prints and exits with."""

import copy
import json
import os
import pty
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DROVER_BUILD") or REPOSITORY / "build/plain").resolve()
DROVERCTL = BUILD / "src/ctl/droverctl"


class FakeDaemon:
    """Answers each connection with the same bytes; None never answers."""

    def __init__(self, folder, answer):
        if isinstance(answer, (dict, list)):
            answer = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
        self.answer = answer
        self.path = folder / "control.sock"
        self.requests = []
        self.held = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        # A shutdown wakes the accept() of the thread; a close would not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for connection in self.held:
            connection.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            line = connection.makefile("rb").readline()
            self.requests.append(json.loads(line))
            if self.answer is None:
                self.held.append(connection)
                continue
            try:
                connection.sendall(self.answer)
            except OSError:
                pass
            connection.close()


def run(*arguments, environment=None, **options):
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    return subprocess.run(
        [str(DROVERCTL), *arguments], capture_output=True, text=True, timeout=60,
        env={**plain, **(environment or {})}, **options)


@pytest.fixture
def ask(tmp_path):
    """Runs one command against one answer; returns the finished process and the request."""
    def _ask(answer, *arguments, options=()):
        with FakeDaemon(tmp_path, answer) as daemon:
            done = run("-s", str(daemon.path), *options, *arguments)
        daemon.path.unlink()
        return done, daemon.requests[0] if daemon.requests else None
    return _ask


FE5 = {
    "name": "fe5", "address": "10.0.0.5", "mac": "02:00:00:00:00:05", "state": "serving",
    "weight": 100, "configured_weight": 100, "overridden": False, "local": True,
    "balancer": False, "buckets": 2048, "share": 0.5, "packets": 4299999, "bytes": 1234567890,
}
FE6 = {
    "name": "fe6", "address": "10.0.0.6", "mac": "02:00:00:00:00:06", "state": "serving",
    "weight": 50, "configured_weight": 100, "overridden": True, "local": False,
    "balancer": True, "buckets": 1024, "share": 0.25, "packets": 9999, "bytes": 10240,
}
FE7 = {
    "name": "fe7", "address": "10.0.0.7", "mac": None, "state": "unreachable",
    "weight": 50, "configured_weight": 50, "overridden": False, "local": False,
    "balancer": False, "buckets": 0, "share": 0.0, "packets": None, "bytes": None,
}
FE8 = {
    "name": "fe8", "address": "10.0.0.8", "mac": "02:00:00:00:00:08", "state": "draining",
    "weight": 100, "configured_weight": 100, "overridden": True, "local": False,
    "balancer": False, "buckets": 1024, "share": 0.25, "packets": 0, "bytes": 0,
}
STATUS = {
    "ok": True, "node": "fe5", "version": "0.1.0", "pid": 1234,
    "interface": {"name": "eth0", "present": True, "running": True, "mac": "02:00:00:00:00:05"},
    "election": "manual",
    "configuration": {"file": "/etc/drover/drover.conf", "errors": None},
    "kernel": {"in_sync": True, "error": None, "commits": 12, "repairs": 1,
               "last_commit_us": 840},
    "overrides": 2,
    "groups": [
        {"name": "A", "role": "active", "ready": True, "reason": None,
         "vips": ["64.173.55.164", "72.20.112.48/29"], "buckets": 4096,
         "members": [FE5, FE6, FE7, FE8]},
        {"name": "B", "role": "member", "ready": False, "reason": None,
         "vips": ["64.173.55.165"], "buckets": 4096, "members": []},
    ],
}


STATUS_TEXT = """\
node           fe5 (drover 0.1.0, pid 1234)
interface      eth0, running, MAC 02:00:00:00:00:05
election       manual
configuration  /etc/drover/drover.conf
overrides      2
kernel         in sync, commits 12 (last took 840 us), repairs 1

group A: active, ready, 4096 buckets
  VIPs 64.173.55.164, 72.20.112.48/29
  MEMBER  ADDRESS   MAC                STATE        WEIGHT  SHARE         PACKETS  BYTES  NOTES
  fe5     10.0.0.5  02:00:00:00:00:05  serving        100   50.0%  #####     4.2M   1.1G  local
  fe6     10.0.0.6  02:00:00:00:00:06  serving         50*  25.0%  ###       9999    10k  balancer
  fe7     10.0.0.7  -                  unreachable     50    0.0%               -      -
  fe8     10.0.0.8  02:00:00:00:00:08  draining*      100   25.0%  ###          0      0
  * set at run time (file: fe6 100, fe8 100); droverctl reload --reset returns to the file

group B: member, 4096 buckets
  VIPs 64.173.55.165
"""

TROUBLED_TEXT = """\
PROBLEM: the kernel is not in sync: set "vips": No space left on device (drover.conf:12)
PROBLEM: interface eth0 is missing
PROBLEM: configuration refused, the earlier one runs: drover.conf:3: unknown key "wieght"
PROBLEM: configuration refused, the earlier one runs: drover.conf:9: port 70000
PROBLEM: group A is not ready: no interface
PROBLEM: group B is not ready: fe7 is unreachable
node           fe5 (drover 0.1.0, pid 1234)
interface      eth0, missing, MAC -
election       manual
configuration  /etc/drover/drover.conf
overrides      0
kernel         not in sync, commits 12 (last took 840 us), repairs 1

group A: standby, not ready, 4096 buckets
  VIPs 64.173.55.164

group B: member, not ready, 4096 buckets
  VIPs -
"""

BARE_TEXT = """\
node           - (drover -, pid -)
interface      -, -, MAC -
election       -
configuration  -
overrides      -
kernel         -, commits - (last took - us), repairs -
"""


def troubled_status():
    status = copy.deepcopy(STATUS)
    status["interface"] = {"name": "eth0", "present": False, "running": False, "mac": None}
    status["configuration"]["errors"] = [
        'drover.conf:3: unknown key "wieght"', "drover.conf:9: port 70000"]
    status["kernel"].update(
        in_sync=False, error='set "vips": No space left on device (drover.conf:12)')
    status["overrides"] = 0
    status["groups"] = [
        {"name": "A", "role": "standby", "ready": False, "reason": "no interface",
         "vips": ["64.173.55.164"], "buckets": 4096, "members": []},
        {"name": "B", "role": "member", "ready": False, "reason": "fe7 is unreachable",
         "vips": [], "buckets": 4096, "members": []},
    ]
    return status


def test_status(ask):
    done, request = ask(STATUS, "status")
    assert done.stdout == STATUS_TEXT
    assert (done.stderr, done.returncode) == ("", 0)
    namespace = os.stat("/proc/self/ns/net")
    assert request == {"command": "status", "netns": f"{namespace.st_dev}:{namespace.st_ino}"}


def test_status_begins_with_problems(ask):
    done, _ = ask(troubled_status(), "status")
    assert done.stdout == TROUBLED_TEXT
    assert done.returncode == 0


def test_status_names_a_link_that_is_down(ask):
    status = copy.deepcopy(STATUS)
    status["interface"]["running"] = False
    done, _ = ask(status, "status")
    assert done.stdout.startswith("PROBLEM: interface eth0 is down\nnode ")
    assert "interface      eth0, down, MAC" in done.stdout


def test_status_of_nothing(ask):
    done, _ = ask({"ok": True}, "status")
    assert done.stdout == BARE_TEXT
    assert (done.stderr, done.returncode) == ("", 0)


def test_members(ask):
    members = [{"group": "A", **FE5}, {"group": "B", **FE7}]
    done, _ = ask({"ok": True, "members": members}, "members")
    assert done.stdout == """\
GROUP  MEMBER  ADDRESS   MAC                STATE        WEIGHT  SHARE         PACKETS  BYTES  NOTES
A      fe5     10.0.0.5  02:00:00:00:00:05  serving         100  50.0%  #####     4.2M   1.1G  local
B      fe7     10.0.0.7  -                  unreachable      50   0.0%               -      -
"""


def test_member_is_local_and_balancer(ask):
    done, _ = ask({"ok": True, "members": [{**FE5, "balancer": True}]}, "members")
    assert done.stdout.endswith("  local, balancer\n")


def test_members_none(ask):
    done, _ = ask({"ok": True, "members": []}, "members")
    assert done.stdout == "no members\n"


def test_services(ask):
    services = [
        {"group": "A", "name": "smtp", "protocol": "tcp", "ports": "25,465", "scheduler": "hash",
         "check": "smtp", "checked": 2, "up": 1, "failed": False, "fail": "open",
         "members": ["fe5", "fe6"]},
        {"group": "A", "name": "web", "protocol": "tcp", "ports": "80", "scheduler": "hash",
         "check": "web", "checked": 2, "up": 0, "failed": True, "fail": "closed",
         "members": ["fe5", "fe6"]},
        {"group": "A", "name": "rest", "protocol": "any", "ports": "", "scheduler": "source",
         "check": None, "members": ["fe5"], "packets": 1234567, "bytes": 4200},
    ]
    done, _ = ask({"ok": True, "services": services}, "services")
    assert done.stdout == """\
GROUP  SERVICE  PROTOCOL  PORTS   SCHEDULER  CHECK  UP                 PACKETS  BYTES  MEMBERS
A      smtp     tcp       25,465  hash       smtp   1/2                      -      -  fe5, fe6
A      web      tcp       80      hash       web    0/2, fails closed        -      -  fe5, fe6
A      rest     any       -       source     -      -                     1.2M   4200  fe5
"""


def test_rules_keep_their_layout(ask):
    rules = "table netdev drover {\n\tchain c {\n\t}\n}\n"
    done, _ = ask({"ok": True, "rules": rules}, "rules")
    assert done.stdout == rules


EXPLAINED = {
    "ok": True, "protocol": "tcp", "client": "198.51.100.7:40001", "vip": "64.173.55.164:25",
    "group": "A", "service": "smtp", "scheduler": "hash", "bucket": 1234, "member": "fe6",
    "mac": "02:00:00:00:00:06", "verdict": "forward", "reason": "bucket 1234 belongs to fe6",
}


def test_explain(ask):
    done, request = ask(
        EXPLAINED, "explain", "tcp", "198.51.100.7:40001", "64.173.55.164:25")
    assert done.stdout == """\
tcp 198.51.100.7:40001 -> 64.173.55.164:25
  group     A
  service   smtp (hash)
  bucket    1234
  member    fe6 (02:00:00:00:00:06)
  verdict   forward
  reason    bucket 1234 belongs to fe6
"""
    del request["netns"]
    assert request == {"command": "explain", "protocol": "tcp", "client": "198.51.100.7:40001",
                       "vip": "64.173.55.164:25"}


def test_explain_without(ask):
    nobody = {"group": "A", "service": None, "scheduler": None, "bucket": None, "member": None,
              "mac": None, "verdict": "accept", "reason": "no service has this port"}
    done, request = ask({**EXPLAINED, "without": nobody}, "explain", "udp", "--without", "fe6",
                        "[2001:db8::7]:1", "[2001:db8::1]:65535")
    assert done.stdout.endswith("""\
without fe6
  group     A
  service   -
  bucket    -
  member    -
  verdict   accept
  reason    no service has this port
""")
    del request["netns"]
    assert request == {"command": "explain", "protocol": "udp", "client": "[2001:db8::7]:1",
                       "vip": "[2001:db8::1]:65535", "without": "fe6"}


def test_ready(ask):
    groups = [{"name": "A", "ready": True, "reason": None}]
    done, _ = ask({"ok": True, "ready": True, "groups": groups}, "ready")
    assert done.stdout == "ready\nGROUP  READY\nA      yes\n"
    assert done.returncode == 0


def test_not_ready(ask):
    groups = [{"name": "A", "ready": True, "reason": None},
              {"name": "B", "ready": False, "reason": "interface eth0 is down"}]
    done, _ = ask({"ok": True, "ready": False, "groups": groups}, "ready")
    assert done.stdout == """\
not ready
GROUP  READY  REASON
A      yes
B      no     interface eth0 is down
"""
    assert done.returncode == 1


def test_ready_must_be_said(ask):
    done, _ = ask({"ok": True}, "ready")
    assert (done.stdout, done.returncode) == ("not ready\n", 1)
    done, _ = ask({"ok": True}, "ready", options=["-j"])
    assert done.returncode == 1


@pytest.mark.parametrize("arguments, request_rest, reply, text", [
    (["activate"], {}, {"groups": [{"name": "A", "role": "active", "changed": True},
                                   {"name": "B", "role": "active", "changed": False}]},
     "group A is now active\ngroup B was already active\n"),
    (["standby", "B"], {"group": "B"},
     {"groups": [{"name": "B", "role": "standby", "changed": True}]},
     "group B is now standby\n"),
    (["standby", "--force"], {"force": True},
     {"groups": [{"name": "A", "role": "standby", "changed": True}]},
     "group A is now standby\n"),
    (["standby", "B", "--force"], {"group": "B", "force": True},
     {"groups": [{"name": "B", "role": "standby", "changed": True}]},
     "group B is now standby\n"),
    (["drain", "fe6"], {"member": "fe6"},
     {"member": "fe6", "state": "draining", "weight": 100}, "fe6 is draining, weight 100\n"),
    (["enable", "fe6"], {"member": "fe6"},
     {"member": "fe6", "state": "serving", "weight": 100}, "fe6 is serving, weight 100\n"),
    (["disable", "fe6"], {"member": "fe6"},
     {"member": "fe6", "state": "disabled", "weight": 100}, "fe6 is disabled, weight 100\n"),
    (["weight", "fe6", "50"], {"member": "fe6", "weight": 50},
     {"member": "fe6", "state": "serving", "weight": 50}, "fe6 is serving, weight 50\n"),
    (["reload"], {"reset": False}, {"changed": True, "overrides": 2},
     "reloaded\n2 set at run time and kept; droverctl reload --reset returns to the file\n"),
    (["reload", "--reset"], {"reset": True}, {"changed": False, "overrides": 0},
     "reloaded, nothing changed\n"),
])
def test_steering(ask, arguments, request_rest, reply, text):
    done, request = ask({"ok": True, **reply}, *arguments)
    assert (done.stdout, done.stderr, done.returncode) == (text, "", 0)
    del request["netns"]
    assert request == {"command": arguments[0], **request_rest}


def test_refusal(ask):
    done, _ = ask({"ok": False, "error": 'no member "fe9"'}, "drain", "fe9")
    assert (done.stdout, done.stderr) == ("", 'droverctl: drain: no member "fe9"\n')
    assert done.returncode == 1


def test_reload_refused(ask):
    reply = {"ok": False, "error": "the configuration has 2 errors; the earlier one runs on",
             "errors": ["drover.conf:3: a", "drover.conf:9: b"]}
    done, _ = ask(reply, "reload")
    assert done.stdout == ""
    assert done.stderr == """\
droverctl: reload: the configuration has 2 errors; the earlier one runs on
  drover.conf:3: a
  drover.conf:9: b
"""
    assert done.returncode == 1


def test_refusal_without_a_reason(ask):
    done, _ = ask({"ok": False}, "status")
    assert done.stderr == \
        "droverctl: status: refused by the daemon, which gave no reason\n"
    assert done.returncode == 1


def test_json_is_the_reply_in_the_daemons_order(ask):
    done, _ = ask(STATUS, "status", options=["-j"])
    assert done.stdout == json.dumps(STATUS, indent=2) + "\n"
    assert (done.stderr, done.returncode) == ("", 0)


def test_json_of_a_refusal(ask):
    done, _ = ask({"ok": False, "error": "no"}, "drain", "fe9", options=["--json"])
    assert done.stdout == '{\n  "ok": false,\n  "error": "no"\n}\n'
    assert (done.stderr, done.returncode) == ("", 1)


def test_json_numbers_and_controls(ask):
    done, _ = ask({"ok": True, "share": 0.1, "name": "\u009b31m\u001b"}, "status",
                  options=["-j"])
    assert done.stdout == \
        '{\n  "ok": true,\n  "share": 0.1,\n  "name": "\\u009B31m\\u001B"\n}\n'


EVIL = "\u001b[31mx\u009b\n\u007f"
ESCAPED = r"\x1b[31mx\u009b\n\x7f"


def test_control_characters_are_escaped(ask):
    member = {**FE5, "group": EVIL, "name": EVIL, "address": EVIL, "mac": EVIL, "state": EVIL}
    group = {"name": EVIL, "role": EVIL, "ready": False, "reason": EVIL, "vips": [EVIL],
             "members": [member]}
    replies = {
        "status": {"node": EVIL, "groups": [group], "kernel": {"error": EVIL},
                   "configuration": {"file": EVIL, "errors": [EVIL]}},
        "members": {"members": [member]},
        "services": {"services": [{"name": EVIL, "members": [EVIL]}]},
        "rules": {"rules": EVIL.replace("\n", "")},
        "ready": {"ready": False, "groups": [group]},
        "activate": {"groups": [group]},
    }
    for command, reply in replies.items():
        done, _ = ask({"ok": True, **reply}, command)
        assert ESCAPED.replace(r"\n", "" if command == "rules" else r"\n") in done.stdout
        assert not set(done.stdout) & {"\u001b", "\u009b", "\u007f"}, command
    done, _ = ask({"ok": False, "error": EVIL, "errors": [EVIL]}, "reload")
    assert done.stderr == f"droverctl: reload: {ESCAPED}\n  {ESCAPED}\n"


WRONG = [None, True, -7, 1e300, "text", [], [None, 3, "x", {}], {}, {"name": 4, "members": 5}]


@pytest.mark.parametrize("command", [
    "status", "members", "services", "rules", "activate", "ready", "reload"])
def test_fields_of_the_wrong_type(ask, command):
    keys = ["node", "interface", "configuration", "kernel", "groups", "members", "services",
            "rules", "overrides", "changed", "pid"]
    for wrong in WRONG:
        done, _ = ask({"ok": True, **{key: wrong for key in keys}}, command)
        assert done.returncode == (1 if command == "ready" else 0), (wrong, done.stderr)
        group = {key: wrong for key in ["name", "role", "ready", "reason", "vips", "buckets"]}
        group["members"] = [{key: wrong for key in FE5}, wrong]
        done, _ = ask({"ok": True, "groups": [group, wrong], "members": group["members"],
                       "services": [group]}, command)
        assert done.returncode == (1 if command == "ready" else 0), (wrong, done.stderr)


@pytest.mark.parametrize("arguments, message", [
    (["drain"], "drain: argument missing"),
    (["drain", ""], "drain: the member is empty"),
    (["drain", b"fe\xff"], "drain: the member is not UTF-8 text"),
    (["drain", "a", "b"], 'drain: unexpected argument "b"'),
    (["status", "-j"], 'status: unexpected argument "-j"'),
    (["activate", "A", "B"], 'activate: unexpected argument "B"'),
    (["reload", "--rest"], 'reload: unexpected argument "--rest"'),
    (["weight", "fe5"], "weight: argument missing"),
    (["weight", "fe5", "65536"], 'weight: weight "65536" is not a number from 0 to 65535'),
    (["weight", "fe5", "-1"], 'weight: weight "-1" is not a number from 0 to 65535'),
    (["weight", "fe5", ""], 'weight: weight "" is not a number from 0 to 65535'),
    (["weight", "fe5", "5x"], 'weight: weight "5x" is not a number from 0 to 65535'),
    (["explain", "tcp", "1.2.3.4:5"], "explain: argument missing"),
    (["explain", "sctp", "1.2.3.4:5", "1.2.3.4:5"],
     'explain: protocol "sctp" is neither tcp nor udp'),
    (["explain", "tcp", "1.2.3.4:5", "1.2.3.4:5", "--without"],
     "explain: --without needs a member"),
    (["explain", "tcp", "--without", "a", "--without", "b"], "explain: --without is given twice"),
    (["vips"], "vips: argument missing"),
    (["vips", "on"], 'vips: "on" is neither up, down nor show'),
    (["vips", "up", "eth0"], 'vips: unexpected argument "eth0"'),
    (["vips", "up", "-f"], "vips: -f needs a file"),
    (["vips", "up", "-i", ""], "vips: the interface is empty"),
    (["vips", "-i", "a", "show", "-i", "b"], "vips: -i is given twice"),
    (["vips", "up", "-c", "drover.conf"], "vips: -c is for show alone"),
] + [
    (["explain", "tcp", bad, "1.2.3.4:5"],
     f'explain: client "{bad}" is not ADDRESS:PORT with a port from 1 to 65535')
    for bad in ["", ":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3:5",
                "1.2.3.4:5 ", "2001:db8::1:5", "[1.2.3.4]:5", "[2001:db8::1]", "[]:5", "[:5",
                "]:5", "host:5", "1" * 200 + ":5"]
])
def test_usage_errors(arguments, message):
    done = run(*arguments)
    assert done.stdout == ""
    assert done.stderr.startswith(f"droverctl: {message}\nUsage: droverctl [-s SOCKET] [-j] ")
    assert done.returncode == 2


ALL = "status members services flows rules metrics watch explain activate standby drain enable " \
      "disable weight reload ready vips keygen import"


@pytest.mark.parametrize("name, message", [
    ("bogus", f'unknown command "bogus"; valid commands: {ALL}'),
    ("", f'unknown command ""; valid commands: {ALL}'),
    ("statuses", f'unknown command "statuses"; valid commands: {ALL}'),
    ("re", 'ambiguous command "re"; it could be: reload ready'),
    ("s\u001b", f'unknown command "s\\x1b"; valid commands: {ALL}'),
])
def test_unknown_commands(name, message):
    done = run(name)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"droverctl: {message}\n", 2)


def test_beginning_of_a_command_is_enough(ask):
    done, request = ask({"ok": True, "rules": ""}, "ru")
    assert done.returncode == 0
    assert request["command"] == "rules"


def test_help_and_version():
    done = run("-h")
    assert done.returncode == 0
    for name in ALL.split():
        assert f"\n  {name} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 90
    assert run("--help").stdout == done.stdout
    version = run("-V")
    assert (version.stdout[:12], version.returncode) == ("droverctl 0.", 0)
    bare = run()
    assert (bare.stdout, bare.stderr, bare.returncode) == ("", done.stdout, 2)
    assert run("-x").returncode == 2
    assert run("-s").returncode == 2


def unreachable(path, reason):
    return f"droverctl: cannot ask the daemon at {path}: {reason}\n"


def test_no_daemon(tmp_path):
    path = tmp_path / "control.sock"
    done = run("-s", str(path), "status")
    assert done.stderr == unreachable(path, "it is not running (there is no such socket)")
    assert (done.stdout, done.returncode) == ("", 3)


def test_daemon_died(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    done = run("-s", str(path), "-j", "status")
    assert done.stderr == unreachable(path, "it is not running (nobody listens on the socket)")
    assert (done.stdout, done.returncode) == ("", 3)


def test_no_permission():
    # Root may connect to anything, so somebody else tries, with a copy that he can reach.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        binary = shutil.copy(DROVERCTL, folder)
        with FakeDaemon(folder, STATUS) as daemon:
            daemon.path.chmod(0)
            options = {"user": 65534, "group": 65534, "extra_groups": []}
            done = subprocess.run(
                [binary, "-s", daemon.path, "status"], capture_output=True, text=True,
                timeout=60, cwd="/", **(options if os.getuid() == 0 else {}))
    assert done.stderr == unreachable(
        daemon.path, "permission denied (who may write to the socket may connect)")
    assert (done.stdout, done.returncode) == ("", 3)


@pytest.mark.parametrize("garbage", [
    b"garbage\n", b"[1, 2]\n", b"{\"ok\": true\n", b"\xff\xfe\n", b"\n", b"null\n", b"{}\n"])
def test_garbage(ask, tmp_path, garbage):
    done, _ = ask(garbage, "status")
    assert done.stderr == unreachable(
        tmp_path / "control.sock", "its answer is not understood")
    assert (done.stdout, done.returncode) == ("", 3)


def test_daemon_hangs_up(ask, tmp_path):
    done, _ = ask(b"", "status")
    assert done.stderr == unreachable(
        tmp_path / "control.sock", "it closed the connection without an answer")
    assert (done.stdout, done.returncode) == ("", 3)


def test_daemon_hangs(ask, tmp_path):
    done, _ = ask(None, "ready")
    assert done.stderr == unreachable(
        tmp_path / "control.sock", "it does not answer (timed out)")
    assert (done.stdout, done.returncode) == ("", 3)


def test_long_reply(ask):
    members = [{"group": "A", **FE5, "name": f"m{i}"} for i in range(5000)]
    done, _ = ask({"ok": True, "members": members}, "members")
    assert len(done.stdout.splitlines()) == 5001


def test_full_disk(ask, tmp_path):
    with FakeDaemon(tmp_path, STATUS) as daemon, open("/dev/full", "w") as full:
        done = subprocess.run([str(DROVERCTL), "-s", str(daemon.path), "status"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.stderr, done.returncode) == ("droverctl: cannot write the answer\n", 1)


def run_on_terminal(path, environment):
    master, slave = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    with subprocess.Popen([str(DROVERCTL), "-s", str(path), "status"], stdout=slave,
                          env={**plain, "TERM": "xterm", **environment}) as process:
        os.close(slave)
        output = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
            output += chunk
        assert process.wait(60) == 0
    os.close(master)
    return output.decode().replace("\r\n", "\n")


def test_colours_on_a_terminal_only(tmp_path):
    with FakeDaemon(tmp_path, STATUS) as daemon:
        coloured = run_on_terminal(daemon.path, {})
        assert "  \033[32mserving\033[0m      " in coloured
        assert "  \033[33mdraining*\033[0m " in coloured
        assert "  \033[31munreachable\033[0m " in coloured
        for sequence in ["\033[31m", "\033[32m", "\033[33m", "\033[0m"]:
            coloured = coloured.replace(sequence, "")
        assert coloured == STATUS_TEXT
        assert run_on_terminal(daemon.path, {"NO_COLOR": "1"}) == STATUS_TEXT
        assert run_on_terminal(daemon.path, {"TERM": "dumb"}) == STATUS_TEXT


COMPLETE = """\
source {script}
PATH={folder}:$PATH
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_droverctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("words, expected", [
    (["re"], ["reload", "ready"]),
    (["--v"], ["--version"]),
    (["drain", ""], ["fe5", "fe6"]),
    (["weight", "fe6"], ["fe6"]),
    (["weight", "fe6", ""], []),
    (["activate", ""], ["A", "B"]),
    (["standby", ""], ["A", "B", "--force"]),
    (["standby", "A", "-"], ["--force"]),
    (["reload", "-"], ["--reset"]),
    (["explain", "t"], ["tcp"]),
    (["import", "b"], ["bigip"]),
    (["import", "bigip", "/x", "--n"], ["--node"]),
    (["explain", "tcp", "1.2.3.4", ":", "5", "--w"], ["--without"]),
    (["explain", "tcp", "--without", "fe"], ["fe5", "fe6"]),
    (["vips", ""], ["up", "down", "show"]),
    (["vips", "show", ""], ["-f", "-i", "-c"]),
    (["vips", "up", "-i", "l"], ["lo"]),
    (["vips", "up", "-f", "/etc/hostn"], ["/etc/hostname"]),
    (["watch", "--i"], ["--interval"]),
    (["watch", "--interval", ""], []),
    (["watch", "--interval", "2", ""], ["--interval", "--count"]),
    (["status", ""], []),
])
def test_completion(tmp_path, words, expected):
    members = [{"group": "A", **FE5}, {"group": "A", **FE6}, {"group": "B", **FE6},
               {"group": "$(reboot)", **FE6, "name": "`reboot`"}]
    script = REPOSITORY / "contrib/completion/droverctl"
    with FakeDaemon(tmp_path, {"ok": True, "members": members}) as daemon:
        done = subprocess.run(
            ["bash", "-c", COMPLETE.format(script=script, folder=DROVERCTL.parent), "bash",
             "droverctl", "-s", str(daemon.path), *words],
            capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (expected, "")
