"""Every query, at every SQL level that can be had."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psycopg
import pytest

import sql
from sql.pool import connect
from sql.query import is_hot, names, query
from yiwang.runs import Run

RUN = Run(name="live", kind="live", ticks="agent", districts=2)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAYS = 10

# Parameters with which each hot query is tried over ten days of readings, and how many days it may touch.
HOT: Mapping[str, tuple[tuple[object, ...], int]] = {
    "reading/curve": ((0, 1, NOON, NOON + timedelta(hours=6), 100), 1),
    "reading/curve_minutes": ((0, 1, NOON - timedelta(days=2), NOON + timedelta(hours=6), 100), 4),
    "reading/newest": ((0,), 1),
    "persist/newest": ((0, [1, 2]), 1),
}


@pytest.fixture
async def database(any_pg_dsn: str) -> str:
    """Migrated."""
    sql.migrate(any_pg_dsn, RUN)
    return any_pg_dsn


async def test_every_query_can_be_prepared(database: str) -> None:
    """Each file is one statement the database accepts, with the parameters and columns its header speaks of."""
    connection = await connect(database, "live")
    try:
        for name in names():
            statement = await connection.prepare(query(name))
            header = "\n".join(line for line in query(name).splitlines() if line.startswith("--"))
            told = {int(n) for n in re.findall(r"\$(\d+)", header)}
            told |= {n for a, b in re.findall(r"\$(\d+) to \$(\d+)", header) for n in range(int(a), int(b))}
            assert told == set(range(1, len(statement.get_parameters()) + 1)), name
            assert re.search(r"^-- returns: ", header, re.MULTILINE), name
    finally:
        await connection.close()


def test_a_query_that_does_not_exist_is_a_mistake_in_the_program() -> None:
    """Said at once and with its name."""
    with pytest.raises(LookupError, match="there is no query 'no/such'"):
        query("no/such")


def test_every_hot_query_is_tried_below() -> None:
    """A file marked -- hot has its line in the table of this test."""
    assert {name for name in names() if is_hot(name)} == set(HOT)


@pytest.mark.parametrize("name", sorted(HOT))
async def test_hot_queries_touch_few_days(database: str, name: str) -> None:
    """Of ten days stored, only those asked for are read."""
    parameters, most = HOT[name]
    connection = await connect(database, "live")
    try:
        await _fill(connection)
        text = f"explain (analyze, format json, timing off) {query(name)}"
        plan = json.loads(await connection.fetchval(text, *parameters))[0]["Plan"]
    finally:
        await connection.close()
    assert 1 <= len(_touched(plan)) <= most


async def _fill(connection: asyncpg.Connection) -> None:
    first = NOON - timedelta(days=DAYS - 1)
    days = [(first + timedelta(days=n)).date() for n in range(DAYS)]
    await connection.execute("select reading_days($1)", days)
    await connection.execute(
        "insert into reading select t, 1, s, 0, 0 from generate_series(0, 9) s,"
        " generate_series($1::timestamptz, $2::timestamptz, interval '1 minute') t",
        first,
        NOON + timedelta(hours=5),
    )
    await connection.execute("insert into district values (0, 'a', 'a')")
    await connection.execute("insert into place values ('p', 0, 'z', 'k', 'p', '', 0, 0)")
    await connection.execute("insert into device values ('d', 0, 'p', 'k', 'd', '', 0, 0)")
    await connection.execute("insert into series select 0, n, 'd', 'm' || n from generate_series(0, 9) n")
    await connection.execute("analyze")


def _touched(plan: Mapping[str, Any]) -> set[str]:
    """Partitions or chunks that were really read from."""
    found = {
        plan["Relation Name"]
        for _ in [0]
        if plan.get("Relation Name", "").startswith(("reading_2", "_hyper")) and plan["Actual Loops"]
    }
    for child in plan.get("Plans", []):
        found |= _touched(child)
    return found


async def test_a_curve_keeps_every_extreme(database: str) -> None:
    """Thinning keeps the lowest and the highest reading of each bucket, in order of time, without NaN."""
    connection = await connect(database, "live")
    try:
        await connection.execute("select reading_days(array[date '2026-06-10'])")
        await connection.execute(
            "insert into reading select timestamptz '2026-06-10 12:00Z' + n * interval '1 second',"
            " case when n = 777 then 99 when n = 555 then -99 when n = 3 then 'NaN' else sin(n) end, 1, 0, 0"
            " from generate_series(0, 3599) n"
        )
        rows = await connection.fetch(query("reading/curve"), 0, 1, NOON, NOON + timedelta(hours=1), 50)
    finally:
        await connection.close()
    values = [r["value"] for r in rows]
    assert len(rows) <= 100
    assert max(values) == 99
    assert min(values) == -99
    assert [r["t"] for r in rows] == sorted(r["t"] for r in rows)


async def test_a_curve_goes_on_where_readings_are_gone(database: str) -> None:
    """Roll-ups stand for readings that were dropped, for long spans and for short ones; neither is counted twice."""
    connection = await connect(database, "live")
    try:
        await connection.execute("select reading_minute_weeks(array[date '2026-06-10'])")
        await connection.execute("select reading_days(array[date '2026-06-10'])")
        await connection.execute(
            "insert into reading_minute (minute, last_t, min, mean, max, last, series, count, district)"
            " select m, m + interval '59 s', -1, 0, 1, 0, 1, 60, 0 from generate_series("
            "timestamptz '2026-06-10 12:00Z', timestamptz '2026-06-10 12:49Z', interval '1 minute') m"
        )
        await connection.execute(
            "insert into reading select timestamptz '2026-06-10 12:30Z' + n * interval '1 second', 5, 1, 0, 0"
            " from generate_series(0, 1799) n"
        )
        found = {}
        for name in ("reading/curve", "reading/curve_minutes"):
            rows = await connection.fetch(query(name), 0, 1, NOON, NOON + timedelta(hours=1), 60)
            assert [r["t"] for r in rows] == sorted(r["t"] for r in rows)
            found[name] = [((r["t"] - NOON).total_seconds() // 60, r["value"]) for r in rows]
    finally:
        await connection.close()
    minutes = [(m, v) for m in range(60) for v in (-1, 1)]
    assert sorted(found["reading/curve"])[:60] == minutes[:60]
    assert {v for m, v in found["reading/curve"] if m >= 30} == {5}
    assert sorted(found["reading/curve_minutes"])[:100] == minutes[:100]
    assert {v for m, v in found["reading/curve_minutes"] if m >= 50} == {5}


async def test_merged_roll_ups_are_those_of_all_readings(database: str) -> None:
    """Count, least, mean, greatest and last; the newest reading's value is the last one, the first of two of a time."""
    connection = await connect(database, "live")
    try:
        await connection.execute("select reading_minute_weeks(array[date '1970-01-01'])")
        given = [
            (2, 1.0, 1.5, 2.0, 9.0, 30),
            (1, 0.0, 0.0, 0.0, 8.0, 20),
            (1, 4.0, 4.0, 4.0, 7.0, 40),
            (2, 1, 1, 1, 6.0, 40),
        ]
        for count, *values, us in given:
            await connection.execute(
                query("persist/minute"), 0, [5], [1], [count], *([v] for v in values), [us]
            )
        row = await connection.fetchrow(
            "select count, min, mean, max, last, last_t, minute from reading_minute"
        )
    finally:
        await connection.close()
    assert tuple(row)[:5] == (6, 0.0, pytest.approx(1.5), 4.0, 7.0)
    assert row["last_t"] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=40)
    assert row["minute"] == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


