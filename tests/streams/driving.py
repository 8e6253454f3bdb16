"""Real workers on real Kafka and PostgreSQL: a lively feed, people who answer, and what came out."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import psycopg

from sql import migrate, query
from streams import direct
from tests.streams.world import CLASSES, T0, Item, Reading, registry
from yiwang import frames
from yiwang.broker import drop_topics, ensure_topics, start_consumer, start_producer
from yiwang.clock import SECOND
from yiwang.codec import decode_feed, decode_output, encode
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.fencing import Fence
from yiwang.frames import Frame
from yiwang.model import (
    Acknowledge,
    Action,
    Body,
    Case,
    CloseCase,
    Command,
    CommandResult,
    Incident,
    Order,
    Output,
    RegistryChange,
    RulesChange,
    SendReceipt,
    Tick,
    VideoEvent,
)
from yiwang.runs import Run
from yiwang.topics import HEADER_INGEST

PATIENCE_S = 60.0
COARSE = load_rules(tick_s=10.0)  # a tick of a minute runs few grid points
_NEXT = {"sent": "accepted", "accepted": "en_route", "en_route": "on_scene", "on_scene": "done"}


class Worker:
    """A ``yiwang streams`` process."""

    def __init__(self, role: str, name: str, env: dict[str, str]) -> None:
        self.role, self.name, self._env = role, name, env
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> Self:
        """Start it; does not wait until it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "yiwang", "streams", self.role, "--worker", self.name,
            env=self._env, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return self

    async def ready(self) -> dict[str, Any]:
        """Its next ready line."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        assert line, f"{self.role} {self.name} ended with {await self.process.wait()}"
        facts: dict[str, Any] = msgspec.json.decode(line)
        return facts

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            await self.process.communicate()
        return self.process.returncode or 0


class Drive:
    """A run with its topics and schema, fed and answered by the test."""

    def __init__(self, bootstrap: str, dsn: str, *, districts: int, seed: int, ticks: str = "player") -> None:
        self.bootstrap, self.dsn, self.districts = bootstrap, dsn, districts
        self.chance = Random(seed)
        self.run = Run(
            name=f"t{uuid.uuid4().hex[:10]}", kind="replay", ticks="agent" if ticks == "agent" else "player",
            districts=districts,
        )  # fmt: skip
        self.topics = self.run.topics
        self.fed: dict[int, list[bytes]] = {d: [] for d in range(districts)}
        self.said: dict[int, list[Output]] = {d: [] for d in range(districts)}
        self._next = dict.fromkeys(range(districts), 0)
        self.commands: dict[int, list[Command]] = {d: [] for d in range(districts)}
        self.now_ns = T0
        self._steps = 0
        self.heard = asyncio.Condition()
        self.answering = True
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(migrate, self.dsn, self.run)
        await ensure_topics(self.bootstrap, self.topics, self.districts)
        self._producer = await start_producer(self.bootstrap, client_id="test")
        self._consumer = await start_consumer(self.bootstrap, self.topics.outputs, client_id="test")
        self._tasks.append(asyncio.create_task(self._listen()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            await worker.end(signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()
        await drop_topics(self.bootstrap, self.topics)

    # ---- processes ----

    def worker(self, role: str, name: str, database: str = "") -> Worker:
        """A worker of this run, on the database or another way to it; killed at the end at the latest."""
        env = os.environ | {
            "YIWANG_KAFKA": self.bootstrap,
            "YIWANG_DATABASE": database or self.dsn,
            "YIWANG_RUN": self.run.name,
            "YIWANG_SNAPSHOT_S": "0.3",
            # their ready lines would say where, and their files would lie in the checkout
            "YIWANG_METRICS_PORT": "-1",
        }
        worker = Worker(role, name, env)
        self._workers.append(worker)
        return worker

    # ---- feed ----

    async def feed(self, district: int, item: Item | Readings | bytes) -> None:
        """Put one thing on the feed."""
        if isinstance(item, bytes):
            payload = item
        elif isinstance(item, Readings):
            payload = frames.encode(Frame(district=district, ingest_ns=7, readings=item))
        else:
            assert not isinstance(item, Reading)
            payload = encode(item)
        self.fed[district].append(payload)
        await self._producer.send_and_wait(
            self.topics.feed, payload, partition=district, headers=[(HEADER_INGEST, b"7")]
        )

    async def open(self) -> None:
        """Rules and registry into every district."""
        for district in range(self.districts):
            await self.feed(district, RulesChange(rules=COARSE))
            await self.feed(district, RegistryChange(registry=registry(district)))

    async def step(self, *, tick: bool = True) -> None:
        """A minute of event time in every district: frames, perhaps a sighting, a tick; hours wet and dry."""
        self.now_ns += 60 * SECOND
        self._steps += 1
        wet = self._steps % 80 < 20
        for district in range(self.districts):
            for _ in range(self.chance.randint(1, 3)):
                rows = [
                    (
                        self.chance.randint(0, 10),
                        self.now_ns - self.chance.randint(0, 90 * SECOND),
                        self.chance.choice([4.0, 9.0, 18.0, 29.0, 60.0]) if wet else 0.0,
                        0,
                    )
                    for _ in range(self.chance.randint(1, 12))
                ]
                await self.feed(district, Readings.of(rows))
            if wet and self.chance.random() < 0.3:
                await self.feed(
                    district,
                    VideoEvent(
                        event_id=uuid.uuid4().hex,
                        device=f"d{district}-c1",
                        event_class=self.chance.choice(CLASSES),
                        confidence=0.9,
                        t_ns=self.now_ns,
                        ingest_ns=7,
                    ),
                )
            if self.chance.random() < 0.05:
                await self.feed(district, self.chance.choice([b"YWF1 broken", b"{}", b""]))
            if tick:
                await self.feed(district, Tick(t_ns=self.now_ns))

    async def steps(self) -> None:
        """Feed until cancelled, many times faster than life but not far ahead of the workers."""
        while True:
            await self.step()
            with contextlib.suppress(TimeoutError):  # in dry hours nobody says anything
                async with asyncio.timeout(0.3), self.heard:
                    await self.heard.wait_for(self._near)

    def _near(self) -> bool:
        return all(said and len(self.fed[d]) - said[-1].feed < 100 for d, said in self.said.items())

    # ---- people ----

    async def command(self, district: int, action: Action, seen_feed: int) -> None:
        """A decision, with the feed position of what it answers."""
        n = len(self.commands[district])
        command = Command(
            command_id=f"{district}-{n}",
            by="desk-test",
            t_ns=self.now_ns,
            ingest_ns=9,
            action=action,
            seen_feed=seen_feed,
        )
        self.commands[district].append(command)
        await self._producer.send_and_wait(self.topics.commands, encode(command), partition=district)

    async def _listen(self) -> None:
        fences = {d: Fence() for d in range(self.districts)}
        async for record in self._consumer:
            district = record.partition
            if not fences[district].counts(record.value, record.headers):
                continue
            output = decode_output(record.value)
            repeat = output.n < self._next[district]
            self._next[district] = max(self._next[district], output.n + 1)
            self.said[district].append(output)
            async with self.heard:
                self.heard.notify_all()
            if self.answering and not repeat:
                await self._answer(district, output)

    async def _answer(self, district: int, output: Output) -> None:
        match output.body:
            case Incident(state="open", acknowledged_by="", id=incident) if self.chance.random() < 0.3:
                await self.command(district, Acknowledge(incident=incident), output.feed)
            case Order(state=state, id=order) if state in _NEXT:
                receipt = _NEXT[state] if self.chance.random() < 0.9 else "declined"
                await self.command(district, SendReceipt(order=order, receipt=receipt), output.feed)  # type: ignore[arg-type]
            case Case(stage="checking", id=case):
                await self.command(district, CloseCase(case=case), output.feed)
            case _:
                pass

    # ---- what came of it ----

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something in the outputs."""
        async with asyncio.timeout(PATIENCE_S), self.heard:
            await self.heard.wait_for(true)

    async def more(self, count: int = 20) -> None:
        """Wait until every district has said so much more."""
        goals = {d: len(said) + count for d, said in self.said.items()}
        await self.until(lambda: all(len(self.said[d]) >= goal for d, goal in goals.items()))

    async def settled(self) -> None:
        """Wait until the kept states stand for everything that was sent."""
        self.answering = False
        async with asyncio.timeout(PATIENCE_S):
            goal = {d: (len(self.fed[d]), len(self.commands[d])) for d in range(self.districts)}
            while await asyncio.to_thread(self._positions) != goal:  # noqa: ASYNC110  the database tells nobody
                await asyncio.sleep(0.1)

    def _positions(self) -> dict[int, tuple[int, int]]:
        with psycopg.connect(
            self.dsn, cursor_factory=psycopg.RawCursor, options=f"-c search_path={self.topics.schema}"
        ) as connection:
            rows = connection.execute(query("scenario/snapshot_positions")).fetchall()
        return {district: (feed, commands) for district, feed, commands, _ in rows}

    async def ticks(self, count: int) -> dict[int, list[int]]:
        """Wait for so many ticks on the feed of each district; their times."""
        found: dict[int, list[int]] = {d: [] for d in range(self.districts)}
        consumer = await start_consumer(self.bootstrap, self.topics.feed, client_id="test")
        try:
            async with asyncio.timeout(PATIENCE_S):
                while any(len(times) < count for times in found.values()):
                    record = await consumer.getone()
                    if b'"tick"' in record.value:
                        message = decode_feed(record.value)
                        assert isinstance(message, Tick)
                        found[record.partition].append(message.t_ns)
        finally:
            await consumer.stop()
        return found

    def outputs(self, district: int) -> dict[int, Output]:
        """By number; a repeat must be the same to the last bit."""
        found: dict[int, Output] = {}
        for output in self.said[district]:
            assert found.setdefault(output.n, output) == output
        assert list(found) == list(range(len(found)))
        return found

    def undisturbed(self, district: int) -> list[Body]:
        """The same feed straight through a machine, each command where its result says it took effect."""
        placed: dict[int, list[Command]] = {}
        commands = {c.command_id: c for c in self.commands[district]}
        for output in self.outputs(district).values():
            if isinstance(output.body, CommandResult):
                placed.setdefault(output.feed, []).append(commands.pop(output.body.command_id))
        assert not commands, "every command has its result"
        messages: list[tuple[int, bytes]] = []
        for offset, payload in enumerate([*self.fed[district], b""]):
            messages += [(district, encode(c)) for c in placed.get(offset, ())]
            messages.append((district, payload))
        return [output.body for _, output in direct.run(messages[:-1])]


class Relay:
    """A way to the database that can be cut."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def dsn(self) -> str:
        """The database by this way."""
        far = urlsplit(self._dsn)
        return self._dsn.replace(f"{far.hostname}:{far.port}", f"127.0.0.1:{self._port}")

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self._dsn)
        far = await asyncio.open_connection(parts.hostname, parts.port)
        self._writers |= {writer, far[1]}
        for source, sink in ((reader, far[1]), (far[0], writer)):
            task = asyncio.create_task(_pump(source, sink))
            self._tasks.add(task)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
