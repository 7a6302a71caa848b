"""Metrics: what they say is what happened, and whoever asks for them over HTTP delays nobody."""

import json
import re
import socket
import time
import urllib.error
import urllib.request

import pytest

from lab import VIP, exposition, wait_until
from lab.programs import REPOSITORY
from lab.wait import patience

NODES = ["fe5", "fe6", "fe7"]
DNS = {"name": "dns", "protocol": "udp", "ports": "53"}
WEB = {"name": "web", "protocol": "tcp", "ports": "80"}
SIZE, HEADERS = 100, 20 + 8
LISTEN = "127.0.0.1:9748"
CONNECTIONS_MAX = 16


def launch(make_lab, services=None, **options):
    lab = make_lab(NODES)
    lab.launch(lab.group(services=services or [DNS, WEB]), tcp="80", udp="53,5353", **options)
    return lab


def metrics(node):
    done = node.droverctl("metrics")
    assert done.returncode == 0, done.stderr
    assert node.ctl("metrics").keys() == {"ok", "metrics"}
    return exposition.read(done.stdout)


def send(lab, port, count):
    answers = lab.client.datagrams(VIP, port, count, ports=count, first_port=20000, size=SIZE)
    assert not answers.failures and answers.total == count, answers
    return answers.by_member


def fetch(node, url=f"http://{LISTEN}/metrics", method="GET"):
    """(status, headers, text) of a request made on this host."""
    def ask():
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=patience(10)) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()
    return node.call(ask)


def scraped(node, url=f"http://{LISTEN}/metrics"):
    status, _, text = fetch(node, url)
    assert status == 200
    return exposition.read(text)


# --- they are right -----------------------------------------------------------------------

def test_counters_are_what_was_sent(make_lab):
    lab = launch(make_lab)
    node = lab["fe5"]
    answers = send(lab, 53, 90)
    said = metrics(node)
    assert said.by("drover_member_packets_total", "member") == answers
    assert said.by("drover_service_packets_total", "service") == {"dns": 90, "web": 0}
    assert said.value("drover_service_bytes_total", group="A",
                      service="dns") == 90 * (SIZE + HEADERS)
    assert sum(said.by("drover_member_bytes_total", "member").values()) == 90 * (SIZE + HEADERS)
    lab.client.connect(VIP, 80, 10, first_port=30000)
    more = metrics(node)
    assert more.value("drover_service_packets_total", group="A", service="web") >= 10 * 4
    assert all(value >= said.counters()[key] for key, value in more.counters().items())


def test_state_of_the_node(make_lab):
    lab = launch(make_lab, sync=True)
    node = lab["fe5"]
    node.ctl("weight", "fe6", 50)
    node.ctl("drain", "fe7")
    status, said = node.ctl("status"), metrics(node)
    assert said.value("drover_build_info", version=status["version"]) == 1
    assert said.value("drover_group_active", group="A") == 1
    assert said.value("drover_group_ready", group="A") == 1
    assert said.value("drover_buckets", group="A") == 4096
    assert said.value("drover_kernel_in_sync") == said.value("drover_interface_up") == 1
    assert said.value("drover_commits_total") == status["kernel"]["commits"]
    assert said.value("drover_overrides") == 2
    assert said.by("drover_member_weight", "member") == {"fe5": 100, "fe6": 50, "fe7": 100}
    assert sum(said.by("drover_member_buckets", "member").values()) == 4096
    assert said.by("drover_member_buckets", "member")["fe7"] == 0
    assert said.value("drover_member_state", group="A", member="fe7", state="draining") == 1
    assert said.value("drover_member_state", group="A", member="fe7", state="serving") == 0
    assert said.value("drover_sync_complete") == 1
    assert said.value("drover_sync_peer_state", peer="fe6", state="complete") == 1
    assert 0 <= said.value("drover_sync_peer_silence_seconds", peer="fe6") < 10
    assert 0 < said.value("process_cpu_seconds_total") < 60
    assert abs(said.value("process_start_time_seconds") - time.time()) < 300
    assert said.value("process_open_fds") > 5
    assert said.value("process_resident_memory_bytes") > 1e6
    standby = metrics(lab["fe6"])
    assert standby.value("drover_group_active", group="A") == 0
    assert standby.value("drover_group_ready", group="A") == 1


