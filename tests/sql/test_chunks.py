"""How long chunks are: as long as their index fits into the server's memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import sql
from sql.query import query
from yiwang.runs import Run

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@contextmanager
def fresh(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a fresh run with a device."""
    run = Run(name="live", kind="live", ticks="agent", districts=1)
    sql.migrate(dsn, run)
    with psycopg.connect(
        dsn,
        autocommit=True,
        cursor_factory=psycopg.RawCursor,
        options=f"-c search_path={run.topics.schema},public",
    ) as connection:
        connection.execute("insert into district values (0, 'a', 'a')")
        connection.execute("insert into place values ('p', 0, 'z', 'k', 'p', '', 0, 0)")
        connection.execute("insert into device values ('d', 0, 'p', 'k', 'd', '', 0, 0)")
        yield connection


@pytest.fixture
def live(any_pg_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A run on plain PostgreSQL, then on TimescaleDB."""
    with fresh(any_pg_dsn) as connection:
        yield connection


@pytest.fixture
def chunked(timescale_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A run whose readings lie in chunks."""
    with fresh(timescale_dsn) as connection:
        yield connection


def one(connection: psycopg.Connection[Any], text: str, *values: object) -> Any:
    """The first column of the only row."""
    row = connection.execute(text, values).fetchone()
    assert row is not None
    return row[0]


def register(connection: psycopg.Connection[Any], n: int) -> None:
    """So many series more."""
    text = "insert into series select 0, n, 'd', 'm' || n from generate_series(1, $1) n"
    connection.execute(text, (n,))


def many(connection: psycopg.Connection[Any]) -> int:
    """More series than fit the server's buffers with a leaf each."""
    return int(one(connection, "select chunk_bytes()") / 8192 * 1.1)


def store(connection: psycopg.Connection[Any], begin: datetime, seconds: int, rows_per_s: int) -> None:
    """Readings evenly from then on, after what persist asks for before it stores any."""
    connection.execute(query("persist/days"), ([begin.date()],))
    connection.execute(
        "insert into reading select $1::timestamptz + n * (interval '1 s' / $2::integer), 1, n % 1000, 0, 0"
        " from generate_series(0, $2::integer * $3::integer - 1) n",
        (begin, rows_per_s, seconds),
    )


def lengths(connection: psycopg.Connection[Any]) -> list[timedelta]:
    """Of the chunks of readings, in order of time."""
    text = (
        "select range_end - range_start from timescaledb_information.chunks"
        " where hypertable_name = 'reading' and hypertable_schema = current_schema() order by range_start"
    )
    return [row[0] for row in connection.execute(text)]


@pytest.mark.parametrize("step", [2 * MINUTE, 5 * MINUTE, 60 * MINUTE, DAY])
def test_a_chunk_is_the_longest_that_fits(live: psycopg.Connection[Any], step: timedelta) -> None:
    """As many rows as fit a step take it, a few more the next shorter one, but two minutes are the least."""
    register(live, many(live))
    most = one(live, "select chunk_rows()") / step.total_seconds()
    assert one(live, "select chunk_step($1, $2)", 0.999 * most, DAY) == step
    shorter = one(live, "select chunk_step($1, $2)", 1.001 * most, DAY)
    assert shorter < step or shorter == 2 * MINUTE
    assert one(live, "select chunk_step($1, $2)", 0.0, 7 * DAY) == 7 * DAY


def test_few_series_may_report_as_often_as_they_like(live: psycopg.Connection[Any]) -> None:
    """What is written of the index is a leaf a series, however many rows there are."""
    register(live, 100)
    assert one(live, "select chunk_step($1, $2)", 1e9, DAY) == DAY


def test_few_series_get_a_day(chunked: psycopg.Connection[Any]) -> None:
    """As before."""
    register(chunked, 20)
    store(chunked, NOON, 10, 10)
    assert lengths(chunked) == [DAY]


def test_the_first_chunk_of_many_series_is_short(chunked: psycopg.Connection[Any]) -> None:
    """Nobody knows yet how often they report; once a second is the most that is thought of."""
    register(chunked, many(chunked))
    store(chunked, NOON, 1, 10)
    (length,) = lengths(chunked)
    assert length == one(chunked, "select chunk_step($1, $2)", float(many(chunked)), DAY) < DAY


def test_chunks_grow_to_what_comes(chunked: psycopg.Connection[Any]) -> None:
    """Many series that hardly ever report: the chunks to come are as long as the readings allow."""
    register(chunked, many(chunked))
    store(chunked, NOON, 1, 10)
    (first,) = lengths(chunked)
    assert one(chunked, query("persist/fit"), NOON + 5 * first) == 0  # nothing came after a first chunk
    store(chunked, NOON, int(3 * first.total_seconds()), 10)
    end = NOON + 3 * first
    assert one(chunked, query("persist/fit"), end) == 1
    assert one(chunked, query("persist/fit"), end) == 0
    store(chunked, end + 2 * DAY, 10, 10)
    assert lengths(chunked)[-1] == DAY


def test_chunks_shrink_when_more_comes(chunked: psycopg.Connection[Any]) -> None:
    """Many series that report more often than they did."""
    register(chunked, many(chunked))
    store(chunked, NOON - DAY, 10, 10)
    chunked.execute("select set_chunk_time_interval('reading', interval '4 h')")
    store(chunked, NOON - timedelta(hours=4), 10, 10)
    rate = int(one(chunked, "select chunk_rows()") / timedelta(hours=2).total_seconds())
    store(chunked, NOON, 70, rate)
    assert one(chunked, query("persist/fit"), NOON + timedelta(seconds=30)) == 0  # too early to tell
    assert one(chunked, query("persist/fit"), NOON + timedelta(seconds=70)) == 1
    store(chunked, NOON + timedelta(hours=4), 10, 10)
    assert lengths(chunked)[-1] in {timedelta(hours=1), timedelta(hours=2)}


def test_native_partitions_stay_days(pg_dsn: str) -> None:
    """There is nothing to fit."""
    with fresh(pg_dsn) as connection:
        assert one(connection, query("persist/fit"), NOON) == 0
