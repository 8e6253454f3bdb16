"""Into Kafka: readings packed into frames, single messages between them, each answered when Kafka has it.

One lane a district. A lane hands frames and messages to the producer strictly in the order in which they were
given, and resolves the callers' futures when the broker has acknowledged. What is not acknowledged in time fails
its callers with ``kafka.unavailable``; the producer may still deliver it later, so a caller that sends again gets
at least once (the machine counts repeats as late).

Age and size of a frame follow the load. A lane with nothing under way seals its frame after ``SOON_S``, so that under
light load a reading leaves at once; but all lanes together make only ``EARLY_PER_S`` such frames, for each frame
costs every reader of the feed the same whatever is in it. The others wait until they are ``frame_ms`` old or full. While
two messages of the lane are under way a third would only wait in the producer, so the frame stays open and grows
until one is acknowledged: a broker, or a machine, that has too much to do gets fewer and larger frames.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

from yiwang import codec, frames
from yiwang.clock import SECOND, Clock
from yiwang.columns import Readings
from yiwang.errors import Unavailable
from yiwang.latency import Latency
from yiwang.model import FeedMessage
from yiwang.topics import HEADER_INGEST, Topics

DELIVER_S = 10.0
BUFFER_ROWS = 400_000  # 8 MB of packed readings a district
SOON_S = 0.003
"""A frame of a lane with nothing under way leaves when it is so old."""
EARLY_PER_S, EARLY_BURST = 100.0, 20.0
"""Frames of all lanes that leave before they are ``frame_ms`` old or full."""
EARLY_ROWS = 500
"""A frame with more than these after ``SOON_S`` is one of heavy load, and takes its time."""
UNDER_WAY = 2
"""With so many messages unacknowledged a lane seals nothing but full frames, …"""
LONGEST_S = 1.0
"""… or those that are so old: their callers' time runs."""


class Producer(Protocol):
    """The one thing a feeder needs of a Kafka producer (aiokafka's has it)."""

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":  # Any: aiokafka's record metadata, not used
        """Append to the partition's batch; the future is done when the broker has acknowledged it."""
        ...


@dataclass(slots=True)
class Totals:
    """What a feeder has done so far.

    Attributes:
        rows: readings acknowledged by Kafka.
        messages: Kafka messages acknowledged, frames included.
        frames: frames acknowledged; ``rows / frames`` is how large they are.
        failed_rows: readings whose callers were told ``kafka.unavailable``; messages count as one.
        last_ack_ns: wall-clock ns from the oldest reading's ingest to the last acknowledgement.
        latency: from the oldest reading's ingest to the acknowledgement, by district.
    """

    rows: int = 0
    messages: int = 0
    frames: int = 0
    failed_rows: int = 0
    last_ack_ns: int = 0
    latency: dict[int, Latency] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Call:
    """One caller's readings, which may lie in several frames."""

    future: "asyncio.Future[None]"
    left: int  # frames that are not acknowledged yet


@dataclass(slots=True, eq=False)
class _Item:
    """One Kafka message: an open or sealed frame, or a single message."""

    ingest_ns: int
    began: float  # on the loop's clock, as the deadline
    deadline: float
    rows: int = 0
    parts: list[Readings] = field(default_factory=list)
    payload: bytes = b""  # of a single message; a frame is encoded when it is sent
    calls: list[_Call] = field(default_factory=list)
    failed: bool = False
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Lane:
    """A district on its way to its partition."""

    district: int
    open: _Item | None = None
    sealer: asyncio.TimerHandle | None = None
    queue: deque[_Item] = field(default_factory=deque)
    unacknowledged: set[_Item] = field(default_factory=set)
    rows: int = 0  # open, queued and unacknowledged
    under_way: int = 0  # messages queued and unacknowledged
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # first come, first served when the lane is full
    pump: "asyncio.Task[None] | None" = None


