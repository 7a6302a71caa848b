"""Checks of real servers, in the clear and over TLS, by a VIP."""

import signal

import pytest

from lab import VIP, wait_until
from lab.servers import RealServer, Unavailable, unpacked
from test_checks import checks_of, services_of, states, wait_outcomes
from test_checks_tls import certificate

TLS = {"tls": True, "server_name": "www.example.com"}
STARTTLS = {"starttls": True, "server_name": "www.example.com"}
HTTP = {"path": "/health", "body": "well"}
MAIL = [("smtp", 25, {}), ("smtp", 25, STARTTLS), ("smtp", 465, TLS)]
CHECKS = {
    "exim": MAIL,
    "postfix": MAIL,
    "dovecot": [("imap", 143, {}), ("imap", 143, STARTTLS), ("imap", 993, TLS),
                ("pop3", 110, {}), ("pop3", 110, STARTTLS), ("pop3", 995, TLS)],
    "nginx": [("http", 80, HTTP), ("http", 443, HTTP | TLS)],
    "kamailio": [("sip", 5060, {}), ("sip", 5060, {"transport": "tcp"})],
}

# A check of another protocol, of the first port, and what that finds: two wait to be asked first.
WRONG = {
    "exim": ("pop3", "unexpected banner"),
    "postfix": ("pop3", "unexpected banner"),
    "dovecot": ("smtp", "unexpected banner"),
    "nginx": ("smtp", "timeout"),
    "kamailio": ("smtp", "timeout"),
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
    asked, wrong = WRONG[kind]
    checks.append((asked, checks[0][1], {"port": checks[0][1]} | pace))
    names = [f"s{number}" for number in range(len(checks))]
    # A SIP server has a socket for each address: one that it does not listen on is a fault.
    lab = make_lab(["fe5", "fe6"], vips=(VIP,))
    tls = certificate(lab["fe6"].directory)
    tls.chmod(0o644)
    lab.configure(lab.group(weights={"fe6": 100}, balancers=["fe5"],
                            services=services_of(*checks)), checks=checks_of(*checks))
    lab.start("fe5")
    lab["fe5"].ctl("activate")
    node, well = lab["fe5"], dict.fromkeys(names, "good") | {names[-1]: wrong}
    # By a VIP it is not seen that datagrams are refused.
    absent = dict.fromkeys(names, "refused") | ({"s0": "timeout"} if kind == "kamailio" else {})
    wait_outcomes(node, absent)
    server = RealServer(lab["fe6"], kind, tls, lab.address("fe6"), VIP)
    wait_until(lambda: all(states(node)[name]["state"] == "up" for name in names[:-1]), 20)
    wait_outcomes(node, well)

    server.signal(signal.SIGSTOP)
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    server.signal(signal.SIGCONT)
    wait_outcomes(node, well)

    lab["fe6"].ip("addr", "del", f"{VIP}/32", "dev", "lo")
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    wait_until(lambda: all(states(node)[name]["own_outcome"] == "good" for name in names[:-1]), 5)
    lab["fe6"].ip("addr", "add", f"{VIP}/32", "dev", "lo")
    wait_outcomes(node, well)

    server.end()
    wait_outcomes(node, absent)
