"""One district's partitions at work: logs in, numbered outputs out. Pure; the same with Kafka and without.

Waiting frames that stand next to each other are joined before they are detected; each output still names the
very frame it came from.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streams.machine import DistrictMachine
from streams.sequencer import Placement, Sequencer
from yiwang import frames
from yiwang.codec import decode_command, decode_feed, decode_output, encode
from yiwang.columns import I64, Readings
from yiwang.errors import BadInput
from yiwang.frames import Frame
from yiwang.ids import derive
from yiwang.model import Body, Command, DeadLetter, Output

JOINED_ROWS = 100_000
"""A joined batch is not made longer than this."""
RAW_BYTES = 64 * 1024
"""Of a message that cannot be used, so much is kept."""
_NO_READINGS = Readings.of([])


@dataclass(frozen=True, slots=True)
class Emission:
    """An output to be sent.

    Attributes:
        payload: its bytes; ``None`` when the log of outputs has it already (it was sent before a crash).
        ingest_ns: wall clock at which what caused it was taken in; 0 when unknown.
    """

    output: Output
    payload: bytes | None
    ingest_ns: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message of either log as it was read; a command that cannot be read is its error."""

    payload: bytes
    ingest_ns: int
    command: Command | BadInput | None = None


@dataclass(slots=True)
class Work:
    """What came of one round of work."""

    emissions: list[Emission] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    differing: list[int] = field(
        default_factory=list
    )  # numbers of outputs that were other ones before a crash
    stamps: list[tuple[int, int]] = field(default_factory=list)
    """Of each message: wall clock of its ingest (0 unknown), and its readings (0 for one that is no frame)."""


class Tail:
    """The outputs since a snapshot, as they stand in the log: what is not to be said again.

    Args:
        n: outputs in the snapshot.
        commands: next offset of the commands partition in the snapshot.
    """

    def __init__(self, n: int = 0, commands: int = 0) -> None:
        self.n = n  # number of the output that comes next
        self.sent: dict[int, int] = {}  # output number to checksum of its bytes
        self._commands = commands
        self._positions: list[tuple[int, int]] = []

    def add(self, payload: bytes) -> None:
        """The next output of the log, from the snapshot's offset on, or from before it.

        Repeats and what the snapshot covers are left out.

        Raises:
            BadInput: ``output.message``.
        """
        output = decode_output(payload)
        if output.n == self.n:
            self.sent[output.n] = zlib.crc32(payload)
            self._positions.append((output.feed, output.commands))
            self.n += 1

    def placement(self) -> Placement:
        """Where commands took effect.

        Raises:
            Conflict: ``sequence.outputs``.
        """
        return Placement.of(self._positions, commands=self._commands)


