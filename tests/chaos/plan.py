"""Which events befall the cluster: a random sequence that the seed determines.

The sequence is made before anything runs, from a model of the cluster. So it is the same for
each balancer that is compared, and nothing that one of them does can change it.
"""

import random
from dataclasses import dataclass, field

BALANCERS = ("lb1", "lb2")
MEMBERS = ("lb2", "fe5", "fe6", "fe7", "fe8")
# lb2 has both parts: it sends flows to itself, and when it dies as balancer its flows die as well.
# lb1 is a balancer only: no conntrack of its own knows any flow. fe8 is yet to come.
AT_FIRST = ("lb2", "fe5", "fe6", "fe7")
WEIGHTS = (10, 25, 50, 75, 100, 150, 200, 400)
SERVING_MIN = 3


@dataclass(frozen=True)
class Event:
    """Something that happens to one host, or to the cluster. other: the host that takes over."""

    kind: str
    host: str = ""
    other: str = ""
    value: int = 0
    variant: str = ""

    def __str__(self):
        words = (self.kind, self.host, f"to {self.value}" if self.value else "",
                 f"({self.variant})" if self.variant else "")
        return " ".join(word for word in words if word)


@dataclass
class Model:
    """The cluster after the events so far."""

    configured: set = field(default_factory=lambda: set(AT_FIRST))
    drained: str = ""
    down: str = ""
    active: str = BALANCERS[0]

    @property
    def standby(self):
        return next(name for name in BALANCERS if name != self.active)

    @property
    def is_pair(self):
        """True while both balancers are up."""
        return self.down not in BALANCERS

    def running(self):
        return [name for name in dict.fromkeys(BALANCERS + MEMBERS)
                if name != self.down and (name in self.configured or name in BALANCERS)]

    def serving(self):
        return [name for name in MEMBERS
                if name in self.configured and name not in (self.drained, self.down)]

    def spare(self):
        """Members that may stop serving."""
        return self.serving() if len(self.serving()) > SERVING_MIN else []

    def only_members(self, names):
        return [name for name in names if name not in BALANCERS]


# --- what could happen now: each returns events of its kind ------------------

def nothing(_):
    return [Event("nothing")]


def member_added(model):
    return [Event("member added", name) for name in MEMBERS
            if name not in model.configured and name != model.down]


def member_removed(model):
    return [Event("member removed", name) for name in model.spare()]


def member_drained(model):
    return [] if model.drained else [Event("member drained", name) for name in model.spare()]


def member_enabled(model):
    if model.drained in ("", model.down):
        return []
    return [Event("member enabled", model.drained)]


def member_reweighted(model):
    return [Event("member reweighted", name, value=weight)
            for name in model.serving() for weight in WEIGHTS]


def member_killed(model):
    if model.down:
        return []
    return [Event("member killed", name) for name in model.only_members(model.spare())]


def member_returned(model):
    down = [model.down] if model.down else []
    return [Event("member returned", name) for name in model.only_members(down)]


def node_rebooted(model):
    """Without a word to anybody. Not the active balancer: that is "balancer killed"."""
    names = model.only_members(model.spare())
    if model.is_pair and (model.standby not in model.serving() or model.spare()):
        names.append(model.standby)
    return [Event("node rebooted", name) for name in names]


def duty_moved(model):
    variants = ("activate first", "standby first")
    return [Event("duty moved", model.standby, model.active, variant=variant)
            for variant in variants if model.is_pair]


def balancer_returned(model):
    variants = ("stands by", "takes the duty at once")
    return [Event("balancer returned", model.down, model.active, variant=variant)
            for variant in variants if not model.is_pair]


def active_lost(kind):
    def lost(model):
        """The standby is there; and if it is a member, it may be missed as one."""
        if model.down or (model.active in model.serving() and not model.spare()):
            return []
        return [Event(kind, model.active, model.standby)]
    return lost


def daemon_ended(kind):
    def ended(model):
        """On any host, and on the active balancer more often than elsewhere."""
        return [Event(kind, name) for name in [*model.running(), model.active, model.active]]
    return ended


def ruleset_flushed(model):
    return [Event("ruleset flushed", model.active), Event("ruleset flushed", variant="everywhere")]


def sync_tampered(kind):
    def tampered(model):
        """Under it a member is reweighted and the duty moves: then sync matters."""
        return [Event(kind, name, model.standby, weight)
                for name in model.serving() for weight in WEIGHTS if model.is_pair]
    return tampered


KINDS = {
    "nothing": nothing,
    "member added": member_added,
    "member removed": member_removed,
    "member drained": member_drained,
    "member enabled": member_enabled,
    "member reweighted": member_reweighted,
    "member killed": member_killed,
    "member returned": member_returned,
    "node rebooted": node_rebooted,
    "duty moved": duty_moved,
    "balancer killed": active_lost("balancer killed"),
    "balancer returned": balancer_returned,
    "balancer cut off": active_lost("balancer cut off"),
    "daemon restarted": daemon_ended("daemon restarted"),
    "daemon killed": daemon_ended("daemon killed"),
    "ruleset flushed": ruleset_flushed,
    "sync lost": sync_tampered("sync lost"),
    "sync doubled": sync_tampered("sync doubled"),
    "sync reordered": sync_tampered("sync reordered"),
    "sync forged": sync_tampered("sync forged"),
}


def apply(model, event):
    """What the cluster is like after the event."""
    kind, host = event.kind, event.host
    if kind == "member added":
        model.configured.add(host)
    elif kind == "member removed":
        model.configured.discard(host)
    elif kind == "member drained":
        model.drained = host
    elif kind == "member enabled":
        model.drained = ""
    elif kind in ("member killed", "balancer killed"):
        model.down = host
    elif kind in ("member returned", "balancer returned"):
        model.down = ""
    if kind in ("balancer killed", "balancer cut off") or kind.startswith("sync "):
        model.active = event.other
    elif kind == "duty moved" or event.variant == "takes the duty at once":
        model.active = host


def generate(seed, count, kinds=None):
    """So many events, of some kinds or all.

    Kinds are dealt like cards, so that each has its turn before any has the next. The first event
    is that nothing happens: what breaks then breaks by itself.
    """
    dice, model, events = random.Random(seed), Model(), []
    kinds, deck = sorted(kinds or KINDS), ["nothing"]
    while len(events) < count:
        possible = {kind: KINDS[kind](model) for kind in deck}
        kind = next((kind for kind in deck if possible[kind]), None)
        if kind is None:
            assert len(deck) < 100 * len(kinds), f"{', '.join(kinds)}: these alone cannot go on"
            deck += dice.sample(kinds, len(kinds))
            continue
        deck.remove(kind)
        events.append(dice.choice(possible[kind]))
        apply(model, events[-1])
    return events
