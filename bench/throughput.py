"""Readings a second: framed against Faust, Quix Streams and Bytewax on one core; the chain; storing against COPY.

    python -m bench throughput [--quick] [--json] [--dsn URL] [--series N] [--only PART,…]

The job is the same everywhere: a ladder with hysteresis, rate of rise and stuck value for each sensor, findings
out. ``framed`` is our own district worker as it is started in production, snapshots included, on one core, with a
feed of frames that was written before. The peers read one JSON reading a message, as their users write it.
``bare_aiokafka`` and ``bare_quix`` are our frames and our machine without Faust. ``chain`` is JSON over HTTP into
two ingest processes, through Kafka, to findings, on all cores; ``chain_stored`` until the database has every
reading too; ``copy`` is a bare COPY of the same rows.
"""

import argparse
import asyncio
import uuid
from collections.abc import Sequence

import sql
from bench import _chain, _peers, persist
from bench._engine import DISTRICTS, framed
from bench._filling import frames_of
from bench._stack import cores, last_line, machine, show, stack
from streams.persist_writer import Limits
from yiwang.runs import Run

ROWS = 2000
"""Readings a request."""
COPIED = 5_000_000
PARTS = ("framed", "peers", "bare", "chain", "stored")


async def copied(dsn: str, series: int, readings: int) -> float:
    """Rows a second of a bare COPY: what the district workers' feed holds, as rows made beforehand, sorted as persist does."""
    run = Run(name=f"bench-{uuid.uuid4().hex[:8]}", kind="replay", ticks="player", districts=1)
    await asyncio.to_thread(sql.migrate, dsn, run)
    try:
        payloads = list(frames_of(0, series // DISTRICTS, readings))
        return await persist.bare(dsn, run.topics.schema, payloads, Limits().rows)
    finally:
        await asyncio.to_thread(sql.drop_run, dsn, run.name)


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer readings")
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    given = parser.parse_args()
    only = given.only.split(",")
    if unknown := set(only) - set(PARTS):
        parser.error(f"--only: {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    result: dict[str, object] = {"machine": machine(), "series": given.series}
    one: list[Sequence[object]] = []
    chain: list[Sequence[object]] = []

    def add(name: str, per_s: float, cpu_us: float) -> None:
        result[name] = round(per_s)
        ours = result.get("framed")
        ratio = f"{ours / per_s:.1f} ×" if isinstance(ours, int) and name != "framed" else ""
        one.append((name, round(per_s), f"{cpu_us:.2f}", ratio))

    with stack(given.dsn) as at:
        if "framed" in only:
            readings = 10_000_000 if given.quick else 60_000_000
            ours = asyncio.run(framed(at, given.series, readings, core=cores()[0]))
            add("framed", ours.per_s, 1e6 / ours.per_s)
            result["framed_memory_mb"] = round(ours.memory_mb)
            if "bare" in only:
                for name, taken in _peers.bare(at, ours.run, ours.readings).items():
                    add(name, taken["per_s"], taken["cpu_us"])
        if "peers" in only:
            for name, taken in _peers.measure(at, quick=given.quick).items():
                add(name, taken["per_s"], taken["cpu_us"])
        seconds = 10.0 if given.quick else 30.0
        for part, key, stored in (("chain", "chain", False), ("stored", "chain_stored", True)):
            if part in only:
                passed = asyncio.run(
                    _chain.measure(at, given.series, seconds=seconds, rows=ROWS, stored=stored)
                )
                result[key] = round(passed.per_s)
                result[f"{key}_answered"] = round(passed.answered_per_s)
                cpu = "  ".join(f"{n} {s / passed.readings * 1e6:.2f}" for n, s in passed.cpu.items())
                chain.append((key, round(passed.per_s), round(passed.answered_per_s), passed.refused, cpu))
                if stored:
                    rate = asyncio.run(copied(at.dsn, given.series, min(passed.readings, COPIED)))
                    result["copy"] = round(rate)
                    chain.append(("copy", round(rate), "", "", ""))
    if not given.json:
        if one:
            show(
                "One core, from Kafka to findings", ("by", "readings/s", "CPU µs a reading", "framed is"), one
            )
        if chain:
            head = ("", "readings/s", "answered/s", "refused", "CPU µs a reading")
            show("All cores, JSON over HTTP to findings", head, chain)
    last_line(result)


if __name__ == "__main__":
    main()