async def test_history_pages_neither_repeat_nor_leave_out(database: str) -> None:
    """Also where incidents were opened in the same instant."""
    connection = await connect(database, "live")
    try:
        await connection.execute(
            "insert into incident select 'I-' || n, 1, 0, 'd', 'k', 'p', 'closed', 2, 2,"
            " timestamptz '2026-06-10 12:00Z' + (n / 3) * interval '1 hour', now(), null, null, '{}'"
            " from generate_series(0, 9) n"
        )
        seen: list[str] = []
        at: tuple[object, str] = (datetime.max.replace(tzinfo=UTC), "")
        while rows := await connection.fetch(query("incident/history"), None, *at, 4):
            seen += [r["id"] for r in rows]
            at = (rows[-1]["opened"], rows[-1]["id"])
    finally:
        await connection.close()
    assert len(seen) == len(set(seen)) == 10


async def test_a_snapshot_never_goes_back(database: str) -> None:
    """A worker that lost its partition cannot overwrite the newer state."""
    connection = await connect(database, "live")
    try:
        keep = query("snapshot/keep")
        assert await connection.fetchval(keep, "district", 0, b"new", 5, 5, 5) == 0
        assert await connection.fetchval(keep, "district", 0, b"old", 4, 5, 5) is None
        assert (await connection.fetchrow(query("snapshot/state"), "district", 0))["manifest"] == b"new"
    finally:
        await connection.close()


def test_psycopg_takes_the_same_parameters(pg_dsn: str) -> None:
    """One dialect, $1 to $n, for both drivers."""
    sql.migrate(pg_dsn, RUN)
    with psycopg.connect(pg_dsn, cursor_factory=psycopg.RawCursor) as connection:
        row = connection.execute(query("run/one"), ("live",)).fetchone()
    assert row is not None
    assert row[0] == "live"
