"""The embedded Apache Kafka."""

import contextlib
import socket
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from yiwang.embedded import kafka as kafka_module
from yiwang.embedded.kafka import EmbeddedKafka, cluster_id
from yiwang.embedded.ports import is_taken
from yiwang.errors import Unavailable


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def read_first(bootstrap: str, topic: str) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        record = await consumer.getone()
        value: bytes | None = record.value
        return value


async def test_a_message_comes_back(kafka: EmbeddedKafka) -> None:
    """What a producer sent, acknowledged by all, a consumer reads."""
    await make_topic(kafka.bootstrap, "embedded-round-trip")
    await send(kafka.bootstrap, "embedded-round-trip", b"\x00water")
    assert await read_first(kafka.bootstrap, "embedded-round-trip") == b"\x00water"


@pytest.mark.kafka
@pytest.mark.slow
async def test_data_outlives_the_broker(tmp_path: Path) -> None:
    """A kept folder serves its messages again after a stop, on a new port; after the stop the port is free."""
    broker = EmbeddedKafka(tmp_path / "kafka")
    with broker:
        await make_topic(broker.bootstrap, "kept")
        await send(broker.bootstrap, "kept", b"once")
        first_port = int(broker.bootstrap.rpartition(":")[2])
    assert broker.pid is None
    assert not is_taken(first_port)
    with broker:
        assert await read_first(broker.bootstrap, "kept") == b"once"


@pytest.mark.kafka
@pytest.mark.slow
def test_a_taken_port_is_told_with_the_brokers_own_words(tmp_path: Path) -> None:
    """A start that fails carries a code and the broker's last log lines, and leaves no process."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as squatter:
        port = squatter.getsockname()[1]
        broker = EmbeddedKafka(tmp_path / "kafka", port=port)
        with pytest.raises(Unavailable) as caught:
            broker.start()
    assert caught.value.code == "kafka.start_failed"
    assert "Address already in use" in str(caught.value)
    assert broker.pid is None


@pytest.mark.kafka
@pytest.mark.slow
def test_a_folder_of_another_cluster_is_told_with_the_brokers_own_words(tmp_path: Path) -> None:
    """Unreadable data is refused by the broker, and its reason reaches the caller."""
    data = tmp_path / "kafka"
    (data / "log").mkdir(parents=True)
    (data / "log" / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=elsewhere\n")
    with pytest.raises(Unavailable, match=r"node\.id|77") as caught:
        EmbeddedKafka(data).start()
    assert caught.value.code == "kafka.start_failed"


@pytest.mark.kafka
def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives one clear error."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="data folder") as caught:
        EmbeddedKafka(tmp_path / "file" / "kafka").start()
    assert caught.value.code == "kafka.start_failed"


@pytest.mark.kafka
@pytest.mark.slow
def test_a_useless_start_up_cache_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is broken, or of another Java, costs time and nothing else."""
    (tmp_path / "broken.aot").write_bytes(b"not a cache")
    monkeypatch.setattr(kafka_module, "_start_cache", lambda: [f"-XX:AOTCache={tmp_path / 'broken.aot'}"])
    with EmbeddedKafka(tmp_path / "kafka") as broker:
        assert is_taken(int(broker.bootstrap.rpartition(":")[2]))


@pytest.mark.parametrize("first", [0x00, 0xF8, 0xFB, 0xFF])
def test_a_cluster_id_is_never_taken_for_an_option(first: int) -> None:
    """Base64 of a random UUID begins with a hyphen once in 64 times; the tool that formats would refuse it."""
    made = cluster_id(uuid.UUID(bytes=bytes([first]) + bytes(range(15))))
    assert len(made) == 22
    assert not made.startswith("-")
