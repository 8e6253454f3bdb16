"""The ladder: rungs, hysteresis, hold."""

import numpy as np
import pytest

from detectors.ladder import Ladder
from tests.detectors.feeding import feed, round_of, said
from yiwang.columns import Quality

FLOOD = {"rung_iii": 10.0, "rung_ii": 30.0, "rung_i": 60.0, "hysteresis": 2.0, "hold_s": 600.0}


def test_a_rung_is_reached_by_the_reading_that_equals_it() -> None:
    """At least, not more than; in that very reading, with the rung as limit."""
    found = feed(Ladder(**FLOOD), [(0, 9.999), (1, 10), (2, 29.9), (3, 30), (4, 60)])
    assert [(f.t, f.level, f.limit, f.reason) for f in found] == [
        (1, 3, 10, "ladder.above"),
        (3, 2, 30, "ladder.above"),
        (4, 1, 60, "ladder.above"),
    ]
    assert {f.since for f in found} == {1}


def test_one_reading_over_all_rungs_gives_one_finding() -> None:
    """The most severe level, not one finding a rung."""
    assert [(f.level, f.limit) for f in feed(Ladder(**FLOOD), [(0, 70)])] == [(1, 60)]


def test_a_dip_shorter_than_the_hold_is_nothing() -> None:
    """Below for nine minutes, then a reading that is not: the hold begins anew."""
    dip = [(0, 12.0), (1, 5.0), (10, 5.0), (10.5, 8.0), (11, 5.0), (20, 5.0)]
    assert [f.level for f in feed(Ladder(**FLOOD), dip)] == [3]
    assert [(f.t, f.level, f.limit, f.reason, f.since) for f in feed(Ladder(**FLOOD), [*dip, (21, 7.9)])] == [
        (0, 3, 10, "ladder.above", 0),
        (21, 0, 8, "ladder.below", 0),
    ]


def test_exactly_rung_less_hysteresis_is_not_below() -> None:
    """Strictly below is asked for on the way down."""
    assert [f.level for f in feed(Ladder(**FLOOD), [(0, 12), (1, 8), (100, 8)])] == [3]


def test_after_a_gap_of_hours_a_level_falls_only_after_the_hold() -> None:
    """The first reading below starts the hold; the gap before it does not count."""
    found = feed(Ladder(**FLOOD), [(0, 12), (300, 0), (304.9, 0), (309.9, 0), (310, 0)])
    assert [(f.t, f.level) for f in found] == [(0, 3), (310, 0)]


def test_each_rung_is_left_by_itself() -> None:
    """Falling water comes down level by level; a fall to 0 at once is one row."""
    found = feed(Ladder(**FLOOD), [(0, 65), (1, 40), (11, 40), (12, 0), (22, 0)])
    assert [(f.t, f.level, f.limit) for f in found] == [(0, 1, 60), (11, 2, 58), (22, 0, 28)]


def test_a_new_episode_has_a_start_of_its_own() -> None:
    """``since`` identifies the episode."""
    found = feed(Ladder(**FLOOD), [(0, 12), (1, 0), (11, 0), (20, 15), (21, 35)])
    assert [(f.level, f.since) for f in found] == [(3, 0), (0, 0), (3, 20), (2, 20)]


def test_a_rung_may_have_a_hysteresis_of_its_own() -> None:
    """A road is reopened only well below its closure depth; the others follow the common one."""
    found = feed(Ladder(**FLOOD, hysteresis_ii=10.0), [(0, 31), (1, 21), (11, 21), (12, 19), (22, 19)])
    assert [(f.t, f.level, f.limit) for f in found] == [(0, 2, 30), (22, 3, 20)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_neither_raises_nor_calms(value: float) -> None:
    """NaN and infinities are not readings."""
    ladder = Ladder(**FLOOD)
    assert feed(ladder, [(0, value)]) == []
    assert [f.t for f in feed(ladder, [(0, 12), (1, value), (2, 3), (3, value), (12, 3)])] == [0, 12]


def test_suspect_readings_are_left_out_and_clock_ones_used() -> None:
    """A reading that its device doubts raises nothing and calms nothing."""
    ladder = Ladder(**FLOOD)
    state = ladder.start(1)
    assert feed(ladder, [(0, 99)], state, Quality.SUSPECT) == []
    assert [f.level for f in feed(ladder, [(1, 12)], state, Quality.CLOCK)] == [3]
    assert feed(ladder, [(2, 0), (60, 0)], state, Quality.SUSPECT) == []
    assert [f.level for f in feed(ladder, [(61, 0), (71, 0)], state)] == [0]


def test_each_series_has_its_own_rungs() -> None:
    """Parameters are arrays; an absent rung is NaN."""
    nan = float("nan")
    ladder = Ladder(
        rung_ii=np.array([27.0, 15.0, nan]),
        rung_iii=np.array([nan, 5.0, nan]),
        hysteresis=np.zeros(3),
        hold_s=np.zeros(3),
    )
    state = ladder.start(3)
    found = said(ladder, ladder.step(state, round_of((2, 0, 20, 0), (0, 0, 20, 0), (1, 0, 20, 0))))
    assert [(f.level, f.limit) for f in found] == [(2, 15)]
    # a value exactly on the rung is not below it, one below it ends the episode at once: the hold is 0
    assert said(ladder, ladder.step(state, round_of((1, 1, 15, 0)))) == []
    assert [(f.level, f.limit) for f in said(ladder, ladder.step(state, round_of((1, 2, 14, 0))))] == [
        (3, 15)
    ]


def test_a_rung_taken_away_while_reached_is_left_at_once() -> None:
    """Rules may change under an episode; what is said then is still a number."""
    state = Ladder(**FLOOD).start(1)
    assert [f.level for f in feed(Ladder(**FLOOD), [(0, 12)], state)] == [3]
    bare = Ladder(hysteresis=2.0, hold_s=600.0)
    assert [(f.level, f.limit, f.since) for f in feed(bare, [(1, 11)], state)] == [(0, 11, 0)]


def test_rungs_out_of_order_do_not_hide_each_other() -> None:
    """A closure depth above rung I never decides; I does."""
    odd = Ladder(rung_i=50.0, rung_ii=60.0, rung_iii=15.0, hysteresis=2.0, hold_s=0.0)
    assert [(f.level, f.limit) for f in feed(odd, [(0, 55), (1, 65)])] == [(1, 50)]
