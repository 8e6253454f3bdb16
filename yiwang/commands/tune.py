"""``yiwang tune``: a detector entry's parameters, searched on scenarios and judged on those held out."""

import json as jsonlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yiwang.commands._outputs import check_file

if TYPE_CHECKING:
    from scenarios.figures import Tally
    from scenarios.tuning import Metric, Trial, Tuned

_COLUMNS = ("recall", "precision", "false_per_day", "delay_median_s", "splits", "level_errors")


@click.command("tune")
@click.argument("entry")
@click.option(
    "--scenarios",
    "sources",
    required=True,
    multiple=True,
    metavar="NAME[,NAME…]",
    help="Scenarios to tune on; repeatable. night@7 is the night with seed 7.",
)
@click.option(
    "--seeds",
    type=click.IntRange(0, 50),
    default=0,
    show_default=True,
    help="Also so many other seeds of each.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=LO:HI[:N]",
    help="What is searched, in N steps; repeatable.",
)
@click.option(
    "--folds",
    type=click.IntRange(0, 50),
    default=3,
    show_default=True,
    help="Parts of which one is held out in turn.",
)
@click.option(
    "--metric",
    type=click.Choice(["f1", "cost"]),
    default="f1",
    show_default=True,
    help="What the choice is by.",
)
@click.option(
    "--budget", type=click.IntRange(2, 10_000), default=40, show_default=True, help="Most points tried."
)
@click.option("--name", default="", help="Of the parameter set.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the chosen parameter set here.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=lambda: os.cpu_count() or 1,
    show_default="one a core",
    help="Processes.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON line instead of tables.")
def command(
    entry: str,
    sources: tuple[str, ...],
    seeds: int,
    params: tuple[str, ...],
    folds: int,
    metric: "Metric",
    budget: int,
    name: str,
    output: Path | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Search the parameters of the detector ENTRY, such as depth.ladder, on scenarios with truth.

    Printed are the trade-off between recall, false incidents and delay, the points that no other one beats, and
    the chosen one with what such a choice is worth on scenarios (or stretches of them) that it was not made on.
    -o writes it as a parameter set: "yiwang domains apply" puts it in force from the city's folder, "yiwang shadow"
    runs it beside the living city, "yiwang score --set" scores it.
    """
    from rich.console import Console

    from scenarios import sets, tuning

    console = Console(stderr=True)
    check_file(output, code="tune.file")
    names = [n for group in sources for n in group.split(",") if n]
    names += [f"{n}@{seed}" for n in list(names) for seed in range(1, seeds + 1)]
    found, units = tuning.materials(names, entry, folds)
    box = tuning.ranges(tuning.entry_of(found[0].scenario, entry), params)

    def tell(n: int, trial: "Trial") -> None:
        point = "  ".join(f"{k} {v:g}" for k, v in trial.point.items())
        line = f"[dim]{n:4} of {budget}  {point}  {_short(trial.whole)}[/dim]"
        console.print(line, highlight=False, soft_wrap=True)

    several = len(found) > 1 and jobs > 1
    with (
        ProcessPoolExecutor(min(jobs, len(found)), mp_context=get_context("spawn"))
        if several
        else nullcontext() as pool
    ):
        tuned = tuning.tune(
            found, units, entry, box, folds=folds, budget=budget, metric=metric, pool=pool, tell=tell
        )
    chosen = tuning.parameter_set(tuned, name)
    if output is not None:
        output.write_text(sets.text(chosen, about=_about(tuned)), encoding="utf-8")
    if as_json:
        click.echo(jsonlib.dumps(_json(tuned, chosen.version), ensure_ascii=False))
        return
    out = Console() if console.is_terminal else Console(width=160)
    for table in _tables(tuned):
        out.print(table)
    click.echo(
        f"parameter set {chosen.name}, version {chosen.version}" + (f", in {output}" if output else "")
    )


def _short(t: "Tally") -> str:
    from scenarios.figures import figures

    f = figures(t)
    return "  ".join(f"{k} {'–' if f[k] is None else f'{f[k]:.3g}'}" for k in _COLUMNS[:4])


def _about(tuned: "Tuned") -> list[str]:
    start = tuned.trials[0]
    lines = [
        f"Tuned by yiwang tune on {', '.join(tuned.units)}, by {tuned.metric}, {len(tuned.trials)} trials.",
        f"before:   {_short(start.whole)}",
        f"chosen:   {_short(tuned.trials[tuned.chosen].whole)}",
    ]
    return [*lines, f"held out: {_short(tuned.held_out)}"] if tuned.folds else lines


def _json(tuned: "Tuned", version: str) -> dict[str, Any]:  # Any: plain JSON
    from scenarios.figures import figures
    from scenarios.scorecard import rounded

    def trial(i: int) -> dict[str, Any]:  # Any: plain JSON
        one = tuned.trials[i]
        return {"params": one.point, **rounded(figures(one.whole))}

    return {
        "entry": tuned.entry,
        "kind": tuned.kind,
        "metric": tuned.metric,
        "units": list(tuned.units),
        "set": version,
        "before": trial(0),
        "chosen": trial(tuned.chosen),
        "held_out": rounded(figures(tuned.held_out)) if tuned.folds else None,
        "folds": [
            {"units": list(f.units), "params": f.chosen, **rounded(figures(f.held_out))} for f in tuned.folds
        ],
        "pareto": [trial(i) for i in tuned.pareto],
        "trials": [trial(i) for i in range(len(tuned.trials))],
    }


def _tables(tuned: "Tuned") -> list[Any]:  # Any: rich tables
    from scenarios.figures import figures
    from scenarios.scoretables import COLUMNS, Sheet, cell, rich_table

    forms = {key: form for key, _, form in COLUMNS}
    titles = {key: title for key, title, _ in COLUMNS}
    names = tuple(tuned.trials[0].point)

    def row(label: str, point: dict[str, float], t: "Tally") -> tuple[str, ...]:
        f = figures(t)
        return (label, *(f"{point[n]:g}" for n in names), *(cell(f[k], forms[k]) for k in _COLUMNS))

    def sheet(title: str, rows: Sequence[tuple[str, ...]]) -> Any:  # Any: a rich table
        header = ("", *names, *(titles[k] for k in _COLUMNS))
        return rich_table(Sheet(title=title, header=header, rows=tuple(rows)))

    first, best = tuned.trials[0], tuned.trials[tuned.chosen]
    curve = sorted(tuned.pareto, key=lambda i: (figures(tuned.trials[i].whole)["false_per_day"] or 0.0, i))
    tables = [
        sheet(
            "trade-off: what no other point beats in recall, false incidents and delay at once",
            [
                row("chosen" if i == tuned.chosen else "", tuned.trials[i].point, tuned.trials[i].whole)
                for i in curve
            ],
        ),
        sheet("the choice", [row("before", first.point, first.whole), row("chosen", best.point, best.whole)]),
    ]
    if tuned.folds:
        rows = [row(", ".join(f.units), f.chosen, f.held_out) for f in tuned.folds]
        whole = figures(tuned.held_out)
        rows.append(("all", *("" for _ in names), *(cell(whole[k], forms[k]) for k in _COLUMNS)))
        tables.append(sheet("held out: chosen without these, judged on them", rows))
    return tables
