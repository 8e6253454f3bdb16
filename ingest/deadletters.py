"""What could not be used, kept in the dead-letter topic of the run with its reason and its bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest.feeder import DELIVER_S, Producer
from ingest.rows import Rejected
from yiwang import codec
from yiwang.errors import Unavailable
from yiwang.ids import derive
from yiwang.model import DeadLetter
from yiwang.topics import Topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

RAW_LIMIT = 64 * 1024


class DeadLetters:
    """Writes dead letters.

    Args:
        producer: a started producer.
        topics: of the run.
        deliver_s: what is not acknowledged by then raises.
    """

    def __init__(self, producer: Producer, topics: Topics, *, deliver_s: float = DELIVER_S) -> None:
        self._producer = producer
        self._topic = topics.dead_letters
        self._deliver_s = deliver_s

    async def put(self, rejected: Sequence[tuple[str, Rejected]], *, ingest_ns: int) -> None:
        """Write (source, rejected row) one by one and wait until Kafka has all of them.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        try:
            async with asyncio.timeout(self._deliver_s):
                waiting = [
                    await self._producer.send(
                        self._topic, codec.encode(letter(source, r, ingest_ns)), partition=0, headers=[]
                    )
                    for source, r in rejected
                ]
                await asyncio.gather(*waiting)
        except Exception as error:
            raise Unavailable(
                "kafka.unavailable",
                f"Kafka did not take dead letters for {self._topic}: {type(error).__name__} {error}",
                topic=self._topic,
            ) from error


def letter(source: str, rejected: Rejected, ingest_ns: int) -> DeadLetter:
    """The dead letter of a rejected row; the same arrival gives the same id."""
    error = rejected.error
    return DeadLetter(
        id=derive("D", source, ingest_ns, rejected.row, error.code, rejected.raw[:1000].hex()),
        code=error.code,
        message=error.message,
        source=source,
        ingest_ns=ingest_ns,
        args=error.details,
        raw=rejected.raw[:RAW_LIMIT],
    )


async def read(consumer: "AIOKafkaConsumer", topics: Topics) -> AsyncIterator[DeadLetter]:
    """All letters that are in the topic now, oldest first; ends with the newest.

    Args:
        consumer: a started consumer that nothing is assigned to.
        topics: of the run.

    Raises:
        Unavailable: ``kafka.topic`` where the run has no such topic.
    """
    from aiokafka import TopicPartition

    partition = TopicPartition(topics.dead_letters, 0)
    if topics.dead_letters not in await consumer.topics():
        raise Unavailable(
            "kafka.topic",
            f"there is no topic {topics.dead_letters}: has anything of run {topics.run!r} ever been started?",
            topic=topics.dead_letters,
        )
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    end: int = (await consumer.end_offsets([partition]))[partition]
    while await consumer.position(partition) < end:
        found: dict[Any, Any] = await consumer.getmany(timeout_ms=1000)  # Any: aiokafka has no types
        for records in found.values():
            for record in records:
                if record.offset < end:
                    yield codec.decode_dead_letter(record.value)
