"""The database side of persist: one transaction a batch, over one connection that is renewed when it fails."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import asyncpg
import numpy as np

from sql import query
from sql.errors import DRIVER_ERRORS, translated
from sql.pool import connect
from streams.persist_backlog import Partition
from streams.persist_outputs import Statement, of_dead_letter, unreadable
from streams.persist_rows import COLUMNS, HEAD, NEVER, TAIL, Rows
from yiwang.clock import Clock
from yiwang.columns import I32, I64
from yiwang.errors import YiwangError

_DAYS_AT_ONCE = 100  # partitions made in one transaction; each holds locks until its end
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Ready:
    """A part made ready to be written.

    Attributes:
        base: offset the database must stand at; None: nothing stored yet.
        next: offset it stands at afterwards.
        rows: readings; None where there are none.
        statements: the rest, with the offsets of their messages, in order.
    """

    partition: Partition
    base: int | None
    next: int
    rows: Rows | None
    statements: Sequence[tuple[int, Statement]]


class Fenced(Exception):
    """A partition no longer stands where the writer believes: another worker has stored from it."""


class Store:
    """What persist asks of the database. Not for several tasks at once.

    All methods raise our ``database.…`` errors; after one the next call makes a new connection.
    """

    def __init__(self, dsn: str, schema: str, clock: Clock) -> None:
        self._dsn = dsn
        self._schema = schema
        self._clock = clock
        self._connection: asyncpg.Connection | None = None
        self._days: set[int] = set()

    async def offsets(self) -> dict[Partition, int]:
        """Next offset of every partition ever stored from."""
        connection = await self._connected()
        try:
            records = await connection.fetch(query("persist/offsets"))
        except DRIVER_ERRORS as error:
            raise self._failed(error) from error
        return {(r["topic"], r["partition"]): r["next_offset"] for r in records}

    async def fences(self) -> dict[int, int]:
        """Per district the ownership in force where its stored outputs end (``yiwang.fencing``).

        Ask after ``offsets``: should another worker store in between, the offset keeps us from storing anything.
        """
        connection = await self._connected()
        try:
            records = await connection.fetch(query("persist/output_fences"))
        except DRIVER_ERRORS as error:
            raise self._failed(error) from error
        return {r["district"]: r["owner"] for r in records}

    async def newest(self, district: int, series: I32) -> I64:
        """Newest time stored of each of ``series`` (sorted, unique), microseconds UTC, or ``NEVER``."""
        connection = await self._connected()
        try:
            records = await connection.fetch(query("persist/newest"), district, series.tolist())
        except DRIVER_ERRORS as error:
            raise self._failed(error) from error
        found = {r["series"]: (r["t"] - _EPOCH) // _US for r in records}
        return np.array([found.get(s, NEVER) for s in series.tolist()], np.int64)

    async def write(self, parts: Sequence[Ready], *, careful: bool = False) -> None:
        """Store parts and their next offsets in one transaction.

        Args:
            parts: of different partitions.
            careful: each statement on its own; one that the database refuses becomes a dead letter.

        Raises:
            Fenced: nothing was stored; ask ``offsets`` where the partitions stand.
            YiwangError: ``database.…``; whether the batch was stored is not known, ask ``offsets``.
        """
        connection = await self._connected()
        try:
            await self._make_days(connection, parts)
            async with connection.transaction():
                for part in parts:
                    topic, number = part.partition
                    moved = await connection.fetchval(
                        query("persist/advance"), topic, number, part.base, part.next
                    )
                    if moved is None:
                        raise Fenced(f"{topic}[{number}]")
                bodies = [part.rows.body for part in parts if part.rows is not None]
                if bodies:
                    # a memoryview, for bytes would be taken for the name of a file
                    data = memoryview(b"".join((HEAD, *bodies, TAIL)))
                    await connection.copy_to_table("reading", source=data, columns=COLUMNS, format="binary")
                if careful:
                    await self._one_by_one(connection, parts)
                else:
                    await self._together(connection, parts)
        except DRIVER_ERRORS as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=1)
            except DRIVER_ERRORS:
                connection.terminate()

    async def _make_days(self, connection: asyncpg.Connection, parts: Iterable[Ready]) -> None:
        """Partitions for the days of a batch and the day after; where there are chunks this does nothing."""
        wanted = {int(d) for part in parts if part.rows is not None for d in part.rows.days}
        wanted |= {day + 1 for day in wanted}
        missing = sorted(wanted - self._days)
        for at in range(0, len(missing), _DAYS_AT_ONCE):
            days = missing[at : at + _DAYS_AT_ONCE]
            await connection.fetchval(query("persist/days"), [_date(day) for day in days])
            self._days.update(days)

    async def _together(self, connection: asyncpg.Connection, parts: Sequence[Ready]) -> None:
        by_query: dict[str, list[tuple[object, ...]]] = {}
        for part in parts:
            for _, (name, parameters) in part.statements:
                by_query.setdefault(name, []).append(parameters)
        for name, rows in by_query.items():
            await connection.executemany(query(name), rows)

    async def _one_by_one(self, connection: asyncpg.Connection, parts: Sequence[Ready]) -> None:
        for part in parts:
            for offset, (name, parameters) in part.statements:
                try:
                    async with connection.transaction():
                        await connection.execute(query(name), *parameters)
                except DRIVER_ERRORS as error:
                    refused = translated(error, self._dsn)
                    if refused.code != "database.error":
                        raise
                    letter = unreadable(
                        "persist.refused",
                        f"{name}: {refused.message}",
                        topic=part.partition[0],
                        partition=part.partition[1],
                        offset=offset,
                        ns=self._clock.now_ns(),
                        raw=repr(parameters).encode("utf-8", "replace"),
                    )
                    for fallback, values in of_dead_letter(letter):
                        await connection.execute(query(fallback), *values)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, self._schema)
        return self._connection

    def _failed(self, error: BaseException) -> YiwangError:
        """Our error for the driver's; the connection and what is believed of the schema are dropped."""
        connection, self._connection = self._connection, None
        self._days.clear()
        if connection is not None:
            connection.terminate()
        return translated(error, self._dsn)


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
