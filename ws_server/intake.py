"""Kafka to hub: what the districts say (``outputs``), and telemetry with event time (``feed``).

Two consumers with connections of their own, so that what the districts say never waits behind telemetry: the one of
the feed lets everybody else have a turn after every message. Far behind, it goes on at the end of the feed, for only
the newest values are shown; outputs are never left out. Neither is in a group: every gateway reads everything, from
where it wants.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import aiokafka

from ws_server.hub import Hub
from ws_server.store import Live
from ws_server.view import RING
from yiwang import codec, frames, logs
from yiwang.broker import ensure_topics, start_consumer
from yiwang.clock import SECOND
from yiwang.errors import BadInput, Unavailable
from yiwang.fencing import Fence
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.topics import HEADER_AGENT, HEADER_INGEST

FEED_BACK = 50  # messages of each feed read again at the start, to know the time and some values at once
FEED_LAG = 500  # messages; further behind, telemetry for screens is skipped
FEED_LAG_NS = 2 * SECOND  # or if it is as old as that when it comes, and more than a handful wait
HANDFUL = 10

_log = logs.get("intake")
_Part = Any  # Any: aiokafka publishes no types; a TopicPartition
_Record = Any  # Any: a ConsumerRecord


async def keep_outputs(hub: Hub) -> None:
    """Bring the view up to date and keep it so, until something goes wrong.

    The first time the view begins with what the database has, and Kafka is read from some way before that, so
    that screens of a gateway before this one find what they have missed. Later it goes on where it was.

    Raises:
        YiwangError: ``database.…``, ``kafka.…``, ``run.unknown``.
        KafkaError: as it comes.
    """
    run = await hub.find_run()
    begun = bool(hub.view.at)
    live = None if begun else await hub.store.live(hub.topics.outputs)
    await ensure_topics(hub.bootstrap, hub.topics, run.districts)
    consumer = await start_consumer(hub.bootstrap, client_id=f"yiwang-gateway-{run.name}")
    try:
        parts = {d: aiokafka.TopicPartition(hub.topics.outputs, d) for d in range(run.districts)}
        consumer.assign(list(parts.values()))
        ends = {p.partition: end for p, end in (await consumer.end_offsets(list(parts.values()))).items()}
        if live is not None:
            begins = await consumer.beginning_offsets(list(parts.values()))
            _begin(hub, live, {p.partition: offset for p, offset in begins.items()}, ends)
        for d, part in parts.items():
            consumer.seek(part, hub.view.at[d] + 1)
        hub.consumer = consumer
        hub.silent.clear()
        hub.well("outputs")
        while True:
            _open_when_complete(hub, ends)
            if hub.silent.is_set():
                raise Unavailable(
                    "kafka.silent", "outputs wait, and the consumer gives none: it is made anew"
                )
            batch: dict[_Part, list[_Record]] = await consumer.getmany(timeout_ms=200, max_records=500)
            for part, records in batch.items():
                for record in records:
                    _output(hub, part.partition, record)
                await asyncio.sleep(0)  # let the writers send
    finally:
        hub.consumer = None
        await consumer.stop()


def _begin(hub: Hub, live: Live, begins: dict[int, int], ends: dict[int, int]) -> None:
    hub.view.load(live.objects)
    for d, end in ends.items():
        stored = live.next_offsets.get(d, 0)
        if stored > end:
            _log.error("outputs_shorter_than_stored", district=d, stored=stored, end=end)
        # Not further back than where the ownership in force at ``stored`` begins: only of that is it known what counts.
        owner, mark = live.fences.get(d, (0, 0))
        hub.fences[d] = Fence(owner)
        hub.view.begin(d, max(begins[d], min(stored, end) - RING, min(mark, end)))


def _open_when_complete(hub: Hub, ends: dict[int, int]) -> None:
    """No screen is served before everything that was there at the start has been taken in."""
    at = hub.view.at
    if not hub.view.ready and hub.city.posts and all(at[d] + 1 >= end for d, end in ends.items()):
        hub.open_doors()


def _output(hub: Hub, district: int, record: _Record) -> None:
    if not hub.fences[district].counts(record.value, record.headers):
        hub.view.skip(district, record.offset)
        return
    try:
        output = codec.decode_output(record.value)
    except BadInput as error:
        _log.error("output_unreadable", district=district, offset=record.offset, reason=error.message)
        return
    hub.output(
        district,
        record.offset,
        output,
        ingest_ns=_stamp(record.headers, HEADER_INGEST),
        agent_ns=_stamp(record.headers, HEADER_AGENT),
    )
    if hub.traces is not None:
        hub.traces.taken(district, record.headers)


async def keep_feed(hub: Hub) -> None:
    """Newest values and event time from just before the end of the feed, until something goes wrong.

    Raises:
        YiwangError: ``kafka.…``, ``run.unknown``.
        KafkaError: as it comes.
    """
    run = await hub.find_run()
    await ensure_topics(hub.bootstrap, hub.topics, run.districts)
    consumer = await start_consumer(hub.bootstrap, client_id=f"yiwang-gateway-feed-{run.name}")
    try:
        parts = [aiokafka.TopicPartition(hub.topics.feed, d) for d in range(run.districts)]
        consumer.assign(parts)
        begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
        for part in parts:
            consumer.seek(part, max(begins[part], ends[part] - FEED_BACK))
        hub.well("feed")
        while True:
            batch: dict[_Part, list[_Record]] = await consumer.getmany(timeout_ms=200, max_records=50)
            for part, records in batch.items():
                for record in records:
                    _message(hub, part.partition, record.value)
                    await asyncio.sleep(0)  # outputs and writers first
                behind = (consumer.highwater(part) or 0) - records[-1].offset - 1
                if _is_far(hub, part.partition, behind):
                    hub.skipped += behind
                    await consumer.seek_to_end(part)
    finally:
        await consumer.stop()


def _is_far(hub: Hub, district: int, behind: int) -> bool:
    age_ns = hub.clock.now_ns() - hub.view.ingest_ns.get(district, hub.clock.now_ns())
    return behind > FEED_LAG or (behind > HANDFUL and age_ns > FEED_LAG_NS)


def _message(hub: Hub, district: int, payload: bytes) -> None:
    """Take a message of the feed; one that cannot be read is the district agent's business, not ours."""
    try:
        if frames.is_frame(payload):
            frame = frames.decode(payload, district=district)
            hub.readings(district, frames.finite(frame.readings)[0], frame.ingest_ns)
            return
        message = codec.decode_feed(payload)
    except BadInput as error:
        _log.debug("feed_unreadable", district=district, code=error.code)
        return
    if isinstance(message, Tick):
        hub.view.event_ns[district] = max(message.t_ns, hub.view.event_ns.get(district, 0))
    elif isinstance(message, RegistryChange | RulesChange):
        hub.city_changed.set()


def _stamp(headers: Iterable[tuple[str, bytes]], name: str) -> int | None:
    for key, value in headers:
        if key == name and value.isdigit():
            return int(value)
    return None
