"""Holding incidents against the truth."""

import dataclasses
from typing import Any

import pytest

from scenarios import files
from scenarios.model import Scenario, Truth
from scenarios.scoring import as_json, score
from yiwang.clock import SECOND
from yiwang.model import Incident, Step

T0 = 1_000 * SECOND


def truth(id_: str, begin_s: float, end_s: float, **more: Any) -> Truth:
    return Truth(
        id=id_,
        kind="road_flooding",
        district=0,
        place="P",
        severity=more.pop("severity", 2),
        begin_ns=T0 + round(begin_s * SECOND),
        end_ns=T0 + round(end_s * SECOND),
        within_s=10.0,
        **more,
    )


def incident(id_: str, opened_s: float, cleared_s: float, levels: dict[float, int], **more: Any) -> Incident:
    steps = [
        Step(
            t_ns=T0 + round(t * SECOND),
            what="opened" if k == 0 else "severity",
            args={"severity": s} if k == 0 else {"to": s},
        )
        for k, (t, s) in enumerate(levels.items())
    ]
    closed_ns = T0 + round((cleared_s + 60) * SECOND)
    fields: dict[str, Any] = {
        "id": id_,
        "rev": 1,
        "district": 0,
        "domain": "flooding",
        "kind": "road_flooding",
        "place": "P",
        "place_name_zh": "",
        "place_name_en": "",
        "lon": 0.0,
        "lat": 0.0,
        "state": "closed",
        "severity": 2,
        "peak": min(levels.values()),
        "opened_ns": T0 + round(opened_s * SECOND),
        "updated_ns": closed_ns,
        "cleared_ns": T0 + round(cleared_s * SECOND),
        "closed_ns": closed_ns,
        "history": (*steps, Step(t_ns=closed_ns, what="closed")),
    }
    return Incident(**{**fields, **more})


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
