"""The table of runs, for the command line."""

from datetime import date
from typing import Any, Literal

import psycopg

from sql.connect import connect
from sql.query import query
from yiwang.errors import BadInput
from yiwang.runs import Run
from yiwang.topics import Topics

_PORTION = 200  # partitions dropped in one transaction; each takes a few of the server's 6 400 locks


def list_runs(dsn: str) -> list[Run]:
    """Every run, oldest first; none where the database has never been migrated.

    Raises:
        YiwangError: ``database.…``.
    """
    with connect(dsn) as connection:
        if not _migrated(connection):
            return []
        return [_run(row) for row in connection.execute(query("run/all"))]


def get_run(dsn: str, name: str) -> Run | None:
    """One run; None where it is not known or the database has never been migrated.

    Raises:
        YiwangError: ``database.…``.
    """
    with connect(dsn) as connection:
        if not _migrated(connection):
            return None
        row = connection.execute(query("run/one"), (name,)).fetchone()
        return None if row is None else _run(row)


def set_run_state(dsn: str, name: str, state: Literal["running", "finished", "stopped"]) -> None:
    """Set the state of a run.

    Raises:
        BadInput: ``run.unknown``.
        YiwangError: ``database.…``.
    """
    with connect(dsn) as connection:
        if connection.execute(query("run/set_state"), (name, state)).fetchone() is None:
            raise unknown_run(name, [run.name for run in list_runs(dsn)])


def drop_run(dsn: str, name: str) -> None:
    """Drop a run's schema with everything in it, and its row. Its topics are dropped by ``yiwang.broker``.

    Raises:
        BadInput: ``run.unknown``.
        YiwangError: ``database.…``.
    """
    schema = Topics(name).schema
    with connect(dsn) as connection:
        if not _migrated(connection) or connection.execute(query("run/one"), (name,)).fetchone() is None:
            raise unknown_run(name, [run.name for run in list_runs(dsn)])
        connection.execute(query("migration/lock"))
        while True:
            row = connection.execute(query("migration/drop_partitions"), (schema, _PORTION)).fetchone()
            if row is None or row[0] == 0:
                break
        connection.execute(query("migration/drop_schema"), (schema,))


def drop_readings_before(dsn: str, schema: str, day: date) -> int:
    """Retention: drop the readings of whole days before ``day`` (UTC) of one run.

    Returns:
        Number of partitions or chunks dropped.

    Raises:
        YiwangError: ``database.…``.
    """
    with connect(dsn) as connection:
        connection.execute(query("migration/search_path"), (schema,))
        row = connection.execute(query("persist/retain"), (day,)).fetchone()
        return int(row[0]) if row else 0


def unknown_run(name: str, known: list[str]) -> BadInput:
    """The error for a run that is not in the table."""
    have = ", ".join(known) or "none yet"
    return BadInput("run.unknown", f"there is no run {name!r}; there are: {have}", run=name, known=known)


def _migrated(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(query("database/facts")).fetchone()
    return row is not None and bool(row[2])


def _run(row: tuple[Any, ...]) -> Run:
    name, kind, ticks, districts, scenario, speed, created_ns, state = row
    return Run(
        name=name,
        kind=kind,
        ticks=ticks,
        districts=districts,
        scenario=scenario,
        speed=speed,
        created_ns=created_ns,
        state=state,
    )
