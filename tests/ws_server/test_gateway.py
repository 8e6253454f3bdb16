"""A whole gateway on real Kafka and PostgreSQL, with outputs made here instead of by districts."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiokafka
import asyncpg
import httpx
import msgspec
import pytest

from sql import migrate, query
from sql.pool import connect
from sql.registry import unnumbered, upsert
from tests.ws_server.bodies import DISTRICTS, T0, UNITS, case, incident, order, result
from ws_server import store
from ws_server.client import LiveClient, socket_of
from ws_server.gateway import Gateway
from ws_server.messages import Delta
from yiwang import codec, frames
from yiwang.broker import ensure_topics, start_consumer, start_producer
from yiwang.clock import SystemClock, to_datetime
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.errors import YiwangError
from yiwang.frames import Frame
from yiwang.model import Acknowledge, Body, Case, Incident, Order, Output, Tick
from yiwang.registry import Device, Place, Text, Unit
from yiwang.runs import Run
from yiwang.settings import Settings, load

WAIT_S = 30.0  # how long anything may take before a test is given up; no test measures time


@dataclass
class City:
    """A run with registry and topics, and somebody who speaks for its districts."""

    run: Run
    bootstrap: str
    dsn: str
    producer: aiokafka.AIOKafkaProducer
    n: int = 0

    def settings(self, **given: Any) -> Settings:
        """Of a gateway on free ports."""
        return load(
            **{
                "kafka": self.bootstrap,
                "database": self.dsn,
                "run": self.run.name,
                "port": 0,
                "socket_port": 0,
                **given,
            }
        )

    async def says(self, body: Body, *, district: int = 0, feed: int = 0) -> int:
        """A district puts something out; its offset."""
        self.n += 1
        now = str(SystemClock().now_ns()).encode()
        record = await self.producer.send_and_wait(
            self.run.topics.outputs,
            codec.encode(Output(n=self.n, feed=feed, commands=0, body=body)),
            partition=district,
            headers=[("ingest", now), ("agent", now)],
        )
        offset: int = record.offset
        return offset

    async def feeds(self, payload: bytes, *, district: int = 0) -> None:
        """A message of the feed."""
        await self.producer.send_and_wait(self.run.topics.feed, payload, partition=district)

    async def stores(self, bodies: Sequence[Body], *, next_offset: int) -> None:
        """What persist does with these outputs of district 0."""
        db = await connect(self.dsn, self.run.topics.schema)
        try:
            async with db.transaction():
                for body in bodies:
                    await _store(db, body)
                await db.execute(query("persist/advance"), self.run.topics.outputs, 0, None, next_offset)
        finally:
            await db.close()


async def _store(db: asyncpg.Connection, body: Body) -> None:
    raw = msgspec.json.encode(body).decode()
    t = to_datetime(T0)
    match body:
        case Incident():
            await db.execute(
                query("persist/incident"),
                body.id, body.rev, body.district, body.domain, body.kind, body.place, body.state,
                body.severity, body.peak, to_datetime(body.opened_ns), t, None, None,
                body.standing, body.confidence, body.situation, None, None, raw,
            )  # fmt: skip
        case Order():
            await db.execute(
                query("persist/order"),
                body.id, body.rev, body.district, body.case, body.incident, body.unit, body.state, t, t, None, raw,
            )  # fmt: skip
        case Case():
            await db.execute(
                query("persist/case"),
                body.id, body.rev, body.district, body.incident, body.category, body.severity, body.stage,
                t, t, None, None, raw,
            )  # fmt: skip
        case _:
            raise AssertionError(body)


@asynccontextmanager
async def built(bootstrap: str, dsn: str) -> AsyncIterator[City]:
    """A migrated database with registry, and topics, of a run with a name of its own."""
    run = Run(
        name=f"gw-{uuid.uuid4().hex[:10]}",
        kind="demo",
        ticks="player",
        districts=2,
        created_ns=SystemClock().now_ns(),
    )
    await asyncio.to_thread(migrate, dsn, run)
    db = await connect(dsn, run.topics.schema)
    try:
        async with db.transaction():
            await upsert(db, districts=DISTRICTS, units=[u for r in UNITS.values() for u in r.units])
    finally:
        await db.close()
    await ensure_topics(bootstrap, run.topics, run.districts)
    producer = await start_producer(bootstrap, client_id="test", linger_ms=0)
    try:
        yield City(run=run, bootstrap=bootstrap, dsn=dsn, producer=producer)
    finally:
        await producer.stop()


@pytest.fixture
async def city(kafka: EmbeddedKafka, pg_dsn: str) -> AsyncIterator[City]:
    """A city of two districts with three units."""
    async with built(kafka.bootstrap, pg_dsn) as made:
        yield made


@pytest.fixture(autouse=True)
async def time_limit() -> AsyncIterator[None]:
    """An event that never comes fails the test instead of hanging it."""
    async with asyncio.timeout(4 * WAIT_S):
        yield


async def get(gateway: Gateway, path: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as web:
        return (await web.get(f"http://{gateway.http}{path}")).json()


async def until(gateway: Gateway, path: str, fact: Callable[[Any], bool]) -> Any:
    """Ask again until the answer is so."""
    async with httpx.AsyncClient(trust_env=False) as web:
        while True:
            answer = (await web.get(f"http://{gateway.http}{path}")).json()
            if fact(answer):
                return answer
            await asyncio.sleep(0.05)


async def test_from_outputs_to_a_screen_and_from_a_command_to_kafka(city: City) -> None:
    """The whole way, both ways: delta with stamps, command in its district's partition, result to the post."""
    async with Gateway(city.settings()) as gateway:
        url = await _session(gateway)
        async with LiveClient(url, "desk-0") as screen:
            await screen.until(lambda s: s.snapshots)
            await city.says(incident(), feed=17)
            await city.feeds(codec.encode(Tick(t_ns=T0 + 5)))
            await screen.until(lambda s: s.of(Incident) and s.beat and s.beat.event_ms)
            assert len(screen.latencies_ms) == 1
            asking = asyncio.create_task(screen.command(Acknowledge(incident="I-1"), command_id="c-1"))
            ((partition, command, ingest),) = await _commands(city, 1)
            assert (partition, command.by, command.action) == (0, "desk-0", Acknowledge(incident="I-1"))
            assert (command.t_ns, command.seen_feed, int(ingest)) == (T0 + 5, 17, command.ingest_ns)
            await city.says(result("c-1", "desk-0"))
            assert (await asking).ok


