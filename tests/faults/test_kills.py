"""kill -9 in mid-replay, over and over: what comes out equals an undisturbed run."""

from pathlib import Path

import pytest

from scenarios import directly, files
from tests.kills import KILLS
from tests.real_run import carry, part
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.supervise import Supervisor
from yiwang.runs import Run

pytestmark = pytest.mark.slow


def test_killing_streams_and_persist_changes_nothing(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """So many kills of the district worker and of persist: the same outputs, and every reading stored once."""
    # From the first water to all three incidents and their orders: long enough to be interrupted all the time.
    night = part(files.load("night"), 200.0, 1000.0)
    kills = {"district0": 0, "persist0": 0}

    def chaos(supervisor: Supervisor, run: Run) -> None:
        for k in range(1, KILLS + 1):
            for worker in kills:
                supervisor.kill(f"{run.name}-{worker}")
                kills[worker] += 1
            for worker in kills:
                supervisor.wait_for_restart(f"{run.name}-{worker}", k, timeout_s=60)

    outcome = carry(
        night,
        "killed",
        bootstrap=kafka.bootstrap,
        dsn=pg_dsn,
        folder=tmp_path,
        frame_rows=50,
        speed=25.0,
        chaos=chaos,
    )
    assert kills == {"district0": KILLS, "persist0": KILLS}
    assert outcome.bodies == directly.bodies(night)
    assert (outcome.stored.readings, outcome.stored.doubled) == (night.reading_count, 0)
    incidents, orders = directly.incidents_and_orders(night)
    assert outcome.stored.incidents == incidents
    assert outcome.stored.orders == orders
