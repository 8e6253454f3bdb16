"""A screen under measurement: ``python -m bench._screen``; a process of its own, told what to do on standard input.

It holds a desk over the live socket, watches series of all districts, and meanwhile is the device of a few gauges
that nobody else speaks for: one after another stands over a rung, so that there are alerts. What it says at the end:
how long values and alerts took, from ingest's stamp and from the device's own, until they were here.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from ws_server.client import LiveClient
from ws_server.messages import Delta, Values
from yiwang.clock import MILLISECOND
from yiwang.model import Incident

HIGH_CM = 45.0  # over the second rung
LAST_S = 5.0  # so long alerts may come after the last was caused


class Task(msgspec.Struct, kw_only=True):
    """What to do.

    Attributes:
        socket: URL of the live socket.
        ingest: port of ingest.
        watch: (district, series) to watch.
        gauges: names of devices that are ours; each is used once, as far as they are needed.
        seconds: how long, after ``warm_s`` that do not count.
        every_s: between two readings of ours.
    """

    socket: str
    ingest: int
    watch: list[tuple[int, int]]
    gauges: list[str]
    seconds: float
    warm_s: float
    every_s: float


class Heard:
    """What came, as it came."""

    def __init__(self) -> None:
        self.at: list[float] = []  # wall clock, ms, of each message with values
        self.ingest: list[float] = []  # its oldest value: ms since ingest's stamp
        self.device: list[float] = []  # every value: ms since its device's stamp
        self.alerts: list[tuple[float, float]] = []  # since ingest's stamp, since the device's
        self.caused: dict[
            tuple[str, int], float
        ] = {}  # gauge and time of its reading, ms; since when it is awaited

    def values(self, message: Values, now_ms: float) -> None:
        """Newest values."""
        if message.ingest_ms is None:
            return
        self.at.append(now_ms)
        self.ingest.append(now_ms - message.ingest_ms)
        self.device += [now_ms - row[2] for row in message.rows]

    def delta(self, message: Delta, now_ms: float) -> None:
        """An incident that names one of our readings."""
        if not isinstance(message.body, Incident) or message.ingest_ms is None:
            return
        for evidence in message.body.evidence:
            t_ms = evidence.t_ns // MILLISECOND
            if self.caused.pop((evidence.device, t_ms), None) is not None:
                self.alerts.append((now_ms - message.ingest_ms, now_ms - t_ms))


def shares(samples: Sequence[float]) -> dict[str, float]:
    """p50, p99, p99.9 and how many."""
    if not samples:
        return {"n": 0}
    p50, p99, p999 = np.percentile(samples, (50, 99, 99.9)).tolist()
    return {"p50": p50, "p99": p99, "p999": p999, "n": len(samples)}


async def _post(port: int, name: str, at: datetime) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = {"device": name, "metric": "water_depth", "time": at.isoformat(timespec="milliseconds")}
    body = json.dumps([{**reading, "value": HIGH_CM, "unit": "cm"}]).encode()
    head = (
        "POST /v1/readings HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 202"):
        raise RuntimeError(answer[:500].decode())


async def _gauges(task: Task, heard: Heard, end: float) -> int:
    """One gauge after another stands high; how many did while it counted."""
    caused = 0
    begin = time.monotonic() + task.warm_s
    async with asyncio.TaskGroup() as posts:
        for name in task.gauges:
            if (now := time.monotonic()) >= end:
                break
            at = datetime.now(UTC)
            at = at.replace(microsecond=at.microsecond // 1000 * 1000)
            if now >= begin:
                caused += 1
                heard.caused[name, round(at.timestamp() * 1000)] = now
            posts.create_task(_post(task.ingest, name, at))
            await asyncio.sleep(task.every_s)
    return caused


async def run(task: Task) -> dict[str, Any]:
    """Watch and cause alerts for the time given."""
    heard = Heard()
    async with LiveClient(task.socket, "desk-city") as screen, screen.listening() as pushes:
        await screen.until(lambda s: s.snapshots)
        await screen.watch(task.watch)
        begin_ms = (time.time() + task.warm_s) * 1e3
        print(json.dumps({"ready": "screen"}), flush=True)

        async def hear() -> None:
            async for push in pushes:
                now_ms = time.time() * 1e3
                if isinstance(push, Values) and now_ms >= begin_ms:
                    heard.values(push, now_ms)
                elif isinstance(push, Delta):
                    heard.delta(push, now_ms)

        hearing = asyncio.create_task(hear())
        end = time.monotonic() + task.warm_s + task.seconds
        caused = await _gauges(task, heard, end)
        try:
            async with asyncio.timeout(LAST_S):
                await screen.until(lambda _: not heard.caused)
        except TimeoutError:
            pass  # told as missing
        hearing.cancel()
    first, last = (_third(heard, k) for k in (0, 2))
    return {
        "values": shares(heard.ingest),
        "values_device": shares(heard.device),
        "alerts": shares([a for a, _ in heard.alerts]),
        "alerts_device": shares([b for _, b in heard.alerts]),
        "caused": caused,
        "missing": len(heard.caused),
        "first_third_p50": first,
        "last_third_p50": last,
        "snapshots": screen.snapshots,
    }


def _third(heard: Heard, k: int) -> float | None:
    if not heard.at:
        return None
    begin, end = heard.at[0], heard.at[-1]
    low, high = (begin + (end - begin) * (k + j) / 3 for j in (0, 1))
    inside = [ms for at, ms in zip(heard.at, heard.ingest, strict=True) if low <= at <= high]
    return float(np.median(inside)) if inside else None


def main() -> None:
    """Read the task, do it, say what was measured."""
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    print(json.dumps(asyncio.run(run(task))), flush=True)


if __name__ == "__main__":
    main()
