"""What the gateway asks of the database. SQL text is in sql/queries."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from sql import get_run, list_runs, query
from sql import registry as registry_tables
from sql.errors import DRIVER_ERRORS, address, translated
from sql.pool import connect, pool
from sql.runs import unknown_run
from ws_server.points import DevicePoints
from ws_server.view import CLOSED_KEPT, Kept
from yiwang.clock import SECOND, to_datetime
from yiwang.errors import BadInput
from yiwang.model import Case, Incident, Order, Situation, SupportNeeded, SupportOffer, UnitState
from yiwang.registry import Device, District, Place, Registry, Rules
from yiwang.runs import Run

POOL_SIZE = 4
WHOLE_DEVICES = 5000  # a city with more of them is shown to screens in parts, as they ask
MINUTES_FROM_NS = 120 * SECOND
"""From this length of a slice on, roll-ups are as good as readings, and sixty times fewer."""

_kept: msgspec.json.Decoder[Kept] = msgspec.json.Decoder(
    Incident | Situation | Case | Order | UnitState | SupportNeeded | SupportOffer
)
_rules = msgspec.json.Decoder(Rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The objects to begin with, and the next offset of ``outputs`` per district that is not in them.

    Attributes:
        fences: per district the ownership in force there, and the offset of its mark (``yiwang.fencing``).
    """

    objects: tuple[Kept, ...]
    next_offsets: dict[int, int]
    fences: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CityTables:
    """Registry, base map and rules.

    Attributes:
        registries: by district; of a large city without places and devices.
        points: of a large city, where its devices are; None: ``registries`` are whole.
        places: how many there are.
        kinds: how many devices, by kind.
    """

    districts: tuple[District, ...]
    registries: dict[int, Registry]
    points: DevicePoints | None
    places: int
    kinds: dict[str, int]
    layers: dict[str, dict[str, Any]]  # Any: GeoJSON
    rules: Rules | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Readings of one series in order of time."""

    t_ms: list[float]
    value: list[float]
    quality: list[int]


class Store:
    """The database of one run; connects at first use and again after the database was away.

    Every method raises ``database.…`` errors of yiwang.errors.

    Args:
        dsn: the database's URL.
        run: name of the run.
        schema: the run's schema.
    """

    def __init__(self, dsn: str, run: str, schema: str) -> None:
        self._dsn = dsn
        self._run = run
        self._schema = schema
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def run(self) -> Run:
        """The run's row.

        Raises:
            BadInput: ``database.not_migrated`` or ``run.unknown``.
        """
        run = await asyncio.to_thread(get_run, self._dsn, self._run)
        if run is not None:
            return run
        known = [r.name for r in await asyncio.to_thread(list_runs, self._dsn)]
        if not known:
            at = address(self._dsn)
            raise BadInput(
                "database.not_migrated", f"database {at} has never been migrated; run: yiwang migrate", at=at
            )
        raise unknown_run(self._run, known)

    async def live(self, topic: str) -> Live:
        """What screens show, with where ``topic`` (outputs) goes on from there; of one moment."""
        async with (
            self._connection() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await conn.fetch(query("gateway/live_objects"), CLOSED_KEPT)
            positions = await conn.fetch(query("persist/offsets"))
            fences = await conn.fetch(query("persist/output_fences"))
        return Live(
            objects=tuple(_kept.decode(r["body"]) for r in rows),
            next_offsets={r["partition"]: r["next_offset"] for r in positions if r["topic"] == topic},
            fences={r["district"]: (r["owner"], r["mark"]) for r in fences},
        )

    async def city_version(self) -> str:
        """Another one whenever ``city`` would give something else."""
        async with self._connection() as conn:
            return str(await conn.fetchval(query("gateway/city_version")))

    async def city(self) -> CityTables:
        """Registry, base map and newest rules."""
        async with (
            self._connection() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            districts = await registry_tables.districts(conn)
            kinds = {r["kind"]: r["n"] for r in await conn.fetch(query("gateway/device_kinds"))}
            places = await conn.fetchval(query("gateway/place_count"))
            whole = sum(kinds.values()) <= WHOLE_DEVICES and places <= WHOLE_DEVICES
            registries = await (registry_tables.load(conn) if whole else _units(conn))
            points = None if whole else await _points(conn, tuple(kinds))
            layers = await registry_tables.map_layers(conn)
            rules = await conn.fetchrow(query("rules/newest"))
        return CityTables(
            districts=tuple(districts),
            registries=registries,
            points=points,
            places=places,
            kinds=kinds,
            layers=layers,
            rules=None if rules is None else _rules.decode(rules["body"]),
        )

    async def some(self, devices: Sequence[str], places: Sequence[str]) -> tuple[list[Device], list[Place]]:
        """Those devices and places of these ids that there are."""
        async with self._connection() as conn:
            return (
                [
                    registry_tables.device_of(r)
                    for r in await conn.fetch(query("gateway/devices_by_id"), devices)
                ],
                [
                    registry_tables.place_of(r)
                    for r in await conn.fetch(query("gateway/places_by_id"), places)
                ],
            )

    async def readings(self, district: int, series: int, from_ns: int, to_ns: int, points: int) -> Curve:
        """A curve: of each of ``points // 2`` slices of time the least and the greatest reading.

        From minute roll-ups where a slice is some minutes long, and where no readings are stored (any more).
        """
        is_long = (to_ns - from_ns) // (points // 2) >= MINUTES_FROM_NS
        async with self._connection() as conn:
            rows = await conn.fetch(
                query("reading/curve_minutes" if is_long else "reading/curve"),
                district,
                series,
                to_datetime(from_ns),
                to_datetime(to_ns),
                points // 2,
            )
        return Curve(
            t_ms=[r["t"].timestamp() * 1000 for r in rows],
            value=[r["value"] for r in rows],
            quality=[r["quality"] for r in rows],
        )

    async def incidents(self, state: str | None, before_ns: int, limit: int) -> list[msgspec.Raw]:
        """Incidents as JSON, newest first."""
        async with self._connection() as conn:
            rows = await conn.fetch(query("incident/history"), state, to_datetime(before_ns), "", limit)
        return [msgspec.Raw(r["body"].encode()) for r in rows]

    async def listen(self, changed: Callable[[], None]) -> asyncpg.Connection:
        """Call ``changed`` whenever the registry of the run changes, and when the returned connection ends."""

        def heard(_conn: object, _pid: int, _channel: str, payload: str) -> None:
            if payload == self._schema:
                changed()

        conn = await connect(self._dsn, self._schema)
        try:
            await conn.add_listener(registry_tables.CHANNEL, heard)
            conn.add_termination_listener(lambda _conn: changed())
        except DRIVER_ERRORS as error:
            raise translated(error, self._dsn) from error
        return conn

    def close(self) -> None:
        """Let go of all connections."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = await pool(self._dsn, self._schema, POOL_SIZE)
        try:
            async with self._pool.acquire() as conn:
                yield conn
        except DRIVER_ERRORS as error:
            raise await asyncio.to_thread(translated, error, self._dsn) from error


async def _units(conn: asyncpg.Connection) -> dict[int, Registry]:
    """Registries without places and devices."""
    rows = await conn.fetch(query("registry/districts"))
    units = [registry_tables.unit_of(r) for r in await conn.fetch(query("registry/units"))]
    return {
        r["number"]: Registry(
            version=r["registry_version"], units=tuple(u for u in units if u.district == r["number"])
        )
        for r in rows
    }


async def _points(conn: asyncpg.Connection, kinds: tuple[str, ...]) -> DevicePoints:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:
        parts.append(data)

    await conn.copy_from_query(query("gateway/device_points"), list(kinds), output=take, format="binary")
    return await asyncio.to_thread(DevicePoints.of_copy, b"".join(parts), kinds)
