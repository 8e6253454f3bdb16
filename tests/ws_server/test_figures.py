"""What the gateway tells of itself at /metrics."""

import re
from pathlib import Path

import httpx

from tests.ws_server.bodies import hub
from ws_server.figures import gateway
from ws_server.http import application
from ws_server.static import Pages
from yiwang.errors import Unavailable
from yiwang.metrics import Metrics, series_names


async def test_the_page(tmp_path: Path) -> None:
    """Clients, counts, lag, what is away and the stage latencies, all by names of the catalogue."""
    made = hub()
    made.counts.update(outputs=7, coalesced=3, deliveries=20)
    made.lag = {0: 0, 1: 42}
    made.problem("broker", Unavailable("kafka.unavailable", "away"))
    made.stages.add("gateway", 1, 10**9, 10**9 + 5_000_000)
    made.stages.add("detect", 1, 10**9, 10**9 + 5_000_000)
    made.stages.observe("screen", 0, 0.12)
    metrics = Metrics("gateway", "test")
    metrics.add("gateway", gateway(made))
    transport = httpx.ASGITransport(application(made, Pages(tmp_path), metrics, socket_port=1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
        answer = await client.get("/metrics")
        elsewhere = await client.get("/metrics", headers={"host": "example.com"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for line in (
        "yiwang_gateway_clients 0.0",
        "yiwang_gateway_outputs_total 7.0",
        "yiwang_gateway_coalesced_values_total 3.0",
        'yiwang_gateway_lag_messages{district="1"} 42.0',
        'yiwang_process_service_away{service="kafka"} 1.0',
        'yiwang_process_service_away{service="database"} 0.0',
        'yiwang_stage_latency_seconds_bucket{district="1",le="0.005",stage="gateway"} 1.0',
        'yiwang_stage_latency_seconds_bucket{district="0",le="0.1",stage="screen"} 0.0',
        'yiwang_stage_latency_seconds_bucket{district="0",le="0.15",stage="screen"} 1.0',
    ):
        assert line in lines
    assert 'stage="detect"' not in answer.text  # told by the district workers
    assert "scrape_errors_total{" not in answer.text
    assert {re.split(r"[ {]", line)[0] for line in lines if not line.startswith("#")} <= series_names()
    assert elsewhere.status_code == 421
    screen = made.health()["stages"]["screen"]
    assert screen["count"] == 1
    assert 100 < screen["p99_ms"] <= 150
