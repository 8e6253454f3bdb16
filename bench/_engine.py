"""Our own engine under measurement: a run with a large city, its feed filled with frames, real workers on it."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

import sql
from bench import _jobs
from bench._filling import T0, fill, filling
from bench._stack import Stack, spawn
from yiwang.broker import ensure_topics, start_consumer, start_producer
from yiwang.codec import encode
from yiwang.errors import Unavailable
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.registry import Registry
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT

DISTRICTS = 4
DEVICES_A_MESSAGE = 5000
FIRST_S = 60.0
START_LIMIT_S = 300.0
JOINED_ROWS = 100_000


def pieces(registry: Registry) -> list[Registry]:
    """A large registry as messages that Kafka takes; places first, for devices stand at them."""
    size = DEVICES_A_MESSAGE
    return [
        *(
            Registry(version=registry.version, places=registry.places[at : at + size])
            for at in range(0, len(registry.places), size)
        ),
        *(
            Registry(version=registry.version, devices=registry.devices[at : at + size])
            for at in range(0, len(registry.devices), size)
        ),
    ]


async def prepare(stack: Stack, series: int, *, ticks: str = "player", districts: int = DISTRICTS) -> Run:
    """A run whose feed begins with rules and ``series`` registered series in all."""
    run = Run(
        name=f"bench-{uuid.uuid4().hex[:8]}",
        kind="live" if ticks == "agent" else "replay",
        ticks="agent" if ticks == "agent" else "player",
        districts=districts,
    )
    await asyncio.to_thread(sql.migrate, stack.dsn, run)
    await ensure_topics(stack.kafka, run.topics, run.districts)
    producer = await start_producer(stack.kafka, client_id="bench-prepare")
    try:
        for district in range(districts):
            registry = _jobs.registry(series // districts, district)
            for message in (
                RulesChange(rules=_jobs.rules()),
                *(RegistryChange(registry=piece) for piece in pieces(registry)),
                *((Tick(t_ns=T0),) if ticks == "player" else ()),
            ):
                await producer.send(run.topics.feed, encode(message), partition=district)
        await producer.flush()
    finally:
        await producer.stop()
    return run


class Worker:
    """A ``yiwang`` process of a run under measurement.

    Args:
        core: the one core it may use; None: all.
    """

    def __init__(
        self, stack: Stack, run: Run, arguments: Sequence[str], *, core: int | None = None, **settings: object
    ) -> None:
        self.name = "-".join((run.name, *arguments))
        self.log = stack.folder / f"{self.name}-{uuid.uuid4().hex[:4]}.log"
        env = {
            "YIWANG_KAFKA": stack.kafka,
            "YIWANG_DATABASE": stack.dsn,
            "YIWANG_RUN": run.name,
            "YIWANG_LOG_JSON": "true",
            **{f"YIWANG_{k.upper()}": str(v) for k, v in settings.items()},
        }
        self.began_s = time.perf_counter()
        self.child: subprocess.Popen[str] = spawn(
            [sys.executable, "-m", "yiwang", *arguments], core=core, env=env, log=self.log
        )
        assert self.child.stdout is not None
        self.line: dict[str, object] = {}

    def ready(self) -> dict[str, object]:
        """Wait for its first line and return it.

        Raises:
            Unavailable: ``bench.worker`` with the end of its log.
        """
        assert self.child.stdout is not None
        text = self.child.stdout.readline()
        if not text:
            raise Unavailable(
                "bench.worker", f"{self.name} ended before it was ready:\n{self.log.read_text()[-3000:]}"
            )
        self.line = msgspec.json.decode(text)
        return self.line

    def cpu_s(self) -> float:
        """Processor time so far, seconds."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Resident memory now, or ``VmHWM``, the most so far."""
        for text in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if text.startswith(what + ":"):
                return int(text.split()[1]) / 1024
        return 0.0

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM, or SIGKILL, and wait."""
        if self.child.poll() is None:
            self.child.kill() if kill else self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(kill=True)


async def ends(stack: Stack, run: Run, topic: str) -> list[int]:
    """Next offset of each partition."""
    import aiokafka

    consumer = await start_consumer(stack.kafka, client_id="bench-ends")
    try:
        partitions = [aiokafka.TopicPartition(topic, p) for p in range(run.districts)]
        found = await consumer.end_offsets(partitions)
        return [found[p] for p in partitions]
    finally:
        await consumer.stop()


async def wait_for_state(stack: Stack, run: Run, feed: Sequence[int]) -> None:
    """Return when the safe state of every district is at these feed offsets."""
    from sql.pool import pool

    db = await pool(stack.dsn, run.topics.schema, 1)
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while True:
                safe = {r[0]: r[1] for r in await db.fetch(sql.query("scenario/snapshot_positions"))}
                if all(safe.get(p, 0) >= end for p, end in enumerate(feed)):
                    return
                await asyncio.sleep(0.1)
    finally:
        await db.close()


async def wait_until_stored(stack: Stack, run: Run, limit_s: float = START_LIMIT_S) -> int:
    """Return when all of the feed as it is now is stored, with the wall clock at that moment, ns."""
    from sql.pool import pool

    feed = await ends(stack, run, run.topics.feed)
    db = await pool(stack.dsn, run.topics.schema, 1)
    try:
        async with asyncio.timeout(limit_s):
            while True:
                stored = {(r[0], r[1]): r[2] for r in await db.fetch(sql.query("scenario/persisted"))}
                if all(stored.get((run.topics.feed, p), 0) >= end for p, end in enumerate(feed)):
                    return time.time_ns()
                await asyncio.sleep(0.05)
    finally:
        await db.close()


@dataclass(frozen=True, slots=True)
class Detected:
    """What stands in the outputs from some offsets on.

    Attributes:
        first_ns: agent's stamp of the earliest output, wall clock; last_ns: of the newest.
        outputs: how many.
    """

    first_ns: int
    last_ns: int
    outputs: int


async def detected(stack: Stack, run: Run, start: Sequence[int], *, quiet_s: float = 5.0) -> Detected:
    """Read the outputs from ``start`` until none have come for ``quiet_s``.

    Raises:
        Unavailable: ``bench.silent`` when there is none within ``FIRST_S``.
    """
    import aiokafka

    consumer = await start_consumer(stack.kafka, client_id="bench-outputs")
    partitions = [aiokafka.TopicPartition(run.topics.outputs, p) for p in range(run.districts)]
    consumer.assign(partitions)
    stamps: list[int] = []
    try:
        for partition, offset in zip(partitions, start, strict=True):
            consumer.seek(partition, offset)
        heard = time.monotonic()
        while time.monotonic() - heard < (quiet_s if stamps else FIRST_S):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                stamps += [int(value) for m in batch for key, value in m.headers if key == HEADER_AGENT]
                heard = time.monotonic()
    finally:
        await consumer.stop()
    if not stamps:
        raise Unavailable("bench.silent", f"no output within {FIRST_S:g} s; look into the worker's log")
    return Detected(min(stamps), max(stamps), len(stamps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """What a district worker did with a feed of frames that was written before.

    Attributes:
        per_s: readings a second, by the stamps of the first and the last output.
        cpu_us: processor microseconds a reading, its start and the loading of states included.
        memory_mb: the most that it held.
        registering_s: processor seconds until rules and registry were taken.
        restore_s: from the start of the process until it had its states.
    """

    run: str
    per_s: float
    readings: int
    outputs: int
    cpu_us: float
    memory_mb: float
    registering_s: float
    restore_s: float


async def framed(
    stack: Stack,
    series: int,
    readings: int,
    *,
    core: int | None = None,
    districts: int = DISTRICTS,
    rate: int | None = None,
) -> Framed:
    """Our district worker as it is started in production, snapshots included, catching up with a feed.

    Args:
        core: the one core it may use; None: all cores.
        rate: readings a second of event time; None: one a series.
    """
    run = await prepare(stack, series, districts=districts)
    registered = await ends(stack, run, run.topics.feed)
    arguments = ["streams", "district"]
    try:
        with Worker(stack, run, arguments, worker="d0") as worker:
            await asyncio.to_thread(worker.ready)
            await wait_for_state(stack, run, registered)
            registering_s = worker.cpu_s()
            await asyncio.to_thread(worker.stop)
        outputs = await ends(stack, run, run.topics.outputs)
        feed = filling(districts, series, readings, rate=rate)
        await fill(stack, run, feed)
        began_s = time.perf_counter()
        with Worker(stack, run, arguments, core=core, worker="d0") as worker:
            await asyncio.to_thread(worker.ready)
            restore_s = time.perf_counter() - began_s
            found = await detected(stack, run, outputs)
            cpu_s = worker.cpu_s()
            memory_mb = worker.memory_mb("VmHWM")
    finally:
        await asyncio.to_thread(sql.drop_run, stack.dsn, run.name)
    # what was worked on before the first output was stamped is not counted
    counted = feed.readings - districts * min(JOINED_ROWS, (rate or series) // districts)
    return Framed(
        run=run.name,
        per_s=counted / (found.last_ns - found.first_ns) * 1e9,
        readings=feed.readings,
        outputs=found.outputs,
        cpu_us=cpu_s / feed.readings * 1e6,
        memory_mb=memory_mb,
        registering_s=registering_s,
        restore_s=restore_s,
    )
