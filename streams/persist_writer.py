"""The heart of persist: takes messages, stores them in batches, acknowledges what is stored.

It knows neither Faust nor Kafka's client: messages come by ``take``, and each brings the function that
acknowledges it. What keeps every row stored once:

- A batch and the next offsets of its partitions are one transaction; messages below those offsets are skipped.
- The transaction moves an offset on only from where this writer believes it stands. Of two workers that both
  hold a partition for a moment one is refused, and a commit whose answer was lost is recognised.
- Nothing is acknowledged before it is stored, so Kafka's own offsets never run ahead of the database. Messages of
  a feed are acknowledged when what is known of the district is kept as well (``persist_districts``).

While a batch is being written the next one is made ready.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from streams import persist_outputs
from streams.persist_backlog import Backlog, Part, Partition
from streams.persist_districts import Districts, Interval
from streams.persist_reading import read
from streams.persist_store import Fenced, Ready, Store
from yiwang import logs
from yiwang.clock import SECOND, Clock
from yiwang.errors import BadInput, Unavailable
from yiwang.fencing import Fence
from yiwang.latency import Latency
from yiwang.topics import Topics

_T = TypeVar("_T")

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
_LOOK_S = 1.0  # how often to see whether something is to be kept while nothing comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a batch gets, and how much may wait.

    Attributes:
        age_s: a batch is written when its first message is so old.
        rows: or when it has so many rows.
        bytes: or when its messages have so many bytes.
        backlog: so many times ``rows`` or ``bytes`` may wait while a batch is being written or the database is
            away; then no more is taken and Kafka keeps the rest.
        keeping: how often what is known of the districts is kept.
    """

    age_s: float = 0.25
    rows: int = 100_000
    bytes: int = 8 * 1024 * 1024
    backlog: int = 3
    keeping: Interval = field(default_factory=Interval)


@dataclass(slots=True)
class Counters:
    """What was done since the start, in rows unless it says otherwise."""

    readings: int = 0
    late: int = 0
    statements: int = 0
    batches: int = 0
    skipped_messages: int = 0
    repeated_messages: int = 0  # taken in again after a restart, stored before
    overtaken_outputs: int = 0
    unreadable_messages: int = 0


@dataclass(slots=True)
class _Batch:
    """Parts with what they have become."""

    parts: list[Part]
    ready: dict[Partition, Ready]


