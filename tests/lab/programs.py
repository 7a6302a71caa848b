"""Where the programs under test are: the build directory in DROVER_BUILD, else build/plain."""

import functools
import json
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def build_directory():
    return Path(os.environ.get("DROVER_BUILD") or REPOSITORY / "build/plain").resolve()


def is_sanitized():
    """True if the programs carry sanitizers, which makes them several times slower."""
    path = build_directory() / "meson-info/intro-buildoptions.json"
    options = json.loads(path.read_text()) if path.exists() else []
    return any(option["name"] == "b_sanitize" and option["value"] != "none" for option in options)


@functools.cache
def program(name):
    """The path of a program of the build."""
    for directory, _, files in os.walk(build_directory()):
        path = Path(directory) / name
        if name in files and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(f"{name} is not in {build_directory()}: build it first")


# What a program's sanitizers do: end it, with a status that says so.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}
