"""Migrations: forward only, numbered, each applied once, under one lock for the whole database.

``migrations/common`` is applied to schema ``yiwang``, ``migrations/run`` to the schema of each run. A file may
begin with comment lines that say how it is applied:

- ``-- no transaction``: outside a transaction; such a file holds one statement.
- ``-- level: plain``: only where the schema stores readings in native partitions.
- ``-- level: timescale_apache`` or ``timescale_community``: only at that level or a higher one. A schema that
  began on plain PostgreSQL stays at that level, also when the server gets TimescaleDB later.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from sql.connect import connect
from sql.level import Level, level_of
from sql.query import query
from yiwang.errors import BadInput, Conflict
from yiwang.runs import Run

_HERE = Path(__file__).parent
MIGRATIONS = _HERE / "migrations"
COMMON_SCHEMA = "yiwang"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_ORDER = list(Level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file. ``level`` is None where it is for every level."""

    number: int
    name: str
    text: str
    checksum: str
    level: Level | None
    in_transaction: bool

    def fits(self, level: Level) -> bool:
        """Whether it is to be applied to a schema of that level."""
        if self.level is None:
            return True
        if Level.PLAIN in (self.level, level):
            return self.level is level
        return _ORDER.index(self.level) <= _ORDER.index(level)


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of the bookkeeping."""

    number: int
    name: str
    checksum: str
    level: str


def read(folder: Path) -> list[Migration]:
    """The migrations of a folder in order.

    Raises:
        BadInput: ``migration.name`` for a file not called ``NNNN_what.sql``, ``migration.gap`` for a number
            left out or taken twice, ``migration.level`` for a level that does not exist.
    """
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise BadInput("migration.name", f"{path}: migrations are called NNNN_what.sql", file=path.name)
        number = int(match[1])
        if number != len(found) + 1:
            raise BadInput(
                "migration.gap",
                f"{path}: the number after {len(found):04d} is {len(found) + 1:04d}",
                file=path.name,
            )
        text = path.read_text(encoding="utf-8")
        marks = [line[3:].strip() for line in text.splitlines()[:2] if line.startswith("-- ")]
        level = next(
            (mark.removeprefix("level:").strip() for mark in marks if mark.startswith("level:")), None
        )
        if level is not None and level not in _ORDER:
            raise BadInput(
                "migration.level",
                f"{path}: level {level!r} is not one of {', '.join(_ORDER)}",
                file=path.name,
            )
        found.append(
            Migration(
                number=number,
                name=path.name,
                text=text,
                checksum=hashlib.sha256(text.encode()).hexdigest(),
                level=None if level is None else Level(level),
                in_transaction="no transaction" not in marks,
            )
        )
    return found


def plan(files: list[Migration], applied: list[Applied], level: Level) -> list[Migration]:
    """What is still to be applied to a schema, in order.

    Raises:
        BadInput: ``migration.changed`` when a file is not what was applied under its number.
        Conflict: ``migration.newer`` when the database has migrations this release does not know;
            ``migration.gap`` when one was left out that later ones may rely on.
    """
    by_number = {file.number: file for file in files}
    newest = max((row.number for row in applied), default=0)
    for row in applied:
        file = by_number.get(row.number)
        if file is None:
            raise Conflict(
                "migration.newer",
                f"the database has migration {row.name}, this release ends at {len(files):04d}: use the newer release",
                name=row.name,
            )
        if (file.name, file.checksum) != (row.name, row.checksum):
            raise BadInput(
                "migration.changed",
                f"migration {file.name} was changed after it had been applied as {row.name};"
                " put the old text back and write a new migration",
                name=file.name,
            )
    if any(row.level == Level.PLAIN for row in applied):
        level = Level.PLAIN
    have = {row.number for row in applied}
    todo = [file for file in files if file.number not in have and file.fits(level)]
    for file in todo:
        if file.number < newest and file.level is None:
            raise Conflict(
                "migration.gap",
                f"migration {file.name} was never applied, but later ones were; the bookkeeping was damaged",
                name=file.name,
            )
    return todo


def migrate(dsn: str, run: Run, *, folder: Path = MIGRATIONS) -> list[str]:
    """Bring the common schema and a run's schema up to date and register the run.

    Safe to call again and from several processes at once: the second one waits, then finds nothing to do.

    Returns:
        What was applied, such as ``live/0001_registry.sql``.

    Raises:
        YiwangError: ``migration.…`` or ``database.…``.
    """
    with connect(dsn) as connection:
        connection.execute(query("migration/lock"))
        try:
            _bootstrap(connection)
            done = _apply(connection, folder / "common", COMMON_SCHEMA)
            schema = run.topics.schema
            connection.execute(query("migration/create_schema"), (schema,))
            done += _apply(connection, folder / "run", schema)
            connection.execute(
                query("run/upsert"),
                (
                    run.name,
                    run.kind,
                    run.ticks,
                    run.districts,
                    run.scenario,
                    run.speed,
                    run.created_ns,
                    run.state,
                    schema,
                ),
            )
        finally:
            if not connection.closed:
                connection.execute(query("migration/unlock"))
    return done


def pending(dsn: str, schema: str, *, folder: Path = MIGRATIONS) -> list[str]:
    """What ``migrate`` would apply for a run's schema; changes nothing.

    Raises:
        YiwangError: ``migration.…`` or ``database.…``.
    """
    with connect(dsn) as connection:
        row = connection.execute(query("database/facts")).fetchone()
        migrated = row is not None and bool(row[2])
        level = level_of(connection)
        found: list[str] = []
        for part, name in (("common", COMMON_SCHEMA), ("run", schema)):
            applied = _applied(connection, name) if migrated else []
            found += [f"{name}/{file.name}" for file in plan(read(folder / part), applied, level)]
        return found


def _bootstrap(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(query("database/facts")).fetchone()
    if row is None or not row[2]:
        connection.execute((_HERE / "bootstrap.sql").read_bytes())


def _applied(connection: psycopg.Connection[Any], schema: str) -> list[Applied]:
    return [Applied(*row) for row in connection.execute(query("migration/applied"), (schema,))]


def _apply(connection: psycopg.Connection[Any], folder: Path, schema: str) -> list[str]:
    done: list[str] = []
    connection.execute(query("migration/search_path"), (schema,))
    while True:
        # planned anew after each file: the first of the common ones may raise the level
        todo = plan(read(folder), _applied(connection, schema), level_of(connection))
        if not todo:
            return done
        file = todo[0]
        record = (schema, file.number, file.name, file.checksum, file.level or "")
        if file.in_transaction:
            with connection.transaction():
                connection.execute(file.text.encode())
                connection.execute(query("migration/record"), record)
        else:
            connection.execute(file.text.encode())
            connection.execute(query("migration/record"), record)
        done.append(f"{schema}/{file.name}")
