"""Plays a scenario into Kafka at a chosen speed, through the same feeder as every other feed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ingest.feeder import Feeder
from scenarios.model import Scenario
from scenarios.playing import Item, feed, opening
from yiwang.clock import SECOND, Clock
from yiwang.columns import Readings

WAVE = 2000  # items handed over before waiting for the broker, so that "as fast as it goes" stays bounded


@dataclass(slots=True)
class Progress:
    """How far a play is."""

    event_ns: int = 0
    readings: int = 0
    events: int = 0
    ticks: int = 0


class Player:
    """One play of a scenario.

    Args:
        speed: event seconds per second; 0 is as fast as it goes.
        cut_rows: most readings in a frame.
        ticks: whether the player sends the ticks (runs whose ``ticks`` is ``player``).
        tell: called after every item with the progress.
    """

    def __init__(
        self,
        scenario: Scenario,
        feeder: Feeder,
        clock: Clock,
        *,
        speed: float,
        cut_rows: int = 5000,
        ticks: bool = True,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self.scenario, self.feeder, self.clock = scenario, feeder, clock
        self.speed, self.cut_rows, self.ticks, self.tell = speed, cut_rows, ticks, tell
        self.progress = Progress(event_ns=scenario.start_ns)
        self._waiting: list[asyncio.Future[None]] = []

    async def open(self) -> None:
        """Send the rules and the registry; everything else follows them."""
        for item in opening(self.scenario):
            await self._send(item)
        await self._settle()

    async def play(self) -> None:
        """Send all the rest, each at its time, and wait until the broker has it."""
        begin_ns = self.clock.now_ns()
        cut_s = max(0.04 * self.speed, 0.001) if self.speed else 3600.0
        for item in feed(self.scenario, cut_rows=self.cut_rows, cut_s=cut_s, ticks=self.ticks):
            if self.speed:
                due_ns = begin_ns + (item.t_ns - self.scenario.start_ns) / self.speed
                ahead_s = (due_ns - self.clock.now_ns()) / SECOND
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
            await self._send(item)
            self.tell(self.progress)
            if len(self._waiting) >= WAVE:
                await self._settle()
        await self._settle()

    async def _send(self, item: Item) -> None:
        now_ns = self.clock.now_ns()
        progress = self.progress
        progress.event_ns = item.t_ns
        if isinstance(item.content, Readings):
            future = await self.feeder.readings(item.district, item.content, ingest_ns=now_ns)
            progress.readings += len(item.content)
        else:
            future = await self.feeder.message(item.district, item.content, ingest_ns=now_ns)
            progress.ticks += item.content.__class__.__name__ == "Tick"
            progress.events += item.content.__class__.__name__ == "VideoEvent"
        self._waiting.append(future)

    async def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        await self.feeder.flush()
        await asyncio.gather(*waiting)
