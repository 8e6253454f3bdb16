"""The whole chain under measurement: JSON over HTTP, ingest, Kafka, detectors, findings; perhaps storing all of it."""

import asyncio
import contextlib
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import aiokafka
import asyncpg

import sql
from bench import _jobs
from bench._engine import DISTRICTS, START_LIMIT_S, Worker, ends, prepare, wait_for_state, wait_until_stored
from bench._filling import HIGH
from bench._load import NAME
from bench._stack import Stack, spawn
from sql.pool import pool
from yiwang.broker import start_consumer
from yiwang.codec import decode_output
from yiwang.errors import Unavailable
from yiwang.model import Finding
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT

MARK_CM = 123.0
INGEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What went through.

    Attributes:
        per_s: readings a second from the first request until the last was detected (and stored).
        answered_per_s: until the last was in Kafka, as the senders saw it.
        stored_per_s: 0 where nothing was stored.
        cpu: processor seconds by process over the time of the load.
        memory_mb: the most that each process held.
    """

    readings: int
    refused: int
    per_s: float
    answered_per_s: float
    stored_per_s: float
    answer_p99_ms: float
    cpu: dict[str, float]
    memory_mb: dict[str, float]


async def register(stack: Stack, run: Run, series: int) -> None:
    """The same devices in the database as in the feed; straight into the tables, as only their use is measured."""
    db = await pool(stack.dsn, run.topics.schema, 1)
    try:
        async with db.acquire() as connection, connection.transaction():
            for district in range(DISTRICTS):
                await _district(connection, district, series // DISTRICTS)
            await connection.execute(sql.query("registry/analyze"))
    finally:
        await db.close()


async def _district(connection: asyncpg.Connection, district: int, series: int) -> None:
    registry = _jobs.registry(series, district)
    await connection.copy_records_to_table(
        "district", records=[(district, f"4401{district:02d}", f"区{district}", "", 1)]
    )
    await connection.copy_records_to_table(
        "place",
        records=[
            (p.id, district, p.zone, p.kind, p.name.zh, "", p.lon, p.lat, "{}") for p in registry.places
        ],
    )
    await connection.copy_records_to_table(
        "device",
        records=[
            (d.id, district, d.place, d.kind, d.name.zh, "", d.lon, d.lat, "{}") for d in registry.devices
        ],
    )
    await connection.copy_records_to_table(
        "series",
        records=[(district, s.number, d.id, s.metric) for d in registry.devices for s in d.series],
    )


@contextlib.contextmanager
def workers(stack: Stack, run: Run, *, stored: bool) -> Iterator[dict[str, Worker]]:
    """Ingest twice, one district worker, and one that stores where wanted; all are ready."""
    roles = {f"ingest{k}": ["ingest", "--port", "0"] for k in range(INGEST)}
    roles["district0"] = ["streams", "district"]
    if stored:
        roles["persist0"] = ["streams", "persist"]
    with contextlib.ExitStack() as held:
        started = {
            name: held.enter_context(Worker(stack, run, arguments, worker=name))
            for name, arguments in roles.items()
        }
        for worker in started.values():
            worker.ready()
        yield started


async def measure(
    stack: Stack, series: int, *, seconds: float, rows: int, stored: bool, rate: float = 0.0
) -> Passed:
    """As much as goes through in so long, or ``rate`` readings a second."""
    run = await prepare(stack, series, ticks="agent")
    await register(stack, run, series)
    registered = await ends(stack, run, run.topics.feed)
    try:
        with workers(stack, run, stored=stored) as started:
            await wait_for_state(stack, run, registered)
            return await _passed(stack, run, started, series, seconds, rows, stored, rate)
    finally:
        await asyncio.to_thread(sql.drop_run, stack.dsn, run.name)


async def _passed(
    stack: Stack,
    run: Run,
    started: dict[str, Worker],
    series: int,
    seconds: float,
    rows: int,
    stored: bool,
    rate: float,
) -> Passed:
    ports = [str(started[f"ingest{k}"].line["http"]).rsplit(":", 1)[1] for k in range(INGEST)]
    outputs = await ends(stack, run, run.topics.outputs)
    load = spawn(
        [
            *(sys.executable, "-m", "bench._load", "--ports", ",".join(ports), "--devices", str(series)),
            *("--rows", str(rows), "--seconds", str(seconds), "--rate", str(rate), "--high", str(HIGH)),
        ]
    )
    assert load.stdin is not None
    assert load.stdout is not None
    await asyncio.to_thread(load.stdout.readline)
    cpu = {name: worker.cpu_s() for name, worker in started.items()}
    began_ns = time.time_ns()
    load.stdin.write("\n")  # making the bodies is not measured
    load.stdin.flush()
    line = await asyncio.to_thread(load.stdout.readline)
    if not line:
        raise Unavailable("bench.load", "the load ended without a result; see its messages above")
    sent = json.loads(line)
    await asyncio.to_thread(_mark, int(ports[0]), series)
    found_ns = await _marks(stack, run, outputs)
    stored_ns = await wait_until_stored(stack, run) if stored else 0
    used = {name: worker.cpu_s() - cpu[name] for name, worker in started.items()}
    used["load"] = sent["cpu"] * sent["seconds"]
    n = sent["accepted"]
    return Passed(
        readings=n,
        refused=sent["refused"],
        per_s=n / (max(found_ns, stored_ns) - began_ns) * 1e9,
        answered_per_s=sent["per_s"],
        stored_per_s=n / (stored_ns - began_ns) * 1e9 if stored else 0.0,
        answer_p99_ms=sent["answer_p99_ms"],
        cpu=used,
        memory_mb={name: worker.memory_mb("VmHWM") for name, worker in started.items()},
    )


def _mark(port: int, series: int) -> None:
    """A reading in each district that nobody else sends; behind everything else in its feed."""
    now = datetime.now(UTC).isoformat()
    own = series // DISTRICTS
    rows = [
        {
            "device": (NAME % (district * own)).decode(),
            "metric": "water_depth",
            "time": now,
            "value": MARK_CM,
            "unit": "cm",
        }
        for district in range(DISTRICTS)
    ]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/readings",
        json.dumps(rows).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        accepted = json.load(answer)["accepted"]
    if accepted != DISTRICTS:
        raise Unavailable("bench.mark", f"only {accepted} of the last readings were accepted")


async def _marks(stack: Stack, run: Run, start: list[int]) -> int:
    """Wall clock, ns, at which the last district had said what it found in the last reading."""
    consumer = await start_consumer(stack.kafka, client_id="bench-marks")
    partitions = [aiokafka.TopicPartition(run.topics.outputs, p) for p in range(DISTRICTS)]
    consumer.assign(partitions)
    found: dict[int, int] = {}
    try:
        for partition, offset in zip(partitions, start, strict=True):
            consumer.seek(partition, offset)
        async with asyncio.timeout(START_LIMIT_S):
            while len(found) < DISTRICTS:
                for partition, batch in (await consumer.getmany(timeout_ms=100)).items():
                    for m in batch:
                        body = decode_output(m.value).body
                        if isinstance(body, Finding) and body.value == MARK_CM:
                            stamp = next(int(v) for k, v in m.headers if k == HEADER_AGENT)
                            found.setdefault(partition.partition, stamp)
    finally:
        await consumer.stop()
    return max(found.values())
