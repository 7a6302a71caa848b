"""How the demo looks: chapters, bars, claims. Colour only where a terminal shows it."""

import os
import re
import sys

BAR_WIDTH = 40
SHOWN_ELEMENT_LINES = 3


class Screen:
    """Writes to standard output, and remembers which claims turned out to be false."""

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        fancy = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.full, self.yes, self.no = ("█", "✓", "✗") if fancy else ("#", "ok:", "FAILED:")
        self.chapter = 0
        self.claims = 0
        self.broken = []

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def title(self, text):
        self.chapter += 1
        self.say(f"\n{self._paint('1', f'{self.chapter}. {text}')}\n")

    def say(self, text):
        print(text, flush=True)

    def blank(self):
        self.say("")

    def command(self, host, text):
        self.say(f"{self._paint('36', f'{host}#')} {text}")

    def block(self, text):
        for line in text.rstrip("\n").expandtabs(4).split("\n"):
            self.say("    " + line)
        self.blank()

    def bar(self, name, count, share, expected):
        """One member's line: a bar whose full width is a share of 50 %."""
        length = min(BAR_WIDTH, round(share * 2 * BAR_WIDTH))
        bar = self._paint("32", self.full * length) + " " * (BAR_WIDTH - length)
        self.say(f"  {name:<6}{bar} {count:>5}  {share:6.1%}   by weight {expected:6.1%}")

    def claim(self, text, true):
        """Says that something is so, and remembers if it is not."""
        self.claims += 1
        if true:
            self.say(f"{self._paint('32', self.yes)} {text}")
        else:
            self.broken.append(text)
            self.say(f"{self._paint('31;1', self.no)} {text}")

    def end(self, seconds):
        """The last line; returns the exit status."""
        self.blank()
        if self.broken:
            self.say(f"{len(self.broken)} of {self.claims} claims did not hold:")
            for text in self.broken:
                self.say(f"  {self.no} {text}")
            return 1
        self.say(f"All {self.claims} claims held. {seconds:.0f} seconds; nothing is left behind.")
        return 0


def abbreviate(ruleset):
    """A listing with the middle of long element lists left out, which it says."""
    return re.sub(r"(elements = \{ )(.*?)( \}\n)", _shorten, ruleset, flags=re.DOTALL)


def _shorten(match):
    lines = match[2].split("\n")
    if len(lines) <= 2 * SHOWN_ELEMENT_LINES + 1:
        return match[0]
    indent = re.match(r"\s*", lines[-1])[0]
    hidden = ", ".join(lines[SHOWN_ELEMENT_LINES:-1]).count(" : ")
    note = f"{indent}[... {hidden} more, left out by the demo ...]"
    return match[1] + "\n".join([*lines[:SHOWN_ELEMENT_LINES], note, lines[-1]]) + match[3]
