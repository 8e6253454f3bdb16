"""``yiwang shadow``: a parameter set beside the living run."""

import asyncio
import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yiwang import settings
from yiwang.clock import SECOND, SystemClock
from yiwang.errors import BadInput
from yiwang.settings import Settings

if TYPE_CHECKING:
    from scenarios.sets import ParameterSet
    from scenarios.shadowing import Shadowing

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _since(_ctx: click.Context, _param: click.Parameter, text: str | None) -> float | None:
    """Seconds; infinity for the beginning of the logs."""
    if text is None:
        return None
    if text == "start":
        return float("inf")
    try:
        value = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        value = -1.0
    if not 0 < value < float("inf"):
        raise click.BadParameter(f"{text!r}: write 30m, 1h or 2d, or start for all there is")
    return value


@click.command("shadow")
@click.argument("set_", metavar="SET", type=click.Path(path_type=Path))
@click.option(
    "--since",
    callback=_since,
    help="Compare the last 30m, 1h, 2d, or from the start [default: 1h; with --follow: from now].",
)
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--warm-up", default="30m", callback=_since, show_default=True, help="Read so much before --since."
)
@click.option(
    "--every",
    default=2.0,
    type=click.FloatRange(0.2, 3600),
    show_default=True,
    help="With --follow: seconds between looks.",
)
@click.option("--run", help="Name of the run (setting run).")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object; with --follow one a line, when something changed.",
)
def command(
    set_: Path,
    since: float | None,
    follow: bool,
    warm_up: float,
    every: float,
    run: str | None,
    as_json: bool,
) -> None:
    """Run the parameter set SET beside the living city and list what it would have raised otherwise.

    The run's own feed and commands go a second time through the district machine, in this process and under the set's
    values; nothing is written anywhere. Listed are incidents that only one of the two raised, that came earlier or
    later, or at another level. Sets come from "yiwang tune"; "yiwang domains apply" puts one in force.
    """
    from scenarios import sets

    given = settings.load(run=run)
    chosen = sets.load(set_)
    if since is None and not follow:
        since = 3600.0
    try:
        asyncio.run(_run(given, chosen, since, warm_up, every, follow=follow, as_json=as_json))
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(
    given: Settings,
    chosen: "ParameterSet",
    since: float | None,
    warm_up: float,
    every: float,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    from scenarios.shadowing import Shadowing
    from sql import get_run, list_runs
    from sql.runs import unknown_run
    from yiwang.topics import Topics

    dsn = given.database.get_secret_value()
    known = await asyncio.to_thread(get_run, dsn, given.run)
    if known is None:
        raise unknown_run(given.run, [r.name for r in await asyncio.to_thread(list_runs, dsn)])
    if warm_up == float("inf"):
        raise BadInput("shadow.warm_up", "--warm-up: a length such as 30m; --since start needs none")
    if known.kind == "replay" and since not in (None, float("inf")):
        raise BadInput(
            "shadow.replay",
            f"run {given.run} is a replay, whose own time is not the clock's: say --since start",
            run=given.run,
        )
    since_ns = None
    if since is not None:
        now_ns = SystemClock().now_ns()
        since_ns = 0 if since == float("inf") else now_ns - round(since * SECOND)
    async with await Shadowing.start(
        chosen, Topics(given.run), bootstrap=given.kafka, dsn=dsn, since_ns=since_ns, warm_up_s=warm_up
    ) as shadowing:
        shown = None
        while True:
            await shadowing.catch_up()
            result = _result(shadowing)
            if result["differences"] != shown:
                shown = result["differences"]
                _show(result, chosen.name, as_json=as_json)
            if not follow:
                return
            await asyncio.sleep(every)


def _result(shadowing: "Shadowing") -> dict[str, Any]:  # Any: plain JSON
    from scenarios import beside, comparing

    changes = sorted(
        (line for b in shadowing.districts.values() for line in comparing.as_json(b.changes())),
        key=lambda line: (line["time_ns"], line["district"], line["place"]),
    )
    return beside.as_json(shadowing.districts, changes)


def _show(result: dict[str, Any], name: str, *, as_json: bool) -> None:  # Any: plain JSON
    if as_json:
        click.echo(jsonlib.dumps(result, ensure_ascii=False))
        return
    from rich.console import Console

    from scenarios import comparing
    from scenarios.scoretables import Sheet, rich_table

    out = Console() if sys.stdout.isatty() else Console(width=160)
    out.print(rich_table(comparing.sheet(result["differences"], ("live", name))))
    rows = tuple(
        (
            entry,
            str(n["live"]),
            str(n["shadow"]),
            f"{n['shadow'] - n['live']:+d}" if n["shadow"] != n["live"] else "",
        )
        for entry, n in result["findings"].items()
    )
    out.print(rich_table(Sheet(title="findings", header=("entry", "live", "shadow", ""), rows=rows)))
    click.echo(
        f"raised: live {result['live_raised']}, shadow {result['shadow_raised']}; "
        f"commands that meant something else there: {result['commands_apart']}"
    )
