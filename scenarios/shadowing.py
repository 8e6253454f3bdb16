"""Carries a parameter set beside a run: reads its logs and its kept states, changes nothing of it.

Where the run's workers have kept a state with its offsets, that is a consistent cut through feed, commands and outputs;
a comparison always ends at one. It begins at one too when only what comes is followed, else at a moment of the logs
with a warm-up before it, in which detectors see what they need.
"""

from typing import Self

import asyncpg

from scenarios.beside import Beside, Message
from scenarios.sets import ParameterSet
from sql import query
from sql.pool import coded, pool
from streams.log_reader import LogReader
from streams.machine import DistrictMachine
from streams.snapshots import Saved, Snapshots
from yiwang.clock import MILLISECOND, SECOND
from yiwang.errors import Conflict
from yiwang.fencing import Fence
from yiwang.registry import Registry
from yiwang.topics import HEADER_INGEST, Topics

WARM_UP_S = 1800.0


class Shadowing:
    """All districts of a run, each with its shadow. Use as ``async with await Shadowing.start(…)``."""

    def __init__(self, topics: Topics, reader: LogReader, db: asyncpg.Pool, dsn: str) -> None:
        self._topics, self._reader, self._db, self._dsn = topics, reader, db, dsn
        self._outputs: dict[int, int] = {}
        self._fences: dict[int, Fence] = {}
        self.districts: dict[int, Beside] = {}

    @classmethod
    async def start(
        cls,
        set_: ParameterSet,
        topics: Topics,
        *,
        bootstrap: str,
        dsn: str,
        since_ns: int | None,
        warm_up_s: float = WARM_UP_S,
    ) -> Self:
        """Connect, and make every district's shadow.

        Args:
            set_: its overrides are added to the run's rules.
            topics: of the run.
            bootstrap: of Kafka.
            dsn: of the database.
            since_ns: compare what was raised from this moment (wall clock of the logs) on; 0: from the beginning of
                the logs; None: only what comes, from the newest kept state on.
            warm_up_s: read so much before that.

        Raises:
            Conflict: ``shadow.nothing`` when no worker of the run has kept a state yet.
            BadInput: ``domain.…`` when the set does not fit the run's rules.
            YiwangError: of Kafka and the database.
        """
        reader = await LogReader.start(bootstrap, f"yiwang-shadow-{topics.run}")
        db = await pool(dsn, topics.schema, 1)
        shadowing = cls(topics, reader, db, dsn)
        try:
            saved = await shadowing._saved()
            for number, state in saved.items():
                shadowing.districts[number] = await shadowing._begin(set_, state, since_ns, warm_up_s)
        except BaseException:
            await shadowing.stop()
            raise
        return shadowing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Disconnect."""
        await self._reader.stop()
        await self._db.close()

    async def catch_up(self) -> int:
        """Take everything up to the newest kept states; returns how many messages of the feeds that were."""
        taken = 0
        async with coded(self._dsn):
            cuts = {r[0]: r for r in await self._db.fetch(query("scenario/snapshot_positions"))}
        for number, beside in self.districts.items():
            _, feed, commands, outputs = cuts[number]
            for _, payload in await self._read(
                self._topics.outputs, number, self._outputs[number], outputs, self._fences[number]
            ):
                beside.outputs([payload])
            self._outputs[number] = max(outputs, self._outputs[number])
            log = await self._read(self._topics.feed, number, beside.feed, feed)
            asked = await self._read(self._topics.commands, number, beside.commands, commands)
            beside.logs(log, asked)
            taken += len(log)
        return taken

    async def _saved(self) -> dict[int, Saved]:
        async with coded(self._dsn):
            rows = await self._db.fetch(query("scenario/snapshot_positions"))
        snapshots = Snapshots(self._dsn, self._topics.schema, "district")
        try:
            self._fences = {r[0]: Fence(await snapshots.said_by(r[0])) for r in rows}
            found = {r[0]: await snapshots.load(r[0]) for r in rows}
        finally:
            await snapshots.close()
        if not found:
            raise Conflict(
                "shadow.nothing",
                f"no worker of run {self._topics.run} has kept a state yet: is yiwang streams district running?",
                run=self._topics.run,
            )
        return {number: saved for number, saved in sorted(found.items()) if saved is not None}

    async def _begin(
        self, set_: ParameterSet, saved: Saved, since_ns: int | None, warm_up_s: float
    ) -> Beside:
        number, machine = saved.district, DistrictMachine.load(saved.state)
        book, rulebook = machine.watch.book, machine.watch.rulebook
        rules = rulebook.rules if rulebook else None
        if since_ns is None:
            self._outputs[number] = saved.outputs
            return Beside(
                machine, set_, feed=saved.feed, commands=saved.commands, from_ns=machine.now_ns, rules=rules
            )
        begin_ns = max(0, since_ns - round(warm_up_s * SECOND))
        logs = (self._topics.feed, self._topics.commands, self._topics.outputs)
        feed, commands, outputs = await self._reader.at(
            [(log, number) for log in logs], begin_ns // MILLISECOND
        )
        self._outputs[number] = outputs
        self._fences[number] = Fence()
        registry = Registry(
            version=book.version, places=tuple(book.places.values()), devices=tuple(book.devices.values())
        )
        whole = feed == 0  # the feed's own beginning brings rules and registry
        return Beside(
            DistrictMachine(number),
            set_,
            feed=feed,
            commands=commands,
            from_ns=since_ns,
            rules=None if whole else rules,
            registry=None if whole else registry,
        )

    async def _read(
        self, topic: str, number: int, start: int, end: int, fence: Fence | None = None
    ) -> list[Message]:
        if start >= end:
            return []
        log = self._reader.read(topic, number, start, HEADER_INGEST, upto=end, fence=fence)
        return [(offset, payload) async for offset, payload, _ in log]
