"""The cluster's controller, as CommuniGate Pro has one: it elects, and tells helpers who serves.

It knows of each member whether its server runs, whether it is ready, its weight, and whether it has
a helper. The first helper that starts gets the duty; only the active one is told the servers; when
its server fails or is not ready any more, another helper gets the duty.
"""

import threading

from .wait import Timeout, wait_until


class Controller:
    """Speaks to the helpers of a Lab's nodes."""

    def __init__(self, lab, arguments=(), **settings):
        self.lab = lab
        self.arguments = arguments
        self.settings = settings
        self.weights = {}    # of the members whose server runs
        self.ready = set()   # those that take traffic
        self.silent = set()  # whose server hangs: it says nothing, and hears nothing
        self.active = None
        self._ended = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self):
        """The server of each helper is alive, and says so now and then."""
        while not self._ended.wait(0.5):
            for node in self.lab:
                if node.helper and node.helper.expected and node.name not in self.silent:
                    try:
                        node.helper.write("NOOP\n")
                    except OSError:
                        pass  # it has just ended

    def close(self):
        self._ended.set()

    # --- what befalls servers ------------------------------------------------

    def server_starts(self, name, weight=100):
        self.weights[name] = weight
        self.ready.add(name)
        self._tell_servers()

    def helper_starts(self, name):
        helper = self.lab[name].start_helper(self.settings, self.arguments)
        assert helper.ask("INTF 1") == "INTF 1"
        if self.active is None:
            self._activate(name)

    def member_starts(self, name, weight=100):
        self.server_starts(name, weight)
        self.helper_starts(name)

    def weigh(self, name, weight):
        self.weights[name] = weight
        self._tell_servers()

    def becomes_unready(self, name):
        """An operator makes it so: what it has goes on, nothing new comes."""
        self.ready.discard(name)
        if name == self.active:
            self._elect(leaving=name)
        self._tell_servers()

    def becomes_ready(self, name):
        self.ready.add(name)
        self._tell_servers()

    def dies(self, name):
        """The host falls silent, and with it all that it runs."""
        self.lab.crash(self.lab[name])
        self._forget(name)

    def hangs(self, name):
        """Its server neither speaks to its helper nor to the controller any more."""
        self.silent.add(name)
        self._forget(name)

    def recovers(self, name, weight=100):
        self.silent.discard(name)
        self.server_starts(name, weight)

    def helper_crashes(self, name):
        """The server has it restarted, and repeats what it had been told."""
        self.lab[name].helper.kill()
        helper = self.lab[name].start_helper(self.settings, self.arguments)
        if name == self.active:
            helper.tell("ACTIVE A")
            self._tell_servers()

    def helper_is_switched_off(self, name):
        assert self.lab[name].helper.quit() == 0
        if name == self.active:
            self.active = None
            self._elect()

    # --- what it does about it -----------------------------------------------

    def candidates(self):
        return [name for name in sorted(self.ready)
                if self.lab[name].helper and self.lab[name].helper.running]

    def _forget(self, name):
        self.weights.pop(name, None)
        self.ready.discard(name)
        if name == self.active:
            self.active = None
            self._elect()
        self._tell_servers()

    def _elect(self, leaving=None):
        names = [name for name in self.candidates() if name != leaving]
        if names:
            self._activate(names[0])
        if leaving:
            self.lab[leaving].helper.tell("STANDBY A")

    def _activate(self, name):
        self.active = name
        self._tell_servers()
        self.lab[name].helper.tell("ACTIVE A")

    def _tell_servers(self):
        if self.active:
            listed = " ".join(f"{self.lab.address(name)}:{self.weights[name]}"
                              for name in sorted(self.ready))
            self.lab[self.active].helper.tell(f"SERVERS {listed}")

    # --- what must be true then ----------------------------------------------

    def wait_settled(self):
        """The active balancer, and no other, has the VIPs and the servers with their weights."""
        expected = {self.lab.address(name): self.weights[name] for name in self.ready
                    if self.weights[name]}

        def serving():
            group = self.lab[self.active].group()
            return group["role"], {member["address"]: member["weight"]
                                   for member in group["members"]
                                   if member["state"] == "serving" and member["weight"]}
        try:
            wait_until(lambda: serving() == ("active", expected), 15)
        except Timeout:
            raise AssertionError(f"{self.active}: {serving()} instead of {expected}") from None
        for node in self.lab:
            if node.name != self.active and node.helper and node.helper.running:
                assert node.name in self.silent or not node.is_active(), node.name
