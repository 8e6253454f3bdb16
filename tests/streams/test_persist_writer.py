"""Batches into a real database, without Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import numpy as np
import pytest

import sql
from sql.pool import connect
from streams.persist_backlog import Partition
from streams.persist_districts import Interval
from streams.persist_store import Ready, Store
from streams.persist_writer import Limits, Writer
from yiwang import codec, frames
from yiwang.clock import SECOND, ManualClock
from yiwang.columns import I32, I64, Readings
from yiwang.errors import BadInput, Conflict, Unavailable
from yiwang.model import DeadLetter, Output, Tick, Trouble, VideoEvent
from yiwang.runs import Run
from yiwang.topics import Topics

TOPICS = Topics("live")
FEED, OUTPUTS, DEAD = TOPICS.feed, TOPICS.outputs, TOPICS.dead_letters
AT_ONCE = Interval(least_s=0, most_s=0)  # each batch keeps what is known
T0 = 1_630_000_000 * SECOND  # August 2021: a day no partition is made for ahead of time
QUICK = Limits(age_s=0.005, keeping=AT_ONCE)


def frame(*rows: tuple[int, float, float], district: int = 0) -> bytes:
    """A frame of (series, seconds after T0, value)."""
    readings = Readings.of([(s, T0 + round(t * SECOND), v, 0) for s, t, v in rows])
    return frames.encode(frames.Frame(district=district, ingest_ns=0, readings=readings))


def trouble(n: int, code: str = "feed.late") -> bytes:
    """An output."""
    return codec.encode(Output(n=n, feed=0, commands=0, body=Trouble(code=code, t_ns=T0)))


@pytest.fixture
def database(any_pg_dsn: str) -> str:
    """A migrated database."""
    sql.migrate(any_pg_dsn, Run(name="live", kind="live", ticks="agent", districts=2))
    return any_pg_dsn


@asynccontextmanager
async def writer(dsn: str, *, store: Store | None = None, limits: Limits = QUICK) -> AsyncIterator[Writer]:
    """A running writer; at the end it has written what was waiting."""
    store = store or Store(dsn, TOPICS.schema, ManualClock(T0))
    running = Writer(store, TOPICS, ManualClock(T0), limits)
    await running.start()
    task = asyncio.create_task(running.run())
    try:
        yield running
        await running.close()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def stored(dsn: str) -> list[tuple[int, int, float, float, int]]:
    """(district, series, seconds after T0, value, quality), in order."""
    connection = await connect(dsn, TOPICS.schema)
    try:
        rows = await connection.fetch("table reading")
    finally:
        await connection.close()
    t0_s = T0 // SECOND
    return sorted(
        (r["district"], r["series"], r["t"].timestamp() - t0_s, r["value"], r["quality"]) for r in rows
    )


async def fetch(dsn: str, text: str) -> list[asyncpg.Record]:
    """Rows of a statement, in the run's schema."""
    connection = await connect(dsn, TOPICS.schema)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(text)
        return rows
    finally:
        await connection.close()


