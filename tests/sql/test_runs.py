"""The table of runs."""

from datetime import date

import psycopg
import pytest

import sql
from yiwang.errors import BadInput
from yiwang.runs import Run

LIVE = Run(name="live", kind="live", ticks="agent", districts=2, created_ns=1)
REPLAY = Run(name="flood-2021", kind="replay", ticks="player", districts=1, speed=10.0, created_ns=2)


def test_a_run_is_dropped_with_everything_it_has_and_nothing_else(any_pg_dsn: str) -> None:
    """Years of daily partitions go too, and the living city stays."""
    sql.migrate(any_pg_dsn, LIVE)
    sql.migrate(any_pg_dsn, REPLAY)
    with psycopg.connect(any_pg_dsn, autocommit=True) as connection:
        connection.execute("set search_path to run_flood_2021, public")
        connection.execute(
            "select reading_days(array(select date '2021-01-01' + n from generate_series(0, 499) n))"
        )
        connection.execute(
            "insert into reading select timestamptz '2021-01-01 12:00Z' + n * interval '1 day', 1, 1, 0, 0"
            " from generate_series(0, 499, 20) n"
        )
    sql.drop_run(any_pg_dsn, "flood-2021")
    assert sql.list_runs(any_pg_dsn) == [LIVE]
    with psycopg.connect(any_pg_dsn) as connection:
        assert connection.execute("select to_regnamespace('run_flood_2021')").fetchone() == (None,)
        assert connection.execute("select count(*) from live.reading").fetchone() == (0,)
    assert "run_flood_2021/0001_registry.sql" in sql.migrate(any_pg_dsn, REPLAY)


def test_a_run_keeps_its_state_when_it_is_migrated_again(pg_dsn: str) -> None:
    """Facts may change, when it was made and how it ended do not."""
    sql.migrate(pg_dsn, REPLAY)
    sql.set_run_state(pg_dsn, "flood-2021", "finished")
    sql.migrate(pg_dsn, Run(name="flood-2021", kind="replay", ticks="player", districts=3, created_ns=9))
    run = sql.get_run(pg_dsn, "flood-2021")
    assert run is not None
    assert (run.districts, run.state, run.created_ns) == (3, "finished", 2)


def test_an_unknown_run_is_an_error_that_names_the_known_ones(pg_dsn: str) -> None:
    """Nothing is dropped or changed by mistake."""
    assert sql.list_runs(pg_dsn) == []
    assert sql.get_run(pg_dsn, "live") is None
    with pytest.raises(BadInput, match="there are: none yet"):
        sql.drop_run(pg_dsn, "live")
    sql.migrate(pg_dsn, LIVE)
    for attempt in (sql.drop_run, lambda dsn, name: sql.set_run_state(dsn, name, "stopped")):
        with pytest.raises(BadInput, match="there is no run 'nope'; there are: live") as caught:
            attempt(pg_dsn, "nope")
        assert caught.value.code == "run.unknown"


def test_old_readings_are_dropped_by_whole_days(any_pg_dsn: str) -> None:
    """Retention keeps the first day it names."""
    sql.migrate(any_pg_dsn, LIVE)
    with psycopg.connect(any_pg_dsn, autocommit=True) as connection:
        connection.execute("set search_path to live, public")
        connection.execute(
            "select reading_days(array[date '2021-01-01', date '2021-01-02', date '2021-01-03'])"
        )
        connection.execute(
            "insert into reading select timestamptz '2021-01-01 23:30Z' + n * interval '1 day', n, 1, 0, 0"
            " from generate_series(0, 2) n"
        )
        dropped = sql.drop_readings_before(any_pg_dsn, "live", date(2021, 1, 2))
        assert dropped == 1
        left = connection.execute("select value from reading order by t").fetchall()
        assert left == [(1.0,), (2.0,)]
