"""One run of drover-helper, at the pipe that the cluster's server would have."""

import os
import select

from .programs import SANITIZERS, program
from .wait import patience, wait_until


class Helper:
    """A drover-helper process. Responses are matched to commands by their numbers."""

    def __init__(self, node, *arguments):
        self.node = node
        self.expected = True  # to live: nobody has told it to quit
        self.informed = []    # lines for the server's log, without the "* "
        self.responses = {}
        self._number = 100
        self._unread = b""
        self._log = open(node.log_path, "a", encoding="utf-8")
        self.stderr_path = node.directory / "helper.stderr"
        with open(self.stderr_path, "w", encoding="utf-8") as stderr:
            self.process = node.popen(program("drover-helper"), *arguments, stdin=True, stdout=True,
                                      stderr=stderr, env=os.environ | SANITIZERS
                                      | {"STATE_DIRECTORY": str(node.state_directory)})

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def stderr(self):
        return self.stderr_path.read_text()

    # --- what it says ------------------------------------------------------

    def listen(self):
        """Takes what it has said since; returns whether it may say more."""
        more = True
        while more and select.select([self.process.stdout], [], [], 0)[0]:
            output = os.read(self.process.stdout.fileno(), 65536)
            self._unread += output
            more = bool(output)
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._hear(line)
        return more

    def _hear(self, line):
        assert len(line) < 4096, line
        text = line.decode()
        self._log.write(text + "\n")
        self._log.flush()
        if text.startswith("* "):
            self.informed.append(text[2:])
            return
        number, _, response = text.partition(" ")
        assert number.isdigit() and number not in self.responses, text
        self.responses[number] = response

    def _response(self, number):
        more = self.listen()
        assert more or number in self.responses, f"no answer to {number}: {self.stderr()}"
        return self.responses.get(number)

    # --- what it is told ---------------------------------------------------

    def write(self, data):
        os.write(self.process.stdin.fileno(), data if isinstance(data, bytes) else data.encode())

    def send(self, command):
        """Sends a command; returns its number."""
        self._number += 1
        number = f"{self._number:05}"
        self.write(f"{number} {command}\n")
        return number

    def wait(self, number, timeout=20):
        """The response to a command, without its number."""
        return wait_until(lambda: self._response(number), timeout, f"an answer to {number}")

    def ask(self, command, timeout=20):
        return self.wait(self.send(command), timeout)

    def tell(self, command):
        """A command that must go well."""
        response = self.ask(command)
        assert response == "OK", f"{self.node.name}: {command}: {response}"

    def wait_informed(self, words, timeout=10):
        def told():
            self.listen()
            return next((line for line in self.informed if words in line), None)
        return wait_until(told, timeout, f"a line with {words!r} from {self.node.name}")

    # --- its end -----------------------------------------------------------

    def wait_end(self, timeout=20):
        """Its exit status, once it has ended."""
        self.expected = False
        wait_until(lambda: not self.listen(), timeout, "the end of its output")
        status = self.process.wait(patience(timeout))
        self._log.close()
        return status

    def quit(self):
        number = self.send("QUIT")
        status = self.wait_end()
        assert self.responses[number] == "OK"
        return status

    def close_pipe(self):
        """The server has gone."""
        self.process.stdin.close()
        return self.wait_end()

    def kill(self):
        self.expected = False
        self.process.kill()
        self.process.wait(patience(10))
        self._log.close()
