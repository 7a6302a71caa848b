"""A program on a terminal of its own, and what a person would see there."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

from .wait import wait_until

SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([a-zA-Z])")


class Screen:
    """As much of a terminal as watch uses: it refuses what it does not know."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.alternate = False
        self.cursor_shown = True
        self.wraps = True
        self.cells = []
        self.row = self.column = 0
        self.overflows = []  # what was written beyond the edges
        self.pending = ""
        self.clear()

    def clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.clear()

    def lines(self):
        return ["".join(cells).rstrip() for cells in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def feed(self, text):
        text = self.pending + text
        self.pending = ""
        position = 0
        while position < len(text):
            if text[position] == "\x1b":
                match = SEQUENCE.match(text, position)
                if not match:
                    assert len(text) - position < 16, f"unknown sequence {text[position:][:16]!r}"
                    self.pending = text[position:]
                    return
                self._control(match[1], match[2], match[3])
                position = match.end()
            else:
                self._put(text[position])
                position += 1

    def _control(self, private, numbers, letter):
        modes = {"1049": "alternate", "25": "cursor_shown", "7": "wraps"}
        if private:
            assert letter in "hl" and numbers in modes, (numbers, letter)
            setattr(self, modes[numbers], letter == "h")
        elif letter == "H":
            assert not numbers
            self.row = self.column = 0
        elif letter == "K" and self.row < self.rows:
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif letter == "J":
            if self.row < self.rows:
                self._control("", "", "K")
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        else:
            assert letter == "m", (numbers, letter)

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif self.row >= self.rows or self.column >= self.columns:
            self.overflows.append((self.row, self.column, character))
        else:
            assert character.isprintable(), repr(character)
            self.cells[self.row][self.column] = character
            self.column += 1


class Terminal:
    """Runs a command on a terminal of this size."""

    def __init__(self, command, columns=80, rows=24, environment=None):
        self.screen = Screen(columns, rows)
        self.master, self.slave = pty.openpty()
        self._set_size(columns, rows)
        self.attributes = termios.tcgetattr(self.slave)
        self.raw = ""
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, preexec_fn=self._take_control,
            env=os.environ | {"TERM": "xterm"} | (environment or {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    @staticmethod
    def _take_control():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _set_size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        """The kernel tells the program by SIGWINCH."""
        self.read()
        self.screen.resize(columns, rows)
        self._set_size(columns, rows)

    def read(self):
        """Takes what was written so far."""
        while select.select([self.master], [], [], 0)[0]:
            text = os.read(self.master, 65536).decode()
            self.raw += text
            self.screen.feed(text)

    def wait_for(self, text, timeout=10):
        """Waits until the screen shows a text; returns its lines."""
        def shown():
            self.read()
            return self.screen.lines() if text in self.screen.text() else None
        return wait_until(shown, timeout, f"{text!r} on the screen")

    def wait_without(self, text, timeout=10):
        """Waits until the screen does not show a text any more."""
        def hidden():
            self.read()
            return text not in self.screen.text()
        wait_until(hidden, timeout, f"{text!r} not on the screen")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=10):
        """Waits for the end; returns the exit status."""
        def ended():
            self.read()
            return self.process.poll() is not None
        wait_until(ended, timeout, "the end of the program")
        return self.process.returncode

    def is_stopped(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "Tt"

    def is_restored(self):
        """The terminal is as the program found it."""
        self.read()
        return (not self.screen.alternate and self.screen.cursor_shown and self.screen.wraps
                and termios.tcgetattr(self.slave) == self.attributes)

    def go_on(self):
        self.signal(signal.SIGCONT)
