"""The little that is set about Faust itself."""

from typing import Any

import aiokafka
import pytest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.faust_app import FETCH_WAIT_MS, _PromptThread


async def test_a_fetch_that_finds_nothing_comes_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a feed whose messages were held for 100 ms is not asked for until the quiet commands have been, 1.5 s later."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1", fetch_max_wait_ms=1500)
    assert consumer._fetch_max_wait_ms == 1500  # aiokafka's name for it

    def made(_self: Any, _transport: Any) -> aiokafka.AIOKafkaConsumer:
        return consumer

    monkeypatch.setattr(AIOKafkaConsumerThread, "_create_worker_consumer", made)
    thread = object.__new__(_PromptThread)
    assert thread._create_worker_consumer(None)._fetch_max_wait_ms == FETCH_WAIT_MS < 100
    await consumer.stop()