class Acks:
    """Remembers what was acknowledged, in order."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self._event = asyncio.Event()

    def of(self, n: int) -> Callable[[], None]:
        """The acknowledgement of message n."""

        def ack() -> None:
            self.done.append(n)
            self._event.set()

        return ack

    async def until(self, count: int) -> None:
        """Wait for so many."""
        while len(self.done) < count:
            self._event.clear()
            await self._event.wait()


def nothing() -> None:
    """An acknowledgement nobody waits for."""


async def test_everything_of_the_three_topics_is_stored_with_its_offsets(database: str) -> None:
    """Readings, outputs, events and dead letters are in their tables, and the next offsets beside them."""
    event = VideoEvent(event_id="e", device="c", event_class="smoke", confidence=0.5, t_ns=T0, ingest_ns=T0)
    letter = DeadLetter(id="D-1", code="reading.unit", message="m", source="http", ingest_ns=T0, raw=b"\0x")
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame((1, 0, 1.5), (0, 0, 2.5)), nothing)
        await w.take(FEED, 0, 1, codec.encode(Tick(t_ns=T0)), nothing)
        await w.take(FEED, 0, 2, codec.encode(event), nothing)
        await w.take(FEED, 1, 0, frame((0, 0, -1.0), district=1), nothing)
        await w.take(OUTPUTS, 0, 0, trouble(1), nothing)
        await w.take(DEAD, 0, 0, codec.encode(letter), nothing)
    assert await stored(database) == [(0, 0, 0, 2.5, 0), (0, 1, 0, 1.5, 0), (1, 0, 0, -1.0, 0)]
    offsets = {tuple(r) for r in await fetch(database, "table persisted")}
    assert offsets == {(FEED, 0, 3), (FEED, 1, 1), (OUTPUTS, 0, 1), (DEAD, 0, 1)}
    assert [r["event_id"] for r in await fetch(database, "table video_event")] == ["e"]
    assert [(r["id"], r["raw"]) for r in await fetch(database, "table dead_letter")] == [("D-1", b"\0x")]
    assert [(r["district"], r["n"]) for r in await fetch(database, "table trouble")] == [(0, 1)]


async def test_what_comes_twice_after_a_restart_is_stored_once(database: str) -> None:
    """A new writer skips what the database has, acknowledges it, and goes on behind it."""
    messages = [frame((0, t, float(t))) for t in range(6)]
    async with writer(database) as w:
        for n in range(4):
            await w.take(FEED, 0, n, messages[n], nothing)
    acks = Acks()
    async with writer(database) as w:
        for n in range(6):
            await w.take(FEED, 0, n, messages[n], acks.of(n))
        assert w.counters.skipped_messages == 4
    assert sorted(acks.done) == list(range(6))
    assert [r[2] for r in await stored(database)] == [0, 1, 2, 3, 4, 5]


async def test_nothing_is_acknowledged_before_it_is_stored(database: str) -> None:
    """At the moment of each acknowledgement the offset in the database is beyond the message."""
    acks = Acks()
    async with writer(database, limits=Limits(age_s=60, rows=2, keeping=AT_ONCE)) as w:
        await w.take(FEED, 0, 0, frame((0, 0, 1.0)), acks.of(0))
        assert acks.done == []
        await w.take(FEED, 0, 1, frame((0, 1, 1.0)), acks.of(1))  # the second row makes the batch full
        await acks.until(2)
        assert [r["next_offset"] for r in await fetch(database, "table persisted")] == [2]


async def test_late_readings_are_marked_also_after_a_restart(database: str) -> None:
    """What is newest in a series is asked of the database when a writer first meets the series."""
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame((0, 10, 1.0), (0, 5, 2.0), (1, 1, 3.0)), nothing)
    async with writer(database) as w:
        await w.take(FEED, 0, 1, frame((0, 10, 4.0), (0, 11, 5.0), (1, 0.5, 6.0), (2, 0, 7.0)), nothing)
        assert await w.flush(30)
        assert w.counters.late == 2
    late = {row[3] for row in await stored(database) if row[4] & 4}
    assert late == {2.0, 4.0, 6.0}


async def test_a_gap_in_the_log_is_an_error(database: str) -> None:
    """Messages lost before they were stored are reported, not passed over."""
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame((0, 0, 1.0)), nothing)
    with pytest.raises(Conflict, match="2 messages from offset 1 on never came") as caught:
        async with writer(database) as w:
            await w.take(FEED, 0, 3, frame((0, 1, 1.0)), nothing)
    assert caught.value.code == "persist.gap"


async def test_unreadable_messages_become_dead_letters_and_hold_nobody(database: str) -> None:
    """A broken frame, a broken output and a text with NUL do not stop their neighbours."""
    broken = bytearray(frame((0, 0, 1.0)))
    broken[-1] ^= 1
    async with writer(database) as w:
        await w.take(FEED, 0, 0, bytes(broken), nothing)
        await w.take(FEED, 0, 1, frame((0, 0, 1.0)), nothing)
        await w.take(OUTPUTS, 0, 0, b"{", nothing)
        await w.take(OUTPUTS, 0, 1, trouble(1, "a\0b"), nothing)
    assert len(await stored(database)) == 1
    assert {r["code"] for r in await fetch(database, "table dead_letter")} == {
        "frame.checksum",
        "output.message",
    }
    assert [r["code"] for r in await fetch(database, "table trouble")] == ["a\N{REPLACEMENT CHARACTER}b"]


async def test_a_row_the_database_refuses_becomes_a_dead_letter(database: str) -> None:
    """The rest of the batch is stored, and the refused one is kept with the database's reason."""
    too_large = codec.encode(Output(n=2, feed=0, commands=0, body=Trouble(code="x", t_ns=T0, count=2**63)))
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame((0, 0, 1.0)), nothing)
        await w.take(OUTPUTS, 0, 0, trouble(1), nothing)
        await w.take(OUTPUTS, 0, 1, too_large, nothing)
        await w.take(OUTPUTS, 0, 2, trouble(3), nothing)
    assert len(await stored(database)) == 1
    assert [r["n"] for r in await fetch(database, "select n from trouble order by n")] == [1, 3]
    (letter,) = await fetch(database, "table dead_letter")
    assert (letter["code"], letter["source"]) == ("persist.refused", f"persist:{OUTPUTS}[0]@1")


async def test_of_two_writers_with_one_partition_only_one_stores(database: str) -> None:
    """The fence: the second one notices, drops its batch unacknowledged, and the rows are there once."""
    acks = Acks()
    slow = Limits(age_s=60, keeping=AT_ONCE)
    async with writer(database, limits=slow) as first, writer(database, limits=slow) as second:
        await first.take(FEED, 0, 0, frame((0, 0, 1.0)), nothing)
        await second.take(FEED, 0, 0, frame((0, 0, 1.0)), acks.of(0))
        await second.take(FEED, 0, 1, frame((0, 1, 2.0)), acks.of(1))
        await second.take(FEED, 1, 0, frame((0, 0, 9.0), district=1), acks.of(2))
        assert await first.flush(30)
        assert await second.flush(30)
        assert acks.done == [2]
    assert [(r[0], r[3]) for r in await stored(database)] == [(0, 1.0), (1, 9.0)]


