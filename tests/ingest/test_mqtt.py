"""The MQTT feed against a real broker; Kafka answers when the test says so."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from ingest.deadletters import DeadLetters
from ingest.feeder import Feeder
from ingest.intake import Intake
from ingest.limits import Rates
from ingest.mapping import load
from ingest.mqtt import MqttFeed, address
from tests.ingest.mqtt_broker import Absent, Broker
from tests.ingest.producer import FakeProducer
from tests.ingest.town import LIMITS, NOW, NOW_NS, catalogue
from yiwang.clock import ManualClock
from yiwang.errors import BadInput
from yiwang.topics import Topics


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    try:
        found = Broker(tmp_path)
    except Absent as why:
        pytest.skip(str(why))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def keeping_broker(broker: Broker) -> Broker:
    if not broker.keeps_sessions:
        pytest.skip("amqtt keeps no session for us; with mosquitto installed this test runs")
    return broker


class Town:
    """A feed over a fake producer."""

    def __init__(self, broker: Broker, topics: tuple[str, ...] = ("city/#",)) -> None:
        self.producer = FakeProducer()
        clock, run = ManualClock(NOW_NS), Topics("test")
        self.feeder = Feeder(self.producer, run, clock=clock, frame_ms=1, frame_rows=100, deliver_s=60.0)
        present = catalogue()
        self.intake = Intake(self.feeder, DeadLetters(self.producer, run), lambda: present, LIMITS, clock)
        self.feed = MqttFeed(
            address(broker.url), topics, load(None, limit=1000), self.intake, client_id="yiwang-test"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.feed.run())
        try:
            async with asyncio.timeout(20):
                await self.feed.connected.wait()
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.feed.connected.clear()


def device(broker: Broker) -> AbstractAsyncContextManager[aiomqtt.Client]:
    return aiomqtt.Client("127.0.0.1", broker.port, identifier="device")


def reading(value: Any, **changed: Any) -> str:
    return json.dumps({"value": value, "unit": "cm", "time": NOW} | changed)


async def test_readings_reach_kafka_and_what_is_wrong_the_dead_letters(broker: Broker) -> None:
    """Wrong topic, wrong JSON, NaN, unknown device: each a dead letter with its topic; the feed goes on."""
    town = Town(broker)
    async with town.running(), device(broker) as client:
        await client.publish("city/WL-1/water_depth", reading(1.0), qos=1)
        await client.publish("city/hello", "hello", qos=1)
        await client.publish("city/WL-1/water_depth", "{", qos=1)
        await client.publish("city/WL-1/water_depth", reading(float("nan")), qos=1)
        await client.publish("city/WL-404/water_depth", reading(1.0), qos=1)
        await client.publish("city/WL-1/water_depth", b"\xff\xfe", qos=0)
        await client.publish("city/WL-9/water_depth", reading(2.0, unit="mm"), qos=0)
        while len(town.producer.values()) < 2 or len(town.producer.letters) < 5:
            await town.producer.arrived(1)
        await client.publish("city/WL-1/water_depth", reading(3.0), qos=1)  # in a batch of its own
        while len(town.producer.values()) < 3:
            await town.producer.arrived(1)
        assert town.feed.connected.is_set()
    assert sorted(town.producer.values()) == [0.2, 1.0, 3.0]
    assert sorted((x.code, x.source) for x in town.producer.letters) == [
        ("json.syntax", "mqtt:city/WL-1/water_depth"),
        ("json.syntax", "mqtt:city/WL-1/water_depth"),
        ("mqtt.topic", "mqtt:city/hello"),
        ("reading.not_finite", "mqtt:city/WL-1/water_depth"),
        ("reading.unknown_device", "mqtt:city/WL-404/water_depth"),
    ]
    assert len({x.id for x in town.producer.letters}) == 5
    assert town.intake.counters.of("mqtt").accepted >= 2
    assert sum(town.intake.counters.of("mqtt").rejected.values()) == 5


async def test_a_message_is_acknowledged_only_after_kafka_has_it(keeping_broker: Broker) -> None:
    """A process that ends before Kafka has answered gets the message again; after the answer it does not."""
    broker = keeping_broker
    first = Town(broker)
    first.producer.hold = True
    async with first.running(), device(broker) as client:
        for n in range(5):
            await client.publish("city/WL-1/water_depth", reading(float(n)), qos=1)
        while len(first.producer.values()) < 5:
            await first.producer.arrived(1)

    second = Town(broker)
    async with second.running():
        while len(second.producer.values()) < 5:
            await second.producer.arrived(1)
        assert second.producer.values() == [0.0, 1.0, 2.0, 3.0, 4.0]
        await second.feeder.flush()
        await asyncio.sleep(0.2)  # the acknowledgements go out; nothing tells us when the broker has them

    third = Town(broker)
    async with third.running(), device(broker) as client:
        await client.publish("city/WL-1/water_depth", reading(99.0), qos=1)
        await third.producer.arrived(1)
        assert third.producer.values() == [99.0]


async def test_messages_sent_while_we_are_away_are_kept_by_the_broker(keeping_broker: Broker) -> None:
    """The session is the broker's, not the process's."""
    broker = keeping_broker
    town = Town(broker)
    async with town.running():
        pass
    async with device(broker) as client:
        await client.publish("city/WL-1/water_depth", reading(7.0), qos=1)
    async with town.running():
        await town.producer.arrived(1)
    assert town.producer.values() == [7.0]


async def test_a_broker_that_goes_away_is_connected_to_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was not there at the start; nobody has to restart anything."""
    monkeypatch.setattr("ingest.mqtt._FIRST_WAIT_S", 0.05)
    town = Town(broker)
    async with town.running():
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        async with device(broker) as client:
            arrival = asyncio.create_task(town.producer.arrived(1))
            while not arrival.done():  # the restarted broker keeps nothing until we have subscribed again
                await client.publish("city/WL-1/water_depth", reading(8.0), qos=1)
                await asyncio.wait([arrival], timeout=0.05)
    assert set(town.producer.values()) == {8.0}


