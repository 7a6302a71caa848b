"""Servers that answer as mail, web, SIP and DNS servers do, well or badly.

As a program: `answering.py MOOD ADDRESS OWN-ADDRESS KIND:PORT...`. It prints "ready" once it
listens on all. $ANSWERING_TLS is a file with key and certificate: what goes over TCP is secured,
or, if $ANSWERING_STARTTLS is set, those that greet in the clear are when they are asked to be.
"""

import asyncio
import os
import ssl
import sys

GREETINGS = {
    "smtp": {"well": b"220-fe ESMTP\r\n220 ready\r\n", "ill": b"554 go away\r\n"},
    "pop3": {"well": b"+OK ready\r\n", "ill": b"-ERR busy\r\n"},
    "imap": {"well": b"* OK ready\r\n", "ill": b"* BYE busy\r\n"},
    "tcp": {"well": b"", "ill": b""},
}

# How these are asked for TLS, their refusal and their go-ahead; a question then, and the answer.
SECURING = {
    "smtp": (b"STARTTLS\r\n", b"502 no\r\n", b"220 go ahead\r\n", b"EHLO [", b"250 fe\r\n"),
    "pop3": (b"STLS\r\n", b"-ERR no\r\n", b"+OK go ahead\r\n", b"QUIT", b"+OK bye\r\n"),
    "imap": (b"a STARTTLS\r\n", b"a BAD no\r\n", b"a OK go ahead\r\n", b"b LOGOUT",
             b"* BYE\r\nb OK bye\r\n"),
}


def http(request, mood, _):
    """/health is a page with a word in it, /empty one without; there are no others."""
    method, path = request.split(b" ")[:2]
    if b"Host: " not in request or mood == "ill":
        return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    if path not in (b"/health", b"/empty"):
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    body = b"all is healthy" if path == b"/health" and method == b"GET" else b""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def sip(request, mood, address):
    """Answers only what is routed to this very server; a farm would relay the rest."""
    lines = request.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    fine = lines[0] == f"OPTIONS sip:{address}:5060 SIP/2.0"
    fine &= headers.get("Route") == f"<sip:{address}:5060;lr>"
    status = "503 Busy" if mood == "ill" else "200 OK" if fine else "404 Not Here"
    copied = [f"{name}: {headers[name]}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status}", *copied, "Content-Length: 0", "", ""]).encode()


def dns(request, mood, _):
    return request[:2] + (b"\x81\x82" if mood == "ill" else b"\x81\x80") + request[4:]


def send(request, mood, _):
    return b"pong\n" if request == b"ping\n" and mood == "well" else b"what?\n"


ANSWERS = {"http": http, "sip": sip, "dns": dns, "send": send}


async def talk(kind, mood, address, reader, writer):
    try:
        await answer(kind, mood, address, reader, writer)
    except (ConnectionError, ssl.SSLError):
        pass  # a check may end with a reset, or refuse what it is told
    writer.close()


async def secure(kind, mood, reader, writer):
    """Goes on behind the greeting. Moods: well; "plain" cannot; two have somebody on the wire who
    answers in the clear what is asked later: "injecting" with the go-ahead, "late" when the
    handshake has begun. What is secured is then not answered."""
    request, refusal, go_ahead, question, answered = SECURING[kind]
    if kind == "smtp" and (await reader.readline()).startswith(b"EHLO ["):
        offer = b"HELP" if mood == "plain" else b"STARTTLS"
        writer.write(b"250-fe\r\n250-SIZE\r\n250 %s\r\n" % offer)
    if await reader.readline() != request or mood == "plain":
        writer.write(refusal)
        return
    writer.write(go_ahead + (answered if mood == "injecting" else b""))
    if mood == "late":
        await reader.read(1)
        writer.write(answered)
    await writer.start_tls(secured())
    if (await reader.readline()).startswith(question) and mood == "well":
        writer.write(answered)
    await reader.read(1000)


async def answer(kind, mood, address, reader, writer):
    if kind in GREETINGS:
        writer.write(GREETINGS[kind].get(mood, GREETINGS[kind]["well"]))
        if "ANSWERING_STARTTLS" in os.environ and kind in SECURING and mood != "ill":
            await secure(kind, mood, reader, writer)
        else:
            await reader.read(1000)
    else:
        request = await reader.read(65536)
        if request and kind == "dns":
            found = dns(request[2:], mood, address)
            writer.write(len(found).to_bytes(2, "big") + found)
        elif request:
            writer.write(ANSWERS[kind](request, mood, address))


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, kind, mood, address):
        self.answer = lambda request: ANSWERS[kind](request, mood, address)
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(self.answer(data), addr)


def secured():
    """The server's side of TLS; None without."""
    file = os.environ.get("ANSWERING_TLS")
    if not file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def serve(mood, address, itself, *ports):
    loop = asyncio.get_running_loop()
    for each in ports:
        kind, port = each.split(":")

        def accept(reader, writer, kind=kind):
            return talk(kind, mood, itself, reader, writer)
        at_once = None if "ANSWERING_STARTTLS" in os.environ else secured()
        await asyncio.start_server(accept, address, int(port), ssl=at_once)
        if kind in ANSWERS:
            await loop.create_datagram_endpoint(
                lambda kind=kind: Datagrams(kind, mood, itself), (address, int(port)))
    print("ready", flush=True)
    await loop.create_future()


class Server:
    """Such a server on an address of a host; end() it, or let the host do so.

    itself: the address by which a SIP server knows itself (default: the one it listens on).
    tls: a file of its key and certificate: what goes over TCP is secured. starttls: the same,
    secured when it is asked to be.
    """

    def __init__(self, host, address, *ports, mood="well", itself=None, tls=None, starttls=None):
        environment = ["env", f"ANSWERING_TLS={tls or starttls}"] if tls or starttls else []
        environment += ["ANSWERING_STARTTLS=1"] if starttls else []
        self.process = host.popen(*environment, "/usr/bin/python3", __file__, mood, address,
                                  itself or address, *ports, stdout=True)
        self.process.read_line(20, expected="ready")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.process.end()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
