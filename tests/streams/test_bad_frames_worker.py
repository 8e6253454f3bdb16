"""The real worker and frames that are wrong: it goes on, keeps what it could not use, and its neighbours come out."""

import asyncio

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from tests.streams.driving import Drive
from tests.streams.test_bad_frames import GOOD, WRONG
from tests.streams.world import T0
from yiwang import codec, frames
from yiwang.broker import start_consumer, start_producer
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import DeadLetter, Finding, Tick, Trouble
from yiwang.topics import MAX_MESSAGE_BYTES

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


async def letters(drive: Drive, count: int) -> list[DeadLetter]:
    """So many dead letters of the run."""
    consumer = await start_consumer(drive.bootstrap, drive.topics.dead_letters, client_id="test")
    found: list[DeadLetter] = []
    try:
        async with asyncio.timeout(60):
            while len(found) < count:
                found.append(codec.decode_dead_letter((await consumer.getone()).value))
    finally:
        await consumer.stop()
    return found


async def test_a_worker_passes_wrong_frames_over_and_keeps_them(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Checksum, version, lengths, district, NaN, a repeat: each named; good readings beside them raise what they must."""
    small = {name: wrong for name, wrong in WRONG.items() if len(wrong[0]) < MAX_MESSAGE_BYTES}
    async with Drive(kafka.bootstrap, pg_dsn, districts=1, seed=3) as drive:
        await drive.open()
        await drive.feed(0, Tick(t_ns=T0))
        await drive.feed(0, GOOD)
        for payload, _ in small.values():
            await drive.feed(0, payload)
        t_ns = T0 + 5 * SECOND
        nan = Readings.of([(1, t_ns, float("nan"), 0), (0, t_ns, 60.0, 0), (2, t_ns, float("inf"), 0)])
        await drive.feed(0, frames.pack(0, 5, [nan]))
        await drive.feed(0, GOOD)
        await drive.feed(0, Tick(t_ns=T0 + 10 * SECOND))
        worker = await drive.worker("district", "w0").start()
        await worker.ready()

        def told() -> dict[str, int]:
            troubles = [o.body for o in drive.said[0] if isinstance(o.body, Trouble)]
            return {t.code: t.count for t in troubles if t.code != "feed.message"}

        await drive.until(lambda: "feed.repeated" in told())
        assert told() == {"feed.not_finite": 2, "feed.repeated": 2}
        findings = [o.body for o in drive.said[0] if isinstance(o.body, Finding)]
        assert 60.0 in [f.value for f in findings]
        found = await letters(drive, len(small) + 1)
        assert [x.code for x in found] == [code for _, code in small.values()] + ["frame.not_finite"]
        assert [x.raw for x in found[:-1]] == [payload for payload, _ in small.values()]
        assert frames.decode(found[-1].raw).readings.series.tolist() == [1, 2]
        assert [o.body for o in drive.said[0]] == drive.undisturbed(0)


async def test_a_message_of_100_mb_does_not_get_in(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Our producer refuses it; where another sends twice our limit, the broker does."""
    from aiokafka import AIOKafkaProducer

    payload, _ = WRONG["is 100 MB"]
    async with Drive(kafka.bootstrap, pg_dsn, districts=1, seed=4) as drive:
        ours = await start_producer(kafka.bootstrap, client_id="test")
        try:
            with pytest.raises(MessageSizeTooLargeError):
                await ours.send_and_wait(drive.topics.feed, payload, partition=0)
        finally:
            await ours.stop()
        foreign = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=2**30)
        await foreign.start()
        try:
            with pytest.raises(MessageSizeTooLargeError):
                await foreign.send_and_wait(drive.topics.feed, payload[: 2 * MAX_MESSAGE_BYTES], partition=0)
        finally:
            await foreign.stop()
