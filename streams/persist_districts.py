"""The districts that persist stores from: what is known of each, and how their frames become rows.

A district's memory is kept in the database at an interval, with the roll-ups of the minutes that are over, in the
transaction that stores the messages before it. It stands for an offset that is behind the one below which readings
are stored: after a restart the messages between are taken in again, without being stored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec
import numpy as np

from streams.persist_backlog import Part, Step
from streams.persist_keep import Plan, marks_of
from streams.persist_memory import Memory, plan_of
from streams.persist_memory_codec import dump, load
from streams.persist_rows import NEVER, Rows, Sorted, by_series
from streams.persist_store import Kept, Ready, Store
from yiwang import frames, logs
from yiwang.columns import I32, Readings
from yiwang.domains import compile_rules
from yiwang.errors import BadInput
from yiwang.registry import Rules

_T = TypeVar("_T")
_rules = msgspec.json.Decoder(Rules)

MOST_PIECES = 250_000
"""So many closed minutes wait in memory at the most before they are stored."""
SERIES_A_SECOND = 50_000
"""The interval of keeping grows by a second with so many series: then it costs about 2 % of a core."""


class Retried(Protocol):
    """Does something with the database, again and again while that is away."""

    async def __call__(self, work: Callable[[], Awaitable[_T]], /) -> _T:
        """Do it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """How often memories are kept, seconds."""

    least_s: float = 5.0
    most_s: float = 60.0


@dataclass(slots=True)
class _Place:
    """A district in hand.

    Attributes:
        memory: what is known, as of ``read``.
        base: offset that the kept memory stands for; None: none is kept.
        read: next offset that the memory has not taken in.
        at_s: loop time when it was kept last, or when it was taken on.
        stale: the memory has moved on since it was kept.
    """

    memory: Memory
    base: int | None
    read: int
    at_s: float
    stale: bool = False


