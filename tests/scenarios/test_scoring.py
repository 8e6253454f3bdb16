"""Holding incidents against the truth."""

import dataclasses

import pytest

from scenarios import files
from scenarios.model import Scenario, Truth
from scenarios.scoring import EARLY_S, as_json, score
from tests.scenarios.incidents import at, evidence, incident, truth
from yiwang.model import Incident


@pytest.fixture(scope="module")
def base() -> Scenario:
    return files.load("quiet")


def with_truth(base: Scenario, *truths: Truth, merge_s: float = 0.0) -> Scenario:
    return dataclasses.replace(base, truth=truths, merge_s=merge_s)


def test_found_in_time_at_the_right_level_and_closed_once_is_met(base: Scenario) -> None:
    """The one case in which the truth is met."""
    result = score(with_truth(base, truth("a", 0, 100)), [incident("I-1", 5, 120, {5: 3, 20: 2})])
    assert result.met
    assert result.verdicts[0].delay_s == 5
    assert as_json(result)["found"] == 1


@pytest.mark.parametrize(
    ("incidents", "what"),
    [
        ([], "missed"),
        ([incident("I-1", 5, 20, {5: 2}), incident("I-2", 40, 120, {40: 2})], "split"),
        ([incident("I-1", 15, 120, {15: 2})], "late"),
        ([incident("I-1", 5, 120, {5: 2}), incident("I-2", 5, 90, {5: 2}, place="Q")], "false"),
    ],
)
def test_each_shortcoming_is_counted_and_fails(base: Scenario, incidents: list[Incident], what: str) -> None:
    """Missed, split, late and false incidents are told apart, and none of them passes."""
    result = score(with_truth(base, truth("a", 0, 100)), incidents)
    assert result.summary()[what] == 1
    assert not result.met


@pytest.mark.parametrize(
    "wrong",
    [
        incident("I-1", 5, 120, {5: 3}),
        incident("I-1", 5, 120, {5: 1}),
        incident("I-1", 5, 120, {5: 2}, state="open", closed_ns=None),
    ],
)
def test_wrong_level_or_not_closed_is_not_met(base: Scenario, wrong: Incident) -> None:
    """Found is not enough: the peak must be right and the incident closed, once."""
    result = score(with_truth(base, truth("a", 0, 100)), [wrong])
    assert result.found == 1
    assert not result.met


def test_two_truths_far_apart_in_one_incident_are_merged(base: Scenario) -> None:
    """One incident over two truths is wrong, unless they are closer than ``merge_s``."""
    truths = (truth("a", 0, 100), truth("b", 1000, 1100))
    one = [incident("I-1", 5, 1120, {5: 2})]
    assert score(with_truth(base, *truths), one).merged == ("I-1",)
    assert score(with_truth(base, *truths, merge_s=1800.0), one).merged == ()


def test_the_peak_is_judged_per_truth(base: Scenario) -> None:
    """An incident over two close truths must reach each one's own level in its own time."""
    truths = (truth("a", 0, 100, severity=1), truth("b", 200, 300, severity=3))
    one = incident("I-1", 5, 320, {5: 1, 110: 4, 205: 3})
    result = score(with_truth(base, *truths, merge_s=600.0), [one])
    assert [v.peak for v in result.verdicts] == [1, 3]


def test_what_stayed_a_candidate_is_neither_found_nor_false(base: Scenario) -> None:
    """A candidate called nobody: the truth is missed, and no false incident is counted."""
    one = incident("I-1", 5, 120, {5: 2}, standing="candidate", confidence=0.5)
    result = score(with_truth(base, truth("a", 0, 100)), [one])
    assert (result.missed, result.false) == (1, ())
    assert [(j.raised_ns, j.verdict, j.confidence) for j in result.incidents] == [(None, "right", 0.5)]


def test_the_delay_is_that_of_the_confirmation(base: Scenario) -> None:
    """A candidate of second 2 that is confirmed in second 8 was raised in second 8, and its level said then."""
    one = incident("I-1", 2, 120, {2: 2}, confirmed_ns=at(8))
    scenario = with_truth(base, truth("a", 0, 100, reaches_ns={"2": at(1)}))
    verdict = score(scenario, [one]).verdicts[0]
    assert (verdict.delay_s, verdict.level_delays_s) == (8, {"2": 7})


def test_an_alarm_that_stood_long_before_detects_nothing(base: Scenario) -> None:
    """Raised more than half an hour before the first trace it is false, and the truth is missed; just before it counts."""
    scenario = with_truth(base, truth("a", 10_000, 10_100))
    standing = incident("I-1", 10_000 - EARLY_S - 1, 10_120, {10_000 - EARLY_S - 1: 2})
    assert score(scenario, [standing]).summary()["missed"] == 1
    assert score(scenario, [standing]).false == ("I-1",)
    warning = incident("I-1", 10_000 - EARLY_S + 1, 10_120, {10_000 - EARLY_S + 1: 2})
    assert score(scenario, [warning]).met


