"""Real SIP: sipp, as a server on members and as a client."""

import re

OPTIONS = """<?xml version="1.0"?>
<scenario name="ping">
  <send><![CDATA[
OPTIONS sip:{target}:5060 SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Route: <sip:{target}:5060;lr>
From: <sip:balancer@[local_ip]>;tag=[call_number]
To: <sip:{target}>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" timeout="5000"/>
</scenario>
"""

# Says in an answer who it is, and which way the request came.
ANSWER = """<?xml version="1.0"?>
<scenario name="member">
  <recv request="OPTIONS"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag={name}
[last_Call-ID:]
[last_CSeq:]
Server: {name}
Content-Length: 0

]]></send>
</scenario>
"""


def _scenario(host, name, text):
    path = host.directory / name
    path.write_text(text)
    return path



class Server:
    """A SIP server of a member, on one of its addresses."""

    def __init__(self, host, address, scenario=None):
        self.host = host
        words = ["-sf", _scenario(host, f"{address}.xml", scenario)] if scenario else ["-sn", "uas"]
        self.messages = host.directory / f"{address}.messages"
        self.process = host.popen("sipp", "-nostdin", *words, "-i", address, "-p", "5060",
                                  "-trace_msg", "-message_file", self.messages,
                                  stderr=open(host.directory / "sipp.err", "w", encoding="utf-8"))

    def requests(self, method):
        """How many requests of a method it has received."""
        text = self.messages.read_text() if self.messages.exists() else ""
        return len(re.findall(rf"message received .*:\n\n{method} ", text))


def calls(host, target, count, *words):
    """Makes calls, each INVITE, ACK, BYE, to a server; raises unless all of them succeed."""
    return host.run("sipp", "-nostdin", "-sn", "uac", *words, "-m", count, "-r", 50, "-d", 50,
                    "-timeout", "20s", "-timeout_error", target, timeout=40)


def ping(host, target, address):
    """OPTIONS with a Route that names the server which is to answer by itself."""
    path = _scenario(host, "ping.xml", OPTIONS.format(target=target))
    messages = host.directory / "ping.messages"
    messages.unlink(missing_ok=True)
    host.run("sipp", "-nostdin", "-sf", path, "-i", address, "-m", 1, "-trace_msg",
             "-message_file", messages, "-timeout", "20s", "-timeout_error", f"{target}:5060",
             timeout=40)
    return re.findall(r"^Server: (\S+)", messages.read_text(), re.MULTILINE)
