"""A storm: hundreds of incidents within seconds, while a source floods ingest and the database goes away.

A screen takes nothing any more beside all that. Everything stays bounded, what counts comes through, and nothing is
lost.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest

from scenarios.running import prepare
from sql.pool import connect
from tests.faults import town
from tests.faults.judging import judge
from tests.faults.rig import PATIENCE_S, City, Ground, ground, open_run
from tests.faults.witness import Witness
from ws_server.client import LiveClient
from ws_server.messages import Answer, Push, Snapshot, Values, encode
from yiwang import metrics as m
from yiwang import processes
from yiwang.clock import SystemClock
from yiwang.commands._pages import Page, fetch_all
from yiwang.commands._processes import Services, child, start_all, stream_children
from yiwang.embedded.ports import free_port
from yiwang.embedded.supervise import Supervisor
from yiwang.metrics import Spec
from yiwang.model import Incident, Order
from yiwang.runs import Run

pytestmark = pytest.mark.slow

DISTRICTS, PLACES, CREWS = 2, 170, 160
FLOODED = 150
"""Underpasses of a district that flood; the gauges of the others belong to the source that sends too much."""
WET_CM = 27.0
FLOODING = "road_flooding"
"""Every flooded place has one of this kind; some have been forecast before, and have one of that kind too."""
RATE = 4000
"""Readings a second that ingest takes of one source: twice what all gauges of the city send together."""
FLOODER = "127.0.0.2"
POURERS, FLOOD_ROWS, FLOOD_EVERY_S = 4, 2000, 0.05
QUIET = (m.PERSIST_LAG, m.DISTRICT_LAG, m.CITY_LAG, m.GATEWAY_LAG)


class Weather:
    """Dry until the storm begins; then every underpass fills within three seconds, and stands."""

    def __init__(self) -> None:
        self._begun_us: int | None = None

    def storm(self) -> None:
        """From now on."""
        self._begun_us = SystemClock().now_ns() // 1000

    def depth_cm(self, series: int, t_us: int) -> float:
        """What a gauge measures; both of a place agree."""
        if self._begun_us is None:
            return 2.0
        risen = min(1.0, max(0.0, (t_us - self._begun_us) / 3e6))
        return round(2.0 + risen * (29.0 + series // 2 % 7 * 5) + 0.1 * (series % 2), 3)


class Flood:
    """One source that sends as fast as it can and waits for nothing, as long as the ``async with`` block lasts.

    Attributes:
        taken: bodies answered with 202.
        refusals: what it was told otherwise.
    """

    def __init__(self, address: str, load: town.Load) -> None:
        self.taken = 0
        self.refusals: list[dict[str, object]] = []
        self.limited = asyncio.Event()
        self._url = f"http://{address}/v1/readings"
        self._load = load

    @asynccontextmanager
    async def pouring(self) -> AsyncIterator[None]:
        """While the block lasts."""
        connector = aiohttp.TCPConnector(local_addr=(FLOODER, 0))
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            stop = asyncio.Event()
            tasks = [
                asyncio.create_task(self._pour(session, range(first, 2 * PLACES, POURERS), stop))
                for first in range(2 * FLOODED, 2 * FLOODED + POURERS)
            ]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*tasks)

    async def _pour(self, session: aiohttp.ClientSession, gauges: range, stop: asyncio.Event) -> None:
        refused: dict[town.Key, float] = {}
        body = b""
        while not stop.is_set():
            if not refused:
                now_us = SystemClock().now_ns() // 1000
                batch = {
                    (0, gauges[i % len(gauges)], now_us + i // len(gauges)): 3.0 for i in range(FLOOD_ROWS)
                }
                body = town.body_of(batch)
                self._load.sent |= batch
            async with session.post(
                self._url, data=body, headers={"Content-Type": "application/json"}
            ) as answer:
                said = await answer.json()
            if answer.status == 202:
                assert said["accepted"] == FLOOD_ROWS, said
                self._load.accepted |= batch.keys()
                self.taken += 1
                refused = {}
            else:
                assert answer.status == 429, said
                self.refusals.append(said)
                self.limited.set()
                refused = batch
                await asyncio.sleep(FLOOD_EVERY_S)  # it does not wait as long as it was told
        for key in refused:  # refused is refused: it must be stored nowhere
            del self._load.sent[key]


class Stuck(LiveClient):
    """A screen that stops taking what it is sent, and goes on later.

    Attributes:
        takes: cleared while it takes nothing.
        known: incidents it knew when it first saw high water, or came to know with it.
    """

    def __init__(self, socket: str) -> None:
        super().__init__(socket, "desk-city")
        self.takes = asyncio.Event()
        self.takes.set()
        self.known: set[str] | None = None

    async def ask_again(self) -> None:
        """Want the newest values of everything again, and do not wait for an answer."""
        assert self._connection is not None
        self._id += 1
        await self._connection.send(
            encode({"id": self._id, "do": "watch", "series": self._watched}), text=True
        )

    async def _hear(self, message: Push | Answer) -> None:
        await self.takes.wait()
        await super()._hear(message)
        rows = message.rows if isinstance(message, Values) else ()
        rows = message.values if isinstance(message, Snapshot) else rows
        if self.known is None and any((row[3] or 0.0) >= WET_CM for row in rows):
            self.known = set(self.of(Incident))


@dataclass
class Watch:
    """Reads what all processes of a run tell of themselves, over and over.

    Attributes:
        newest: pages by role and worker.
        fullest: most that was ever seen in each queue, and what fits.
        most: largest sum ever seen, by role and metric.
    """

    folder: Path
    run: str
    newest: dict[str, Page] = field(default_factory=dict)
    fullest: dict[str, tuple[float, float]] = field(default_factory=dict)
    most: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def look(self) -> None:
        """Once."""
        entries = processes.found(self.folder, self.run)
        pages = await asyncio.to_thread(fetch_all, entries)
        for entry, page in zip(entries, pages, strict=True):
            if not isinstance(page, Page):
                continue
            self.newest[f"{entry.role}{entry.worker}"] = page
            limits = page.rows(m.QUEUE_LIMIT)
            for labels, value in page.rows(m.QUEUE).items():
                name = f"{entry.role}{entry.worker} {sorted(labels)}"
                self.fullest[name] = max(self.fullest.get(name, (-1.0, 0.0)), (value, limits[labels]))
            for spec in QUIET:
                key = (entry.role, spec.name)
                self.most[key] = max(self.most[key], int(page.total(spec) or 0))

    async def until(self, fact: Callable[[], object]) -> None:
        """Look until it is so."""
        await self.look()
        while not fact():
            await asyncio.sleep(0.2)
            await self.look()

    def total(self, role: str, spec: Spec, **labels: str) -> float:
        """Of the newest pages of a role."""
        return sum(
            page.total(spec, **labels) or 0.0 for who, page in self.newest.items() if who.startswith(role)
        )

    def waiting(self) -> float:
        """Messages that anybody has still to work on."""
        return sum(self.total("", spec) for spec in QUIET)


@dataclass
class Storm:
    """A city before the storm."""

    one: City
    weather: Weather
    flood: Flood
    stuck: Stuck
    watch: Watch


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A broker and a database that may be stopped."""
    with ground(tmp_path_factory.mktemp("storm")) as both:
        yield both


