"""Connections to Kafka: the one way in which this project makes producers, consumers and topics.

aiokafka is imported inside the functions so that pure users of the kernel do not pay for it.
"""

import asyncio
from typing import TYPE_CHECKING

from yiwang.errors import BadInput, Unavailable
from yiwang.topics import MAX_MESSAGE_BYTES, Topics

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


def unavailable(bootstrap: str, error: Exception) -> Unavailable:
    """The error for a broker that does not answer."""
    return Unavailable(
        "kafka.unavailable",
        f"no Kafka broker answers at {bootstrap} ({error}); check YIWANG_KAFKA, or start the demo",
        bootstrap=bootstrap,
    )


async def start_producer(bootstrap: str, *, client_id: str, linger_ms: int = 2) -> "AIOKafkaProducer":
    """A started producer that never loses or reorders: acks=all and idempotent.

    Raises:
        Unavailable: ``kafka.unavailable``.
    """
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_request_size=MAX_MESSAGE_BYTES,
        max_batch_size=1024 * 1024,
    )
    try:
        await producer.start()
    except BaseException as error:  # whoever waits may have been cancelled
        await producer.stop()
        if isinstance(error, KafkaError | OSError | ValueError):
            raise unavailable(bootstrap, error) from error
        raise
    return producer


async def start_consumer(bootstrap: str, *topics: str, client_id: str) -> "AIOKafkaConsumer":
    """A started consumer outside any group; the caller assigns and seeks.

    Raises:
        Unavailable: ``kafka.unavailable``.
    """
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
    )
    try:
        await consumer.start()
    except (KafkaError, OSError, ValueError) as error:
        await consumer.stop()
        raise unavailable(bootstrap, error) from error
    return consumer


async def ensure_topics(bootstrap: str, topics: Topics, districts: int) -> None:
    """Create what is missing of a run's topics and check the rest.

    Raises:
        BadInput: ``topics.partitions`` when a topic has fewer partitions than there are districts.
        Unavailable: ``kafka.unavailable``.
    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        wanted = topics.partitions(districts)
        have = set(await admin.list_topics())
        new = [
            NewTopic(
                name,
                count,
                1,
                topic_configs={
                    "max.message.bytes": str(MAX_MESSAGE_BYTES),
                    "retention.ms": str(7 * 86_400_000),
                },
            )
            for name, count in wanted.items()
            if name not in have
        ]
        if new:
            answer = await admin.create_topics(new)
            for name, code, *_ in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise Unavailable(
                        "kafka.topic", f"the broker would not create {name}: {for_code(code)}", topic=name
                    )
        for _ in range(100):
            described = {
                t["topic"]: len(t["partitions"])
                for t in await admin.describe_topics(list(wanted))
                if not t["error_code"]
            }
            if set(described) == set(wanted) and all(described.values()):
                break
            await asyncio.sleep(0.05)  # metadata of a new topic spreads through the broker
        for name, count in wanted.items():
            if described.get(name, 0) < count:
                raise BadInput(
                    "topics.partitions",
                    f"topic {name} has {described.get(name, 0)} partitions, {count} districts need {count}",
                    topic=name,
                )
    except (KafkaError, OSError) as error:
        raise unavailable(bootstrap, error) from error
    finally:
        await admin.close()


async def partition_count(bootstrap: str, topic: str) -> int:
    """Partitions of a topic; 0 where there is no such topic.

    Raises:
        Unavailable: ``kafka.unavailable``.
    """
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        if topic not in await admin.list_topics():
            return 0
        described = await admin.describe_topics([topic])
        return sum(len(t["partitions"]) for t in described if t["topic"] == topic)
    except (KafkaError, OSError) as error:
        raise unavailable(bootstrap, error) from error
    finally:
        await admin.close()


async def drop_topics(bootstrap: str, topics: Topics) -> None:
    """Delete all topics of a run that exist.

    Raises:
        Unavailable: ``kafka.unavailable``.
    """
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        have = set(await admin.list_topics()) & set(topics.partitions(1))
        if have:
            await admin.delete_topics(sorted(have))
    except (KafkaError, OSError) as error:
        raise unavailable(bootstrap, error) from error
    finally:
        await admin.close()
