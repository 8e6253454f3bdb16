"""Recording a run: the last stretch of its logs from Kafka, who is registered and by which rules, as a scenario."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from scenarios.model import Scenario
from scenarios.recording import Heard, Logged, Logs, hear, merged, scenario_of
from sql import query, registry
from sql.pool import coded, connect
from yiwang import codec
from yiwang.broker import partition_count, start_consumer, unavailable
from yiwang.clock import MILLISECOND
from yiwang.errors import BadInput, YiwangError
from yiwang.fencing import Fence
from yiwang.model import CommandResult
from yiwang.registry import District, Registry, Rules, Text
from yiwang.topics import Topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

_WAIT_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who is registered in a run, and its rules.

    Attributes:
        rules: None where the database has none yet.
    """

    districts: tuple[District, ...]
    registries: Mapping[int, Registry]
    rules: Rules | None
    base_map: dict[str, Any]  # Any: GeoJSON


async def record(
    run: str, *, bootstrap: str, dsn: str, from_ns: int, name: str, title: Text
) -> tuple[Scenario, int]:
    """What came into a run since ``from_ns`` of the wall clock, with recorded commands.

    Registry and rules are the database's; where it is away, or has no rules, those of the feed's own messages.

    Returns:
        The scenario, and how many messages could not be read and were left out.

    Raises:
        BadInput: ``scenario.empty`` when nothing came in; ``run.unknown`` when there is no such run;
            ``scenario.rules`` when nobody knows its rules.
        Unavailable: ``kafka.unavailable``.
    """
    topics = Topics(run)
    notes = [f"recorded from run {run}"]
    known: Known | None = None
    try:
        known = await stored(topics, dsn)
    except YiwangError as error:
        if not error.code.startswith("database."):
            raise
        notes.append(f"registry and rules from the feed, since the database did not answer: {error.code}")
    reader = await _Reader.start(bootstrap, topics)
    try:
        heard = {n: hear(await reader.logs(n, from_ns // MILLISECOND)) for n in reader.districts}
        early: dict[int, Heard] = {}
        if known is None or known.rules is None:
            early = {n: hear(Logs(feed=await reader.feed(n, 0))) for n in reader.districts}
    finally:
        await reader.stop()
    rules = known.rules if known else None
    for h in early.values():
        rules = rules or h.rules
    if rules is None:
        raise BadInput("scenario.rules", f"neither database nor feed of run {run} hold rules", run=run)
    registries = _registries(known, early, heard)
    changes = sum(h.changes for h in heard.values())
    if changes:
        notes.append(
            f"{changes} changes of rules or registry fell into this time; the newest hold throughout"
        )
    scenario = scenario_of(
        {n: h for n, h in heard.items() if n in registries},
        name=name,
        title=title,
        districts=_districts(known, registries),
        registries=registries,
        rules=rules,
        base_map=known.base_map if known else {"type": "FeatureCollection", "features": []},
        notes=notes,
    )
    return scenario, sum(h.unreadable for h in heard.values())


async def stored(topics: Topics, dsn: str) -> Known:
    """What the database knows of a run.

    Raises:
        BadInput: ``run.unknown``.
        YiwangError: ``database.…``.
    """
    connection = await connect(dsn, topics.schema)
    try:
        async with coded(dsn):
            if await connection.fetchrow(query("run/one"), topics.run) is None:
                raise BadInput("run.unknown", f"there is no run {topics.run!r}", run=topics.run)
            row = await connection.fetchrow(query("rules/newest"))
            layers = await registry.map_layers(connection)
            return Known(
                districts=tuple(await registry.districts(connection)),
                registries=await registry.load(connection),
                rules=msgspec.json.decode(row["body"], type=Rules) if row else None,
                base_map={
                    "type": "FeatureCollection",
                    "features": [f for layer in layers.values() for f in layer.get("features", [])],
                },
            )
    finally:
        await connection.close()


def _registries(
    known: Known | None, early: Mapping[int, Heard], heard: Mapping[int, Heard]
) -> dict[int, Registry]:
    """Who is registered per district, from the database or put together from the feed."""
    if known is not None:
        return {n: r for n, r in known.registries.items() if r.devices or r.places}
    found: dict[int, Registry] = {}
    for number in heard:
        total: Registry | None = None
        for part in (early.get(number), heard[number]):
            if part is not None and part.registry is not None:
                total = merged(total, part.registry)
        if total is not None:
            found[number] = total
    return found


def _districts(known: Known | None, registries: Mapping[int, Registry]) -> list[District]:
    names = {d.number: d for d in known.districts} if known else {}
    return [
        names.get(n, District(number=n, code=str(n), name=Text(f"{n}号区", f"District {n}")))
        for n in registries
    ]


class _Reader:
    """Reads stretches of a run's topics, outside any group."""

    def __init__(self, bootstrap: str, topics: Topics, consumer: "AIOKafkaConsumer", districts: int) -> None:
        self.bootstrap, self.topics, self.consumer = bootstrap, topics, consumer
        self.districts = range(districts)

    @classmethod
    async def start(cls, bootstrap: str, topics: Topics) -> "_Reader":
        """Connect."""
        districts = await partition_count(bootstrap, topics.feed)
        if districts == 0:
            raise BadInput("run.unknown", f"the broker has no feed of a run {topics.run!r}", run=topics.run)
        consumer = await start_consumer(bootstrap, client_id=f"yiwang-record-{topics.run}")
        return cls(bootstrap, topics, consumer, districts)

    async def stop(self) -> None:
        """Disconnect."""
        await self.consumer.stop()

    async def logs(self, district: int, from_ms: int) -> Logs:
        """Feed and commands since then, and where each command took effect."""
        applied: dict[str, int] = {}
        fence = Fence()  # what was in force before is seen at the first output that is not a paused worker's
        async for _, payload, _ in self._since(self.topics.outputs, district, from_ms, fence):
            if b'"result"' in payload:
                output = codec.decode_output(payload)
                if isinstance(output.body, CommandResult):
                    applied.setdefault(output.body.command_id, output.feed)
        return Logs(
            feed=await self.feed(district, from_ms),
            commands=[m async for m in self._since(self.topics.commands, district, from_ms)],
            applied=applied,
        )

    async def feed(self, district: int, from_ms: int) -> list[Logged]:
        """The feed since then."""
        return [m async for m in self._since(self.topics.feed, district, from_ms)]

    async def _since(
        self, topic: str, partition: int, from_ms: int, fence: Fence | None = None
    ) -> AsyncIterator[Logged]:
        """Everything that the broker got from ``from_ms`` on, to the end as it is now."""
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        tp = TopicPartition(topic, partition)
        try:
            end = (await self.consumer.end_offsets([tp]))[tp]
            start = await self._start(tp, from_ms)
            if start is None or start >= end:
                return
            self.consumer.assign([tp])
            self.consumer.seek(tp, start)
            while await self.consumer.position(tp) < end:
                batch = await self.consumer.getmany(tp, timeout_ms=_WAIT_MS)
                for message in batch.get(tp, []):
                    if message.offset < end and (
                        fence is None or fence.counts(message.value, message.headers)
                    ):
                        yield message.offset, message.value, message.timestamp * MILLISECOND
        except (KafkaError, OSError) as error:
            raise unavailable(self.bootstrap, error) from error

    async def _start(self, tp: "TopicPartition", from_ms: int) -> int | None:
        if from_ms <= 0:
            first: int = (await self.consumer.beginning_offsets([tp]))[tp]
            return first
        found = (await self.consumer.offsets_for_times({tp: from_ms}))[tp]
        return None if found is None else int(found.offset)
