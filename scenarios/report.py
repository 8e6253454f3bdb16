"""A score for people: found, missed, split, merged and delay, as a table."""

from collections import defaultdict
from statistics import median

from rich.console import Console
from rich.table import Table

from scenarios.model import Scenario
from scenarios.scoring import Score, Verdict
from yiwang.clock import iso


def table(scenario: Scenario, result: Score, *, every: bool = False) -> Table:
    """One line a truth where there are few (or ``every``), else one a place; a total below."""
    return _each(scenario, result) if every or len(result.verdicts) <= 20 else _by_place(scenario, result)


def _each(scenario: Scenario, result: Score) -> Table:
    out = Table(title=f"{scenario.title.zh} · {scenario.title.en}", title_justify="left")
    for name in (
        "begin (UTC)",
        "kind",
        "place",
        "truth",
        "found",
        "peak",
        "delay s",
        "levels late s",
        "closed once",
    ):
        out.add_column(name, justify="right" if name.endswith(" s") else "left", no_wrap=True)
    for v in result.verdicts:
        out.add_row(
            iso(v.begin_ns)[:19].replace("T", " "),
            v.kind,
            v.place,
            "I" * v.severity if v.severity < 4 else "IV",
            {0: "missed", 1: "found"}.get(len(v.incidents), f"split in {len(v.incidents)}"),
            ("I" * v.peak if v.peak < 4 else "IV") if v.incidents else "",
            "" if v.delay_s is None else f"{v.delay_s:.0f}",
            " ".join("-" if s is None else f"{s:.0f}" for s in v.level_delays_s.values()),
            ("yes" if v.closed_once else "no") if v.incidents else "",
        )
    return out


def _by_place(scenario: Scenario, result: Score) -> Table:
    out = Table(title=f"{scenario.title.zh} · {scenario.title.en}", title_justify="left")
    out.add_column("place", no_wrap=True)
    for name in (
        "truths",
        "found",
        "missed",
        "split",
        "late",
        "wrong level",
        "not closed",
        "delay s, median",
        "max",
    ):
        out.add_column(name, justify="right")
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for v in result.verdicts:
        groups[v.place].append(v)
    for place, verdicts in [*sorted(groups.items()), ("all", list(result.verdicts))]:
        if place == "all":
            out.add_section()
        found = [v for v in verdicts if v.incidents]
        delays = [v.delay_s for v in found if v.delay_s is not None]
        out.add_row(
            place,
            str(len(verdicts)),
            str(len(found)),
            str(len(verdicts) - len(found)),
            str(sum(len(v.incidents) > 1 for v in found)),
            str(sum(not v.on_time for v in found)),
            str(sum(v.peak != v.severity for v in found)),
            str(sum(not v.closed_once for v in found)),
            f"{median(delays):.0f}" if delays else "",
            f"{max(delays):.0f}" if delays else "",
        )
    return out


def show(console: Console, scenario: Scenario, result: Score, *, every: bool = False) -> None:
    """Print the table and what stands beside it."""
    console.print(table(scenario, result, every=every))
    console.print(
        f"false: {len(result.false)}   merged: {len(result.merged)}   "
        f"truth {'[bold]met[/bold]' if result.met else '[bold]not met[/bold]'}"
    )
    for id_ in result.false[:10]:
        console.print(f"  false: {id_}")
