"""Brings a district's two logs, feed and commands, into the one order in which the machine takes them.

The first time round a command takes effect as soon as it is read (a person never waits behind telemetry),
but never before the feed position its sender had seen. Where that was is written in the outputs: the first
output that counts a command names the feed position after which it took effect. After a crash the
outputs are read again from the snapshot on, and re-read commands take effect at just those places; others
only behind the last place that was ever spoken of, so that nothing already said becomes untrue. Pure.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from yiwang.errors import Conflict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placement:
    """What the outputs since a snapshot tell about the interleaving.

    Attributes:
        commands: offset of a command to the feed position (next offset) at which it took effect.
        floor: feed position up to which the interleaving is fixed; commands not placed come behind it.
    """

    commands: dict[int, int] = field(default_factory=dict)
    floor: int = 0

    @classmethod
    def of(cls, positions: Iterable[tuple[int, int]], *, commands: int) -> "Placement":
        """From the positions (feed, commands) of outputs, in order of the outputs' numbers.

        Args:
            positions: next offsets behind the message that caused each output. May begin before the snapshot.
            commands: next offset of the commands partition in the snapshot.

        Raises:
            Conflict: ``sequence.outputs`` when the outputs leave out a command, so that its place is unknown.
        """
        placed: dict[int, int] = {}
        floor = 0
        done = commands
        for feed, upto in positions:
            if upto > done:
                if upto != done + 1:
                    raise Conflict(
                        "sequence.outputs",
                        f"the outputs go from command {done} to {upto}; one for each command is expected",
                        expected=done + 1,
                        found=upto,
                    )
                placed[done] = feed
                done = upto
            floor = max(floor, feed)
        return cls(placed, floor)


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """The next thing for the machine; ``offset`` is its place in its own log."""

    log: Literal["feed", "commands"]
    offset: int
    item: T


class Sequencer(Generic[T]):
    """Takes both logs as they are read, gives steps in the order that decides.

    Args:
        feed: next offset of the feed that is not yet in the state.
        commands: the same of the commands.
        placement: what the outputs say; empty for a fresh start.
    """

    def __init__(self, feed: int = 0, commands: int = 0, placement: Placement | None = None) -> None:
        self.next_feed = feed
        self.next_commands = commands
        self._placement = placement or Placement()
        self._feed: deque[T] = deque()
        self._commands: deque[tuple[int, T]] = deque()

    @property
    def read_feed(self) -> int:
        """Offset of the feed that is to be read next."""
        return self.next_feed + len(self._feed)

    @property
    def read_commands(self) -> int:
        """Offset of the commands that is to be read next."""
        return self.next_commands + len(self._commands)

    @property
    def known_feed(self) -> int:
        """The furthest feed position anybody can have seen an output of."""
        return max(self.next_feed, self._placement.floor)

    @property
    def replaying(self) -> bool:
        """Whether the interleaving is still that of the outputs read again."""
        return self.next_feed < self._placement.floor or self.next_commands in self._placement.commands

    def feed(self, offset: int, item: T) -> bool:
        """Take a message of the feed; ``False`` when it was taken before (it is left out).

        Raises:
            Conflict: ``sequence.gap`` when messages before it are missing.
        """
        if offset < self.read_feed:
            return False
        self._contiguous("feed", offset, self.read_feed)
        self._feed.append(item)
        return True

    def command(self, offset: int, seen_feed: int, item: T) -> bool:
        """Take a message of the commands; ``False`` when it was taken before.

        Args:
            offset: its place in the log.
            seen_feed: feed position that its sender had seen; it takes effect behind that.
            item: what ``steps`` gives back.

        Raises:
            Conflict: ``sequence.gap``.
        """
        if offset < self.read_commands:
            return False
        self._contiguous("commands", offset, self.read_commands)
        self._commands.append((seen_feed, item))
        return True

    def steps(self) -> Iterator[Step[T]]:
        """Everything whose turn it is; the positions move as the iterator is advanced.

        Raises:
            Conflict: ``sequence.placed`` when a command's recorded place lies behind us: the state is not the
                one that the outputs were made from.
        """
        while (step := self._next()) is not None:
            yield step

    def _next(self) -> Step[T] | None:
        offset = self.next_commands
        place = self._placement.commands.get(offset)
        if place is not None and place < self.next_feed:
            raise Conflict(
                "sequence.placed",
                f"command {offset} took effect at feed position {place}, the state is at {self.next_feed}",
                command=offset,
                place=place,
                feed=self.next_feed,
            )
        if self._commands:
            seen_feed, item = self._commands[0]
            earliest = max(seen_feed, self._placement.floor) if place is None else place
            if self.next_feed >= earliest:
                self._commands.popleft()
                self.next_commands += 1
                return Step("commands", offset, item)
        elif place == self.next_feed:
            return None  # its turn, but it has not been read again yet: the feed waits
        if not self._feed:
            return None
        self.next_feed += 1
        return Step("feed", self.next_feed - 1, self._feed.popleft())

    @staticmethod
    def _contiguous(log: str, offset: int, expected: int) -> None:
        if offset > expected:
            raise Conflict(
                "sequence.gap",
                f"{log} goes on at offset {offset}, {expected} is expected: messages are missing",
                log=log,
                expected=expected,
                found=offset,
            )
