"""How long a client is without an answer."""

import select
import socket
import threading
import time

from .wait import wait_until

INTERVAL = 0.01


class Silence:
    """Asks a UDP echo server all the time while it is entered; longest is in seconds.

    The question is one packet that nobody sends again: unlike TCP, which waits longer each time,
    it tells when answers come again to 10 ms.
    """

    def __init__(self, host, target, port):
        self._socket = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._target = (target, port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.last = None
        self.longest = 0.0

    def __enter__(self):
        self._thread.start()
        self.wait_answer()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def wait_answer(self):
        """Waits for an answer to what is asked from now on."""
        begin = time.monotonic()
        wait_until(lambda: (self.last or 0) > begin + INTERVAL, 20, "an answer")

    def _run(self):
        due = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= due:
                self._send()
                due = now + INTERVAL
            if select.select([self._socket], [], [], max(0, due - time.monotonic()))[0]:
                self._receive()

    def _send(self):
        try:
            self._socket.sendto(b"?", self._target)
        except OSError:
            pass  # nobody has the address at this moment

    def _receive(self):
        try:
            self._socket.recv(64)
        except OSError:
            return
        now = time.monotonic()
        if self.last:
            self.longest = max(self.longest, now - self.last)
        self.last = now
