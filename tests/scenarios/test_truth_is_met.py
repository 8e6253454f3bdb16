"""The built-in scenarios and the recorded floods, straight through the machine, held against their truth."""

from pathlib import Path

import pytest

from scenarios import directly, files, floodnet
from scenarios.scoring import score

FLOODNET = Path(__file__).parents[3] / "shared" / "data" / "floodnet"


@pytest.mark.parametrize("name", ["night", "quiet"])
def test_a_night_of_the_demo_meets_its_truth(name: str) -> None:
    """Every incident found once, in time, at its level, closed once; nothing else raised, not even a candidate.

    The rest of the library has candidates and matters that may be raised or not: its floors hold it.
    """
    scenario = files.load(name)
    incidents, _ = directly.incidents_and_orders(scenario)
    result = score(scenario, incidents)
    assert result.met, result.verdicts
    happened = [
        i for i in incidents if i.kind != "water_logging_forecast"
    ]  # a forecast stands beside the flood
    assert len(happened) == len(scenario.truth)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(
    not FLOODNET.is_dir(), reason="recorded floods are not beside this checkout (../shared/data)"
)
def test_every_recorded_flood_is_one_incident() -> None:
    """140 floods of at least 10 cm: each raised within one reading, rising at 30 and 60 cm, closed once."""
    scenario = files.load(str(FLOODNET))
    incidents, _ = directly.incidents_and_orders(scenario)
    result = score(scenario, incidents)
    assert result.summary() == {
        "expected": 140,
        "found": 140,
        "missed": 0,
        "split": 0,
        "merged": 0,
        "late": 0,
        "false": 0,
    }
    assert result.met
    delays = [d for v in result.verdicts for d in (v.delay_s, *v.level_delays_s.values())]
    assert all(d is not None and 0 <= d <= 60 for d in delays)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(
    not FLOODNET.is_dir(), reason="recorded floods are not beside this checkout (../shared/data)"
)
def test_every_recorded_flood_is_one_incident_by_its_own_readings_alone() -> None:
    """Nothing but what was recorded, at its own irregular times: each flood raised by the very reading, none split.

    A gauge that falls silent with its last, low reading does not leave its flood standing until the next one.
    """
    scenario = floodnet.load(FLOODNET, raw=True)
    incidents, _ = directly.incidents_and_orders(scenario)
    result = score(scenario, incidents)
    assert (result.found, result.missed, result.split, result.late) == (140, 0, 0, 0)
    assert (result.false, result.merged) == ((), ())
    assert all(v.delay_s == 0 and v.peak == v.severity for v in result.verdicts)
