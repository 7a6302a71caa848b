"""Checks of real servers: exim, dovecot and nginx, in the clear and over TLS, by a VIP."""

import signal

import pytest

from lab import VIP, wait_until
from lab.servers import RealServer, Unavailable, unpacked
from test_checks import checks_of, services_of, states, wait_outcomes
from test_checks_tls import certificate

TLS = {"tls": True, "server_name": "www.example.com"}
HTTP = {"path": "/health", "body": "well"}
CHECKS = {
    "exim": [("smtp", 25, {}), ("smtp", 465, TLS)],
    "dovecot": [("imap", 143, {}), ("imap", 993, TLS), ("pop3", 110, {}), ("pop3", 995, TLS)],
    "nginx": [("http", 80, HTTP), ("http", 443, HTTP | TLS)],
}


@pytest.mark.parametrize("kind", CHECKS)
def test_real_server(make_lab, kind):
    """Absent, up, hung, without its VIP, asked for what it is not, and killed."""
    try:
        unpacked()
    except Unavailable as error:
        pytest.skip(f"the packages of these servers cannot be fetched: {error}")
    pace = {"interval": 1, "timeout": 1, "probe": "vip"}
    checks = [(asked, port, {"port": port} | pace | more)
              for asked, port, more in CHECKS[kind]]
    checks.append(("pop3" if kind == "exim" else "smtp", checks[0][1],
                   {"port": checks[0][1]} | pace))
    names = [f"s{number}" for number in range(len(checks))]
    lab = make_lab(["fe5", "fe6"])
    tls = certificate(lab["fe6"].directory)
    tls.chmod(0o644)
    lab.configure(lab.group(weights={"fe6": 100}, balancers=["fe5"],
                            services=services_of(*checks)), checks=checks_of(*checks))
    lab.start("fe5")
    lab["fe5"].ctl("activate")
    node, wrong = lab["fe5"], {"nginx": "timeout"}.get(kind, "unexpected banner")
    wait_outcomes(node, dict.fromkeys(names, "refused"))
    server = RealServer(lab["fe6"], kind, tls)
    wait_until(lambda: all(states(node)[name]["state"] == "up" for name in names[:-1]), 20)
    wait_outcomes(node, dict.fromkeys(names, "good") | {names[-1]: wrong})

    server.signal(signal.SIGSTOP)
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    server.signal(signal.SIGCONT)
    wait_outcomes(node, dict.fromkeys(names, "good") | {names[-1]: wrong})

    lab["fe6"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    wait_until(lambda: all(states(node)[name]["own_outcome"] == "good" for name in names[:-1]), 5)
    lab["fe6"].ip("addr", "add", f"{VIP}/32", "dev", "lo")
    wait_outcomes(node, dict.fromkeys(names, "good") | {names[-1]: wrong})

    server.end()
    wait_outcomes(node, dict.fromkeys(names, "refused"))
