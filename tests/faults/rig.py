"""The whole system on its real services, with hands to kill, stop and restart every part of it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiokafka
from aiokafka.errors import KafkaError

from ingest.feeder import Feeder
from scenarios.player import Player
from scenarios.running import prepare
from scenarios.workers import SimulatedStaff
from sql import query
from sql.errors import DRIVER_ERRORS
from sql.pool import connect
from tests.faults import town
from tests.faults.desk import Desk
from tests.faults.witness import Witness
from yiwang.broker import start_consumer, start_producer
from yiwang.clock import SystemClock
from yiwang.codec import decode_output
from yiwang.commands._processes import Services, child, start_all, stream_children
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.ports import free_port
from yiwang.embedded.postgres import EmbeddedPostgres
from yiwang.embedded.supervise import Child, Supervisor
from yiwang.errors import Unavailable, YiwangError
from yiwang.fencing import MARK
from yiwang.runs import Run

PATIENCE_S = 120.0
"""No part of the system may take so long to come back."""
CREW_SPEED = 60.0
TP = aiokafka.TopicPartition


@dataclass
class Ground:
    """Broker and database, on ports that stay the same over restarts, with durable storage as in production."""

    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres
    folder: Path

    def broker_again(self, *, clean: bool) -> None:
        """Restart the broker: in order, or after ``kill -9``."""
        if not clean:
            _kill(self.kafka.pid, signal.SIGKILL)
        self.kafka.stop()
        self.kafka.start()

    def database_again(self, *, immediate: bool) -> None:
        """Restart the database: fast, or as after a crash (it recovers from its log)."""
        if immediate:
            _kill(self.postgres.pid, signal.SIGQUIT)
        self.postgres.stop()
        self.postgres.start()


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Start both, stop both."""
    with (
        EmbeddedKafka(folder / "kafka", port=free_port(), controller_port=free_port()) as kafka,
        EmbeddedPostgres(folder / "postgres", port=free_port()) as postgres,
    ):
        yield Ground(kafka, postgres, folder)


def _kill(pid: int | None, number: signal.Signals) -> None:
    assert pid is not None
    os.kill(pid, number)


