"""Shapes of signals: courses, days, wandering, what sensors make of them."""

import numpy as np
import pytest

from scenarios.generators.shapes import (
    Course,
    bursts,
    daily,
    glitches,
    hours,
    of_day,
    sensed,
    spot,
    wander,
)

HOUR = 3_600_000_000_000
EVENING = (
    1_773_950_400_000_000_000 + 12 * HOUR
)  # 2026-03-19 20:00 UTC and half a day: 16:00 local the next day


def test_a_course_says_when_it_reaches_and_leaves_a_level() -> None:
    """Rising and falling; the last time is seen from the end."""
    peak = Course(h=(1.0, 2.0, 3.0, 5.0), value=(0, 10, 10, 0))
    assert peak.first(5.0) == 1.5
    assert peak.last(5.0) == 4.0
    low = Course(h=(1.0, 2.0, 3.0, 5.0), value=(7, 5, 5, 7))
    assert low.first(6.0, falling=True) == 1.5
    assert low.last(6.0, falling=True) == 4.0
    assert peak.at(np.array([0.0, 1.5, 9.0])).tolist() == [0.0, 5.0, 0.0]
    with pytest.raises(ValueError, match="never reaches 11"):
        peak.first(11.0)


def test_the_day_is_local_and_closes_on_itself() -> None:
    """Hour of the day in Beijing; a curve of the day is the same a day later, and continuous over midnight."""
    t = np.array([EVENING, EVENING + 24 * HOUR])
    assert of_day(t).tolist() == [16.0, 16.0]
    assert hours(t, EVENING).tolist() == [0.0, 24.0]
    midnight = np.array([EVENING + 8 * HOUR - 1, EVENING + 8 * HOUR])
    before, after = daily(midnight, (6, 18), (0, 12))
    assert before == pytest.approx(after) == pytest.approx(6.0)
    assert np.ptp(daily(t, (0, 6, 18), (1, 2, 3))) == 0


def test_wandering_has_its_deviation_and_its_memory() -> None:
    """Neighbours are alike, far ones are not; the same seed gives the same."""
    t = np.arange(20_000) * 60_000_000_000
    x = wander(np.random.default_rng(1), t, 2.0, 600.0)
    assert np.std(x) == pytest.approx(2.0, rel=0.1)
    assert np.corrcoef(x[1:], x[:-1])[0, 1] == pytest.approx(np.exp(-0.1), abs=0.02)
    assert abs(np.corrcoef(x[100:], x[:-100])[0, 1]) < 0.1
    assert x.tolist() == wander(np.random.default_rng(1), t, 2.0, 600.0).tolist()


def test_a_sensor_rounds_and_errs() -> None:
    """To whole steps of its resolution; a glitch is one reading long."""
    rng = np.random.default_rng(2)
    value = sensed(rng, np.full(1000, 3.0), 0.1, 0.25)
    assert set(value.tolist()) <= {2.5, 2.75, 3.0, 3.25, 3.5}
    wrong = glitches(rng, value, 0.2, 99.0) == 99.0
    assert 50 < wrong.sum() < 250
    assert not (wrong[1:] & wrong[:-1]).any()


def test_bursts_are_on_for_their_length() -> None:
    """At random moments, none where there is no time."""
    t = np.arange(0, 10 * HOUR, HOUR // 60)
    on = bursts(np.random.default_rng(3), t, 1.0, 300.0)
    assert set(on.tolist()) == {0.0, 1.0}
    assert 5 <= on.sum() <= 120
    assert bursts(np.random.default_rng(3), t[:0], 1.0, 300.0).tolist() == []


def test_spots_are_a_grid() -> None:
    """Ten in a row, then the next row to the north."""
    assert spot(10)[0] == spot(0)[0]
    assert spot(10)[1] > spot(9)[1]
