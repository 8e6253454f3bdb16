"""A city's feed in frames as ingest cuts them, at a rate or as fast as it goes; and how far behind it a worker is."""

import asyncio
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from bench._filling import HIGH, T0
from bench._stack import Stack
from yiwang import frames
from yiwang.broker import start_consumer, start_producer
from yiwang.clock import SECOND
from yiwang.codec import decode_output, encode
from yiwang.columns import Readings
from yiwang.model import Acknowledge, Command, CommandResult, Tick
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT

ROWS = 5000
"""Readings a frame at most, as ingest's settings have it."""
PIECES = 20
"""In so many pieces a second is sent: the age of a frame in ingest's settings."""
ASK_S = 0.2
"""So often each district is asked how far it is."""


class Feed:
    """Writes the feed of all districts; each series reports once in a second of event time.

    Args:
        series: of the whole city.
        begins: next offsets of the feed, by district; nobody else writes there.

    Attributes:
        written: readings so far.
    """

    def __init__(self, stack: Stack, run: Run, series: int, begins: Sequence[int]) -> None:
        self._stack, self._run, self._begins = stack, run, begins
        self._own = series // run.districts
        self._second = 0
        chance = np.random.default_rng(1)
        self._noise = np.round(5 + chance.normal(0, 0.3, (8, self._own)), 2)
        self._zeros = np.zeros(self._own, np.uint8)
        self._sent = [array("q") for _ in begins]  # wall clock of each message, by district
        self.written = 0

    async def __aenter__(self) -> Self:
        self._producer = await start_producer(self._stack.kafka, client_id="bench-feed")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    @property
    def ends(self) -> list[int]:
        """Next offsets of the feed."""
        return [begin + len(sent) for begin, sent in zip(self._begins, self._sent, strict=True)]

    def behind_s(self, district: int, feed: int, now_ns: int) -> float:
        """Age at that time of the message that stands at offset ``feed``; 0 where none had been sent."""
        at = feed - self._begins[district]
        sent = self._sent[district]
        return max(0.0, (now_ns - sent[at]) / SECOND) if at < len(sent) else 0.0

    async def write(self, readings: float) -> int:
        """At least so many readings, as fast as the broker takes them; returns how many."""
        before = self.written
        while self.written < before + readings:
            await self._one_second(0.0, 0.0)
        await self._producer.flush()
        return self.written - before

    async def flow(self, rate: float) -> None:
        """So many readings a second, until cancelled."""
        began_s, before = time.perf_counter(), self.written
        while True:
            await self._one_second(began_s + (self.written - before) / rate, rate)

    async def _one_second(self, due_s: float, rate: float) -> None:
        """A second of event time of all districts, each piece when it is due."""
        self._second += 1
        t_ns = T0 + self._second * SECOND
        value = self._noise[self._second % len(self._noise)].copy()
        value[(HIGH - self._second * self._own) % HIGH :: HIGH] += 30
        rows = min(ROWS, max(1, round(rate / self._run.districts / PIECES))) if rate else ROWS
        for at in range(0, self._own, rows):
            cut = slice(at, min(at + rows, self._own))
            count = cut.stop - cut.start
            batch = Readings(
                series=np.arange(cut.start, cut.stop, dtype=np.int32),
                t_ns=np.full(count, t_ns) + np.arange(cut.start, cut.stop),
                value=value[cut],
                quality=self._zeros[cut],
            )
            if rate:
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                due_s += count * self._run.districts / rate
            for district in range(self._run.districts):
                frame = frames.Frame(district=district, ingest_ns=time.time_ns(), readings=batch)
                await self._send(district, frames.encode(frame))
                self.written += count
        for district in range(self._run.districts):
            await self._send(district, encode(Tick(t_ns=t_ns + SECOND)))

    async def _send(self, district: int, payload: bytes) -> None:
        await self._producer.send(self._run.topics.feed, payload, partition=district)
        self._sent[district].append(time.time_ns())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a district said to a command that changes nothing.

    Attributes:
        at_ns: wall clock when it was worked on.
        waited_s: since it was sent.
        feed: position in the feed at which that was.
    """

    at_ns: int
    waited_s: float
    feed: int


class Asker:
    """Asks every district again and again how far it is: by commands, which overtake the feed.

    Attributes:
        answers: by district, in order.
    """

    def __init__(self, stack: Stack, run: Run) -> None:
        self._stack, self._run = stack, run
        self._asked: dict[str, int] = {}
        self.answers: list[list[Answer]] = [[] for _ in range(run.districts)]

    async def __aenter__(self) -> Self:
        self._consumer = await start_consumer(
            self._stack.kafka, self._run.topics.outputs, client_id="bench-ear"
        )
        self._producer = await start_producer(self._stack.kafka, client_id="bench-asker")
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._ask())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()

    def since(self, ns: int) -> list[list[Answer]]:
        """What was said since then, by district."""
        return [[a for a in said if a.at_ns > ns] for said in self.answers]

    async def _ask(self) -> None:
        n = 0
        while True:
            await asyncio.sleep(ASK_S)
            n += 1
            for district in range(self._run.districts):
                now_ns = time.time_ns()
                id_ = f"ask-{district}-{n}"
                self._asked[id_] = now_ns
                command = Command(
                    command_id=id_, by="bench", t_ns=T0, ingest_ns=now_ns, action=Acknowledge(incident="none")
                )
                await self._producer.send(self._run.topics.commands, encode(command), partition=district)

    async def _listen(self) -> None:
        async for record in self._consumer:
            if b"ask-" not in record.value:
                continue
            output = decode_output(record.value)
            if isinstance(output.body, CommandResult):
                at_ns = int(dict(record.headers)[HEADER_AGENT])
                asked_ns = self._asked.pop(output.body.command_id, 0)
                if asked_ns:
                    waited_s = (at_ns - asked_ns) / SECOND
                    self.answers[record.partition].append(Answer(at_ns, waited_s, output.feed))
