"""Sensor to screen: how long readings and alerts take from ingest to a real client, at several rates.

A real broker, a real database, the real processes; JSON over HTTP from a process of its own; a screen over the live
socket in another (``bench._screen``). "Ingest" is from the stamp that ingest gives a body when it has come in, "device"
from the time in the reading itself, made just before it was sent.

    python -m bench latency [--quick] [--json] [--rates 1000,10000,100000] [--max N] [--devices 20000]
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec

import sql
from bench._chain import register
from bench._engine import DISTRICTS, Worker, ends, prepare, wait_for_state, wait_until_stored
from bench._load import NAME
from bench._screen import Task
from bench._stack import Stack, last_line, machine, show, spawn, stack
from yiwang.errors import Unavailable
from yiwang.runs import Run

RATES = (1_000, 10_000, 100_000)
LIMIT_MS = {10_000: 150.0, 100_000: 300.0}
LIMIT_MAX_MS = 1000.0
SHARE_OF_MAX = 0.8
SPARE = 20  # one device in so many is left to the screen, which raises alerts with them
ALERT_EVERY_S = 0.2
ROWS_A_SECOND = 200  # of values that the screen wants to see
WARM_S = 2.0
SUSTAINED = 0.98
POST_ROWS = {1_000: 10, 10_000: 50, 100_000: 1000}


def post_rows(rate: float) -> int:
    """Readings a request: few devices send by themselves, many through gateways that collect."""
    return next((rows for least, rows in sorted(POST_ROWS.items()) if rate <= least), 2000)


@contextlib.contextmanager
def workers(at: Stack, run: Run, ingest: int, stored: bool) -> Iterator[dict[str, Worker]]:
    """All processes of a city, ready."""
    roles = {f"ingest{k}": ["ingest", "--port", "0"] for k in range(ingest)}
    roles |= {"district0": ["streams", "district"], "gateway": ["serve", "--port", "0"]}
    if stored:
        roles["persist0"] = ["streams", "persist"]
    with contextlib.ExitStack() as held:
        started = {
            name: held.enter_context(Worker(at, run, arguments, worker=name, data=at.folder / "data"))
            for name, arguments in roles.items()
        }
        for worker in started.values():
            worker.ready()
        yield started


async def at_rate(
    at: Stack,
    run: Run,
    started: dict[str, Worker],
    gauges: list[str],
    *,
    devices: int,
    rate: float,
    seconds: float,
) -> dict[str, Any]:
    """One rate: load and screen side by side, and what both say."""
    ports = [str(w.line["http"]).rsplit(":", 1)[1] for n, w in started.items() if n.startswith("ingest")]
    own = devices // DISTRICTS
    count = max(20, min(2000, round(ROWS_A_SECOND * devices / rate)))
    step = max(1, own * DISTRICTS // count)
    watch = [divmod(i, own) for i in range(1, own * DISTRICTS, step)]
    task = Task(
        socket=f"ws://{started['gateway'].line['socket']}/",
        ingest=int(ports[0]),
        watch=[(d, s) for d, s in watch if (d * own + s) % SPARE],
        gauges=gauges,
        seconds=seconds,
        warm_s=WARM_S,
        every_s=ALERT_EVERY_S,
    )
    load = spawn(
        [
            *(sys.executable, "-m", "bench._load", "--ports", ",".join(ports), "--devices", str(devices)),
            *("--rows", str(min(post_rows(rate), devices)), "--seconds", str(seconds + WARM_S)),
            *("--rate", str(rate), "--high", "0", "--spare", str(SPARE)),
        ]
    )
    screen = spawn([sys.executable, "-m", "bench._screen"])
    try:
        await _line(load)
        await _say(screen, msgspec.json.encode(task).decode())
        await _line(screen)
        cpu = {name: w.cpu_s() for name, w in started.items()}
        began = time.perf_counter()
        await _say(load, "")
        sent = await _line(load)
        took = time.perf_counter() - began
        used = {name: (w.cpu_s() - cpu[name]) / took for name, w in started.items()}
        waited_s = time.perf_counter()
        if "persist0" in started:
            await wait_until_stored(at, run)
        behind_s = time.perf_counter() - waited_s
        heard = await _line(screen)
        health = await asyncio.to_thread(_health, started["gateway"].line["http"])
    finally:
        for child in (load, screen):
            child.kill()
            child.wait()
    first, last = heard["first_third_p50"], heard["last_third_p50"]
    growing = first is not None and last is not None and last > 3 * first + 100
    return {
        "rate": rate,
        "rows_a_post": post_rows(rate),
        "offered": sent["offered"],
        "accepted": sent["accepted"],
        "accepted_per_s": sent["per_s"],
        "sustained": sent["accepted"] >= SUSTAINED * rate * (seconds + WARM_S) and not sent["refused"],
        "growing": growing,
        "persist_behind_s": behind_s,
        "stages": health["stages"],
        "counts": health["counts"],
        "cpu": used | {"load": sent["cpu"]},
        "memory_mb": {name: w.memory_mb() for name, w in started.items()},
        **heard,
    }


def _gauges(devices: int) -> list[str]:
    """Names of spare devices, of all districts in turn."""
    own = devices // DISTRICTS
    spare = [[i for i in range(d * own, (d + 1) * own) if i % SPARE == 0] for d in range(DISTRICTS)]
    return [(NAME % i).decode() for turn in zip(*spare, strict=False) for i in turn]


def _health(address: object) -> dict[str, Any]:  # Any: plain JSON values
    with urllib.request.urlopen(f"http://{address}/api/health", timeout=30) as answer:
        said: dict[str, Any] = json.load(answer)
    return said


async def _line(child: Any) -> dict[str, Any]:  # Any: a Popen and plain JSON
    text = await asyncio.to_thread(child.stdout.readline)
    if not text:
        raise Unavailable("bench.child", "a process of the measurement ended; see its messages above")
    answer: dict[str, Any] = json.loads(text)
    return answer


async def _say(child: Any, text: str) -> None:  # Any: a Popen
    child.stdin.write(text + "\n")
    child.stdin.flush()


async def measure(
    at: Stack, devices: int, rates: list[float], seconds: float, *, ingest: int, stored: bool
) -> list[dict[str, Any]]:
    """All rates in one city, one after another."""
    run = await prepare(at, devices, ticks="agent")
    await register(at, run, devices)
    registered = await ends(at, run, run.topics.feed)
    try:
        with workers(at, run, ingest, stored) as started:
            await wait_for_state(at, run, registered)
            gauges, share = _gauges(devices), devices // SPARE // max(1, len(rates))
            return [
                await at_rate(
                    at,
                    run,
                    started,
                    gauges[k * share : (k + 1) * share],
                    devices=devices,
                    rate=rate,
                    seconds=seconds,
                )
                for k, rate in enumerate(rates)
            ]
    finally:
        await asyncio.to_thread(sql.drop_run, at.dsn, run.name)


def limit_ms(rate: float, most: float) -> float | None:
    """What p99 must not exceed; None where nothing was promised."""
    return LIMIT_MAX_MS if rate == SHARE_OF_MAX * most else LIMIT_MS.get(round(rate))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench latency", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 s a rate instead of 20")
    parser.add_argument("--json", action="store_true", help="only the last line")
    parser.add_argument(
        "--rates", default=",".join(map(str, RATES)), help="readings a second, comma-separated"
    )
    parser.add_argument(
        "--max", type=float, default=0.0, help="the chain's maximum: 80 %% of it are measured too"
    )
    parser.add_argument("--devices", type=int, default=20_000, help="registered, with one series each")
    parser.add_argument("--seconds", type=float, default=0.0, help="per rate")
    parser.add_argument("--ingest", type=int, default=1, help="ingest processes")
    parser.add_argument("--no-persist", action="store_true", help="without storing")
    parser.add_argument("--dsn", help="another database than our own, TimescaleDB, say")
    given = parser.parse_args()
    rates = [float(r) for r in given.rates.split(",") if r]
    rates += [SHARE_OF_MAX * given.max] if given.max else []
    seconds = given.seconds or (4.0 if given.quick else 20.0)
    with stack(given.dsn) as at:
        rows = asyncio.run(
            measure(at, given.devices, rates, seconds, ingest=given.ingest, stored=not given.no_persist)
        )
    for row in rows:
        row["limit_ms"] = limit_ms(row["rate"], given.max)
    if not given.json:
        _show(rows, given.devices)
    last_line({"bench": "latency", **machine(), "devices": given.devices, "rows": rows})


def _show(rows: list[dict[str, Any]], devices: int) -> None:
    def ms(what: dict[str, float]) -> str:
        return " / ".join(f"{what[k]:.0f}" for k in ("p50", "p99", "p999")) if what["n"] else "none"

    table = [
        (
            round(r["rate"]),
            "yes" if r["sustained"] and not r["growing"] else f"NO: {r['accepted_per_s']:,.0f}/s",
            ms(r["values"]),
            ms(r["values_device"]),
            f"{ms(r['alerts'])} ({r['caused'] - r['missing']} of {r['caused']})",
            "" if r["limit_ms"] is None else f"{r['limit_ms']:.0f}",
            f"{r['persist_behind_s']:.1f}",
            " ".join(f"{name[:8]} {used:.2f}" for name, used in r["cpu"].items()),
        )
        for r in rows
    ]
    columns = (
        "rate/s",
        "sustained",
        "values",
        "from device",
        "alerts (came)",
        "limit",
        "stored",
        "cores used",
    )
    show(f"Sensor to screen, ms p50 / p99 / p99.9, {devices} devices", columns, table)


if __name__ == "__main__":
    main()
