"""What ``yiwang check`` asks of a Kafka broker."""

import uuid
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest

from yiwang.broker import unavailable
from yiwang.clock import SECOND, SystemClock

# Brokers do not tell their version, but which requests they know: request number to the release that brought it.
_BROUGHT = {32: "0.11", 43: "2.4", 60: "2.8", 68: "3.7", 75: "3.8", 80: "3.9", 84: "4.0", 90: "4.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """What was found.

    Attributes:
        version: such as ``Kafka 4.1 or newer``.
        nodes: brokers in the cluster.
        partitions: topic to number of partitions.
        ahead_s: the broker's clock minus ours, seconds; None where it could not be had.
    """

    version: str
    nodes: int
    partitions: dict[str, int]
    ahead_s: float | None


async def inspect(bootstrap: str) -> Broker:
    """Ask the broker.

    Raises:
        Unavailable: ``kafka.unavailable``.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap, client_id="yiwang-check", request_timeout_ms=5000
    )
    try:
        await admin.start()
        # aiokafka keeps the answer to itself, so it is asked once more
        answer = await admin._send_request(ApiVersionRequest())
        known = {key for key, *_ in answer.api_versions}
        cluster = await admin.describe_cluster()
        topics = await admin.describe_topics()
        return Broker(
            version=_version(known),
            nodes=len(cluster["brokers"]),
            partitions={t["topic"]: len(t["partitions"]) for t in topics},
            ahead_s=await _ahead_s(bootstrap, admin),
        )
    except (KafkaError, OSError, ValueError) as error:
        raise unavailable(bootstrap, error) from error
    finally:
        await admin.close()


def _version(known: set[int]) -> str:
    newest = [release for request, release in sorted(_BROUGHT.items()) if request in known]
    return f"Kafka {newest[-1]} or newer" if newest else "a very old Kafka"


async def _ahead_s(bootstrap: str, admin: AIOKafkaAdminClient) -> float | None:
    """The broker stamps a message in a topic made for it and deleted again; Kafka has no request for its time."""
    clock = SystemClock()
    topic = f"yiwang-check-{uuid.uuid4().hex[:12]}"
    try:
        made = await admin.create_topics(
            [NewTopic(topic, 1, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})]
        )
        if any(code for _, code, *_ in made.topic_errors):
            return None
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=5000)
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"warm-up", partition=0)
            before_ns = clock.now_ns()
            sent = await producer.send_and_wait(topic, b"what time is it", partition=0)
            after_ns = clock.now_ns()
        finally:
            await producer.stop()
        return float(sent.timestamp / 1000 - (before_ns + after_ns) / 2 / SECOND)
    except KafkaError:
        return None
    finally:
        await admin.delete_topics([topic])
