"""What persist has taken from Kafka and not yet stored, by partition; pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.persist_outputs import Statement
from yiwang.columns import Readings
from yiwang.errors import Conflict

Partition = tuple[str, int]
"""Topic and partition number."""


@dataclass(slots=True)
class Part:
    """Consecutive messages of one partition.

    Attributes:
        base: offset the database stands at, where the part begins; None for a partition never stored from.
        next: offset after the part.
        readings: of frames, in arrival order.
        statements: of everything else, each with the offset of its message.
        acks: to be called when the part is stored.
        bytes: of the messages.
    """

    partition: Partition
    base: int | None
    next: int
    readings: list[Readings] = field(default_factory=list)
    statements: list[tuple[int, Statement]] = field(default_factory=list)
    acks: list[Callable[[], None]] = field(default_factory=list)
    bytes: int = 0

    @property
    def rows(self) -> int:
        """Number of rows it will store."""
        return sum(len(r) for r in self.readings) + len(self.statements)


class Backlog:
    """Where each partition stands, and the parts that wait to be stored."""

    def __init__(self) -> None:
        self._next: dict[Partition, int | None] = {}
        self._parts: dict[Partition, Part] = {}
        self.rows = 0
        self.bytes = 0
        self.messages = 0

    def knows(self, partition: Partition) -> bool:
        """Whether it is known where this partition stands."""
        return partition in self._next

    def begin(self, partition: Partition, next_offset: int | None) -> None:
        """Take a partition on; ``next_offset`` is what the database holds, None for nothing yet."""
        self._next.setdefault(partition, next_offset)

    def accept(self, partition: Partition, offset: int) -> bool:
        """Whether a message is the next to store; False when it is stored or waiting already.

        Raises:
            Conflict: ``persist.gap``: messages between what is stored and this one are missing.
        """
        expected = self._next[partition]
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
        readings: Readings | None = None,
        statements: list[Statement] | None = None,
    ) -> None:
        """Put an accepted message at the end of its partition's part.

        Args:
            partition: its partition.
            offset: its offset.
            size: bytes of the message.
            ack: to be called when it is stored.
            readings: when it was a frame.
            statements: what stores it otherwise.
        """
        part = self._parts.get(partition)
        if part is None:
            part = self._parts[partition] = Part(partition, self._next[partition], offset)
        if readings is not None:
            part.readings.append(readings)
            self.rows += len(readings)
        for statement in statements or ():
            part.statements.append((offset, statement))
            self.rows += 1
        part.acks.append(ack)
        part.bytes += size
        part.next = offset + 1
        self._next[partition] = offset + 1
        self.bytes += size
        self.messages += 1

    def take(self) -> list[Part]:
        """All waiting parts, by partition; they are no longer waiting."""
        parts = [self._parts[p] for p in sorted(self._parts)]
        self._parts = {}
        self.rows = self.bytes = self.messages = 0
        return parts

    def forget(self, partition: Partition) -> None:
        """Drop a partition that now belongs to another worker, with what waits of it, unacknowledged."""
        self._next.pop(partition, None)
        part = self._parts.pop(partition, None)
        if part is not None:
            self.rows -= part.rows
            self.bytes -= part.bytes
            self.messages -= len(part.acks)
