"""The ingest process on real Kafka and PostgreSQL."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest

from ingest.feeder import Feeder
from ingest.service import run
from ingest.watch import Watch
from sql import migrate, registry
from sql.pool import connect
from tests.ingest.mqtt_broker import Absent, Broker
from tests.ingest.town import DOMAINS, batch_values, device, event, row
from yiwang import codec, frames
from yiwang.broker import ensure_topics, start_consumer, start_producer
from yiwang.clock import SystemClock
from yiwang.columns import Readings
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.ports import free_port
from yiwang.errors import Unavailable, YiwangError
from yiwang.model import VideoEvent
from yiwang.registry import Device, District, Place, Text
from yiwang.runs import Run
from yiwang.settings import load
from yiwang.topics import Topics

JSON = {"content-type": "application/json"}
PLACE = Place(id="P", district=0, zone="Z", kind="underpass", name=Text("点", "P"), lon=104.0, lat=30.0)


def now(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


class Town:
    """A registered town in a run of its own."""

    def __init__(self, bootstrap: str, dsn: str, name: str) -> None:
        self.bootstrap = bootstrap
        self.dsn = dsn
        self.topics = Topics(name)
        self.data = tempfile.mkdtemp(prefix="yiwang-town-")
        migrate(dsn, Run(name=name, kind="replay", ticks="player", districts=2))
        asyncio.run(self._found())

    async def _found(self) -> None:
        districts = [District(number=n, code=str(n), name=Text("区")) for n in (0, 1)]
        await self.register(
            device("WL-1", 0, "underpass_water_level", [(0, "water_depth")]),
            device("CAM-1", 0, "road_camera", [(0, "video_road_flooding")]),
            device("WL-9", 1, "underpass_water_level", [(0, "water_depth")]),
            districts=districts,
        )

    async def register(self, *devices: Device, districts: list[District] | None = None) -> None:
        conn = await connect(self.dsn, self.topics.schema)
        try:
            async with conn.transaction():
                await registry.upsert(conn, districts=districts or [], places=[PLACE], devices=devices)
        finally:
            await conn.close()

    @property
    def environment(self) -> dict[str, str]:
        """Settings of our processes."""
        return {
            **os.environ,
            "YIWANG_KAFKA": self.bootstrap,
            "YIWANG_DATABASE": self.dsn,
            "YIWANG_RUN": self.topics.run,
            "YIWANG_METRICS_PORT": "-1",
        }

    @contextmanager
    def process(self, *options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
        """A running ``yiwang ingest`` and its ready line."""
        argv = [sys.executable, "-m", "yiwang", "ingest", "--port", "0", *options]
        with subprocess.Popen(argv, env=self.environment, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout
                yield child, json.loads(child.stdout.readline())
            finally:
                child.terminate()
                child.wait(30)

    def cli(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of ours that ends by itself."""
        return subprocess.run(
            [sys.executable, "-m", "yiwang", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def feed(self) -> dict[int, list[float | VideoEvent]]:
        """District to what is in its partition: values of readings, and events."""
        return asyncio.run(self._feed())

    async def _feed(self) -> dict[int, list[float | VideoEvent]]:
        consumer = await start_consumer(self.bootstrap, self.topics.feed, client_id="test")
        found: dict[int, list[float | VideoEvent]] = {0: [], 1: []}
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(p) < end for p, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        if frames.is_frame(record.value):
                            found[record.partition] += batch_values(record.value)
                        else:
                            message = codec.decode_feed(record.value)
                            assert isinstance(message, VideoEvent)
                            found[record.partition].append(message)
        finally:
            await consumer.stop()
        return found


@pytest.fixture
def town(kafka: EmbeddedKafka, pg_dsn: str, request: pytest.FixtureRequest) -> Town:
    return Town(kafka.bootstrap, pg_dsn, f"t{abs(hash(request.node.name)) % 10**9}")


@pytest.mark.slow
def test_accepted_means_in_the_topic(town: Town) -> None:
    """JSON, gzip, NDJSON and events: what was answered 202 is in Kafka, in order; the rest in the dead letters."""
    with town.process() as (_, line):
        assert line["ready"] == "ingest"
        url = f"http://{line['http']}/v1"
        good = [row(value=v, time=now()) for v in (1.0, 2.0)]
        answer = httpx.post(f"{url}/readings", content=json.dumps([*good, row(unit="ell")]), headers=JSON)
        assert answer.status_code == 202
        assert answer.json()["accepted"] == 2
        packed = gzip.compress(
            json.dumps([row(value=3.0, time=now()), row(device="WL-9", time=now())]).encode()
        )
        answer = httpx.post(f"{url}/readings", content=packed, headers={**JSON, "content-encoding": "gzip"})
        assert answer.json()["accepted"] == 2
        answer = httpx.post(
            f"{url}/readings",
            content="\n".join(json.dumps(row(value=v, time=now())) for v in (4.0, 5.0)),
            headers={"content-type": "application/x-ndjson"},
        )
        assert answer.json()["accepted"] == 2
        answer = httpx.post(f"{url}/events", content=json.dumps(event(time=now())), headers=JSON)
        assert answer.json()["accepted"] == 1
        feed = town.feed()
        assert feed[0][:5] == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert isinstance(feed[0][5], VideoEvent)
        assert feed[1] == [12.5]
        counters = httpx.get(f"{url}/counters").json()["sources"]
        assert counters["http"] == {"accepted": 6, "rejected": {"reading.unit_unknown": 1}}
        assert httpx.get(f"http://{line['http']}/healthz").json()["devices"] == 3


@pytest.mark.slow
def test_two_processes_feed_one_city(town: Town) -> None:
    """Both answer for what they took; all of it is in the topic, none of it twice."""
    with town.process() as (_, one), town.process() as (_, two):

        async def load_both() -> int:
            async with httpx.AsyncClient(headers=JSON) as client:
                posts = [
                    client.post(
                        f"http://{line['http']}/v1/readings",
                        content=json.dumps([row(value=k * 10 + i, time=now()) for i in range(10)]),
                    )
                    for k in range(20)
                    for line in [(one, two)[k % 2]]
                ]
                return sum([(await p).json()["accepted"] for p in posts])

        assert asyncio.run(load_both()) == 200
    assert sorted(v for v in town.feed()[0] if isinstance(v, float)) == [float(v) for v in range(200)]


@pytest.mark.slow
def test_two_processes_on_one_port(town: Town) -> None:
    """With --share-port a second one listens where the first does, and goes on when the first has ended."""
    with town.process("--share-port") as (_, two):
        port = two["http"].rpartition(":")[2]
        with town.process("--share-port", "--port", port) as (_, one):
            assert one["http"] == two["http"]
        for value in (1.0, 2.0):
            answer = httpx.post(
                f"http://{two['http']}/v1/readings",
                content=json.dumps([row(value=value, time=now())]),
                headers=JSON,
            )
            assert answer.json()["accepted"] == 1
    assert town.feed()[0] == [1.0, 2.0]


@pytest.mark.slow
async def test_on_a_shared_port_metrics_are_elsewhere(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Of a port that several processes share nobody can say which of them answers: each has one for its metrics."""
    migrate(pg_dsn, Run(name="shared-port", kind="replay", ticks="player", districts=1))
    stop, said = asyncio.Event(), asyncio.get_running_loop().create_future()
    settings = load(
        kafka=kafka.bootstrap,
        database=pg_dsn,
        run="shared-port",
        ingest_port=0,
        share_port=True,
        metrics_port=0,
    )
    running = asyncio.create_task(run(settings, with_http=True, stop=stop, ready=said.set_result))
    await asyncio.wait((running, said), return_when=asyncio.FIRST_COMPLETED)
    line = said.result()
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://{line['http']}/metrics")).status_code == 404
        page = await client.get(f"http://{line['metrics']}/metrics")
    assert "yiwang_ingest_readings_total" in page.text
    stop.set()
    await running


@pytest.mark.slow
def test_sigterm_finishes_what_is_under_way(town: Town) -> None:
    """A request that was sent before the signal is answered, and is in the topic; the process exits 0."""
    with town.process() as (child, line):
        with httpx.Client(headers=JSON) as client:

            def body() -> Iterator[bytes]:
                yield b"["
                httpx.get(f"http://{line['http']}/healthz")  # the server has read our first piece by now
                child.send_signal(signal.SIGTERM)
                yield json.dumps(row(value=77.0, time=now())).encode() + b"]"

            answer = client.post(f"http://{line['http']}/v1/readings", content=body())
        assert answer.json()["accepted"] == 1
        assert child.wait(30) == 0
    assert town.feed()[0] == [77.0]


def test_a_new_device_is_known_without_a_restart(town: Town) -> None:
    """The catalogue is swapped when the registration commits."""

    async def go() -> None:
        watch = Watch(town.dsn, town.topics.schema, DOMAINS, poll_s=3600)
        await watch.start()
        try:
            assert not watch.catalogue.takes("WL-7", "water_depth")
            async with asyncio.timeout(20), watch.changed:
                await town.register(device("WL-7", 0, "underpass_water_level", [(0, "water_depth")]))
                await watch.changed.wait_for(lambda: watch.catalogue.takes("WL-7", "water_depth"))
        finally:
            await watch.stop()

    asyncio.run(go())


def test_without_notifications_the_registry_is_asked_now_and_then(town: Town) -> None:
    """The fallback of the listener: its connection was cut, and it finds the change all the same."""

    async def go() -> None:
        watch = Watch(town.dsn, town.topics.schema, DOMAINS, poll_s=0.05)
        await watch.start()
        try:
            assert watch._connection
            watch._connection.terminate()
            async with asyncio.timeout(20), watch.changed:
                await town.register(device("WL-8", 0, "underpass_water_level", [(0, "water_depth")]))
                await watch.changed.wait_for(lambda: watch.catalogue.takes("WL-8", "water_depth"))
        finally:
            await watch.stop()

    asyncio.run(go())


@pytest.mark.slow
def test_dead_letters_are_listed_and_sent_again(town: Town) -> None:
    """After the missing device is registered its letter is accepted; the one without unit is not."""
    with town.process() as (_, line):
        rows = [row(device="WL-NEW", value=8.0, time=now()), row(unit=..., time=now())]
        httpx.post(f"http://{line['http']}/v1/readings", content=json.dumps(rows), headers=JSON)
    listed = town.cli("deadletters", "list", "--json")
    letters = [json.loads(x) for x in listed.stdout.splitlines()]
    assert [x["code"] for x in letters] == ["reading.unknown_device", "reading.unit_missing"]
    assert json.loads(letters[0]["raw"]) == rows[0]
    assert "reading.unit_missing" in town.cli("deadletters", "list", "--code", "reading.unit").stdout

    asyncio.run(town.register(device("WL-NEW", 0, "underpass_water_level", [(0, "water_depth")])))
    report = json.loads(town.cli("deadletters", "replay", "--all", "--json").stdout)
    assert (report["letters"], report["accepted"]) == (2, 1)
    assert report["rejected"] == [
        {"id": letters[1]["id"], "code": "reading.unit_missing", "message": letters[1]["message"]}
    ]
    assert town.feed()[0] == [8.0]
    unknown = town.cli("deadletters", "replay", "--id", "D-none")
    assert unknown.returncode == 2
    assert "[deadletters.unknown]" in unknown.stderr
    assert "[deadletters.which]" in town.cli("deadletters", "replay").stderr


@pytest.mark.parametrize(
    ("given", "with_http", "code"),
    [
        ({"kafka": "127.0.0.1:{free}", "spool_mb": "0"}, True, "kafka.unavailable"),
        ({"kafka": "no.such.host.invalid:9092", "spool_mb": "0"}, True, "kafka.unavailable"),
        ({"database": "postgresql://x@127.0.0.1:{free}/x"}, True, "database.unavailable"),
        ({"run": "nowhere"}, True, "run.unknown"),
        ({"mqtt": "broker:1883"}, True, "mqtt.url"),
        ({"mqtt": "mqtt://127.0.0.1:{free}", "share_port": "true"}, True, "ingest.worker"),
        ({"mqtt_mapping": "no/such/file.yaml"}, True, "mqtt.mapping.missing"),
        ({}, False, "ingest.nothing"),
    ],
)
async def test_what_is_wrong_at_the_start_has_a_code(
    kafka: EmbeddedKafka, pg_dsn: str, given: dict[str, str], with_http: bool, code: str
) -> None:
    """Broker or database that refuses or is not there, wrong run, wrong address: an error before ready."""
    migrate(pg_dsn, Run(name="wrong", kind="replay", ticks="player", districts=1))
    right = {"kafka": kafka.bootstrap, "database": pg_dsn, "run": "wrong", "ingest_port": "0"}
    wrong = {k: v.replace("{free}", str(free_port())) for k, v in given.items()}
    with pytest.raises(YiwangError) as caught:
        await run(
            load(**(right | wrong)),
            with_http=with_http,
            stop=asyncio.Event(),
            ready=lambda line: pytest.fail(f"ready all the same: {line}"),
        )
    assert caught.value.code == code


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(town: Town) -> None:
    """One line with a code and the remedy, and exit status 2."""
    with town.process() as (_, line):
        port = line["http"].rpartition(":")[2]
        ended = town.cli("ingest", "--port", port)
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "[ingest.port]" in ended.stderr


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_broker_that_stops_and_comes_back(tmp_path: Path) -> None:
    """While it is away callers are told so within the limit; what is sent afterwards arrives, in order."""
    port, controller = free_port(), free_port()
    topics = Topics("away")
    own = EmbeddedKafka(tmp_path, port=port, controller_port=controller)
    await asyncio.to_thread(own.start)
    producer = None
    try:
        await ensure_topics(own.bootstrap, topics, 1)
        producer = await start_producer(own.bootstrap, client_id="test")
        hasty = Feeder(producer, topics, clock=SystemClock(), frame_ms=1, frame_rows=100, deliver_s=1.0)
        await (await hasty.readings(0, Readings.of([(0, 1, 1.0, 0)]), ingest_ns=1))
        await asyncio.to_thread(own.stop)
        with pytest.raises(Unavailable) as caught:
            await (await hasty.readings(0, Readings.of([(0, 2, 2.0, 0)]), ingest_ns=2))
        assert caught.value.code == "kafka.unavailable"
        await asyncio.to_thread(own.start)
        patient = Feeder(producer, topics, clock=SystemClock(), frame_ms=1, frame_rows=100, deliver_s=60.0)
        await (await patient.readings(0, Readings.of([(0, 3, 3.0, 0)]), ingest_ns=3))
        consumer = await start_consumer(own.bootstrap, topics.feed, client_id="test")
        values: list[float] = []
        while len(values) < 3:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                values += [v for r in records for v in batch_values(r.value)]
        await consumer.stop()
        assert values == [1.0, 2.0, 3.0]
        await patient.close()
        with pytest.raises(Unavailable):
            await hasty.close()
    finally:
        if producer:
            await producer.stop()
        await asyncio.to_thread(own.stop)


@pytest.mark.slow
async def test_a_process_for_mqtt_alone(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """``yiwang ingest --no-http --mqtt``: what a device publishes is in the topic; a wrong topic a dead letter."""
    try:
        broker = Broker(tmp_path)
    except Absent as why:
        pytest.skip(str(why))
    town = await asyncio.to_thread(Town, kafka.bootstrap, pg_dsn, "mqtt-alone")
    await ensure_topics(town.bootstrap, town.topics, 2)
    broker.start()
    consumer = await start_consumer(
        town.bootstrap, town.topics.feed, town.topics.dead_letters, client_id="test"
    )
    argv = ("ingest", "--no-http", "--mqtt", broker.url)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "yiwang",
        *argv,
        env=town.environment | {"YIWANG_MQTT_TOPICS": '["city/#"]'},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        line = json.loads(await process.stdout.readline())
        assert line == {"ready": "ingest", "run": "mqtt-alone", "mqtt": f"127.0.0.1:{broker.port}"}
        values: list[float] = []
        letters: set[str] = set()
        async with asyncio.timeout(60), aiomqtt.Client("127.0.0.1", broker.port) as device_:
            while not (values and letters):  # until it has subscribed nobody keeps what is published
                reading = {"value": 4.5, "unit": "cm", "time": now()}
                await device_.publish("city/WL-1/water_depth", json.dumps(reading), qos=1)
                await device_.publish("city/hello", "x", qos=1)
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if frames.is_frame(record.value):
                            values += batch_values(record.value)
                        else:
                            letters.add(codec.decode_dead_letter(record.value).code)
        assert set(values) == {4.5}
        assert letters == {"mqtt.topic"}
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await consumer.stop()
        broker.stop()
