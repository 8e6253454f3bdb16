"""``yiwang demo``."""

import asyncio
import json as jsonlib
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yiwang.clock import SECOND, SystemClock, to_datetime
from yiwang.commands import _ending
from yiwang.errors import Conflict, Unavailable
from yiwang.runs import Run
from yiwang.settings import Settings, load

if TYPE_CHECKING:
    from scenarios.model import Scenario
    from yiwang.commands._processes import Services
    from yiwang.embedded.stack import EmbeddedStack
    from yiwang.embedded.supervise import Supervisor

WATCH_SPEED = 8.0  # the night in ten minutes: slow enough to follow, quick enough to stay for
ONCE_SPEED = 60.0


@click.command("demo")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    help=f"Event seconds per second [default: {WATCH_SPEED:g}; with --once {ONCE_SPEED:g}].",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the pages [default: 8420]; 0 takes a free one."
)
@click.option(
    "--once", is_flag=True, help="Play the night headless with simulated workers, judge it, and end."
)
@click.option(
    "--json", "as_json", is_flag=True, help="With --once: end with one JSON line on standard output."
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of broker, database and logs [default: .yiwang]."
)
@click.option("--fresh", is_flag=True, help="Throw away what earlier demos left in that folder.")
def command(
    speed: float | None, port: int | None, once: bool, as_json: bool, data: Path | None, fresh: bool
) -> None:
    """Play a city night through the real system, and show it.

    Starts Apache Kafka, PostgreSQL, ingest, the stream workers and the gateway on this machine, prints one
    address, and begins the night when the first page opens. Ctrl-C ends everything.

    The night: in one district a cloudburst floods an underpass, a crash blocks the ring road and a gas alarm
    goes off; the other district stays quiet and lends a pump crew.

    With --once the exit status is 0 only if the truth is met and no reading is lost or doubled.
    """
    settings = load(port=port, data=data)
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    begin = time.perf_counter()
    speed = speed or (ONCE_SPEED if once else WATCH_SPEED)
    if settings.port and not once:
        _refuse_taken(settings)
    folder = settings.data / "demo"
    if fresh:
        _throw_away(folder)
    try:
        with _stack(folder) as stack:
            sys.exit(_run(stack, settings, speed, once=once, as_json=as_json, begin=begin))
    except KeyboardInterrupt:
        _say("stopped")
        sys.exit(130)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _refuse_taken(settings: Settings) -> None:
    from yiwang.embedded.ports import is_taken

    if is_taken(settings.port):
        raise Conflict(
            "demo.port_taken",
            f"port {settings.port} is taken: another demo or program listens there; "
            f"stop it, or choose another: yiwang demo --port {settings.port + 1}",
            port=settings.port,
        )


def _throw_away(folder: Path) -> None:
    import shutil

    from yiwang.embedded.stack import FolderLock

    if folder.exists():
        lock = FolderLock(folder)
        lock.take()
        try:
            for inside in ("kafka", "postgres", "logs"):
                shutil.rmtree(folder / inside, ignore_errors=True)
        finally:
            lock.release()


@contextmanager
def _stack(folder: Path) -> "Iterator[EmbeddedStack]":
    from yiwang.embedded.stack import EmbeddedStack

    with EmbeddedStack(
        folder, keep=True, progress=lambda stage, detail: _say(f"  {stage}: {detail}")
    ) as stack:
        yield stack


def _run(
    stack: "EmbeddedStack", settings: Settings, speed: float, *, once: bool, as_json: bool, begin: float
) -> int:
    from scenarios import files
    from scenarios.running import prepare
    from sql import set_run_state
    from yiwang.commands._processes import Services, child, start_all, stream_children
    from yiwang.embedded.ports import free_port
    from yiwang.embedded.supervise import Supervisor

    where = Services(kafka=stack.bootstrap, database=stack.dsn, folder=stack.data_dir)
    now_ns = SystemClock().now_ns()
    scenario = files.load("night", start_ns=now_ns - now_ns % SECOND)
    run = Run(
        name=f"demo-{to_datetime(now_ns).strftime('%m%d-%H%M%S')}",
        kind="demo",
        ticks="player",
        districts=len(scenario.districts),
        scenario=scenario.name,
        speed=speed,
        created_ns=now_ns,
    )
    _say("  city: registering devices, places and people")
    asyncio.run(_drop_earlier(where))
    asyncio.run(prepare(run, scenario, bootstrap=where.kafka, dsn=where.database))
    port = settings.port if not once else free_port()
    port = port or free_port()
    socket_port, ingest_port = settings.socket_port or free_port(), free_port()
    gateway = child("serve", ["serve"], where, run=run.name, port=port, socket_port=socket_port)
    ingest = child("ingest", ["ingest"], where, run=run.name, ingest_port=ingest_port)
    with Supervisor(where.folder, on_event=_tell) as supervisor:
        _say("  processes: starting gateway, ingest and stream workers")
        start_all(supervisor, [gateway, *stream_children(where, run=run.name, city=True), ingest])
        address = f"http://127.0.0.1:{port}/"
        stack.announce(address)
        note = _write_settings(where, run.name, ingest_port)
        state = "stopped"
        try:
            if once:
                code = _once(run, scenario, where, address, speed, as_json=as_json, begin=begin)
                state = "finished"
                return code
            ready_s = time.perf_counter() - begin
            click.echo(f"\n    {address}\n")
            _say(
                f"ready in {ready_s:.0f} s. Console: {address}console.html   worker's phone: {address}worker.html\n"
                f"readings are taken at http://127.0.0.1:{ingest_port}/v1/readings   logs: {where.folder / 'logs'}\n"
                f"to work on this city from another terminal: . {_shown(note)}   (then, for instance: yiwang top)\n"
                "Ctrl-C ends everything."
            )
            _ending.run(_watch(run, scenario, where, address, speed, supervisor))
        finally:
            set_run_state(where.database, run.name, state)  # type: ignore[arg-type]  # one of its two words
    return 0


