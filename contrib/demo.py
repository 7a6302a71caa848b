"""The story that contrib/demo tells. It ends with an error if any of it did not happen."""

import argparse
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab import VIP, Lab, wait_until  # noqa: E402
from lab.arp import who_has  # noqa: E402
from lab.cluster import CLIENT_NUMBER, SEGMENT  # noqa: E402
from lab.programs import program  # noqa: E402
from show import Screen, abbreviate  # noqa: E402

WEIGHTS = {"fe5": 100, "fe6": 100, "fe7": 100, "fe8": 50}
BALANCERS = ["fe5", "fe6"]
WEB, SIP = 80, 5060
SERVICES = [
    {"name": "web", "protocol": "tcp", "ports": str(WEB), "scheduler": "hash"},
    {"name": "sip", "protocol": "udp", "ports": str(SIP), "scheduler": "rr"},
]
CONNECTIONS = 1000
DATAGRAMS = 350
HELD = 200
TOLERANCE = 0.04
CLIENT = f"{SEGMENT}.{CLIENT_NUMBER}"
CLIENT_MAC = f"02:00:00:00:00:{CLIENT_NUMBER:02x}"


class Demo:
    """One walk through the cluster, chapter by chapter."""

    def __init__(self, lab, screen):
        self.lab = lab
        self.screen = screen
        self.held = None

    def expected(self, name):
        return WEIGHTS[name] / sum(WEIGHTS.values())

    def begin(self):
        lab, screen = self.lab, self.screen
        screen.title("A cluster")
        screen.say("Network namespaces of its own: this machine's network is not touched.")
        screen.blank()
        for name, weight in WEIGHTS.items():
            role = "balancer and member" if name in BALANCERS else "member"
            screen.say(f"  {name}     {lab.address(name):<12} {lab[name].mac}  {role:<20}"
                       f" weight {weight:>3}")
        screen.say(f"  client  {CLIENT:<12} {CLIENT_MAC}")
        screen.blank()
        screen.say(f"VIP {VIP}: tcp {WEB} (scheduler hash) and udp {SIP} (scheduler rr).")
        screen.say("All four hold the VIP on lo and keep silent about it in ARP.")
        group = lab.group(WEIGHTS, balancers=BALANCERS, services=SERVICES, vips=[VIP])
        lab.configure(group, sync=True)
        lab.serve(str(WEB), str(SIP))
        lab.start()
        screen.claim("droverd runs on fe5, fe6, fe7 and fe8",
                     all(node.daemon.running for node in lab))

    def activate(self):
        lab, screen = self.lab, self.screen
        screen.title("fe5 takes the duty")
        screen.command("fe5", "droverctl activate")
        lab.activate("fe5")
        screen.claim("fe5, and nobody else, answers ARP requests for the VIP", self.answers("fe5"))

    def answers(self, name):
        others = [self.lab.address(each) for each in WEIGHTS]
        found = who_has(self.lab.client, CLIENT_MAC, CLIENT, [VIP], others)
        return found == {VIP: {self.lab[name].mac}}

    def shares(self, answers, tolerance):
        """Bars, and whether the shares are what the weights say."""
        for name in WEIGHTS:
            self.screen.bar(name, answers.by_member[name], answers.share(name),
                            self.expected(name))
        self.screen.blank()
        self.screen.claim("every one was answered", not answers.failures)
        self.screen.claim(
            "everybody's share is what the weight says",
            all(abs(answers.share(name) - self.expected(name)) <= tolerance for name in WEIGHTS))

    def connections(self):
        lab, screen = self.lab, self.screen
        screen.title(f"{CONNECTIONS} connections to {VIP}:{WEB}, each from another port")
        with lab.client.capture("eth0") as capture:
            answers = lab.client.connect(VIP, WEB, CONNECTIONS, first_port=20000)
        self.shares(answers, TOLERANCE)
        macs = {frame.from_mac for frame in capture.frames(incoming_only=True)
                if frame.is_ip and frame.source == VIP}
        screen.claim("replies came straight from the members: "
                     "all four source MACs were seen (direct server return)",
                     macs == {node.mac for node in lab})

    def datagrams(self):
        screen = self.screen
        screen.title(f"{DATAGRAMS} datagrams to {VIP}:{SIP}, all from one port, like a SIP trunk")
        answers = self.lab.client.datagrams(VIP, SIP, DATAGRAMS, first_port=15060)
        self.shares(answers, 0.01)

    def look(self):
        screen, node = self.screen, self.lab["fe5"]
        screen.title("What the operator sees")
        screen.command("fe5", "droverctl status")
        screen.block(node.droverctl("status").stdout)
        screen.command("fe5", f"droverctl explain tcp {CLIENT}:20000 {VIP}:{WEB}")
        screen.block(node.droverctl("explain", "tcp", f"{CLIENT}:20000", f"{VIP}:{WEB}").stdout)

        screen.title("What the kernel has")
        screen.command("fe5", "nft list ruleset")
        screen.block(abbreviate(node.ruleset()))

    def carried(self, name):
        """Packets that a balancer has sent to the two hosts that are members only."""
        try:
            return sum(self.lab[name].forwarded(member) for member in ("fe7", "fe8"))
        except AssertionError:
            return 0

    def hold(self):
        lab, screen = self.lab, self.screen
        screen.title(f"{HELD} open connections, known to all nodes")
        self.held = lab.client.hold(VIP, WEB, HELD, pause=0.1)
        lab.wait_known(HELD)
        screen.say("Each exchanges data ten times a second. Members follow their own by conntrack,")
        screen.say("and tell the other nodes.")
        screen.command("fe6", "droverctl flows")
        screen.block(lab["fe6"].droverctl("flows").stdout)

    def whole(self):
        """Whether all of them have gone on, each at its member."""
        self.held.wait_rounds(5)
        report = self.held.report()
        self.screen.claim(
            f"{report['alive']} of {HELD} connections go on, {len(report['failures'])} broke",
            report["alive"] == HELD and not report["failures"])

    def drain(self):
        lab, screen = self.lab, self.screen
        screen.title("fe7 is drained, and fe8 gets more")
        screen.command("fe5", "droverctl drain fe7")
        lab["fe5"].ctl("drain", "fe7")
        screen.command("fe5", "droverctl weight fe8 100")
        lab["fe5"].ctl("weight", "fe8", "100")
        screen.command("fe5", "droverctl flows")
        screen.block(lab["fe5"].droverctl("flows").stdout)
        self.whole()
        answers = lab.client.connect(VIP, WEB, 200, first_port=25000)
        screen.claim("new connections go to the others",
                     not answers.failures and not answers.by_member["fe7"])

    def move(self):
        lab, screen = self.lab, self.screen
        screen.title("The duty moves to fe6 under the same connections")
        began = time.monotonic()
        screen.command("fe5", "droverctl standby")
        lab["fe5"].ctl("standby")
        screen.command("fe6", "droverctl activate")
        lab["fe6"].ctl("activate")
        lab.wait_serving("fe6", *(name for name in WEIGHTS if name != "fe7"))
        wait_until(lambda: self.answers("fe6"), what="fe6 answering ARP for the VIP")
        screen.say(f"Moved in {(time.monotonic() - began) * 1000:.0f} ms.")

        before = self.carried("fe6")
        self.whole()
        carried = self.carried("fe6") - before
        screen.claim(f"fe6 carries them now: {carried} packets to fe7 and fe8 since", carried > 0)
        roles = [lab[name].group()["role"] for name in BALANCERS]
        screen.claim(f"fe5 is {roles[0]}, fe6 is {roles[1]}", roles == ["standby", "active"])
        screen.claim("fe6, and nobody else, answers ARP requests for the VIP", self.answers("fe6"))

    def restore(self):
        lab, screen = self.lab, self.screen
        screen.title("As it was")
        screen.command("fe6", "droverctl reload --reset")
        lab["fe6"].ctl("reload", "--reset")
        wait_until(lambda: lab["fe5"].ctl("status")["overrides"] == 0, what="fe5 hearing of it")
        self.whole()
        self.held.stop()

    def again(self):
        self.screen.title(f"{CONNECTIONS} new connections, through fe6")
        before = self.carried("fe6")
        answers = self.lab.client.connect(VIP, WEB, CONNECTIONS, first_port=30000)
        self.shares(answers, TOLERANCE)
        self.screen.claim("they went through fe6", self.carried("fe6") > before)

    def keep(self):
        screen = self.screen
        screen.title("The cluster stays up until you press Enter")
        for node in self.lab:
            screen.say(f"  ip netns exec {node.namespace.name} "
                       f"{program('droverctl')} -s {node.control_path} status")
        screen.say(f"  ip netns exec {self.lab['fe6'].namespace.name} nft list ruleset | less")
        screen.say(f"  ip netns exec {self.lab.client.namespace.name} bash")
        sys.stdin.readline()

    def tell(self):
        for chapter in (self.begin, self.activate, self.connections, self.datagrams, self.look,
                        self.hold, self.drain, self.move, self.restore, self.again):
            chapter()


def main():
    parser = argparse.ArgumentParser(prog="contrib/demo", description="drover at work")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up until Enter")
    options = parser.parse_args()
    screen = Screen()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        with Lab(list(WEIGHTS), vips=[VIP]) as lab:
            demo = Demo(lab, screen)
            demo.tell()
            if options.keep:
                demo.keep()
    except KeyboardInterrupt:
        screen.say("\ninterrupted; the cluster is gone")
        return 130
    except AssertionError as error:
        screen.claim(f"the demo could not go on: {error}", False)
    return screen.end(time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
