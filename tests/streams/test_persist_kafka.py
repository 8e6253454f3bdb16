"""persist as a process, on real Kafka and PostgreSQL, killed without warning."""

import asyncio
import multiprocessing
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import asyncpg
import numpy as np
import pytest
from aiokafka.admin import AIOKafkaAdminClient

import sql
from sql.pool import connect
from streams.persist import main
from tests.kills import KILLS
from yiwang import codec, frames, settings
from yiwang.broker import ensure_topics, start_producer
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import Output, Trouble
from yiwang.runs import Run

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.postgres]

T0 = 1_760_000_000 * SECOND
ROWS = 20
DISTRICTS = 2

# Workers are forked from a process that has everything imported already: ten starts cost no ten imports.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["streams.persist"])


class Town:
    """A run with its database connection, a producer, and workers."""

    def __init__(
        self, run: Run, bootstrap: str, dsn: str, folder: str, db: asyncpg.Connection, out: Any
    ) -> None:
        self.run = run
        self.sent = 0  # messages a district
        self.db = db
        self._producer = out
        self._settings = {"kafka": bootstrap, "database": dsn, "run": run.name, "data": folder}
        self._workers: list[BaseProcess] = []

    def start(self, worker: str) -> BaseProcess:
        """A persist process."""
        process = _PROCESSES.Process(target=_work, args=(self._settings, worker))
        process.start()
        self._workers.append(process)
        return process

    def kill_all(self) -> None:
        """Whatever still runs."""
        for process in self._workers:
            process.kill()
            process.join()

    async def send(self) -> None:
        """A frame of ``ROWS`` readings and an output to every district."""
        topics = self.run.topics
        n, self.sent = self.sent, self.sent + 1
        for district in range(DISTRICTS):
            readings = Readings(
                series=np.arange(ROWS, dtype=np.int32),
                t_ns=np.full(ROWS, T0 + n * SECOND, np.int64),
                value=np.full(ROWS, float(n)),
                quality=np.zeros(ROWS, np.uint8),
            )
            frame = frames.Frame(district=district, ingest_ns=0, readings=readings)
            await self._producer.send(topics.feed, frames.encode(frame), partition=district)
            output = Output(n=n, feed=n + 1, commands=0, body=Trouble(code="test", t_ns=T0 + n))
            await self._producer.send(topics.outputs, codec.encode(output), partition=district)

    @asynccontextmanager
    async def feeding(self) -> AsyncIterator[None]:
        """Messages all the while; at the end Kafka has them all."""
        stop = asyncio.Event()

        async def feed() -> None:
            while not stop.is_set():
                await self.send()
                await asyncio.sleep(0.002)  # a feed has a pace
            await self._producer.flush()

        task = asyncio.create_task(feed())
        try:
            yield
        finally:
            stop.set()
            await task

    async def until_progress(self) -> None:
        """Until more is stored than now."""
        before = sum((await self.offsets()).values())
        await self.until(lambda have: sum(have.values()) > before, "waiting for progress")

    async def offsets(self) -> dict[tuple[str, int], int]:
        """What the database says is stored."""
        rows = await self.db.fetch(sql.query("persist/offsets"))
        return {(r["topic"], r["partition"]): r["next_offset"] for r in rows}

    async def until(self, true: Callable[[dict[tuple[str, int], int]], bool], what: str) -> None:
        """Ask the database until it is so; fails after a time no machine needs."""
        async with asyncio.timeout(90):
            while not true(await self.offsets()):
                alive = [p.exitcode for p in self._workers]
                assert None in alive, f"{what}: every worker has ended: {alive}"
                await asyncio.sleep(0.02)

    async def both_assigned(self) -> None:
        """Until the consumer group is settled with two members."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings["kafka"])
        await admin.start()
        try:
            async with asyncio.timeout(90):
                while True:
                    (answer,) = await admin.describe_consumer_groups([self.run.topics.group("persist")])
                    ((_, _, state, _, _, members, *_),) = answer.groups
                    if state == "Stable" and len(members) == 2:
                        return
                    await asyncio.sleep(0.02)
        finally:
            await admin.close()

    async def until_all_stored(self) -> None:
        """Until both topics are stored to the end."""
        topics = self.run.topics
        want = {(t, d): self.sent for t in (topics.feed, topics.outputs) for d in range(DISTRICTS)}
        await self.until(lambda have: want.items() <= have.items(), "waiting for the end")

    async def check(self) -> None:
        """Every reading and every output is there once, with its value, and none is taken for late."""
        counts = await self.db.fetchrow(sql.query("score/readings"))
        assert counts is not None
        assert tuple(counts) == (DISTRICTS * self.sent * ROWS, 0)
        for district, stored, late, *_ in await self.db.fetch(sql.query("score/readings_by_district")):
            assert (district, stored, late) == (district, self.sent * ROWS, 0)
        wrong = "select count(*) from reading where value <> extract(epoch from t)::bigint - $1"
        assert await self.db.fetchval(wrong, T0 // SECOND) == 0
        outputs = await self.db.fetch("select district, array_agg(n order by n) as n from trouble group by 1")
        assert {r["district"]: r["n"] for r in outputs} == {
            d: list(range(self.sent)) for d in range(DISTRICTS)
        }


def _work(given: dict[str, str], worker: str) -> None:
    main(settings.load(**given), worker)


@pytest.fixture
async def town(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Any) -> AsyncIterator[Town]:
    """A run of its own."""
    run = Run(name=f"t-{uuid.uuid4().hex[:10]}", kind="replay", ticks="player", districts=DISTRICTS)
    await asyncio.to_thread(sql.migrate, pg_dsn, run)
    await ensure_topics(kafka.bootstrap, run.topics, DISTRICTS)
    producer = await start_producer(kafka.bootstrap, client_id="test")
    db = await connect(pg_dsn, run.topics.schema)
    made = Town(run, kafka.bootstrap, pg_dsn, str(tmp_path), db, producer)
    try:
        yield made
    finally:
        made.kill_all()
        await db.close()
        await producer.stop()


async def stopped(worker: BaseProcess) -> int | None:
    """SIGTERM; its exit status."""
    worker.terminate()
    await asyncio.to_thread(worker.join)
    return worker.exitcode


async def test_kills_during_a_feed_lose_nothing_and_double_nothing(town: Town) -> None:
    """Whatever a kill -9 interrupts, every reading and output is in the database once."""
    async with town.feeding():
        for _ in range(KILLS):
            worker = town.start("w1")
            await town.until_progress()
            worker.kill()
            await asyncio.to_thread(worker.join)
    worker = town.start("w1")
    await town.until_all_stored()
    await town.check()
    assert await stopped(worker) == 0


async def test_two_workers_share_the_partitions_and_hand_them_over(town: Town) -> None:
    """A second worker joins and one leaves during a feed: what each stores is stored once."""
    async with town.feeding():
        first = town.start("")
        await town.until_progress()
        second = town.start("")
        await town.both_assigned()
        await town.until_progress()
        assert await stopped(first) == 0
        await town.until_progress()
    await town.until_all_stored()
    await town.check()
    assert await stopped(second) == 0
