"""How fast persist stores, as a ratio to a bare COPY of the same rows on the same server.

python bench/persist.py [--frames N] [--rows N]     embedded PostgreSQL, durable; TimescaleDB with --dsn URL
"""

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

import sql
from sql.pool import connect
from streams.persist_rows import COLUMNS, HEAD, NEVER, TAIL, Newest, rows
from streams.persist_store import Store
from streams.persist_writer import Limits, Writer
from yiwang import frames
from yiwang.clock import SystemClock
from yiwang.columns import Readings
from yiwang.embedded.postgres import EmbeddedPostgres
from yiwang.runs import Run

T0_NS = 1_760_000_000_000_000_000


def make_frames(count: int, size: int) -> list[bytes]:
    """``count`` frames of ``size`` readings, each series once a frame, a second apart."""
    rng = np.random.default_rng(1)
    series = np.arange(size, dtype=np.int32)
    out = []
    for i in range(count):
        t = np.full(size, T0_NS + i * 1_000_000_000, np.int64)
        batch = Readings(
            series=rng.permutation(series), t_ns=t, value=rng.random(size), quality=np.zeros(size, np.uint8)
        )
        out.append(frames.encode(frames.Frame(district=0, ingest_ns=0, readings=batch)))
    return out


async def bare(dsn: str, schema: str, payloads: list[bytes], batch_rows: int) -> float:
    """Rows a second of COPY alone: rows made beforehand, in the same batches and order, one transaction each."""
    newest = Newest()
    per = max(1, batch_rows // len(frames.decode(payloads[0]).readings))
    ready, n = [], 0
    for at in range(0, len(payloads), per):
        readings = Readings.join([frames.decode(p).readings for p in payloads[at : at + per]])
        fresh = newest.unknown(readings.series)
        newest.seed(fresh, np.full(len(fresh), NEVER, np.int64))
        ready.append(rows(0, readings, newest))
        n += len(readings)
    connection = await connect(dsn, schema)
    await connection.fetchval(
        sql.query("persist/days"), [np.datetime64(int(d), "D").item() for r in ready for d in r.days]
    )
    begun = time.perf_counter()
    for made in ready:
        data = memoryview(HEAD + made.body + TAIL)
        await connection.copy_to_table("reading", source=data, columns=COLUMNS, format="binary")
    seconds = time.perf_counter() - begun
    await connection.close()
    return n / seconds


async def persist(dsn: str, run: Run, payloads: list[bytes], batch_rows: int) -> float:
    """Rows a second of the whole of persist but Kafka: frames in, offsets and late marks kept."""
    store = Store(dsn, run.topics.schema, SystemClock())
    writer = Writer(store, run.topics, SystemClock(), Limits(rows=batch_rows))
    await writer.start()
    writing = asyncio.create_task(writer.run())
    begun = time.perf_counter()
    for offset, payload in enumerate(payloads):
        await writer.take(run.topics.feed, 0, offset, payload, lambda: None)
    await writer.close()
    await writing
    seconds = time.perf_counter() - begun
    await store.close()
    return writer.counters.readings / seconds


def measure(dsn: str, count: int, size: int, batch_rows: int) -> dict[str, object]:
    """Both, three times in turn, each in a fresh schema; the best of each."""
    payloads = make_frames(count, size)
    best = {"copy": 0.0, "persist": 0.0}
    for _ in range(3):
        for what in ("copy", "persist"):
            name = f"bench-{uuid.uuid4().hex[:8]}"
            run = Run(name=name, kind="replay", ticks="player", districts=1)
            sql.migrate(dsn, run)
            if what == "copy":
                rate = asyncio.run(bare(dsn, run.topics.schema, payloads, batch_rows))
            else:
                rate = asyncio.run(persist(dsn, run, payloads, batch_rows))
            best[what] = max(best[what], rate)
            sql.drop_run(dsn, name)
    return {
        "level": sql.level(dsn),
        "frame_rows": size,
        "batch_rows": batch_rows,
        "copy_rows_per_s": round(best["copy"]),
        "persist_rows_per_s": round(best["persist"]),
        "ratio": round(best["persist"] / best["copy"], 3),
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", help="a server to use instead of the embedded one")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000, help="readings a frame")
    parser.add_argument("--batch", type=int, default=Limits().rows, help="readings a batch")
    given = parser.parse_args()
    if given.dsn:
        print(json.dumps(measure(given.dsn, given.frames, given.rows, given.batch)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="yiwang-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        print(json.dumps(measure(server.dsn, given.frames, given.rows, given.batch)))


if __name__ == "__main__":
    main()
