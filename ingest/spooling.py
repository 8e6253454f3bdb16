"""A producer that goes on while Kafka is away: it keeps messages in the spool and sends them when Kafka is back.

As long as Kafka answers, messages go straight to it. When a partition's oldest message has had no answer for
``after_s``, the partition is *away*: what is under way and what comes is written to the spool, and answered when it is
on the disk. When Kafka answers again the spool is sent first, in order; only when it is empty do messages go straight
again. So the order within a partition is always that of ``send``.

What the producer has taken already it delivers itself when Kafka is back (it is idempotent and never gives up), so
nothing is doubled while this process lives. If it does not, whoever takes the spool over asks the log what of it has
arrived (``known``).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

from ingest.feeder import Producer
from ingest.spool import Headers, Key, Queue, Record, Spool, full
from yiwang import logs
from yiwang.errors import Unavailable, YiwangError

T = TypeVar("T")

AFTER_S = 2.0
WINDOW_BYTES = 8 * 1024 * 1024
"""So much of a partition's spool is on its way to Kafka at once."""
PATIENCE_S = 30.0
"""One try to hand a message of the spool to the producer."""
AGAIN_S = 0.5
LOOKS = 4
"""How often in ``after_s`` it is looked whether a partition is away."""
_log = logs.get("spool")


