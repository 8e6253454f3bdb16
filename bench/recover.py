"""How soon a district worker is in time again: killed at half load, and after an outage; what snapshots cost.

    python -m bench recover [--quick] [--json] [--series N] [--kills N] [--outage S] [--dsn URL]

The job of ``throughput``: ladder, rate of rise and stuck value for every series, in four districts, one worker under
the supervisor, real broker, real database. The *maximum* is what that worker takes from a full feed; *half load*
is half of it, in frames of at most 5 000 readings, made by this process on the same cores. Every district is asked
five times a second how far it is, by a command that overtakes the feed; it is in time when it is less than a second
behind. In the outage the worker is stopped while so many seconds of half
load are written, then started.
"""

import argparse
import asyncio
import json
import statistics
import time
import urllib.request
from dataclasses import dataclass, field
from random import Random
from typing import Any, Self

import psycopg

import sql
from bench import _engine
from bench._feed import Answer, Asker, Feed
from bench._stack import Stack, last_line, machine, show, stack
from yiwang.clock import SECOND
from yiwang.commands._processes import Services, child
from yiwang.embedded.supervise import Supervisor
from yiwang.runs import Run

IN_TIME_S = 1.0
LEAST = 10
"""So many answers of each district in a row must be in time."""
LIMIT_S = 600.0
WORKER = "district0"


@dataclass(slots=True)
class Found:
    """What was measured; seconds, readings a second."""

    most_per_s: float = 0.0
    half_per_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    killed_s: list[float] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    outage_readings: int = 0
    outage_s: float = 0.0
    snapshots: dict[str, float] = field(default_factory=dict)
    tables_mb: float = 0.0


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="100 000 series, one kill, an outage of a minute"
    )
    parser.add_argument("--json", action="store_true", help="the last line only")
    parser.add_argument("--series", type=int, help="in all districts  [default: 1 000 000, quick 100 000]")
    parser.add_argument("--kills", type=int, help="[default: 5, quick 1]")
    parser.add_argument("--outage", type=float, help="seconds of half load  [default: 600, quick 60]")
    parser.add_argument("--dsn", help="a database to use instead of the embedded one")
    given = parser.parse_args()
    series = given.series or (100_000 if given.quick else 1_000_000)
    kills = given.kills or (1 if given.quick else 5)
    outage_s = given.outage or (60.0 if given.quick else 600.0)
    with stack(given.dsn) as at:
        found = asyncio.run(measure(at, series, kills, outage_s))
    if not given.json:
        _tell(found, series, outage_s)
    last_line(
        {
            "machine": machine(),
            "series": series,
            "most_per_s": round(found.most_per_s),
            "half_per_s": round(found.half_per_s),
            "half_load_delay_p50_s": round(statistics.median(found.delays_s), 3),
            "killed_ready_s": [round(s, 2) for s in found.ready_s],
            "killed_in_time_s": [round(s, 2) for s in found.killed_s],
            "killed_command_p50_s": round(statistics.median(found.waited_s), 3),
            "outage": {
                "seconds": outage_s,
                "readings": found.outage_readings,
                "in_time_s": round(found.outage_s, 2),
                "per_s": round(found.outage_readings / found.outage_s),
            },
            "snapshots": {name: round(value, 4) for name, value in found.snapshots.items()},
            "snapshot_tables_mb": round(found.tables_mb, 1),
        }
    )


async def measure(at: Stack, series: int, kills: int, outage_s: float) -> Found:
    """Everything, on one run."""
    found, chance = Found(), Random(1)
    run = await _engine.prepare(at, series)
    begins = await _engine.ends(at, run, run.topics.feed)
    try:
        async with Feed(at, run, series, begins) as feed, Asker(at, run) as asker:
            with Supervised(at, run):
                await _engine.wait_for_state(at, run, begins)
            written = await feed.write(max(3_000_000, 10 * series))
            began_ns = time.time_ns()
            with Supervised(at, run):
                done_ns = await _in_time(feed, asker, began_ns, 0.0)
            found.most_per_s = written * SECOND / (done_ns - _first_ns(asker, began_ns))
            found.half_per_s = found.most_per_s / 2
            with Supervised(at, run) as worker:
                flowing = asyncio.create_task(feed.flow(found.half_per_s))
                await _in_time(feed, asker, time.time_ns(), IN_TIME_S)
                for _ in range(kills):
                    await _disturb(feed, asker, worker, found, chance)
                flowing.cancel()
                await asyncio.gather(flowing, return_exceptions=True)
            found.outage_readings = await feed.write(outage_s * found.half_per_s)
            began_ns = time.time_ns()
            with Supervised(at, run):
                found.outage_s = (await _in_time(feed, asker, began_ns, 0.0) - began_ns) / SECOND
        found.tables_mb = await asyncio.to_thread(_tables_mb, at, run)
    finally:
        await asyncio.to_thread(sql.drop_run, at.dsn, run.name)
    return found


