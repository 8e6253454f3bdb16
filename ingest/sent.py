"""What of a spool has reached Kafka already: asked when a process takes over what another left."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from ingest.spool import Record
from yiwang.broker import start_consumer, unavailable
from yiwang.topics import HEADER_INGEST

EARLIER_MS = 60_000
"""How much before the first message's own time reading begins, where no offset is known."""


class Log:
    """Reads the partitions of a broker.

    Args:
        bootstrap: of the broker.
        here: returns once Kafka is there with all topics; before, nobody needs to ask.
    """

    def __init__(self, bootstrap: str, here: Callable[[], Awaitable[object]]) -> None:
        self._bootstrap, self._here = bootstrap, here

    async def known(
        self, topic: str, partition: int, offset: int, first: Record
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Offset and value of each message of a partition, up to its present end.

        Args:
            topic: of the partition.
            partition: its number.
            offset: where to begin; -1: unknown, a minute before ``first`` came in.
            first: the oldest record that is asked about.

        Raises:
            Unavailable: ``kafka.unavailable``.
        """
        from aiokafka import TopicPartition
        from aiokafka.errors import KafkaError

        await self._here()
        consumer = await start_consumer(self._bootstrap, client_id="yiwang-spool")
        where = TopicPartition(topic, partition)
        try:
            consumer.assign([where])
            begin: int = (await consumer.beginning_offsets([where]))[where]
            end: int = (await consumer.end_offsets([where]))[where]
            if offset < 0:
                offset = await _at_time(consumer, where, first, end)
            consumer.seek(where, max(begin, min(offset, end)))
            while await consumer.position(where) < end:
                found: Mapping[Any, Any] = await consumer.getmany(
                    timeout_ms=1000
                )  # Any: aiokafka has no types
                for records in found.values():
                    for record in records:
                        yield record.offset, record.value
        except (KafkaError, OSError) as error:
            raise unavailable(self._bootstrap, error) from error
        finally:
            await consumer.stop()


async def _at_time(consumer: Any, where: Any, first: Record, end: int) -> int:  # Any: aiokafka has no types
    """The first offset of about the time at which a message came in."""
    stamp = dict(first.headers).get(HEADER_INGEST, b"")
    if not stamp.isdigit():
        return 0
    found = await consumer.offsets_for_times({where: int(stamp) // 1_000_000 - EARLIER_MS})
    return found[where].offset if found[where] is not None else end
