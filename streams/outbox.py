"""Messages on their way to Kafka, in order; one that cannot be sent ends the process."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from yiwang.errors import Unavailable, YiwangError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

ROOM = 20_000
"""So many messages may be on their way before whoever makes them waits."""


@dataclass(frozen=True, slots=True)
class _Letter:
    topic: str
    partition: int
    payload: bytes
    headers: Sequence[tuple[str, bytes]]
    sent: "asyncio.Future[int]"


class Outbox:
    """Sends through one idempotent producer, so that a partition's messages arrive once and in order.

    Args:
        producer: started; closed by whoever started it.
        fail: told of an error; nothing more is sent then, as the order would be lost.
    """

    def __init__(self, producer: "AIOKafkaProducer", fail: Callable[[YiwangError], None]) -> None:
        self._producer = producer
        self._fail = fail
        self._queue: asyncio.Queue[_Letter] = asyncio.Queue()
        self._under_way = 0
        self._changed = asyncio.Event()

    def put(
        self, topic: str, partition: int, payload: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> "asyncio.Future[int]":
        """Take a message at once; the future gives its offset when the broker has it."""
        letter = _Letter(topic, partition, payload, headers, asyncio.get_running_loop().create_future())
        self._under_way += 1
        self._queue.put_nowait(letter)
        return letter.sent

    @property
    def under_way(self) -> int:
        """Messages that the broker does not have yet."""
        return self._under_way

    async def run(self) -> None:
        """Send, for as long as the process lives."""
        while True:
            letter = await self._queue.get()
            try:
                on_way = await self._producer.send(
                    letter.topic, letter.payload, partition=letter.partition, headers=letter.headers
                )
            except Exception as error:  # noqa: BLE001  a task boundary: all kinds of client errors mean the same
                self._lost(letter, error)
                return
            on_way.add_done_callback(partial(self._done, letter))

    async def room(self) -> None:
        """Wait until more may be put."""
        await self._below(ROOM)

    async def settle(self) -> None:
        """Wait until the broker has everything."""
        await self._below(1)

    async def _below(self, limit: int) -> None:
        while self._under_way >= limit:
            self._changed.clear()
            await self._changed.wait()

    def _done(self, letter: _Letter, on_way: "asyncio.Future[object]") -> None:
        if on_way.cancelled():
            return
        error = on_way.exception()
        if error is not None:
            self._lost(letter, error)
            return
        self._under_way -= 1
        self._changed.set()
        if not letter.sent.done():
            letter.sent.set_result(on_way.result().offset)  # type: ignore[attr-defined]  # aiokafka's RecordMetadata

    def _lost(self, letter: _Letter, error: BaseException) -> None:
        self._fail(
            Unavailable(
                "kafka.unavailable",
                f"a message for {letter.topic} {letter.partition} could not be sent: {error!r}",
                topic=letter.topic,
                partition=letter.partition,
            )
        )
