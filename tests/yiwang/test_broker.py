"""Topics: made where they are missing, refused where they are too narrow."""

import uuid

import pytest

from yiwang.broker import drop_topics, ensure_topics, partition_count
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.errors import BadInput
from yiwang.topics import Topics


async def test_a_topic_with_fewer_partitions_than_districts_is_refused(kafka: EmbeddedKafka) -> None:
    """Each district has a partition of its own; nobody starts who would find some missing. More are no harm."""
    topics = Topics(f"t{uuid.uuid4().hex[:8]}")
    await ensure_topics(kafka.bootstrap, topics, 2)
    try:
        await ensure_topics(kafka.bootstrap, topics, 1)
        with pytest.raises(BadInput, match="2 partitions, 3 districts need 3") as caught:
            await ensure_topics(kafka.bootstrap, topics, 3)
        assert caught.value.code == "topics.partitions"
        assert caught.value.details["topic"] in (topics.feed, topics.commands, topics.outputs)
        assert await partition_count(kafka.bootstrap, topics.feed) == 2
    finally:
        await drop_topics(kafka.bootstrap, topics)
