"""Hours under an even load, all of it stored: whether memory stays flat and nothing falls behind.

    python -m bench soak --rate READINGS_A_SECOND [--seconds 3600] [--quick] [--json] [--dsn URL] [--series N]

JSON over HTTP into two ingest processes, Kafka, detectors, findings, every reading stored, a gateway with a screen
that watches; real broker, real database, all on these cores. Every few seconds every process is asked what
``yiwang top`` asks it. At the end: what each third of the time was like, how memory grew over the last two thirds,
and whether there are as many rows as readings that were accepted. A row takes about 110 bytes of disk, roll-ups included;
the broker keeps five minutes only.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import sql
from bench._chain import INGEST, register
from bench._engine import DISTRICTS, Worker, ends, prepare, wait_for_state, wait_until_stored
from bench._stack import Stack, last_line, machine, show, spawn, stack
from bench.latency import workers
from sql.pool import pool
from ws_server.client import LiveClient
from yiwang import metrics, processes
from yiwang.commands._city_rows import City, city
from yiwang.commands._pages import Between, between, fetch_all
from yiwang.errors import Unavailable
from yiwang.processes import Entry
from yiwang.runs import Run
from yiwang.topics import MAX_MESSAGE_BYTES

ROWS = 2000
"""Readings a request."""
WATCHED = 100
HIGH = 2_000_000
"""One reading in so many is high water."""
LEAST_FREE = 4 * 2**30
RETENTION_S = 300
SEGMENT_BYTES = 128 * 2**20
COUNT_S = 900.0
PARTS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """What all processes said at a time.

    Attributes:
        at_s: since the load began.
        lag_s: how old the newest reading is that a district has worked on while others wait, the worst.
        lag: messages that wait for the detectors; unstored: for the database.
        stored_p99_s: from ingest's stamp until stored, since the last sample; screen_p99_s: until handed to the screens.
        memory_mb: by process.
    """

    at_s: float
    lag_s: float
    lag: float
    unstored: float
    stored_p99_s: float
    screen_p99_s: float
    memory_mb: dict[str, float]


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, required=True, help="readings a second")
    parser.add_argument("--seconds", type=float, help="[default: 3600, quick 60]")
    parser.add_argument("--quick", action="store_true", help="a minute")
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    parser.add_argument("--series", type=int, default=1_000_000)
    given = parser.parse_args()
    seconds = given.seconds or (60.0 if given.quick else 3600.0)
    with stack(given.dsn) as at:
        result = asyncio.run(measure(at, given.series, given.rate, seconds))
    if not given.json:
        _tell(result, seconds)
    last_line({"machine": machine(), "series": given.series, "rate": given.rate, "seconds": seconds} | result)


async def measure(at: Stack, series: int, rate: float, seconds: float) -> dict[str, Any]:
    """The whole of it; plain JSON values."""
    run = await prepare(at, series, ticks="agent")
    await register(at, run, series)
    await _short_retention(at, run)
    registered = await ends(at, run, run.topics.feed)
    try:
        with workers(at, run, INGEST, stored=True) as started:
            await wait_for_state(at, run, registered)
            async with _watching(started["gateway"], series):
                sent, samples = await _soak(at, run, started, series, rate, seconds)
            began_s = time.monotonic()
            await wait_until_stored(at, run)
            drained_s, rows = time.monotonic() - began_s, await _rows(at, run)
    finally:
        await asyncio.to_thread(sql.drop_run, at.dsn, run.name)
    return {
        "offered": sent["offered"],
        "accepted": sent["accepted"],
        "refused": sent["refused"],
        "accepted_per_s": round(sent["per_s"]),
        "rows": rows,
        "drained_s": round(drained_s, 2),
        "parts": [_part(some) for some in _split(samples)],
        "memory_mb_per_hour": _growth(samples[len(samples) // PARTS :]),
        "samples": len(samples),
    }


async def _short_retention(at: Stack, run: Run) -> None:
    """Let the broker drop what is a few minutes old, so that the disk has room for the rows."""
    admin = AIOKafkaAdminClient(bootstrap_servers=at.kafka)
    configs = {
        "retention.ms": str(RETENTION_S * 1000),
        "segment.bytes": str(SEGMENT_BYTES),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),  # what is not named here goes back to the broker's own
    }
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, run.topics.feed, configs)])
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def _watching(gateway: Worker, series: int) -> AsyncIterator[None]:
    """A screen that watches some series of every district."""
    own = series // DISTRICTS
    step = max(1, series // WATCHED)
    async with LiveClient(f"ws://{gateway.line['socket']}/", "desk-city") as screen:
        await screen.until(lambda s: s.snapshots)
        await screen.watch([divmod(i, own) for i in range(1, series, step)])
        yield


async def _soak(
    at: Stack, run: Run, started: dict[str, Worker], series: int, rate: float, seconds: float
) -> tuple[dict[str, Any], list[Sample]]:
    """Send, and look at everything meanwhile."""
    ports = [str(started[f"ingest{k}"].line["http"]).rsplit(":", 1)[1] for k in range(INGEST)]
    entries = processes.found(at.folder / "data", run.name)
    load = spawn(
        [
            *(sys.executable, "-m", "bench._load", "--ports", ",".join(ports), "--devices", str(series)),
            *("--rows", str(ROWS), "--seconds", str(seconds), "--rate", str(rate), "--high", str(HIGH)),
        ]
    )
    assert load.stdin is not None
    assert load.stdout is not None
    samples: list[Sample] = []
    try:
        await asyncio.to_thread(load.stdout.readline)
        began_s = time.monotonic()
        load.stdin.write("\n")
        load.stdin.flush()
        answer = asyncio.create_task(asyncio.to_thread(load.stdout.readline))
        before = await asyncio.to_thread(fetch_all, entries)
        every_s = min(15.0, seconds / 20)
        while not (await asyncio.wait([answer], timeout=every_s))[0]:
            pages = await asyncio.to_thread(fetch_all, entries)
            samples.append(_sample(time.monotonic() - began_s, run, entries, between(before, pages)))
            before = pages
            sys.stderr.write(
                json.dumps(asdict(samples[-1])) + "\n"
            )  # so that a broken run has something to say
            if shutil.disk_usage(at.folder).free < LEAST_FREE:
                raise Unavailable(
                    "bench.disk", "less than 4 GiB of disk are left: fewer seconds, or a lower rate"
                )
        line = await answer
    finally:
        load.kill()
        load.wait()
    if not line:
        raise Unavailable("bench.load", "the load ended without a result; see its messages above")
    return json.loads(line), samples


def _sample(at_s: float, run: Run, entries: Sequence[Entry], pages: Sequence[Between | str]) -> Sample:
    if dumb := [
        f"{e.worker}: {page}" for e, page in zip(entries, pages, strict=True) if isinstance(page, str)
    ]:
        raise Unavailable("bench.worker", "a process does not say how it is: " + "; ".join(dumb))
    known = [page for page in pages if isinstance(page, Between)]
    found: City = city(run.name, entries, pages)
    return Sample(
        at_s=at_s,
        lag_s=max((d.lag_s or 0.0 for d in found.districts), default=0.0),
        lag=sum(d.lag_messages or 0.0 for d in found.districts),
        unstored=sum(page.now.total(metrics.PERSIST_LAG) or 0.0 for page in known),
        stored_p99_s=max((p for page in known if (p := page.latency(0.99, stage="persist"))), default=0.0),
        screen_p99_s=max((p for page in known if (p := page.latency(0.99, stage="values"))), default=0.0),
        memory_mb={
            entry.worker: (page.now.process("yiwang_process_resident_memory_bytes") or 0.0) / 2**20
            for entry, page in zip(entries, known, strict=True)
        },
    )


def _split(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """Equal parts, as far as they go."""
    bounds = [len(samples) * k // PARTS for k in range(PARTS + 1)]
    return [samples[a:b] for a, b in itertools.pairwise(bounds)]


def _part(samples: Sequence[Sample]) -> dict[str, Any]:
    """A stretch of time in a few figures."""

    def most(what: str) -> float:
        return round(float(max(getattr(s, what) for s in samples)), 3)

    def median(what: str) -> float:
        return round(float(np.median([getattr(s, what) for s in samples])), 3)

    return {
        "until_s": round(samples[-1].at_s),
        "lag_s": [median("lag_s"), most("lag_s")],
        "lag": [median("lag"), most("lag")],
        "unstored": [median("unstored"), most("unstored")],
        "stored_p99_s": [median("stored_p99_s"), most("stored_p99_s")],
        "screen_p99_s": [median("screen_p99_s"), most("screen_p99_s")],
        "memory_mb": {name: round(samples[-1].memory_mb[name]) for name in samples[-1].memory_mb},
    }


def _growth(samples: Sequence[Sample]) -> dict[str, float]:
    """MB an hour by process: the slope of a straight line through its samples."""
    hours = [s.at_s / 3600 for s in samples]
    return {
        name: round(float(np.polyfit(hours, [s.memory_mb[name] for s in samples], 1)[0]), 1)
        for name in samples[0].memory_mb
    }


async def _rows(at: Stack, run: Run) -> int:
    db = await pool(at.dsn, run.topics.schema, 1)
    try:
        return int(await db.fetchval(sql.query("bench/rows"), timeout=COUNT_S))
    finally:
        await db.close()


def _tell(found: dict[str, Any], seconds: float) -> None:
    def pair(values: list[float]) -> str:
        return f"{values[0]:g} / {values[1]:g}"

    lags = ("lag_s", "lag", "unstored", "stored_p99_s", "screen_p99_s")
    names = list(found["parts"][0]["memory_mb"])
    show(
        f"{seconds:g} s, each third: median / worst",
        (
            "until s",
            "behind s",
            "behind messages",
            "not stored, messages",
            "stored p99 s",
            "to screens p99 s",
        ),
        [(part["until_s"], *(pair(part[lag]) for lag in lags)) for part in found["parts"]],
    )
    show(
        "Memory, MB",
        ("until s", *names),
        [
            *[(part["until_s"], *(part["memory_mb"][n] for n in names)) for part in found["parts"]],
            ("an hour more", *(found["memory_mb_per_hour"][n] for n in names)),
        ],
    )
    print(
        f"accepted {found['accepted']:,} of {found['offered']:,}, refused {found['refused']:,}; "
        f"rows {found['rows']:,}; all stored {found['drained_s']:g} s after the last"
    )


if __name__ == "__main__":
    main()
