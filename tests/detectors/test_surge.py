"""Crowds that are about to reach the next level."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.protocol import Layout
from detectors.surge import Surge
from tests.detectors.feeding import MINUTE, Said, round_of, said
from yiwang.columns import Quality

CROWD = {
    "rung_i": 5.5,
    "rung_ii": 4.5,
    "rung_iii": 3.5,
    "rung_iv": 2.0,
    "lead_s": 120.0,
    "smooth_s": 60.0,
    "counter": 30.0,
    "stale_s": 120.0,
    "hold_s": 180.0,
}


def made(**changed: float) -> Surge:
    """Row 0 the density, row 1 the counter-flow of one place."""
    zero = np.zeros(2, np.int32)
    layout = replace(Layout.apart(2), role=np.array([0, 1], np.int8), place=zero, zone=zero, device=zero)
    return Surge(**{**CROWD, **changed}, layout=layout)


def play(surge: Surge, density: list[float], counter: float = 5.0, every: float = 0.5) -> list[Said]:
    """What is said of a density every half minute, with a tick after each."""
    state = surge.start(2)
    told = []
    for i, d in enumerate(density):
        surge.step(state, round_of((0, i * every, d, 0), (1, i * every, counter, 0)))
        told += said(surge, surge.tick(state, round(i * every * MINUTE)))
    return told


RISING = [2.0 + 0.2 * i for i in range(8)]


def test_a_crowd_that_thickens_is_said_before_it_is_there() -> None:
    """0.4 a minute from 2.0 on: 3.5 would come after four minutes, it is said a minute before; held against that rung."""
    found = play(made(), RISING)
    assert [(f.level, f.limit, f.reason) for f in found] == [(3, 3.5, "surge.rising")]
    assert found[0].t < 3.75
    assert found[0].value >= 3.5


def test_a_dense_crowd_that_stands_is_no_surge() -> None:
    """Density alone is the ladder's affair."""
    assert play(made(), [3.0, 3.1, 3.0, 2.9, 3.0, 3.1, 3.0]) == []


def test_a_thin_crowd_may_rise_as_it_likes() -> None:
    """Below the lowest rung nothing is due."""
    assert play(made(), [0.2, 0.6, 1.0, 1.4, 1.8]) == []


@pytest.mark.parametrize(("density", "level"), [(2.5, 3), (4.0, 2), (5.0, 1), (6.0, 1)])
def test_people_against_each_other_make_it_one_worse(density: float, level: int) -> None:
    """At every level; I stays I."""
    found = play(made(), [density] * 3, counter=35.0)
    assert [(f.level, f.value, f.limit, f.reason) for f in found] == [(level, 35, 30, "surge.counter")]


def test_counterflow_elsewhere_or_long_ago_says_nothing() -> None:
    """It must be of the same place, and fresh."""
    assert play(made(), [4.0] * 3, counter=25.0) == []
    surge = made()
    apart = replace(surge, layout=replace(surge.layout, place=np.array([0, 1], np.int32)))
    assert play(apart, [4.0] * 3, counter=40.0) == []
    state = surge.start(2)
    surge.step(state, round_of((1, 0, 40, 0)))
    surge.step(state, round_of((0, 3, 4.0, 0)))
    assert said(surge, surge.tick(state, 3 * MINUTE)) == []


def test_the_trend_alone_gives_no_more_than_it_may() -> None:
    """Where a queue arrives density jumps and then stands: with ``trend_most`` III it is never II by that."""
    jump = [1.0, 1.5, 2.2, 3.2, 3.9, 4.2, 4.3, 4.3]
    assert min(f.level for f in play(made(), jump) if f.level) < 3
    assert {f.level for f in play(made(trend_most=3.0), jump)} <= {0, 3}


def test_it_eases_after_the_hold() -> None:
    """Three minutes without a rise."""
    found = play(made(), [*RISING, *[3.4] * 12])
    assert [f.level for f in found] == [3, 0]
    assert found[1].reason == "surge.eased"
    assert found[1].since == found[0].since


def test_a_silent_camera_eases_too() -> None:
    """Old readings say nothing; what was said ends after the hold."""
    surge = made()
    state = surge.start(2)
    for i, d in enumerate(RISING):
        surge.step(state, round_of((0, i / 2, d, 0)))
        surge.tick(state, i * MINUTE // 2)
    assert state.level[0] == 3
    told = [f for minute in range(4, 12) for f in said(surge, surge.tick(state, minute * MINUTE))]
    assert [f.level for f in told] == [0]


def test_after_a_gap_the_trend_begins_anew() -> None:
    """Two readings an hour apart are no rise."""
    surge = made()
    state = surge.start(2)
    for minute, d in [(0, 2.0), (60, 3.4)]:
        surge.step(state, round_of((0, minute, d, 0)))
        assert said(surge, surge.tick(state, minute * MINUTE)) == []
    assert state.trend[0] == 0


def test_what_is_no_density_changes_nothing() -> None:
    """No number, beyond all reason, or doubtful."""
    surge = made()
    state = surge.start(2)
    for minute, value, quality in [
        (0, 2.5, 0),
        (1, float("nan"), 0),
        (2, 1e12, 0),
        (3, 9.0, int(Quality.SUSPECT)),
    ]:
        surge.step(state, round_of((0, minute, value, quality)))
    assert (state.value[0], state.seen_ns[0], state.trend[0]) == (2.5, 0, 0)
