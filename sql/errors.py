"""Errors of both database drivers as ours, decided by SQLSTATE and never by localised text."""

import asyncio
import threading
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psycopg

from yiwang.errors import BadInput, NotAllowed, Unavailable, YiwangError

# What the drivers raise; catch these and hand them to ``translated``.
DRIVER_ERRORS = (
    psycopg.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that the server ends in the midst of an exchange
    OSError,
    TimeoutError,
)

_FULL = {"53100"}
_AUTH = {"28000", "28P01"}
_MISSING = {"3D000"}
_FORBIDDEN = {"42501"}
_NOT_MIGRATED = {"42P01", "3F000", "42883"}
_BUSY_CLASSES = ("40", "55")  # dead lock, lock not available: the same work may succeed the next time
_CANCELLED = "57014"
# connection exceptions, out of memory or connections, shut-downs, statements cancelled by the server
_AWAY_CLASSES = ("08", "53", "57", "58")


def address(dsn: str) -> str:
    """Host, port and database of a URL, without user and password; for messages."""
    parts = urlsplit(dsn)
    socket = parse_qs(parts.query).get("host", [""])[0]
    try:
        port = parts.port
    except ValueError:  # no number in the URL
        port = None
    host = socket or f"{parts.hostname or 'localhost'}:{port or 5432}"
    return f"{host}/{parts.path.lstrip('/') or 'postgres'}"


def translated(error: BaseException, dsn: str) -> YiwangError:
    """Our error for one of ``DRIVER_ERRORS``.

    Args:
        error: what psycopg, asyncpg or the operating system raised.
        dsn: the database's URL; host, port and database are named, user and password never.

    Returns:
        ``database.unavailable`` (away, shutting down, too many connections), ``database.full``,
        ``database.busy`` (dead lock, cancelled), ``database.auth``, ``database.missing``, ``database.permission``, ``database.not_migrated``,
        ``database.address`` (the URL itself is wrong) or ``database.error`` for everything else.
    """
    where = address(dsn)
    state = getattr(error, "sqlstate", None)
    if state is None and isinstance(error, psycopg.OperationalError) and not isinstance(error, _BROKEN):
        error = _probe(dsn) or error  # libpq hands no SQLSTATE over for a failed connection; asyncpg does
        state = getattr(error, "sqlstate", None)
    said = _first_line(error)
    if state in _FULL:
        return Unavailable(
            "database.full",
            f"the disk of database {where} is full ({said}); make room, nothing was lost",
            at=where,
        )
    if state in _AUTH:
        return NotAllowed(
            "database.auth",
            f"database {where} refuses this user or password; check YIWANG_DATABASE",
            at=where,
        )
    if state in _MISSING:
        return BadInput(
            "database.missing",
            f"there is no database {where}; create it or correct YIWANG_DATABASE",
            at=where,
        )
    if state in _FORBIDDEN:
        return NotAllowed("database.permission", f"database {where}: {said}", at=where)
    if state in _NOT_MIGRATED:
        return BadInput(
            "database.not_migrated",
            f"database {where} is not up to date ({said}); run: yiwang migrate",
            at=where,
        )
    if state is not None and (state.startswith(_BUSY_CLASSES) or state == _CANCELLED):
        return Unavailable("database.busy", f"database {where} gave up a statement: {said}", at=where)
    if isinstance(error, ValueError | psycopg.ProgrammingError) and state is None:
        return BadInput(
            "database.address",
            "YIWANG_DATABASE is no URL such as postgresql://user:password@host:5432/name",
            at=where,
        )
    if state is None or state.startswith(_AWAY_CLASSES):
        return Unavailable(
            "database.unavailable",
            f"no PostgreSQL answers at {where} ({said}); check YIWANG_DATABASE, or start the demo",
            at=where,
        )
    return BadInput(
        "database.error", f"database {where} refused a statement: {said} (SQLSTATE {state})", at=where
    )


_BROKEN: tuple[type[BaseException], ...] = (psycopg.errors.ConnectionTimeout,)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _probe(dsn: str) -> BaseException | None:
    """What asyncpg says to the same address; None where it can connect."""
    answer: list[BaseException] = []

    async def connect() -> None:
        connection = await asyncpg.connect(dsn, timeout=5)
        await connection.close()

    def run() -> None:
        try:
            asyncio.run(connect())
        except (*DRIVER_ERRORS, ValueError) as error:
            answer.append(error)

    thread = threading.Thread(target=run, name="database-probe")  # the caller may stand in an event loop
    thread.start()
    thread.join()
    return answer[0] if answer else None
