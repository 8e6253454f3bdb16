"""The rise: rate, time to the next rung, and what is no rise."""

import numpy as np
import pytest

from detectors.rise import Rise
from tests.detectors.feeding import MINUTE, feed, round_of, said
from yiwang.columns import Quality

ROAD = {
    "rung_iii": 15.0,
    "rung_ii": 27.0,
    "rung_i": 50.0,
    "from_value": 3.0,
    "min_rate": 0.3,
    "lead_s": 1200.0,
    "smooth_s": 90.0,
    "gap_s": 1800.0,
    "hold_s": 600.0,
    "silence_s": 3600.0,
}


def ramp(rate: float, every: float, minutes: float, start: float = 5.0) -> list[tuple[float, float]]:
    """Dry until ``start``, then rising ``rate`` cm a minute, read every ``every`` minutes."""
    times = np.arange(0.0, minutes, every)
    return [(float(t), max(0.0, rate * (t - start))) for t in times]


@pytest.mark.parametrize("every", [0.5, 1.05, 5.2])
def test_rate_and_time_to_the_next_rung_are_right_at_any_interval(every: float) -> None:
    """1 cm a minute on a steady course: what is said comes true within a fifth of the time, from 30 s to 5 min."""
    rise = Rise(**ROAD | {"smooth_s": 90.0})
    state = rise.start(1)
    for t, v in ramp(1.0, every, 26.0):
        rise.step(state, round_of((0, t, v, 0)))
    rate, least = rise.gauge(state)
    assert rate[0] == pytest.approx(1.0, rel=0.2)
    assert least[0] == 0.3


def test_a_warning_names_the_rung_the_rate_and_the_minutes() -> None:
    """The most severe rung within the lead, and the next one above."""
    rise = Rise(**ROAD)
    state = rise.start(1)
    found = []
    for t, v in ramp(2.0, 1.0, 15.0):
        columns = rise.step(state, round_of((0, t, v, 0)))
        found += [
            (f.level, f.limit, {n: float(c[0]) for n, c in columns.numbers.items()})
            for f in said(rise, columns)
        ]
    level, limit, numbers = found[-1]
    assert (level, limit) == (1, 50.0)  # 2 cm a minute, 20 min ahead
    assert numbers["next"] in (15.0, 27.0)
    between = (50.0 - numbers["next"]) / numbers["rate"]
    assert numbers["minutes"] == pytest.approx(between + numbers["next_minutes"])


def test_a_splash_is_no_rise() -> None:
    """One reading by itself, however high, and one before it that was low: the median does not see it."""
    quiet = [(float(t), 3.5) for t in range(5)] + [(5.0, 90.0)] + [(float(t), 3.5) for t in range(6, 12)]
    assert feed(Rise(**ROAD), quiet) == []


def test_noise_is_no_rise() -> None:
    """A puddle of 4 cm that trembles by half a centimetre for ten hours."""
    rng = np.random.default_rng(7)
    puddle = [(float(t), 4.0 + float(rng.normal(0, 0.5))) for t in range(600)]
    assert feed(Rise(**ROAD), puddle) == []


def test_it_is_over_when_no_rung_has_been_near_for_the_hold() -> None:
    """The level only rises within an episode; it ends by readings."""
    found = feed(Rise(**ROAD), [*ramp(1.0, 1.0, 20.0), *((float(t), 14.0) for t in range(20, 50))])
    assert [f.level for f in found] == [3, 2, 0] or [f.level for f in found] == [3, 0]
    assert found[-1].reason == "rise.over"
    assert {f.since for f in found} == {found[0].since}


def test_it_is_over_when_the_sensor_falls_silent() -> None:
    """A forecast from readings an hour old is none."""
    rise = Rise(**ROAD)
    state = rise.start(1)
    assert feed(rise, ramp(1.0, 1.0, 20.0), state)
    assert len(rise.tick(state, 60 * MINUTE)) == 0
    over = said(rise, rise.tick(state, 79 * MINUTE))
    assert [(f.level, f.reason) for f in over] == [(0, "rise.silent")]
    assert len(rise.tick(state, 80 * MINUTE)) == 0


def test_after_a_gap_it_begins_anew() -> None:
    """From 0 to 14 cm over an hour's gap nothing is known of the rate."""
    assert feed(Rise(**ROAD), [(0, 0.0), (1, 0.0), (61, 14.0)]) == []


def test_suspect_readings_are_left_out() -> None:
    """A rise that its own device doubts is none."""
    assert feed(Rise(**ROAD), ramp(2.0, 1.0, 20.0), quality=Quality.SUSPECT) == []


def test_without_a_floor_and_with_metres_it_follows_a_river() -> None:
    """2 m above the datum, 1 cm a minute, 30 cm below the rung: 30 min."""
    river = Rise(
        rung_iii=3.0,
        from_value=float("nan"),
        min_rate=0.002,
        lead_s=7200.0,
        smooth_s=1800.0,
        gap_s=7200.0,
        hold_s=3600.0,
        silence_s=7200.0,
    )
    found = feed(river, [(5.0 * i, 2.0 + 0.05 * max(0, i - 3)) for i in range(18)])
    assert [f.level for f in found] == [3]