class Districts:
    """Makes parts of feeds ready. One part of a district at a time.

    Args:
        store: the database.
        retried: does something with the database, again and again while that is away.
        interval: of keeping.
    """

    def __init__(
        self,
        store: Store,
        retried: Retried,
        interval: Interval,
    ) -> None:
        self._store = store
        self._retried = retried
        self._interval = interval
        self._places: dict[int, _Place] = {}
        self._plans: dict[str, Plan] = {}
        self._log = logs.get("persist")
        self.repeated_frames = 0
        self.not_finite = 0
        self.thinned = 0
        self.repeated = 0
        self.minutes = 0
        self.kept = 0
        self.kept_bytes = 0

    async def begin(self, district: int, stored: int | None, offset: int) -> int | None:
        """Take a district on.

        Args:
            district: its number.
            stored: next offset that the database holds of its feed; None for nothing yet.
            offset: of the first message that came.

        Returns:
            Next offset of what is known: the messages from there on are to be taken in again; None: as ``stored``.

        Raises:
            Conflict: ``persist.memory``: what was kept cannot be read.
        """
        found = await self._retried(lambda: self._store.memory(district))
        base: int | None = None
        if found is None:
            memory = Memory(district, must_ask=stored is not None)
        else:
            base, blocks = found
            memory = await asyncio.to_thread(load, district, blocks)
        expected = stored if base is None else base
        if base is not None and base < offset and stored is not None and offset <= stored:
            self._log.warning("minutes_incomplete", district=district, expected=base, offset=offset)
            memory, expected = memory.lost(), offset
        await self._recall_rules(memory)
        now_s = asyncio.get_running_loop().time()
        self._places[district] = _Place(memory, base, expected or 0, now_s)
        return expected

    def forget(self, district: int) -> None:
        """The district now belongs to another worker."""
        self._places.pop(district, None)

    @property
    def now_us(self) -> int:
        """How far the districts in hand are, the furthest of them: event time, microseconds UTC; 0: nothing yet."""
        return max((place.memory.now_us for place in self._places.values()), default=0)

    def knows(self, district: int) -> bool:
        """Whether the district is in hand."""
        return district in self._places

    async def ready(self, part: Part, *, keep: bool) -> Ready:
        """Make a part ready to be written. Done once for each, in order: it moves on what is known.

        Args:
            part: of the feed of a district in hand.
            keep: keep the memory with it, whatever the interval says.
        """
        place = self._places[part.partition[1]]
        made: list[Rows] = []
        for step in part.steps:
            made += await self._step(place.memory, step)
        place.stale = place.stale or part.read > place.read
        place.read = part.read
        kept = None
        # the first time at once: from then on whatever is stored has a memory that goes with it
        if place.stale and (keep or place.base is None or self._is_due(place)):
            kept = await asyncio.to_thread(self._kept, place)
            place.at_s = asyncio.get_running_loop().time()
        return Ready(part.partition, part.base, part.next, made, part.statements, kept)

    def is_due(self, district: int) -> bool:
        """Whether a memory is to be kept now."""
        return self._is_due(self._places[district])

    def _is_due(self, place: _Place) -> bool:
        memory = place.memory
        if memory.minutes.waiting > MOST_PIECES:
            return True
        most = min(self._interval.least_s + len(memory.series) / SERIES_A_SECOND, self._interval.most_s)
        age_s = asyncio.get_running_loop().time() - place.at_s
        # just after a minute is over little is open, and its roll-ups are wanted
        return age_s >= most or (
            age_s >= most / 4 and age_s >= self._interval.least_s and memory.due > memory.written
        )

    def stale(self) -> list[int]:
        """Districts whose memory moved on since it was kept."""
        return [district for district, place in self._places.items() if place.stale]

    async def _step(self, memory: Memory, step: Step) -> list[Rows]:
        if step.rules is not None:
            await self._follow(memory, step.rules)
        memory.register(step.registered)
        if step.tick_ns:
            memory.tick(step.tick_ns // 1000)
        if not step.frames:
            return []
        readings = await asyncio.to_thread(self._sorted, memory, step)
        if not len(readings):
            return []
        unknown = memory.unknown(readings)
        if len(unknown):
            await self._meet(memory, unknown)
        thinned, repeated = memory.thinned, memory.repeated
        rows = await asyncio.to_thread(memory.take, readings, store=step.store)
        self.thinned += memory.thinned - thinned
        self.repeated += memory.repeated - repeated
        return [] if rows is None else [rows]

    def _sorted(self, memory: Memory, step: Step) -> Sorted:
        """The readings that count: repeated frames and values that are no numbers do not (``yiwang.frames``)."""
        counted: list[Readings] = []
        for payload, readings in step.frames:
            if not len(readings):
                continue
            if memory.recent.repeats(payload):
                self.repeated_frames += step.store
                continue
            memory.first(int(readings.t_ns.max()) // 1000)
            counted.append(readings)
        joined, bad = frames.finite(Readings.join(counted))
        self.not_finite += len(bad) * step.store
        return by_series(joined)

    async def _meet(self, memory: Memory, series: I32) -> None:
        newest = np.full(len(series), NEVER, np.int64)
        if memory.must_ask:
            newest = await self._retried(lambda: self._store.newest(memory.district, series))
        metrics: Mapping[int, str] = {}
        if memory.plan.mark:
            metrics = await self._retried(
                lambda: self._store.metrics(memory.district, memory.plan.mark, series)
            )
        memory.meet(series, newest, marks_of(series, metrics, memory.plan))

    async def _follow(self, memory: Memory, rules: Rules) -> None:
        plan = self._plans.get(rules.version)
        if plan is None:
            try:
                plan = await asyncio.to_thread(_plan, rules)
            except BadInput as error:
                self._log.warning(
                    "rules_refused", district=memory.district, code=error.code, message=error.message
                )
                return
            self._plans[rules.version] = plan
        metrics: Mapping[int, str] = {}
        if plan.mark and len(memory.series):
            metrics = await self._retried(lambda: self._store.metrics(memory.district, plan.mark, None))
        memory.follow(rules.version, plan, marks_of(memory.series, metrics, plan))

    async def _recall_rules(self, memory: Memory) -> None:
        """Rules in force where the memory stands; of a district that began without its past, the last ones."""
        if not memory.rules and not memory.must_ask:
            return
        version, memory.rules = memory.rules, ""
        body = await self._retried(lambda: self._store.rules(version))
        if body is not None:
            last = memory.last
            kept = last.us.copy()
            await self._follow(memory, _rules.decode(body))
            last.us[:] = kept  # these are the rules by which it was kept

    def _kept(self, place: _Place) -> Kept:
        memory = place.memory
        new, more = memory.roll(memory.due)
        blocks = dump(memory)
        kept = Kept(place.base, place.read, blocks, new, more)
        place.base, place.stale = place.read, False
        self.minutes += len(new) + len(more)
        self.kept += 1
        self.kept_bytes = sum(map(len, blocks))
        return kept


def _plan(rules: Rules) -> Plan:
    return plan_of({name: metric.keep for name, metric in compile_rules(rules).metrics.items()})
