"""The tests behind ``yiwang check``: each asks one thing and never raises."""

import asyncio
import hashlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from yiwang.clock import SECOND, SystemClock
from yiwang.embedded.ports import is_taken
from yiwang.errors import YiwangError
from yiwang.settings import Settings
from yiwang.topics import Topics

_OLDEST_PYTHON = (3, 11)
_CLOCK_WARN_S = 1.0
_CLOCK_FAIL_S = 60.0  # more than future_limit_s by default: good readings would be taken for clock faults
_DISK_WARN_MB = 2_000
_DISK_FAIL_MB = 200


class Status(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


class Result(msgspec.Struct, frozen=True):
    """One line: what was tested, what was found, and how to mend it (empty where nothing is wrong)."""

    status: Status
    what: str
    found: str
    remedy: str = ""


async def run_all(settings: Settings) -> list[Result]:
    """Every test, in the order in which trouble is best looked at."""
    tests: list[Callable[[Settings], Awaitable[list[Result]]]] = [_machine, _broker, _database]
    return [result for test in tests for result in await test(settings)]


async def _machine(settings: Settings) -> list[Result]:
    found = [_python(), _disk("disk, data", settings.data), _disk("disk, temp", Path(tempfile.gettempdir()))]
    ports = ("port", "ingest_port", "socket_port")
    found += [_port(name, settings.host, getattr(settings, name)) for name in ports]
    return [*found, _pages()]


def _python() -> Result:
    version = platform.python_version()
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Result(Status.FAIL, "python", version, "install Python 3.11 or newer")
    return Result(Status.OK, "python", version)


def _disk(what: str, folder: Path) -> Result:
    """Free space where ``folder`` is, or will be made."""
    there = next((p for p in (folder.absolute(), *folder.absolute().parents) if p.is_dir()), Path("/"))
    try:
        free_mb = shutil.disk_usage(there).free // 1_000_000
    except OSError as error:
        return Result(Status.FAIL, what, f"{there}: {error.strerror}", "make the folder readable")
    found = f"{free_mb} MB free at {there}"
    if free_mb < _DISK_FAIL_MB:
        return Result(
            Status.FAIL, what, found, f"make room: Kafka and PostgreSQL stop below {_DISK_FAIL_MB} MB"
        )
    if free_mb < _DISK_WARN_MB:
        return Result(Status.WARN, what, found, f"make room: less than {_DISK_WARN_MB} MB is soon full")
    return Result(Status.OK, what, found)


def _port(name: str, host: str, port: int) -> Result:
    if port == 0:
        return Result(Status.OK, name, "0: a free one is taken at each start")
    if is_taken(port, host):
        remedy = f"another program, or Yiwang itself, listens there; else set YIWANG_{name.upper()}"
        return Result(Status.WARN, name, f"{host}:{port} is taken", remedy)
    return Result(Status.OK, name, f"{host}:{port} is free")


def _pages() -> Result:
    from ws_server.static import folder

    vendor = folder() / "vendor"
    try:
        manifest = json.loads((vendor / "manifest.json").read_text("utf-8"))
        wrong = [name for name, want in manifest.items() if _sha256(vendor / name) != want]
    except (OSError, ValueError, AttributeError) as error:
        return Result(Status.FAIL, "pages", f"browser libraries are not there: {error}", "make setup")
    if wrong:
        return Result(Status.FAIL, "pages", f"missing or changed: {', '.join(wrong)}", "make setup")
    return Result(Status.OK, "pages", f"browser libraries are whole in {vendor}")


async def _broker(settings: Settings) -> list[Result]:
    from yiwang.commands._check_broker import inspect

    try:
        async with asyncio.timeout(15):
            broker = await inspect(settings.kafka)
    except (YiwangError, TimeoutError) as error:
        remedy = "start Kafka, or set YIWANG_KAFKA to where it is; the demo starts one by itself"
        return [Result(Status.FAIL, "broker", f"no answer at {settings.kafka}: {_short(error)}", remedy)]
    found = [Result(Status.OK, "broker", f"{broker.version} at {settings.kafka}, {broker.nodes} node(s)")]
    found.append(_topics(settings, broker.partitions))
    if broker.ahead_s is None:
        remedy = "allow this client to create and delete topics, or compare the clock by hand"
        found.append(Result(Status.WARN, "clock, broker", "not told", remedy))
    else:
        found.append(_clock("clock, broker", broker.ahead_s))
    return found


def _topics(settings: Settings, have: dict[str, int]) -> Result:
    topics = Topics(settings.run)
    names = list(topics.partitions(1))
    missing = [name for name in names if name not in have]
    if missing:
        remedy = "they are made by the first process of the run, or by yiwang devices import"
        return Result(Status.WARN, "topics", f"not there yet: {', '.join(missing)}", remedy)
    found = ", ".join(f"{name} {have[name]}" for name in names)
    if have[topics.feed] != have[topics.commands] or have[topics.feed] != have[topics.outputs]:
        remedy = "feed, commands and outputs need one partition a district: add the missing ones"
        return Result(Status.FAIL, "topics", f"partitions differ: {found}", remedy)
    return Result(Status.OK, "topics", f"partitions: {found}")


async def _database(settings: Settings) -> list[Result]:
    return await asyncio.to_thread(_ask_database, settings)


def _ask_database(settings: Settings) -> list[Result]:
    import sql
    from sql.connect import connect
    from sql.errors import address

    dsn = settings.database.get_secret_value()
    topics = Topics(settings.run)
    clock = SystemClock()
    try:
        with connect(dsn) as connection:
            before_ns = clock.now_ns()
            row = connection.execute(sql.query("database/facts")).fetchone()
            middle_s = (before_ns + clock.now_ns()) / 2 / SECOND
            ahead_s = row[1].timestamp() - middle_s if row else 0.0
            server = row[0] if row else "?"
        found = [Result(Status.OK, "database", f"PostgreSQL {server} at {address(dsn)}")]
        found.append(_clock("clock, database", ahead_s))
        found.append(Result(Status.OK, "sql level", sql.level(dsn)))
    except YiwangError as error:
        return [Result(Status.FAIL, "database", error.message, "start PostgreSQL, or set YIWANG_DATABASE")]
    try:
        pending = sql.pending(dsn, topics.schema)
        run = sql.get_run(dsn, settings.run)
    except YiwangError as error:
        return [*found, Result(Status.FAIL, "migrations", error.message, "see the message")]
    remedy = f"yiwang migrate --run {settings.run}"
    if pending:
        found.append(
            Result(Status.FAIL, "migrations", f"{len(pending)} to apply: {', '.join(pending)}", remedy)
        )
    else:
        found.append(Result(Status.OK, "migrations", "up to date"))
    if run is None:
        found.append(Result(Status.FAIL, "run", f"{settings.run} is not known", remedy))
    else:
        what = f"{run.name}: {run.kind}, {run.districts} district(s), {run.state}"
        found.append(Result(Status.OK, "run", what))
    if run is not None and not pending:
        found.append(_rules(dsn, topics.schema))
    return found


def _rules(dsn: str, schema: str) -> Result:
    """Whether a district has ever been told rules; persist writes them down as they pass."""
    import sql
    from sql.connect import connect

    try:
        with connect(dsn) as connection:
            connection.execute(sql.query("migration/search_path"), (schema,))
            row = connection.execute(sql.query("rules/newest")).fetchone()
    except YiwangError as error:
        return Result(Status.FAIL, "rules", error.message, "see the message")
    if row is None:
        remedy = "without rules nothing is judged: yiwang domains apply (seen here once persist runs)"
        return Result(Status.WARN, "rules", "none stored", remedy)
    return Result(Status.OK, "rules", f"version {row[0]} in force")


def _clock(what: str, ahead_s: float) -> Result:
    """``ahead_s``: the other clock minus ours, seconds."""
    found = f"{abs(ahead_s):.3f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine"
    remedy = "let both machines keep time by NTP"
    if abs(ahead_s) > _CLOCK_FAIL_S:
        return Result(Status.FAIL, what, found, remedy)
    if abs(ahead_s) > _CLOCK_WARN_S:
        return Result(Status.WARN, what, found, remedy)
    return Result(Status.OK, what, found)


def _short(error: BaseException) -> str:
    return error.message if isinstance(error, YiwangError) else "no answer in time"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
