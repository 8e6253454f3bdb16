"""How long readings and roll-ups are kept."""

from datetime import UTC, datetime, timedelta

import pytest

import sql
from streams.persist_retention import retain, retain_for_ever
from streams.persist_store import Store
from tests.streams.test_persist_writer import TOPICS, fetch
from yiwang import settings
from yiwang.clock import SECOND, ManualClock
from yiwang.runs import Run

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)  # a Wednesday


@pytest.fixture
async def store(any_pg_dsn: str) -> Store:
    """With a reading and a roll-up for each of thirty days."""
    sql.migrate(any_pg_dsn, Run(name="live", kind="live", ticks="agent", districts=1))
    days = [(NOON - timedelta(days=n)).date() for n in range(30)]
    listed = ", ".join(f"date '{day}'" for day in days)
    for text in (
        f"select reading_days(array[{listed}]), reading_minute_weeks(array[{listed}])",
        f"insert into reading select day + interval '9 h', 1, 1, 0, 0 from unnest(array[{listed}]) day",
        "insert into reading_minute select date_trunc('minute', t), t, 1, 1, 1, 1, 1, 1, 0 from reading",
    ):
        await fetch(any_pg_dsn, text)
    return Store(any_pg_dsn, TOPICS.schema, ManualClock(int(NOON.timestamp()) * SECOND))


async def kept(store: Store, table: str) -> int:
    """Rows."""
    return int((await fetch(store._dsn, f"select count(*) from {table}"))[0]["count"])


async def test_whole_days_and_weeks_are_dropped(store: Store) -> None:
    """Readings by the day, roll-ups by the week, each for its own time; a second look finds nothing more."""
    clock = ManualClock(int(NOON.timestamp()) * SECOND)
    try:
        for _ in range(2):
            assert not await retain(store, clock, 3, 14)
            assert await kept(store, "reading") == 4  # today and three whole days
            # dropped are weeks that ended before 27 May: Monday 18 to Sunday 24 and before
            assert 15 <= await kept(store, "reading_minute") <= 21
    finally:
        await store.close()


async def test_nothing_is_dropped_unless_it_is_said(store: Store) -> None:
    """Both settings at 0 keep everything, and there is nothing more to be done."""
    try:
        assert await retain(store, ManualClock(int(NOON.timestamp()) * SECOND), 0, 0)
        assert (await kept(store, "reading"), await kept(store, "reading_minute")) == (30, 30)
    finally:
        await store.close()


async def test_a_replay_keeps_everything() -> None:
    """Its readings are old from the start; no database is asked."""
    wanted = settings.load(run="storm", keep_readings_days=1, database="postgresql://nobody@127.0.0.1:1/none")
    await retain_for_ever(wanted, ManualClock(0))
