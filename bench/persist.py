"""How fast persist stores, as a ratio to a bare COPY of the same rows on the same server.

python -m bench persist [--dsn URL] [--quick] [--json]     embedded PostgreSQL, durable, unless a server is given

Ratios count; both need the same two cores. CPU per row is what counts in the whole chain, where others need them too.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import asyncpg
import numpy as np
from rich.console import Console
from rich.table import Table

import sql
from sql.pool import connect
from streams.persist_minutes import Minutes
from streams.persist_rows import COLUMNS, HEAD, TAIL, Rows, by_series, rows
from streams.persist_store import Store
from streams.persist_writer import Limits, Writer
from yiwang import codec, frames
from yiwang.clock import SECOND, SystemClock
from yiwang.columns import Readings
from yiwang.embedded.postgres import EmbeddedPostgres
from yiwang.model import Tick
from yiwang.runs import Run

T0_NS = 1_760_000_000_000_000_000
ROUNDS = 3


@dataclass(slots=True)
class Cost:
    """What a run took.

    Attributes:
        seconds: wall clock.
        client_s: CPU of this process.
        server_s: CPU of the server's process for the connection; NaN where it cannot be seen.
        rows: stored.
    """

    seconds: float
    client_s: float
    server_s: float
    rows: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


@dataclass(slots=True)
class Server:
    """CPU of the process that serves a connection, seconds."""

    pid: int
    begun_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun_s = self._now_s()

    def used_s(self) -> float:
        """Since it was made."""
        return self._now_s() - self.begun_s

    def _now_s(self) -> float:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            return float("nan")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_frames(series: int, seconds: int, size: int) -> list[bytes]:
    """Each series once a second, in frames of ``size`` readings; behind each second a tick."""
    rng = np.random.default_rng(1)
    out = []
    for second in range(seconds):
        t_ns = T0_NS + second * SECOND
        numbers = rng.permutation(series).astype(np.int32)
        for at in range(0, series, size):
            part = numbers[at : at + size]
            n = len(part)
            batch = Readings(
                series=part,
                t_ns=t_ns + rng.integers(0, SECOND, n),
                value=rng.random(n),
                quality=np.zeros(n, np.uint8),
            )
            out.append(frames.encode(frames.Frame(district=0, ingest_ns=t_ns, readings=batch)))
        out.append(codec.encode(Tick(t_ns=t_ns + SECOND)))
    return out


def made_rows(payloads: list[bytes], batch_rows: int) -> list[Rows]:
    """The same rows in the same batches and order, ready for COPY."""
    ready: list[Rows] = []
    waiting: list[Readings] = []
    for payload in payloads:
        if frames.is_frame(payload):
            waiting.append(frames.decode(payload).readings)
        if waiting and (sum(map(len, waiting)) >= batch_rows or payload is payloads[-1]):
            ready.append(rows(0, by_series(Readings.join(waiting)), None, None))
            waiting = []
    return ready


async def bare(dsn: str, schema: str, payloads: list[bytes], batch_rows: int) -> float:
    """Rows a second of COPY alone: rows made beforehand, in the same batches and order, one transaction each."""
    return (await copy(dsn, schema, made_rows(payloads, batch_rows))).rate


async def copy(dsn: str, schema: str, ready: list[Rows]) -> Cost:
    """COPY alone, one transaction a batch."""
    connection = await connect(dsn, schema)
    await connection.fetchval(
        sql.query("persist/days"), [np.datetime64(int(d), "D").item() for r in ready for d in r.days]
    )
    server = Server(connection.get_server_pid())
    begun, cpu = time.perf_counter(), time.process_time()
    for made in ready:
        data = memoryview(b"".join((HEAD, made.body, TAIL)))
        await connection.copy_to_table("reading", source=data, columns=COLUMNS, format="binary")
    cost = Cost(
        time.perf_counter() - begun, time.process_time() - cpu, server.used_s(), sum(r.n for r in ready)
    )
    await connection.close()
    return cost


async def persist(dsn: str, run: Run, payloads: list[bytes], batch_rows: int) -> Cost:
    """The whole of persist but Kafka: frames in, offsets, late marks and roll-ups kept."""
    store = Store(dsn, run.topics.schema, SystemClock())
    writer = Writer(store, run.topics, SystemClock(), Limits(rows=batch_rows))
    await writer.start()
    server = Server(await _pid(dsn))
    writing = asyncio.create_task(writer.run())
    begun, cpu = time.perf_counter(), time.process_time()
    for offset, payload in enumerate(payloads):
        await writer.take(run.topics.feed, 0, offset, payload, lambda: None)
    await writer.close()
    await writing
    cost = Cost(
        time.perf_counter() - begun,
        time.process_time() - cpu,
        server.used_s(),
        writer.counters.readings,
    )
    await store.close()
    return cost


async def _pid(dsn: str) -> int:
    """The server's process of the newest of our connections but this one."""
    connection: asyncpg.Connection = await connect(dsn, "public")
    pid = await connection.fetchval(sql.query("bench/newest_connection"))
    await connection.close()
    return int(pid)