def _write_settings(where: "Services", run: str, ingest_port: int) -> Path:
    """A file for other terminals to read in, so that ``yiwang`` there speaks to this city; for its owner only."""
    note = where.folder / "env"
    given = {"KAFKA": where.kafka, "DATABASE": where.database, "RUN": run, "INGEST_PORT": str(ingest_port)}
    given["DATA"] = str(where.folder.absolute())  # where the processes are announced
    note.unlink(missing_ok=True)
    note.touch(mode=0o600)
    note.write_text("".join(f"export YIWANG_{k}={shlex.quote(v)}\n" for k, v in given.items()), "utf-8")
    return note


def _shown(path: Path) -> Path:
    """Relative to the working folder where it lies in it; the shell's ``.`` wants a slash in it either way."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _tell(name: str, event: str, detail: str) -> None:
    if event in ("silent", "crashed", "restarted", "gave_up"):
        _say(f"  {name}: {event} ({detail})")


async def _drop_earlier(where: "Services") -> None:
    """Earlier demos of this folder make room: their topics and schemas are dropped."""
    from sql import drop_run, list_runs
    from yiwang.broker import drop_topics

    for run in await asyncio.to_thread(list_runs, where.database):
        if run.kind == "demo":
            await drop_topics(where.kafka, run.topics)
            await asyncio.to_thread(drop_run, where.database, run.name)


def _once(
    run: Run,
    scenario: "Scenario",
    where: "Services",
    address: str,
    speed: float,
    *,
    as_json: bool,
    begin: float,
) -> int:
    from rich.console import Console

    from scenarios import report
    from scenarios.demo import once
    from scenarios.player import Progress

    last = 0.0

    def tell(progress: Progress) -> None:
        nonlocal last
        if time.perf_counter() - last > 5:
            last = time.perf_counter()
            minute = (progress.event_ns - scenario.start_ns) / SECOND / 60
            _say(f"  night: minute {minute:.0f}, {progress.readings} readings")

    outcome = _ending.run(
        once(
            run,
            scenario,
            bootstrap=where.kafka,
            dsn=where.database,
            socket=_socket(address),
            clock=SystemClock(),
            speed=speed,
            tell=tell,
        )
    )
    line = outcome.as_json(scenario, time.perf_counter() - begin)
    if as_json:
        report.show(Console(stderr=True, width=150), scenario, outcome.score)
        click.echo(jsonlib.dumps(line))
    else:
        report.show(Console(width=150), scenario, outcome.score)
        click.echo("  ".join(f"{key}: {value}" for key, value in line.items()))
    problems = outcome.unmet(scenario)
    for problem in problems:
        _say(f"  not met: {problem}")
    return 1 if problems else 0


def _socket(address: str) -> str:
    """Where the gateway says its live socket is."""
    socket: str = _get(f"{address}api/session")["socket"]
    return socket


def _get(url: str) -> dict[str, Any]:  # Any: JSON
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            answer = opener.open(url, timeout=10)
        except urllib.error.HTTPError as refusal:  # 503 while something is away: the body says what
            answer = refusal
        with answer:
            body: dict[str, Any] = jsonlib.load(answer)
    except (OSError, ValueError) as error:
        raise Unavailable(
            "serve.unavailable", f"the gateway does not answer at {url}: {error}", url=url
        ) from error
    return body


async def _watch(
    run: Run, scenario: "Scenario", where: "Services", address: str, speed: float, supervisor: "Supervisor"
) -> None:
    from scenarios.demo import watch

    async def health() -> dict[str, Any]:  # Any: JSON
        return await asyncio.to_thread(_get, f"{address}api/health")

    async def first_page() -> None:
        while not (await health())["pages"]:  # noqa: ASYNC110  another process knows, and only answers questions
            await asyncio.sleep(0.3)

    async def taken() -> frozenset[str]:
        """Units at whose post somebody sits beside the simulated one."""
        return frozenset(post for post, count in (await health())["screens"].items() if count > 1)

    async def processes() -> None:
        while True:  # in short turns: a thread that waits for ever would hold up Ctrl-C
            await asyncio.to_thread(supervisor.wait, 0.5)

    playing = asyncio.create_task(
        watch(
            run,
            scenario,
            bootstrap=where.kafka,
            socket=_socket(address),
            clock=SystemClock(),
            speed=speed,
            taken=taken,
            first_page=first_page,
            tell=_say,
        )
    )
    watching = asyncio.create_task(processes())
    try:
        done, _ = await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        # The player first, and waited for: it closes its producer, whose own tasks must still be alive for that.
        for task in (playing, watching):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
