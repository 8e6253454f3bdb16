"""The mean: averaging times, day and night, late data."""

from typing import Any

import numpy as np
import pytest

from detectors.mean import MOST_BINS, Mean
from tests.detectors.feeding import MINUTE, Said, round_of, said

HOUR = {"hysteresis": 1.0, "hold_s": 0.0, "bin_s": 300.0, "bins": 12.0}
BY_NIGHT = {"night_from_h": 22.0, "night_to_h": 6.0}
NIGHT = 14 * 60  # 14:00 UTC is 22:00 in Beijing


def run(mean: Mean, readings: list[tuple[float, float]], state: Any = None) -> list[Said]:
    """Everything said of readings (minute, value) of one series, with a tick after each."""
    state = mean.start(1) if state is None else state
    found = []
    for t, v in readings:
        found += said(mean, mean.step(state, round_of((0, t, v, 0))))
        found += said(mean, mean.tick(state, round(t * MINUTE)))
    return found


def test_one_peak_does_not_make_an_hourly_mean() -> None:
    """A standard's limit is of the mean; its finding says the mean, the limit and the window."""
    mean = Mean(rung_iv=100.0, **HOUR)
    peak = [(m, 500.0 if m == 70 else 50.0) for m in range(180)]
    assert run(mean, peak) == []
    state = mean.start(1)
    risen = [(m, 50.0 if m < 60 else 150.0) for m in range(200)]
    found = run(mean, risen, state)
    # after half an hour at 150 six of twelve bins make it (6·50 + 6·150) / 12 = 100
    assert [(f.t, f.level, f.value, f.limit, f.reason) for f in found] == [
        (90, 4, 100.0, 100.0, "mean.above")
    ]


def test_numbers_say_the_window() -> None:
    """In minutes, for the sentence."""
    mean = Mean(
        rung_iv=np.array([10.0]),
        hysteresis=np.array([1.0]),
        hold_s=np.array([0.0]),
        bin_s=np.array([60.0]),
        bins=np.array([2.0]),
    )
    state = mean.start(1)
    for m in range(3):
        mean.step(state, round_of((0, m, 20.0, 0)))
        found = mean.tick(state, m * MINUTE)
    assert found.numbers["window_min"].tolist() == [2.0]


def test_too_few_data_are_no_mean() -> None:
    """Three quarters of the sub-bins must have readings; then a level neither comes nor goes."""
    mean = Mean(rung_iv=100.0, **HOUR)
    assert run(mean, [(m, 150.0) for m in range(40)]) == []  # eight of twelve
    assert [f.t for f in run(mean, [(m, 150.0) for m in range(60)])] == [45]
    gap = [(m, 150.0) for m in range(60)] + [(m, 0.0) for m in range(150, 165)]
    assert [f.level for f in run(mean, gap)] == [4]


def test_many_readings_in_one_part_weigh_no_more() -> None:
    """An alarm-triggered sensor sends faster while it is loud; time is what counts."""
    mean = Mean(rung_iv=60.0, **HOUR)
    calm = [(m, 50.0) for m in range(0, 60, 5)]
    burst = [(55 + k / 100, 100.0) for k in range(400)]
    found = run(mean, [*calm, *burst, (60, 50.0)])
    assert found == []  # (11·50 + 99.9) / 12 = 54.2


def test_energy_mean_of_decibels() -> None:
    """A minute at 80 in a quarter of an hour at 50 is 68 dB, not 52."""
    rows = [(m, 80.0 if m == 5 else 50.0) for m in range(16)]
    leq = Mean(rung_iv=60.0, hysteresis=1.0, hold_s=0.0, bin_s=60.0, bins=15.0, coverage=1.0, energy=1.0)
    found = run(leq, rows)
    assert [(f.t, f.level) for f in found] == [(15, 4)]
    assert found[0].value == pytest.approx(10 * np.log10((1e8 + 14e5) / 15))
    assert (
        run(Mean(rung_iv=60.0, hysteresis=1.0, hold_s=0.0, bin_s=60.0, bins=15.0, coverage=1.0), rows) == []
    )


def test_night_has_its_own_limit_and_begins_with_a_window_of_its_own() -> None:
    """What was allowed until 22:00 does not count into the first night window."""
    mean = Mean(rung_iv=60.0, night_offset=-10.0, energy=1.0, **HOUR, **BY_NIGHT)
    day = [(m, 56.0) for m in range(NIGHT - 120, NIGHT + 120)]
    found = run(mean, day)
    assert [(f.t, f.level, f.limit) for f in found] == [(NIGHT + 45, 4, 50.0)]
    assert found[0].value == pytest.approx(56.0)
    loud_evening = [(m, 58.0 if m < NIGHT else 45.0) for m in range(NIGHT - 120, NIGHT + 120)]
    assert run(mean, loud_evening) == []


