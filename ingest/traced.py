"""A producer whose frames are followed by traces, one in so many. Made only where traces are on."""

import asyncio
from typing import Any

from ingest.feeder import Producer
from yiwang.tracing import Step, Traces


class TracedProducer:
    """Adds ``traceparent`` to the messages that are followed; their stage ends when the broker has them.

    Args:
        producer: sends.
        traces: of the process.
        topic: the one that is followed, the feed.
    """

    def __init__(self, producer: Producer, traces: Traces, topic: str) -> None:
        self._producer, self._traces, self._topic = producer, traces, topic

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":  # Any: as the producer has it
        """As the producer does."""
        step: Step | None = None
        if topic == self._topic:
            step = self._traces.begin("ingest", district=partition, bytes=len(value))
        if step is None:
            return await self._producer.send(topic, value, partition=partition, headers=headers)
        sent = await self._producer.send(topic, value, partition=partition, headers=[*headers, step.header])

        def ended(delivery: "asyncio.Future[Any]") -> None:
            lost = delivery.cancelled() or delivery.exception() is not None
            step.end(outcome="lost" if lost else "acknowledged")

        sent.add_done_callback(ended)
        return sent
