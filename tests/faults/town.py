"""A town of underpasses that flood in turn, and its gauges: real time, real HTTP, every reading accounted for."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from scenarios.model import Scenario
from tests.streams.world import KINDS
from yiwang.clock import SystemClock, to_datetime
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.registry import Device, District, Place, Registry, Series, Text, Unit

PLACES = 40
"""Underpasses of a district, each a zone of its own with two gauges."""
CREWS = 4
PERIOD_S, WET_S = 240.0, 40.0
"""Each underpass is under water so long in every period, one after another."""
EVERY_S = 0.25
STATIONS = 4
"""Senders a district; each has its share of the gauges."""

BUFFERED = 4
"""Rounds of measuring that wait in a station at the most; then it measures no more until it is heard."""

Key = tuple[int, int, int]
"""District, series, event time in microseconds UTC."""


def registry(district: int, *, places: int = PLACES, crews: int = CREWS) -> Registry:
    """Underpasses, two gauges each, and crews of a district."""
    tag = f"f{district}"

    def at(k: int) -> tuple[float, float]:
        return 120.0 + 0.01 * (k % 8), 30.0 + 0.01 * (k // 8)

    return Registry(
        version=1,
        places=tuple(
            Place(
                id=f"{tag}-up{k}", district=district, zone=f"{tag}-z{k}", kind="underpass", name=Text(f"桥{k}"),
                lon=at(k)[0], lat=at(k)[1], attributes={"closure_depth_cm": 27.0},
            )
            for k in range(places)
        ),
        devices=tuple(
            Device(
                id=f"{tag}-w{n}", district=district, kind=KINDS["water_depth"], place=f"{tag}-up{n // 2}",
                name=Text(f"水位{n}"), lon=at(n // 2)[0], lat=at(n // 2)[1],
                series=(Series(number=n, metric="water_depth"),),
            )
            for n in range(2 * places)
        ),
        units=tuple(
            Unit(
                id=f"{tag}-crew{i}", district=district, name=Text(f"队{i}"), skill="drainage",
                lon=120.0 + 0.02 * i, lat=30.02,
            )
            for i in range(crews)
        ),
    )  # fmt: skip


def scenario(districts: int, *, places: int = PLACES, crews: int = CREWS) -> Scenario:
    """The town as something to open a run with; its readings come over HTTP."""
    nothing = Readings.of([])
    return Scenario(
        name="town",
        title=Text("镇", "town"),
        start_ns=0,
        end_ns=0,
        settle_s=0.0,
        tick_s=1.0,
        districts=tuple(
            District(number=n, code=f"99010{n}", name=Text(f"{n}号区", f"District {n}"))
            for n in range(districts)
        ),
        registries={n: registry(n, places=places, crews=crews) for n in range(districts)},
        rules=load_rules(),
        base_map={"type": "FeatureCollection", "features": []},
        readings=dict.fromkeys(range(districts), nothing),
    )


def depth_cm(series: int, t_us: int) -> float:
    """How deep the water is: rises for a third of the wet time, then stands; both gauges of a place agree."""
    place = series // 2
    wet_s = (t_us / 1e6 + place * PERIOD_S / PLACES) % PERIOD_S
    if wet_s >= WET_S:
        return 0.0
    return round(min(1.0, 3 * wet_s / WET_S) * (31.0 + place % 7 * 5) + 0.1 * (series % 2), 3)


class Row(msgspec.Struct):
    """A reading as the interface takes it."""

    device: str
    metric: str
    value: float
    unit: str
    time: str


def body_of(batch: dict[Key, float]) -> bytes:
    """Readings as a request's body."""
    return msgspec.json.encode(
        [
            Row(
                device=f"f{district}-w{series}",
                metric="water_depth",
                value=value,
                unit="cm",
                time=to_datetime(t_us * 1000).isoformat(),
            )
            for (district, series, t_us), value in batch.items()
        ]
    )


class Load:
    """All gauges sending all the time, as devices do: in order, and again until the answer is 202.

    Args:
        address: ``host:port`` of ingest.
        districts: how many there are.
        gauges: of each.
        depth: what a gauge measures, cm, from its series and the time in microseconds UTC.
        every_s: how often it does.

    Attributes:
        sent: value of every reading that was ever in a request.
        accepted: those of requests that were answered with 202.
        retries: requests that were sent again with the same content.
    """

    def __init__(
        self,
        address: str,
        districts: int,
        *,
        gauges: int = 2 * PLACES,
        depth: Callable[[int, int], float] = depth_cm,
        every_s: float = EVERY_S,
    ) -> None:
        self._url = f"http://{address}/v1/readings"
        self._districts, self._gauges, self._depth, self._every_s = districts, gauges, depth, every_s
        self.sent: dict[Key, float] = {}
        self.accepted: set[Key] = set()
        self.retries = 0
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._heard = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        for district in range(self._districts):
            for k in range(STATIONS):
                self._tasks.append(
                    asyncio.create_task(self._station(district, range(k, self._gauges, STATIONS)))
                )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._session is not None
        await self._session.close()

    async def stop(self) -> None:
        """No more readings; returns when every one has been accepted."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def more(self) -> None:
        """Return when something was accepted from now on."""
        goal = len(self.accepted) + 1
        async with self._heard:
            await self._heard.wait_for(lambda: len(self.accepted) >= goal)

    async def _station(self, district: int, gauges: range) -> None:
        waiting: deque[dict[Key, float]] = deque()
        something = asyncio.Event()

        async def measure() -> None:
            while not self._stop.is_set():
                if len(waiting) < BUFFERED:
                    t_us = SystemClock().now_ns() // 1000
                    waiting.append({(district, n, t_us): self._depth(n, t_us) for n in gauges})
                    something.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._stop.wait()
            something.set()

        measuring = asyncio.create_task(measure())
        try:
            while waiting or not self._stop.is_set():
                if waiting:
                    await self._deliver(waiting.popleft())
                else:
                    something.clear()
                    await something.wait()
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)

    async def _deliver(self, batch: dict[Key, float]) -> None:
        assert self._session is not None
        body = body_of(batch)
        self.sent |= batch
        while True:
            try:
                async with self._session.post(
                    self._url, data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    text = await answer.read()
                    if answer.status == 202:
                        said = msgspec.json.decode(text)
                        assert (said["accepted"], said["rejected"]) == (len(batch), []), text
                        break
                    assert answer.status == 503, text
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # no answer: nobody knows whether it was taken
            self.retries += 1
            await asyncio.sleep(0.2)
        self.accepted |= batch.keys()
        async with self._heard:
            self._heard.notify_all()
