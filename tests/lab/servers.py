"""Real servers of Debian's: nginx, dovecot and exim, unpacked below build/servers, never installed.

Each runs in a mount namespace of its own, where the packages lie over /usr, and where the users
that their installation would have made exist.
"""

import fcntl
import os
import shutil
import signal
import subprocess

from .programs import REPOSITORY
from .wait import wait_until

PACKAGES = ["nginx", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "exim4-daemon-light",
            "libidn12"]
TREE = REPOSITORY / "build/servers"
USERS = ["Debian-exim", "dovecot", "dovenull"]

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

COMMANDS = {
    "nginx": (NGINX, "nginx -e {work}/log -p {work} -c {conf}", "nginx"),
    "dovecot": (DOVECOT, "dovecot -F -c {conf}", "dovecot"),
    "exim": (EXIM, "exim4 -C {conf} -bdf", "exim4"),
}

START = """set -e
mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/nginx
for file in passwd group; do mount --bind {work}/$file /etc/$file; done
exec {command}
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
    (TREE / "complete").touch()


def unpacked():
    """The packages, fetched when first needed; they are not installed, and start nothing."""
    TREE.parent.mkdir(exist_ok=True)
    with open(TREE.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (TREE / "complete").exists():
            _unpack()
    return TREE


class Unavailable(Exception):
    """apt-get could not fetch the packages."""


class RealServer:
    """nginx, dovecot or exim on all addresses of a host; tls: a file of key and certificate."""

    def __init__(self, host, kind, tls):
        text, command, self._name = COMMANDS[kind]
        self.host = host
        work = host.directory / kind
        (work / "run").mkdir(parents=True)
        work.chmod(0o777)
        conf = work / "conf"
        conf.write_text(text.format(work=work, tls=tls))
        for file, rest in (("passwd", ":x:65534:65534::/:/bin/false"), ("group", ":x:65534:")):
            with open(f"/etc/{file}", encoding="utf-8") as present:
                (work / file).write_text(
                    present.read() + "".join(f"{user}{rest}\n" for user in USERS))
        script = START.format(tree=unpacked(), work=work,
                              command=command.format(work=work, conf=conf))
        self.process = host.popen("unshare", "-m", "sh", "-c", script)

    def _all(self):
        """Its processes: the one that was started and all that these have."""
        found, ahead = [], [self.process.pid]
        while ahead:
            pid = ahead.pop()
            found.append(pid)
            listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True,
                                    check=False).stdout
            ahead += map(int, listed.split())
        return found

    def signal(self, number):
        for pid in self._all():
            os.kill(pid, number)

    def end(self):
        """Stops all of it at once, as a power cut would."""
        processes = self._all()
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        self.process.end()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in processes), 10)