class City:
    """A run with all its processes, under load, with crews at work and somebody who looks on.

    Attributes:
        load: the gauges.
        witness: the screen that looks on.
        children: names by role: district0, district1, persist0, city0, ingest, serve.
    """

    def __init__(self, at: Ground, run: Run, supervisor: Supervisor, children: dict[str, Child]) -> None:
        self.ground, self.run, self.supervisor, self.children = at, run, supervisor, children
        self.load: town.Load
        self.witness: Witness
        self._extra = 0
        self._said: dict[int, tuple[int, int]] = {}  # where the newest outputs stand in feed and commands

    # ---- faults ----

    async def kill(self, *roles: str) -> None:
        """``kill -9``, all at the same moment; returns when they are back and ready."""
        counts = {role: self._of(role, self.supervisor.restarts) for role in roles}
        for role in roles:
            self.supervisor.kill(self._name(role))
        for role in roles:
            await self._restarted(role, counts[role] + 1)

    async def pause(self, *roles: str, seconds: float) -> None:
        """Stop processes as a paused machine or a long break of the network does, and let them go on.

        Whoever the supervisor ends meanwhile is not there any more to go on.
        """
        pids = {role: self._of(role, self.supervisor.pid) for role in roles}
        for role in roles:
            self.supervisor.kill(self._name(role), signal.SIGSTOP)
        await asyncio.sleep(seconds)
        for role, pid in pids.items():
            if self._of(role, self.supervisor.pid) == pid:
                self.supervisor.kill(self._name(role), signal.SIGCONT)

    async def all_deaf(self, roles: Collection[str]) -> None:
        """Wait until the consumers of these roles give nothing any more."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(self._is_deaf(role) for role in roles):  # noqa: ASYNC110  a file tells nobody
                await asyncio.sleep(0.2)

    def _is_deaf(self, role: str) -> bool:
        return (self.ground.folder / self.run.name / f"deaf-{role}").exists()

    def restarts(self, role: str) -> int:
        """How often a process was started again."""
        return self._of(role, self.supervisor.restarts)

    def silences(self, role: str) -> int:
        """How often the supervisor has ended a process because it gave no sign of life."""
        return self._of(role, self.supervisor.silences)

    async def rebalance(self, between: Callable[[], Awaitable[None]]) -> None:
        """Another district worker joins, works, and leaves in order."""
        self._extra += 1
        model = self.children["district0"]
        name = self._name(f"extra{self._extra}")
        env = {**model.env, "YIWANG_WORKER": f"extra{self._extra}"}
        await asyncio.to_thread(self.supervisor.start, replace(model, name=name, env=env))
        await between()
        await asyncio.to_thread(self.supervisor.end, name)

    def _name(self, role: str) -> str:
        return f"{self.run.name}-{role}"

    def _of(self, role: str, what: Callable[[str], int]) -> int:
        return what(self._name(role))

    async def _restarted(self, role: str, count: int) -> None:
        await asyncio.to_thread(self.supervisor.wait_for_restart, self._name(role), count, PATIENCE_S)

    # ---- how far everything is ----

    async def recovered(self) -> None:
        """Return when all that is in the logs now is decided, stored and on the screen, and more was accepted."""
        async with asyncio.timeout(PATIENCE_S):
            await self.load.more()
            goals = await self.ends()
            await self.through(goals)

    async def ends(self) -> dict[TP, int]:
        """Next offsets of all logs of the run, as soon as the broker tells them."""
        topics = self.run.topics
        parts = [
            TP(name, p)
            for name in (topics.feed, topics.commands, topics.outputs)
            for p in range(self.run.districts)
        ]
        while True:
            try:
                consumer = await start_consumer(self.ground.kafka.bootstrap, client_id="faults-ends")
                try:
                    found: dict[TP, int] = await consumer.end_offsets(parts)
                    return found
                finally:
                    await consumer.stop()
            except (KafkaError, OSError, Unavailable):
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Meanwhile the outputs are read, for how far the districts are; kept states tell that later."""
        consumer = await start_consumer(self.ground.kafka.bootstrap, client_id="faults-follow")

        async def follow() -> None:
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        if record.value != MARK:
                            output = decode_output(record.value)
                            feed, commands = self._said.get(tp.partition, (0, 0))
                            self._said[tp.partition] = (
                                max(feed, output.feed),
                                max(commands, output.commands),
                            )

        consumer.assign([TP(self.run.topics.outputs, d) for d in range(self.run.districts)])
        following = asyncio.create_task(follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await consumer.stop()

    async def through(self, goals: dict[TP, int]) -> None:
        """Wait until what is decided, what is stored and what the screen has seen stand at ``goals`` or further."""
        behind: dict[str, int] = {}
        try:
            while behind := await self._behind(goals):  # noqa: ASYNC110  neither log nor table tells anybody
                await asyncio.sleep(0.1)
        except (TimeoutError, asyncio.CancelledError):
            print(f"behind: {behind}")
            raise

    async def _behind(self, goals: dict[TP, int]) -> dict[str, int]:
        topics = self.run.topics
        try:
            db = await connect(self.ground.postgres.dsn, topics.schema)
            try:
                safe = {r[0]: r for r in await db.fetch(query("scenario/snapshot_positions"))}
                stored = {(r[0], r[1]): r[2] for r in await db.fetch(query("scenario/persisted"))}
            finally:
                await db.close()
        except (*DRIVER_ERRORS, YiwangError) as error:
            return {f"database: {error}": 1}
        behind: dict[str, int] = {}
        for d in range(self.run.districts):
            feed, commands, outputs = (
                goals.get(TP(name, d), 0) for name in (topics.feed, topics.commands, topics.outputs)
            )
            _, at_feed, at_commands, _ = safe.get(d, (d, 0, 0, 0))
            said_feed, said_commands = self._said.get(d, (0, 0))
            at_feed, at_commands = max(at_feed, said_feed), max(at_commands, said_commands)
            far = {
                "decided": (feed, at_feed),
                "commanded": (commands, at_commands),
                "stored": (feed, stored.get((topics.feed, d), 0)),
                "told": (outputs, stored.get((topics.outputs, d), 0)),
                "seen": (outputs, self.witness.client.at.get(str(d), -1) + 1),
            }
            behind |= {f"{what}[{d}]": end - at for what, (end, at) in far.items() if at < end}
        return behind

    async def finish(self) -> None:
        """After the last reading and command: all that was put out is stored and on the screen, all processes end."""
        async with asyncio.timeout(PATIENCE_S):
            await self.through(await self.ends())  # the crews have stopped: no more commands
            await self._end("ingest", "city0")
            await self._end(*(role for role in self.children if role.startswith("district")))
            outputs = {
                tp: end for tp, end in (await self.ends()).items() if tp.topic == self.run.topics.outputs
            }
            await self.through(outputs)
        await self._end("persist0", "serve")

    async def _end(self, *roles: str) -> None:
        await asyncio.gather(*(asyncio.to_thread(self.supervisor.end, self._name(role)) for role in roles))


@asynccontextmanager
async def city(
    at: Ground,
    name: str,
    *,
    districts: int = 3,
    workers: int = 2,
    silent_s: float | None = None,
    deaf: Collection[str] = (),
) -> AsyncIterator[City]:
    """A run of its own with everything started.

    Args:
        at: broker and database.
        name: of the run.
        districts: how many.
        workers: district workers.
        silent_s: after so long a silent process is ended by the supervisor; None: never, so that it wakes up again.
        deaf: roles whose consumer gives nothing any more after a while, once (``tests.faults.deaf``).
    """
    run = Run(name=name, kind="live", ticks="agent", districts=districts)
    opened = town.scenario(districts)
    (at.folder / name).mkdir(exist_ok=True)
    where = Services(kafka=at.kafka.bootstrap, database=at.postgres.dsn, folder=at.folder / name)
    await prepare(run, opened, bootstrap=where.kafka, dsn=where.database)
    await open_run(run, opened, where)
    ports = [free_port() for _ in range(3)]
    made = [
        child(f"{name}-serve", ["serve"], where, run=name, port=ports[0], socket_port=ports[1]),
        child(f"{name}-ingest", ["ingest"], where, run=name, ingest_port=ports[2]),
        *stream_children(where, run=name, workers=workers, city=True),
    ]
    made = [replace(c, silent_s=silent_s) for c in made]
    for role in deaf:
        k = next(k for k, c in enumerate(made) if c.name == f"{name}-{role}")
        argv = [sys.executable, "-m", "tests.faults.deaf", *made[k].argv[3:]]
        made[k] = replace(
            made[k], argv=argv, env={**made[k].env, "YIWANG_TEST_DEAF": str(where.folder / f"deaf-{role}")}
        )
    with Supervisor(where.folder, max_restarts=1000, on_event=_tell) as supervisor:
        await asyncio.to_thread(start_all, supervisor, made)
        one = City(at, run, supervisor, {c.name.removeprefix(f"{name}-"): c for c in made})
        socket = f"ws://127.0.0.1:{ports[1]}/"
        units = [u for r in opened.registries.values() for u in r.units]
        async with one.followed(), Witness(socket) as one.witness:
            async with (
                town.Load(f"127.0.0.1:{ports[2]}", districts) as one.load,
                SimulatedStaff(socket, units, clock=SystemClock(), speed=CREW_SPEED),
                AsyncExitStack() as desks,
            ):
                for district in range(districts):
                    await desks.enter_async_context(Desk(socket, district))
                if not deaf:
                    await one.recovered()
                yield one
                async with asyncio.timeout(PATIENCE_S):
                    await one.load.stop()
                    await one.through(await one.ends())
            await one.finish()


async def open_run(run: Run, opened: town.Scenario, where: Services) -> None:
    """What a run begins with: its registries and rules."""
    producer = await start_producer(where.kafka, client_id=f"faults-open-{run.name}")
    try:
        clock = SystemClock()
        async with Feeder(producer, run.topics, clock=clock, frame_ms=20, frame_rows=1000) as feeder:
            await Player(opened, feeder, clock, speed=0.0).open()
    finally:
        await producer.stop()


def _tell(name: str, event: str, detail: str) -> None:
    print(json.dumps({"name": name, "event": event, "detail": detail[:200]}))
