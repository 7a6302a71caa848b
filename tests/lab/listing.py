"""Comparing rulesets as `nft -j list ruleset` gives them."""

import difflib
import json
import re


SHIELD = ("inet", "drover-shield")


def table_of(item):
    """Family and name of the table that one of nft's objects is in, or is."""
    body = next(iter(item.values()))
    return body["family"], body.get("table") or body["name"]


def without_shield(objects):
    """What remains when nobody holds the table that belongs to the daemon."""
    return [item for item in objects if table_of(item) != SHIELD]


def essence(objects):
    """nft's objects without what differs between two times or places.

    Handles, counts, elements that end by themselves. And a table's flags: nft 1.0.6 prints other
    strings of the listing in their place.
    """
    return [_strip(item) for item in objects]


def _strip(value):
    if isinstance(value, dict):
        return {name: _zero(item) if name == "counter" else _strip(item)
                for name, item in value.items() if name != "handle"}
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


def _zero(counter):
    return "counter" if isinstance(counter, dict) or counter is None else counter


def in_order(text):
    """A listing of nft's whose objects stand in an order that does not depend on their history."""
    parts = re.split(r"^(?=\t(?:set|map|chain) |table )", text, flags=re.MULTILINE)
    return "".join(sorted(parts))


def _place(item):
    """By which nft's objects are sorted: rules stay in the order of their chain."""
    kind, body = next(iter(item.items()))
    return kind, body["family"], body.get("table", ""), body.get("chain") or body["name"]


def difference(left, right, limit=40):
    """The lines in which two rulesets differ, as text; empty if they are the same.

    nft lists objects in the order in which they were made, which does not count.
    """
    texts = [[json.dumps(item, sort_keys=True) for item in _flatten(objects)]
             for objects in (essence(left), essence(right))]
    lines = list(difflib.unified_diff(*texts, "left", "right", lineterm="", n=0))
    return "\n".join(line[:300] for line in lines[:limit])


def _ends(element):
    """An element of a set, or of a map: that is a pair."""
    element = element[0] if isinstance(element, list) else element
    return isinstance(element, dict) and "expires" in element.get("elem", {})


def _flatten(objects):
    """Elements of maps as lines of their own, so that a difference shows which one it is."""
    for item in sorted(objects, key=_place):
        for kind, body in item.items():
            elements = body.get("elem", [])
            hidden = ("elem", "flags") if kind == "table" else ("elem",)
            yield {kind: {name: part for name, part in body.items() if name not in hidden}}
            yield from (element for element in elements if not _ends(element))
