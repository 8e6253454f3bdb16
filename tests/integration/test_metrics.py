"""What real processes tell of themselves adds up, from ingest over Kafka to the database and the gateway."""

import asyncio
import contextlib
import dataclasses
import importlib.util
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from scenarios import files
from scenarios.running import prepare
from yiwang import metrics, processes
from yiwang.clock import SystemClock, iso
from yiwang.commands._pages import Page, fetch
from yiwang.commands._processes import Services, child, start_all, stream_children
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.supervise import Supervisor
from yiwang.metrics import Spec, series_names
from yiwang.runs import Run

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
BATCHES, ROWS = 20, 50


def until(what: Callable[[], object]) -> None:
    """Ask other processes again and again: nobody tells us when they have got there."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(AssertionError):  # one that is just being started again shows nothing
            if what():
                return
        time.sleep(0.1)
    pytest.fail("waited in vain")


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OpenTelemetry collector that keeps what it is sent: its address, and the bodies."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


class City:
    """The processes of a run, found as ``yiwang top`` and Prometheus find them."""

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self.run = folder, run

    def page(self, role: str) -> Page:
        """What the process of a role shows now."""
        (entry,) = [e for e in processes.found(self.folder, self.run) if e.role == role]
        page = fetch(entry.address)
        assert isinstance(page, Page), page
        return page

    def total(self, role: str, spec: Spec, **labels: str) -> float:
        """A metric's sum over its labels."""
        return self.page(role).total(spec, **labels) or 0.0

    def counted(self, role: str, stage: str) -> float:
        """How many a stage's histogram has counted."""
        rows = self.page(role).rows(metrics.STAGE, "count")
        return sum(value for have, value in rows.items() if ("stage", stage) in have)

    def top(self, *options: str) -> dict[str, Any]:
        """``yiwang top --json``."""
        done = subprocess.run(
            [sys.executable, "-m", "yiwang", "top", "--json", "--run", self.run, *options],
            capture_output=True, text=True, check=False, cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "YIWANG_DATA": str(self.folder)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told


def test_what_all_processes_tell_adds_up(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """A thousand readings by HTTP are a thousand everywhere; a killed worker is seen, and counted when it is back."""
    scenario = files.load("night")
    run = Run(name="metrics-test", kind="demo", ticks="agent", districts=len(scenario.districts))
    asyncio.run(prepare(run, scenario, bootstrap=kafka.bootstrap, dsn=pg_dsn))
    where = Services(kafka=kafka.bootstrap, database=pg_dsn, folder=tmp_path)
    city = City(tmp_path, run.name)
    device = next(
        d for d in scenario.registries[0].devices if any(s.metric == "water_depth" for s in d.series)
    )
    followed = importlib.util.find_spec("opentelemetry") is not None
    with collector() as (url, spans), Supervisor(tmp_path) as supervisor:
        traces = {"YIWANG_TRACES": url, "YIWANG_TRACE_RATIO": "1"} if followed else {}
        children = [
            child("serve", ["serve"], where, run=run.name, port=0),
            child("ingest", ["ingest"], where, run=run.name, ingest_port=0),
            *stream_children(where, run=run.name, city=True),
        ]
        start_all(supervisor, [dataclasses.replace(c, env={**c.env, **traces}) for c in children])
        roles = {e.role for e in processes.found(tmp_path, run.name)}
        assert roles == {"gateway", "ingest", "district", "city", "persist"}
        with httpx.Client(trust_env=False) as client:
            (ingest,) = [e for e in processes.found(tmp_path, run.name) if e.role == "ingest"]
            for batch in range(BATCHES):
                now_ns = SystemClock().now_ns()
                rows = [
                    {
                        "device": device.id,
                        "metric": "water_depth",
                        "time": iso(now_ns + 1_000_000 * n),
                        "value": batch / 10,
                        "unit": "cm",
                    }
                    for n in range(ROWS)
                ]
                rows.append(rows[0] | {"device": "nobody"})
                answer = client.post(f"http://{ingest.address}/v1/readings", json=rows)
                assert answer.json()["accepted"] == ROWS, answer.text
        sent = BATCHES * ROWS

        # ---- what came in went through, and each stage counted it once ----
        assert city.total("ingest", metrics.INGEST_READINGS) == sent
        assert city.total("ingest", metrics.DEAD, code="reading.unknown_device") == BATCHES
        assert city.counted("ingest", "ingest") == sent
        until(lambda: city.total("district", metrics.DISTRICT_READINGS) == sent)
        assert city.counted("district", "detect") >= sent
        until(lambda: city.total("persist", metrics.PERSIST_READINGS) == sent)
        assert city.counted("persist", "persist") == sent
        assert city.total("persist", metrics.PERSIST_STATEMENTS) >= BATCHES  # the dead letters among them
        until(lambda: city.total("gateway", metrics.GATEWAY_VALUES) > 0)
        until(lambda: len(city.page("district").rows(metrics.SNAPSHOT_STATE)) == run.districts)
        until(lambda: city.page("persist").rows(metrics.PERSIST_LAG))
        until(lambda: city.total("persist", metrics.PERSIST_LAG) < 50)
        ages = [*city.page("district").rows(metrics.SNAPSHOT_AGE).values()]
        assert len(ages) == run.districts
        assert max(ages) < PATIENCE_S
        for role in roles:
            page = city.page(role)
            names = {name for name in page.samples if name.startswith("yiwang_")}
            assert names <= series_names()
            assert not page.rows(metrics.SCRAPE_ERRORS)
            assert page.total(metrics.BUILD, role=role, run=run.name) == 1
            assert not any(page.rows(metrics.AWAY).values())
            for have, value in page.rows(metrics.QUEUE).items():
                assert value <= page.rows(metrics.QUEUE_LIMIT)[have]

        if followed:  # every frame was followed from stage to stage
            for service in (b"yiwang-ingest", b"yiwang-district", b"yiwang-persist"):
                until(lambda service=service: any(service in body for body in spans))  # type: ignore[misc]

        # ---- yiwang top sees the same; a killed worker is missed, then counted ----
        told = city.top()
        assert told["missing"] == []
        assert {p["role"] for p in told["processes"]} == roles
        assert sorted(d["district"] for d in told["districts"]) == list(range(run.districts))
        name = f"{run.name}-district0"
        supervisor.kill(name, signal.SIGSTOP)
        told = city.top()
        assert told["missing"] == ["district district0"]
        assert "2 s" in told["processes"][0]["reason"]
        supervisor.kill(name)
        supervisor.wait_for_restart(name, 1)
        until(lambda: city.total("district", metrics.RESTARTS) == 1)
    assert processes.found(tmp_path, run.name) == []  # all ended in order
