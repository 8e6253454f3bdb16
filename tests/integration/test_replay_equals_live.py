"""Replay = live: however a scenario goes through the system, findings, incidents and orders are the same."""

from pathlib import Path

import pytest

from scenarios import directly, files
from scenarios.model import Scenario
from tests.real_run import carry, part
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import Finding, Incident, Order

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def night() -> Scenario:
    return files.load("night")


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_frames_cut_otherwise_give_the_same_outputs(night: Scenario, rows: int) -> None:
    """Directly through the machine: cutting changes nothing, to the last bit and in the same order."""
    troubled = part(night, 300.0, 1100.0)
    assert directly.bodies(troubled, cut_rows=rows) == directly.bodies(troubled)


def test_through_kafka_at_full_speed_equals_directly(
    night: Scenario, kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """Faust, Kafka, two workers, other frames, snapshots, PostgreSQL in between change nothing; all is stored once."""
    night = part(night, 0.0, 1100.0)
    expected = directly.bodies(night)
    assert any(isinstance(b, Order) for b in expected[0])
    outcome = carry(
        night,
        "equal-at-full-speed",
        bootstrap=kafka.bootstrap,
        dsn=pg_dsn,
        folder=tmp_path,
        workers=2,
        frame_rows=7,
    )
    assert outcome.bodies == expected
    assert (outcome.stored.readings, outcome.stored.doubled) == (night.reading_count, 0)
    incidents, orders = directly.incidents_and_orders(night)
    assert outcome.stored.incidents == incidents
    assert outcome.stored.orders == orders


def test_at_speed_10_equals_directly(
    night: Scenario, kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """At speed 10, with the frames that the clock cuts: a stretch with the crash and the gas alarm."""
    stretch = part(night, 700.0, 800.0)
    expected = directly.bodies(stretch)
    assert any(isinstance(b, Finding) for b in expected[0])
    assert any(isinstance(b, Incident) for b in expected[0])
    outcome = carry(
        stretch, "equal-speed-10", bootstrap=kafka.bootstrap, dsn=pg_dsn, folder=tmp_path, speed=10.0
    )
    assert outcome.bodies == expected
    assert (outcome.stored.readings, outcome.stored.doubled) == (stretch.reading_count, 0)
