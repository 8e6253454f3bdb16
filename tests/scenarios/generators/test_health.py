"""Zoo of sensor faults, and faults in a flood: each named, no flood lost, none made up."""

import numpy as np
import pytest

from scenarios import directly
from scenarios.generators import generator
from scenarios.scoring import score
from yiwang.clock import parse_iso

BEGIN_NS = parse_iso("2026-05-20T08:00:00+08:00")
LONG_S = {"sensor_fault_zoo": 43_200.0, "faults_in_flood": 9_000.0}


def test_equal_seeds_give_equal_scenarios() -> None:
    """To the last bit; another seed gives other values."""
    first, again, other = (
        generator("faults_in_flood")(start_ns=BEGIN_NS, seed=seed, duration_s=9_000.0) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.readings[0].value, again.readings[0].value)
    assert not np.array_equal(first.readings[0].value, other.readings[0].value)


def test_the_zoo_has_every_fault() -> None:
    """Each detector of sensor health that a day can show names at least one (fouling takes weeks)."""
    zoo = generator("sensor_fault_zoo")(start_ns=BEGIN_NS, seed=1, duration_s=43_200.0)
    shown = {reason.partition(".")[0] for truth in zoo.truth for reason in truth.reasons}
    assert shown == {"silence", "still", "bounds", "clock", "jump", "noise", "drift", "rollback", "flap"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102, 103])
@pytest.mark.parametrize("name", list(LONG_S))
def test_truth_is_found_whatever_the_seed(name: str, seed: int) -> None:
    """All found in time at their level by their name, the floods among them; nothing else raised."""
    scenario = generator(name)(start_ns=BEGIN_NS, seed=seed, duration_s=LONG_S[name])
    incidents, _ = directly.incidents_and_orders(scenario)
    result = score(scenario, incidents)
    assert result.found == len(scenario.truth)
    assert (result.split, result.late, result.false, result.merged) == (0, 0, (), ())
    assert [v.truth for v in result.verdicts if v.peak != v.severity] == []
