"""The library against its recorded floors: a part of it here, all of it by ``make score``."""

import json
import os
from pathlib import Path

import pytest

from scenarios import files, floors
from scenarios.batch import Job, run_all
from scenarios.scorecard import summary

FLOORS = Path(files.__file__).parent / "floors.json"
PART = ("night", "quiet", "hazmat", "lifts_and_covers", "fire_panels", "sites", "video_classes")
"""Quick ones of several domains; with and without anything to raise."""


def test_the_floor_holds_scenarios_that_are_there() -> None:
    """Nothing in it is gone from the library, and what it holds is what is compared."""
    held = json.loads(FLOORS.read_text("utf-8"))
    assert set(held["scenarios"]) <= set(files.library())
    assert all(set(figures) == set(floors.SCENARIO) for figures in held["scenarios"].values())
    assert all(set(figures) == set(floors.DOMAIN) for figures in held["domains"].values())


@pytest.mark.slow
def test_part_of_the_library_is_not_below_its_floor() -> None:
    """Missed, false, split, merged and late are at most what was recorded."""
    held = json.loads(FLOORS.read_text("utf-8"))
    known = [name for name in PART if name in held["scenarios"]]
    assert len(known) >= 5
    jobs = [Job(source=name, baselines=False) for name in known]
    cards = [one.card for one in run_all(jobs, min(2, os.cpu_count() or 1))]
    below = floors.below(held, summary(cards), whole=False)
    assert not below, [f"{d.where}: {d.figure} {d.now}, floor {d.before}" for d in below]
