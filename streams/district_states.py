"""Keeping the states of a worker's districts: what must be done between two steps is short, the rest is done beside."""

import asyncio
import time
from dataclasses import dataclass, field

from streams.blocks import Image
from streams.keeping import Figures
from streams.machine_codec import Camera, Frozen
from streams.partition import Partition
from streams.progress import Progress
from streams.snapshots import Cut, Snapshots
from streams.tally import Tally


@dataclass(slots=True)
class Held:
    """A district in this process."""

    partition: Partition
    progress: Progress
    outputs: int  # next offset of the outputs that the state knows of, as far as we know
    owner: int  # our ownership of it
    said_by: int  # the ownership in force at ``outputs``
    last: "asyncio.Future[int] | None" = None  # of the newest output put in the outbox
    kept: tuple[int, int] = (-1, -1)  # feed and commands in the newest snapshot
    tally: Tally = field(default_factory=Tally)
    camera: Camera = field(default_factory=Camera)
    figures: Figures = field(default_factory=Figures)

    @property
    def at(self) -> tuple[int, int]:
        """Feed and commands that the state stands for now."""
        return self.partition.feed, self.partition.commands


class Keeper:
    """Keeps one state at a time, by way of buffers that all districts share.

    Args:
        snapshots: where to.
    """

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._image = Image()

    async def keep(self, number: int, held: Held) -> float | None:
        """Keep a district's state as it is now, once the broker has all outputs up to it. One call at a time.

        Returns:
            What it cost, seconds of processor time of this process; ``None`` while the database is away.

        Raises:
            Conflict: ``snapshot.overtaken``.
        """
        await self._snapshots.settle()  # a save that nobody waited for may still read the buffers
        machine = held.partition.machine
        columns = held.camera.columns(machine)
        while not self._image.fits(columns):
            await asyncio.to_thread(self._image.reserve, columns)
            columns = held.camera.columns(machine)
        # no await from here on, so that nothing is worked on meanwhile
        taken_at_s, began_s = time.monotonic(), time.perf_counter()
        self._image.take(columns)
        frozen = held.camera.freeze(machine)
        at, last, caught_up = held.at, held.last, held.partition.caught_up
        pause_s = time.perf_counter() - began_s
        held.figures.paused(pause_s)
        things, things_s = await asyncio.to_thread(_things, held.camera, frozen)
        if last is not None:
            offset = await last  # now the broker has all outputs up to this state
            if caught_up:
                held.outputs, held.said_by = offset + 1, held.owner
        written = await self._snapshots.save(
            Cut(
                district=number,
                columns=self._image.columns,
                parts={**self._image.parts(), **things},
                feed=at[0],
                commands=at[1],
                outputs=held.outputs,
                owner=held.owner,
                said_by=held.said_by,
            )
        )
        figures = held.figures
        if written is None:
            figures.missed += 1
            return None
        held.kept = at
        figures.state_bytes, figures.stored_bytes = written.state_bytes, written.stored_bytes
        figures.blocks, figures.changed_blocks = written.blocks, written.changed
        cpu_s = pause_s + things_s + written.cpu_s
        figures.done(taken_at_s, time.monotonic(), cpu_s)
        return cpu_s


def _things(camera: Camera, frozen: Frozen) -> tuple[dict[str, bytes], float]:
    """With the processor time that it took."""
    began_s = time.thread_time()
    things = camera.things(frozen)
    return things, time.thread_time() - began_s
