"""Carrying a scenario through the real system as a run of its own: prepare, wait until it is through, collect."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiokafka
import asyncpg
import msgspec

from scenarios.model import Scenario
from sql import migrate, query
from sql.pool import pool
from sql.registry import upsert
from yiwang.broker import ensure_topics, start_consumer
from yiwang.errors import Unavailable
from yiwang.model import Incident, Order
from yiwang.runs import Run

_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a run left in the database."""

    incidents: tuple[Incident, ...]
    orders: tuple[Order, ...]
    readings: int
    doubled: int


async def prepare(run: Run, scenario: Scenario, *, bootstrap: str, dsn: str) -> None:
    """Schema, registry, base map and topics of a new run.

    Raises:
        Unavailable: ``database.…`` or ``kafka.…``.
        AssertionError: the database numbers series otherwise than the scenario does; a mistake in the program.
    """
    await asyncio.to_thread(migrate, dsn, run)
    db = await pool(dsn, run.topics.schema, 1)
    try:
        async with db.acquire() as connection, connection.transaction():
            given = await upsert(
                connection,
                districts=scenario.districts,
                places=[p for r in scenario.registries.values() for p in r.places],
                devices=[d for r in scenario.registries.values() for d in r.devices],
                units=[u for r in scenario.registries.values() for u in r.units],
                map_layer={"base": scenario.base_map},
            )
        for number, registry in scenario.registries.items():
            if {d.id: d.series for d in given[number].devices} != {d.id: d.series for d in registry.devices}:
                raise AssertionError(f"series of district {number} were numbered otherwise")
    finally:
        await db.close()
    await ensure_topics(bootstrap, run.topics, run.districts)


async def wait_until_through(run: Run, *, bootstrap: str, dsn: str, stalled_s: float = 60.0) -> None:
    """Return when every message of the feed is decided, its consequences are stored, and all of it is safe.

    Args:
        stalled_s: give up when nothing moves for so long.

    Raises:
        Unavailable: ``run.stalled`` naming what is behind.
    """
    loop = asyncio.get_running_loop()
    consumer = await start_consumer(bootstrap, client_id=f"yiwang-wait-{run.name}")
    db = await pool(dsn, run.topics.schema, 1)
    try:
        last, moved_at = "", loop.time()
        while True:
            behind = await _behind(run, consumer, db)
            if not behind:
                return
            state = str(behind)
            if state != last:
                last, moved_at = state, loop.time()
            elif loop.time() - moved_at > stalled_s:
                raise Unavailable(
                    "run.stalled",
                    f"run {run.name} has not moved for {stalled_s:g} s; behind: {behind}; look at the workers' logs",
                    run=run.name,
                    behind=behind,
                )
            await asyncio.sleep(_POLL_S)
    finally:
        await db.close()
        await consumer.stop()


async def _behind(run: Run, consumer: "aiokafka.AIOKafkaConsumer", db: "asyncpg.Pool") -> dict[str, int]:
    """Messages that are not through yet, by topic and partition."""
    topics = run.topics
    partitions = [
        aiokafka.TopicPartition(name, p)
        for name in (topics.feed, topics.commands, topics.outputs)
        for p in range(run.districts)
    ]
    ends: Mapping[aiokafka.TopicPartition, int] = await consumer.end_offsets(partitions)
    safe = {r[0]: r for r in await db.fetch(query("scenario/snapshot_positions"))}
    stored = {(r[0], r[1]): r[2] for r in await db.fetch(query("scenario/persisted"))}
    behind: dict[str, int] = {}

    def note(what: str, partition: int, end: int, at: int) -> None:
        if end > at:
            behind[f"{what}[{partition}]"] = end - at

    for partition in range(run.districts):
        feed = ends[aiokafka.TopicPartition(topics.feed, partition)]
        outputs = ends[aiokafka.TopicPartition(topics.outputs, partition)]
        commands = ends[aiokafka.TopicPartition(topics.commands, partition)]
        position = safe.get(partition)
        note("district feed", partition, feed, position[1] if position else 0)
        note("district commands", partition, commands, position[2] if position else 0)
        note("persist feed", partition, feed, stored.get((topics.feed, partition), 0))
        note("persist outputs", partition, outputs, stored.get((topics.outputs, partition), 0))
    return behind


async def collect(run: Run, *, dsn: str) -> Stored:
    """What the run has stored so far."""
    db = await pool(dsn, run.topics.schema, 1)
    try:
        incidents = await db.fetch(query("scenario/incidents"))
        orders = await db.fetch(query("scenario/orders"))
        counts = await db.fetchrow(query("scenario/readings_stored"))
    finally:
        await db.close()
    assert counts is not None
    return Stored(
        incidents=tuple(msgspec.json.decode(r[0], type=Incident) for r in incidents),
        orders=tuple(msgspec.json.decode(r[0], type=Order) for r in orders),
        readings=counts[0],
        doubled=counts[1],
    )
