"""Checks over TLS."""

import signal
import subprocess

import pytest

from lab import wait_until
from lab.answering import Server
from test_checks import checks_of, launch, services_of, states, wait_outcomes

GREETING = [("smtp", 25), ("pop3", 110), ("imap", 143)]


def certificate(folder, name="www.example.com"):
    """A file with a key, and a certificate that nobody but itself has signed."""
    path = folder / "tls.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", path, "-out", folder / "crt.pem"], check=True, capture_output=True)
    with open(path, "a", encoding="ascii") as file:
        file.write((folder / "crt.pem").read_text())
    return path


def test_dialogues(make_lab, tmp_path):
    """Every type that goes over TCP, secured; and servers that are ill, hung, or not secured."""
    kinds = [("smtp", 465, {}), ("pop3", 995, {}), ("imap", 993, {}), ("http", 443, {
        "path": "/health", "body": "healthy"}), ("sip", 5061, {"transport": "tcp"}),
             ("dns", 853, {"transport": "tcp"}), ("send", 7, {"send": "ping\n", "expect": "pong"}),
             ("tcp", 9, {})]
    ports = [f"{kind}:{port}" for kind, port, _ in kinds]
    checks = [(kind, port, {"tls": True, "port": port, "server_name": "www"} | more)
              for kind, port, more in kinds]
    names = [f"s{number}" for number in range(len(kinds))]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    lab.start("fe5")
    node, file = lab["fe5"], certificate(tmp_path)
    server = Server(lab["fe6"], lab.address("fe6"), *ports, tls=file)
    sip = names[4]  # it knows itself by another port
    wait_outcomes(node, dict.fromkeys(names, "good") | {sip: "unexpected status"})
    server.signal(signal.SIGSTOP)
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    server.signal(signal.SIGCONT)
    server.end()
    Server(lab["fe6"], lab.address("fe6"), *ports, mood="ill")
    # Who waits for a request hears what is none: whether that fails, or hangs, is the server's.
    wait_until(lambda: states(node)["s0"]["outcome"] == "TLS failed", 10)
    wait_until(lambda: all(states(node)[name]["state"] == "down" for name in names), 10)


def test_verified(make_lab, tmp_path):
    """A certificate that no authority has signed."""
    checks = [("http", 443, {"tls": True, "port": 443, "path": "/health", "verify": True,
                             "server_name": "www.example.com"})]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    Server(lab["fe6"], lab.address("fe6"), "http:443", tls=certificate(tmp_path))
    lab.start("fe5")
    wait_outcomes(lab["fe5"], {"s0": "TLS failed"})
    assert "NOT trusted" in states(lab["fe5"])["s0"]["detail"]


# --- after a greeting in the clear ----------------------------------------------------------

def launch_starttls(make_lab, *others, **settings):
    checks = [(kind, port, {"starttls": True, "port": port} | settings) for kind, port in GREETING]
    checks += [(kind, port, {"port": port} | more) for kind, port, more in others]
    lab = launch(make_lab, checks_of(*checks), services_of(*checks))
    return lab, [f"s{number}" for number in range(len(GREETING))]


def serve_starttls(lab, file, mood="well"):
    ports = [f"{kind}:{port}" for kind, port in GREETING]
    return Server(lab["fe6"], lab.address("fe6"), *ports, mood=mood, starttls=file)


def test_starttls(make_lab, tmp_path):
    """Secured on request; and servers that are absent, hung, and ill."""
    lab, names = launch_starttls(make_lab, server_name="www.example.com")
    node, file = lab["fe5"], certificate(tmp_path)
    lab.start("fe5")
    wait_outcomes(node, dict.fromkeys(names, "refused"))
    server = serve_starttls(lab, file)
    wait_outcomes(node, dict.fromkeys(names, "good"))
    server.signal(signal.SIGSTOP)
    wait_outcomes(node, dict.fromkeys(names, "timeout"))
    server.signal(signal.SIGCONT)
    server.end()
    serve_starttls(lab, file, "ill")
    wait_outcomes(node, dict.fromkeys(names, "unexpected banner"))


def test_starttls_not_offered(make_lab, tmp_path):
    """Servers that are well but for that; what asks for nothing more finds them well."""
    lab, names = launch_starttls(make_lab, ("smtp", 25, {}))
    serve_starttls(lab, certificate(tmp_path), "plain")
    lab.start("fe5")
    wait_outcomes(lab["fe5"], dict.fromkeys(names, "STARTTLS refused") | {"s3": "good"})
    details = [states(lab["fe5"])[name]["detail"] for name in names]
    assert details == ["not offered", "-ERR no", "a BAD no"]
    assert "is down: STARTTLS refused, not offered after" in lab["fe5"].log()


@pytest.mark.parametrize("mood, detail", [("injecting", "text in the clear behind the go-ahead"),
                                          ("late", "An unexpected TLS packet was received.")])
def test_answers_in_the_clear(make_lab, tmp_path, mood, detail):
    """What somebody on the wire says behind the go-ahead is not taken for what came secured."""
    lab, names = launch_starttls(make_lab)
    serve_starttls(lab, certificate(tmp_path), mood)
    lab.start("fe5")
    wait_outcomes(lab["fe5"], dict.fromkeys(names, "TLS failed"))
    assert {states(lab["fe5"])[name]["detail"] for name in names} == {detail}


def test_starttls_verified(make_lab, tmp_path):
    """A certificate that no authority has signed."""
    lab, names = launch_starttls(make_lab, verify=True, server_name="www.example.com")
    serve_starttls(lab, certificate(tmp_path))
    lab.start("fe5")
    wait_outcomes(lab["fe5"], dict.fromkeys(names, "TLS failed"))
    assert all("NOT trusted" in states(lab["fe5"])[name]["detail"] for name in names)
