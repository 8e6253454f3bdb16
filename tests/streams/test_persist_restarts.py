"""Roll-ups and thinned readings, exactly once through kills, lost answers and repeats; on a real database."""

import asyncio
import random
from collections.abc import Sequence

import pytest

import sql
from sql.pool import connect
from streams.persist_districts import Interval
from streams.persist_store import Ready, Store
from streams.persist_writer import Limits, Writer
from tests.streams.test_persist_minutes import Row, reference
from tests.streams.test_persist_writer import AT_ONCE, FEED, TOPICS, Acks, fetch, nothing, writer
from yiwang import codec, frames
from yiwang.clock import SECOND, ManualClock
from yiwang.columns import I32, I64, Readings
from yiwang.domains import load_rules
from yiwang.errors import Conflict, Unavailable
from yiwang.model import RulesChange, Tick
from yiwang.runs import Run

T0 = 1_630_000_020 * SECOND  # a whole minute
NEVER_KEPT = Interval(least_s=1000, most_s=1000)


@pytest.fixture
async def database(any_pg_dsn: str) -> str:
    """Migrated, with series of a metric that will be thinned and one that will be rolled up only."""
    sql.migrate(any_pg_dsn, Run(name="live", kind="live", ticks="agent", districts=1))
    connection = await connect(any_pg_dsn, TOPICS.schema)
    try:
        await connection.execute("insert into district values (0, 'a', 'a')")
        await connection.execute("insert into place values ('p', 0, 'z', 'k', 'p', '', 0, 0)")
        for number, metric in enumerate(("rain_intensity", "water_depth", "river_level")):
            await connection.execute(
                "insert into device values ($1, 0, 'p', 'k', 'd', '', 0, 0)", f"d{number}"
            )
            await connection.execute(
                "insert into series values (0, $1, $2, $3)", number, f"d{number}", metric
            )
    finally:
        await connection.close()
    return any_pg_dsn


def keeping(*wanted: dict[str, object]) -> bytes:
    """The feed message that puts the packs with these ``set`` overrides in force."""
    rules = load_rules(overrides=list(wanted))
    return codec.encode(RulesChange(rules=rules))


THINNED = keeping(
    {"metric": "water_depth", "set": {"keep": "changes", "keep_delta": 0.5, "keep_every_s": 20}},
    {"metric": "river_level", "set": {"keep": "rollup"}},
)


def log(seed: int, messages: int = 60) -> tuple[list[bytes], list[Row]]:
    """A feed of frames and ticks over some minutes with late readings, and its readings in order."""
    rng = random.Random(seed)
    out: list[bytes] = [THINNED]
    rows: list[Row] = []
    for n in range(messages):
        now = T0 + n * 5 * SECOND
        part = []
        for series in range(3):
            for _ in range(rng.randint(0, 2)):
                late_s = rng.choice([0, 0, 0, 0, 3, 70, 400])
                t = now + rng.randrange(5000) * SECOND // 1000 - late_s * SECOND
                part.append((series, t, rng.randrange(8) / 4, 0))
        out.append(frames.encode(frames.Frame(district=0, ingest_ns=0, readings=Readings.of(part))))
        rows += part
        if rng.random() < 0.5:
            out.append(codec.encode(Tick(t_ns=now)))
    out.append(codec.encode(Tick(t_ns=T0 + 86_400 * SECOND)))
    return out, rows


class Unsure(Store):
    """A database whose answers are lost now and then, and that is away now and then."""

    def __init__(self, dsn: str, rng: random.Random) -> None:
        super().__init__(dsn, TOPICS.schema, ManualClock(T0))
        self._rng = rng

    async def write(self, parts: Sequence[Ready], *, careful: bool = False) -> None:
        """Perhaps nothing, perhaps the work without an answer, mostly the work."""
        fate = self._rng.random()
        if fate < 0.1:
            raise Unavailable("database.unavailable", "away")
        await super().write(parts, careful=careful)
        if fate > 0.9:
            raise Unavailable("database.unavailable", "the answer was lost")


async def lives(dsn: str, messages: list[bytes], seed: int) -> None:
    """Store a feed with writers that are killed again and again; each gets what was not acknowledged."""
    rng = random.Random(seed)
    acked = 0
    while acked < len(messages):
        store = Unsure(dsn, rng)
        limits = Limits(
            age_s=0.001, rows=rng.choice([1, 5, 40]), keeping=rng.choice([AT_ONCE, Interval(least_s=0.05)])
        )
        running = Writer(store, TOPICS, ManualClock(T0), limits)
        await running.start()
        task = asyncio.create_task(running.run())
        acks = Acks()
        until = rng.randint(acked + 1, len(messages))
        for n in range(acked, until):
            await running.take(FEED, 0, n, messages[n], acks.of(n))
            if rng.random() < 0.2:
                await asyncio.sleep(0)
        if rng.random() < 0.4:
            assert await running.flush(30)
        if until == len(messages) and rng.random() < 0.5:
            await running.close()
            await task
        task.cancel()  # a kill: nothing more is written, and what was done may not be acknowledged
        await asyncio.gather(task, return_exceptions=True)
        await store.close()
        assert acks.done == list(range(acked, acked + len(acks.done)))
        acked += len(acks.done)


