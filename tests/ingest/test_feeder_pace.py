"""Age and size of frames follow the load: a fake producer, and a clock that jumps ahead when all wait."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.feeder import EARLY_BURST, EARLY_PER_S, SOON_S, Feeder
from tests.ingest.virtual_time import run
from yiwang import frames
from yiwang.clock import ManualClock
from yiwang.columns import Readings
from yiwang.topics import Topics

FRAME_MS, FRAME_ROWS = 50, 40_000
EPS = 1e-5


@dataclass
class Broker:
    """Acknowledges after ``ack_s``, a partition's messages one after another as aiokafka has them."""

    ack_s: float = 0.002
    sent: list[tuple[float, int, int]] = field(default_factory=list)  # time, district, rows
    values: dict[int, list[float]] = field(default_factory=dict)
    left: dict[float, float] = field(default_factory=dict)  # value to the time at which it left
    _free: dict[int, float] = field(default_factory=dict)

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        del topic, headers
        loop = asyncio.get_running_loop()
        readings = frames.decode(value, district=partition).readings
        self.sent.append((loop.time(), partition, len(readings)))
        self.values.setdefault(partition, []).extend(readings.value.tolist())
        self.left |= dict.fromkeys(readings.value.tolist(), loop.time())
        done: asyncio.Future[Any] = loop.create_future()
        self._free[partition] = max(self._free.get(partition, 0.0), loop.time()) + self.ack_s
        loop.call_at(self._free[partition], done.set_result, None)
        return done


def rows(first: int, n: int) -> Readings:
    """Readings whose values are their numbers."""
    return Readings(
        series=np.zeros(n, np.int32),
        t_ns=np.arange(first, first + n),
        value=np.arange(first, first + n, dtype=np.float64),
        quality=np.zeros(n, np.uint8),
    )


def make(broker: Broker) -> Feeder:
    return Feeder(
        broker, Topics("test"), clock=ManualClock(0), frame_ms=FRAME_MS, frame_rows=FRAME_ROWS, deliver_s=30.0
    )


def steady(
    broker: Broker, *, districts: int, per_call: int, gap_s: float, seconds: float
) -> dict[float, float]:
    """Every ``gap_s`` a call with so many readings for each district; first value of each call to its time."""

    async def main() -> dict[float, float]:
        came: dict[float, float] = {}
        loop = asyncio.get_running_loop()
        async with make(broker) as feeder:
            number = 0
            while loop.time() < seconds:
                for district in range(districts):
                    came[float(number)] = loop.time()
                    await feeder.readings(district, rows(number, per_call), ingest_ns=0)
                    number += per_call
                await asyncio.sleep(gap_s)
        return came

    return run(main())


def test_a_lane_with_nothing_to_do_sends_at_once() -> None:
    """A lone reading leaves after three milliseconds, not after the frame's fifty."""
    broker = Broker()
    came = steady(broker, districts=1, per_call=1, gap_s=0.5, seconds=5.0)
    assert len(broker.sent) == len(came) == 10
    assert all(broker.left[v] - t <= SOON_S + EPS for v, t in came.items())


def test_under_light_load_a_reading_leaves_within_50_ms() -> None:
    """Ten districts, a thousand readings a second: also once the early frames are used up."""
    broker = Broker(ack_s=0.005)
    came = steady(broker, districts=10, per_call=1, gap_s=0.01, seconds=4.0)
    waits = [broker.left[v] - t for v, t in came.items()]
    assert max(waits) <= FRAME_MS / 1000 + EPS


def test_many_lanes_make_a_bounded_number_of_frames() -> None:
    """Twenty districts with a reading each 5 ms: not 4 000 frames a second but 400 and the early ones."""
    broker = Broker(ack_s=0.001)
    seconds = 5.0
    steady(broker, districts=20, per_call=1, gap_s=0.005, seconds=seconds)
    most = EARLY_BURST + EARLY_PER_S * seconds + 20 * (seconds / (FRAME_MS / 1000) + 1)
    assert len(broker.sent) <= most


def test_under_heavy_load_frames_grow_to_tens_of_thousands_of_rows() -> None:
    """A million readings a second in four districts; the broker needs 30 ms for a message."""
    broker = Broker(ack_s=0.03)
    steady(broker, districts=4, per_call=500, gap_s=0.002, seconds=2.0)
    sizes = sorted(n for _, _, n in broker.sent)
    assert sizes[len(sizes) // 2] >= 10_000
    assert sizes[-1] <= FRAME_ROWS


def test_a_broker_that_lags_gets_fewer_and_larger_frames() -> None:
    """Half a second a message: two are under way, the third grows until one is acknowledged."""
    broker = Broker(ack_s=0.5)
    steady(broker, districts=1, per_call=100, gap_s=0.01, seconds=10.0)
    assert len(broker.sent) <= 10.0 / 0.5 + 3
    assert max(n for _, _, n in broker.sent) >= 4_000


@settings(deadline=None, max_examples=60)
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.001, 0.004, 0.02, 0.3]),  # s before the call
            st.integers(0, 3),  # district
            st.sampled_from([0, 1, 7, 500, 39_999, 40_000, 90_000]),
        ),
        max_size=40,
    ),
    ack_s=st.sampled_from([0.0, 0.001, 0.01, 0.08, 0.4]),
)
def test_whatever_the_load_nothing_is_lost_doubled_or_out_of_order(
    calls: list[tuple[float, int, int]], ack_s: float
) -> None:
    """All readings of a district leave once, in the order of the calls; every call is answered after its own.

    With a broker that answers within the frame's age a reading leaves within that age.
    """
    broker = Broker(ack_s=ack_s)
    given_: dict[int, list[float]] = {}
    came: dict[float, float] = {}
    answered: list[bool] = []

    def note(last: float, n: int, _: object) -> None:
        answered.append(n == 0 or last in broker.left)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with make(broker) as feeder:
            futures = []
            number = 0
            for gap_s, district, n in calls:
                await asyncio.sleep(gap_s)
                batch = rows(number, n)
                mine = given_.setdefault(district, [])
                mine += batch.value.tolist()
                if n:
                    came[float(number)] = loop.time()
                future = await feeder.readings(district, batch, ingest_ns=0)
                future.add_done_callback(partial(note, float(number + n - 1), n))
                futures.append(future)
                number += n
            await feeder.flush()
            assert all(f.done() and f.exception() is None for f in futures)
            assert feeder.totals.rows == number
            assert feeder.totals.frames == len(broker.sent)

    run(main())
    assert {d: v for d, v in given_.items() if v} == broker.values
    assert all(0 < n <= FRAME_ROWS for _, _, n in broker.sent)
    assert all(answered)
    assert len(answered) == len(calls)
    if ack_s * 2 <= FRAME_MS / 1000 and sum(n for *_, n in calls) < FRAME_ROWS:
        assert all(broker.left[v] - t <= FRAME_MS / 1000 + EPS for v, t in came.items())