def test_flows_and_pins(make_lab):
    lab = launch(make_lab, sync=True)
    held = lab.client.hold(VIP, 80, 60)
    lab.wait_known(60)
    said = metrics(lab["fe5"])
    assert sum(said.by("drover_flows", "member").values()) == 60
    assert sum(said.by("drover_pins", "member").values()) == 0
    of_fe7 = said.by("drover_flows", "member")["fe7"]
    lab["fe5"].ctl("drain", "fe7")
    pins = metrics(lab["fe5"]).by("drover_pins", "member")
    assert pins["fe7"] == of_fe7
    assert pins == {entry["name"]: entry["pinned"]
                    for entry in lab["fe5"].ctl("flows")["members"]}
    assert not held.report()["failures"]


def test_refused_configuration(make_lab):
    lab = launch(make_lab)
    node = lab["fe5"]
    good = node.conf_path.read_text()
    node.write_conf_text(good + "colour = 1;\n")
    node.ctl("reload", exit_status=1)
    assert metrics(node).value("drover_config_last_reload_successful") == 0
    node.write_conf_text(good)
    node.ctl("reload")
    assert metrics(node).value("drover_config_last_reload_successful") == 1


# --- counters only grow, or begin anew -------------------------------------------------------

def test_counters_over_changes_and_restarts(make_lab):
    lab = launch(make_lab)
    node = lab["fe5"]
    send(lab, 53, 50)
    before = metrics(node)

    def grown():
        after = metrics(node)
        for name in ("drover_member_packets_total", "drover_service_packets_total"):
            for key, value in before.samples[name].items():
                if ("member", "fe7") not in key:
                    assert after.samples[name][key] >= value, (name, key)
        return after

    node.ctl("weight", "fe7", 10)
    grown()
    node.ctl("disable", "fe7")
    assert grown().value("drover_member_packets_total", group="A", member="fe7") is None
    lab.configure(lab.group(services=[DNS | {"scheduler": "random"}, WEB]))
    node.ctl("reload")
    grown()
    node.restart_droverd()
    lab.wait_serving("fe5", "fe5", "fe6")
    grown()
    node.ctl("enable", "fe7")
    assert grown().value("drover_member_packets_total", group="A", member="fe7") == 0


def test_counters_go_and_come_with_the_duty(make_lab):
    """A standby has no such series; a new duty begins at zero, so that no rate is too high."""
    lab = launch(make_lab)
    send(lab, 53, 50)
    lab["fe6"].ctl("activate")
    lab["fe5"].ctl("standby")
    wait_until(lambda: not lab["fe5"].is_forwarding(), 20, "fe5 forwarding no more")
    assert not metrics(lab["fe5"]).samples["drover_member_packets_total"]
    assert not metrics(lab["fe5"]).samples["drover_service_bytes_total"]
    send(lab, 53, 7)
    assert sum(metrics(lab["fe6"]).by("drover_member_packets_total", "member").values()) == 7
    lab["fe5"].ctl("activate")
    lab["fe6"].ctl("standby")
    lab.wait_serving("fe5")
    again = metrics(lab["fe5"]).by("drover_service_packets_total", "service")
    assert again["dns"] == 0
    lab["fe6"].kill_droverd()  # it would go on forwarding for some seconds


def test_a_port_may_take_its_count_along(make_lab):
    """droverctl(8) warns of it: nothing else makes a counter fall to less than it has counted."""
    game = {"name": "game", "protocol": "udp", "ports": "7000-7009"}
    lab = launch(make_lab, [DNS | {"ports": "53,5353"}, game])
    send(lab, 53, 10)
    send(lab, 5353, 20)
    lab.configure(lab.group(services=[DNS, game]))
    lab["fe5"].ctl("reload")
    said = metrics(lab["fe5"])
    assert said.by("drover_service_packets_total", "service") == {"dns": 10, "game": 0}
    assert sum(said.by("drover_member_packets_total", "member").values()) == 30


