"""Child processes that can be waited for with patience, and never outlive the laboratory."""

import os
import select
import subprocess

from .wait import patience


class Process(subprocess.Popen):
    """A Popen of text, whose output can be read line by line with a time limit."""

    def __init__(self, command, *, stdin=False, stdout=False, **options):
        super().__init__(
            command, text=True, bufsize=1, start_new_session=True,  # Ctrl-C is not for it
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else subprocess.DEVNULL, **options)
        self._unread = b""

    def read_line(self, timeout, expected=None):
        """The next line of output, without its newline; programs here write whole lines."""
        timeout = patience(timeout)
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self.stdout], [], [], timeout)
            if not readable:
                raise AssertionError(f"no output in {timeout} s from {self.args}")
            output = os.read(self.stdout.fileno(), 65536)
            if not output:
                break
            self._unread += output
        line, _, self._unread = self._unread.partition(b"\n")
        line = line.decode()
        if not line or expected not in (None, line):
            raise AssertionError(f"unexpected output {line!r} from {self.args}")
        return line

    def end(self):
        """Kills it, if it still lives, and reaps it."""
        if self.poll() is None:
            self.kill()
        self.wait(patience(10))
        for stream in (self.stdin, self.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass
