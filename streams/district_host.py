"""The district worker without Faust: partitions with their states, outputs, snapshots, ticks, watch."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from streams.blocks import Pieces
from streams.district_states import Held, Keeper
from streams.keeping import Figures, Pace
from streams.log_reader import LogReader
from streams.machine import DistrictMachine
from streams.outbox import Outbox
from streams.partition import Partition, Tail
from streams.progress import LOOK_S, Progress
from streams.snapshots import Snapshots
from streams.watching import ends_or_none
from yiwang import logs
from yiwang.clock import SECOND, Clock
from yiwang.codec import encode
from yiwang.errors import Conflict
from yiwang.fencing import MARK, Fence
from yiwang.model import Tick
from yiwang.topics import HEADER_AGENT, HEADER_INGEST, HEADER_OWNER, Topics

Position = tuple[str, int]

JOINED_MESSAGES = 64
"""Waiting messages of the feed that are worked on at once."""
SETTLE_S = 30.0
RELEASE_S = 3.0
"""So long a rebalance is held up for keeping states; then the next owner works from older ones."""

_log = logs.get("district")


class DistrictHost:
    """Holds the districts whose partitions this worker has.

    Args:
        topics: of the run.
        clock: the wall clock, for stamps and ticks.
        outbox: to the topics.
        reader: of logs beside the group.
        snapshots: of the role.
        snapshot_s: interval of snapshots; longer where taking one costs much.
        ticks: whether this worker sends the ticks of its districts.
        told: called with the districts held after each assignment; with none, where others have them all.
        committed: called with offsets that are safe.
    """

    def __init__(
        self,
        topics: Topics,
        clock: Clock,
        outbox: Outbox,
        reader: LogReader,
        snapshots: Snapshots,
        *,
        snapshot_s: float,
        ticks: bool,
        told: Callable[[list[int]], None],
        committed: Callable[[Mapping[Position, int]], Awaitable[None]],
    ) -> None:
        self.topics, self.clock, self.outbox, self.reader = topics, clock, outbox, reader
        self.snapshots, self.snapshot_s, self.ticks = snapshots, snapshot_s, ticks
        self._told, self._committed = told, committed
        self._held: dict[int, Held] = {}
        self._keeper = Keeper(snapshots)
        self._turn = asyncio.Lock()  # taking up, giving up and keeping states exclude each other
        self._waiting = 0

    # ---- partitions come and go ----

    async def restore(self, assigned: set[Position]) -> Mapping[Position, int]:
        """Load the districts that are new here; offsets at which reading both logs goes on.

        Raises:
            Conflict: ``streams.apart`` when a district's feed is here and its commands are not.
            YiwangError: from the database, the log or the snapshot.
        """
        topics = self.topics
        feeds = {p for topic, p in assigned if topic == topics.feed}
        commands = {p for topic, p in assigned if topic == topics.commands}
        if feeds != commands:
            apart = sorted(feeds ^ commands)
            raise Conflict(
                "streams.apart",
                f"feed and commands of district {apart} were given to different workers; are there workers of "
                "another release in the group?",
                districts=apart,
            )
        async with self._turn:
            new = sorted(feeds - self._held.keys())
            for number in new:
                self._held[number] = await self._load(number)
        if new or not feeds:
            self._told(sorted(self._held))
        starts: dict[Position, int] = {}
        for number in feeds:
            sequencer = self._held[number].partition.sequencer
            starts[topics.feed, number] = sequencer.read_feed
            starts[topics.commands, number] = sequencer.read_commands
        return starts

    async def _load(self, number: int) -> Held:
        """Take a district over, from the state that was kept and what was said since.

        First its ownership: from then on nobody else keeps a state; then our mark in the outputs: what an owner
        before us says behind it counts no more, and what counts we have read.
        """
        topics, began_s = self.topics, time.monotonic()
        owner, said_by = await self.snapshots.claim(number)
        saved = await self.snapshots.load(number)
        # a big state takes a while: in a thread, so that the group hears of us meanwhile
        machine = (
            await asyncio.to_thread(DistrictMachine.load, saved.state) if saved else DistrictMachine(number)
        )
        feed, commands, outputs = (saved.feed, saved.commands, saved.outputs) if saved else (0, 0, 0)
        if saved is None:
            said_by = 0  # whoever kept a state that was deleted: all is read from the beginning
        tail = Tail(machine.n, commands)
        await self.outbox.put(topics.outputs, number, MARK, [(HEADER_OWNER, b"%d" % owner)])
        fence = Fence(said_by)
        async for _, payload, _ in self.reader.read(
            topics.outputs, number, outputs, HEADER_INGEST, fence=fence
        ):
            tail.add(payload)
        placement = tail.placement()
        partition = Partition(
            machine, feed=feed, commands=commands, tail=tail, topics=(topics.feed, topics.commands)
        )
        if placement.commands:  # read them now, so that the feed never has to wait for them
            log = self.reader.read(topics.commands, number, commands, HEADER_INGEST)
            async for offset, payload, ingest_ns in log:
                partition.take_command(offset, payload, ingest_ns)
        ends = await self.reader.ends([(topics.feed, number), (topics.commands, number)])
        for topic, needed in (
            (topics.feed, max(feed, placement.floor)),
            (topics.commands, commands + len(placement.commands)),
        ):
            if ends[topic, number] < needed:
                raise Conflict(
                    "log.short",
                    f"{topic} {number} ends at {ends[topic, number]}, the state of this run is at {needed}: "
                    "topic and database do not belong together",
                    topic=topic,
                    partition=number,
                )
        _log.info(
            "district_restored",
            district=number,
            feed=feed,
            commands=commands,
            n=machine.n,
            sent=tail.n,
            owner=owner,
            left_out=fence.left_out,
        )
        held = Held(
            partition,
            Progress(f"district {number}"),
            outputs,
            owner,
            said_by,
            kept=(feed, commands) if saved else (-1, -1),
            figures=Figures(restore_s=time.monotonic() - began_s if saved else 0.0),
        )
        if saved and isinstance(saved.state, Pieces):
            held.camera.known(machine, saved.state)
        return held

    async def release(self, revoked: set[Position]) -> None:
        """Keep the states of districts that go elsewhere, as far as that can be done quickly."""
        numbers = {p for topic, p in revoked if topic == self.topics.feed} & self._held.keys()
        if not numbers:
            return
        async with asyncio.timeout(SETTLE_S):  # nothing of ours may arrive after the next owner has begun
            await self.outbox.settle()
        try:
            async with asyncio.timeout(RELEASE_S):
                await self.keep(numbers)
        except TimeoutError:
            _log.warning("released_without_snapshot", districts=sorted(numbers))
        async with self._turn:
            for number in numbers:
                del self._held[number]

    async def finish(self) -> None:
        """The last snapshot."""
        await self.outbox.settle()
        await self.keep(set(self._held))

    # ---- messages ----

    def take_feed(self, number: int, offset: int, payload: bytes, ingest_ns: int) -> None:
        """A message of a feed; of a district that is no longer here it is left out."""
        held = self._held.get(number)
        if held:
            self._waiting += 1
            held.partition.take_feed(offset, payload, ingest_ns)

    def take_command(self, number: int, offset: int, payload: bytes, ingest_ns: int) -> None:
        """A message of the commands."""
        held = self._held.get(number)
        if held:
            held.partition.take_command(offset, payload, ingest_ns)

    @property
    def held(self) -> Mapping[int, Held]:
        """The districts that are here now, by number."""
        return self._held

    @property
    def full(self) -> bool:
        """Whether enough is waiting to be worked on at once."""
        return self._waiting >= JOINED_MESSAGES

    async def work(self) -> None:
        """Work on everything that waits; returns when there is room for more outputs and others had their turn."""
        self._waiting = 0
        for number, held in self._held.items():
            done = held.partition.work()
            now_ns = self.clock.now_ns()
            held.tally.take(done, now_ns)
            stamp = (HEADER_AGENT, str(now_ns).encode())
            owner = (HEADER_OWNER, b"%d" % held.owner)
            for emission in done.emissions:
                if emission.payload is not None:
                    headers = [stamp, owner]
                    if emission.ingest_ns:
                        headers.append((HEADER_INGEST, str(emission.ingest_ns).encode()))
                    held.last = self.outbox.put(self.topics.outputs, number, emission.payload, headers)
            for dead in done.dead:
                self.outbox.put(self.topics.dead_letters, 0, encode(dead))
            if done.differing:
                _log.error("outputs_differ_from_before_the_crash", district=number, n=done.differing[:10])
        await self.outbox.room()
        await asyncio.sleep(0)  # commands, sending, ticks: however much of the feed waits

    # ---- what goes on beside ----

    async def live(self) -> None:
        """Send, keep states, tick, watch; returns only by an error."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outbox.run())
            group.create_task(self._keep_for_ever())
            group.create_task(self._watch())
            if self.ticks:
                group.create_task(self._tick_for_ever())

    async def _keep_for_ever(self) -> None:
        """One district after the other, at the pace that what they cost allows."""
        pace = Pace(self.snapshot_s)
        wait_s, number = self.snapshot_s, -1
        while True:
            await asyncio.sleep(wait_s)
            number = next((n for n in sorted(self._held) if n > number), min(self._held, default=-1))
            began_s = time.monotonic()
            cpu_s = await self._keep(number)
            took_s = time.monotonic() - began_s
            if cpu_s is None:
                wait_s = pace.miss_s()
            else:
                wait_s = pace.rest_s(len(self._held), cpu_s=cpu_s, took_s=took_s)

    async def keep(self, numbers: set[int]) -> bool:
        """Keep the states that changed; ``False`` while the database is away.

        Raises:
            Conflict: ``snapshot.overtaken``.
        """
        for number in sorted(numbers):
            if await self._keep(number) is None:
                return False
        return True

    async def _keep(self, number: int) -> float | None:
        """As ``Keeper.keep``; costs nothing where nothing changed."""
        async with self._turn:
            held = self._held.get(number)
            if held is None or held.at == held.kept:
                return 0.0
            cpu_s = await self._keeper.keep(number, held)
            if cpu_s is None:
                return None
            feed, commands = held.kept
        await self._committed({(self.topics.feed, number): feed, (self.topics.commands, number): commands})
        return cpu_s

    async def _tick_for_ever(self) -> None:
        while True:
            now_ns = self.clock.now_ns()
            await asyncio.sleep((SECOND - now_ns % SECOND) / SECOND)
            now_ns = self.clock.now_ns()
            tick = encode(Tick(t_ns=now_ns - now_ns % SECOND))
            for number in self._held:
                self.outbox.put(self.topics.feed, number, tick, [(HEADER_INGEST, str(now_ns).encode())])

    async def _watch(self) -> None:
        """Tell how far each district is; a worker that stands still before waiting messages ends itself.

        Raises:
            Conflict: ``streams.stalled``.
        """
        while True:
            await asyncio.sleep(LOOK_S)
            both = (self.topics.feed, self.topics.commands)
            ends = await ends_or_none(self.reader, [(topic, n) for n in self._held for topic in both])
            if ends is None:
                for held in self._held.values():
                    held.progress.excuse()
                continue
            for number, held in self._held.items():
                if (self.topics.feed, number) not in ends:
                    continue  # came while we asked
                feed, commands = (ends[topic, number] for topic in both)
                at = (held.partition.feed, held.partition.commands)
                held.tally.ends = (feed, commands)
                if held.progress.look(at, (feed, commands), time.monotonic()):
                    _log.info(
                        "district_progress",
                        district=number,
                        feed=at[0],
                        commands=at[1],
                        behind=feed - at[0] + commands - at[1],
                        unusable=held.tally.dead.total(),
                    )
