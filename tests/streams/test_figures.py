"""What the stream workers tell of themselves as metrics."""

import re

import pytest

from streams import figures
from streams.persist_writer import Limits, Writer
from tests.fakes.streams import FakeKafka, FakeSnapshots
from tests.streams import test_city_host, test_district_host
from tests.streams.test_district_host import BOTH, TOPICS, flood
from tests.streams.world import T0, opening
from yiwang.clock import ManualClock
from yiwang.codec import encode
from yiwang.metrics import Metrics, Source, series_names
from yiwang.model import Tick


def lines(source: Source) -> list[str]:
    """The page of a process with this source; every name is of the catalogue, and nothing failed."""
    shown = Metrics("test", "test")
    shown.add("it", source)
    text = shown.text()[0].decode()
    assert "scrape_errors_total{" not in text
    found = [line for line in text.splitlines() if not line.startswith("#")]
    assert {re.split(r"[ {]", line)[0] for line in found} <= series_names()
    return found


@pytest.fixture
async def bench() -> test_district_host.Bench:
    """A district whose feed has three readings in it."""
    bench = test_district_host.Bench(FakeKafka(), FakeSnapshots())
    for item in [*opening(), Tick(t_ns=T0)]:
        bench.kafka.put(TOPICS.feed, 0, encode(item))  # type: ignore[arg-type]
    for depth, at in ((6.0, 1), (16.0, 2), (30.0, 3)):
        flood(bench, depth, at)
    return bench


async def test_a_district_worker(bench: test_district_host.Bench) -> None:
    """Readings, lag, outputs by kind, latency; a snapshot makes its age 0 until something new is worked on."""
    source = figures.district(bench.host)
    assert not any("yiwang_district_" in line for line in lines(source))  # none is held yet
    await bench.read()
    held = bench.host.held[0]
    held.tally.ends = (held.at[0] + 5, held.at[1])
    page = lines(source)
    for line in (
        'yiwang_district_readings_total{district="0"} 3.0',
        'yiwang_district_lag_messages{district="0",log="feed"} 5.0',
        'yiwang_district_lag_messages{district="0",log="commands"} 0.0',
        'yiwang_district_event_time_seconds{district="0"} 1.78e+09',
        'yiwang_stage_latency_seconds_count{district="0",stage="detect"} 3.0',
        'yiwang_snapshot_writes_total{district="0"} 0.0',
        'yiwang_process_service_away{service="database"} 0.0',
        'yiwang_queue_limit_items{district="",queue="outbox"} 20000.0',
    ):
        assert line in page
    assert any(line.startswith('yiwang_district_outputs_total{district="0",kind="finding"}') for line in page)
    assert not any(line.startswith("yiwang_snapshot_state_bytes") for line in page)
    await bench.host.keep({0})
    kept = lines(source)
    assert 'yiwang_snapshot_age_seconds{district="0"} 0.0' in kept
    assert 'yiwang_snapshot_writes_total{district="0"} 1.0' in kept
    await bench.host.release(BOTH)
    assert not any('district="0"' in line for line in lines(source))


async def test_a_city_worker() -> None:
    """How far it has read each district, and what it said to whom."""
    bench = test_city_host.Bench(FakeKafka(), FakeSnapshots())
    source = figures.city(bench.host)
    assert 'yiwang_snapshot_age_seconds{district="city"} 0.0' in lines(source)
    await bench.host.restore(test_city_host.ALL)
    payload = encode(test_city_host.output(0, test_city_host.NEEDED))
    await bench.host.take(1, 0, payload)
    bench.host.ends = {0: 0, 1: 4, 2: 0}
    page = lines(source)
    assert 'yiwang_city_lag_messages{district="1"} 3.0' in page
    assert 'yiwang_city_lag_messages{district="0"} 0.0' in page
    assert any(line.startswith("yiwang_city_commands_total{") for line in page)
    assert 'yiwang_snapshot_age_seconds{district="city"} 0.0' not in page


async def test_a_persist_worker() -> None:
    """Counters, what waits against its limit, and whether the database is away; lag only of what it holds."""
    writer = Writer(None, TOPICS, ManualClock(T0), Limits())  # type: ignore[arg-type]  # nothing is stored
    writer.counters.readings, writer.counters.skipped_messages, writer.counters.repeated_messages = 7, 2, 3
    writer.is_away = True
    writer.write_latency.observe(0.02)
    page = lines(figures.persist(writer, Limits(rows=10, backlog=3), {(TOPICS.feed, 0): 99}))
    for line in (
        "yiwang_persist_readings_total 7.0",
        "yiwang_persist_skipped_messages_total 5.0",
        'yiwang_process_service_away{service="database"} 1.0',
        'yiwang_queue_items{district="",queue="backlog"} 0.0',
        'yiwang_queue_limit_items{district="",queue="backlog"} 30.0',
        "yiwang_persist_write_seconds_count 1.0",
    ):
        assert line in page
    assert not any(line.startswith("yiwang_persist_lag") for line in page)
