"""``yiwang scenario record`` from a real broker and database."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scenarios import files
from scenarios.building import Builder
from scenarios.directly import incidents_and_orders
from scenarios.model import Scenario
from scenarios.record import record
from tests.real_run import carry
from yiwang.clock import SECOND, SystemClock, parse_iso
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.registry import Text

pytestmark = pytest.mark.slow
START = parse_iso("2026-06-01T00:00:00Z")


def small() -> Scenario:
    """Two districts; a flood with late and doubled readings, a gas leak, a camera, a caller."""
    b = Builder(
        "small", Text("小", "Small"), start_ns=START, seed=5, duration_s=900, settle_s=8000, tick_s=10
    )
    for number in range(2):
        b.district(f"90000{number}", Text(f"{number}区", f"District {number}"))
        for k in range(4):
            place, device = f"P{number}{k}", f"D{number}{k}"
            b.place(place, "road", zone=f"Z{number}", lon=113 + k / 50, lat=23 + number, district=number)
            b.device(device, "road_water_level", place)
            t = b.times(10, phase_s=k)
            s = (t - START) / SECOND
            flood = np.interp(s, [100, 300, 400, 600], [0, 60, 60, 0]) if (number, k) == (0, 2) else 0 * s
            late = np.where(b.rng.random(len(t)) < 0.2, b.rng.integers(1, 20, len(t)), 0) * SECOND
            b.readings(
                device,
                "water_depth",
                t,
                np.round(flood + b.rng.normal(0.3, 0.1, len(t)), 1),
                arrival_ns=t + late,
            )
    b.device("CAM", "camera", "P02")
    for k in range(6):
        b.video("CAM", "road_flooding", START + (250 + 20 * k) * SECOND, 0.8)
    b.report("road_flooding", START + 280 * SECOND, by="hotline-12345", place="P02", certainty=0.7)
    return b.build()


def essence(scenario: Scenario) -> list[tuple[object, ...]]:
    incidents, _ = incidents_and_orders(scenario)
    return [
        (i.id, i.kind, i.place, i.peak, i.opened_ns, i.closed_ns, i.standing, len(i.evidence))
        for i in incidents
    ]


def test_a_run_is_recorded_and_gives_the_same_incidents(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """What came in is there to the last reading, late ones in their place; replayed directly it ends the same."""
    played = small()
    begin_ns = SystemClock().now_ns()
    outcome = carry(
        played, "take", bootstrap=kafka.bootstrap, dsn=pg_dsn, folder=tmp_path / "run", frame_rows=50
    )
    taken, unreadable = asyncio.run(
        record("take", bootstrap=kafka.bootstrap, dsn=pg_dsn, from_ns=begin_ns, name="copy", title=Text("录"))
    )
    assert unreadable == 0
    for number, readings in played.readings.items():
        for column in ("series", "t_ns", "value", "quality"):
            assert np.array_equal(getattr(taken.readings[number], column), getattr(readings, column))
    assert len(taken.events) == len(played.events) == 7
    assert taken.rules == played.rules
    files.save(taken, tmp_path / "copy")
    back, problems = files.check(str(tmp_path / "copy"))
    assert list(problems) == []
    assert back is not None
    want = essence(played)
    assert len(want) >= 1
    assert essence(back) == want
    assert {i.id for i in outcome.stored.incidents} == {w[0] for w in want}


def test_one_command_records_and_the_next_checks(kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """By the settings of a run; also when the database is away, from the feed's own messages."""
    played = small()
    carry(played, "short", bootstrap=kafka.bootstrap, dsn=pg_dsn, folder=tmp_path / "run")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YIWANG_")}

    def yiwang(*arguments: str, dsn: str = pg_dsn) -> subprocess.CompletedProcess[str]:
        env = {**kept, "YIWANG_KAFKA": kafka.bootstrap, "YIWANG_DATABASE": dsn}
        command = [sys.executable, "-m", "yiwang", "scenario", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    taken = yiwang("record", "--last", "1h", "--run", "short", "-o", "one")
    assert taken.returncode == 0, taken.stderr
    checked = yiwang("check", "one", "--json")
    assert checked.returncode == 0, checked.stderr
    (told,) = json.loads(checked.stdout)
    assert (told["readings"], told["events"], told["problems"]) == (played.reading_count, 7, [])

    nobody = "postgresql://nobody@127.0.0.1:9/none"
    taken = yiwang("record", "--last", "1h", "--run", "short", "-o", "two", dsn=nobody)
    assert taken.returncode == 0, taken.stderr
    assert "from the feed" in taken.stderr
    assert files.load(str(tmp_path / "two")).registries == files.load(str(tmp_path / "one")).registries

    unknown = yiwang("record", "--last", "1h", "--run", "nix", "-o", "three")
    assert unknown.returncode == 2
    assert "run.unknown" in unknown.stderr
    again = yiwang("record", "--last", "1h", "--run", "short", "-o", "one")
    assert again.returncode == 2
    assert "scenario.exists" in again.stderr
