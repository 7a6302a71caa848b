"""Tables of what the events did."""

import statistics
from collections import Counter

from .plan import KINDS

LOSSES_SHOWN = 6
HEAD = ("times", "flows", "broken", "moved", "unopened", "of dead", "longest ms", "removal ms")


def _ms(seconds):
    return "" if seconds is None else f"{1000 * seconds:.0f}"


def by_kind(outcomes):
    """{kind: its outcomes}, in the order of the plan's kinds."""
    found = {kind: [] for kind in KINDS}
    for outcome in outcomes:
        found[outcome.event.kind].append(outcome)
    return {kind: list_ for kind, list_ in found.items() if list_}


def _cells(outcomes):
    """The columns of HEAD, summed up; of times, the longest."""
    def total(count):
        return str(sum(count(outcome) for outcome in outcomes))

    removals = [outcome.removal for outcome in outcomes if outcome.removal is not None]
    return (str(len(outcomes)), f"{statistics.mean(outcome.flows for outcome in outcomes):.0f}",
            total(lambda outcome: len(outcome.broken)), total(lambda outcome: len(outcome.moved)),
            total(lambda outcome: outcome.unopened), total(lambda outcome: outcome.dead),
            _ms(max(outcome.longest for outcome in outcomes)), _ms(max(removals, default=None)))


def _line(first, cells, note=""):
    return (f"{first:<18}" + "".join(f"{cell:>11}" for cell in cells) + note).rstrip()


def _note(outcomes):
    stuck = sum(outcome.stuck for outcome in outcomes)
    failed = any(outcome.error for outcome in outcomes)
    return (f"  {stuck} stuck" if stuck else "") + ("  FAILED" if failed else "")


def table(outcomes):
    """One balancer: a row for each kind of event."""
    kinds = by_kind(outcomes)
    yield _line("", HEAD)
    for kind in KINDS:
        if kind in kinds:
            yield _line(kind, _cells(kinds[kind]), _note(kinds[kind]))
    yield _line("all", _cells(outcomes))


SIDE = (("times", 7), ("broken", 8), ("longest ms", 12), ("removal ms", 12))


def side_by_side(trials):
    """trials: {balancer's name: its outcomes}. Broken are connections and UDP flows."""
    width = sum(width for _, width in SIDE)
    kinds = {name: by_kind(outcomes) for name, outcomes in trials.items()}
    yield (" " * 18 + "".join(f"{name:>{width}}" for name in trials)).rstrip()
    yield " " * 18 + "".join(f"{head:>{width}}" for head, width in SIDE * len(trials))
    for kind in KINDS:
        if any(kind in one for one in kinds.values()):
            yield _side_line(kind, [one.get(kind, []) for one in kinds.values()])
    yield _side_line("all", trials.values())


def _side_line(first, lists):
    cells = [cell for outcomes in lists for cell in _side(outcomes)]
    return (f"{first:<18}" + "".join(f"{cell:>{width}}" for cell, (_, width)
                                     in zip(cells, SIDE * len(cells)))).rstrip()


def _side(outcomes):
    if not outcomes:
        return ("-",) + ("",) * (len(SIDE) - 1)
    cells = dict(zip(HEAD, _cells(outcomes)))
    broken = sum(outcome.harm for outcome in outcomes)
    return cells["times"], str(broken), cells["longest ms"], cells["removal ms"]


def _losses(outcome):
    """What broke, the most frequent first: "12 hashed of fe5 reset"."""
    counts = Counter((loss["target"], loss["member"], loss["why"])
                     for loss in outcome.broken + outcome.moved)
    return [f"{count} {target} of {member or 'nobody yet'} {why}"
            for (target, member, why), count in counts.most_common(LOSSES_SHOWN)]


def happened(outcome):
    """Lines about one event, as it happens."""
    parts = [f"{outcome.harm} broken" if outcome.harm else "nothing broken"]
    if outcome.stuck:
        parts.append(f"{outcome.stuck} stuck")
    if outcome.dead:
        parts.append(f"{outcome.dead} died with their member")
    parts.append(f"longest {_ms(outcome.longest)} ms")
    if outcome.removal is not None:
        parts.append(f"removal {_ms(outcome.removal)} ms")
    lines = [f"{str(outcome.event):<50} {outcome.lasted:>5.1f} s  " + ", ".join(parts)]
    lines += [f"    {text}" for text in (*_losses(outcome), outcome.error) if text]
    return "\n".join(lines)


def tap(outcomes):
    """A line for each kind of event, as tests/tally reads it."""
    kinds = by_kind(outcomes)
    yield f"1..{len(kinds)}"
    for number, (kind, list_) in enumerate(kinds.items(), 1):
        bad = any(outcome.harm or outcome.error for outcome in list_)
        yield f"{'not ok' if bad else 'ok'} {number} - chaos: {kind}: no flow broken"