async def minutes(dsn: str) -> dict[tuple[int, int], tuple[int, float, float, float, float, int]]:
    """(series, minute) to its roll-up."""
    records = await fetch(
        dsn,
        "select series, extract(epoch from minute)::bigint / 60 as minute, count, min, mean, max, last,"
        " (extract(epoch from last_t) * 1000000)::bigint as last_us from reading_minute where district = 0",
    )
    return {(r["series"], r["minute"]): tuple(r)[2:] for r in records}


def close_to(
    found: dict[tuple[int, int], tuple[int, float, float, float, float, int]], rows: list[Row]
) -> None:
    """All but the last bits of means that were merged."""
    expected = reference(rows)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key][:2] + found[key][3:] == value[:2] + value[3:], key
        assert found[key][2] == pytest.approx(value[2], rel=1e-12)


async def until(dsn: str, text: str) -> None:
    """Ask the database until it has rows to a question; each asking gives the others their turn."""
    connection = await connect(dsn, TOPICS.schema)
    try:
        while not await connection.fetch(text):
            pass
    finally:
        await connection.close()


def stored_of(rows: list[Row]) -> list[tuple[int, int, float, int]]:
    """(series, t_us, value, quality) that ``THINNED`` stores, by a plain loop; sorted."""
    newest: dict[int, int] = {}
    last: tuple[int, float] | None = None
    out = []
    for series, t_ns, value, _ in rows:
        t = t_ns // 1000
        late = series in newest and t <= newest[series]
        newest[series] = max(t, newest.get(series, t))
        if series == 1 and not late:
            if last and abs(value - last[1]) < 0.5 and t - last[0] < 20_000_000:
                continue
            last = (t, value)
        if series != 2:
            out.append((series, t, value, 4 * late))
    return sorted(out)


async def stored(dsn: str) -> list[tuple[int, int, float, int]]:
    """The same as it is in the database."""
    text = "select series, (extract(epoch from t) * 1000000)::bigint as us, value, quality from reading"
    return sorted(tuple(r) for r in await fetch(dsn, text))


@pytest.mark.parametrize("seed", range(2))
async def test_minutes_and_thinned_readings_survive_kills(database: str, seed: int) -> None:
    """Whatever is killed, lost or repeated: roll-ups and rows are those of a plain loop over the feed."""
    messages, rows = log(seed)
    await lives(database, messages, seed)
    close_to(await minutes(database), rows)
    found = await stored(database)
    assert found == stored_of(rows)
    assert {series for series, *_ in found} == {0, 1}  # of series 2 only roll-ups
    assert 0 < sum(row[0] == 1 for row in found) < sum(row[0] == 1 for row in rows)


async def test_a_quiet_life_acknowledges_when_what_is_known_is_kept(database: str) -> None:
    """Stored is not enough: before its minutes are kept a message of the feed would be needed again."""
    acks = Acks()
    messages, _ = log(1, messages=5)
    async with writer(database, limits=Limits(age_s=0, rows=1, keeping=NEVER_KEPT)) as w:
        for n, message in enumerate(messages):
            await w.take(FEED, 0, n, message, acks.of(n))
        await until(database, "select from persisted where next_offset > 5")
        assert len(acks.done) < 5  # the first batch is kept at once
        assert w.unacknowledged
        assert await w.flush(30)
        assert acks.done == list(range(len(messages)))
        assert w.unacknowledged == 0
    (kept,) = await fetch(database, "select next_offset from persist_memory where block = 0")
    assert kept["next_offset"] == len(messages)


async def test_what_is_stored_is_taken_in_again_and_not_stored_again(database: str) -> None:
    """After a kill the messages since the last keeping come again: no row twice, no minute short."""
    messages, rows = log(2)
    limits = Limits(age_s=0, rows=1, keeping=NEVER_KEPT)
    store = Store(database, TOPICS.schema, ManualClock(T0))
    killed = Writer(store, TOPICS, ManualClock(T0), limits)
    task = asyncio.create_task(killed.run())
    acks = Acks()
    for n, message in enumerate(messages[:30]):
        await killed.take(FEED, 0, n, message, acks.of(n))
    await until(database, "select from persisted where next_offset = 30")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()
    assert len(acks.done) < 30
    async with writer(database, limits=limits) as w:
        for n in range(len(acks.done), len(messages)):
            await w.take(FEED, 0, n, messages[n], nothing)
        assert w.counters.repeated_messages == 30 - len(acks.done)
    close_to(await minutes(database), rows)
    assert await stored(database) == stored_of(rows)


