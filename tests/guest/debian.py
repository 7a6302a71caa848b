"""Debian's packages: installing them, and what they consist of."""

import os
import re
import subprocess
import sys


def output(*command, **options):
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def _query(package, form):
    done = subprocess.run(["dpkg-query", "-W", "-f", form, package],
                          capture_output=True, text=True, check=False)
    return done.stdout


def _installed(package):
    return _query(package, "${db:Status-Status}") == "installed"


def require(packages, install):
    """Ends the program if any of them is missing, or installs it."""
    missing = [package for package in packages if not _installed(package)]
    if missing and not install:
        sys.exit(f"missing packages: {' '.join(missing)}; --install installs them")
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], check=True, env=environment)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing],
                       check=True, env=environment)


def with_dependencies(packages):
    """These packages and all installed ones that they depend on, however indirectly."""
    found, waiting = set(), list(packages)
    while waiting:
        package = waiting.pop()
        if package not in found and _installed(package):
            found.add(package)
            depends = _query(package, "${Depends},${Pre-Depends}")
            waiting += re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", depends)
    return sorted(found)


def files(packages):
    """The paths of all that belongs to these packages: files, directories and links."""
    return sorted(set(output("dpkg", "-L", *packages).splitlines()) - {"", "/."})


def libraries(program):
    """The shared libraries of a program, with the dynamic linker."""
    return re.findall(r"(/\S+) \(0x", output("ldd", str(program)))
