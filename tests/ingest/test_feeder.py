"""The feeder against a producer whose broker answers when the test says so."""

import asyncio
from typing import Any

import numpy as np
import pytest

from ingest.feeder import Feeder
from tests.ingest.producer import FakeProducer
from yiwang import codec, frames
from yiwang.clock import ManualClock
from yiwang.columns import Readings
from yiwang.errors import Unavailable
from yiwang.model import Tick
from yiwang.topics import Topics


def batch(start: int, n: int) -> Readings:
    return Readings.of([(i, i * 10, float(i), 0) for i in range(start, start + n)])


def feeder(producer: FakeProducer, **given: Any) -> Feeder:
    options: dict[str, Any] = {"frame_ms": 5, "frame_rows": 100, "deliver_s": 5.0} | given
    return Feeder(producer, Topics("test"), clock=ManualClock(1000), **options)


async def test_small_batches_of_one_district_share_a_frame_with_the_oldest_stamp() -> None:
    """Three batches handed over together leave as one message, stamped with the oldest ingest time."""
    producer = FakeProducer()
    async with feeder(producer) as f:
        futures = [await f.readings(1, batch(i * 10, 10), ingest_ns=t) for i, t in enumerate((500, 400, 600))]
        await asyncio.gather(*futures)
    assert len(producer.sent) == 1
    partition, payload, stamp = producer.sent[0]
    frame = frames.decode(payload)
    assert (partition, stamp, frame.ingest_ns, frame.district) == (1, 400, 400, 1)
    assert frame.readings.series.tolist() == list(range(30))
    assert (f.totals.rows, f.totals.messages, f.totals.last_ack_ns) == (30, 1, 600)


async def test_a_frame_leaves_when_it_is_full_without_waiting_for_its_age() -> None:
    """With a frame age of an hour, a full frame is acknowledged and the rest stays open until flush."""
    producer = FakeProducer()
    async with feeder(producer, frame_ms=3_600_000, deliver_s=10_000) as f:
        first = await f.readings(0, batch(0, 100), ingest_ns=1)
        second = await f.readings(0, batch(100, 1), ingest_ns=1)
        await first
        assert not second.done()
        await f.flush()
        assert second.done()
    assert [len(frames.decode(p).readings) for _, p, _ in producer.sent] == [100, 1]


async def test_a_large_batch_is_cut_and_answered_only_when_all_of_it_is_there() -> None:
    """250 rows in frames of 100, behind 30 that are open: 70, 100, 80; one future for all."""
    producer = FakeProducer()
    producer.hold = True
    async with feeder(producer) as f:
        await f.readings(0, batch(1000, 30), ingest_ns=1)
        done = await f.readings(0, batch(0, 250), ingest_ns=1)
        await producer.arrived(2)
        producer.pending.pop(0).set_result(None)
        producer.pending.pop(0).set_result(None)
        await producer.arrived(1)  # grew while two were under way
        assert not done.done()
        producer.acknowledge()
        await done
    sizes = [len(frames.decode(p).readings) for _, p, _ in producer.sent]
    assert sizes == [100, 100, 80]
    rows = np.concatenate([frames.decode(p).readings.series for _, p, _ in producer.sent])
    assert rows.tolist() == [*range(1000, 1030), *range(250)]


async def test_messages_and_frames_keep_their_order_within_a_district() -> None:
    """A message goes behind the readings handed over before it and before those after it."""
    producer = FakeProducer()
    async with feeder(producer) as f:
        await f.readings(0, batch(0, 3), ingest_ns=1)
        tick = await f.message(0, Tick(t_ns=7), ingest_ns=2)
        await f.readings(0, batch(3, 3), ingest_ns=3)
        await f.message(1, Tick(t_ns=8), ingest_ns=2)
        await f.flush()
        assert tick.done()
    mine = [p for district, p, _ in producer.sent if district == 0]
    assert frames.is_frame(mine[0])
    assert codec.decode_feed(mine[1]) == Tick(t_ns=7)
    assert frames.decode(mine[2]).readings.series.tolist() == [3, 4, 5]


async def test_an_empty_batch_is_done_at_once() -> None:
    """Nothing to send is no message."""
    producer = FakeProducer()
    async with feeder(producer) as f:
        await (await f.readings(0, batch(0, 0), ingest_ns=1))
    assert producer.sent == []


async def test_a_broker_that_refuses_fails_every_caller_and_the_lane_goes_on() -> None:
    """Both callers of the frame get kafka.unavailable, flush says so too, the next frame arrives."""
    producer = FakeProducer()
    async with feeder(producer) as f:
        producer.refuse = OSError("connection refused")
        a = await f.readings(0, batch(0, 1), ingest_ns=1)
        b = await f.readings(0, batch(1, 1), ingest_ns=1)
        for future in (a, b):
            with pytest.raises(Unavailable, match="connection refused") as caught:
                await future
            assert caught.value.code == "kafka.unavailable"
        with pytest.raises(Unavailable):
            await f.flush()
        producer.refuse = None
        await (await f.readings(0, batch(2, 1), ingest_ns=1))
        await f.flush()
    assert f.totals.failed_rows == 2
    assert [frames.decode(p).readings.series.tolist() for _, p, _ in producer.sent] == [[2]]


async def test_no_acknowledgement_in_time_is_unavailable() -> None:
    """A broker that took the message and says nothing does not hold its caller for ever."""
    producer = FakeProducer()
    producer.hold = True
    async with feeder(producer, deliver_s=0.02) as f:
        with pytest.raises(Unavailable, match=r"within 0\.02 s"):
            await (await f.readings(0, batch(0, 1), ingest_ns=1))
        with pytest.raises(Unavailable):
            await f.flush()
        producer.acknowledge()  # late: the caller was told, the totals do not claim it
        await f.flush()
    assert f.totals.rows == 0


async def test_a_full_buffer_makes_callers_wait_until_there_is_room_and_then_first_come_first_served() -> (
    None
):
    """With room for 10 readings the second and third callers wait for the first one's acknowledgement."""
    producer = FakeProducer()
    producer.hold = True
    async with feeder(producer, buffer_rows=10, frame_rows=10) as f:
        first = await f.readings(0, batch(0, 10), ingest_ns=1)
        waiting = [asyncio.create_task(f.readings(0, batch(n, 10), ingest_ns=1)) for n in (10, 20)]
        await producer.arrived(1)
        assert not any(w.done() for w in waiting)
        producer.acknowledge()
        await first
        producer.hold = False
        for w in waiting:
            await (await w)
    assert [frames.decode(p).readings.series[0] for _, p, _ in producer.sent] == [0, 10, 20]


async def test_a_buffer_that_stays_full_is_unavailable() -> None:
    """Waiting for room is bounded too."""
    producer = FakeProducer()
    producer.block = asyncio.Event()
    async with feeder(producer, buffer_rows=1, frame_rows=1, deliver_s=0.02) as f:
        await f.readings(0, batch(0, 1), ingest_ns=1)
        with pytest.raises(Unavailable, match="stays full"):
            await f.readings(0, batch(1, 1), ingest_ns=1)
        with pytest.raises(Unavailable):
            await f.flush()


async def test_a_caller_that_goes_away_leaves_its_neighbours_alone() -> None:
    """Cancelling one caller's wait does not touch the others in the same frame."""
    producer = FakeProducer()
    async with feeder(producer) as f:
        gone = await f.readings(0, batch(0, 1), ingest_ns=1)
        other = await f.readings(0, batch(1, 1), ingest_ns=1)
        gone.cancel()
        await other
    assert frames.decode(producer.sent[0][1]).readings.series.tolist() == [0, 1]
