"""Several district workers side by side: what they get through together while all of them work."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import aiokafka
import numpy as np

import sql
from bench._engine import DISTRICTS, Worker, ends, prepare, wait_for_state
from bench._filling import Filling, fill, filling
from bench._stack import Stack
from yiwang.broker import start_consumer
from yiwang.clock import SECOND
from yiwang.codec import decode_output
from yiwang.errors import Unavailable
from yiwang.fencing import MARK
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT

SETTLE_NS = SECOND
"""After the last worker is ready: until the others have put out what they had in hand."""
LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Place:
    """How far a district was.

    Attributes:
        ns: wall clock; readings: of the feed, worked on by then.
    """

    ns: int
    readings: int


async def beside(stack: Stack, series: int, readings: int, workers: int) -> tuple[float, float]:
    """Readings a second of so many workers on all cores, and the most memory that one of them held, MB.

    They catch up with a feed that was written before. The time counts from when the last of them has its districts
    until the first district is at its end: neither the rebalances of the start nor an idle worker are in it.
    """
    run = await prepare(stack, series)
    begins = await ends(stack, run, run.topics.feed)
    feed = filling(DISTRICTS, series, readings)
    sizes: list[list[int]] = [[] for _ in feed.messages]

    def noted(messages: Iterator[tuple[bytes, int]], into: list[int]) -> Iterator[tuple[bytes, int]]:
        for payload, rows in messages:
            into.append(rows)
            yield payload, rows

    try:
        with Worker(stack, run, ["streams", "district"], worker="d0") as worker:
            await asyncio.to_thread(worker.ready)
            await wait_for_state(stack, run, begins)
            await asyncio.to_thread(worker.stop)
        outputs = await ends(stack, run, run.topics.outputs)
        messages = [noted(*pair) for pair in zip(feed.messages, sizes, strict=True)]
        await fill(stack, run, Filling(feed.readings, messages))
        with contextlib.ExitStack() as held:
            started = [
                held.enter_context(Worker(stack, run, ["streams", "district"], worker=f"d{k}"))
                for k in range(workers)
            ]
            for worker in started:
                await asyncio.to_thread(worker.ready)
            settled_ns = time.time_ns() + SETTLE_NS
            places = await _places(stack, run, outputs, begins, sizes)
            memory_mb = max(worker.memory_mb("VmHWM") for worker in started)
    finally:
        await asyncio.to_thread(sql.drop_run, stack.dsn, run.name)
    return _rate(places, settled_ns), memory_mb


async def _places(
    stack: Stack,
    run: Run,
    outputs: Sequence[int],
    begins: Sequence[int],
    sizes: Sequence[Sequence[int]],
) -> list[list[Place]]:
    """Where the districts were, by their outputs."""
    consumer = await start_consumer(stack.kafka, client_id="bench-beside")
    partitions = [aiokafka.TopicPartition(run.topics.outputs, p) for p in range(run.districts)]
    before = [[0, *accumulate(rows)] for rows in sizes]
    # its last high water may lie a little before the end
    last = [messages[-1] * 0.95 for messages in before]
    places: list[list[Place]] = [[] for _ in before]
    try:
        consumer.assign(partitions)
        for partition, offset in zip(partitions, outputs, strict=True):
            consumer.seek(partition, offset)
        async with asyncio.timeout(LIMIT_S):
            while any(not found or found[-1].readings < end for found, end in zip(places, last, strict=True)):
                for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                    district = partition.partition
                    for m in batch:
                        if m.value == MARK:
                            continue  # a worker has taken over: no output
                        at = decode_output(m.value).feed - begins[district]
                        stamp = next(int(value) for key, value in m.headers if key == HEADER_AGENT)
                        places[district].append(Place(stamp, before[district][min(at, len(sizes[district]))]))
    except TimeoutError:
        raise Unavailable("bench.silent", f"a district was not at its end within {LIMIT_S:g} s") from None
    finally:
        await consumer.stop()
    return places


def _rate(places: Sequence[Sequence[Place]], settled_ns: int) -> float:
    """Readings a second from when all were at work until the first district was at its end."""
    begin = max(settled_ns, *(found[0].ns for found in places))
    end = min(found[-1].ns for found in places)
    if end <= begin:
        raise Unavailable(
            "bench.short", "a district was done before all workers were at work: more readings are needed"
        )
    done = 0.0
    for found in places:
        ns = [place.ns for place in found]
        readings = [place.readings for place in found]
        done += float(np.interp(end, ns, readings) - np.interp(begin, ns, readings))
    return done / (end - begin) * 1e9
