"""What the gateway costs: a delivery to a screen, and reading the whole feed for the newest values.

The hub and the live socket are the real ones, in this process; Kafka and the database are left out. The screens
are connections from a process of their own that only count what arrives. CPU is this process's.

    python -m bench fanout [--quick] [--json]
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from typing import Any, Self

import numpy as np

from bench._stack import last_line, machine, show
from ws_server import socket
from ws_server.city import City
from ws_server.hub import Hub
from ws_server.loopback import listen
from ws_server.posts import posts_of
from ws_server.store import Store
from yiwang import frames
from yiwang.clock import SECOND, SystemClock
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.frames import Frame
from yiwang.model import Output, UnitState
from yiwang.registry import District, Text
from yiwang.runs import Run
from yiwang.topics import Topics

DISTRICTS = 4
FRAME_ROWS = 5000
WATCHED = 20  # series a screen watches, as a long list of evidence
DELTAS = 100
BURST = 20


@dataclass(slots=True)
class Counts:
    """What all screens together have received, in shared memory."""

    open: "Synchronized[int]"
    deltas: "Synchronized[int]"
    values: "Synchronized[int]"


class _Screen(asyncio.Protocol):
    """A client that says hello, watches, and counts."""

    def __init__(self, counts: Counts, port: int, watched: list[tuple[int, int]]) -> None:
        self._counts, self._port, self._watched = counts, port, watched
        self._open = False
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self._open:
            self._open = True
            self._say({"id": 1, "do": "hello", "post": "desk-0"})
            self._say({"id": 2, "do": "watch", "series": self._watched})
        seen = self._tail + data
        self._counts.open.value += seen.count(b'{"re":2,')
        self._counts.deltas.value += seen.count(b'"type":"delta"')
        self._counts.values.value += seen.count(b'"type":"values"')
        self._tail = seen[-7:] if len(seen) > 7 else seen  # shorter than any of what is counted

    def _say(self, message: dict[str, Any]) -> None:
        raw = json.dumps(message).encode()
        head = (
            bytes([0x81, 0x80 | len(raw)])
            if len(raw) < 126
            else bytes([0x81, 0xFE]) + len(raw).to_bytes(2, "big")
        )
        self._transport.write(head + bytes(4) + raw)  # masked with zeros


def _screens(port: int, clients: int, watched: list[list[tuple[int, int]]], counts: Counts) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        for n in range(clients):
            wish = watched[n % len(watched)]
            await loop.create_connection(partial(_Screen, counts, port, wish), "127.0.0.1", port)
        await asyncio.Event().wait()

    asyncio.run(run())


def made_hub() -> Hub:
    """A hub of four districts that is ready, with no service behind it."""
    hub = Hub(
        bootstrap="127.0.0.1:1",
        topics=Topics("bench"),
        store=Store("postgresql://nobody@127.0.0.1:1/none", "bench", "run_bench"),
        built_in=load_rules(),
        clock=SystemClock(),
    )
    hub.run = Run(name="bench", kind="demo", ticks="agent", districts=DISTRICTS, created_ns=1)
    hub.view.epoch = "bench.1"
    districts = tuple(
        District(number=n, code=f"00000{n}", name=Text(f"区{n}", f"D{n}")) for n in range(DISTRICTS)
    )
    hub.city = City(districts=districts, posts=posts_of(districts, {}))
    for n in range(DISTRICTS):
        hub.view.begin(n, 0)
    hub.open_doors()
    return hub


class Bench:
    """One hub with so many screens."""

    def __init__(self, clients: int, series: int, *, same: bool) -> None:
        self.clients, self.series = clients, series
        self.hub = made_hub()
        chance = np.random.default_rng(1)
        sets = 1 if same else clients
        self.watched = [
            [(int(k) % DISTRICTS, int(k) // DISTRICTS) for k in chance.integers(0, series, WATCHED)]
            for _ in range(max(1, sets))
        ]
        self.counts = Counts(*(multiprocessing.Value("q", 0, lock=False) for _ in range(3)))
        self._n = 0

    async def __aenter__(self) -> Self:
        listener = listen("127.0.0.1", 0, "bench")
        self._server = await socket.start(self.hub, listener, origins=[])
        port = listener.getsockname()[1]
        self._process = multiprocessing.get_context("fork").Process(
            target=_screens, args=(port, self.clients, self.watched, self.counts), daemon=True
        )
        self._process.start()
        await _until(lambda: self.counts.open.value >= self.clients, 0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._server.close()
        await self._server.wait_closed()

    async def deltas(self, count: int, burst: int) -> dict[str, float]:
        """Objects change, ``burst`` of them in one turn of the loop; CPU us a delivery."""
        expected = self.counts.deltas.value
        clock = self.hub.clock
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count // burst):
            for _ in range(burst):
                self._n += 1
                body = UnitState(
                    id=f"U-{self._n % 50}", rev=self._n, district=0, on_duty=True, t_ns=self._n, order=""
                )
                now = clock.now_ns()
                self.hub.output(
                    0,
                    self._n,
                    Output(n=self._n, feed=0, commands=0, body=body),
                    ingest_ns=now,
                    agent_ns=now,
                )
            expected += self.clients * burst
            await _until(lambda: self.counts.deltas.value >= expected, 0.0005)  # noqa: B023  called at once
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        deliveries = count * self.clients
        return {"cpu_us": cpu / deliveries * 1e6, "per_s": deliveries / wall}

    async def feed(self, rate: int, seconds: float) -> dict[str, float]:
        """The whole feed at a pace, in frames of all districts; share of a core, and messages to screens."""
        payloads = _frames(self.series, 40)
        clock = self.hub.clock
        start = self.counts.values.value
        frames_n = round(rate * seconds / FRAME_ROWS)
        cpu, began = time.process_time(), time.perf_counter()
        for k in range(frames_n):
            ahead = k * FRAME_ROWS / rate - (time.perf_counter() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)
            elif k % 8 == 0:
                await asyncio.sleep(0)
            frame = frames.decode(payloads[k % len(payloads)])
            r = frame.readings
            newer = Readings(series=r.series, t_ns=r.t_ns + k * SECOND, value=r.value, quality=r.quality)
            self.hub.readings(frame.district, newer, clock.now_ns())
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        return {
            "core_share": cpu / took,
            "ns_per_reading": cpu / (frames_n * FRAME_ROWS) * 1e9,
            "sustained": frames_n * FRAME_ROWS / took,
            "messages_per_s": (self.counts.values.value - start) / took,
        }


async def _until(fact: Callable[[], bool], look_s: float) -> None:
    """Another process counts, so it can only be looked at."""
    while True:
        if fact():
            return
        await asyncio.sleep(look_s)


def _frames(series: int, count: int) -> list[bytes]:
    chance = np.random.default_rng(2)
    per_district = max(1, series // DISTRICTS)
    made = []
    for k in range(count):
        s = chance.integers(0, per_district, FRAME_ROWS).astype(np.int32)
        t = np.full(FRAME_ROWS, 1_780_000_000 * SECOND) + np.arange(FRAME_ROWS)
        readings = Readings(
            series=s, t_ns=t, value=chance.normal(0, 1, FRAME_ROWS), quality=np.zeros(FRAME_ROWS, np.uint8)
        )
        made.append(frames.encode(Frame(district=k % DISTRICTS, ingest_ns=0, readings=readings)))
    return made


async def measure(*, quick: bool) -> list[dict[str, Any]]:
    """All of it, one row a setting."""
    rows: list[dict[str, Any]] = []
    seconds = 1.5 if quick else 4.0
    for clients in (1, 100) if quick else (1, 100, 1000):
        async with Bench(clients, 1_000_000, same=False) as bench:
            n = DELTAS if clients >= 100 else 10 * DELTAS
            rows.append({"what": "delta", "clients": clients, **await bench.deltas(n, 1)})
            rows.append(
                {"what": f"deltas, {BURST} at once", "clients": clients, **await bench.deltas(n, BURST)}
            )
            rows += [
                {"what": f"feed {rate}/s", "clients": clients, **await bench.feed(rate, seconds)}
                for rate in (100_000, 500_000)
            ]
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer screens, shorter")
    parser.add_argument("--json", action="store_true", help="only the last line")
    given = parser.parse_args()
    rows = asyncio.run(measure(quick=given.quick))
    if not given.json:
        shown = [
            (
                r["what"],
                r["clients"],
                f"{r['cpu_us']:.1f}" if "cpu_us" in r else "",
                round(r["per_s"]) if "per_s" in r else "",
                f"{r['core_share']:.3f}" if "core_share" in r else "",
                round(r["ns_per_reading"]) if "core_share" in r else "",
                round(r["messages_per_s"]) if "core_share" in r else "",
            )
            for r in rows
        ]
        columns = ("", "screens", "us CPU/delivery", "deliveries/s", "cores", "ns CPU/reading", "values/s")
        show(f"The gateway, 1 000 000 series, a screen watches {WATCHED}", columns, shown)
    last_line({"bench": "fanout", **machine(), "rows": rows})


if __name__ == "__main__":
    main()