class Partition:
    """A district's machine between its logs.

    Args:
        machine: in the state that the offsets stand for.
        feed: next offset of the feed.
        commands: next offset of the commands.
        tail: what the log of outputs has beyond that state.
        topics: names of feed and commands, for the ids of dead letters.
    """

    def __init__(
        self,
        machine: DistrictMachine,
        *,
        feed: int = 0,
        commands: int = 0,
        tail: Tail | None = None,
        topics: tuple[str, str] = ("feed", "commands"),
    ) -> None:
        self.machine = machine
        self.feed = feed
        self.commands = commands
        self.topics = topics
        tail = tail or Tail(machine.n, commands)
        self._sent = tail.sent
        self.sequencer: Sequencer[Incoming] = Sequencer(feed, commands, tail.placement())
        self._frames: list[
            tuple[int, int, Readings]
        ] = []  # offset, ingest_ns, readings: waiting to be joined
        self._rows = 0
        self._work = Work()

    @property
    def caught_up(self) -> bool:
        """Whether the log of outputs has nothing beyond the state (any more)."""
        return not self._sent

    def take_feed(self, offset: int, payload: bytes, ingest_ns: int) -> None:
        """A message of the feed was read.

        Raises:
            Conflict: ``sequence.gap``.
        """
        self.sequencer.feed(offset, Incoming(payload, ingest_ns))

    def take_command(self, offset: int, payload: bytes, ingest_ns: int) -> None:
        """A message of the commands was read.

        Nobody can have seen more of the feed than we have, so a sender who says so is not waited for.

        Raises:
            Conflict: ``sequence.gap``.
        """
        command: Command | BadInput
        try:
            command = decode_command(payload)
        except BadInput as error:
            command = error
        seen_feed = command.seen_feed if isinstance(command, Command) else 0
        seen_feed = min(seen_feed, self.sequencer.known_feed)
        self.sequencer.command(offset, seen_feed, Incoming(payload, ingest_ns, command))

    def work(self) -> Work:
        """Do everything whose turn it is.

        Raises:
            Conflict: ``sequence.placed``.
        """
        for step in self.sequencer.steps():
            item = step.item
            if item.command is not None:
                self._join()
                self.commands = step.offset + 1
                self._command(step.offset, item, item.command)
            elif frames.is_frame(item.payload):
                self._frame(step.offset, item)
            else:
                self._join()
                self.feed = step.offset + 1
                self._message(step.offset, item)
        self._join()
        done, self._work = self._work, Work()
        return done

    # ---- one step ----

    def _frame(self, offset: int, item: Incoming) -> None:
        """Let a frame wait to be joined with its neighbours; what is wrong with it stops none of them."""
        machine = self.machine
        try:
            frame = frames.decode(item.payload, district=machine.district)
        except BadInput as error:
            self._join()
            self.feed = offset + 1
            self._unusable(0, offset, item, error)
            return
        readings = frame.readings
        if len(readings) and machine.recent.repeats(item.payload):
            machine.watch.wait("feed.repeated", readings.series.tolist())
            readings = _NO_READINGS
        readings, bad = frames.finite(readings)
        if len(bad):
            self._not_finite(offset, item, frame, bad)
        self._frames.append((offset, item.ingest_ns or frame.ingest_ns, readings))
        self._rows += len(readings)
        if self._rows >= JOINED_ROWS:
            self._join()

    def _not_finite(self, offset: int, item: Incoming, frame: Frame, bad: I64) -> None:
        """Keep readings that are no numbers as a frame of their own; their neighbours are detected."""
        series = frame.readings.series[bad].tolist()
        self.machine.watch.wait("feed.not_finite", series)
        kept = frames.take(frame.readings, bad[: (RAW_BYTES - frames.HEAD_BYTES) // frames.ROW_BYTES])
        error = BadInput(
            "frame.not_finite",
            f"{len(bad)} of {len(frame.readings)} readings are NaN or infinite, the first of series {series[0]};"
            " send nothing while there is no value",
            count=len(bad),
            series=series[:10],
        )
        raw = frames.pack(frame.district, frame.ingest_ns, [kept])
        self._work.dead.append(self._letter(0, offset, item.ingest_ns or frame.ingest_ns, error, raw))

    def _join(self) -> None:
        """Detect the waiting frames, as one batch."""
        waiting, self._frames, self._rows = self._frames, [], 0
        if not waiting:
            return
        ends = np.cumsum([len(readings) for _, _, readings in waiting])
        n = self.machine.n
        located = self.machine.located(Readings.join([readings for _, _, readings in waiting]))
        for position, body in located:
            offset, ingest_ns, _ = waiting[int(np.searchsorted(ends, position, side="right"))]
            self.feed = offset + 1
            self._emit(n, [body], ingest_ns)
            n += 1
        self.feed = waiting[-1][0] + 1
        self._work.stamps += [(ingest_ns, len(readings)) for _, ingest_ns, readings in waiting]

    def _message(self, offset: int, item: Incoming) -> None:
        try:
            message = decode_feed(item.payload)
        except BadInput as error:
            self._unusable(0, offset, item, error)
            return
        n = self.machine.n
        self._emit(n, self.machine.message(message), item.ingest_ns or getattr(message, "ingest_ns", 0))
        self._work.stamps.append((item.ingest_ns, 0))

    def _command(self, offset: int, item: Incoming, command: Command | BadInput) -> None:
        if isinstance(command, BadInput):
            self._unusable(1, offset, item, command)
            return
        n = self.machine.n
        self._emit(n, self.machine.command(command), item.ingest_ns or command.ingest_ns)
        self._work.stamps.append((item.ingest_ns or command.ingest_ns, 0))

    def _unusable(self, log: int, offset: int, item: Incoming, error: BadInput) -> None:
        self._work.dead.append(self._letter(log, offset, item.ingest_ns, error, item.payload[:RAW_BYTES]))
        n = self.machine.n
        self._emit(n, self.machine.unusable(error), item.ingest_ns)

    def _letter(self, log: int, offset: int, ingest_ns: int, error: BadInput, raw: bytes) -> DeadLetter:
        return DeadLetter(
            id=derive("D", self.topics[log], self.machine.district, offset),
            code=error.code,
            message=error.message,
            source=("feed", "commands")[log],
            ingest_ns=ingest_ns,
            args=error.details | {"district": self.machine.district, "offset": offset},
            raw=raw,
        )

    def _emit(self, n: int, bodies: Sequence[Body], ingest_ns: int) -> None:
        for i, body in enumerate(bodies):
            output = Output(n=n + i, feed=self.feed, commands=self.commands, body=body)
            payload = encode(output)
            before = self._sent.pop(output.n, None)
            sent = before == zlib.crc32(payload)
            if before is not None and not sent:
                self._work.differing.append(output.n)
            self._work.emissions.append(Emission(output, None if sent else payload, ingest_ns))
