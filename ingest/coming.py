"""Kafka as ingest has it: there at the start, or coming later while the spool takes what is accepted."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from ingest.feeder import Producer
from yiwang import logs
from yiwang.errors import Unavailable

START_S = 10.0
"""So long the start waits for a broker that neither answers nor refuses."""
AGAIN_S = 1.0
_log = logs.get("ingest")


class Stoppable(Producer, Protocol):
    """A started producer, as aiokafka's is."""

    async def stop(self) -> None:
        """Send what is under way and disconnect."""
        ...


class Coming:
    """A producer that may come later; until then it refuses as one whose broker is away, which a spool understands.

    Args:
        connect: makes sure of the topics and gives a started producer.

    Attributes:
        here: set once Kafka has come.
        fatal: done with an error when Kafka has come but cannot be used: too few partitions, say.
    """

    def __init__(self, connect: Callable[[], Awaitable[Stoppable]]) -> None:
        self._connect = connect
        self._producer: Stoppable | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self.here = asyncio.Event()
        self.fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def away(self) -> bool:
        """Whether Kafka has not come yet; once it has, the spool knows whether it answers."""
        return self._producer is None

    async def start(self, *, may_wait: bool) -> None:
        """Try; with ``may_wait`` an absent broker is tried again and again beside, and this returns.

        Raises:
            Unavailable: ``kafka.unavailable`` without ``may_wait``; ``kafka.topic``.
            BadInput: ``topics.partitions``.
        """
        if not may_wait:
            self._producer = await self._connect()
            self.here.set()
            return
        self._task = asyncio.create_task(self._come(), name="kafka")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), START_S)
        if self.fatal.done():
            self.fatal.result()
        self._tried.set()

    async def _come(self) -> None:
        said = ""
        while self._producer is None:
            try:
                self._producer = await self._connect()
            except Exception as error:  # noqa: BLE001  a task boundary
                # a broker that is only just starting may refuse topics; later than at our start that is waited for
                if not isinstance(error, Unavailable) or (
                    error.code != "kafka.unavailable" and not self._tried.is_set()
                ):
                    self.fatal.set_exception(error)
                    self._tried.set()
                    return
                if error.message != said:
                    _log.warning(error.code, reason=error.message)
                    said = error.message
                self._tried.set()
                await asyncio.sleep(AGAIN_S)
        if said:
            _log.info("kafka.here")
        self.here.set()
        self._tried.set()

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":  # Any: nobody reads the result
        """As the producer's.

        Raises:
            ConnectionError: Kafka has not come yet.
        """
        if self._producer is None:
            raise ConnectionError("Kafka has not come yet")
        return await self._producer.send(topic, value, partition=partition, headers=headers)

    async def stop(self) -> None:
        """Look for it no longer, or stop the producer."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self.fatal.done():
            self.fatal.cancel()
        if self._producer:
            await self._producer.stop()
