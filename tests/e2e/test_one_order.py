"""Scenario → alert on the page → acknowledge → order on the worker's page → done → closed on the console.

Through real Kafka, real Faust workers, the real gateway, and each database there is.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import expect

from ingest.feeder import Feeder
from scenarios import directly, files
from scenarios.model import Scenario
from scenarios.player import Player
from scenarios.running import collect, prepare
from tests.e2e.conftest import OpenReal
from tests.real_run import part
from yiwang.broker import start_producer
from yiwang.clock import SystemClock
from yiwang.commands._processes import Services, child, start_all, stream_children
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.ports import free_port
from yiwang.embedded.supervise import Supervisor
from yiwang.runs import Run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SPEED = 5.0
T = TypeVar("T")


def beside(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: Playwright keeps a loop in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


class Playing:
    """A player in a thread of its own, until told to stop."""

    def __init__(self, run: Run, scenario: Scenario, bootstrap: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._play(run, scenario, bootstrap))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self._loop.close()

    async def _play(self, run: Run, scenario: Scenario, bootstrap: str) -> None:
        producer = await start_producer(bootstrap, client_id=f"test-player-{run.name}")
        try:
            async with Feeder(
                producer, run.topics, clock=SystemClock(), frame_ms=20, frame_rows=5000
            ) as feeder:
                player = Player(scenario, feeder, SystemClock(), speed=SPEED)
                await player.open()
                await player.play()
        finally:
            await producer.stop()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()


def test_from_alert_to_closed_case(
    kafka: EmbeddedKafka, any_pg_dsn: str, tmp_path: Path, open_real: OpenReal
) -> None:
    """A crash on the ring road, seen by a camera, is acknowledged, handled by the nearest patrol and closed."""
    # From just before the crash to long after: the pages, not the scenario, end this test.
    scenario = part(files.load("night"), 505.0, 1500.0)
    _, orders = directly.incidents_and_orders(scenario)
    unit = next(o.unit for o in orders if o.incident_kind == "traffic_incident")
    run = Run(
        name=f"e2e-{tmp_path.name[-20:].strip('-_').lower().replace('_', '-')}",
        kind="replay",
        ticks="player",
        districts=2,
        scenario="night",
        speed=SPEED,
    )
    beside(prepare(run, scenario, bootstrap=kafka.bootstrap, dsn=any_pg_dsn))
    where = Services(kafka=kafka.bootstrap, database=any_pg_dsn, folder=tmp_path)
    port, socket_port = free_port(), free_port()
    with Supervisor(tmp_path) as supervisor:
        gateway = child("serve", ["serve"], where, run=run.name, port=port, socket_port=socket_port)
        start_all(supervisor, [gateway, *stream_children(where, run=run.name)])
        url = f"http://127.0.0.1:{port}/"
        console = open_real(f"{url}console.html?post=desk-0")
        worker = open_real(f"{url}worker.html?post={unit}", phone=True)
        console.wait_for_selector("#link[data-phase=live]")
        worker.wait_for_selector("[data-phase=live]")
        with Playing(run, scenario, kafka.bootstrap):
            row = console.locator(".row", has_text="交通事件")
            expect(row).to_have_count(1, timeout=60_000)
            expect(row).to_contain_text("视频识别交通事故")
            row.click()
            console.click("#what [data-act=acknowledge]")
            expect(console.locator("#what")).to_contain_text("云溪区值班席 已于", timeout=20_000)

            card = worker.locator("article.card")
            expect(card).to_contain_text("交通事件")
            for state in ("accepted", "on_scene"):
                worker.click("button.act")
                expect(card).to_have_attribute("data-state", state, timeout=20_000)
            worker.click("button.act")
            expect(worker.locator(".past li")).to_have_count(1, timeout=20_000)
            expect(worker.locator("#queue")).to_have_attribute("data-waiting", "0", timeout=20_000)

            close = console.locator("[data-act=close]")
            expect(close).to_be_enabled(timeout=20_000)
            close.click()
            console.locator("dialog button[type=submit]").click()
            expect(console.locator("#work")).to_contain_text("已结案", timeout=20_000)
        latency = httpx.get(f"{url}api/health", trust_env=False).json()
        assert latency["ok"]
        assert latency["stages"]["screen"]["count"] > 0  # both pages have told how long it took to the pixel

    async def closed() -> bool:
        for _ in range(100):
            stored = await collect(run, dsn=any_pg_dsn)
            mine = [o for o in stored.orders if o.unit == unit]
            if mine and mine[0].state in ("done", "verified"):
                return True
            await asyncio.sleep(0.1)
        return False

    assert beside(closed())
