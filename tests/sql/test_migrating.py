"""Forward-only migrations: what is applied, what is refused."""

import threading
from pathlib import Path

import psycopg
import pytest

import sql
from sql.level import Level, of_facts
from sql.migrating import MIGRATIONS, Applied, Migration, plan, read
from yiwang.errors import BadInput, Conflict
from yiwang.runs import Run

RUN = Run(name="live", kind="live", ticks="agent", districts=2, created_ns=7)


def _file(number: int, level: Level | None = None) -> Migration:
    name = f"{number:04d}_x.sql"
    return Migration(
        number=number, name=name, text="", checksum=f"c{number}", level=level, in_transaction=True
    )


def _applied(*files: Migration) -> list[Applied]:
    return [Applied(f.number, f.name, f.checksum, f.level or "") for f in files]


FILES = [
    _file(1),
    _file(2, Level.PLAIN),
    _file(3, Level.TIMESCALE_APACHE),
    _file(4, Level.TIMESCALE_COMMUNITY),
    _file(5),
]


@pytest.mark.parametrize(
    ("level", "numbers"),
    [
        (Level.PLAIN, [1, 2, 5]),
        (Level.TIMESCALE_APACHE, [1, 3, 5]),
        (Level.TIMESCALE_COMMUNITY, [1, 3, 4, 5]),
    ],
)
def test_each_level_gets_its_files(level: Level, numbers: list[int]) -> None:
    """A higher TimescaleDB level has all of the lower one; plain has its own."""
    assert [m.number for m in plan(FILES, [], level)] == numbers


def test_a_schema_begun_on_plain_postgresql_stays_there() -> None:
    """Its partitioned table does not become a hypertable when the server gets TimescaleDB."""
    applied = _applied(FILES[0], FILES[1], FILES[4])
    assert plan(FILES, applied, Level.TIMESCALE_COMMUNITY) == []


def test_a_better_licence_brings_its_files_later() -> None:
    """From the Apache to the Community edition: what only the latter can is then applied."""
    applied = _applied(FILES[0], FILES[2], FILES[4])
    assert [m.number for m in plan(FILES, applied, Level.TIMESCALE_COMMUNITY)] == [4]


def test_a_changed_old_file_is_named() -> None:
    """What was applied may not be rewritten."""
    changed = [Applied(1, "0001_x.sql", "other", "")]
    with pytest.raises(
        BadInput, match=r"migration 0001_x\.sql was changed after it had been applied"
    ) as caught:
        plan(FILES, changed, Level.PLAIN)
    assert caught.value.code == "migration.changed"


def test_a_database_newer_than_the_program_is_refused() -> None:
    """An old release may not write into tables it does not know."""
    with pytest.raises(Conflict, match="use the newer release") as caught:
        plan(FILES, _applied(FILES[0], _file(6)), Level.PLAIN)
    assert caught.value.code == "migration.newer"


def test_a_gap_in_the_bookkeeping_is_refused() -> None:
    """A migration that later ones rely on was never applied."""
    with pytest.raises(Conflict, match=r"0001_x\.sql was never applied") as caught:
        plan(FILES, _applied(FILES[4]), Level.PLAIN)
    assert caught.value.code == "migration.gap"


@pytest.mark.parametrize(
    ("names", "text", "code"),
    [
        (["0001_a.sql", "0003_b.sql"], "", "migration.gap"),
        (["0001_a.sql", "0001_b.sql"], "", "migration.gap"),
        (["first.sql"], "", "migration.name"),
        (["0001_a.sql"], "-- level: oracle\n", "migration.level"),
    ],
)
def test_a_folder_with_a_mistake_is_refused(tmp_path: Path, names: list[str], text: str, code: str) -> None:
    """Numbers follow each other, names say what, levels exist."""
    for name in names:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        read(tmp_path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("version", "license_name", "level"),
    [
        (None, None, "plain"),
        ("2.19", "apache", "timescale_apache"),
        ("2.19", "timescale", "timescale_community"),
    ],
)
def test_the_level_follows_from_extension_and_licence(version: str, license_name: str, level: str) -> None:
    """Three levels, found at start."""
    assert of_facts(version, license_name) == level


def test_an_empty_database_is_brought_up_to_date_once(any_pg_dsn: str) -> None:
    """The second time there is nothing to do, and the run is there."""
    expected = sql.pending(any_pg_dsn, "live")
    assert sql.migrate(any_pg_dsn, RUN) == expected or sql.level(any_pg_dsn) is not Level.PLAIN
    assert sql.migrate(any_pg_dsn, RUN) == []
    assert sql.pending(any_pg_dsn, "live") == []
    assert sql.list_runs(any_pg_dsn) == [RUN]


def test_readings_are_kept_as_the_level_allows(any_pg_dsn: str) -> None:
    """A hypertable with TimescaleDB, native partitions without."""
    sql.migrate(any_pg_dsn, RUN)
    with psycopg.connect(any_pg_dsn) as connection:
        row = connection.execute(
            "select relkind from pg_class where oid = 'live.reading'::regclass"
        ).fetchone()
        assert row is not None
        if sql.level(any_pg_dsn) is Level.PLAIN:
            assert row[0] == "p"
        else:
            assert row[0] == "r"
            names = connection.execute("select hypertable_name from timescaledb_information.hypertables")
            assert sorted(names.fetchall()) == [("reading",), ("reading_minute",)]


def test_two_at_once_apply_everything_once(pg_dsn: str) -> None:
    """The second one waits for the lock and then finds nothing to do."""
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(sql.migrate(pg_dsn, RUN))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, done)) == [False, False, False, True]


def test_a_failing_migration_leaves_no_trace(pg_dsn: str, tmp_path: Path) -> None:
    """Its transaction is rolled back; the ones before it stay, and the mended one is applied next time."""
    (tmp_path / "common").symlink_to(MIGRATIONS / "common")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "0001_good.sql").write_text("create table one (a int);", "utf-8")
    bad = tmp_path / "run" / "0002_bad.sql"
    bad.write_text("create table two (a int); select 1/0;", "utf-8")
    with pytest.raises(BadInput, match="division by zero"):
        sql.migrate(pg_dsn, RUN, folder=tmp_path)
    bad.write_text("create table two (a int);", "utf-8")
    assert sql.migrate(pg_dsn, RUN, folder=tmp_path) == ["live/0002_bad.sql"]


def test_a_file_may_be_applied_outside_a_transaction(pg_dsn: str, tmp_path: Path) -> None:
    """For what PostgreSQL does not do inside one."""
    (tmp_path / "common").symlink_to(MIGRATIONS / "common")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "0001_table.sql").write_text("create table one (a int);", "utf-8")
    statement = "-- no transaction\ncreate index concurrently on one (a);"
    (tmp_path / "run" / "0002_index.sql").write_text(statement, "utf-8")
    assert sql.migrate(pg_dsn, RUN, folder=tmp_path)[-1] == "live/0002_index.sql"


def test_every_table_and_odd_column_is_explained(pg_dsn: str) -> None:
    """Comments on all tables, and on all columns of readings."""
    sql.migrate(pg_dsn, RUN)
    with psycopg.connect(pg_dsn) as connection:
        silent = connection.execute(
            "select relname from pg_class where relnamespace in ('live'::regnamespace, 'yiwang'::regnamespace)"
            " and relkind in ('r', 'p') and obj_description(oid) is null"
        ).fetchall()
        assert silent == []
        columns = connection.execute(
            "select attname from pg_attribute where attrelid = 'live.reading'::regclass and attnum > 0"
            " and col_description(attrelid, attnum) is null"
        ).fetchall()
        assert columns == [("district",)]
