"""Checks over TLS."""

import signal
import subprocess

from lab import wait_until
from lab.answering import Server
from test_checks import checks_of, launch, services_of, states, wait_outcomes


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
