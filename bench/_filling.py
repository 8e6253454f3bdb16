"""A feed of frames written before it is read: every series reports in its turn, second by second of event time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench._stack import Stack
from yiwang import frames
from yiwang.broker import start_producer
from yiwang.clock import SECOND
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.model import Tick
from yiwang.runs import Run

T0 = 1_780_000_020 * SECOND
HIGH = 200_000
"""One reading in so many is high water, so that there are findings: ten a second at two million readings a second."""
LEAST_FOUND = 50
"""High waters in a district's feed, so that there is something to tell the time by."""
FRAME_ROWS = 20_000


def frames_of(
    district: int,
    series: int,
    readings: int,
    *,
    rows: int = FRAME_ROWS,
    in_order: bool = False,
    rate: int | None = None,
) -> Iterator[bytes]:
    """Frames of a district, second by second of event time; no frame reaches over a second's end.

    Args:
        readings: at least so many, in whole seconds.
        rows: readings a frame.
        in_order: whether all series report in the order of their numbers; otherwise each time in a random one.
        rate: readings a second of event time, shared evenly by the series; None: each reports once a second.
    """
    chance = np.random.default_rng(district)
    rate = rate or series
    high = min(HIGH, readings // LEAST_FOUND)
    order = np.empty(0, np.int64)
    for second in range(1, 1 + -(-readings // rate)):
        while len(order) < rate:
            turn = np.arange(series) if in_order else chance.permutation(series)
            order = np.concatenate((order, turn))
        now, order = order[:rate].astype(np.int32), order[rate:]
        value = np.round(5 + chance.normal(0, 0.3, rate), 2)
        value[high - 1 - (second - 1) * rate % high :: high] += 30
        at_ns = T0 + second * SECOND + np.sort(chance.integers(0, SECOND, rate))
        for at in range(0, rate, rows):
            cut = slice(at, at + rows)
            batch = Readings(
                series=now[cut], t_ns=at_ns[cut], value=value[cut], quality=np.zeros(len(now[cut]), np.uint8)
            )
            frame = frames.Frame(district=district, ingest_ns=time.time_ns(), readings=batch)
            yield frames.encode(frame)


@dataclass(frozen=True, slots=True)
class Filling:
    """What a feed is filled with.

    Attributes:
        readings: how many in all.
        messages: by district the messages in order, each with the readings it holds.
    """

    readings: int
    messages: Sequence[Iterator[tuple[bytes, int]]]


def filling(
    districts: int, series: int, readings: int, *, rows: int = FRAME_ROWS, rate: int | None = None
) -> Filling:
    """At least so many readings for all districts, in whole seconds with a tick behind each."""
    own = (rate or series) // districts
    seconds = -(-readings // own // districts)

    def messages(district: int) -> Iterator[tuple[bytes, int]]:
        feed = frames_of(district, series // districts, seconds * own, rows=rows, rate=own)
        for second in range(1, 1 + seconds):
            for at in range(0, own, rows):
                yield next(feed), min(rows, own - at)
            yield encode(Tick(t_ns=T0 + (second + 1) * SECOND)), 0

    return Filling(seconds * own * districts, [messages(district) for district in range(districts)])


async def fill(stack: Stack, run: Run, with_: Filling) -> None:
    """Write a feed, all districts side by side."""
    producer = await start_producer(stack.kafka, client_id="bench-fill")
    try:
        for together in zip(*with_.messages, strict=True):
            for district, (payload, _) in enumerate(together):
                await producer.send(run.topics.feed, payload, partition=district)
        await producer.flush()
    finally:
        await producer.stop()
