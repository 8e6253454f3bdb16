"""``yiwang replay``."""

import asyncio
import json as jsonlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from yiwang.clock import SystemClock, to_datetime
from yiwang.commands import _ending
from yiwang.errors import BadInput, Conflict
from yiwang.runs import Run
from yiwang.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from scenarios.model import Scenario
    from scenarios.player import Progress as Played
    from yiwang.commands._processes import Services


def _speed(_ctx: click.Context, _param: click.Parameter, text: str) -> float:
    """Event seconds per second; 0 for as fast as it goes."""
    if text == "max":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 100_000:
        raise click.BadParameter(f"{text!r}: give a number above 0, such as 10, or max")
    return value


@click.command("replay")
@click.argument("source", required=False)
@click.option(
    "--speed", default="max", callback=_speed, show_default=True, help="Event seconds per second, or max."
)
@click.option("--name", help="Name of the run [default: from the scenario and the time].")
@click.option(
    "--direct", is_flag=True, help="Through the district machine in this process, without Kafka and database."
)
@click.option("--workers", default=1, type=click.IntRange(1, 8), show_default=True, help="District workers.")
@click.option(
    "--frame-rows",
    default=5000,
    type=click.IntRange(1, 200_000),
    show_default=True,
    help="Most readings a frame.",
)
@click.option("--full", is_flag=True, help="FloodNet: also the silence between the floods.")
@click.option("--every", is_flag=True, help="A line for every truth, however many.")
@click.option(
    "--save", type=click.Path(path_type=Path), help="Write the scenario into this new folder and stop."
)
@click.option("--list", "list_", is_flag=True, help="List the runs there are.")
@click.option("--drop", metavar="RUN", help="Drop a run: its topics and its schema.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON line.")
def command(
    source: str | None,
    speed: float,
    name: str | None,
    direct: bool,
    workers: int,
    frame_rows: int,
    full: bool,
    every: bool,
    save: Path | None,
    list_: bool,
    drop: str | None,
    as_json: bool,
) -> None:
    """Play SOURCE through the real system as a run of its own, and hold the result against its truth.

    SOURCE is a built-in scenario (night, quiet), a folder with scenario.yaml, or a folder of FloodNet data.
    The run has its own topics, database schema and workers; nothing of the living city or of another run is
    touched. Without YIWANG_KAFKA and YIWANG_DATABASE it brings its own broker and database.

    Exit status: 0 when the truth is met, 1 when not, 2 for an error.
    """
    from rich.console import Console

    settings = load()
    console = Console(stderr=True)
    if list_ or drop:
        _keep_in_order(settings, drop, as_json)
        return
    if source is None:
        raise click.UsageError("name a scenario, or --list, or --drop RUN")
    from scenarios import files

    scenario = files.load(source, full=full)
    if save is not None:
        files.save(scenario, save)
        console.print(f"{scenario.reading_count} readings written to {save}")
        return
    if direct:
        result = _direct(scenario)
    else:
        result = _through_kafka(settings, scenario, console, speed, name, workers, frame_rows)
    _report(scenario, result, as_json=as_json, every=every)


def _report(scenario: "Scenario", result: dict[str, object], *, as_json: bool, every: bool) -> None:
    from rich.console import Console

    from scenarios import report, scoring

    compared = scoring.score(scenario, result.pop("incidents"))  # type: ignore[arg-type]  # put there below
    if as_json:
        click.echo(jsonlib.dumps({**result, **scoring.as_json(compared)}))
    else:
        out = Console()
        report.show(out if out.is_terminal else Console(width=150), scenario, compared, every=every)
        click.echo("  ".join(f"{key} {value}" for key, value in result.items()))
    sys.exit(0 if compared.met and not result.get("lost") and not result.get("doubled") else 1)


def _direct(scenario: "Scenario") -> dict[str, object]:
    from scenarios.directly import incidents_and_orders

    begin = time.perf_counter()
    incidents, orders = incidents_and_orders(scenario)
    return {
        "run": "direct",
        "readings": scenario.reading_count,
        "orders": len(orders),
        "seconds": round(time.perf_counter() - begin, 1),
        "incidents": incidents,
    }