def test_counters_turned_off(make_lab):
    lab = launch(make_lab, counters=False)
    said = metrics(lab["fe5"])
    assert not said.samples["drover_member_packets_total"]
    assert said.by("drover_member_weight", "member").keys() == set(NODES)


# --- over HTTP -----------------------------------------------------------------------------

def listening(node):
    """Addresses of TCP sockets that listen on this host, but for the echo server's."""
    lines = node.run("ss", "-Htln").stdout.splitlines()
    return {line.split()[3] for line in lines} - {"0.0.0.0:80", "*:80", "[::]:80"}


def test_nobody_listens_unless_told_to(make_lab):
    lab = launch(make_lab)
    node = lab["fe5"]
    assert not listening(node)
    with open(f"/proc/{node.daemon.pid}/maps", encoding="utf-8") as maps:
        assert "microhttpd" not in maps.read()


def test_page(make_lab):
    lab = launch(make_lab, metrics={"listen": LISTEN})
    node = lab["fe5"]
    assert listening(node) == {LISTEN}
    answers = send(lab, 53, 30)
    status, headers, text = fetch(node)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert exposition.read(text).by("drover_member_packets_total", "member") == answers
    assert scraped(node).types == metrics(node).types
    status, headers, text = fetch(node, method="HEAD")
    assert status == 200 and text == "" and int(headers["Content-Length"]) > 1000
    assert fetch(node, f"http://{LISTEN}/metrics?x=1")[0] == 200
    assert fetch(node, f"http://{LISTEN}/")[0] == 404
    assert fetch(node, f"http://{LISTEN}/metrics/x")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = fetch(node, method=method)
        assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_ipv6_and_an_address_of_the_segment(make_lab):
    """fe5's daemon may do no more than under its unit."""
    lab = make_lab(["fe5", "fe6"])
    lab.configure(only=["fe5"], metrics={"listen": "[2001:db8:1::5]:9748"})
    lab.configure(only=["fe6"], metrics={"listen": "192.0.2.6:9748"})
    lab["fe5"].start_droverd(unprivileged=True)
    lab.start("fe6")
    for url in ("http://[2001:db8:1::5]:9748/metrics", "http://192.0.2.6:9748/metrics"):
        assert scraped(lab.client, url).value("drover_kernel_in_sync") == 1


def test_reload_opens_moves_and_closes(make_lab):
    lab = launch(make_lab)
    node = lab["fe5"]

    def reload(**top):
        lab.configure(lab.group(services=[DNS, WEB]), only=["fe5"], **top)
        node.ctl("reload")

    reload(metrics={"listen": LISTEN})
    assert listening(node) == {LISTEN}
    first = scraped(node)
    reload(metrics={"listen": "[::1]:9749"})
    assert listening(node) == {"[::1]:9749"}
    assert scraped(node, "http://[::1]:9749/metrics").types == first.types
    reload()
    assert not listening(node)


def test_a_port_that_is_taken_stops_nothing(make_lab):
    lab = make_lab(["fe5", "fe6"])
    node = lab["fe5"]
    taken = node.call(lambda: socket.create_server(("127.0.0.1", 9748)))
    lab.launch(metrics={"listen": LISTEN})
    assert "drover.conf:" in node.log()
    assert f"cannot listen on {LISTEN}: Address already in use" in node.log()
    assert metrics(node).value("drover_group_active", group="A") == 1
    taken.close()
    node.ctl("reload")
    assert scraped(node).value("drover_group_active", group="A") == 1


# --- clients that mean no good ----------------------------------------------------------------