async def _session(gateway: Gateway) -> str:
    await until(gateway, "/api/health", lambda health: health["ready"])
    return await socket_of(gateway.http)


async def _commands(city: City, count: int) -> list[tuple[int, Any, bytes]]:
    consumer = await start_consumer(city.bootstrap, client_id="test-commands")
    try:
        parts = [aiokafka.TopicPartition(city.run.topics.commands, d) for d in (0, 1)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        found: list[tuple[int, Any, bytes]] = []
        while len(found) < count:
            for part, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [
                    (part.partition, codec.decode_command(r.value), dict(r.headers)["ingest"])
                    for r in records
                ]
        return found
    finally:
        await consumer.stop()


async def test_it_begins_with_the_database_and_goes_on_from_its_offset(city: City) -> None:
    """What is stored and no longer read from Kafka, and what Kafka has beyond it, are both in the snapshot."""
    outs: list[Body] = [incident("I-1"), incident("I-1", 2), order("O-1"), incident("I-2")]
    for body in outs:
        await city.says(body)
    await city.stores([incident("I-0", 9), case("C-0"), *outs[1:3]], next_offset=3)
    async with Gateway(city.settings()) as gateway, LiveClient(await _session(gateway), "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        assert {i.id: i.rev for i in screen.of(Incident).values()} == {"I-0": 9, "I-1": 2, "I-2": 1}
        assert (list(screen.of(Order)), list(screen.of(Case))) == (["O-1"], ["C-0"])
        assert screen.at == {"0": 3, "1": -1}


async def test_a_second_gateway_resumes_the_screens_of_the_first(city: City) -> None:
    """The first is gone; what was said meanwhile comes once, in order, without a snapshot."""
    revs: list[int] = []

    async def read_to(rev: int) -> None:
        async for push in pushes:
            if isinstance(push, Delta) and isinstance(push.body, Incident):
                revs.append(push.body.rev)
                if push.body.rev == rev:
                    return

    async with AsyncExitStack() as life_of_first:
        first = await life_of_first.enter_async_context(Gateway(city.settings()))
        screen = LiveClient(await _session(first), "desk-0")
        async with screen, screen.listening() as pushes:
            await screen.until(lambda s: s.snapshots)
            for rev in range(1, 6):
                await city.says(incident(rev=rev))
            await read_to(5)
            await life_of_first.aclose()
            await city.stores([incident(rev=5)], next_offset=5)
            for rev in range(6, 9):
                await city.says(incident(rev=rev))
            async with Gateway(city.settings()) as second:
                screen.url = await _session(second)
                await city.says(incident(rev=9))
                await read_to(9)
            assert revs == list(range(1, 10))
            assert (screen.snapshots, screen.resumed) == (1, 1)


async def test_values_come_from_frames(city: City) -> None:
    """Newest value of a watched series, also one that came just before the gateway started."""
    t = T0 + 5_000_000
    frame = Frame(district=1, ingest_ns=T0, readings=Readings.of([(7, t, 2.5, 0)]))
    await city.feeds(frames.encode(frame), district=1)
    await city.feeds(b"not a message", district=1)
    async with Gateway(city.settings()) as gateway, LiveClient(await _session(gateway), "desk-1") as screen:
        await screen.until(lambda s: s.snapshots)
        await screen.watch([(1, 7), (0, 0)])
        later = Frame(district=1, ingest_ns=T0, readings=Readings.of([(7, t + 1_000_000, 3.5, 1)]))
        await city.feeds(frames.encode(later), district=1)
        await screen.until(lambda s: s.values.get((1, 7), (0, 0, 0, 0, 0))[3] == 3.5)
        assert screen.values == {(1, 7): (1, 7, (t + 1_000_000) / 1e6, 3.5, 1)}


async def test_the_registry_is_followed(city: City) -> None:
    """A new crew can take its post at once, without a restart; the rules of the database replace ours."""
    async with Gateway(city.settings()) as gateway:
        await _session(gateway)
        db = await connect(city.dsn, city.run.topics.schema)
        try:
            crew = Unit(id="U-9", district=1, name=Text("新队"), skill="gas", lon=112.6, lat=23.9)
            rules = msgspec.structs.replace(load_rules(), version="test-rules")
            async with db.transaction():
                await db.execute(query("persist/rules"), rules.version, msgspec.json.encode(rules).decode())
                await upsert(db, units=[crew])
        finally:
            await db.close()
        await until(gateway, "/api/session", lambda session: "U-9" in str(session["posts"]))
        assert "U-9" in [u["id"] for u in (await get(gateway, "/api/registry"))["units"]]
        assert (await get(gateway, "/api/domains"))["version"] == "test-rules"


async def test_of_a_large_city_screens_ask_for_what_they_need(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No list of all devices: counts, those asked for by id, and those in a part of the map."""
    monkeypatch.setattr(store, "WHOLE_DEVICES", 2)
    places = [
        Place(id=f"P-{n}", district=0, zone="Z", kind="road", name=Text("路"), lon=112.5 + n, lat=23.5)
        for n in range(3)
    ]
    devices = [
        Device(
            id=f"D-{n}", district=0, kind="camera" if n else "road_water_level", place=f"P-{n}", name=Text("表"),
            lon=112.5 + n, lat=23.5, series=unnumbered(["water_depth"]),
        )
        for n in range(3)
    ]  # fmt: skip
    db = await connect(city.dsn, city.run.topics.schema)
    try:
        async with db.transaction():
            await upsert(db, places=places, devices=devices)
    finally:
        await db.close()
    async with Gateway(city.settings()) as gateway:
        await _session(gateway)
        registry = await get(gateway, "/api/registry")
        assert (registry["whole"], registry["devices"], registry["places"]) == (False, [], [])
        assert registry["counts"] == {"places": 3, "devices": {"camera": 2, "road_water_level": 1}}
        assert {u["id"] for u in registry["units"]} == {"U-1", "U-2", "U-3"}
        some = await get(gateway, "/api/registry/some?devices=D-1,D-9&places=P-2")
        assert [(d["id"], [s["metric"] for s in d["series"]]) for d in some["devices"]] == [
            ("D-1", ["water_depth"])
        ]
        assert [(p["id"], p["zone"]) for p in some["places"]] == [("P-2", "Z")]
        around = await get(gateway, "/api/registry/around?west=113&south=23&east=180&north=24")
        assert (sorted(around["devices"]), around["total"]) == (
            [["camera", 113.5, 23.5], ["camera", 114.5, 23.5]],
            2,
        )
        bad = [
            "/api/registry/around?west=x&south=23&east=180&north=24",
            "/api/registry/some?devices=" + ",".join(map(str, range(300))),
        ]
        assert [(await get(gateway, path))["code"] for path in bad] == ["http.parameter"] * 2
        db = await connect(city.dsn, city.run.topics.schema)
        try:
            async with db.transaction():
                await upsert(db, devices=[msgspec.structs.replace(devices[0], id="D-3")])
        finally:
            await db.close()
        await until(gateway, "/api/registry", lambda r: r["counts"]["devices"]["road_water_level"] == 2)


async def test_of_a_small_city_all_devices_are_told(city: City) -> None:
    """As before; asking for a part of the map is refused with where to find all."""
    async with Gateway(city.settings()) as gateway:
        await _session(gateway)
        registry = await get(gateway, "/api/registry")
        assert (registry["whole"], registry["counts"]) == (True, {"places": 0, "devices": {}})
        refused = await get(gateway, "/api/registry/around?west=1&south=1&east=2&north=2")
        assert refused["code"] == "registry.whole"


async def test_history_and_curves(city: City) -> None:
    """Incidents of the past by state and time, and a thinned curve that keeps its extremes."""
    past = [
        incident(f"I-{n}", state="closed" if n % 2 else "open", opened_ns=T0 + n * 10**9) for n in range(6)
    ]
    await city.stores(past, next_offset=0)
    db = await connect(city.dsn, city.run.topics.schema)
    try:
        days = await db.fetchval("select reading_days(array[$1::date])", to_datetime(T0).date())
        assert days == 1
        await db.copy_records_to_table(
            "reading",
            records=[(to_datetime(T0 + n * 10**8), 99.0 if n == 777 else 1.0, 3, 0, 0) for n in range(2000)],
            columns=["t", "value", "series", "district", "quality"],
        )
    finally:
        await db.close()
    async with Gateway(city.settings()) as gateway:
        await _session(gateway)
        closed = await get(gateway, f"/api/incidents?state=closed&before_ms={(T0 // 10**6) + 5000}")
        assert [i["id"] for i in closed["incidents"]] == ["I-3", "I-1"]
        assert [i["id"] for i in (await get(gateway, "/api/incidents?limit=2"))["incidents"]] == [
            "I-5",
            "I-4",
        ]
        span = f"from_ms={T0 // 10**6}&to_ms={T0 // 10**6 + 200_000}"
        curve = await get(gateway, f"/api/readings?district=0&series=3&{span}&points=100")
        assert 50 <= len(curve["t_ms"]) <= 100
        assert curve["t_ms"] == sorted(curve["t_ms"])
        assert curve["t_ms"][curve["value"].index(99.0)] == pytest.approx((T0 + 777 * 10**8) / 1e6)


async def test_a_database_that_is_away_at_the_start_is_waited_for(city: City) -> None:
    """Pages and health are there at once and say so; screens come as soon as it answers."""
    parts = urlsplit(city.dsn)
    gate = await asyncio.start_server(_through(parts.hostname or "", parts.port or 0), "127.0.0.1", 0)
    port = gate.sockets[0].getsockname()[1]
    gate.close()
    await gate.wait_closed()
    login = parts.netloc.rpartition("@")[0]
    dsn = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
    async with Gateway(city.settings(database=dsn)) as gateway:
        health = await get(gateway, "/api/health")
        assert (health["ok"], health["ready"], health["database"]) == (False, False, False)
        session = await get(gateway, "/api/session")
        assert session["code"] == "database.unavailable"
        gate = await asyncio.start_server(_through(parts.hostname or "", parts.port or 0), "127.0.0.1", port)
        try:
            health = await until(gateway, "/api/health", lambda health: health["ok"])
            assert health["ready"]
            assert health["database"]
        finally:
            gate.close()


def _through(host: str, port: int) -> Any:
    """A way to the database that can be closed."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    return handle


@pytest.mark.parametrize("known", [False, True])
async def test_a_wrong_set_up_is_told_at_the_start(kafka: EmbeddedKafka, pg_dsn: str, known: bool) -> None:
    """A database that was never migrated, or a run that does not exist, is no matter of waiting."""
    if known:
        run = Run(name="other", kind="demo", ticks="player", districts=1)
        await asyncio.to_thread(migrate, pg_dsn, run)
    settings = load(kafka=kafka.bootstrap, database=pg_dsn, run="nowhere", port=0, socket_port=0)
    with pytest.raises(YiwangError) as refused:
        async with Gateway(settings):
            pass
    assert refused.value.code == ("run.unknown" if known else "database.not_migrated")


@pytest.mark.slow
async def test_without_kafka_screens_are_served_and_told(pg_dsn: str, services_dir: Path) -> None:
    """The broker goes and comes back: beats say so, new screens get a snapshot, then the stream goes on."""
    broker = EmbeddedKafka(services_dir / f"kafka-{uuid.uuid4().hex[:6]}", heap_mb=256)
    await asyncio.to_thread(broker.start)
    try:
        async with (
            built(broker.bootstrap, pg_dsn) as city,
            Gateway(city.settings()) as gateway,
            LiveClient(await _session(gateway), "desk-0") as screen,
        ):
            await city.says(incident())
            await screen.until(lambda s: s.of(Incident))
            port = int(broker.bootstrap.rpartition(":")[2])
            await asyncio.to_thread(broker.stop)
            await screen.until(lambda s: s.beat and not s.beat.kafka)
            async with LiveClient(screen.url, "desk-1") as late:
                await late.until(lambda s: "I-1" in s.of(Incident))
            assert (await get(gateway, "/api/health"))["problems"]["broker"]["code"] == "kafka.unavailable"
            broker = EmbeddedKafka(broker.config.data_dir, heap_mb=256, port=port)
            await asyncio.to_thread(broker.start)
            await screen.until(lambda s: s.beat and s.beat.kafka)
            await city.says(incident(rev=2))
            await screen.until(lambda s: s.of(Incident)["I-1"].rev == 2)
            assert screen.snapshots == 1
    finally:
        await asyncio.to_thread(broker.stop)


async def test_units_see_their_own_through_the_whole_gateway(city: City) -> None:
    """An order in a neighbour's district brings its incident along."""
    async with Gateway(city.settings()) as gateway, LiveClient(await _session(gateway), "U-3") as unit:
        await unit.until(lambda s: s.snapshots)
        await city.says(incident("I-1"))
        await city.says(order("O-1", unit="U-1"))
        await city.says(order("O-3", unit="U-3", district=1, for_district=0), district=1)
        await unit.until(lambda s: s.of(Order) and s.of(Incident))
        assert (list(unit.of(Order)), list(unit.of(Incident))) == (["O-3"], ["I-1"])
