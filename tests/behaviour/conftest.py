"""Fixtures of the behaviour tests: clusters that are checked and cleaned up after each test."""

import signal

import pytest

from lab import Lab

SANITIZER_COMPLAINTS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")

_labs = []


def pytest_configure():
    """A plain kill cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):  # pylint: disable=unused-argument
    """A failed test shows what the daemons had to say."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for lab in _labs:
            for name, log in lab.logs().items():
                report.sections.append((f"droverd on {name}", log[-6000:]))


def check_daemons(lab):
    """Each daemon still lives, ends cleanly when told to, and no sanitizer complained."""
    for node in lab:
        if node.daemon and node.daemon.expected:
            node.stop_droverd()
        if node.helper and node.helper.expected:
            assert node.helper.quit() == 0, node.helper.stderr()
        if node.helper:
            stderr = node.helper.stderr()
            for complaint in SANITIZER_COMPLAINTS:
                assert complaint not in stderr, f"drover-helper on {node.name}:\n{stderr}"
    for name, log in lab.logs().items():
        for complaint in SANITIZER_COMPLAINTS:
            assert complaint not in log, f"droverd on {name}:\n{log}"


@pytest.fixture
def make_lab():
    """Makes a Lab: make_lab(["fe5", "fe6"], router=True)."""
    made = []

    def make(*arguments, **options):
        made.append(Lab(*arguments, **options))
        _labs.append(made[-1])
        return made[-1]

    try:
        yield make
        for lab in made:
            check_daemons(lab)
    finally:
        for lab in made:
            lab.close()
            _labs.remove(lab)


@pytest.fixture
def cluster(make_lab):
    """Three members fe5, fe6, fe7, all of them balancers; fe5 is active; web (tcp 80) is served."""
    lab = make_lab(["fe5", "fe6", "fe7"])
    lab.launch()
    return lab