async def test_kafka_refusing_makes_the_broker_send_again(
    keeping_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged that Kafka has refused: after the next connection the message is there again."""
    monkeypatch.setattr("ingest.mqtt._FIRST_WAIT_S", 0.05)
    town = Town(keeping_broker)
    town.producer.refuse = OSError("refused")
    async with town.running(), device(keeping_broker) as client:
        await client.publish("city/WL-1/water_depth", reading(9.0), qos=1)
        await town.producer.refusal.wait()
        town.producer.refuse = None
        await town.producer.arrived(1)
    assert town.producer.values() == [9.0]


@pytest.mark.parametrize(
    "url", ["", "http://a:1", "mqtt://", "mqtt://a:b", "mqtt://h:0", "mqtt://h/topic", "h:1883"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """mqtt.url, without repeating a password."""
    with pytest.raises(BadInput) as caught:
        address(url)
    assert caught.value.code == "mqtt.url"


def test_addresses_are_read() -> None:
    """Ports and TLS by scheme, user and password decoded."""
    found = address("mqtts://city:p%40ss@broker.local")
    assert (found.host, found.port, found.tls, found.user, found.password) == (
        "broker.local",
        8883,
        True,
        "city",
        "p@ss",
    )
    assert str(address("mqtt://h")) == "h:1883"


async def test_a_topic_that_sends_too_much_is_slowed_and_the_others_are_not(broker: Broker) -> None:
    """Quality 0 is left out and counted by name, quality 1 waits until it may; neighbours come at once."""
    town = Town(broker)
    clock = town.intake.clock
    assert isinstance(clock, ManualClock)
    town.intake.limiter.rates = Rates(readings=0.5)
    async with town.running(), device(broker) as client:
        for n in range(5):
            await client.publish("city/WL-1/water_depth", reading(float(n)), qos=1)
        while len(town.producer.values()) < 5:
            await town.producer.arrived(1)
        await client.publish("city/WL-1/water_depth", reading(50.0), qos=0)
        await client.publish("city/WL-1/water_depth", reading(51.0), qos=1)
        await client.publish("city/WL-1/water_depth", reading(52.0), qos=1)
        await client.publish("city/WL-9/water_depth", reading(9.0), qos=1)
        while 9.0 not in town.producer.values():
            await town.producer.arrived(1)
        assert town.intake.counters.as_json()["refused"]["bodies"] == {"mqtt:city/WL-1": 3}
        assert town.producer.values() == [0.0, 1.0, 2.0, 3.0, 4.0, 9.0]
        while 52.0 not in town.producer.values():
            clock.advance(2.0)
            await asyncio.sleep(0.05)
    assert town.producer.values()[6:] == [51.0, 52.0]


async def test_bad_messages_beyond_the_limit_are_counted_and_not_kept(broker: Broker) -> None:
    """By topic; they are acknowledged, so that they hold up nobody."""
    town = Town(broker)
    town.intake.limiter.rates = Rates(bad=1 / 60)
    async with town.running(), device(broker) as client:
        for _ in range(4):
            await client.publish("city/WL-1/water_depth", "{", qos=1)
        await client.publish("city/WL-9/water_depth", reading(9.0), qos=1)
        while not town.producer.values():
            await town.producer.arrived(1)
    assert len(town.producer.letters) == 1
    assert town.intake.counters.as_json()["refused"]["letters"] == {"mqtt:city/WL-1": 3}
    assert town.intake.counters.of("mqtt").rejected == {"json.syntax": 4}
