"""States in the database: only what changed, all or nothing, never older ones over newer ones, never a damaged one."""

import asyncio

import numpy as np
import psycopg
import pytest

from sql import migrate
from streams.blocks import BLOCK_BYTES, Array, Image, Pieces
from streams.snapshots import Cut, Saved, Snapshots, Written
from tests.streams.driving import Relay
from yiwang.errors import BadInput, Conflict, YiwangError
from yiwang.runs import Run

RUN = Run(name="states", kind="replay", ticks="player", districts=2)
ROWS = 3 * BLOCK_BYTES // 8


def cut(
    district: int,
    feed: int,
    column: Array | None = None,
    things: dict[str, bytes] | None = None,
    owner: int = 1,
) -> Cut:
    """Some state."""
    image = Image()
    image.take({"a": np.full(3, feed) if column is None else column})
    return Cut(
        district=district,
        columns=image.columns,
        parts={**image.parts(), **(things or {})},
        feed=feed,
        commands=0,
        outputs=0,
        owner=owner,
        said_by=owner,
    )


def content(saved: Saved | None) -> tuple[int, list[float], int]:
    """What comes back; who kept it is the ownership's business."""
    assert saved is not None
    assert isinstance(saved.state, Pieces)
    return saved.district, saved.state.columns["a"].tolist(), saved.feed


async def saved(snapshots: Snapshots, what: Cut) -> Written:
    """Keep a state in a database that is there."""
    written = await snapshots.save(what)
    assert written is not None
    return written


@pytest.fixture
async def dsn(pg_dsn: str) -> str:
    """Of a migrated database."""
    await asyncio.to_thread(migrate, pg_dsn, RUN)
    return pg_dsn


def of_role(dsn: str, role: str = "district") -> Snapshots:
    """Of the run."""
    return Snapshots(dsn, RUN.topics.schema, role)


def sql(dsn: str, statement: str) -> list[tuple[int, ...]]:
    """Ask, or do harm."""
    with psycopg.connect(dsn, autocommit=True, options=f"-c search_path={RUN.topics.schema}") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def test_a_state_comes_back_and_an_older_one_never_overwrites_it(dsn: str) -> None:
    """Another worker has taken over: the one left behind hears it, and nothing of its transaction is kept."""
    one, two, city = of_role(dsn), of_role(dsn), of_role(dsn, "city")
    assert await one.load(0) is None
    assert [await one.claim(n) for n in (0, 1)] == [(1, 0), (1, 0)]
    await saved(one, cut(0, 5))
    await saved(one, cut(1, 7))
    assert await two.claim(1) == (2, 1)
    assert content(await two.load(1)) == (1, [7, 7, 7], 7)
    for feed in (6, 9):  # also when what the one left behind would keep is further on
        with pytest.raises(Conflict) as caught:
            await one.save(cut(1, feed))
        assert caught.value.code == "snapshot.overtaken"
    await saved(two, cut(1, 8, owner=2))
    assert (await two.said_by(0), await two.said_by(1)) == (1, 2)
    assert content(await two.load(0)) == (0, [5, 5, 5], 5)
    with pytest.raises(Conflict) as caught:
        await two.save(cut(1, 7, owner=2))
    assert caught.value.code == "snapshot.overtaken"
    assert content(await two.load(1)) == (1, [8, 8, 8], 8)
    assert await city.load(0) is None
    for snapshots in (one, two, city):
        await snapshots.close()