@contextmanager
def _processes(at: Ground, run: Run, ports: list[int]) -> Iterator[City]:
    where = Services(kafka=at.kafka.bootstrap, database=at.postgres.dsn, folder=at.folder / run.name)
    made = [
        child(f"{run.name}-serve", ["serve"], where, run=run.name, port=ports[0], socket_port=ports[1]),
        child(f"{run.name}-ingest", ["ingest"], where, run=run.name, ingest_port=ports[2], rate_limit=RATE),
        *stream_children(where, run=run.name, workers=2, city=True),
    ]
    made = [replace(c, silent_s=None) for c in made]
    with Supervisor(where.folder, max_restarts=1000) as supervisor:
        start_all(supervisor, made)
        yield City(at, run, supervisor, {c.name.removeprefix(f"{run.name}-"): c for c in made})


@asynccontextmanager
async def city_before_a_storm(at: Ground) -> AsyncIterator[Storm]:
    """Everything started, under load, with a screen that looks on and one that will take nothing."""
    run = Run(name="storm", kind="live", ticks="agent", districts=DISTRICTS)
    opened = town.scenario(DISTRICTS, places=PLACES, crews=CREWS)
    folder = at.folder / run.name
    folder.mkdir(exist_ok=True)
    where = Services(kafka=at.kafka.bootstrap, database=at.postgres.dsn, folder=folder)
    await prepare(run, opened, bootstrap=where.kafka, dsn=where.database)
    await open_run(run, opened, where)
    ports = [free_port() for _ in range(3)]
    socket, ingest = f"ws://127.0.0.1:{ports[1]}/", f"127.0.0.1:{ports[2]}"
    weather = Weather()
    series = [(d, n) for d in range(DISTRICTS) for n in range(2 * PLACES)]
    starting = _processes(at, run, ports)
    one = await asyncio.to_thread(starting.__enter__)
    try:
        async with one.followed(), Witness(socket) as one.witness:
            async with (
                town.Load(
                    ingest, DISTRICTS, gauges=2 * FLOODED, depth=weather.depth_cm, every_s=0.5
                ) as one.load,
                Stuck(socket) as stuck,
            ):
                await one.witness.client.watch(series)
                await stuck.until(lambda me: me.snapshots)
                await stuck.watch(series)
                await one.recovered()
                yield Storm(one, weather, Flood(ingest, one.load), stuck, Watch(folder, run.name))
                async with asyncio.timeout(PATIENCE_S):
                    await one.load.stop()
                    await one.through(await one.ends())
            await one.finish()
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


