"""A day in the life of a cluster whose controller elects balancers and drives real helpers."""

import pytest

from lab import VIP, wait_until
from lab.controller import Controller

HELD = 240
SOURCES = [f"198.18.0.{number}" for number in range(1, 121)]
OUTGOING = {"fe5": 33000, "fe6": 34000, "fe7": 35000, "fe8": 36000}


class Clients:
    """Connections that are busy all day, and who had which."""

    def __init__(self, lab):
        self.lab = lab
        self.held = lab.client.hold(VIP, 25, HELD, first_port=20000, sources=SOURCES)
        self.alive = HELD

    def owners(self):
        members = list(self.held.report()["members"].values())
        return {name: members.count(name) for name in set(members)}

    def check(self, lost=0):
        """All go on but those of a member that died."""
        self.alive -= lost
        report = self.held.wait_alive(self.alive) if lost else None
        self.held.wait_rounds(2)
        report = report or self.held.report()
        assert report["alive"] == self.alive, report["failures"]

    def reached(self, network):
        """Who gets connections of clients that come now for the first time."""
        sources = [f"198.18.{network}.{number}" for number in range(1, 121)]
        answers = self.lab.client.connect(VIP, 25, 120, first_port=20000, sources=sources)
        assert not answers.failures, answers
        return set(answers.by_member)


@pytest.fixture
def lab(make_lab):
    lab = make_lab(["fe5", "fe6", "fe7", "fe8"], router=True, vips=(VIP,))
    lab.serve("25,143", "5060")
    for node in lab:
        node.hasten_neighbours()
        (node.directory / "vipaddrs").write_text(f"{VIP}\n")
    return lab


@pytest.fixture
def controller(lab):
    """Names and port ranges of the frontends are in a file, as is the key of sync."""
    members = [{"name": name, "address": lab.address(name), "outgoing": f"{first}-{first + 999}"}
               for name, first in OUTGOING.items()]
    controller = Controller(lab, ("-t", "3"), sync=lab.sync(),
                            groups=[{"name": "A", "members": members}])
    yield controller
    controller.close()


def replies_reach(lab, name):
    """A member's own connection from the VIP, as when it sends mail."""
    answers = lab[name].connect("203.0.113.1", 2525, 3, source=VIP, first_port=OUTGOING[name])
    return not answers.failures


def morning(lab, controller):
    """Servers start one after the other. The first helper gets the duty."""
    for name in lab.nodes:
        controller.member_starts(name)
    assert controller.active == "fe5"
    controller.wait_settled()
    clients = Clients(lab)
    lab.wait_known(HELD)
    assert set(clients.owners()) == set(lab.nodes)
    assert all(replies_reach(lab, name) for name in lab.nodes)
    return clients


def settings_change(controller, clients):
    controller.weigh("fe7", 20)
    controller.wait_settled()
    clients.check()


def maintenance(lab, controller, clients):
    """fe6 is made non-ready, and back; then fe5, which has the duty."""
    controller.becomes_unready("fe6")
    controller.wait_settled()
    assert clients.reached(1) == {"fe5", "fe7", "fe8"}
    clients.check()
    assert replies_reach(lab, "fe6"), "what it sends itself is still answered"
    controller.becomes_ready("fe6")
    controller.wait_settled()

    controller.becomes_unready("fe5")
    assert controller.active == "fe6"
    controller.wait_settled()
    clients.check()
    controller.becomes_ready("fe5")
    controller.wait_settled()
    clients.check()


def the_active_helper_crashes(controller, clients):
    """And is restarted by its server."""
    controller.helper_crashes("fe6")
    controller.wait_settled()
    clients.check()


def the_active_host_dies(lab, controller, clients):
    """Nobody's connections die but its own. It comes back."""
    dead = clients.owners()["fe6"]
    controller.dies("fe6")
    assert controller.active == "fe5"
    controller.wait_settled()
    clients.check(lost=dead)
    assert "fe6" not in clients.reached(2)

    lab.boot(lab["fe6"])
    lab.add_vips(lab["fe6"])
    lab["fe6"].serve("25,143", "5060")
    controller.member_starts("fe6")
    controller.wait_settled()
    clients.check()
    assert "fe6" in clients.reached(3)


def the_active_server_hangs(lab, controller, clients):
    """Its helper gives the duty up by itself."""
    controller.hangs("fe5")
    assert controller.active == "fe6"
    wait_until(lambda: not lab["fe5"].is_active(), 10, "fe5 giving it up")
    controller.wait_settled()
    clients.check()
    controller.recovers("fe5")
    controller.wait_settled()


def evening(controller, clients):
    """Helpers are switched off, the active one first; the servers go on."""
    for name in ("fe6", "fe5", "fe7"):
        assert controller.active == name
        controller.helper_is_switched_off(name)
        controller.wait_settled()
        clients.check()
    assert controller.active == "fe8"


def test_a_day_in_the_life(lab, controller):
    lab.client.serve("2525")
    clients = morning(lab, controller)
    settings_change(controller, clients)
    maintenance(lab, controller, clients)
    the_active_helper_crashes(controller, clients)
    the_active_host_dies(lab, controller, clients)
    the_active_server_hangs(lab, controller, clients)
    evening(controller, clients)
    last = clients.held.stop()
    assert last["alive"] == clients.alive
