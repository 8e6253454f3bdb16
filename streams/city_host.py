"""The city worker without Faust: what the districts put out, through the city desk, to commands for districts."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from dispatch.city import CityDesk
from streams.blocks import Pieces
from streams.log_reader import LogReader
from streams.outbox import Outbox
from streams.progress import LOOK_S, Progress
from streams.snapshots import Cut, Snapshots
from streams.watching import ends_or_none
from yiwang import logs
from yiwang.clock import Clock
from yiwang.codec import decode_output, encode
from yiwang.errors import BadInput, Conflict
from yiwang.fencing import Fence
from yiwang.model import Body, Command, Incident, Output, SupportNeeded, SupportOffer
from yiwang.topics import HEADER_INGEST, Topics

Position = tuple[str, int]

CITY = -1
"""The city's place in the table of snapshots, where districts have their number."""

_PART = "city"
"""The city's state is small, one part."""

_log = logs.get("city")


class City:
    """The city desk and how far it has read each district. Pure.

    Attributes:
        read: district to next offset of its outputs.
        numbers: district to number of the output that comes next; repeats are left out.
        fences: district to which of its outputs count.
    """

    def __init__(self, districts: int) -> None:
        self.desk = CityDesk(tuple(range(districts)))
        self.read: dict[int, int] = dict.fromkeys(range(districts), 0)
        self.numbers: dict[int, int] = dict.fromkeys(range(districts), 0)
        self.fences = {district: Fence() for district in range(districts)}

    def counts(
        self, district: int, offset: int, payload: bytes, headers: Iterable[tuple[str, bytes]]
    ) -> bool:
        """Whether the next message is an output that counts; ``take`` gets it then."""
        if offset < self.read[district]:
            return False
        counts = self.fences[district].counts(payload, headers)
        if not counts:
            self.read[district] = offset + 1
        return counts

    def take(self, district: int, offset: int, output: Output) -> list[tuple[int, Command]]:
        """One output; returns (district, command) in order. Ids of commands are derived, a repeat does nothing."""
        if offset < self.read[district]:
            return []
        self.read[district] = offset + 1
        if output.n < self.numbers[district]:
            return []
        self.numbers[district] = output.n + 1
        commands = self.desk.output(district, output.body, _event_ns(output.body))
        return [
            (to, msgspec.structs.replace(c, seen_feed=output.feed if to == district else 0))
            for to, c in commands
        ]

    def dump(self) -> bytes:
        """The whole state."""
        owners = {district: fence.owner for district, fence in self.fences.items()}
        return msgspec.msgpack.encode([2, self.desk.dump(), self.read, self.numbers, owners])

    @classmethod
    def load(cls, data: bytes) -> "City":
        """What ``dump`` gave.

        Raises:
            BadInput: ``snapshot.version``.
        """
        version, *rest = msgspec.msgpack.decode(data, strict=False)
        if version not in (1, 2):
            raise BadInput(
                "snapshot.version", f"the city's snapshot has version {version}, this release reads 1 and 2"
            )
        desk, read, numbers = rest[:3]
        owners = rest[3] if version == 2 else {}  # before there were owners, everything was ownership 0
        city = cls(0)
        city.desk, city.read, city.numbers = CityDesk.load(desk), read, numbers
        city.fences = {district: Fence(owners.get(district, 0)) for district in read}
        return city


def _state(kept: Pieces | bytes) -> bytes:
    """The bytes of the state; releases before blocks kept them as they are."""
    return kept.things[_PART] if isinstance(kept, Pieces) else kept


def _event_ns(body: Body) -> int:
    match body:
        case SupportNeeded() | SupportOffer():
            return body.t_ns
        case Incident():
            return body.updated_ns
        case _:
            return 0