def _through_kafka(
    settings: Settings,
    scenario: "Scenario",
    console: "Console",
    speed: float,
    name: str | None,
    workers: int,
    frame_rows: int,
) -> dict[str, object]:
    from sql import get_run, set_run_state
    from yiwang.commands._processes import is_embedded, services, start_all, stream_children
    from yiwang.embedded.supervise import Supervisor

    begin = time.perf_counter()
    created_ns = SystemClock().now_ns()
    stamp = to_datetime(created_ns).strftime("%m%d-%H%M%S")
    run = Run(
        name=name or f"replay-{scenario.name}-{stamp}",
        kind="replay",
        ticks="player",
        districts=len(scenario.districts),
        scenario=scenario.name,
        speed=speed,
        created_ns=created_ns,
    )
    if run.topics.run == "live":
        raise Conflict("run.live", "a replay is never the living city; give it another --name")
    with services(
        settings,
        folder=settings.data / "services",
        embedded=is_embedded(settings),
        say=lambda stage, detail: console.print(f"[dim]{stage}: {detail}[/dim]"),
    ) as where:
        if get_run(where.database, run.name) is not None:
            raise Conflict(
                "run.exists", f"there is a run {run.name} already; --drop it or give another --name"
            )
        from scenarios.running import collect, prepare

        asyncio.run(prepare(run, scenario, bootstrap=where.kafka, dsn=where.database))
        state = "stopped"
        try:
            with Supervisor(where.folder) as supervisor:
                start_all(supervisor, stream_children(where, run=run.name, workers=workers))
                played_s = _ending.run(_play(run, scenario, where, console, speed, frame_rows))
                state = "finished"
        except KeyboardInterrupt:
            console.print(f"stopped; what was stored is whole. yiwang replay --drop {run.name} removes it")
            sys.exit(130)
        finally:
            set_run_state(where.database, run.name, state)  # type: ignore[arg-type]  # one of its two words
        stored = asyncio.run(collect(run, dsn=where.database))
    return {
        "run": run.name,
        "readings": scenario.reading_count,
        "stored": stored.readings,
        "lost": scenario.reading_count - (stored.readings - stored.doubled),
        "doubled": stored.doubled,
        "orders": len(stored.orders),
        "play_seconds": round(played_s, 1),
        "seconds": round(time.perf_counter() - begin, 1),
        "incidents": stored.incidents,
    }


async def _play(
    run: Run, scenario: "Scenario", where: "Services", console: "Console", speed: float, frame_rows: int
) -> float:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from ingest.feeder import Feeder
    from scenarios.player import Player
    from scenarios.running import wait_until_through
    from yiwang.broker import start_producer

    begin = time.perf_counter()
    producer = await start_producer(where.kafka, client_id=f"yiwang-player-{run.name}")
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[at]}"),
        TimeElapsedColumn(),
        console=console,
    )
    try:
        feeding = Feeder(producer, run.topics, clock=SystemClock(), frame_ms=20, frame_rows=frame_rows)
        async with feeding as feeder:
            bar.start()
            span = max(1, scenario.end_ns - scenario.start_ns)
            task = bar.add_task(f"playing {scenario.name}", total=span, at="")
            last_tell = 0.0

            def tell(progress: "Played") -> None:
                nonlocal last_tell
                if time.perf_counter() - last_tell > 0.1:
                    last_tell = time.perf_counter()
                    at = to_datetime(progress.event_ns).strftime("%Y-%m-%d %H:%M:%S")
                    bar.update(
                        task, completed=min(span, progress.event_ns - scenario.start_ns), at=f"{at} UTC"
                    )

            player = Player(scenario, feeder, SystemClock(), speed=speed, cut_rows=frame_rows, tell=tell)
            await player.open()
            await player.play()
            bar.update(task, completed=span, description="waiting until all is stored")
            await wait_until_through(run, bootstrap=where.kafka, dsn=where.database)
    finally:
        bar.stop()
        await producer.stop()
    return time.perf_counter() - begin


def _keep_in_order(settings: Settings, drop: str | None, as_json: bool) -> None:
    from rich.console import Console

    from sql import drop_run, get_run, list_runs
    from yiwang.broker import drop_topics
    from yiwang.commands._processes import is_embedded, services
    from yiwang.topics import LIVE, Topics

    with services(
        settings, folder=settings.data / "services", embedded=is_embedded(settings), say=lambda *_: None
    ) as where:
        if drop is not None:
            if drop == LIVE:
                raise Conflict("run.live", "the living city is not dropped by this command")
            if get_run(where.database, drop) is None:
                known = ", ".join(r.name for r in list_runs(where.database)) or "none yet"
                raise BadInput("run.unknown", f"there is no run {drop!r}; there are: {known}", run=drop)
            asyncio.run(drop_topics(where.kafka, Topics(drop)))
            drop_run(where.database, drop)
            click.echo(f"dropped {drop}")
            return
        runs = list_runs(where.database)
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(runs).decode())
        return
    console = Console()
    if not runs:
        console.print("no runs yet")
    for run in runs:
        when = to_datetime(run.created_ns).strftime("%Y-%m-%d %H:%M UTC")
        speed = "max" if run.speed == 0 else f"x{run.speed:g}"
        console.print(f"{run.name:<40} {run.kind:<7} {run.state:<9} {when}  {run.scenario} {speed}")
