"""The registry in the database: districts, places, devices with their series, units, map layers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec

from sql.query import query
from yiwang.errors import BadInput, Conflict
from yiwang.registry import Device, District, Place, Registry, Series, Text, Unit

CHANNEL = "yiwang_registry"  # LISTEN to it; the payload is the schema whose registry changed

MANY = 1000
"""Places and devices of one change, above which the database is told to look at its tables anew."""

_T = TypeVar("_T", Place, Unit)


def unnumbered(metrics: Iterable[str]) -> tuple[Series, ...]:
    """Series of a device that is to be registered; ``upsert`` gives them their numbers."""
    return tuple(Series(number=-1, metric=metric) for metric in metrics)


async def districts(conn: asyncpg.Connection) -> list[District]:
    """All districts, by number."""
    rows = await conn.fetch(query("registry/districts"))
    return [District(number=r["number"], code=r["code"], name=_text(r)) for r in rows]


async def load(conn: asyncpg.Connection) -> dict[int, Registry]:
    """District number to its whole registry, with its version; every district has an entry."""
    if conn.is_in_transaction():
        return await _load(conn)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        return await _load(conn)


async def map_layers(conn: asyncpg.Connection) -> dict[str, dict[str, Any]]:  # Any: GeoJSON
    """Name of each layer of the base map to its GeoJSON FeatureCollection."""
    return {
        r["name"]: msgspec.json.decode(r["geojson"]) for r in await conn.fetch(query("registry/map_layers"))
    }


async def upsert(
    conn: asyncpg.Connection,
    *,
    districts: Sequence[District] = (),
    places: Sequence[Place] = (),
    devices: Sequence[Device] = (),
    units: Sequence[Unit] = (),
    map_layer: Mapping[str, Mapping[str, Any]] | None = None,  # Any: GeoJSON
) -> dict[int, Registry]:
    """Add or change what is given and leave everything else as it is. Call it inside a transaction.

    A new metric of a device gets the next number of its district, in the order of ``devices``; a series keeps
    its number for ever. Rows that are already so in the database are no change. Listeners of ``CHANNEL`` are
    told when the transaction commits.

    Args:
        conn: connection whose search path is the run's schema, with a transaction open.
        districts: district rows; needed before anything is registered in them.
        places: place rows.
        devices: with the metrics they have; the series' numbers are ignored (see ``unnumbered``).
        units: unit rows.
        map_layer: layers by name.

    Returns:
        The change per district (only what differs), under the district's new version; for ``RegistryChange``.

    Raises:
        BadInput: ``registry.district`` or ``registry.place`` for one that is not known.
        Conflict: ``registry.moved`` for something that belongs to another district.
    """
    await conn.fetch(query("registry/lock"))
    await conn.executemany(
        query("registry/upsert_district"), [(d.number, d.code, d.name.zh, d.name.en) for d in districts]
    )
    await conn.executemany(
        query("registry/upsert_map_layer"),
        [(name, msgspec.json.encode(layer).decode()) for name, layer in (map_layer or {}).items()],
    )
    before = await _load(conn)
    _check(before, places, devices, units)
    new_places = _changed([p for r in before.values() for p in r.places], places)
    new_units = _changed([u for r in before.values() for u in r.units], units)
    new_devices, new_series = _number(before, devices)

    await conn.executemany(query("registry/upsert_place"), [_place_row(p) for p in new_places])
    await conn.executemany(query("registry/upsert_device"), [_device_row(d) for d in new_devices])
    await conn.executemany(query("registry/add_series"), new_series)
    await conn.executemany(query("registry/upsert_unit"), [_unit_row(u) for u in new_units])

    changes: dict[int, Registry] = {}
    touched = {p.district for p in new_places} | {d.district for d in new_devices}
    for number in sorted(touched | {u.district for u in new_units}):
        changes[number] = Registry(
            version=await conn.fetchval(query("registry/bump"), number),
            places=tuple(p for p in new_places if p.district == number),
            devices=tuple(d for d in new_devices if d.district == number),
            units=tuple(u for u in new_units if u.district == number),
        )
    if len(new_places) + len(new_devices) > MANY:
        await conn.execute(query("registry/analyze"))
    if changes or districts or map_layer:
        await conn.fetch(query("registry/notify"))
    return changes


async def _load(conn: asyncpg.Connection) -> dict[int, Registry]:
    versions = {r["number"]: r["registry_version"] for r in await conn.fetch(query("registry/districts"))}
    places: dict[int, list[Place]] = {n: [] for n in versions}
    devices: dict[int, list[Device]] = {n: [] for n in versions}
    units: dict[int, list[Unit]] = {n: [] for n in versions}
    for r in await conn.fetch(query("registry/places")):
        places[r["district"]].append(place_of(r))
    for r in await conn.fetch(query("registry/devices")):
        devices[r["district"]].append(device_of(r))
    for r in await conn.fetch(query("registry/units")):
        units[r["district"]].append(unit_of(r))
    return {
        n: Registry(
            version=version, places=tuple(places[n]), devices=tuple(devices[n]), units=tuple(units[n])
        )
        for n, version in versions.items()
    }


def place_of(r: asyncpg.Record) -> Place:
    """A row as ``registry/places`` gives it."""
    return Place(
        id=r["id"],
        district=r["district"],
        zone=r["zone"],
        kind=r["kind"],
        name=_text(r),
        lon=r["lon"],
        lat=r["lat"],
        attributes=msgspec.json.decode(r["attributes"], type=dict[str, float]),
    )


def device_of(r: asyncpg.Record) -> Device:
    """A row as ``registry/devices`` gives it."""
    return Device(
        id=r["id"],
        district=r["district"],
        kind=r["kind"],
        place=r["place"],
        name=_text(r),
        lon=r["lon"],
        lat=r["lat"],
        series=tuple(Series(number=n, metric=m) for n, m in zip(r["numbers"], r["metrics"], strict=True)),
        attributes=msgspec.json.decode(r["attributes"], type=dict[str, float]),
    )


def unit_of(r: asyncpg.Record) -> Unit:
    """A row as ``registry/units`` gives it."""
    return Unit(
        id=r["id"],
        district=r["district"],
        name=_text(r),
        skill=r["skill"],
        lon=r["lon"],
        lat=r["lat"],
        on_duty=r["on_duty"],
    )


def _check(
    before: dict[int, Registry], places: Sequence[Place], devices: Sequence[Device], units: Sequence[Unit]
) -> None:
    known = ", ".join(str(n) for n in before) or "none"
    home: dict[tuple[type, str], int] = {}
    for r in before.values():
        home.update({(Place, p.id): p.district for p in r.places})
        home.update({(Device, d.id): d.district for d in r.devices})
        home.update({(Unit, u.id): u.district for u in r.units})
    given: list[Place | Device | Unit] = [*places, *devices, *units]
    for thing in given:
        if thing.district not in before:
            raise BadInput(
                "registry.district",
                f"{thing.id}: there is no district {thing.district}; there are: {known}",
                id=thing.id,
                district=thing.district,
            )
        if home.get((type(thing), thing.id), thing.district) != thing.district:
            raise Conflict(
                "registry.moved",
                f"{thing.id} belongs to district {home[type(thing), thing.id]} with all that was recorded of it;"
                f" register it in district {thing.district} under a new id",
                id=thing.id,
            )
    sites = {p.id for r in before.values() for p in r.places} | {p.id for p in places}
    for device in devices:
        if device.place not in sites:
            raise BadInput(
                "registry.place",
                f"device {device.id}: there is no place {device.place!r}; import the place first",
                id=device.id,
                place=device.place,
            )


def _changed(before: Iterable[_T], given: Sequence[_T]) -> list[_T]:
    have = {x.id: x for x in before}
    newest = {x.id: x for x in given}  # of two rows with one id the later one counts
    return [x for x in newest.values() if have.get(x.id) != x]


def _number(
    before: dict[int, Registry], devices: Sequence[Device]
) -> tuple[list[Device], list[tuple[int, int, str, str]]]:
    """Devices that differ from what is stored, with numbered series, and the rows of the new series."""
    have = {d.id: d for r in before.values() for d in r.devices}
    free = {
        n: 1 + max((s.number for d in r.devices for s in d.series), default=-1) for n, r in before.items()
    }
    changed: list[Device] = []
    rows: list[tuple[int, int, str, str]] = []
    for device in {d.id: d for d in devices}.values():
        old = have.get(device.id)
        series = list(old.series) if old else []
        for metric in dict.fromkeys(s.metric for s in device.series):
            if all(s.metric != metric for s in series):
                series.append(Series(number=free[device.district], metric=metric))
                rows.append((device.district, free[device.district], device.id, metric))
                free[device.district] += 1
        device = msgspec.structs.replace(device, series=tuple(series))
        if device != old:
            changed.append(device)
    return changed, rows


def _text(row: asyncpg.Record) -> Text:
    return Text(zh=row["name_zh"], en=row["name_en"])


def _place_row(p: Place) -> tuple[object, ...]:
    attributes = msgspec.json.encode(p.attributes).decode()
    return p.id, p.district, p.zone, p.kind, p.name.zh, p.name.en, p.lon, p.lat, attributes


def _device_row(d: Device) -> tuple[object, ...]:
    attributes = msgspec.json.encode(d.attributes).decode()
    return d.id, d.district, d.place, d.kind, d.name.zh, d.name.en, d.lon, d.lat, attributes


def _unit_row(u: Unit) -> tuple[object, ...]:
    return u.id, u.district, u.skill, u.name.zh, u.name.en, u.lon, u.lat, u.on_duty