async def _everything_at_once(storm: Storm) -> None:
    one, watch, stuck, flood = storm.one, storm.watch, storm.stuck, storm.flood
    healthy = one.witness.client

    # ---- a screen that takes nothing any more, whatever it asked for ----
    await watch.look()
    before = watch.total("gateway", m.GATEWAY_COALESCED)
    stuck.takes.clear()
    while watch.total("gateway", m.GATEWAY_COALESCED) < before + 10:
        for _ in range(20):
            await stuck.ask_again()
            await asyncio.sleep(0.01)  # or the gateway answers several with the same values
        await watch.look()

    _step("a screen is stuck")
    async with flood.pouring():
        # ---- a source sends too much, and is told so by its name ----
        await flood.limited.wait()
        _step("the flood is limited")
        await one.load.more()
        # ---- the water comes everywhere; the database goes ----
        storm.weather.storm()
        await healthy.until(lambda me: me.of(Incident))
        _step("the first incident")
        await asyncio.to_thread(one.ground.postgres.stop)
        # ---- without it every incident is found, and everybody who looks is told of it and of the orders ----
        await healthy.until(lambda me: len(_flooded(me)) >= DISTRICTS * FLOODED and me.of(Order))
        _step("all incidents")
        await watch.until(
            lambda: (
                watch.total("persist", m.AWAY, service="database")
                and watch.total("persist", m.PERSIST_LAG)
                and watch.total("district", m.AWAY, service="database")
            )
        )
        assert watch.newest["ingest"].label(m.INGEST_LIMITED, "source") == {f"http:{FLOODER}"}
        await one.load.more()  # the others are still taken
        _step("the lag is told")
        # ---- the screen takes something again: what happened comes before what was measured ----
        happened = set(healthy.of(Incident))
        stuck.takes.set()
        await stuck.until(lambda me: me.known is not None and happened <= me.of(Incident).keys())
        assert stuck.known is not None
        assert happened <= stuck.known
        _step("the screen goes on")
        await asyncio.to_thread(one.ground.postgres.start)
    await watch.look()
    limited = watch.total("ingest", m.INGEST_LIMITED, what="bodies", source=f"http:{FLOODER}")
    assert limited == len(flood.refusals) > 0

    _step("the database is back")
    # ---- afterwards nothing waits anywhere ----
    await one.recovered()
    await watch.until(lambda: not watch.waiting())


def _flooded(screen: LiveClient) -> list[Incident]:
    return [i for i in screen.of(Incident).values() if i.kind == FLOODING]


def _step(what: str) -> None:
    print(json.dumps({"storm": what}), flush=True)


async def test_a_whole_city_at_once(services: Ground) -> None:
    """Hundreds of incidents within seconds, a flood at the door, no database and a stuck screen, all at the same time.

    Queues keep their bounds, the flooding source is named and limited and no other, lags are told while they last,
    alerts and orders reach the screens before values that waited, the stuck screen costs the other one nothing, and
    nothing accepted is lost or doubled.
    """
    async with city_before_a_storm(services) as storm:
        async with asyncio.timeout(3 * PATIENCE_S):
            await _everything_at_once(storm)
    one, watch = storm.one, storm.watch
    print(json.dumps({"fullest": watch.fullest, "most": {" ".join(k): n for k, n in watch.most.items()}}))
    print(json.dumps({"taken": storm.flood.taken, "refused": len(storm.flood.refusals)}))
    over = {name: seen for name, seen in watch.fullest.items() if seen[0] > seen[1]}
    assert not over
    assert {name.split()[0] for name in watch.fullest} >= {"ingest", "districtdistrict0", "persistpersist0"}
    assert all(r["code"] == "ingest.rate_limited" for r in storm.flood.refusals)
    assert all(f"http:{FLOODER}" in str(r["message"]) for r in storm.flood.refusals)
    assert watch.most["persist", m.PERSIST_LAG.name] > 0
    assert watch.total("gateway", m.GATEWAY_RESETS) > 0  # the stuck screen was given a snapshot instead
    assert one.witness.client.snapshots == 1  # the other one never
    verdict = await judge(one)
    print(json.dumps(verdict.counts))
    assert not verdict.wrong, "\n".join(verdict.wrong)
    incidents = await _incidents(one)
    print(json.dumps(Counter(kind for _, kind in incidents)))
    assert set(incidents.values()) == {1}, Counter(incidents).most_common(5)
    assert {place for place, kind in incidents if kind == FLOODING} == {
        f"f{d}-up{k}" for d in range(DISTRICTS) for k in range(FLOODED)
    }


async def _incidents(one: City) -> Counter[tuple[str, str]]:
    """How many there are of each place and kind."""
    db = await connect(one.ground.postgres.dsn, one.run.topics.schema)
    try:
        rows = await db.fetch("select place, kind from incident")
        return Counter((r[0], r[1]) for r in rows)
    finally:
        await db.close()
