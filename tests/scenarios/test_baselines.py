"""The trivial detectors that stand beside ours."""

import numpy as np
import pytest

from scenarios import baselines
from scenarios.baselines import BASELINES, Material, stretches, unusual
from scenarios.model import Scenario
from scenarios.scoring import score
from tests.scenarios import small
from yiwang.clock import SECOND
from yiwang.columns import Readings


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return small.flood()


@pytest.fixture(scope="module")
def material(scenario: Scenario) -> Material:
    return Material.of(scenario)


def test_never_misses_all_and_always_finds_all(scenario: Scenario, material: Material) -> None:
    """The two ends: no false incident and no truth, every truth and mostly false incidents."""
    assert score(scenario, baselines.never(material)).summary()["missed"] == 1
    result = score(scenario, baselines.always(material))
    assert result.found == 1
    assert len(result.false) >= 1


def test_the_threshold_is_the_first_limit_without_hysteresis(scenario: Scenario, material: Material) -> None:
    """It raises with the first reading of 5 cm or more at the underpass, never at the puddle of 2 cm."""
    found = [i for i in baselines.threshold(material) if i.kind == "road_flooding"]
    assert {i.place for i in found} == {"P"}
    reading = scenario.readings[0]
    first = reading.t_ns[
        (reading.series == material.watched[0].device.series[0].number) & (reading.value >= 5)
    ][0]
    assert found[0].opened_ns == first


def test_the_gaussian_marks_what_its_window_has_not_seen() -> None:
    """Noise within four deviations is usual, a jump is not, and a level that stays becomes usual."""
    noise = np.random.default_rng(1).normal(0, 1, 20_000)
    noise[12_000:] += 10
    bad = unusual(noise)
    assert bad[100:12_000].mean() < 0.001
    assert bad[12_000:12_100].all()
    assert not bad[19_000:].any()


def test_a_constant_series_has_no_deviation_to_be_measured_in() -> None:
    """The least step off a constant is unusual, the constant itself never."""
    value = np.zeros(100)
    value[50] = 0.1
    assert np.flatnonzero(unusual(value)).tolist() == [50]


def test_stretches_end_with_the_first_good_reading() -> None:
    """A stretch that is bad at the end is open."""
    t_ns = np.arange(6, dtype=np.int64) * SECOND
    bad = np.array([False, True, True, False, False, True])
    assert stretches(t_ns, bad) == [(SECOND, 3 * SECOND), (5 * SECOND, None)]


def test_every_baseline_gives_incidents_that_can_be_scored(scenario: Scenario, material: Material) -> None:
    """Also those that are added later: confirmed, of a kind the packs have, with ids of their own."""
    for name, baseline in BASELINES.items():
        incidents = baseline(material)
        assert len({i.id for i in incidents}) == len(incidents), name
        assert all(i.confirmed_ns == i.opened_ns for i in incidents), name
        score(scenario, incidents)


def test_a_district_without_readings_has_nothing_to_judge() -> None:
    """Silence is no mistake."""
    assert baselines.by_series(Readings.of([])) == {}