async def test_only_what_changed_is_written_and_what_is_gone_is_taken_away(dsn: str) -> None:
    """Also by a worker that has just loaded the state, and the tables never hold more than one state."""
    one = of_role(dsn)
    await one.claim(0)
    column = np.random.default_rng(1).normal(size=ROWS)
    things = {"desk": b"x" * 10, "registry": bytes(2 * BLOCK_BYTES)}
    first = await saved(one, cut(0, 1, column, things))
    assert (first.blocks, first.changed) == (6, 6)
    assert first.state_bytes == column.nbytes + 10 + 2 * BLOCK_BYTES
    column[-1] = 0.0
    again = await saved(one, cut(0, 2, column, things))
    assert (again.blocks, again.changed) == (6, 1)
    assert again.stored_bytes < first.stored_bytes
    two = of_role(dsn)
    await two.claim(0)
    assert content(await two.load(0)) == (0, column.tolist(), 2)
    assert (await saved(two, cut(0, 3, column, things, owner=2))).changed == 0
    fewer = await saved(two, cut(0, 4, column[: ROWS // 3], {"desk": b"y"}, owner=2))
    assert (fewer.blocks, fewer.changed) == (2, 1)
    assert sql(dsn, "select count(*) from snapshot_block") == [(2,)]
    assert content(await two.load(0)) == (0, column[: ROWS // 3].tolist(), 4)
    for snapshots in (one, two):
        await snapshots.close()


async def test_a_state_that_was_deleted_by_hand_leaves_nothing_behind(dsn: str) -> None:
    """The row is all that has to be deleted; the next state may have other blocks."""
    one = of_role(dsn)
    await one.claim(0)
    await saved(one, cut(0, 1, np.ones(ROWS), {"desk": b"x", "registry": b"y"}))
    sql(dsn, "delete from snapshot")
    two = of_role(dsn)
    await two.claim(0)
    assert await two.load(0) is None
    await saved(two, cut(0, 1, owner=2))
    assert content(await two.load(0)) == (0, [1, 1, 1], 1)
    for snapshots in (one, two):
        await snapshots.close()


async def test_rewriting_a_state_many_times_does_not_fill_the_disk(dsn: str) -> None:
    """Room of old blocks is used again once they are vacuumed, as the table's settings ask for."""
    one = of_role(dsn)
    await one.claim(0)
    chance = np.random.default_rng(1)
    size = "select pg_total_relation_size('snapshot_block')"
    sizes = []
    for feed in range(8):
        await saved(one, cut(0, feed, chance.normal(size=ROWS)))
        sql(dsn, "vacuum snapshot_block")
        sizes += [row[0] for row in sql(dsn, size)]
    assert sizes[-1] <= 3 * sizes[0]
    asked = sql(dsn, "select reloptions from pg_class where relname = 'snapshot_block'")
    assert "autovacuum_vacuum_scale_factor=0" in str(asked)
    await one.close()


@pytest.mark.parametrize(
    ("harm", "code", "said"),
    [
        (
            "update snapshot_block set data = overlay(data placing '\\x00' from 9) where block = 1",
            "damaged",
            "block 1",
        ),
        ("delete from snapshot_block where block = 2", "damaged", "block 2 of part 8 is missing"),
        ("update snapshot_block set block = 7 where block = 2", "damaged", "block 7 of part 8"),
        ("update snapshot set manifest = overlay(manifest placing '\\x00' from 30)", "damaged", "manifest"),
    ],
)
async def test_a_damaged_state_is_refused_with_its_block_named(
    dsn: str, harm: str, code: str, said: str
) -> None:
    """The worker does not start; it never goes on from something else than what was kept."""
    one = of_role(dsn)
    await one.claim(0)
    await saved(one, cut(0, 1, np.random.default_rng(1).normal(size=ROWS)))
    sql(dsn, harm)
    with pytest.raises(BadInput, match=said) as caught:
        await one.load(0)
    assert caught.value.code == f"snapshot.{code}"
    assert caught.value.details["district"] == 0
    await one.close()


async def test_states_of_releases_before_blocks_come_as_they_were_and_go_to_blocks(dsn: str) -> None:
    """One piece of bytes; after the first save nothing of it is left."""
    sql(
        dsn,
        "insert into snapshot (role, district, state, feed, commands, outputs) values ('district', 0, 'old', 3, 2, 1)",
    )
    one = of_role(dsn)
    await one.claim(0)
    old = await one.load(0)
    assert old == Saved(district=0, state=b"old", feed=3, commands=2, outputs=1)
    await saved(
        one, Cut(district=0, columns=(), parts={"city": b"new"}, feed=3, commands=2, outputs=1, owner=1)
    )
    new = await one.load(0)
    assert new is not None
    assert isinstance(new.state, Pieces)
    assert new.state.things == {"city": b"new"}
    assert sql(dsn, "select count(*) from snapshot where state is null") == [(1,)]
    await one.close()


async def test_a_save_that_broke_off_is_made_good_by_the_next(dsn: str) -> None:
    """Whether the database had it or not: what is stored afterwards is whole and newest."""
    async with Relay(dsn) as relay:
        one = of_role(relay.dsn)
        await one.claim(0)
        chance = np.random.default_rng(1)
        await saved(one, cut(0, 1, chance.normal(size=ROWS)))
        newest = chance.normal(size=ROWS)
        saving = asyncio.create_task(one.save(cut(0, 2, newest)))
        await relay.cut()
        await saving
        await relay.mend()
        await saved(one, cut(0, 3, newest))
        assert content(await one.load(0)) == (0, newest.tolist(), 3)
        await one.close()


async def test_a_database_that_is_away_is_waited_for_and_a_wrong_one_is_an_error(pg_dsn: str) -> None:
    """Saving says so at once, so that the worker goes on; without tables waiting would help nothing."""
    away = Snapshots("postgresql://yiwang@127.0.0.1:1/yiwang", "live", "district")
    assert await away.save(cut(0, 1)) is None
    assert away.away
    empty = Snapshots(pg_dsn, "live", "district")
    with pytest.raises(YiwangError) as caught:
        await empty.save(cut(0, 1))
    assert caught.value.code == "database.not_migrated"
    for snapshots in (away, empty):
        await snapshots.close()