class Log(Protocol):
    """Tells what Kafka has; see ``ingest.sent``."""

    def known(
        self, topic: str, partition: int, offset: int, first: Record
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Offset and value of each message of a partition that may be one of ours, from ``offset`` on."""
        ...


@dataclass(slots=True, eq=False)
class _Message:
    """On its way: to the producer, to the spool, or both."""

    headers: Headers
    value: bytes
    since_s: float
    answer: "asyncio.Future[Any] | None"  # the caller's; None of a message read from the spool
    n: int = -1  # in the spool; -1: not in it
    with_producer: bool = False
    to_spool: bool = False
    arrived: bool = False
    offset: int = -1


@dataclass(slots=True, eq=False)
class _Lane:
    """A partition."""

    key: Key
    away: bool = False
    under_way: deque[_Message] = field(default_factory=deque)  # with the producer, in order
    room: asyncio.Event = field(default_factory=asyncio.Event)
    handed: set[int] = field(default_factory=set)  # numbers of records that are with the producer
    bytes: int = 0  # under way
    unwritten: int = 0  # messages on their way to the disk
    unnumbered: int = 0  # those of them that are with the producer too
    cursor: int = 0  # number of the next record of the spool that goes to the producer
    drain: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class SpoolTotals:
    """What the spool has done.

    Attributes:
        kept: messages written to disk since the start.
        sent: messages of the spool that Kafka has taken since the start.
        known: messages that an earlier process left and that Kafka had already.
        refused: messages that were not taken because the spool was full or the disk refused.
        outages: how often a partition went away.
    """

    kept: int = 0
    sent: int = 0
    known: int = 0
    refused: int = 0
    outages: int = 0


class Spooling:
    """The producer and the spool together; itself a producer.

    Args:
        producer: a started, idempotent one.
        spool: opened.
        log: tells what of the spool an earlier process had sent; None: nobody asks.
        after_s: Kafka is away when it has not answered for so long.
        in_thread: runs work on the disk beside the loop, one call at a time; for tests.

    Attributes:
        fatal: done with an error when the producer can never send again: end the process and start it anew.
    """

    def __init__(
        self,
        producer: Producer,
        spool: Spool,
        *,
        log: Log | None = None,
        after_s: float = AFTER_S,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> None:
        self._producer = producer
        self._spool = spool
        self._log = log
        self._after_s = after_s
        self._pool = ThreadPoolExecutor(1, "spool") if in_thread is None else None
        self._in_thread = in_thread or self._beside
        self._lanes: dict[Key, _Lane] = {}
        self._writing: list[tuple[_Lane, _Message]] = []
        self._writing_bytes = 0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._looker: asyncio.TimerHandle | None = None
        self.totals = SpoolTotals()
        self.fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Begin to send what is in the spool."""
        self._writer = asyncio.create_task(self._write_for_ever(), name="spool writer")
        for queue in list(self._spool.queues.values()):
            if queue.waiting:
                self._go_away(self._lane(queue.key), left=True)
        self._look()

    async def close(self) -> None:
        """Stop; what Kafka does not have stays in the spool. Call it before the producer is stopped."""
        if self._looker:
            self._looker.cancel()
        tasks = [t for t in (self._writer, *(lane.drain for lane in self._lanes.values())) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._settle()
        if self._pool:
            self._pool.shutdown()
        self._spool.close()
        if not self.fatal.done():
            self.fatal.cancel()

    async def empty(self) -> None:
        """Wait until Kafka has everything that is in the spool."""
        while any(lane.away for lane in self._lanes.values()):
            await asyncio.wait([lane.drain for lane in self._lanes.values() if lane.drain])

    @property
    def away(self) -> list[Key]:
        """The partitions whose messages go to the spool now."""
        return [lane.key for lane in self._lanes.values() if lane.away]

    @property
    def used_bytes(self) -> int:
        """In the files now."""
        return self._spool.bytes

    @property
    def limit_bytes(self) -> int:
        """What the files may hold."""
        return self._spool.limit_bytes

    def as_json(self) -> dict[str, Any]:  # Any: plain JSON values
        """For health and counters."""
        return {
            "away": [f"{topic}[{partition}]" for topic, partition in self.away],
            "messages": self._spool.waiting,
            "bytes": self._spool.bytes,
            "limit_bytes": self._spool.limit_bytes,
            "kept": self.totals.kept,
            "sent": self.totals.sent,
            "known": self.totals.known,
            "refused": self.totals.refused,
            "outages": self.totals.outages,
            "damaged_bytes": self._spool.damaged,
        }

    # ---- in ----

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":  # Any: nobody reads the result
        """As the producer's; the future is done when Kafka has the message, or the disk.

        Raises:
            Unavailable: ``ingest.spool_full``; also from the future.
            Exception: what the producer raises for a message that it will never take.
        """
        lane = self._lane((topic, partition))
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        message = _Message(headers, value, loop.time(), answer)
        if lane.away:
            self._keep(lane, message)
            return answer
        try:
            async with asyncio.timeout(self._after_s):
                await self._hand_over(lane, message)
        except Exception as error:
            if not _is_away(error):
                self._see(error)
                raise
            if not lane.away:
                self._go_away(lane)
            self._keep(lane, message)
        else:
            self._keep_too(lane, message)  # it may have gone away meanwhile
        return answer

    async def _hand_over(self, lane: _Lane, message: _Message) -> None:
        lane.under_way.append(message)
        lane.bytes += len(message.value)
        try:
            delivery = await self._producer.send(
                lane.key[0], message.value, partition=lane.key[1], headers=list(message.headers)
            )
        except BaseException:
            self._leave(lane, message)
            raise
        message.with_producer = True
        if message.n >= 0:
            lane.handed.add(message.n)
        delivery.add_done_callback(partial(self._arrived, lane, message))

    def _keep_too(self, lane: _Lane, message: _Message) -> None:
        """Keep what the producer has as well; without room it waits for Kafka, as long as its caller does."""
        if lane.away and message.with_producer and not message.to_spool and not message.arrived:
            with suppress(Unavailable):
                self._keep(lane, message)

    def _keep(self, lane: _Lane, message: _Message) -> None:
        if self._spool.bytes + self._writing_bytes + len(message.value) > self._spool.limit_bytes:
            self.totals.refused += 1
            raise full(self._spool.limit_bytes)
        message.to_spool = True
        lane.unwritten += 1
        lane.unnumbered += message.with_producer
        self._writing_bytes += len(message.value)
        self._writing.append((lane, message))
        self._wake.set()

    # ---- away and back ----

    def _lane(self, key: Key) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        return lane

    def _look(self) -> None:
        """Whether Kafka has left a partition without an answer for too long."""
        loop = asyncio.get_running_loop()
        for lane in self._lanes.values():
            if not lane.away and lane.under_way and loop.time() - lane.under_way[0].since_s >= self._after_s:
                self._go_away(lane)
        self._looker = loop.call_later(self._after_s / LOOKS, self._look)

    def _go_away(self, lane: _Lane, *, left: bool = False) -> None:
        lane.away = True
        self.totals.outages += 1
        queue = self._spool.queue(lane.key)
        _log.warning(
            "spool.away",
            topic=lane.key[0],
            partition=lane.key[1],
            under_way=len(lane.under_way),
            left=queue.waiting,
        )
        for message in lane.under_way:
            self._keep_too(lane, message)
        lane.drain = asyncio.create_task(self._drain(lane, left=left), name=f"spool {lane.key}")

    async def _drain(self, lane: _Lane, *, left: bool) -> None:
        """Send the spool of a partition until it is empty; ``left``: by an earlier process."""
        queue = self._spool.queue(lane.key)
        if left and self._log is not None:
            await self._skip_known(self._log, lane, queue)
        while True:
            lane.cursor = max(lane.cursor, queue.delivered)
            records = await self._run(partial(self._spool.read, queue, lane.cursor))
            if not records:
                if lane.under_way or lane.unwritten:
                    await self._change(lane)
                    continue
                if lane.cursor < queue.next:  # the rest could not be read
                    await self._deliver(queue, queue.next, -1)
                break
            for record in records:
                while lane.unnumbered or lane.bytes > WINDOW_BYTES:
                    await self._change(lane)
                if record.n >= queue.delivered and record.n not in lane.handed:
                    await self._send_on(lane, record)
                lane.cursor = record.n + 1
        lane.away = False
        lane.drain = None
        _log.info("spool.back", topic=lane.key[0], partition=lane.key[1])

    async def _send_on(self, lane: _Lane, record: Record) -> None:
        """Hand one record to the producer, however often it takes."""
        while True:
            now = asyncio.get_running_loop().time()
            message = _Message(record.headers, record.value, now, None, record.n)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._hand_over(lane, message)
            except Exception as error:  # noqa: BLE001  whatever a client raises, what was accepted is sent
                self._see(error)
                if not _is_away(error):
                    _log.error("spool.refused", topic=lane.key[0], partition=lane.key[1], reason=repr(error))
                await asyncio.sleep(AGAIN_S)
                continue
            return

    async def _skip_known(self, log: Log, lane: _Lane, queue: Queue) -> None:
        """What an earlier process had sent before it ended is not sent again."""
        batch = await self._run(partial(self._spool.read, queue, queue.delivered))
        if not batch:
            return
        found: dict[bytes, int] | None = None
        while found is None:
            try:
                found = {
                    _digest(value): offset
                    async for offset, value in log.known(*lane.key, queue.offset, batch[0])
                }
            except YiwangError as error:
                _log.warning(error.code, reason=error.message)
                await asyncio.sleep(AGAIN_S)
        while batch:
            for record in batch:
                offset = found.get(_digest(record.value), -1)
                if offset < 0:
                    return
                queue.delivered, queue.offset = record.n + 1, offset + 1
                self.totals.known += 1
            await self._deliver(queue, queue.delivered, queue.offset)
            batch = await self._run(partial(self._spool.read, queue, queue.delivered))

    # ---- what has happened ----

    def _arrived(self, lane: _Lane, message: _Message, delivery: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if delivery.cancelled() else delivery.exception()
        if error is not None:
            self._failed(lane, message, error)
            return
        message.arrived = True
        message.offset = getattr(delivery.result(), "offset", -1)
        self._answer(message, None)
        self._leave(lane)

    def _leave(self, lane: _Lane, given_up: _Message | None = None) -> None:
        """Take what has arrived from the head of the line; nothing overtakes what stands before it."""
        if given_up is not None and given_up in lane.under_way:
            lane.under_way.remove(given_up)
            lane.bytes -= len(given_up.value)
        while lane.under_way and lane.under_way[0].arrived:
            self._gone(lane, lane.under_way.popleft())
        lane.room.set()

    def _gone(self, lane: _Lane, message: _Message) -> None:
        lane.bytes -= len(message.value)
        self._count(lane, message)

    def _count(self, lane: _Lane, message: _Message) -> None:
        queue = self._spool.queue(lane.key)
        queue.offset = max(queue.offset, message.offset + 1)
        if message.n >= 0:
            self.totals.sent += 1
            lane.handed.discard(message.n)
            queue.delivered = max(queue.delivered, message.n + 1)
            self._wake.set()

    def _failed(self, lane: _Lane, message: _Message, error: BaseException) -> None:
        """The producer has given a message up. One that is in the spool was promised, and stays there."""
        self._see(error)
        if message.n >= 0 or message.to_spool:
            self._end(error)
        else:
            self._answer(message, error)
        self._leave(lane, message)

    def _see(self, error: BaseException) -> None:
        if _is_fatal(error):
            self._end(error)

    def _end(self, error: BaseException) -> None:
        if not self.fatal.done():
            self.fatal.set_exception(
                Unavailable(
                    "kafka.producer",
                    f"the connection to Kafka cannot go on ({type(error).__name__}: {error}); start ingest again,"
                    " what it accepted is in the spool",
                )
            )

    def _answer(self, message: _Message, error: BaseException | None) -> None:
        answer = message.answer
        if answer is None or answer.done():
            return
        if error is None:
            answer.set_result(None)
        elif isinstance(error, asyncio.CancelledError):
            answer.cancel()
        else:
            answer.set_exception(error)

    async def _change(self, lane: _Lane) -> None:
        lane.room.clear()
        await lane.room.wait()

    # ---- the disk ----

    async def _write_for_ever(self) -> None:
        """Everything that waits is written and synchronised at once: as many batches as the disk can do."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._settle()

    async def _settle(self) -> None:
        batch, self._writing = self._writing, []
        rows = [(self._spool.queue(lane.key), message.headers, message.value) for lane, message in batch]
        refused: Unavailable | None = None
        numbers: Sequence[int] = ()
        if rows:
            try:
                numbers = await self._run(partial(self._spool.append, rows))
            except Unavailable as error:
                _log.error(error.code, reason=error.message)
                refused = error
        for at, (lane, message) in enumerate(batch):
            lane.unwritten -= 1
            lane.unnumbered -= message.with_producer
            self._writing_bytes -= len(message.value)
            if refused is None:
                self._kept(lane, message, numbers[at])
            else:
                self.totals.refused += 1
                message.to_spool = False
                if not message.with_producer:  # else Kafka may take it yet
                    self._answer(message, refused)
            lane.room.set()
        for queue in list(self._spool.queues.values()):
            if queue.files:
                await self._deliver(queue, queue.delivered, queue.offset)

    def _kept(self, lane: _Lane, message: _Message, n: int) -> None:
        self.totals.kept += 1
        message.n = n
        self._answer(message, None)
        if message.arrived and message not in lane.under_way:  # Kafka was quicker than the disk
            self._count(lane, message)
        elif message.with_producer:
            lane.handed.add(n)

    async def _deliver(self, queue: Queue, n: int, offset: int) -> None:
        await self._run(partial(self._spool.deliver, queue, n, offset))

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._in_thread(work)  # type: ignore[no-any-return]

    async def _beside(self, work: Callable[[], Any]) -> Any:  # Any: what the work returns
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


def _is_away(error: BaseException) -> bool:
    """Whether it is Kafka that is away, and not the message that is wrong."""
    from aiokafka.errors import KafkaError, KafkaTimeoutError

    if isinstance(error, TimeoutError | OSError | KafkaTimeoutError):
        return True
    return isinstance(error, KafkaError) and error.retriable


def _is_fatal(error: BaseException) -> bool:
    """Whether the producer will never send again."""
    from aiokafka.errors import OutOfOrderSequenceNumber, ProducerFenced

    return isinstance(error, ProducerFenced | OutOfOrderSequenceNumber)
