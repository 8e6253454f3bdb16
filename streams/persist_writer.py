"""The heart of persist: takes messages, stores them in batches, acknowledges what is stored.

It knows neither Faust nor Kafka's client: messages come by ``take``, and each brings the function that
acknowledges it. What keeps every row stored once:

- A batch and the next offsets of its partitions are one transaction; messages below those offsets are skipped.
- The transaction moves an offset on only from where this writer believes it stands. Of two workers that both
  hold a partition for a moment one is refused, and a commit whose answer was lost is recognised.
- Nothing is acknowledged before it is stored, so Kafka's own offsets never run ahead of the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from streams import persist_outputs
from streams.persist_backlog import Backlog, Part, Partition
from streams.persist_rows import Newest, rows
from streams.persist_store import Fenced, Ready, Store
from yiwang import codec, frames, logs
from yiwang.clock import Clock
from yiwang.columns import Readings
from yiwang.errors import BadInput, Unavailable
from yiwang.fencing import Fence
from yiwang.topics import Topics

_T = TypeVar("_T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a batch gets, and how much may wait.

    Attributes:
        age_s: a batch is written when its first message is so old.
        rows: or when it has so many rows.
        bytes: or when its messages have so many bytes.
        backlog: so many times ``rows`` or ``bytes`` may wait while a batch is being written or the database is
            away; then no more is taken and Kafka keeps the rest.
    """

    age_s: float = 0.25
    rows: int = 50_000
    bytes: int = 8 * 1024 * 1024
    backlog: int = 4


@dataclass(slots=True)
class Counters:
    """What was done since the start, in rows unless it says otherwise."""

    readings: int = 0
    late: int = 0
    statements: int = 0
    batches: int = 0
    skipped_messages: int = 0
    overtaken_outputs: int = 0
    unreadable_messages: int = 0