def test_what_is_judged_by_night_only_ends_with_the_night() -> None:
    """Noise of building work at night is over at 06:00 whatever is measured then."""
    mean = Mean(
        rung_iii=70.0,
        day_offset=float("nan"),
        night_offset=0.0,
        **BY_NIGHT,
        energy=1.0,
        hysteresis=1.0,
        hold_s=0.0,
        bin_s=60.0,
        bins=1.0,
    )
    found = run(mean, [(m, 90.0) for m in range(NIGHT - 30, NIGHT + 8 * 60 + 5)])
    assert [(f.t, f.level) for f in found] == [(NIGHT + 1, 3), (NIGHT + 8 * 60 + 1, 0)]
    assert found[-1].value == pytest.approx(90.0)


def test_a_night_that_does_not_pass_midnight() -> None:
    """A rest at noon: from 12 to 14."""
    mean = Mean(
        rung_iv=10.0,
        day_offset=float("nan"),
        night_offset=0.0,
        night_from_h=12.0,
        night_to_h=14.0,
        utc_offset_h=0.0,
        hysteresis=0.0,
        hold_s=0.0,
        bin_s=600.0,
        bins=1.0,
    )
    found = run(mean, [(m, 20.0) for m in range(11 * 60, 15 * 60)])
    assert [(f.t, f.level) for f in found] == [(12 * 60 + 10, 4), (14 * 60 + 10, 0)]


def test_late_readings_count_in_their_own_sub_bin() -> None:
    """In any order the same mean, as long as they come before their window is judged."""
    mean = Mean(rung_iv=10.0, hysteresis=0.0, hold_s=0.0, bin_s=60.0, bins=4.0, coverage=1.0)
    rows = [(0.5, 8.0), (1.5, 30.0), (2.5, 6.0), (3.5, 4.0)]
    values = []
    for order in (rows, rows[::-1]):
        state = mean.start(1)
        for t, v in order:
            mean.step(state, round_of((0, t, v, 0)))
        values += said(mean, mean.tick(state, 4 * MINUTE))
    assert [f.value for f in values] == [12.0, 12.0]
    assert Mean.wants_late


def test_what_is_later_than_the_ring_is_left_out() -> None:
    """Bounded memory; it does not overwrite a newer sub-bin."""
    mean = Mean(rung_iv=10.0, hysteresis=0.0, hold_s=0.0, bin_s=60.0, bins=1.0)
    state = mean.start(1)
    mean.step(state, round_of((0, MOST_BINS + 0.5, 1.0, 0)))
    mean.step(state, round_of((0, 0.5, 99.0, 0)))
    assert said(mean, mean.tick(state, (MOST_BINS + 1) * MINUTE)) == []


def test_nan_and_suspect_readings_are_left_out_of_the_mean() -> None:
    """A mean over the others."""
    mean = Mean(rung_iv=10.0, hysteresis=0.0, hold_s=0.0, bin_s=60.0, bins=1.0)
    state = mean.start(1)
    rows = [(0.1, 12.0, 0), (0.2, float("nan"), 0), (0.3, 1e6, 1), (0.4, float("inf"), 0)]
    for t, v, q in rows:
        mean.step(state, round_of((0, t, v, q)))
    assert [f.value for f in said(mean, mean.tick(state, MINUTE))] == [12.0]


def test_the_loudest_sub_bins_may_be_left_out() -> None:
    """A siren for a minute is not the noise of the area, though it makes the hour's Leq."""
    siren = [(m, 85.0 if m == 70 else 45.0) for m in range(200)]
    assert run(Mean(rung_iv=55.0, energy=1.0, **HOUR), siren) != []
    assert run(Mean(rung_iv=55.0, energy=1.0, leave_out=2.0, **HOUR), siren) == []
    party = [(m, 62.0 if m > 70 else 45.0) for m in range(200)]
    found = run(Mean(rung_iv=55.0, energy=1.0, leave_out=2.0, **HOUR), party)
    assert [f.level for f in found] == [4]
    assert 90 <= found[0].t <= 105


def test_as_many_sub_bins_as_are_left_out_are_no_mean() -> None:
    """At least one has to remain."""
    mean = Mean(rung_iv=1.0, hysteresis=0.0, hold_s=0.0, bin_s=60.0, bins=4.0, coverage=0.0, leave_out=2.0)
    found = run(mean, [(0.5, 9.0), (1.0, 9.0), (2.0, 9.0), (3.0, 9.0)])
    assert [f.t for f in found] == [3.0]
