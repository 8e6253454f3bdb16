"""``yiwang scenario``."""

import asyncio
import json as jsonlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yiwang.clock import SECOND, SystemClock, parse_iso
from yiwang.errors import BadInput
from yiwang.registry import Text
from yiwang.settings import load

if TYPE_CHECKING:
    from scenarios.importing import Imported

EXIT_WRONG = 2
MOST_S = 30 * 86400.0  # of a span in seconds
_path = click.Path(path_type=Path)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d)?")
_UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_out = click.option("-o", "--out", required=True, type=_path, help="New folder for the scenario.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")


@click.group("scenario")
def command() -> None:
    """Make, check, import and record scenarios: what happened, and what must be raised of it.

    A scenario is a folder of tables, described in docs/reference/scenarios.md. yiwang score plays one through the
    detectors and says how well they did, yiwang replay through the whole system.
    """


def _seconds(_ctx: click.Context, _param: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise click.BadParameter(f"{text!r}: give seconds, or 90m, 1h, 2d")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


def _named(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    if text is not None and (not text.strip() or set(text) & set("/\\\n\t")):
        raise click.BadParameter(f"{text!r}: files are called by it, so no / and no \\")
    return text


def _pairs(_ctx: click.Context, param: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        old, sign, new = text.partition("=")
        if not sign or not old or not new:
            raise click.BadParameter(f"{text!r}: write {param.metavar}")
        pairs[old.strip()] = new.strip()
    return pairs


@command.command("new")
@click.argument("name")
@click.argument("folder", type=_path)
def new(name: str, folder: Path) -> None:
    """Write a small scenario NAME with comments into the new FOLDER, to change.

    It passes the check as it is, and scores.
    """
    from scenarios.template import new as write

    files = write(name, folder)
    click.echo(f"written to {folder}: {', '.join(files)}")
    click.echo(f"next: yiwang scenario check {folder}, then yiwang score {folder}")


@command.command("check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_json
def check(paths: tuple[str, ...], as_json: bool) -> None:
    """List everything that is wrong with scenarios, with file, line or row, field and what would be right.

    PATH is a folder, a scenario.yaml, or the name of a built-in scenario.

    Exit status: 0 when all is right, 2 when anything is wrong.
    """
    import msgspec

    from scenarios import files

    wrong = 0
    told = []
    for path in paths:
        scenario, problems = files.check(path)
        wrong += len(problems)
        about = {} if scenario is None or problems else _about(scenario)
        told.append({"path": path, **about, "problems": [msgspec.to_builtins(p) for p in problems]})
        if not as_json:
            for problem in problems:
                click.echo(f"{problem} [{problem.code}]", err=True)
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            click.echo(f"{path}: {_counts(about) if about else count}")
    if as_json:
        click.echo(jsonlib.dumps(told, ensure_ascii=False))
    if wrong:
        sys.exit(EXIT_WRONG)


@command.command("generate")
@click.argument("generator")
@click.option("--seed", default=1, show_default=True, help="Equal seeds give equal scenarios.")
@click.option("--duration", required=True, callback=_seconds, help="Length, such as 3600, 90m, 12h.")
@click.option(
    "--start", default="2026-06-12T20:00:00+08:00", show_default=True, help="Event time of the begin."
)
@click.option(
    "--param",
    "params",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="Of the generator; may recur.",
)
@click.option("--name", callback=_named, help="Name of the scenario [default: the generator's].")
@_out
def generate(
    generator: str,
    seed: int,
    duration: float,
    start: str,
    params: Mapping[str, str],
    name: str | None,
    out: Path,
) -> None:
    """Make a scenario with GENERATOR and write it into a new folder.

    Floods by EPA SWMM and traffic by SUMO need the simulators: pip install 'yiwang[sim]'.
    """
    from dataclasses import replace

    from scenarios import files
    from scenarios.generators import generator as find
    from scenarios.spec import MadeBy

    make = find(generator)
    given = {k: _value(v) for k, v in params.items()}
    _check_params(generator, make, given)
    scenario = make(start_ns=parse_iso(start), seed=seed, duration_s=duration, **given)
    if name:
        scenario = replace(scenario, name=name)
    made_by = MadeBy(generator=generator, seed=seed, duration_s=duration, params=given)
    files.save(scenario, out, made_by=made_by)
    click.echo(f"written to {out}: {_counts(_about(scenario))}")


def _check_params(name: str, make: Any, given: Mapping[str, Any]) -> None:  # Any: a generator and its values
    import inspect

    from scenarios.problems import suggest

    known = set(inspect.signature(make).parameters) - {"start_ns", "seed", "duration_s"}
    for param in given:
        if param not in known:
            raise BadInput(
                "scenario.param",
                f"generator {name} has no parameter {param!r}{suggest(param, known)}",
                name=param,
            )


def _value(text: str) -> Any:  # Any: a number, true, false, a list, or text
    try:
        return jsonlib.loads(text)
    except jsonlib.JSONDecodeError:
        return text


@command.command("import")
@click.option("--readings", required=True, type=_path, help="Table: time, device, metric, value[, unit …].")
@click.option(
    "--devices", type=_path, help="Table: id, kind or metrics[, place, zone, lon, lat, attr:NAME …]."
)
@click.option("--truth", type=_path, help="Table: kind, place or device, begin, end, level[, within_s].")
@click.option(
    "--events", type=_path, help="events.jsonl, or a table of sightings: time, device, class, confidence."
)
@click.option("--tz", help="Zone of times that name none, such as Asia/Shanghai or +08:00.")
@click.option("--time-format", help="strptime pattern of the times, such as '%d/%m/%Y %H:%M'.")
@click.option(
    "--map",
    "renamed",
    multiple=True,
    callback=_pairs,
    metavar="THEIRS=OURS",
    help="A column, metric or kind of the files and what it is here; may recur.",
)
@click.option(
    "--unit",
    "units",
    multiple=True,
    callback=_pairs,
    metavar="METRIC=UNIT",
    help="Unit of a metric's values.",
)
@click.option("--kind", default="", help="Device kind of devices that state none.")
@click.option("--wide", is_flag=True, help="Readings have a column for each metric.")
@click.option("--tick", callback=_seconds, help="Spacing of ticks [default: from how often sensors report].")
@click.option(
    "--merge",
    default=0.0,
    type=click.FloatRange(0, MOST_S),
    help="Truths of one place closer than so many seconds may be one incident.",
)
@click.option(
    "--within",
    callback=_seconds,
    help="Tolerance of truths without one [default: two readings, at least 120 s].",
)
@click.option("--level", default=0, type=click.IntRange(0, 4), help="Level of truths without one, 1 to 4.")
@click.option(
    "--most-bad",
    default=0.01,
    type=click.FloatRange(0, 1),
    show_default=True,
    help="Share of unusable rows above which all is refused.",
)
@click.option("--name", callback=_named, help="Name of the scenario [default: the folder's].")
@_out
@_json
def import_(out: Path, as_json: bool, name: str | None, **options: Any) -> None:  # Any: click's values
    """Make a scenario of three tables: devices, readings and truth, CSV or Parquet (also .gz).

    Columns are found by their usual names; others are named with --map. Units become the packs' own. Readings may
    come in any order: with a column arrival in that of arrival, else by time; duplicates are kept. Rows that cannot
    be used are counted by reason. Times: ISO 8601 with a zone; without one they need --tz; or numbers since 1970 in
    s, ms, us or ns.
    """
    from scenarios import files, importing

    if out.exists() and (not out.is_dir() or any(out.iterdir())):  # before minutes of work, not after
        raise BadInput("scenario.exists", f"{out} is not empty; name a new folder", folder=str(out))
    name = name or out.resolve().name
    tables = importing.Tables(
        readings=options["readings"],
        devices=options["devices"],
        truth=options["truth"],
        events=options["events"],
        name=name,
        title=Text(name, name),
        renamed=options["renamed"],
        units=options["units"],
        kind=options["kind"],
        tz=options["tz"],
        layout=options["time_format"],
        wide=options["wide"],
        tick_s=options["tick"],
        merge_s=options["merge"],
        within_s=options["within"],
        severity=options["level"],
        most_bad=options["most_bad"],
    )
    try:
        imported = importing.run(tables)
    except BadInput as error:
        for line in error.details.get("errors", [])[1:]:
            click.echo(line, err=True)
        raise
    files.save(imported.scenario, out)
    _report(imported, out, as_json=as_json)


def _report(imported: "Imported", out: Path, *, as_json: bool) -> None:
    about = _about(imported.scenario)
    lost = imported.rows - imported.used
    if as_json:
        bad = [
            {"code": b.code, "row": b.row, "field": b.field, "message": b.message, "count": b.count}
            for b in imported.bad
        ]
        answer = {"folder": str(out), **about, "rows": imported.rows, "unusable": lost, "bad": bad}
        click.echo(jsonlib.dumps(answer | {"notes": list(imported.notes)}, ensure_ascii=False))
        return
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)
    for b in imported.bad:
        click.echo(f"row {b.row}, {b.field or 'cells'}: {b.message} ({b.count} rows) [{b.code}]", err=True)
    click.echo(f"written to {out}: {_counts(about)}; {lost} of {imported.rows} rows not usable")
    click.echo(f"next: yiwang score {out}")


@command.command("record")
@click.option("--last", required=True, callback=_seconds, help="How far back, such as 1h or 30m.")
@click.option("--run", help="Name of the run (setting run).")
@click.option("--name", callback=_named, help="Name of the scenario [default: the folder's].")
@_out
def record(last: float, run: str | None, name: str | None, out: Path) -> None:
    """Record what came into a run in the last hour (or so) as a scenario: readings, events and people's commands.

    The logs are read from Kafka beside the run, which notices nothing. What was true is for you to write into the
    scenario's truth.
    """
    from scenarios import files
    from scenarios.record import record as take
    from scenarios.spec import MadeBy

    settings = load(run=run)
    name = name or out.resolve().name
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("scenario.exists", f"{out} is not empty; name a new folder", folder=str(out))
    from_ns = SystemClock().now_ns() - round(last * SECOND)
    scenario, unreadable = asyncio.run(
        take(
            settings.run,
            bootstrap=settings.kafka,
            dsn=settings.database.get_secret_value(),
            from_ns=from_ns,
            name=name,
            title=Text(f"实录 {name}", f"Recorded {name}"),
        )
    )
    files.save(scenario, out, made_by=MadeBy(command=f"yiwang scenario record --run {settings.run}"))
    for note in scenario.notes[1:]:
        click.echo(f"note: {note}", err=True)
    if unreadable:
        click.echo(f"note: {unreadable} messages could not be read and were left out", err=True)
    click.echo(f"written to {out}: {_counts(_about(scenario))}")
    click.echo(f"next: write what was true into {out}/scenario.yaml, then yiwang score {out}")


@command.command("list")
@_json
def list_(as_json: bool) -> None:
    """Show the built-in scenarios and the generators."""
    from scenarios import files
    from scenarios.generators import GENERATORS

    rows = []
    for name in files.library():
        spec = files.about(name)
        made = spec.generator or (f"of {spec.of}" if spec.of else "recorded")
        rows.append(
            {"name": name, "zh": spec.title.zh, "en": spec.title.en, "domain": spec.domain, "made": made}
        )
    if as_json:
        click.echo(jsonlib.dumps({"scenarios": rows, "generators": sorted(GENERATORS)}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['name']:<28} {row['domain'] or '-':<12} {row['made']:<24} {row['zh']}  {row['en']}")
    click.echo(f"generators: {', '.join(sorted(GENERATORS))}")


def _about(scenario: Any) -> dict[str, Any]:  # Any: a Scenario, imported only where it is needed
    registries = scenario.registries.values()
    return {
        "name": scenario.name,
        "districts": len(scenario.registries),
        "devices": sum(len(r.devices) for r in registries),
        "readings": scenario.reading_count,
        "events": len(scenario.events),
        "truths": len(scenario.truth),
        "hours": round((scenario.end_ns - scenario.start_ns) / SECOND / 3600, 2),
    }


def _counts(about: Mapping[str, Any]) -> str:
    return (
        f"{about['devices']} devices, {about['readings']} readings, {about['events']} events, "
        f"{about['truths']} truths in {about['hours']:g} h"
    )
