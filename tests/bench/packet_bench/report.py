"""Figures, the table made of them, and their comparison with the committed ones."""

import json
from dataclasses import dataclass

TOLERANCE = 0.03


@dataclass
class Figure:
    """What a packet costs."""

    row: object
    instructions: float
    above: float = 0.0
    of_ipvs: float = None
    of_nftlb: float = None

    def record(self):
        """For JSON."""
        return {"name": self.row.name, "title": self.row.title,
                "instructions": round(self.instructions, 1), "above_floor": round(self.above, 1),
                "of_ipvs_mh": self.of_ipvs and round(self.of_ipvs, 3),
                "of_nftlb": self.of_nftlb and round(self.of_nftlb, 3)}


def relate(rows, instructions):
    """{name: Figure} of the rows, each set against its floor, IPVS mh and nftlb."""
    figures = {row.name: Figure(row, instructions[row.name]) for row in rows}
    for figure in figures.values():
        figure.above = figure.instructions - instructions[figure.row.floor]
    for figure in figures.values():
        if figure.row.floor == "fwd" and figure.above > 0:
            figure.of_ipvs = _ratio(figure, figures.get(f"ipvs-mh-{figure.row.protocol}"))
            figure.of_nftlb = _ratio(figure, figures.get(f"nftlb-{figure.row.protocol}"))
    return figures


def _ratio(figure, other):
    return figure.above / other.above if other else None


# --- the table -------------------------------------------------------------------------------

def _cells(figure):
    def ratio(value):
        return f"{value:.2f}" if value else ""
    return (f"  {figure.row.title}", f"{figure.instructions:.0f}", f"{figure.above:+.0f}",
            ratio(figure.of_ipvs), ratio(figure.of_nftlb))


HEAD = ("instructions per packet", "total", "above", "/IPVS", "/nftlb")


def line(cells):
    """One line of the table: the first cell to the left, the others to the right."""
    return f"{cells[0]:<44}" + "".join(f"{cell:>8}" for cell in cells[1:])


def table(lines, figures, about):
    """The lines are rows and headings."""
    out = [about, "", line(HEAD)]
    for one in lines:
        out += ["", one] if isinstance(one, str) else [line(_cells(figures[one.name]))]
    return "\n".join(text.rstrip() for text in out) + "\n"


def records(figures, version):
    """For JSON."""
    return json.dumps({"kernel": version, "rows": [one.record() for one in figures.values()]},
                      indent=1) + "\n"


# --- the committed figures -------------------------------------------------------------------

def committed(path):
    """{name of a row: instructions above its floor}."""
    return json.loads(path.read_text())["above_floor"]


def kernel(path):
    """That of the committed figures."""
    return json.loads(path.read_text())["kernel"]


def commit_text(figures, version):
    """The text of the file with the committed figures."""
    above = {name: round(one.above) for name, one in figures.items() if round(one.above) > 0}
    return json.dumps({"kernel": version, "above_floor": above}, indent="\t") + "\n"


def complaints(figures, wanted):
    """(dearer, text) for drover's rows that changed: that one costs less is news, too."""
    for name, figure in figures.items():
        if name not in wanted or not figure.row.configuration:
            continue
        change = figure.above / wanted[name] - 1
        if abs(change) > TOLERANCE:
            yield change > 0, (f"{figure.row.title}: {figure.above:.0f} instructions above the "
                               f"floor, committed are {wanted[name]} ({change:+.1%})")
