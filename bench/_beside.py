"""Several district workers side by side: what they get through together while all of them work."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import aiokafka
import numpy as np

import sql
from bench._engine import DISTRICTS, Worker, ends, prepare, wait_for_state
from bench._filling import Filling, fill, filling
from bench._stack import Stack
from yiwang.broker import start_consumer
from yiwang.codec import decode_output
from yiwang.errors import Unavailable
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT

SETTLE_S = 5.0
"""After the last worker is ready: longer than a rebalance takes."""
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

    They have their districts before there is anything to read, and the time counts from when the whole feed is
    written until the first district is at its end: neither a rebalance nor the filling nor an idle worker is in it.
    """
    run = await prepare(stack, series)
    begins = await ends(stack, run, run.topics.feed)
    feed = filling(DISTRICTS, series, readings)
    made = [list(messages) for messages in feed.messages]  # beforehand: the workers need the cores
    try:
        with contextlib.ExitStack() as held:
            started = [
                held.enter_context(Worker(stack, run, ["streams", "district"], worker=f"d{k}"))
                for k in range(workers)
            ]
            for worker in started:
                await asyncio.to_thread(worker.ready)
            await wait_for_state(stack, run, begins)
            await asyncio.sleep(SETTLE_S)
            outputs = await ends(stack, run, run.topics.outputs)
            await fill(stack, run, Filling(feed.readings, [iter(messages) for messages in made]))
            whole_ns = time.time_ns()
            places = await _places(stack, run, outputs, begins, made)
            memory_mb = max(worker.memory_mb("VmHWM") for worker in started)
    finally:
        await asyncio.to_thread(sql.drop_run, stack.dsn, run.name)
    return _rate(places, whole_ns), memory_mb


async def _places(
    stack: Stack,
    run: Run,
    outputs: Sequence[int],
    begins: Sequence[int],
    made: Sequence[Sequence[tuple[bytes, int]]],
) -> list[list[Place]]:
    """Where the districts were, by their outputs."""
    consumer = await start_consumer(stack.kafka, client_id="bench-beside")
    partitions = [aiokafka.TopicPartition(run.topics.outputs, p) for p in range(run.districts)]
    before = [[0, *accumulate(n for _, n in messages)] for messages in made]
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
                        at = decode_output(m.value).feed - begins[district]
                        stamp = next(int(value) for key, value in m.headers if key == HEADER_AGENT)
                        places[district].append(Place(stamp, before[district][min(at, len(made[district]))]))
    except TimeoutError:
        raise Unavailable("bench.silent", f"a district was not at its end within {LIMIT_S:g} s") from None
    finally:
        await consumer.stop()
    return places


def _rate(places: Sequence[Sequence[Place]], whole_ns: int) -> float:
    """Readings a second from when the feed was whole and all had begun until the first was at its end."""
    begin = max(whole_ns, *(found[0].ns for found in places))
    end = min(found[-1].ns for found in places)
    if end <= begin:
        raise Unavailable(
            "bench.short", "a district was done before the feed was whole: more readings are needed"
        )
    done = 0.0
    for found in places:
        ns = [place.ns for place in found]
        readings = [place.readings for place in found]
        done += float(np.interp(end, ns, readings) - np.interp(begin, ns, readings))
    return done / (end - begin) * 1e9
