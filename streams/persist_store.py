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
from streams.persist_minutes import MINUTE_COLUMNS, MINUTE_US, Pieces, minute_rows
from streams.persist_outputs import Statement, of_dead_letter, unreadable
from streams.persist_rows import COLUMNS, DAY_US, HEAD, NEVER, ROW_BYTES, TAIL, Rows
from yiwang.clock import Clock
from yiwang.columns import I32, I64
from yiwang.errors import YiwangError

_AT_ONCE = 100  # partitions made in one transaction; each holds locks until its end
_MERGED_AT_ONCE = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a district, to be kept at an offset, with the roll-ups that are stored by then.

    Attributes:
        base: offset the kept memory must stand at; None: there is none.
        offset: the one it stands at afterwards, greater than ``base``.
        blocks: the memory.
        new: roll-ups of minutes of which nothing is stored.
        more: roll-ups to be merged with what may be stored.
    """

    base: int | None
    offset: int
    blocks: Sequence[bytes]
    new: Pieces
    more: Pieces


@dataclass(frozen=True, slots=True)
class Ready:
    """A part made ready to be written.

    Attributes:
        base: offset the database must stand at; None: nothing stored yet.
        next: offset it stands at afterwards.
        rows: readings, each item sorted by series.
        statements: the rest, with the offsets of their messages, in order.
        kept: what is kept of the district; None: nothing this time.
    """

    partition: Partition
    base: int | None
    next: int
    rows: Sequence[Rows]
    statements: Sequence[tuple[int, Statement]]
    kept: Kept | None = None


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
        self._weeks: set[int] = set()

    async def offsets(self) -> dict[Partition, int]:
        """Next offset of every partition ever stored from."""
        records = await self._fetch("persist/offsets")
        return {(r["topic"], r["partition"]): r["next_offset"] for r in records}

    async def fences(self) -> dict[int, int]:
        """Per district the ownership in force where its stored outputs end (``yiwang.fencing``).

        Ask after ``offsets``: should another worker store in between, the offset keeps us from storing anything.
        """
        return {r["district"]: r["owner"] for r in await self._fetch("persist/output_fences")}

    async def memory_offsets(self) -> dict[int, int]:
        """Per district the offset that its kept memory stands for."""
        return {r["district"]: r["next_offset"] for r in await self._fetch("persist/memory_offsets")}

    async def memory(self, district: int) -> tuple[int, dict[int, bytes]] | None:
        """The kept memory of a district: offset and blocks; None where there is none."""
        records = await self._fetch("persist/memory", district)
        if not records:
            return None
        return records[0]["next_offset"], {r["block"]: r["data"] for r in records}

    async def rules(self, version: str) -> str | None:
        """Rules as JSON: those of a version, or, where it is empty, those that came last."""
        records = await self._fetch("persist/rules_body", version)
        return records[0]["body"] if records else None

    async def metrics(self, district: int, metrics: Iterable[str], series: I32 | None) -> dict[int, str]:
        """Those of ``series`` (None: of all of the district) that are of one of the metrics, with the metric."""
        numbers = None if series is None else series.tolist()
        records = await self._fetch("persist/series_of_metrics", district, list(metrics), numbers)
        return {r["number"]: r["metric"] for r in records}

    async def newest(self, district: int, series: I32) -> I64:
        """Newest time stored of each of ``series`` (sorted, unique), microseconds UTC, or ``NEVER``."""
        records = await self._fetch("persist/newest", district, series.tolist())
        found = {r["series"]: (r["t"] - _EPOCH) // _US for r in records}
        return np.array([found.get(s, NEVER) for s in series.tolist()], np.int64)

    async def retain(self, day: date | None, minute_day: date | None) -> int:
        """Drop readings and roll-ups of whole days (weeks) before these; returns how many partitions."""
        dropped = 0
        for name, first in (("persist/retain", day), ("persist/retain_minutes", minute_day)):
            if first is not None:
                dropped += (await self._fetch(name, first))[0]["dropped"]
        return dropped

    async def fit(self, now_us: int) -> int:
        """Make the chunks to come as long as is good for what comes; returns how many tables changed.

        Args:
            now_us: how far the districts are, event time, microseconds UTC.
        """
        return int((await self._fetch("persist/fit", _EPOCH + now_us * _US))[0]["changed"])

    async def policies(self, keep_days: int, keep_minute_days: int) -> bool:
        """Have the server itself drop what is older; False where it cannot (below TimescaleDB Community)."""
        return bool((await self._fetch("persist/policies", keep_days, keep_minute_days))[0]["set"])

    async def write(self, parts: Sequence[Ready], *, careful: bool = False) -> None:
        """Store parts and their next offsets in one transaction.

        Args:
            parts: of different partitions.
            careful: each row on its own where need be; one that the database refuses becomes a dead letter.

        Raises:
            Fenced: nothing was stored; ask ``offsets`` and ``memory_offsets`` where the partitions stand.
            YiwangError: ``database.…``; whether the batch was stored is not known, ask ``offsets``.
        """
        connection = await self._connected()
        try:
            await self._make_partitions(connection, parts)
            async with connection.transaction():
                for part in parts:
                    topic, number = part.partition
                    moved = await connection.fetchval(
                        query("persist/advance"), topic, number, part.base, part.next
                    )
                    if moved is None:
                        raise Fenced(f"{topic}[{number}]")
                if careful:
                    await self._rows_carefully(connection, parts)
                else:
                    bodies = [rows.body for part in parts for rows in part.rows]
                    await self._copy(connection, "reading", COLUMNS, bodies)
                for part in parts:
                    if part.kept is not None:
                        await self._keep(connection, part.partition[1], part.kept, careful=careful)
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

    async def _make_partitions(self, connection: asyncpg.Connection, parts: Iterable[Ready]) -> None:
        """For the days of a batch and the day after; where there are chunks this does nothing."""
        wanted = {int(d) for part in parts for rows in part.rows for d in rows.days}
        await self._make(connection, "persist/days", wanted | {day + 1 for day in wanted}, self._days)
        weeks: set[int] = set()
        for part in parts:
            for pieces in (part.kept.new, part.kept.more) if part.kept else ():
                weeks |= set(np.unique(pieces.minute * MINUTE_US // DAY_US // 7).tolist())
        # weeks from Thursday 1970-01-01 on lie in two calendar weeks each
        await self._make(
            connection, "persist/weeks", {7 * week + day for week in weeks for day in (0, 6)}, self._weeks
        )

    async def _make(
        self, connection: asyncpg.Connection, name: str, wanted: set[int], known: set[int]
    ) -> None:
        missing = sorted(wanted - known)
        for at in range(0, len(missing), _AT_ONCE):
            days = missing[at : at + _AT_ONCE]
            await connection.fetchval(query(name), [_date(day) for day in days])
            known.update(days)

    @staticmethod
    async def _copy(
        connection: asyncpg.Connection, table: str, columns: Sequence[str], bodies: Sequence[memoryview]
    ) -> None:
        if bodies:
            # a memoryview, for bytes would be taken for the name of a file
            data = memoryview(b"".join((HEAD, *bodies, TAIL)))
            await connection.copy_to_table(table, source=data, columns=columns, format="binary")

    async def _keep(
        self, connection: asyncpg.Connection, district: int, kept: Kept, *, careful: bool
    ) -> None:
        head, *rest = kept.blocks
        moved = await connection.fetchval(
            query("persist/memory_advance"), district, kept.base, kept.offset, head
        )
        if moved is None:
            raise Fenced(f"memory of district {district}")
        for number, block in enumerate(rest, 1):
            await connection.execute(query("persist/memory_block"), district, number, kept.offset, block)
        await connection.execute(query("persist/memory_trim"), district, len(kept.blocks))
        merged = [kept.more]
        if careful:
            merged.append(kept.new)
        elif len(kept.new):
            await self._copy(connection, "reading_minute", MINUTE_COLUMNS, [minute_rows(district, kept.new)])
        for pieces in merged:
            for at in range(0, len(pieces), _MERGED_AT_ONCE):
                some = pieces.where(np.arange(at, min(len(pieces), at + _MERGED_AT_ONCE)))
                columns = (some.series, some.minute, some.count, some.lo, some.mean, some.hi, some.last)
                await connection.execute(
                    query("persist/minute"), district, *(c.tolist() for c in (*columns, some.last_us))
                )

    async def _together(self, connection: asyncpg.Connection, parts: Sequence[Ready]) -> None:
        by_query: dict[str, list[tuple[object, ...]]] = {}
        for part in parts:
            for _, (name, parameters) in part.statements:
                by_query.setdefault(name, []).append(parameters)
        for name, rows in by_query.items():
            await connection.executemany(query(name), rows)

    async def _rows_carefully(self, connection: asyncpg.Connection, parts: Sequence[Ready]) -> None:
        """COPY in halves and halves of halves, until only the rows that the database refuses are left."""
        for part in parts:
            for n, rows in enumerate(part.rows):
                waiting = [(0, rows.n)]
                while waiting:
                    begin, end = waiting.pop()
                    body = rows.body[begin * ROW_BYTES : end * ROW_BYTES]
                    try:
                        async with connection.transaction():
                            await self._copy(connection, "reading", COLUMNS, [body])
                    except DRIVER_ERRORS as error:
                        refused = self._refused(error)
                        if end - begin > 1:
                            half = (begin + end) // 2
                            waiting += [(half, end), (begin, half)]
                        else:
                            place = (part.partition, part.next - 1, f"{n}.{begin}")
                            await self._letter(connection, place, "reading", refused, bytes(body))

    async def _one_by_one(self, connection: asyncpg.Connection, parts: Sequence[Ready]) -> None:
        for part in parts:
            for offset, (name, parameters) in part.statements:
                try:
                    async with connection.transaction():
                        await connection.execute(query(name), *parameters)
                except DRIVER_ERRORS as error:
                    refused = self._refused(error)
                    raw = repr(parameters).encode("utf-8", "replace")
                    await self._letter(connection, (part.partition, offset, ""), name, refused, raw)

    def _refused(self, error: BaseException) -> YiwangError:
        """Our error, if the database refused a row and will do so again.

        Raises:
            BaseException: the error itself, if it is of another sort.
        """
        refused = translated(error, self._dsn)
        if refused.code != "database.error":
            raise error
        return refused

    async def _letter(
        self,
        connection: asyncpg.Connection,
        place: tuple[Partition, int, str],
        what: str,
        refused: YiwangError,
        raw: bytes,
    ) -> None:
        (topic, number), offset, row = place
        letter = unreadable(
            "persist.refused",
            f"{what}: {refused.message}",
            topic=topic,
            partition=number,
            offset=offset,
            row=row,
            ns=self._clock.now_ns(),
            raw=raw,
        )
        for name, values in of_dead_letter(letter):
            await connection.execute(query(name), *values)

    async def _fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        connection = await self._connected()
        try:
            records: list[asyncpg.Record] = await connection.fetch(query(name), *values)
        except DRIVER_ERRORS as error:
            raise self._failed(error) from error
        return records

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, self._schema)
        return self._connection

    def _failed(self, error: BaseException) -> YiwangError:
        """Our error for the driver's; the connection and what is believed of the schema are dropped."""
        connection, self._connection = self._connection, None
        self._days.clear()
        self._weeks.clear()
        if connection is not None:
            connection.terminate()
        return translated(error, self._dsn)


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
