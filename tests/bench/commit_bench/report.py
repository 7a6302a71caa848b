"""The tables."""

STEPS = ("plan", "compile", "diff", "commit", "cpu")


def steps_head():
    return (f"{'members':>7} {'services':>8} {'buckets':>7} {'subsets':>7}  {'change':<14}"
            + "".join(f"{name:>9}" for name in ("plan ms", *STEPS[1:4], "CPU ms"))
            + f"{'messages':>9}{'KiB':>8}")


def steps_line(row):
    return (f"{row['members']:>7} {row['services']:>8} {row['buckets']:>7} {row['subsets']:>7}"
            f"  {row['change']:<14}" + "".join(f"{row[name]:>9.2f}" for name in STEPS)
            + f"{row['messages']:>9}{row['bytes'] / 1024:>8.1f}")


def compare_head():
    columns = f"{'CPU ms':>9}{'wall ms':>9}{'PSS MiB':>9}"
    return (f"{'':38}{'drover':^27}{'nftlb':^27}{'IPVS mh':^18}{'nftlb/drover':>16}"
            f"{'IPVS/drover':>16}\n"
            f"{'members':>7} {'services':>8} {'buckets':>7}  {'change':<12}"
            + columns * 2 + columns[:18] + f"{'CPU':>8}{'wall':>8}" * 2)


def _cells(one, width):
    if not one or one["why"]:
        return " " * width
    memory = f"{one['memory']['Pss'] / 1024:>9.1f}" if one["memory"] else ""
    return f"{one['cpu']:>9.2f}{one['wall']:>9.2f}{memory}"


def _ratio(row, name, what):
    values = [(row.get(one) or {}).get(what) for one in (name, "drover")]
    return f"{values[0] / values[1]:>8.1f}" if all(values) else f"{'':8}"


def reasons(row):
    """Why there are no figures of a balancer."""
    for name in ("drover", "nftlb", "ipvs"):
        if row.get(name) and row[name]["why"]:
            yield f"{row['members']:>7} {row['services']:>8} {name}: {row[name]['why']}"


def compare_line(row):
    return (f"{row['members']:>7} {row['services']:>8} {row['buckets']:>7}  {row['change']:<12}"
            f"{_cells(row['drover'], 27)}{_cells(row.get('nftlb'), 27)}"
            f"{_cells(row.get('ipvs'), 18)}"
            + "".join(_ratio(row, name, what) for name in ("nftlb", "ipvs")
                      for what in ("cpu", "wall"))).rstrip()
