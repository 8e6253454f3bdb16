"""Reads stretches of Kafka's logs beside the consumer group: what was sent before a crash, and how far logs go."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Self

from yiwang.broker import start_consumer, unavailable
from yiwang.errors import Conflict
from yiwang.fencing import Fence

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

Record = tuple[int, bytes, int]
"""Offset, payload, wall clock of its ingest header (0 without)."""


def ingest_ns(headers: Iterable[tuple[str, bytes]], name: str) -> int:
    """The stage stamp in Kafka headers; 0 when it is missing or no number."""
    for key, value in headers:
        if key == name:
            return int(value) if value.isdigit() else 0
    return 0


class LogReader:
    """A consumer of its own, outside any group. Calls queue up: one stretch at a time."""

    def __init__(self, bootstrap: str, consumer: "AIOKafkaConsumer") -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer
        self._turn = asyncio.Lock()

    @classmethod
    async def start(cls, bootstrap: str, client_id: str) -> Self:
        """Connect.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        return cls(bootstrap, await start_consumer(bootstrap, client_id=client_id))

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def ends(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Next offset of each (topic, partition).

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        asked = [TopicPartition(*p) for p in partitions]
        try:
            async with self._turn:
                found = await self._consumer.end_offsets(asked) if asked else {}
        except (KafkaError, OSError) as error:
            raise unavailable(self._bootstrap, error) from error
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def at(self, partitions: Iterable[tuple[str, int]], time_ms: int) -> list[int]:
        """First offset of each (topic, partition) that was written at or after a time, its end where there is none.

        Args:
            partitions: in the order of the answer.
            time_ms: wall clock of the broker's records, milliseconds since the epoch.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        asked = [TopicPartition(*p) for p in partitions]
        try:
            async with self._turn:
                found = await self._consumer.offsets_for_times(dict.fromkeys(asked, time_ms))
                ends = await self._consumer.end_offsets(asked)
        except (KafkaError, OSError) as error:
            raise unavailable(self._bootstrap, error) from error
        return [where.offset if (where := found.get(tp)) else ends[tp] for tp in asked]

    async def read(
        self,
        topic: str,
        partition: int,
        start: int,
        header: str,
        *,
        upto: int | None = None,
        fence: Fence | None = None,
    ) -> AsyncIterator[Record]:
        """Everything from offset ``start`` to the end as it is now, or to ``upto``.

        Args:
            topic: which log.
            partition: of the topic.
            start: first offset.
            header: the stage stamp that records bring.
            upto: offset behind the last message; at most the end.
            fence: of outputs, leaves out what does not count.

        Raises:
            Conflict: ``log.short`` when the log ends before ``start``, or no longer has it.
            Unavailable: ``kafka.unavailable``.
        """
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        tp = TopicPartition(topic, partition)
        try:
            async with self._turn:
                first = (await self._consumer.beginning_offsets([tp]))[tp]
                end = (await self._consumer.end_offsets([tp]))[tp]
                if not first <= start <= end:
                    raise Conflict(
                        "log.short",
                        f"{topic} {partition} holds offsets {first} to {end}, the state needs it from {start} on: "
                        "topic and database do not belong together, or messages have expired",
                        topic=topic,
                        partition=partition,
                    )
                end = end if upto is None else min(upto, end)
                if start >= end:
                    return
                self._consumer.assign([tp])
                self._consumer.seek(tp, start)
                while await self._consumer.position(tp) < end:
                    for r in (await self._consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                        if r.offset < end and (fence is None or fence.counts(r.value, r.headers)):
                            yield r.offset, r.value, ingest_ns(r.headers, header)
                self._consumer.unsubscribe()
        except (KafkaError, OSError) as error:
            raise unavailable(self._bootstrap, error) from error