async def _disturb(feed: Feed, asker: Asker, worker: "Supervised", found: Found, chance: Random) -> None:
    """A quiet while, of which the delays are noted; then a kill, and the time until all is as before."""
    calm_ns = time.time_ns()
    interval_s = await asyncio.to_thread(worker.figure, "interval_seconds", max)
    await asyncio.sleep(5 + chance.uniform(0, max(1.0, interval_s)))
    for district, said in enumerate(asker.since(calm_ns)):
        found.delays_s += [feed.behind_s(district, a.feed, a.at_ns) for a in said]
    found.snapshots = await asyncio.to_thread(worker.snapshots)
    killed_ns = time.time_ns()
    worker.kill()
    found.ready_s.append(await asyncio.to_thread(worker.ready_again_s, killed_ns))
    in_time_ns = await _in_time(feed, asker, killed_ns, IN_TIME_S)
    found.killed_s.append((in_time_ns - killed_ns) / SECOND)
    found.waited_s += [a.waited_s for said in asker.since(_first_ns(asker, killed_ns)) for a in said]


class Supervised:
    """A district worker under the supervisor, as the demo has it."""

    def __init__(self, at: Stack, run: Run) -> None:
        where = Services(kafka=at.kafka, database=at.dsn, folder=at.folder)
        self._child = child(WORKER, ["streams", "district"], where, run=run.name, worker="district0")
        self._supervisor = Supervisor(at.folder, max_restarts=1000)
        self._log = at.folder / "logs" / f"{WORKER}.log"
        self._kills = 0

    def __enter__(self) -> Self:
        self._supervisor.__enter__()
        self._supervisor.start(self._child)
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.stop()

    def kill(self) -> None:
        """Kill -9."""
        self._kills += 1
        self._supervisor.kill(WORKER)

    def ready_again_s(self, killed_ns: int) -> float:
        """Wait until the supervisor has started it again and it has its states."""
        self._supervisor.wait_for_restart(WORKER, self._kills, timeout_s=60.0)
        return (time.time_ns() - killed_ns) / SECOND

    def figure(self, name: str, of: Any = sum) -> float:  # Any: of many numbers one
        """A figure of its snapshots, over all districts."""
        lines = self._log.read_text().splitlines()
        ready = [json.loads(line) for line in lines if line.startswith('{"ready"')]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine
        with opener.open(f"http://{ready[-1]['metrics']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        values = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith(f"yiwang_snapshot_{name}")
        ]
        return float(of(values)) if values else 0.0

    def snapshots(self) -> dict[str, float]:
        """What keeping states is like."""
        return {
            "longest_pause_ms": 1e3 * self.figure("longest_pause_seconds", max),
            "core": self.figure("cpu_ratio"),
            "interval_s": self.figure("interval_seconds", max),
            "state_mb": self.figure("state_bytes") / 1e6,
            "stored_mb": self.figure("stored_bytes") / 1e6,
        }


async def _in_time(feed: Feed, asker: Asker, since_ns: int, within_s: float) -> int:
    """Wait until all districts are in time for good; when that began.

    Args:
        within_s: a district is in time when it is less than this behind the feed; 0: when it is at its end.
    """
    async with asyncio.timeout(LIMIT_S):
        while True:
            await asyncio.sleep(0.1)
            began = [
                _since(said, [feed.behind_s(district, a.feed, a.at_ns) <= within_s for a in said])
                for district, said in enumerate(asker.since(since_ns))
            ]
            if all(began):
                return max(began)


def _since(said: list[Answer], good: list[bool]) -> int:
    """When the last stretch of good answers began; 0 while there are not ``LEAST`` of them."""
    bad = max((i for i, one in enumerate(good) if not one), default=-1)
    return said[bad + 1].at_ns if len(good) - bad > LEAST else 0


def _first_ns(asker: Asker, since_ns: int) -> int:
    """When the first district answered."""
    return min(said[0].at_ns for said in asker.since(since_ns) if said)


def _tables_mb(at: Stack, run: Run) -> float:
    with psycopg.connect(at.dsn, options=f'-c search_path="{run.topics.schema}"') as db:
        row = db.execute(
            "select pg_total_relation_size('snapshot') + pg_total_relation_size('snapshot_block')"
        ).fetchone()
    return row[0] / 1e6 if row else 0.0


def _tell(found: Found, series: int, outage_s: float) -> None:
    show(
        f"One worker, {series:,} series",
        ("", ""),
        [
            ("from a full feed, readings/s", round(found.most_per_s)),
            ("half load, readings/s", round(found.half_per_s)),
            ("delay at half load, median s", f"{statistics.median(found.delays_s):.3f}"),
            ("killed: has its states again after s", ", ".join(f"{s:.1f}" for s in found.ready_s)),
            ("killed: in time again after s", ", ".join(f"{s:.1f}" for s in found.killed_s)),
            ("killed: a command waits meanwhile, median s", f"{statistics.median(found.waited_s):.3f}"),
            (f"outage of {outage_s:g} s: in time again after s", f"{found.outage_s:.1f}"),
            ("outage: readings/s, start included", round(found.outage_readings / found.outage_s)),
        ],
    )
    show("Snapshots at half load", ("", ""), [(k, f"{v:.3f}") for k, v in found.snapshots.items()])
    print(f"snapshot tables at the end: {found.tables_mb:.0f} MB")


if __name__ == "__main__":
    main()