class Writer:
    """Batches from messages to the store. ``run`` is the task that writes.

    Attributes:
        counters: what was done.
        districts: what is known of the districts, with counts of its own.
        write_latency: how long transactions took.
        stored_latency: from the stamp of ingest until the transaction was committed, by district.
        is_away: the database is away, and what it is asked is tried again with back-off.
        batch_rows: rows of the last batch.
        told: called with a district and the stamps of its frames that are committed.
    """

    def __init__(self, store: Store, topics: Topics, clock: Clock, limits: Limits | None = None) -> None:
        self.counters = Counters()
        self.write_latency = Latency()
        self.stored_latency: dict[int, Latency] = {}
        self.is_away = False
        self.batch_rows = 0
        self.told: Callable[[int, Sequence[tuple[int, int]]], None] | None = None
        self._store = store
        self._topics = topics
        self._clock = clock
        self._limits = limits or Limits()
        self.districts = Districts(store, self._retried, self._limits.keeping)
        self._log = logs.get("persist")
        self._backlog = Backlog()
        self._fences: dict[int, Fence] = {}
        self._in_hand: list[Part] = []  # taken from the backlog and not stored
        self._made: _Batch | None = None  # ready, waits for the one before it to be written
        self._unacked: dict[
            Partition, list[Callable[[], None]]
        ] = {}  # stored, but what is known not yet kept
        self._turns: dict[Partition, int] = {}  # how often each partition has gone away
        self._overtaken: set[Partition] = set()
        self._since_s = 0.0  # loop time of the oldest message that waits
        self._store_lock = asyncio.Lock()
        self._change = asyncio.Condition()  # of the backlog, of what is in hand, of the flags
        self._hurry = False
        self._closed = False
        self._made_all = False

    async def start(self) -> None:
        """Ask the database where everything stands; waits while it is away.

        Raises:
            YiwangError: ``database.…`` that waiting does not mend (no such database, not migrated, refused).
        """
        await self._retried(self._store.offsets)

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and rows that were taken and are not being written yet."""
        return self._backlog.messages, self._backlog.rows

    @property
    def unacknowledged(self) -> int:
        """Messages that are stored and will be acknowledged when what is known is kept."""
        return sum(map(len, self._unacked.values()))

    @property
    def positions(self) -> dict[Partition, int]:
        """Of each partition in hand the offset of the message that is awaited next."""
        return self._backlog.positions()

    @property
    def stored(self) -> dict[Partition, int]:
        """Of each partition in hand the offset below which everything is stored."""
        found = self.positions
        for part in (*self._backlog.parts, *self._in_hand):
            if part.partition in found and not part.is_gone:
                found[part.partition] = min(found[part.partition], part.first)
        return found

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
            Conflict: ``persist.gap``, or ``persist.memory`` where what is kept of the district cannot be read.
        """
        key = (topic, partition)
        turn = self._turns.get(key, 0)
        await self._room()
        if not self._backlog.knows(key) and not await self._begin(key, offset, turn):
            return  # the partition went away meanwhile; who has it now gets the message again
        if turn != self._turns.get(key, 0):
            return
        if not self._backlog.accept(key, offset):
            self.counters.skipped_messages += 1
            ack()
            return
        fence: list[persist_outputs.Statement] = []
        if topic != self._topics.outputs or self._counts(partition, offset, payload, headers, fence):
            found = read(self._topics, topic, partition, offset, payload, self._clock)
            self.counters.unreadable_messages += found.is_unreadable
            is_new = self._backlog.add(
                key,
                offset,
                size=len(payload),
                ack=ack,
                frame=found.frame,
                tick_ns=found.tick_ns,
                rules=found.rules,
                registered=found.registered,
                statements=fence + found.statements,
            )
            self.counters.repeated_messages += not is_new
        else:
            self._backlog.add(key, offset, size=len(payload), ack=ack, statements=fence)
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
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._make_batches())
                group.create_task(self._write_batches())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def flush(self, timeout_s: float) -> bool:
        """Write and keep everything now; False when that took too long (nothing is lost: it is not acknowledged)."""
        self._hurry = True
        try:
            async with asyncio.timeout(timeout_s), self._change:
                self._change.notify_all()
                await self._change.wait_for(
                    lambda: not self._in_hand and not self._backlog.messages and not self.districts.stale()
                )
        except TimeoutError:
            return False
        finally:
            self._hurry = False
        return True

    async def forget(self, partitions: Iterable[tuple[str, int]]) -> None:
        """These partitions now belong to another worker: drop what is known of them and what still waits."""
        gone = set(partitions)
        for part in self._in_hand:
            part.is_gone = part.is_gone or part.partition in gone
        for partition in gone:
            self._turns[partition] = self._turns.get(partition, 0) + 1
            self._backlog.forget(partition)
            self._unacked.pop(partition, None)
            if partition[0] == self._topics.feed:
                self.districts.forget(partition[1])
        async with self._change:
            self._change.notify_all()

    async def close(self) -> None:
        """Take no more; ``run`` writes what is waiting and returns."""
        self._closed = True
        async with self._change:
            self._change.notify_all()

    # ---- taking ----

    async def _begin(self, key: Partition, offset: int, turn: int) -> bool:
        """Ask where a partition stands; False when it went away meanwhile."""
        topic, partition = key
        stored = (await self._retried(self._store.offsets)).get(key)
        expected = stored
        if topic == self._topics.outputs:
            owners = await self._retried(self._store.fences)
            self._fences[partition] = Fence(owners.get(partition, 0))
        if topic == self._topics.feed:
            expected = await self.districts.begin(partition, stored, -1 if key in self._overtaken else offset)
        if turn != self._turns.get(key, 0):
            return False
        if expected is None and offset > 0:
            self._log.warning("starts_late", topic=topic, partition=partition, offset=offset)
        self._backlog.begin(key, stored, expected)
        return True

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

    # ---- making batches ----

    def _is_due(self) -> bool:
        full = self._backlog.rows >= self._limits.rows or self._backlog.bytes >= self._limits.bytes
        return full or self._hurry or self._closed or not self._backlog.messages

    def _has_work(self) -> bool:
        return bool(self._backlog.messages or self._closed or (self._hurry and self._unkept()))

    def _unkept(self) -> list[int]:
        """Districts of which more is known than is kept."""
        return [d for d in self.districts.stale() if self._backlog.knows((self._topics.feed, d))]

    async def _make_batches(self) -> None:
        while True:
            async with self._change:
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._change.wait_for(self._has_work)
                    async with asyncio.timeout_at(self._since_s + self._limits.age_s):
                        await self._change.wait_for(self._is_due)
                except TimeoutError:
                    pass  # old enough, or time to see whether something is to be kept
                last = self._closed
                parts = self._backlog.take()
                parts += self._to_keep(parts)
                self._in_hand += parts
                self._change.notify_all()
            if parts:
                await self._make(parts)
            if last and not self._backlog.messages:
                break
        async with self._change:
            self._made_all = True
            self._change.notify_all()

    def _to_keep(self, parts: list[Part]) -> list[Part]:
        """Empty parts for districts that are only to be kept: nothing comes from them just now."""
        have = {part.partition for part in parts}
        now = self._hurry or self._closed
        return [
            self._backlog.empty((self._topics.feed, district))
            for district in self._unkept()
            if (self._topics.feed, district) not in have and (now or self.districts.is_due(district))
        ]

    async def _make(self, parts: list[Part]) -> None:
        ready: dict[Partition, Ready] = {}
        for part in parts:
            if part.is_gone:
                continue
            if part.partition[0] == self._topics.feed:
                keep = self._hurry or self._closed
                ready[part.partition] = await self.districts.ready(part, keep=keep)
            else:
                ready[part.partition] = Ready(part.partition, part.base, part.next, [], part.statements)
        async with self._change:
            await self._change.wait_for(lambda: self._made is None)
            self._made = _Batch(parts, ready)
            self._change.notify_all()

    # ---- writing batches ----

    async def _write_batches(self) -> None:
        while True:
            async with self._change:
                await self._change.wait_for(lambda: self._made is not None or self._made_all)
                batch, self._made = self._made, None
                self._change.notify_all()
            if batch is None:
                return
            await self._write(batch)
            async with self._change:
                self._in_hand = [p for p in self._in_hand if not any(p is done for done in batch.parts)]
                self._change.notify_all()

    async def _write(self, batch: _Batch) -> None:
        """Store a batch, however long the database is away."""
        waiting = {part.partition: part for part in batch.parts}
        careful = False
        while waiting:
            try:
                await self._retried(partial(self._attempt, waiting, batch.ready, careful=careful))
            except Fenced:
                await self._after_fence(waiting, batch.ready)
            except BadInput as error:
                if error.code != "database.error" or careful:
                    raise
                self._log.warning("refused", code=error.code, message=error.message)
                careful = True
            else:
                self._stored(waiting.values(), batch.ready)
                break

    async def _attempt(
        self, waiting: dict[Partition, Part], ready: dict[Partition, Ready], *, careful: bool
    ) -> None:
        """One try. After a lost answer the fence refuses the repeat, and ``_after_fence`` sees that it is stored."""
        for partition in [p for p, part in waiting.items() if part.is_gone]:
            del waiting[partition]
        if waiting:
            begun_s = asyncio.get_running_loop().time()
            await self._store.write([ready[p] for p in waiting], careful=careful)
            self.write_latency.observe(asyncio.get_running_loop().time() - begun_s)

    async def _after_fence(self, waiting: dict[Partition, Part], ready: dict[Partition, Ready]) -> None:
        """Sort out where the partitions of a refused batch really stand."""
        offsets = await self._retried(self._store.offsets)
        memories = await self._retried(self._store.memory_offsets)
        for partition, part in list(waiting.items()):
            stored, kept = offsets.get(partition), ready[partition].kept
            known = memories.get(partition[1])
            if stored == part.base and (kept is None or known == kept.base):
                continue
            del waiting[partition]
            if stored is not None and stored >= part.next and (kept is None or known == kept.offset):
                self._acknowledge(
                    part, kept is not None
                )  # our own commit, or the same rows by another worker
                continue
            self._log.warning(
                "overtaken", topic=partition[0], partition=partition[1], at=stored, base=part.base
            )
            self._overtaken.add(partition)
            await self.forget([partition])

    def _stored(self, parts: Iterable[Part], ready: dict[Partition, Ready]) -> None:
        self.counters.batches += 1
        self.batch_rows = 0
        now_ns = self._clock.now_ns()
        for part in parts:
            made = ready[part.partition]
            for rows in made.rows:
                self.counters.readings += rows.n
                self.counters.late += rows.late
                self.batch_rows += rows.n
            self.counters.statements += len(part.statements)
            self.batch_rows += len(part.statements)
            if part.stamps and self.told is not None:
                self.told(part.partition[1], part.stamps)
            if part.stamps:
                latency = self.stored_latency.setdefault(part.partition[1], Latency())
                for ingest_ns, n in part.stamps:
                    latency.observe((now_ns - ingest_ns) / SECOND, n)
            self._acknowledge(part, made.kept is not None)

    def _acknowledge(self, part: Part, is_kept: bool) -> None:
        """Messages of a feed are acknowledged only up to where what is known of the district is kept."""
        if part.is_gone:
            return  # who has the partition now gets the messages again
        if part.partition[0] != self._topics.feed:
            acks = part.acks
        else:
            acks = self._unacked.setdefault(part.partition, [])
            acks += part.acks
            if not is_kept:
                return
            self._unacked[part.partition] = []
        for ack in acks:
            ack()

    async def _retried(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do it, again and again while the database is away; one log line when it goes and one when it is back."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with self._store_lock:
                    result = await work()
            except Unavailable as error:
                if not self.is_away:
                    self.is_away = True
                    self._log.warning("database_away", code=error.code, message=error.message)
            else:
                if self.is_away:
                    self.is_away = False
                    self._log.info("database_back")
                return result
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