async def test_nothing_is_asked_series_by_series_after_a_restart(database: str) -> None:
    """Newest times come with what is kept; only a database of an older release is asked for them."""

    class Asked(Store):
        asked = 0

        async def newest(self, district: int, series: I32) -> I64:
            Asked.asked += 1
            return await super().newest(district, series)

    messages, _ = log(3)
    for begin in (0, 20, 40):
        store = Asked(database, TOPICS.schema, ManualClock(T0))
        async with writer(database, store=store) as w:
            for n in range(begin, begin + 20):
                await w.take(FEED, 0, n, messages[n], nothing)
    assert Asked.asked == 0
    connection = await connect(database, TOPICS.schema)
    try:
        await connection.execute("delete from persist_memory")
    finally:
        await connection.close()
    async with writer(database, store=Asked(database, TOPICS.schema, ManualClock(T0))) as w:
        for n in range(60, 70):
            await w.take(FEED, 0, n, messages[n], nothing)
    assert Asked.asked > 0


async def test_damaged_memory_is_refused(database: str) -> None:
    """The error names district, block and remedy; nothing is stored on a wrong ground."""
    messages, _ = log(4, messages=5)
    async with writer(database) as w:
        for n in range(3):
            await w.take(FEED, 0, n, messages[n], nothing)
    connection = await connect(database, TOPICS.schema)
    try:
        await connection.execute("update persist_memory set data = data || 'x' where block = 1")
    finally:
        await connection.close()
    with pytest.raises(Conflict, match="of district 0 cannot be read: block 1") as caught:
        async with writer(database) as w:
            await w.take(FEED, 0, 3, messages[3], nothing)
    assert caught.value.code == "persist.memory"


async def test_messages_that_kafka_skipped_cost_minutes_and_no_reading(database: str) -> None:
    """A group set forward to what is stored goes on storing; the incomplete minutes are left out, not wrong."""
    messages, rows = log(5)
    async with writer(database, limits=Limits(age_s=0, rows=1)) as w:
        for n in range(10):
            await w.take(FEED, 0, n, messages[n], nothing)
    connection = await connect(database, TOPICS.schema)
    try:  # as if it had been killed before it kept more
        await connection.execute("update persist_memory set next_offset = 5")
    finally:
        await connection.close()
    async with writer(database, limits=Limits(age_s=0, rows=1)) as w:
        for n in range(10, len(messages)):
            await w.take(FEED, 0, n, messages[n], nothing)
    expected, found = reference(rows), await minutes(database)
    first = (T0 + 50 * SECOND) // (60 * SECOND) + 1  # frame 10 or so was the first one met
    late = [key for key in expected if key[1] <= first]
    assert found.keys() >= expected.keys() - set(late)
    assert all(value[:2] == expected[key][:2] for key, value in found.items() if key[1] > first)
    assert len(await stored(database)) == len(stored_of(rows))


async def test_a_reading_the_database_refuses_becomes_a_dead_letter(database: str) -> None:
    """It is found in its batch; all others are stored, and the minutes are made of all."""
    connection = await connect(database, TOPICS.schema)
    try:
        await connection.execute(
            "select reading_days(array[date '2021-08-26', date '2021-08-27', date '2021-08-28'])"
        )
        await connection.execute("alter table reading add check (value < 100)")
    finally:
        await connection.close()
    rows = [(0, T0 + n * SECOND, 999.0 if n in (3, 17) else 1.0, 0) for n in range(20)]
    frame = frames.encode(frames.Frame(district=0, ingest_ns=0, readings=Readings.of(rows)))
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame, nothing)
        await w.take(FEED, 0, 1, codec.encode(Tick(t_ns=T0 + 500 * SECOND)), nothing)
    assert len(await stored(database)) == 18
    letters = await fetch(database, "table dead_letter")
    assert {r["code"] for r in letters} == {"persist.refused"}
    assert len(letters) == 2
    assert [v[0] for v in (await minutes(database)).values()] == [20]


async def test_a_frame_that_comes_twice_is_stored_once(database: str) -> None:
    """A producer's repeat is known by its bytes, as the district machine knows it; also after a restart."""
    rows = [(0, T0, 1.0, 0), (1, T0, 2.0, 0)]
    frame = frames.encode(frames.Frame(district=0, ingest_ns=0, readings=Readings.of(rows)))
    for n in range(2):
        async with writer(database) as w:
            await w.take(FEED, 0, 2 * n, frame, nothing)
            await w.take(FEED, 0, 2 * n + 1, frame, nothing)
            assert await w.flush(30)
            assert w.districts.repeated_frames == n + 1
    assert len(await stored(database)) == 2


async def test_values_that_are_no_numbers_are_left_out(database: str) -> None:
    """They are in no row and no minute; the district's worker keeps them as a dead letter."""
    rows = [(0, T0, float("nan"), 0), (0, T0 + SECOND, 2.0, 0), (0, T0 + 2 * SECOND, float("inf"), 0)]
    frame = frames.encode(frames.Frame(district=0, ingest_ns=0, readings=Readings.of(rows)))
    async with writer(database) as w:
        await w.take(FEED, 0, 0, frame, nothing)
        await w.take(FEED, 0, 1, codec.encode(Tick(t_ns=T0 + 500 * SECOND)), nothing)
        assert await w.flush(30)
        assert w.districts.not_finite == 2
    assert [row[2] for row in await stored(database)] == [2.0]
    assert [v[:4] for v in (await minutes(database)).values()] == [(1, 2.0, 2.0, 2.0)]
