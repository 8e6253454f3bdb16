"""What ingest tells of itself at /metrics."""

import re

import httpx
import pytest

from ingest import http
from ingest.deadletters import DeadLetters
from ingest.feeder import Feeder
from ingest.figures import ingest
from ingest.intake import Intake
from tests.ingest.producer import FakeProducer
from tests.ingest.town import LIMITS, NOW_NS, array, catalogue, row
from yiwang.clock import ManualClock
from yiwang.columns import Readings
from yiwang.metrics import Metrics, series_names
from yiwang.topics import Topics


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


async def test_the_page(clock: ManualClock) -> None:
    """What was accepted and why not, what waits and how long it took: two ways in are one district's latency."""
    producer, topics, present = FakeProducer(), Topics("test"), catalogue()
    feeders = {
        name: Feeder(producer, topics, clock=clock, frame_ms=1, frame_rows=100, deliver_s=5.0)
        for name in ("http", "mqtt")
    }
    intake = Intake(feeders["http"], DeadLetters(producer, topics), lambda: present, LIMITS, clock)
    intake.counters.refused.bodies["192.0.2.7"] = 4
    metrics = Metrics("ingest", "test")
    metrics.add("ingest", ingest(feeders, intake.counters, lambda: present, lambda: False, None))
    app = http.app(intake, body_limit=4096, health=dict, metrics=metrics)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest") as client,
        feeders["http"] as hasty,
        feeders["mqtt"] as patient,
    ):
        headers = {"content-type": "application/json"}
        body = array(row(), row(value=2), row(device="WL-9"), row(device="nobody"), row(device="nobody"))
        assert (await client.post("/v1/readings", content=body, headers=headers)).status_code == 202
        producer.hold = True
        clock.advance(0.04)
        waiting = await patient.readings(0, Readings.of([(0, NOW_NS, 1.0, 0)] * 7), ingest_ns=NOW_NS)
        await producer.arrived(5)  # two frames, two dead letters, and this one
        held = (await client.get("/metrics")).text.splitlines()
        producer.acknowledge()
        await waiting
        await hasty.flush()
        answer = await client.get("/metrics")
    lines = answer.text.splitlines()
    for line in (
        "yiwang_ingest_readings_total 10.0",
        'yiwang_ingest_accepted_rows_total{source="http"} 3.0',
        'yiwang_dead_letters_total{code="reading.unknown_device",source="http"} 2.0',
        'yiwang_stage_latency_seconds_count{district="0",stage="ingest"} 9.0',
        'yiwang_stage_latency_seconds_bucket{district="0",le="0.001",stage="ingest"} 2.0',
        'yiwang_stage_latency_seconds_bucket{district="0",le="0.05",stage="ingest"} 9.0',
        'yiwang_stage_latency_seconds_count{district="1",stage="ingest"} 1.0',
        'yiwang_queue_items{district="0",queue="feeder_mqtt"} 0.0',
        'yiwang_queue_limit_items{district="0",queue="feeder_mqtt"} 400000.0',
    ):
        assert line in lines
    assert 'yiwang_queue_items{district="0",queue="feeder_mqtt"} 7.0' in held
    assert 'yiwang_ingest_limited_items_total{source="192.0.2.7",what="bodies"} 4.0' in held
    assert "scrape_errors_total{" not in answer.text
    assert {re.split(r"[ {]", line)[0] for line in lines if not line.startswith("#")} <= series_names()
