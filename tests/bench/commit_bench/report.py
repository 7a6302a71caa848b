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
    return (f"{'':7} {'':8} {'':7}  {'':<11}{'drover':^27}{'nftlb':^27}{'nftlb / drover':>16}\n"
            f"{'members':>7} {'services':>8} {'buckets':>7}  {'change':<11}"
            + f"{'CPU ms':>9}{'wall ms':>9}{'PSS MiB':>9}" * 2 + f"{'CPU':>8}{'wall':>8}")


def _cells(one):
    if not one:
        return f"{'':27}"
    if one["why"]:
        return f"{one['why']:>27}"
    return f"{one['cpu']:>9.2f}{one['wall']:>9.2f}{one['memory']['Pss'] / 1024:>9.1f}"


def _ratio(row, what):
    values = [(row.get(name) or {}).get(what) for name in ("nftlb", "drover")]
    return f"{values[0] / values[1]:>8.1f}" if all(values) else ""


def compare_line(row):
    return (f"{row['members']:>7} {row['services']:>8} {row['buckets']:>7}  {row['change']:<11}"
            f"{_cells(row['drover'])}{_cells(row.get('nftlb'))}"
            f"{_ratio(row, 'cpu')}{_ratio(row, 'wall')}").rstrip()
