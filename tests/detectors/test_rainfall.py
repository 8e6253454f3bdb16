"""Rain sums from rates, bins and a counter."""

from typing import Any

import numpy as np
import pytest

from detectors.rainfall import RainBins, RainCounter, RainRate
from tests.detectors.feeding import MINUTE, round_of, said

TABLE = {
    "mm_1h_iv": 20.0,
    "mm_3h_ii": 50.0,
    "mm_6h_iii": 50.0,
    "mm_24h_iv": 50.0,
    "calm_mm": 0.5,
    "calm_s": 900.0,
    "gap_s": 900.0,
    "most_mm_h": 400.0,
}


def play(
    rain: Any, readings: list[tuple[float, float]], until: float
) -> list[tuple[float, int, float, float]]:
    """Readings (minute, value) with a tick each minute: (minute, level, value, limit) of what is said."""
    state, out, todo = rain.start(1), [], list(readings)
    for minute in range(round(until) + 1):
        while todo and todo[0][0] <= minute:
            t, v = todo.pop(0)
            assert len(rain.step(state, round_of((0, t, v, 0)))) == 0
        out += [(f.t, f.level, f.value, f.limit) for f in said(rain, rain.tick(state, minute * MINUTE))]
    return out


def test_a_rate_of_30_mm_h_reaches_20_mm_in_40_min() -> None:
    """The rectangle rule, to the reading."""
    found = play(RainRate(**TABLE), [(float(t), 30.0) for t in range(61)], 60)
    assert [(t, level, limit) for t, level, _, limit in found] == [(40, 4, 20.0)]
    assert found[0][2] == pytest.approx(20.0)


def test_the_level_rises_with_the_sums_and_falls_when_it_rains_no_more() -> None:
    """50 mm in 3 h are II; less than half a millimetre in a quarter of an hour ends it."""
    rain = [(float(t), 30.0 if t <= 120 else 0.0) for t in range(200)]
    found = play(RainRate(**TABLE), rain, 199)
    assert [(t, level) for t, level, _, _ in found] == [(40, 4), (100, 2), (135, 0)]


def test_rain_long_ago_leaves_the_window() -> None:
    """19 mm, two hours of nothing, 19 mm: never 20 in an hour, and no 50 in three."""
    rain = [(float(t), 38.0 if t % 150 < 30 else 0.0) for t in range(181)]
    assert play(RainRate(**TABLE), rain, 180) == []


def test_a_long_gap_is_not_filled_with_rain() -> None:
    """A reading of 60 mm/h after four hours of silence speaks for a quarter of an hour."""
    assert play(RainRate(**TABLE), [(0.0, 60.0), (240.0, 60.0)], 241) == []


def test_impossible_rain_is_left_out() -> None:
    """Above the limit it is a fault."""
    assert play(RainRate(**TABLE), [(float(t), 500.0) for t in range(30)], 30) == []


def test_a_late_bin_counts_in_its_own_place_and_a_repeat_once() -> None:
    """Bins by arrival 5, 15, 10, 10 min: 24 mm, not 32."""
    rain = RainBins(**TABLE)
    state = rain.start(1)
    for minute in (0, 5, 15, 10, 10):
        rain.step(state, round_of((0, float(minute), 8.0 if minute else 0.0, 0)))
    found = rain.tick(state, 20 * MINUTE)
    assert (found.level.tolist(), found.value.tolist()) == ([4], [24.0])
    assert found.numbers["window_h"].tolist() == [1.0]


def test_a_corrected_bin_replaces_the_first() -> None:
    """0.2 mm becomes 0.1."""
    rain = RainBins(**TABLE | {"mm_1h_iv": 8.0})
    state = rain.start(1)
    for minute, mm in ((0, 0.0), (5, 30.0), (5, 1.0)):
        rain.step(state, round_of((0, float(minute), mm, 0)))
    assert len(rain.tick(state, 6 * MINUTE)) == 0


def test_jitter_of_the_stamps_moves_no_rain_into_another_bin() -> None:
    """Bins stamped a few seconds off still count once each."""
    rng = np.random.default_rng(3)
    rain = RainBins(**TABLE)
    state = rain.start(1)
    for k in range(13):
        rain.step(state, round_of((0, 5.0 * k + float(rng.normal(0, 0.05)), 1.6 if k else 0.0, 0)))
    found = rain.tick(state, 61 * MINUTE)
    assert len(found) == 0  # 19.2 mm in the hour
    assert rain.gauge(state)[0][0] == pytest.approx(19.2, abs=0.2)


def test_a_reset_of_the_counter_is_no_rain_and_loses_none() -> None:
    """990, 1000, 2, 12: ten before the reset, two after it, ten more."""
    rain = RainCounter(**TABLE)
    state = rain.start(1)
    for k, total in enumerate((990.0, 1000.0, 2.0, 12.0)):
        rain.step(state, round_of((0, 5.0 * k, total, 0)))
    assert rain.tick(state, 15 * MINUTE).value.tolist() == [22.0]


def test_rain_of_a_gap_in_the_counter_is_spread_over_it() -> None:
    """24 mm over four silent hours are 6 mm in each, and no cloudburst."""
    assert play(RainCounter(**TABLE), [(0.0, 0.0), (240.0, 24.0)], 245) == []


def test_a_counter_that_jumps_beyond_all_rain_goes_on_from_there() -> None:
    """A swapped device shows 5 000 mm."""
    assert play(RainCounter(**TABLE), [(0.0, 3.0), (5.0, 5000.0), (10.0, 5001.0)], 15) == []


def test_sums_survive_a_day() -> None:
    """2.5 mm an hour: 50 mm after 20 h, and the level stays while it rains."""
    found = play(RainRate(**TABLE), [(10.0 * k, 2.5) for k in range(150)], 1490)
    assert [(level, limit) for _, level, _, limit in found] == [(4, 50.0)]
    assert found[0][0] == pytest.approx(1200, abs=10)