def test_an_incident_that_goes_on_from_an_earlier_truth_counts_for_the_next(base: Scenario) -> None:
    """Two close truths in one incident: the second is found without delay, though it was raised long before."""
    truths = (truth("a", 0, 5000), truth("b", 5100, 5200))
    one = incident("I-1", 5, 5300, {5: 2})
    result = score(with_truth(base, *truths, merge_s=600.0), [one])
    assert [v.delay_s for v in result.verdicts] == [5, 0]


def test_an_incident_is_also_where_its_evidence_is(base: Scenario) -> None:
    """A crash may be raised on the next link, if the incident shows evidence of the truth's own, or the truth says so."""
    far = incident("I-1", 5, 120, {5: 2}, place="Q")
    assert score(with_truth(base, truth("a", 0, 100)), [far]).missed == 1
    assert score(with_truth(base, truth("a", 0, 100, also=("Q",))), [far]).met
    seen = incident("I-1", 5, 120, {5: 2}, place="Q", evidence=(evidence("D", "P"),))
    assert score(with_truth(base, truth("a", 0, 100)), [seen]).met


def test_kinds_by_zone_are_compared_by_zone(base: Scenario) -> None:
    """A truth at a place of the zone is met by the zone's incident."""
    place = base.registries[0].places[0]
    rain = truth("a", 0, 100, kind="heavy_rain", place=place.id)
    one = incident("I-1", 5, 120, {5: 2}, kind="heavy_rain", place=place.zone)
    assert score(with_truth(base, rain), [one]).met


def test_optional_truths_are_neither_missed_nor_false(base: Scenario) -> None:
    """What may be raised or not counts on no side."""
    scenario = with_truth(base, truth("a", 0, 100, optional=True))
    assert score(scenario, []).met
    result = score(scenario, [incident("I-1", 5, 120, {5: 2})])
    assert result.met
    assert [j.verdict for j in result.incidents] == ["optional"]


def test_a_fault_named_otherwise_is_not_found_but_not_false_either(base: Scenario) -> None:
    """Where the truth names reasons, only one of them in the evidence names the fault."""
    scenario = with_truth(base, truth("a", 0, 100, reasons=("still.stuck",)))
    other = incident("I-1", 5, 120, {5: 2}, evidence=(evidence("D", "P", "jump.spike"),))
    result = score(scenario, [other])
    assert (result.missed, result.false) == (1, ())
    named = incident("I-1", 5, 120, {5: 2}, evidence=(evidence("D", "P", "still.stuck"),))
    assert score(scenario, [named]).met


def test_merged_incidents_are_one(base: Scenario) -> None:
    """What was merged into another is no split, and the truth was found when the first of them was confirmed."""
    first = incident("I-1", 5, 60, {5: 2}, merged_into="I-2")
    second = incident("I-2", 20, 120, {20: 2}, merged_from=("I-1",))
    result = score(with_truth(base, truth("a", 0, 100)), [first, second])
    assert result.met
    assert result.verdicts[0].delay_s == 5
    assert [j.id for j in result.incidents] == ["I-2"]


def test_two_places_in_one_incident_are_merged(base: Scenario) -> None:
    """One incident over two places is wrong, unless the truths name each other's."""
    both = incident("I-1", 5, 120, {5: 2}, evidence=(evidence("D", "P"), evidence("E", "Q")))
    truths = truth("a", 0, 100), truth("b", 0, 100, place="Q")
    assert score(with_truth(base, *truths), [both]).merged == ("I-1",)
    known = truth("a", 0, 100, also=("Q",)), truth("b", 0, 100, place="Q")
    assert score(with_truth(base, *known), [both]).merged == ()


def test_a_warning_is_right_if_it_comes_true(base: Scenario) -> None:
    """A forecast before a flood at the same place is right without finding it; one that nothing follows is false."""
    flood = truth("a", 3000, 3100)
    ahead = incident("I-1", 2000, 2500, {2000: 3}, kind="water_logging_forecast")
    result = score(with_truth(base, flood), [ahead])
    assert (result.missed, result.false, result.incidents[0].verdict) == (1, (), "right")
    nothing = incident("I-1", 2000, 2500, {2000: 3}, kind="water_logging_forecast", place="Q")
    assert score(with_truth(base, flood), [nothing]).false == ("I-1",)
    late = incident("I-1", 3200, 3300, {3200: 3}, kind="water_logging_forecast")
    assert score(with_truth(base, flood), [late]).false == ("I-1",)
