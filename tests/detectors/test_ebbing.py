"""The ebbing ladder: as the ladder while readings come, and over when the sensor fell silent low."""

from typing import Any

import numpy as np
import pytest

from detectors.ebbing import Ebbing
from detectors.ladder import Ladder
from tests.detectors.feeding import MINUTE, feed, round_of, said

FLOOD = {"rung_iii": 10.0, "rung_ii": 30.0, "rung_i": 60.0, "hysteresis": 2.0, "hold_s": 600.0}


def test_with_frequent_readings_it_is_the_ladder() -> None:
    """A day of water up and down, a tick each minute: every finding the same, none on a tick."""
    rng = np.random.default_rng(11)
    depth = np.abs(np.cumsum(rng.normal(0, 3, 1440)))
    one: Any = Ladder(**FLOOD)
    other = Ebbing(**FLOOD)
    a, b = one.start(1), other.start(1)
    findings = 0
    for minute, value in enumerate(depth.tolist()):
        r = round_of((0, float(minute), value, 0))
        expected = said(one, one.step(a, r))
        assert said(other, other.step(b, r)) == expected
        assert len(other.tick(b, minute * MINUTE)) == 0
        findings += len(expected)
    assert findings > 10


def test_a_gauge_that_reports_only_while_wet_closes_its_flood() -> None:
    """Its last reading is 0; ten minutes later the flood is over, with that reading and the rung it fell below."""
    ebbing = Ebbing(**FLOOD)
    state = ebbing.start(1)
    assert [f.level for f in feed(ebbing, [(0, 5), (5, 35), (10, 20), (15, 0)], state)] == [2]
    assert len(ebbing.tick(state, 24 * MINUTE)) == 0
    (over,) = said(ebbing, ebbing.tick(state, 25 * MINUTE))
    assert (over.level, over.value, over.limit, over.reason, over.since) == (0, 0, 28, "ladder.below", 5)
    assert len(ebbing.tick(state, 26 * MINUTE)) == 0
    assert [(f.level, f.since) for f in feed(ebbing, [(400, 12)], state)] == [(3, 400)]


@pytest.mark.parametrize("last", [12.0, 8.0])
def test_one_that_falls_silent_high_leaves_the_level(last: float) -> None:
    """Above the rung, or within its hysteresis: nobody knows that the water has gone."""
    ebbing = Ebbing(**FLOOD)
    state = ebbing.start(1)
    assert [f.level for f in feed(ebbing, [(0, 15), (5, last)], state)] == [3]
    assert len(ebbing.tick(state, 10_000 * MINUTE)) == 0


def test_only_the_rungs_it_is_below_are_left() -> None:
    """Silent at 20 cm after 35: level II is left, III stays."""
    ebbing = Ebbing(**FLOOD)
    state = ebbing.start(1)
    feed(ebbing, [(0, 35), (5, 20)], state)
    assert [f.level for f in said(ebbing, ebbing.tick(state, 15 * MINUTE))] == [3]


def test_the_hold_begins_with_the_first_low_reading_and_ends_after_silence_of_its_length() -> None:
    """Low at 10 and at 18 min: at 20 the ladder would say so by a reading; by time it is said at 28."""
    ebbing = Ebbing(**FLOOD)
    state = ebbing.start(1)
    feed(ebbing, [(0, 15), (10, 0), (18, 0)], state)
    assert [len(ebbing.tick(state, minute * MINUTE)) for minute in (20, 27, 28)] == [0, 0, 1]