class Writer:
    """Batches from messages to the store. ``run`` is the task that writes."""

    def __init__(self, store: Store, topics: Topics, clock: Clock, limits: Limits | None = None) -> None:
        self.counters = Counters()
        self._store = store
        self._topics = topics
        self._clock = clock
        self._limits = limits or Limits()
        self._log = logs.get("persist")
        self._backlog = Backlog()
        self._newest: dict[int, Newest] = {}
        self._fences: dict[int, Fence] = {}
        self._writing: list[Part] = []
        self._abandoned: set[Partition] = set()
        self._turns: dict[Partition, int] = {}  # how often each partition has gone away
        self._since_s = 0.0  # loop time of the oldest message that waits
        self._store_lock = asyncio.Lock()
        self._change = asyncio.Condition()  # of the backlog, of what is written, of the two flags
        self._hurry = False
        self._closed = False
        self._is_away = False

    async def start(self) -> None:
        """Ask the database where everything stands; waits while it is away.

        Raises:
            YiwangError: ``database.…`` that waiting does not mend (no such database, not migrated, refused).
        """
        await self._retried(self._store.offsets)

    async def take(
        self,
        topic: str,
        partition: int,
        offset: int,
        payload: bytes,
        ack: Callable[[], None],
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        """Take the next message of a partition; waits while too much is waiting already.

        Args:
            topic: its topic.
            partition: its partition = district (0 for dead letters).
            offset: its offset.
            payload: its value.
            ack: called when the message is stored, or at once when it was stored before.
            headers: its Kafka headers.

        Raises:
            Conflict: ``persist.gap``.
        """
        key = (topic, partition)
        turn = self._turns.get(key, 0)
        await self._room()
        stored = None
        if not self._backlog.knows(key):
            stored = (await self._retried(self._store.offsets)).get(key)
            if topic == self._topics.outputs:
                owners = await self._retried(self._store.fences)
                self._fences[partition] = Fence(owners.get(partition, 0))
        if turn != self._turns.get(key, 0):
            return  # the partition went away meanwhile; who has it now gets the message again
        if not self._backlog.knows(key):
            if stored is None and offset > 0:
                self._log.warning("starts_late", topic=topic, partition=partition, offset=offset)
            self._backlog.begin(key, stored)
        if not self._backlog.accept(key, offset):
            self.counters.skipped_messages += 1
            ack()
            return
        statements: list[persist_outputs.Statement] = []
        readings = None
        if topic != self._topics.outputs or self._counts(partition, offset, payload, headers, statements):
            readings, found = self._read(topic, partition, offset, payload)
            statements += found
        self._backlog.add(key, offset, size=len(payload), ack=ack, readings=readings, statements=statements)
        if self._backlog.messages == 1:
            self._since_s = asyncio.get_running_loop().time()
        if self._backlog.messages == 1 or self._is_due():
            async with self._change:
                self._change.notify_all()

    async def run(self) -> None:
        """Write batches until ``close``.

        Raises:
            YiwangError: ``database.error`` that no care mends; the process should end and be looked at.
        """
        while True:
            async with self._change:
                await self._change.wait_for(lambda: self._backlog.messages > 0 or self._closed)
                if self._closed and not self._backlog.messages:
                    return
                try:
                    async with asyncio.timeout_at(self._since_s + self._limits.age_s):
                        await self._change.wait_for(self._is_due)
                except TimeoutError:
                    pass  # old enough
                self._writing = self._backlog.take()
                self._change.notify_all()
            await self._write(self._writing)
            async with self._change:
                self._writing = []
                self._change.notify_all()

    async def flush(self, timeout_s: float) -> bool:
        """Write what is waiting now; False when that took too long (nothing is lost: it is not acknowledged)."""
        self._hurry = True
        try:
            async with asyncio.timeout(timeout_s), self._change:
                self._change.notify_all()
                await self._change.wait_for(lambda: not self._writing and not self._backlog.messages)
        except TimeoutError:
            return False
        finally:
            self._hurry = False
        return True

    async def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """These partitions now belong to another worker: drop what is known of them and what still waits."""
        gone = set(partitions)
        self._abandoned |= gone & {part.partition for part in self._writing}
        for partition in gone:
            self._turns[partition] = self._turns.get(partition, 0) + 1
            self._backlog.forget(partition)
            if partition[0] == self._topics.feed:
                self._newest.pop(partition[1], None)
        async with self._change:
            self._change.notify_all()

    async def close(self) -> None:
        """Take no more; ``run`` writes what is waiting and returns."""
        self._closed = True
        async with self._change:
            self._change.notify_all()

    def _is_due(self) -> bool:
        full = self._backlog.rows >= self._limits.rows or self._backlog.bytes >= self._limits.bytes
        return full or self._hurry or self._closed or not self._backlog.messages

    async def _room(self) -> None:
        def has_room() -> bool:
            limits = self._limits
            return not self._closed and (
                self._backlog.rows < limits.rows * limits.backlog
                and self._backlog.bytes < limits.bytes * limits.backlog
            )

        if not has_room():
            async with self._change:
                await self._change.wait_for(has_room)

    def _counts(
        self,
        district: int,
        offset: int,
        payload: bytes,
        headers: Iterable[tuple[str, bytes]],
        statements: list[persist_outputs.Statement],
    ) -> bool:
        """Whether an output counts; an ownership that begins here is noted with what is stored."""
        fence = self._fences[district]
        before, left_out = fence.owner, fence.left_out
        counts = fence.counts(payload, headers)
        if fence.owner > before:
            statements.append(("persist/output_fence", (district, fence.owner, offset)))
        self.counters.overtaken_outputs += fence.left_out - left_out
        return counts

    def _read(
        self, topic: str, partition: int, offset: int, payload: bytes
    ) -> tuple[Readings | None, list[persist_outputs.Statement]]:
        try:
            if topic == self._topics.feed:
                if frames.is_frame(payload):
                    return frames.decode(payload).readings, []
                return None, persist_outputs.of_feed(partition, codec.decode_feed(payload))
            if topic == self._topics.outputs:
                return None, persist_outputs.of_output(partition, codec.decode_output(payload))
            return None, persist_outputs.of_dead_letter(codec.decode_dead_letter(payload))
        except (BadInput, OverflowError, ValueError) as error:
            # A message nobody can read (or a time no calendar has) must not stop its neighbours.
            self.counters.unreadable_messages += 1
            code, text = (
                (error.code, error.message) if isinstance(error, BadInput) else ("persist.value", str(error))
            )
            self._log.warning("unreadable", topic=topic, partition=partition, offset=offset, code=code)
            letter = persist_outputs.unreadable(
                code,
                text,
                topic=topic,
                partition=partition,
                offset=offset,
                ns=self._clock.now_ns(),
                raw=payload,
            )
            return None, persist_outputs.of_dead_letter(letter)

    async def _write(self, parts: list[Part]) -> None:
        """Store a batch, however long the database is away."""
        ready: dict[Partition, Ready] = {}
        for part in parts:
            ready[part.partition] = await self._retried(partial(self._ready, part))
        waiting = {part.partition: part for part in parts}
        careful = False
        while waiting:
            try:
                await self._retried(partial(self._attempt, waiting, ready, careful=careful))
            except Fenced:
                await self._after_fence(waiting)
            except BadInput as error:
                if error.code != "database.error" or careful:
                    raise
                self._log.warning("refused", code=error.code, message=error.message)
                careful = True
            else:
                self._stored(waiting.values(), ready)
                break
        self._abandoned -= {part.partition for part in parts}

    async def _attempt(
        self, waiting: dict[Partition, Part], ready: dict[Partition, Ready], *, careful: bool
    ) -> None:
        """One try. After a lost answer the fence refuses the repeat, and ``_after_fence`` sees that it is stored."""
        for partition in self._abandoned & waiting.keys():
            del waiting[partition]
        if waiting:
            await self._store.write([ready[p] for p in waiting], careful=careful)

    async def _after_fence(self, waiting: dict[Partition, Part]) -> None:
        """Sort out where the partitions of a refused batch really stand."""
        offsets = await self._retried(self._store.offsets)
        for partition, part in list(waiting.items()):
            stored = offsets.get(partition)
            if stored == part.base:
                continue
            del waiting[partition]
            if (
                stored is not None and stored >= part.next
            ):  # our own commit, or another worker's of the same rows
                for ack in part.acks:
                    ack()
                continue
            self._log.warning(
                "overtaken", topic=partition[0], partition=partition[1], at=stored, base=part.base
            )
            await self.forget([partition])

    def _stored(self, parts: Iterable[Part], ready: dict[Partition, Ready]) -> None:
        self.counters.batches += 1
        for part in parts:
            done = ready[part.partition].rows
            if done is not None:
                self.counters.readings += done.n
                self.counters.late += done.late
            self.counters.statements += len(part.statements)
            for ack in part.acks:
                ack()

    async def _ready(self, part: Part) -> Ready:
        """Make a part's rows; done once, so that a second try stores the same."""
        done = None
        if part.readings:
            readings = Readings.join(part.readings)
            district = part.partition[1]
            newest = self._newest.setdefault(district, Newest())
            unknown = newest.unknown(readings.series)
            if len(unknown):
                newest.seed(unknown, await self._store.newest(district, unknown))
            done = rows(district, readings, newest)
        return Ready(part.partition, part.base, part.next, done, part.statements)

    async def _retried(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do it, again and again while the database is away; one log line when it goes and one when it is back."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with self._store_lock:
                    result = await work()
            except Unavailable as error:
                if not self._is_away:
                    self._is_away = True
                    self._log.warning("database_away", code=error.code, message=error.message)
            else:
                if self._is_away:
                    self._is_away = False
                    self._log.info("database_back")
                return result
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