def measure(dsn: str, payloads: list[bytes], batch_rows: int) -> dict[str, Cost]:
    """All three, some times in turn, each in a fresh schema; of each the quickest."""
    ready = made_rows(payloads, batch_rows)
    best: dict[str, Cost] = {}
    for _ in range(ROUNDS):
        for what in ("copy", "persist", "persist_no_minutes"):
            name = f"bench-{uuid.uuid4().hex[:8]}"
            run = Run(name=name, kind="replay", ticks="player", districts=1)
            sql.migrate(dsn, run)
            with ExitStack() as stack:
                if what == "persist_no_minutes":
                    stack.enter_context(patch.object(Minutes, "add", lambda *_: None))
                if what == "copy":
                    cost = asyncio.run(copy(dsn, run.topics.schema, ready))
                else:
                    cost = asyncio.run(persist(dsn, run, payloads, batch_rows))
            sql.drop_run(dsn, name)
            if what not in best or cost.rate > best[what].rate:
                best[what] = cost
    return best


def report(level: str, costs: dict[str, Cost]) -> dict[str, object]:
    """The figures under their names."""
    whole, alone = costs["persist"], costs["copy"]
    return {
        "level": level,
        "copy": round(alone.rate),
        "persist": round(whole.rate),
        "ratio": round(whole.rate / alone.rate, 3),
        "persist_no_minutes": round(costs["persist_no_minutes"].rate),
        "ratio_no_minutes": round(costs["persist_no_minutes"].rate / alone.rate, 3),
        "rows": whole.rows,
        **{
            f"{who}_us_per_row{'' if what == 'persist' else '_' + what.removeprefix('persist_')}": (
                None if np.isnan(s) else round(s / cost.rows * 1e6, 3)
            )
            for what, cost in costs.items()
            for who, s in (("client", cost.client_s), ("server", cost.server_s))
        },
    }


def show(found: dict[str, object]) -> None:
    """As a table."""
    table = Table(title=f"persist beside a bare COPY of the same rows ({found['level']})")
    for column in ("", "rows/s", "ratio", "client us/row", "server us/row"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(
        "COPY alone",
        f"{found['copy']:,}",
        "1",
        str(found["client_us_per_row_copy"]),
        str(found["server_us_per_row_copy"]),
    )
    for name, key, end in (
        ("persist", "persist", ""),
        ("without roll-ups", "persist_no_minutes", "_no_minutes"),
    ):
        table.add_row(
            name,
            f"{found[key]:,}",
            str(found[f"ratio{end}"]),
            str(found[f"client_us_per_row{end}"]),
            str(found[f"server_us_per_row{end}"]),
        )
    Console().print(table)


def main() -> None:
    """Print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", help="a server to use instead of the embedded one")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument(
        "--seconds", type=int, default=200, help="of event time, a reading a series and second"
    )
    parser.add_argument("--rows", type=int, default=5000, help="readings a frame")
    parser.add_argument("--batch", type=int, default=Limits().rows, help="readings a batch")
    parser.add_argument("--quick", action="store_true", help="a third of it")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    given = parser.parse_args()
    payloads = make_frames(given.series, given.seconds // (3 if given.quick else 1), given.rows)
    with ExitStack() as stack:
        dsn = given.dsn
        if not dsn:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="yiwang-bench-"))
            dsn = stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres")).dsn
        found = report(sql.level(dsn), measure(dsn, payloads, given.batch))
    if not given.json:
        show(found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