class CityHost:
    """The city's state between the outputs and the commands.

    Args:
        topics: of the run.
        districts: how many there are.
        clock: the wall clock, for stamps.
        outbox: to the topics.
        reader: of the ends of the logs.
        snapshots: of the role.
        snapshot_s: interval of snapshots.
        told: called with the districts listened to when the state is there; with none while another worker has them all.
        committed: called with offsets that are safe.
    """

    def __init__(
        self,
        topics: Topics,
        districts: int,
        clock: Clock,
        outbox: Outbox,
        reader: LogReader,
        snapshots: Snapshots,
        *,
        snapshot_s: float,
        told: Callable[[list[int]], None],
        committed: Callable[[Mapping[Position, int]], Awaitable[None]],
    ) -> None:
        self.topics, self.districts, self.clock, self.outbox = topics, districts, clock, outbox
        self.reader, self.snapshots, self.snapshot_s = reader, snapshots, snapshot_s
        self._told, self._committed = told, committed
        self._city: City | None = None
        self.ends: dict[int, int] = {}  # next offset of each district's outputs when we last looked
        self.sent: Counter[int] = Counter()  # commands by district
        self.kept_at_s = 0.0  # on the clock that only goes forward; 0 before the first time
        self._kept: dict[int, int] = {}
        self._owner = 0
        self._mine: set[int] = set()
        self._turn = asyncio.Lock()

    async def restore(self, assigned: set[Position]) -> Mapping[Position, int]:
        """Load the state the first time; offsets at which reading goes on.

        Without any partition the worker stands by: another one is the city's.

        Raises:
            Conflict: ``city.second`` when another city worker has a part of the outputs.
        """
        mine = self._mine = {p for topic, p in assigned if topic == self.topics.outputs}
        async with self._turn:
            if not mine:
                self._city = None  # what we knew grows old: when the other goes, the state is read anew
                self._told([])
                return {}
            if self._city is None:
                if mine != set(range(self.districts)):
                    raise Conflict(
                        "city.second",
                        f"a run has one city worker, and another one holds the outputs of some of its "
                        f"{self.districts} districts",
                    )
                self._owner, _ = await self.snapshots.claim(CITY)
                saved = await self.snapshots.load(CITY)
                self._city = City.load(_state(saved.state)) if saved else City(self.districts)
                self._told(sorted(mine))
            city = self._city
        return {(self.topics.outputs, p): city.read[p] for p in mine}

    async def release(self, revoked: set[Position]) -> None:
        """The state stays: there is one city worker."""
        del revoked
        await self.keep()

    async def finish(self) -> None:
        """The last snapshot."""
        await self.keep()

    async def take(
        self, district: int, offset: int, payload: bytes, headers: Iterable[tuple[str, bytes]] = ()
    ) -> None:
        """A message of the outputs was read.

        Raises:
            BadInput: ``output.message``: only our own release writes there.
        """
        if self._city is None or not self._city.counts(district, offset, payload, headers):
            return
        stamp = [(HEADER_INGEST, str(self.clock.now_ns()).encode())]
        for to, command in self._city.take(district, offset, decode_output(payload)):
            self.outbox.put(self.topics.commands, to, encode(command), stamp)
            self.sent[to] += 1
            _log.info("city_command", district=to, action=type(command.action).__name__)
        await self.outbox.room()

    async def live(self) -> None:
        """Send, keep the state; returns only by an error."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outbox.run())
            group.create_task(self._keep_for_ever())
            group.create_task(self._watch())

    @property
    def is_kept(self) -> bool:
        """Whether the newest snapshot is as things are now."""
        return self._city is None or self._city.read == self._kept

    @property
    def read(self) -> Mapping[int, int]:
        """Next offset of each district's outputs that we take; none before the state is there."""
        return self._city.read if self._city else {}

    async def _watch(self) -> None:
        """A worker that stands still before waiting outputs ends itself.

        Raises:
            Conflict: ``streams.stalled``.
        """
        progress = Progress("the city worker")
        while True:
            await asyncio.sleep(LOOK_S)
            if self._city is None:
                continue
            numbers = sorted(self._mine)
            at = tuple(self._city.read[p] for p in numbers)
            ends = await ends_or_none(self.reader, [(self.topics.outputs, p) for p in numbers])
            if ends is None:
                progress.excuse()
                continue
            self.ends = {p: ends[self.topics.outputs, p] for p in numbers}
            progress.look(at, tuple(ends[self.topics.outputs, p] for p in numbers), time.monotonic())

    async def _keep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.snapshot_s)
            await self.keep()

    async def keep(self) -> None:
        """Keep the state if it changed, once the broker has all commands it has given."""
        async with self._turn:
            city = self._city
            if city is None or city.read == self._kept:
                return
            state, read = city.dump(), dict(city.read)
            await self.outbox.settle()
            far = sum(read.values())
            cut = Cut(
                district=CITY,
                columns=(),
                parts={_PART: state},
                feed=0,
                commands=0,
                outputs=far,
                owner=self._owner,
            )
            if await self.snapshots.save(cut) is None:
                return
            self._kept, self.kept_at_s = read, time.monotonic()
        await self._committed({(self.topics.outputs, p): offset for p, offset in read.items()})
