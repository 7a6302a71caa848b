"""A strict reader of Prometheus's text format 0.0.4, and of its conventions for names.

promtool, where it is installed, has its say as well.
"""

import re
import shutil
import subprocess

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\\n]|\\\\|\\n)+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?[0-9]+(?:\.[0-9]+)?)")
FOREIGN_UNITS = re.compile(r"_(ms|us|msec|milliseconds|minutes|kilobytes|bits|percent)(_|$)")


def _labels(text):
    labels, position = {}, 0
    while position < len(text):
        match = LABEL.match(text, position)
        assert match, f"no label at {text[position:]!r}"
        assert match[1] not in labels, f"label {match[1]} twice in {text!r}"
        labels[match[1]] = match[2]
        position = match.end()
        if position < len(text):
            assert text[position] == ",", text
            position += 1
    return labels


def _check_name(name, kind):
    assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
    assert not FOREIGN_UNITS.search(name), f"{name} has no base unit"


class Metrics:
    """What was said: {name: {labels as a sorted tuple of pairs: value}}, and types."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.types = {}
        self.samples = {}
        lines = text[:-1].split("\n")
        while lines:
            self._read_family(lines)

    def _read_family(self, lines):
        """HELP, TYPE, and every sample of this name: none stands elsewhere."""
        line = lines.pop(0)
        name = HELP.fullmatch(line)
        assert name, f"no HELP: {line!r}"
        name = name[1]
        kind = TYPE.fullmatch(lines.pop(0))
        assert kind and kind[1] == name, f"no TYPE of {name}"
        assert name not in self.types, f"{name} twice"
        _check_name(name, kind[2])
        self.types[name] = kind[2]
        self.samples[name] = {}
        while lines and not lines[0].startswith("#"):
            sample = SAMPLE.fullmatch(lines.pop(0))
            assert sample and sample[1] == name, f"no sample of {name}: {sample}"
            key = tuple(sorted(_labels(sample[2] or "").items()))
            assert key not in self.samples[name], f"{name} {key} twice"
            self.samples[name][key] = float(sample[3])

    def value(self, name, **labels):
        """The value of one sample; None if there is none."""
        return self.samples[name].get(tuple(sorted(labels.items())))

    def by(self, name, label):
        """{value of a label: value of the sample}."""
        return {dict(key)[label]: value for key, value in self.samples[name].items()}

    def counters(self):
        """{(name, labels): value} of everything that may only grow."""
        return {(name, key): value for name, samples in self.samples.items()
                if self.types[name] == "counter" for key, value in samples.items()}


def read(text):
    """The metrics of a text, which is right in every respect."""
    promtool = shutil.which("promtool")
    if promtool:
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                              text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return Metrics(text)
