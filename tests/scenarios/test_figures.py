"""Figures of scoring: shares, delays, calibration, alarm management, and whether one scoring is worse than another."""

import dataclasses
from typing import Any

import msgspec
import pytest

from scenarios import alarms, figures, floors
from scenarios.figures import Tally
from scenarios.scorecard import evaluate
from tests.scenarios import small
from tests.scenarios.incidents import T0, at, evidence, incident
from yiwang.clock import SECOND
from yiwang.errors import BadInput
from yiwang.model import Body, Situation


def test_shares_and_rates() -> None:
    """Nine of ten found, one of ten raised false, in half a day with two seats and three sensors."""
    f = figures.figures(
        Tally(truths=10, found=9, raised=10, right=9, false=1, hours=12, seat_hours=24, device_hours=36)
    )
    assert (f["recall"], f["precision"], f["false_per_day"]) == (0.9, 0.9, 2.0)
    assert f["false_per_operator_hour"] == pytest.approx(1 / 24)
    assert f["false_per_sensor_month"] == 20.0
    assert f["f1"] == pytest.approx(0.9)


def test_nothing_to_divide_by_is_no_figure() -> None:
    """Without truths there is no recall, without incidents no precision, and neither counts as perfect."""
    f = figures.figures(Tally(hours=1))
    assert f["recall"] is f["precision"] is f["delay_median_s"] is f["brier"] is None


def test_tallies_add_up() -> None:
    """The figures of two scenarios are those of their counts together, not the mean of theirs."""
    one = Tally(truths=1, found=1, raised=1, right=1, hours=1, delays_s=[1.0], sure=[(0.9, True)])
    two = Tally(truths=3, found=1, raised=3, right=1, false=2, hours=3, delays_s=[9.0], sure=[(0.9, False)])
    f = figures.figures(Tally.total([one, two]))
    assert (f["recall"], f["precision"], f["delay_p90_s"], f["hours"]) == (0.5, 0.5, 9.0, 4)
    assert f["brier"] == pytest.approx((0.01 + 0.81) / 2)


@pytest.mark.parametrize(("q", "value"), [(0.5, 5.0), (0.9, 9.0), (1.0, 10.0), (0.01, 1.0)])
def test_a_quantile_is_one_of_the_values(q: float, value: float) -> None:
    """The smallest value that so large a share does not exceed."""
    assert figures.quantile([float(v) for v in range(10, 0, -1)], q) == value


def test_calibration_compares_confidence_and_truth() -> None:
    """Ten incidents of confidence 0.8 of which eight are right are calibrated; if all are wrong they are 0.8 off."""
    good = [(0.85, k < 8) for k in range(10)]
    assert figures.calibration_error(good) == pytest.approx(0.05)
    assert figures.calibration_error([(0.8, False)] * 10) == pytest.approx(0.8)
    assert [b[2:] for b in figures.bins([(1.0, True)])][9] == (1, 1.0, 1.0)


# ---- alarm management ----


def called(n: int, every_s: float, **more: Any) -> list[Body]:
    return [
        incident(
            f"I-{k}",
            k * every_s,
            k * every_s + 10,
            {k * every_s: 3},
            severity=3,
            confirmed_ns=at(k * every_s),
            annunciated_ns=at(k * every_s),
            evidence=(evidence(f"D{k % 4}", "P"),),
            **more,
        )
        for k in range(n)
    ]


def test_annunciations_are_counted_once() -> None:
    """Later states of an incident repeat its annunciation; a situation that becomes more severe calls again."""
    storm = Situation(
        id="S",
        rev=1,
        district=0,
        kind="storm",
        state="open",
        severity=3,
        peak=3,
        opened_ns=T0,
        updated_ns=T0,
        annunciated_ns=T0,
    )
    worse = Situation(
        **{**{f: getattr(storm, f) for f in storm.__struct_fields__}, "severity": 1, "annunciated_ns": at(50)}
    )
    calls = alarms.annunciations([*called(2, 10), *called(2, 10), storm, storm, worse])
    assert [(c.of, c.severity) for c in calls] == [("I-0", 3), ("S", 3), ("I-1", 3), ("S", 1)]


def test_a_flood_of_alarms_is_seen() -> None:
    """Eleven in ten minutes begin a flood; it ends when fewer than five are left in the last ten minutes."""
    tally = alarms.tally({0: called(11, 30)}, begin_ns=T0, end_ns=at(3600), hours=1.0)
    f = alarms.figures(tally)
    assert f["most_in_10_min"] == 11
    assert f["periods_over_10"] == pytest.approx(1 / 6)
    # begins with the 11th at 300 s, ends when the 7th is ten minutes old: 180 + 600 s
    assert tally.flood_s == pytest.approx(480)
    assert alarms.tally({0: called(10, 30)}, begin_ns=T0, end_ns=at(3600), hours=1.0).flood_s == 0


