"""A scoring as tables, for a terminal and for Markdown. Made from the one JSON object, so an old one can be shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from scenarios.floors import Difference

Summary = Mapping[str, Any]  # Any: plain JSON, as ``scorecard.summary`` makes it
Cell = Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table of texts. The first ``names`` columns are names, the others figures."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1
    sections: frozenset[int] = frozenset()  # a line above these rows


def share(v: float) -> str:
    """0.953 as ``0.953``, all and nothing short."""
    return f"{v:.0f}" if v in (0, 1) else f"{v:.3f}"


def seconds(v: float) -> str:
    """Seconds, with a digit where it matters."""
    return f"{v:.1f}" if v < 10 else f"{v:.0f}"


def rate(v: float) -> str:
    """A rate with as many digits as it needs."""
    return "0" if v == 0 else f"{v:.2f}" if v < 10 else f"{v:.0f}"


def count(v: float) -> str:
    """A whole number."""
    return f"{v:.0f}"


COLUMNS: tuple[tuple[str, str, Cell], ...] = (
    ("truths", "truths", count),
    ("found", "found", count),
    ("recall", "recall", share),
    ("precision", "precision", share),
    ("false", "false", count),
    ("false_per_day", "false/day", rate),
    ("false_per_operator_hour", "false/seat h", rate),
    ("delay_median_s", "median s", seconds),
    ("delay_p90_s", "p90 s", seconds),
    ("splits", "splits", count),
    ("merges", "merges", count),
    ("level_errors", "level err.", share),
    ("brier", "Brier", share),
)
ALARMS: tuple[tuple[str, str, Cell, str], ...] = (
    ("annunciations", "annunciations", count, ""),
    ("per_10_min", "mean per 10 min and seat", rate, "≤ 1"),
    ("most_in_10_min", "most in any 10 min", count, "≤ 10"),
    ("periods_over_10", "10-min periods over 10", share, "< 0.01"),
    ("flood_share", "time in flood", share, "< 0.01"),
    ("chattering", "chattering incidents", count, "0"),
    ("stale", "active for over 24 h", count, "< 5"),
    ("top_10_share", "share of the 10 busiest sources", share, "≤ 0.05 (long runs)"),
    ("priority_low", "priority low (IV)", share, "0.80"),
    ("priority_medium", "priority medium (III)", share, "0.15"),
    ("priority_high", "priority high (II)", share, "0.05"),
    ("priority_critical", "priority critical (I)", share, "< 0.01"),
    ("findings_per_incident", "findings per incident", rate, ""),
    ("findings_per_annunciation", "findings per annunciation", rate, ""),
)


def cell(value: float | None, form: Cell) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else form(value)


def telling(counts: Iterable[int]) -> bool:
    """Whether a domain is worth its rows: something was true in it, or somebody raised something."""
    return any(counts)


def _figures(figures: Summary) -> tuple[str, ...]:
    return tuple(cell(figures.get(key), form) for key, _, form in COLUMNS)


def by_domain(summary: Summary) -> Sheet:
    """Ours and the baselines, domain by domain."""
    rows: list[tuple[str, ...]] = []
    sections = set()
    for domain, figures in summary["domains"].items():
        if not telling(f["truths"] + f["raised"] for f in (figures, *figures["baselines"].values())):
            continue
        sections.add(len(rows))
        rows.append((domain, "ours", *_figures(figures)))
        rows += [("", name, *_figures(theirs)) for name, theirs in figures["baselines"].items()]
    return Sheet(
        title=f"{summary['scenarios']} scenario(s), by domain",
        header=("domain", "system", *(title for _, title, _ in COLUMNS)),
        rows=tuple(rows),
        names=2,
        sections=frozenset(sections),
    )


def by_kind(summary: Summary) -> Sheet:
    """Ours, kind by kind."""
    rows: list[tuple[str, ...]] = []
    sections = set()
    for domain, figures in summary["domains"].items():
        sections.add(len(rows))
        rows += [(domain, kind, *_figures(f)) for kind, f in figures["kinds"].items()]
    return Sheet(
        title="by kind of incident",
        header=("domain", "kind", *(title for _, title, _ in COLUMNS)),
        rows=tuple(rows),
        names=2,
        sections=frozenset(sections),
    )


def by_scenario(summary: Summary) -> Sheet:
    """What each scenario showed."""
    keys = ("expected", "found", "missed", "split", "merged", "late", "false")
    return Sheet(
        title="by scenario",
        header=("scenario", *keys, "most in 10 min", "readings", "hours", "s", "met"),
        rows=tuple(
            (
                name,
                *(str(d[k]) for k in keys),
                cell(d["alarms"]["most_in_10_min"], count),
                str(d["readings"]),
                f"{d['hours']:.1f}",
                f"{d['seconds']:.1f}",
                "yes" if d["met"] else "no",
            )
            for name, d in summary["details"].items()
        ),
    )


def alarm_sheet(summary: Summary) -> Sheet:
    """Alarm management, with the goals of domain.md G."""
    figures = summary["alarms"]
    return Sheet(
        title="alarm management, per seat (one seat a district)",
        header=("figure", "value", "goal"),
        rows=tuple((title, cell(figures.get(key), form), goal) for key, title, form, goal in ALARMS),
    )


def calibration(summary: Summary) -> Sheet:
    """How often incidents of each confidence were right."""
    rows = [
        (
            domain,
            f"{b['from']:.1f}–{b['to']:.1f}",
            count(b["incidents"]),
            cell(b["confidence"], share),
            cell(b["right"], share),
        )
        for domain, figures in summary["domains"].items()
        for b in figures["calibration"]
    ]
    return Sheet(
        title="calibration",
        header=("domain", "confidence", "incidents", "mean", "right"),
        rows=tuple(rows),
        names=2,
    )


def sheets(summary: Summary) -> list[Sheet]:
    """All tables of a scoring."""
    return [
        by_domain(summary),
        by_kind(summary),
        by_scenario(summary),
        calibration(summary),
        alarm_sheet(summary),
    ]


def changes(found: Sequence[Difference], *, title: str) -> Sheet:
    """Differences of two scorings."""
    return Sheet(
        title=title,
        header=("where", "figure", "before", "now", ""),
        rows=tuple(
            (d.where, d.figure, cell(d.before, rate), cell(d.now, rate), "worse" if d.worse else "")
            for d in found
        ),
        names=2,
    )


def rich_table(sheet: Sheet) -> Table:
    """For a terminal."""
    table = Table(title=sheet.title, title_justify="left")
    for i, name in enumerate(sheet.header):
        table.add_column(name, justify="left" if i < sheet.names else "right", no_wrap=True)
    for i, row in enumerate(sheet.rows):
        if i in sheet.sections and i:
            table.add_section()
        table.add_row(*row)
    return table


def markdown(sheet: Sheet) -> str:
    """For a page of the docs."""
    marks = ["---" if i < sheet.names else "--:" for i in range(len(sheet.header))]
    lines: Iterable[Sequence[str]] = (sheet.header, marks, *sheet.rows)
    return f"**{sheet.title}**\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