async def test_a_partition_that_went_away_is_not_stored_from(database: str) -> None:
    """What waits of a revoked partition is dropped; its new owner gets the messages again."""
    acks = Acks()
    async with writer(database, limits=Limits(age_s=60)) as w:
        await w.take(FEED, 0, 0, frame((0, 0, 1.0)), acks.of(0))
        await w.forget([(FEED, 0)])
        assert await w.flush(30)
        await w.take(FEED, 0, 0, frame((0, 0, 1.0)), acks.of(10))
        assert await w.flush(30)
    assert acks.done == [10]
    assert len(await stored(database)) == 1


class Flaky(Store):
    """A store whose database goes away: before the work, or after it with the answer lost."""

    def __init__(self, dsn: str, failures: Sequence[str]) -> None:
        super().__init__(dsn, TOPICS.schema, ManualClock(T0))
        self.failures = list(failures)
        self.tries = 0

    async def write(self, parts: Sequence[Ready], *, careful: bool = False) -> None:
        """Fail as told, once each."""
        self.tries += 1
        failure = self.failures.pop(0) if self.failures else ""
        if failure == "before":
            raise Unavailable("database.unavailable", "away")
        await super().write(parts, careful=careful)
        if failure == "after":
            raise Unavailable("database.unavailable", "the answer was lost")


@pytest.mark.parametrize("failures", [["before"], ["after"], ["before", "after"]])
async def test_rows_are_stored_once_whenever_the_database_goes_away(
    database: str, failures: list[str]
) -> None:
    """Also when the transaction was committed and only its answer was lost."""
    store = Flaky(database, failures)
    acks = Acks()
    async with writer(database, store=store) as w:
        for n in range(3):
            await w.take(FEED, 0, n, frame((0, n, 1.0)), acks.of(n))
        await acks.until(3)
        await w.take(FEED, 0, 3, frame((0, 3, 1.0)), acks.of(3))
    assert acks.done == [0, 1, 2, 3]
    assert len(await stored(database)) == 4
    assert store.tries > len(failures)


class Away(Store):
    """A database that is away until ``back`` is set."""

    def __init__(self) -> None:
        super().__init__("postgresql://nobody@127.0.0.1:1/none", TOPICS.schema, ManualClock(T0))
        self.back = asyncio.Event()
        self.asked = asyncio.Event()
        self.written: list[Ready] = []

    async def offsets(self) -> dict[Partition, int]:
        """It knew nothing before it went away."""
        return {}

    async def memory(self, district: int) -> None:
        """Nothing was kept."""

    async def newest(self, district: int, series: I32) -> I64:
        """No reading of any series."""
        return np.full(len(series), np.iinfo(np.int64).min, np.int64)

    async def write(self, parts: Sequence[Ready], *, careful: bool = False) -> None:
        """Refused until it is back."""
        self.asked.set()
        if not self.back.is_set():
            raise Unavailable("database.unavailable", "away")
        self.written += parts


async def test_while_the_database_is_away_what_waits_is_bounded() -> None:
    """No more is taken than the limit, nothing is acknowledged, and afterwards everything is stored."""
    store, acks = Away(), Acks()
    limits = Limits(age_s=0.001, rows=10, backlog=2, keeping=AT_ONCE)

    async def feed(w: Writer) -> None:
        for n in range(100):
            await w.take(FEED, 0, n, frame(*[(s, n, 1.0) for s in range(5)]), acks.of(n))

    async with writer("", store=store, limits=limits) as w:
        feeding = asyncio.create_task(feed(w))
        await store.asked.wait()
        waiting = -1
        while waiting != w._backlog.rows:
            waiting = w._backlog.rows
            for _ in range(20):
                await asyncio.sleep(0)
        assert waiting == limits.rows * limits.backlog
        assert acks.done == []
        assert not feeding.done()
        assert w.positions[FEED, 0] > 0  # taken, and as long as it is not stored it counts as waiting
        assert w.stored == {(FEED, 0): 0}
        store.back.set()
        await feeding
        assert await w.flush(30)
        assert w.stored == {(FEED, 0): 100}
    assert acks.done == list(range(100))
    assert sum(rows.n for part in store.written for rows in part.rows) == 500


async def test_a_database_that_was_never_migrated_is_named_at_the_start(pg_dsn: str) -> None:
    """Waiting would not mend it, so it is an error with the remedy."""
    with pytest.raises(BadInput, match="yiwang migrate") as caught:
        async with writer(pg_dsn):
            pass
    assert caught.value.code == "database.not_migrated"