class Feeder:
    """Frames, order and acknowledgement for everything that goes into the feed topic.

    Args:
        producer: a started producer that keeps the order within a partition (``yiwang.broker``).
        topics: of the run.
        clock: the wall clock; only for ``totals``.
        frame_ms: a frame leaves when its first reading has waited this long, unless the broker lags behind.
        frame_rows: a frame leaves with this many readings and never has more.
        deliver_s: what is not acknowledged by then fails its callers.
        buffer_rows: a district with this many readings under way makes its callers wait (``deliver_s`` at most).
    """

    def __init__(
        self,
        producer: Producer,
        topics: Topics,
        *,
        clock: Clock,
        frame_ms: int,
        frame_rows: int,
        deliver_s: float = DELIVER_S,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        self._producer = producer
        self._topic = topics.feed
        self._clock = clock
        self._frame_s = frame_ms / 1000
        self._soon_s = min(SOON_S, self._frame_s)
        self._early, self._early_at = EARLY_BURST, 0.0
        self._frame_rows = min(frame_rows, frames.MAX_ROWS)
        self._deliver_s = deliver_s
        self.buffer_rows = buffer_rows
        self._lanes: dict[int, _Lane] = {}
        self._failure: Unavailable | None = None
        self.totals = Totals()

    async def readings(self, district: int, batch: Readings, *, ingest_ns: int) -> "asyncio.Future[None]":
        """Hand over a batch; waits only while the district's buffer is full.

        Args:
            district: partition of the feed.
            batch: readings in arrival order; not changed afterwards by the caller.
            ingest_ns: wall clock when they came in.

        Returns:
            A future of the caller's own that is done when Kafka has all of them.

        Raises:
            Unavailable: ``kafka.unavailable``, here when the buffer stays full, else from the future.
        """
        return await self.batches({district: batch}, ingest_ns=ingest_ns)

    async def batches(self, batches: Mapping[int, Readings], *, ingest_ns: int) -> "asyncio.Future[None]":
        """Hand over batches of several districts at once; one future for all of them.

        Args, Returns, Raises: as ``readings``. Of what is handed over when it raises, some may arrive.
        """
        call = self._call()
        for district, batch in batches.items():
            lane = self._lane(district)
            if not lane.room.is_set() or lane.turn.locked():
                await self._room(lane)
            self._count(lane, len(batch))
            room = self._frame_rows - (lane.open.rows if lane.open else 0)
            if len(batch) <= room:
                if len(batch):
                    self._append(lane, batch, call, ingest_ns)
            else:
                for part in _slices(batch, room, self._frame_rows):
                    self._append(lane, part, call, ingest_ns)
        if call.left == 0 and not call.future.done():  # nothing in them
            call.future.set_result(None)
        return call.future

    async def message(self, district: int, m: FeedMessage, *, ingest_ns: int) -> "asyncio.Future[None]":
        """Hand over a single message; it comes after all readings handed over before it.

        Args, Returns, Raises: as ``readings``.
        """
        lane = self._lane(district)
        if not lane.room.is_set() or lane.turn.locked():
            await self._room(lane)
        self._seal(lane)
        call = self._call()
        call.left = 1
        item = self._item(ingest_ns)
        item.rows, item.payload = 1, codec.encode(m)
        item.calls.append(call)
        self._count(lane, 1)
        self._enqueue(lane, item)
        return call.future

    def waiting(self) -> dict[int, int]:
        """Readings under way, by district; ``buffer_rows`` is where callers begin to wait."""
        return {district: lane.rows for district, lane in self._lanes.items()}

    async def flush(self) -> None:
        """Send every open frame and wait until all that was handed over is acknowledged.

        Raises:
            Unavailable: ``kafka.unavailable`` if anything has failed since the last flush.
        """
        for lane in self._lanes.values():
            self._seal(lane)
        waiting = [
            call.future
            for lane in self._lanes.values()
            for item in (*lane.queue, *lane.unacknowledged)
            for call in item.calls
            if not call.future.done()
        ]
        if waiting:
            await asyncio.wait(waiting)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def close(self) -> None:
        """Flush, then stop; the producer stays open.

        Raises:
            Unavailable: as ``flush``.
        """
        try:
            await self.flush()
        finally:
            pumps = [lane.pump for lane in self._lanes.values() if lane.pump]
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for lane in self._lanes.values():
                for item in lane.unacknowledged:
                    if item.timer:
                        item.timer.cancel()
            self._lanes.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ---- the way of a frame: open, sealed, sent, acknowledged or failed ----

    def _lane(self, district: int) -> _Lane:
        lane = self._lanes.get(district)
        if lane is None:
            lane = self._lanes[district] = _Lane(district)
            lane.room.set()
            lane.pump = asyncio.create_task(self._pump(lane), name=f"feeder {self._topic}[{district}]")
        return lane

    async def _room(self, lane: _Lane) -> None:
        try:
            async with asyncio.timeout(self._deliver_s), lane.turn:
                await lane.room.wait()
        except TimeoutError:
            raise self._unavailable(
                f"the buffer of district {lane.district} ({self.buffer_rows} readings) stays full"
            ) from None

    def _count(self, lane: _Lane, rows: int) -> None:
        lane.rows += rows
        if lane.rows >= self.buffer_rows:
            lane.room.clear()

    def _call(self) -> _Call:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        return _Call(future, 0)

    def _item(self, ingest_ns: int) -> _Item:
        now = asyncio.get_running_loop().time()
        return _Item(ingest_ns, now, now + self._deliver_s)

    def _append(self, lane: _Lane, part: Readings, call: _Call, ingest_ns: int) -> None:
        item = lane.open
        if item is None:
            item = lane.open = self._item(ingest_ns)
            self._look_again(lane, item.began + self._soon_s)
        elif ingest_ns < item.ingest_ns:
            item.ingest_ns = ingest_ns
        item.parts.append(part)
        item.rows += len(part)
        item.calls.append(call)
        call.left += 1
        if item.rows >= self._frame_rows:
            self._seal(lane)

    def _look_again(self, lane: _Lane, when: float) -> None:
        if lane.sealer:
            lane.sealer.cancel()
        lane.sealer = asyncio.get_running_loop().call_at(when, self._look, lane)

    def _look(self, lane: _Lane) -> None:
        """Seal the open frame if it is time; otherwise look again when it can be. Also called by every answer."""
        item = lane.open
        if item is None:
            return
        now = asyncio.get_running_loop().time()
        old = now - item.began + 1e-6  # timers may be a little early
        if (lane.under_way < UNDER_WAY and old >= self._frame_s) or old >= LONGEST_S:
            self._seal(lane)
        elif lane.under_way or old < self._soon_s or (item.rows > EARLY_ROWS and old < self._frame_s):
            when = item.began + (self._soon_s if old < self._soon_s else self._frame_s)
            self._look_again(lane, when if when > now + 1e-6 else item.began + LONGEST_S)
        elif (wait_s := self._early_wait(now)) > 0:
            self._look_again(lane, min(now + wait_s, item.began + self._frame_s))
        else:
            self._early -= 1.0
            self._seal(lane)

    def _early_wait(self, now: float) -> float:
        """Seconds until another frame may leave early."""
        self._early = min(EARLY_BURST, self._early + (now - self._early_at) * EARLY_PER_S)
        self._early_at = now
        return 0.0 if self._early > 1.0 - 1e-6 else (1.0 - self._early) / EARLY_PER_S

    def _seal(self, lane: _Lane) -> None:
        if lane.sealer:
            lane.sealer.cancel()
            lane.sealer = None
        if lane.open is not None:
            item, lane.open = lane.open, None
            self._enqueue(lane, item)

    def _enqueue(self, lane: _Lane, item: _Item) -> None:
        lane.queue.append(item)
        lane.under_way += 1
        lane.wake.set()

    async def _pump(self, lane: _Lane) -> None:
        """Hand the lane's items to the producer one after another: this is what keeps their order."""
        loop = asyncio.get_running_loop()
        while True:
            while not lane.queue:
                lane.wake.clear()
                await lane.wake.wait()
            item = lane.queue[0]  # stays visible to flush until it is with the producer
            try:
                async with asyncio.timeout_at(item.deadline):
                    acknowledged = await self._producer.send(
                        self._topic,
                        item.payload or frames.pack(lane.district, item.ingest_ns, item.parts),
                        partition=lane.district,
                        headers=[(HEADER_INGEST, b"%d" % item.ingest_ns)],
                    )
            except Exception as error:  # noqa: BLE001  whatever a client raises, its callers are told and the lane goes on
                lane.queue.popleft()
                self._fail(item, error)
                self._leave(lane, item)
                continue
            lane.queue.popleft()
            item.parts.clear()
            lane.unacknowledged.add(item)
            item.timer = loop.call_at(item.deadline, self._fail, item, TimeoutError())
            acknowledged.add_done_callback(partial(self._acknowledged, lane, item))

    def _acknowledged(self, lane: _Lane, item: _Item, delivery: "asyncio.Future[Any]") -> None:
        lane.unacknowledged.discard(item)
        if item.timer:
            item.timer.cancel()
        error = asyncio.CancelledError() if delivery.cancelled() else delivery.exception()
        if error is not None:
            self._fail(item, error)
        elif not item.failed:
            self.totals.messages += 1
            if not item.payload:
                self.totals.rows += item.rows
                self.totals.frames += 1
            took_ns = self.totals.last_ack_ns = self._clock.now_ns() - item.ingest_ns
            self.totals.latency.setdefault(lane.district, Latency()).observe(took_ns / SECOND, item.rows)
            for call in item.calls:
                call.left -= 1
                if call.left == 0 and not call.future.done():
                    call.future.set_result(None)
        self._leave(lane, item)

    def _leave(self, lane: _Lane, item: _Item) -> None:
        lane.rows -= item.rows
        lane.under_way -= 1
        if lane.rows < self.buffer_rows:
            lane.room.set()
        self._look(lane)

    def _fail(self, item: _Item, error: BaseException) -> None:
        if item.failed:
            return
        item.failed = True
        self.totals.failed_rows += item.rows
        if isinstance(error, Unavailable):
            failure = error
        elif isinstance(error, TimeoutError):
            failure = self._unavailable(f"no acknowledgement within {self._deliver_s:g} s")
        else:
            failure = self._unavailable(f"{type(error).__name__}: {error}")
        self._failure = failure
        for call in item.calls:
            if not call.future.done():
                call.future.set_exception(Unavailable(failure.code, failure.message, **failure.details))

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(
            "kafka.unavailable",
            f"Kafka did not take messages for {self._topic}: {why}; send them again later",
            topic=self._topic,
        )


def _retrieve(future: "asyncio.Future[None]") -> None:
    """A caller may rely on ``flush`` alone; its futures' errors are then not "never retrieved"."""
    if not future.cancelled():
        future.exception()


def _slices(batch: Readings, first: int, rows: int) -> Iterator[Readings]:
    """Cut ``batch``, of more than ``first`` rows, into one part of ``first`` rows and parts of at most ``rows``."""
    n = len(batch)
    start, end = 0, first
    while start < n:
        cut = slice(start, end)
        yield Readings(
            series=batch.series[cut], t_ns=batch.t_ns[cut], value=batch.value[cut], quality=batch.quality[cut]
        )
        start, end = end, end + rows
