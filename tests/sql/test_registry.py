"""The registry in the database."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

import sql
from sql import registry
from sql.pool import connect
from sql.registry import unnumbered
from yiwang.errors import BadInput, Conflict
from yiwang.registry import Device, District, Place, Registry, Series, Text, Unit
from yiwang.runs import Run

DISTRICTS = [
    District(number=0, code="110101", name=Text("东区", "East")),
    District(number=1, code="110102", name=Text("西区", "West")),
]


def place(name: str, district: int = 0, **attributes: float) -> Place:
    return Place(
        id=name,
        district=district,
        zone="z",
        kind="underpass",
        name=Text("桥", "Bridge"),
        lon=120.5,
        lat=30.25,
        attributes=attributes,
    )


def device(name: str, *metrics: str, district: int = 0, at: str = "p0") -> Device:
    return Device(
        id=name,
        district=district,
        kind="gauge",
        place=at,
        name=Text("仪", "Gauge"),
        lon=120.5,
        lat=30.25,
        series=unnumbered(metrics),
    )


def unit(name: str, district: int = 0, *, on_duty: bool = True) -> Unit:
    return Unit(
        id=name, district=district, name=Text("队"), skill="drainage", lon=120.5, lat=30.25, on_duty=on_duty
    )


@pytest.fixture
async def db(any_pg_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a migrated database with two districts, in a transaction."""
    sql.migrate(any_pg_dsn, Run(name="live", kind="live", ticks="agent", districts=2))
    connection = await connect(any_pg_dsn, "live")
    try:
        async with connection.transaction():
            await registry.upsert(connection, districts=DISTRICTS, places=[place("p0"), place("p1", 1)])
            yield connection
    finally:
        await connection.close()


def _numbers(change: Registry) -> dict[str, tuple[Series, ...]]:
    return {d.id: d.series for d in change.devices}


async def test_series_are_numbered_densely_in_the_order_of_the_rows(db: asyncpg.Connection) -> None:
    """Each district counts for itself, from 0."""
    changes = await registry.upsert(
        db,
        devices=[device("b", "x", "y"), device("c", "x", district=1, at="p1"), device("a", "x")],
    )
    assert _numbers(changes[0]) == {
        "b": (Series(number=0, metric="x"), Series(number=1, metric="y")),
        "a": (Series(number=2, metric="x"),),
    }
    assert _numbers(changes[1]) == {"c": (Series(number=0, metric="x"),)}


async def test_a_series_keeps_its_number_for_ever(db: asyncpg.Connection) -> None:
    """A metric added later gets the next free number; one left out stays, for its readings are there."""
    await registry.upsert(db, devices=[device("a", "x", "y"), device("b", "x")])
    changes = await registry.upsert(db, devices=[device("a", "z", "x")])
    assert _numbers(changes[0])["a"] == (
        Series(number=0, metric="x"),
        Series(number=1, metric="y"),
        Series(number=3, metric="z"),
    )


async def test_what_is_loaded_is_what_was_put_in(db: asyncpg.Connection) -> None:
    """Names in both languages, positions and attributes to the last bit."""
    given = place("p2", closure_depth_cm=27.1, third=1 / 3)
    changes = await registry.upsert(
        db, places=[given], devices=[device("a", "x", at="p2")], units=[unit("u", 1, on_duty=False)]
    )
    loaded = await registry.load(db)
    assert given in loaded[0].places
    assert loaded[0].devices == changes[0].devices
    assert loaded[1].units == (unit("u", 1, on_duty=False),)
    assert (loaded[0].version, loaded[1].version) == (2, 2)
    assert await registry.districts(db) == DISTRICTS


async def test_only_what_differs_is_a_change(db: asyncpg.Connection) -> None:
    """The same file imported twice changes nothing, and no version rises."""
    rows = [device("a", "x"), device("b", "x")]
    await registry.upsert(db, devices=rows, units=[unit("u")])
    assert await registry.upsert(db, devices=rows, units=[unit("u")]) == {}
    changes = await registry.upsert(db, devices=rows, units=[unit("u", on_duty=False)])
    assert changes == {0: Registry(version=3, units=(unit("u", on_duty=False),))}


async def test_nothing_moves_to_another_district(db: asyncpg.Connection) -> None:
    """Its series and all that was recorded belong where they are."""
    await registry.upsert(db, devices=[device("a", "x")])
    with pytest.raises(Conflict, match="a belongs to district 0") as caught:
        await registry.upsert(db, devices=[device("a", "x", district=1, at="p1")])
    assert caught.value.code == "registry.moved"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [(device("a", "x", district=7), "registry.district"), (device("a", "x", at="nowhere"), "registry.place")],
)
async def test_what_points_nowhere_is_refused(db: asyncpg.Connection, wrong: Device, code: str) -> None:
    """With the name that is not known."""
    with pytest.raises(BadInput) as caught:
        await registry.upsert(db, devices=[wrong])
    assert caught.value.code == code


async def test_listeners_are_told_at_commit(pg_dsn: str) -> None:
    """The payload is the schema, so that a process hears of its own run only."""
    sql.migrate(pg_dsn, Run(name="night-1", kind="replay", ticks="player", districts=2))
    listener, writer = await connect(pg_dsn, "run_night_1"), await connect(pg_dsn, "run_night_1")
    told: asyncio.Queue[str] = asyncio.Queue()
    try:
        await listener.add_listener(registry.CHANNEL, lambda *said: told.put_nowait(said[3]))
        async with writer.transaction():
            await registry.upsert(writer, districts=DISTRICTS, places=[place("p0")])
            assert told.empty()
        async with asyncio.timeout(30):
            assert await told.get() == "run_night_1"
    finally:
        await writer.close()
        await listener.close()


async def test_map_layers_are_kept_by_name(db: asyncpg.Connection) -> None:
    """A second import of a layer replaces it."""
    empty: dict[str, object] = {"type": "FeatureCollection", "features": []}
    await registry.upsert(db, map_layer={"base": empty, "parks": empty})
    await registry.upsert(db, map_layer={"base": {**empty, "name": "new"}})
    assert await registry.map_layers(db) == {"base": {**empty, "name": "new"}, "parks": empty}
