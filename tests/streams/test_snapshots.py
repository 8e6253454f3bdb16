"""States in the database: all or none, never older ones over newer ones."""

import asyncio

import pytest

from sql import migrate
from streams.snapshots import Saved, Snapshots
from yiwang.errors import Conflict, YiwangError
from yiwang.runs import Run

RUN = Run(name="states", kind="replay", ticks="player", districts=2)


def state(district: int, feed: int, owner: int = 1) -> Saved:
    """Some state."""
    return Saved(
        district=district,
        state=bytes([feed]) * 3,
        feed=feed,
        commands=0,
        outputs=0,
        owner=owner,
        said_by=owner,
    )


def content(saved: Saved | None) -> tuple[int, bytes, int]:
    """What comes back; who kept it is the ownership's business."""
    assert saved is not None
    return saved.district, saved.state, saved.feed


async def test_a_state_comes_back_and_an_older_one_never_overwrites_it(pg_dsn: str) -> None:
    """Another worker has taken over: the one left behind hears it, and nothing of its transaction is kept."""
    await asyncio.to_thread(migrate, pg_dsn, RUN)
    one, two, city = (Snapshots(pg_dsn, RUN.topics.schema, r) for r in ("district", "district", "city"))
    assert await one.load(0) is None
    assert [await one.claim(n) for n in (0, 1)] == [(1, 0), (1, 0)]
    assert await one.save([state(0, 5), state(1, 7)])
    assert await two.claim(1) == (2, 1)
    assert content(await two.load(1)) == content(state(1, 7))
    for feed in (8, 9):  # also when what the one left behind would keep is further on
        with pytest.raises(Conflict) as caught:
            await one.save([state(0, 6), state(1, feed)])
        assert caught.value.code == "snapshot.overtaken"
    assert await two.save([state(1, 8, owner=2)])
    assert (await two.said_by(0), await two.said_by(1)) == (1, 2)
    assert content(await two.load(0)) == content(state(0, 5))
    with pytest.raises(Conflict) as caught:
        await two.save([state(1, 7, owner=2)])
    assert caught.value.code == "snapshot.overtaken"
    assert await city.load(0) is None
    for snapshots in (one, two, city):
        await snapshots.close()


async def test_a_database_that_is_away_is_waited_for_and_a_wrong_one_is_an_error(pg_dsn: str) -> None:
    """Saving says so at once, so that the worker goes on; without tables waiting would help nothing."""
    away = Snapshots("postgresql://yiwang@127.0.0.1:1/yiwang", "live", "district")
    assert not await away.save([state(0, 1)])
    empty = Snapshots(pg_dsn, "live", "district")
    with pytest.raises(YiwangError) as caught:
        await empty.save([state(0, 1)])
    assert caught.value.code == "database.not_migrated"
    await empty.close()
