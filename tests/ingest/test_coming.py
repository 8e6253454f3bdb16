"""Kafka that is not there when ingest starts."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from ingest import coming
from ingest.coming import Coming
from tests.ingest.producer import FakeProducer
from yiwang.errors import BadInput, Unavailable, YiwangError
from yiwang.topics import HEADER_INGEST

ABSENT = Unavailable("kafka.unavailable", "no broker answers")
STARTING = Unavailable("kafka.topic", "the broker would not create a topic")
SHORT = BadInput("topics.partitions", "topic x has 1 partition, 2 districts need 2")


class Started(FakeProducer):
    """Counts its ends."""

    stopped = 0

    async def stop(self) -> None:
        """As aiokafka's."""
        self.stopped += 1


class Broker:
    """Answers each try to connect with the next of what it was given, and then with a producer."""

    def __init__(self, *errors: Exception) -> None:
        self.producer = Started()
        self._errors: Iterator[Exception] = iter(errors)
        self.gate = asyncio.Event()
        self.tries = 0

    async def connect(self) -> Started:
        """The first try is answered at once, later ones when the gate is open."""
        self.tries += 1
        if self.tries > 1:
            await self.gate.wait()
        for error in self._errors:
            raise error
        return self.producer


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between tries."""
    monkeypatch.setattr(coming, "AGAIN_S", 0.0)


async def send(kafka: Coming) -> "asyncio.Future[Any]":
    """One message."""
    return await kafka.send("run.feed", b"x", partition=0, headers=[(HEADER_INGEST, b"7")])


async def test_an_absent_broker_is_waited_for_beside() -> None:
    """Until it comes sending fails as it does where a broker is away; a broker that only just starts is borne with."""
    broker = Broker(ABSENT, ABSENT, STARTING)
    kafka = Coming(broker.connect)
    await kafka.start(may_wait=True)
    assert kafka.away
    with pytest.raises(ConnectionError):
        await send(kafka)
    broker.gate.set()
    await kafka.here.wait()
    await (await send(kafka))
    await kafka.stop()
    assert (broker.tries, len(broker.producer.sent), broker.producer.stopped) == (4, 1, 1)


async def test_stopped_before_it_came() -> None:
    """Nobody looks for it any more."""
    broker = Broker(ABSENT)
    kafka = Coming(broker.connect)
    await kafka.start(may_wait=True)
    await kafka.stop()
    broker.gate.set()
    await asyncio.sleep(0)
    assert (kafka.away, broker.producer.stopped) == (True, 0)


@pytest.mark.parametrize("error", [SHORT, STARTING])
async def test_a_broker_that_answers_and_cannot_be_used_is_refused_at_the_start(error: YiwangError) -> None:
    """Only its absence is survived."""
    kafka = Coming(Broker(error).connect)
    with pytest.raises(YiwangError) as caught:
        await kafka.start(may_wait=True)
    assert caught.value is error
    await kafka.stop()


async def test_a_broker_that_comes_with_too_few_partitions_ends_the_process() -> None:
    """The error is in ``fatal``, for whoever runs the process."""
    broker = Broker(ABSENT, SHORT)
    kafka = Coming(broker.connect)
    await kafka.start(may_wait=True)
    broker.gate.set()
    with pytest.raises(BadInput):
        await kafka.fatal
    await kafka.stop()


async def test_without_a_spool_nothing_is_waited_for() -> None:
    """An absent broker is refused at once."""
    kafka = Coming(Broker(ABSENT).connect)
    with pytest.raises(Unavailable):
        await kafka.start(may_wait=False)
    await kafka.stop()


async def test_a_broker_that_neither_answers_nor_refuses_does_not_hold_the_start_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It counts as absent after a while."""
    monkeypatch.setattr(coming, "START_S", 0.0)

    async def connect() -> Started:
        await asyncio.Event().wait()
        raise AssertionError

    kafka = Coming(connect)
    await kafka.start(may_wait=True)
    assert kafka.away
    await kafka.stop()
