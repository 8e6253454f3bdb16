"""What persist has taken from Kafka and not yet stored, by partition; pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from streams.persist_outputs import Statement
from yiwang.columns import Readings
from yiwang.errors import Conflict
from yiwang.registry import Rules

Partition = tuple[str, int]
"""Topic and partition number."""
_NOTHING: Mapping[int, str] = {}


@dataclass(slots=True)
class Step:
    """Consecutive messages of a district's feed that are dealt with alike.

    Attributes:
        store: False for messages that are stored already: they only move on what is known.
        rules: rules that come into force before the frames.
        registered: series that a change of the registry before the frames names, with their metrics.
        tick_ns: the newest tick among them, 0: none.
        frames: each as its bytes and its readings, in order.
    """

    store: bool
    rules: Rules | None = None
    registered: Mapping[int, str] = field(default_factory=dict)
    tick_ns: int = 0
    frames: list[tuple[bytes, Readings]] = field(default_factory=list)


@dataclass(slots=True)
class Part:
    """Consecutive messages of one partition.

    Attributes:
        base: offset the database stands at, where the part begins; None for a partition never stored from.
        next: offset the database stands at after the part; the same where everything is stored already.
        read: offset after its last message.
        steps: of a feed, in order.
        statements: of everything but frames, each with the offset of its message.
        acks: to be called when the part is stored.
        stamps: of frames to be stored, when each was taken in (ns, wall clock of ingest) and its readings.
        bytes: of the messages.
        rows: about the number of rows it will store.
        is_gone: its partition went to another worker since it was taken: it is not to be stored.
    """

    partition: Partition
    base: int | None
    next: int
    read: int
    steps: list[Step] = field(default_factory=list)
    statements: list[tuple[int, Statement]] = field(default_factory=list)
    acks: list[Callable[[], None]] = field(default_factory=list)
    stamps: list[tuple[int, int]] = field(default_factory=list)
    bytes: int = 0
    rows: int = 0
    is_gone: bool = False

    @property
    def first(self) -> int:
        """The offset from which on it is not stored yet."""
        return self.read - len(self.acks) if self.base is None else self.base

    def step(
        self, *, store: bool, rules: Rules | None = None, registered: Mapping[int, str] = _NOTHING
    ) -> Step:
        """The step for the next message: the last one if it is alike, else a new one."""
        if not self.steps or rules is not None or registered or self.steps[-1].store != store:
            self.steps.append(Step(store, rules, registered))
        return self.steps[-1]


@dataclass(slots=True)
class _Place:
    """Where a partition stands: the offset awaited next, and the one below which everything is stored or waits."""

    next: int | None
    stored: int | None


class Backlog:
    """Where each partition stands, and the parts that wait to be stored."""

    def __init__(self) -> None:
        self._places: dict[Partition, _Place] = {}
        self._parts: dict[Partition, Part] = {}
        self.rows = 0
        self.bytes = 0
        self.messages = 0

    def knows(self, partition: Partition) -> bool:
        """Whether it is known where this partition stands."""
        return partition in self._places

    def begin(self, partition: Partition, stored: int | None, next_offset: int | None = None) -> None:
        """Take a partition on.

        Args:
            partition: the partition.
            stored: next offset that the database holds, None for nothing yet.
            next_offset: the message to go on with where that is an earlier one: what is known of the district
                is as of there.
        """
        self._places.setdefault(partition, _Place(stored if next_offset is None else next_offset, stored))

    def accept(self, partition: Partition, offset: int) -> bool:
        """Whether a message is the next to take; False when it is waiting or dealt with already.

        Raises:
            Conflict: ``persist.gap``: messages between what is stored and this one are missing.
        """
        expected = self._places[partition].next
        if expected is None or offset == expected:
            return True
        if offset < expected:
            return False
        topic, number = partition
        raise Conflict(
            "persist.gap",
            f"{topic}[{number}]: {offset - expected} messages from offset {expected} on never came, the next is"
            f" {offset}: they were deleted from Kafka before they were stored, or the database was set back",
            topic=topic,
            partition=number,
            expected=expected,
            offset=offset,
        )

    def add(
        self,
        partition: Partition,
        offset: int,
        *,
        size: int,
        ack: Callable[[], None],
        frame: tuple[bytes, int, Readings] | None = None,
        tick_ns: int = 0,
        rules: Rules | None = None,
        registered: Mapping[int, str] = _NOTHING,
        statements: list[Statement] | None = None,
    ) -> bool:
        """Put an accepted message at the end of its partition's part.

        Args:
            partition: its partition.
            offset: its offset.
            size: bytes of the message.
            ack: to be called when it is stored.
            frame: its bytes, its stamp of ingest (ns) and its readings, when it was a frame.
            tick_ns: when it was a tick.
            rules: when it was a change of rules.
            registered: series with their metrics, when it was a change of the registry.
            statements: what stores it otherwise; left out when it is stored already.

        Returns:
            Whether it is still to be stored.
        """
        place = self._places[partition]
        part = self._parts.get(partition)
        if part is None:
            part = self._parts[partition] = Part(partition, place.stored, offset, offset)
        store = place.stored is None or offset >= place.stored
        rows = 0
        if frame is not None:
            payload, ingest_ns, readings = frame
            part.step(store=store).frames.append((payload, readings))
            rows += len(readings)
            if store:
                part.stamps.append((ingest_ns, len(readings)))
        if rules is not None or registered:
            part.step(store=store, rules=rules, registered=registered)
        if tick_ns:
            step = part.step(store=store)
            step.tick_ns = max(step.tick_ns, tick_ns)
        if store:
            place.stored = offset + 1
            part.statements += ((offset, statement) for statement in statements or ())
            rows += len(statements or ())
        part.next = offset + 1 if place.stored is None else place.stored
        part.read = place.next = offset + 1
        part.acks.append(ack)
        part.bytes += size
        part.rows += rows
        self.rows += rows
        self.bytes += size
        self.messages += 1
        return store

    def take(self) -> list[Part]:
        """All waiting parts, by partition; they are no longer waiting."""
        parts = [self._parts[p] for p in sorted(self._parts)]
        self._parts = {}
        self.rows = self.bytes = self.messages = 0
        return parts

    def positions(self) -> dict[Partition, int]:
        """Of each partition that has one the offset awaited next."""
        return {p: place.next for p, place in self._places.items() if place.next is not None}

    @property
    def parts(self) -> Collection[Part]:
        """Those that wait."""
        return self._parts.values()

    def empty(self, partition: Partition) -> Part:
        """A part without messages, with which a known partition is only to be kept."""
        place = self._places[partition]
        stored, read = place.stored or 0, place.next or 0
        return Part(partition, place.stored, stored, read)

    def forget(self, partition: Partition) -> None:
        """Drop a partition that now belongs to another worker, with what waits of it, unacknowledged."""
        self._places.pop(partition, None)
        part = self._parts.pop(partition, None)
        if part is not None:
            self.rows -= part.rows
            self.bytes -= part.bytes
            self.messages -= len(part.acks)