def test_the_busiest_sources_and_priorities() -> None:
    """Sources are the devices of the first evidence; the split is by severity."""
    f = alarms.figures(alarms.tally({0: called(40, 60)}, begin_ns=T0, end_ns=at(2400), hours=2 / 3))
    assert (f["top_10_share"], f["priority_medium"], f["per_10_min"]) == (1.0, 1.0, pytest.approx(10.0))


def test_chattering_and_stale_incidents() -> None:
    """Three changes within a minute chatter; more than a day active is stale."""
    from yiwang.model import Step

    one = incident("I-1", 0, 90_000, {0: 3}, confirmed_ns=at(0))
    flicker = (
        Step(t_ns=at(0), what="opened"),
        Step(t_ns=at(20), what="cleared"),
        Step(t_ns=at(40), what="reopened"),
    )
    two = incident("I-2", 0, 90, {0: 3}, confirmed_ns=at(0), history=flicker)
    tally = alarms.tally({0: [one, two]}, begin_ns=T0, end_ns=at(90_000), hours=25.0)
    assert (tally.stale, tally.chattering, tally.incidents) == (1, 1, 2)


def test_any_ten_minutes_not_only_whole_ones() -> None:
    """Six before and six after a round ten minutes are twelve in ten minutes."""
    shifted = [c.t_ns for c in alarms.annunciations(called(12, 20))]
    assert (shifted[-1] - shifted[0]) / SECOND == 220
    assert (
        alarms.tally({0: called(12, 20)}, begin_ns=T0 - 490 * SECOND, end_ns=at(3600), hours=1.0).most == 12
    )


# ---- worse than before ----


def summary(**flooding: float) -> dict[str, Any]:
    counts = {"missed": 0, "false": 0, "split": 0, "merged": 0, "late": 0}
    return {
        "details": {"night": counts},
        "domains": {
            "flooding": {
                "recall": 1.0,
                "precision": 0.95,
                "false_per_day": 0.5,
                "delay_median_s": 10.0,
                **flooding,
            }
        },
        "alarms": {"most_in_10_min": 5},
    }


def test_the_same_scoring_has_no_difference() -> None:
    """And is not below its own floor."""
    assert floors.differences(summary(), summary()) == []
    assert floors.below(floors.floor(summary()), summary(), whole=True) == []


@pytest.mark.parametrize(
    ("now", "worse"),
    [
        ({"recall": 0.9}, True),
        ({"recall": 0.996}, False),
        ({"false_per_day": 2.0}, True),
        ({"false_per_day": 0.0}, False),
        ({"delay_median_s": 11.4}, False),
        ({"delay_median_s": 12.0}, True),
        ({"precision": 1.0}, False),
    ],
)
def test_worse_is_told_from_other(now: dict[str, float], worse: bool) -> None:
    """Each figure has its better direction and its tolerance."""
    found = floors.differences(summary(), summary(**now))
    assert [d.worse for d in found] == [worse]
    assert bool(floors.below(floors.floor(summary()), summary(**now), whole=True)) == worse


def test_a_scenario_of_the_floor_that_is_gone_is_below_it() -> None:
    """Dropping a scenario may not hide its failures; one that is new is not held yet."""
    now = summary() | {"details": {"other": summary()["details"]["night"]}}
    found = floors.below(floors.floor(summary()), now, whole=True)
    assert [(d.where, d.figure) for d in found] == [("scenario night", "scored")]
    assert floors.below(floors.floor(summary()), now, whole=False) == []


def test_a_figure_that_is_gone_is_worse_only_if_more_was_better() -> None:
    """No precision any more means that nothing was raised; no delay means nothing either, and recall tells it."""
    gone = summary() | {"domains": {"flooding": {"recall": 1.0, "false_per_day": 0.5}}}
    assert [d.figure for d in floors.differences(summary(), gone) if d.worse] == ["precision"]


def test_refused_rules_are_no_score() -> None:
    """A scenario whose rules the machines refuse is an error, not a scenario in which all was missed."""
    one = small.flood()
    wrong = dataclasses.replace(one, rules=msgspec.structs.replace(one.rules, tick_s=0.0))
    with pytest.raises(BadInput, match="tick_s") as caught:
        evaluate(wrong)
    assert caught.value.code == "score.rules"
