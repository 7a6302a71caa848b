"""Real servers of Debian's, unpacked below build/servers, and never installed.

Each runs in a mount namespace of its own, where the packages lie over /usr, and where the users
that their installation would have made exist.
"""

import fcntl
import os
import shutil
import signal
import subprocess
from typing import NamedTuple

from .programs import REPOSITORY
from .wait import wait_until

PACKAGES = ["nginx", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "exim4-daemon-light",
            "postfix", "kamailio", "libidn12", "libpcre3"]
TREE = REPOSITORY / "build/servers"
USERS = ["Debian-exim", "dovecot", "dovenull", "postfix", "postdrop"]
FIRST_ID = 64100  # of these; postfix shares its own with nobody

NGINX = """daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/log;
events {{}}
http {{
    access_log off;
    server {{
        listen 80;
        listen 443 ssl;
        ssl_certificate {tls};
        ssl_certificate_key {tls};
        location = /health {{ return 200 "I am well\\n"; }}
    }}
}}
"""

DOVECOT = """base_dir = {work}/run
state_dir = {work}/run
log_path = {work}/log
protocols = imap pop3
ssl = yes
ssl_cert = <{tls}
ssl_key = <{tls}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={work}
}}
"""

EXIM = """primary_hostname = mail.example.com
spool_directory = {work}
log_file_path = {work}/%slog
pid_file_path = {work}/pid
daemon_smtp_ports = 25 : 465
tls_on_connect_ports = 465
tls_advertise_hosts = *
tls_certificate = {tls}
begin acl
begin routers
begin transports
"""

# OpenSMTPD of Debian 12 runs, too, but all its handshakes fail ("EVP lib"): it is older than
# OpenSSL 3, with which it was built.
POSTFIX = """compatibility_level = 3.6
queue_directory = {work}/run
data_directory = {work}/run/data
daemon_directory = /usr/lib/postfix/sbin
myhostname = mail.example.com
mydestination =
inet_interfaces = all
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_chain_files = {tls}
"""

POSTFIX_MASTER = """25 inet n - n - - smtpd
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
"""

POSTFIX_FOLDERS = """cd {work}/run
mkdir pid private public data
chown postfix private public data
"""

# Answers what is for itself, and would have nowhere to relay the rest to.
KAMAILIO = """#!KAMAILIO
children=1
tcp_children=1
auto_aliases=no
listen=udp:{address}:5060
listen=tcp:{address}:5060
listen=udp:{vip}:5060
listen=tcp:{vip}:5060
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {{
    loose_route();
    if (is_method("OPTIONS") && uri == myself) {{
        options_reply();
        exit;
    }}
    sl_send_reply("404", "Not Here");
}}
"""


class Kind(NamedTuple):
    """Files of a server's folder, what starts it, and what is to be done before."""

    files: dict
    command: str
    prepare: str = ""


KINDS = {
    "nginx": Kind({"conf": NGINX}, "nginx -e {work}/log -p {work} -c {work}/conf"),
    "dovecot": Kind({"conf": DOVECOT}, "dovecot -F -c {work}/conf"),
    "exim": Kind({"conf": EXIM}, "exim4 -C {work}/conf -bdf"),
    "postfix": Kind({"main.cf": POSTFIX, "master.cf": POSTFIX_MASTER},
                    "/usr/lib/postfix/sbin/master -c {work} -d", POSTFIX_FOLDERS),
    "kamailio": Kind({"conf": KAMAILIO}, "kamailio -f {work}/conf -DD -Y {work}/run -m 32 -M 4"),
}

START = """set -e
mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/nginx
for file in passwd group; do mount --bind {work}/$file /etc/$file; done
{prepare}exec {command}
"""


def _unpack():
    shutil.rmtree(TREE, ignore_errors=True)
    (TREE / "archives").mkdir(parents=True)
    os.chmod(TREE / "archives", 0o777)
    done = subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=TREE / "archives",
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(done.stderr)
    for archive in (TREE / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, TREE], check=True)
    (TREE / "complete").write_text(" ".join(PACKAGES))


def unpacked():
    """The packages, fetched when first needed; they are not installed, and start nothing."""
    TREE.parent.mkdir(exist_ok=True)
    with open(TREE.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = TREE / "complete"
        if not complete.exists() or complete.read_text() != " ".join(PACKAGES):
            _unpack()
    return TREE


class Unavailable(Exception):
    """apt-get could not fetch the packages."""


def _signal(pid, number):
    """Some serve one connection, and may have ended since they were found."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class RealServer:
    """One of KINDS on a host's own address and on a VIP; tls: a file of key and certificate."""

    def __init__(self, host, kind, tls, address, vip):
        self.host = host
        work = host.directory / kind
        (work / "run").mkdir(parents=True)
        work.chmod(0o755 if kind == "postfix" else 0o777)
        words = {"work": work, "tls": tls, "address": address, "vip": vip}
        for name, text in KINDS[kind].files.items():
            (work / name).write_text(text.format(**words))
        for file, rest in (("passwd", ":x:{0}:{0}::/:/bin/false"), ("group", ":x:{0}:")):
            with open(f"/etc/{file}", encoding="utf-8") as present:
                (work / file).write_text(present.read() + "".join(
                    user + rest.format(number) + "\n"
                    for number, user in enumerate(USERS, FIRST_ID)))
        script = START.format(tree=unpacked(), work=work,
                              prepare=KINDS[kind].prepare.format(**words),
                              command=KINDS[kind].command.format(**words))
        self.process = host.popen("unshare", "-m", "sh", "-c", script)

    def signal(self, number):
        """To its processes: the one that was started and all that these have; returns them.

        Parents first: who is stopped starts no more.
        """
        found, ahead = [], [self.process.pid]
        while ahead:
            pid = ahead.pop()
            found.append(pid)
            _signal(pid, number)
            listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True,
                                    check=False).stdout
            ahead += map(int, listed.split())
        return found

    def end(self):
        """Stops all of it at once, as a power cut would."""
        processes = self.signal(signal.SIGSTOP)
        for pid in processes:
            _signal(pid, signal.SIGKILL)
        self.process.end()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 10)