def connect(node, words=b"", receive_buffer=None):
    """A connection that has said this much; it may be ended at any time."""
    def open_one():
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(patience(10))
        client.connect(("127.0.0.1", 9748))
        return client
    client = node.call(open_one)
    try:
        client.sendall(words)
    except OSError:
        pass
    return client


def open_descriptors(node):
    return int(metrics(node).value("process_open_fds"))


@pytest.fixture
def node(make_lab):
    return launch(make_lab, metrics={"listen": LISTEN})["fe5"]


HALF = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("words", [b"", b"GET /met", HALF, b"\x16\x03\x01\x02\x00" * 40],
                         ids=["silence", "half a line", "half a request", "TLS"])
def test_many_silent_clients_lock_nobody_out(node, words):
    scraped(node)
    before = open_descriptors(node)
    clients = [connect(node, words) for _ in range(100)]
    begin = time.monotonic()
    assert scraped(node).value("drover_kernel_in_sync") == 1
    assert node.ctl("status")["ok"]
    assert time.monotonic() - begin < patience(2)
    assert open_descriptors(node) <= before + CONNECTIONS_MAX + 2
    for client in clients:
        client.close()
    wait_until(lambda: open_descriptors(node) <= before, 10, "descriptors closed")


def test_silent_clients_are_ended(node):
    """After five seconds, or seven when the library rounds up: recv() waits for ten."""
    client = connect(node, HALF)
    assert b"200" not in client.recv(1000)
    client.close()


def test_a_client_that_does_not_read(node):
    clients = [connect(node, HALF + b"\r\n", receive_buffer=1) for _ in range(CONNECTIONS_MAX)]
    begin = time.monotonic()
    assert scraped(node).value("drover_kernel_in_sync") == 1
    assert node.ctl("status")["ok"] and time.monotonic() - begin < patience(2)
    for client in clients:
        client.close()


@pytest.mark.parametrize("words", [
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\n" * 1000 + b"\0" * 5000,
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100000,
    b"GET /metrics HTTP/9.9\r\n\r\n",
    (HALF + b"\r\n") * 1000,
], ids=["header", "path", "nonsense", "body", "version", "many at once"])
def test_strange_requests(node, words):
    client = connect(node, words)
    client.settimeout(patience(1))
    try:
        while client.recv(65536):
            pass
    except OSError:
        pass
    client.close()
    assert scraped(node).value("drover_kernel_in_sync") == 1


@pytest.mark.slow_with_sanitizers
def test_a_flood_costs_little(node):
    """However many ask, the page is made four times a second at most."""
    def cpu():
        return metrics(node).value("process_cpu_seconds_total")

    scraped(node)
    begin, used = time.monotonic(), cpu()
    while time.monotonic() - begin < 1:
        assert fetch(node)[0] == 200
    elapsed = time.monotonic() - begin
    assert cpu() - used < 0.7 * elapsed
    begin = time.monotonic()
    assert node.ctl("status")["ok"] and time.monotonic() - begin < patience(1)


# --- Grafana ------------------------------------------------------------------------------------

def expressions(value):
    """Every query of a dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("expr", "query", "definition") and isinstance(inner, str):
                yield inner
            yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def test_the_dashboard_uses_metrics_that_exist(make_lab):
    lab = launch(make_lab, sync=True)
    said = metrics(lab["fe5"])
    dashboard = json.loads((REPOSITORY / "contrib/grafana/drover.json").read_text())
    queries = list(expressions(dashboard))
    used = set(re.findall(r"\b(?:drover|process)_[a-z_]+", " ".join(queries)))
    assert len(queries) >= 10 and len(used) >= 15
    assert used <= set(said.types), used - set(said.types)
    labels = set(re.findall(r"\b(?:by|on) \(([a-z, ]+)\)", " ".join(queries)))
    known = {"instance", "job"} | {label for samples in said.samples.values()
                                   for key in samples for label, _ in key}
    assert {word for words in labels for word in words.split(", ")} <= known
    for query in queries:
        for name in re.findall(r"rate\((\w+)", query):
            assert said.types[name] == "counter", query
