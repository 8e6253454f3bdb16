"""The band: rungs on both sides."""

import numpy as np

from detectors.band import Band
from tests.detectors.feeding import feed, round_of, said

PH = {"low_iii": 6.0, "low_ii": 5.0, "high_iii": 9.0, "high_ii": 10.0, "hysteresis": 0.2, "hold_s": 600.0}


def test_each_side_is_reached_by_the_reading_that_equals_its_rung() -> None:
    """At most below, at least above; the limit is the rung as it was given."""
    assert [(f.t, f.level, f.limit, f.reason) for f in feed(Band(**PH), [(0, 6.01), (1, 6.0), (2, 5.0)])] == [
        (1, 3, 6.0, "band.under"),
        (2, 2, 5.0, "band.under"),
    ]
    assert [
        (f.t, f.level, f.limit, f.reason) for f in feed(Band(**PH), [(0, 8.99), (1, 9.0), (2, 10.0)])
    ] == [
        (1, 3, 9.0, "band.above"),
        (2, 2, 10.0, "band.above"),
    ]


def test_the_middle_is_quiet_and_a_return_needs_hysteresis_and_hold() -> None:
    """Back by less than the hysteresis is not back."""
    assert feed(Band(**PH), [(t, 7.0 + 0.1 * (t % 3)) for t in range(50)]) == []
    found = feed(Band(**PH), [(0, 5.9), (1, 6.1), (60, 6.1), (61, 6.5), (71, 6.5)])
    assert [(f.t, f.level, f.limit, f.reason) for f in found] == [
        (0, 3, 6.0, "band.under"),
        (71, 0, 6.2, "band.risen"),
    ]


def test_from_one_end_to_the_other_at_one_level_is_one_episode() -> None:
    """The level is what is said, and it does not change; the low rung's hold ends unseen under the high one."""
    found = feed(Band(**PH), [(0, 5.9), (1, 9.1), (20, 9.1), (21, 7.0), (31, 7.0)])
    assert [(f.t, f.level, f.since) for f in found] == [(0, 3, 0), (31, 0, 0)]
    assert found[-1].reason == "band.fallen"


def test_a_dip_shorter_than_the_confirmation_is_nothing() -> None:
    """A pump that starts, a valve that shuts: the pressure comes back."""
    band = Band(low_ii=0.2, hysteresis=0.02, confirm_s=120.0, hold_s=0.0)
    assert feed(band, [(0, 0.3), (1, 0.1), (2, 0.1), (2.9, 0.3), (3, 0.1), (4, 0.1)]) == []
    found = feed(band, [(0, 0.3), (1, 0.1), (2, 0.1), (3, 0.1), (4, 0.3)])
    assert [(f.t, f.level, f.since) for f in found] == [(3, 2, 1), (4, 0, 1)]


def test_a_band_may_have_one_side_only_and_differ_by_series() -> None:
    """Parameters are arrays; an absent rung is NaN."""
    nan = float("nan")
    band = Band(
        low_ii=np.array([1.0, nan, nan]),
        high_ii=np.array([nan, 5.0, nan]),
        hysteresis=np.zeros(3),
        hold_s=np.zeros(3),
    )
    state = band.start(3)
    found = said(band, band.step(state, round_of(*((s, 0, 9.0, 0) for s in range(3)))))
    assert [(f.level, f.limit, f.reason) for f in found] == [(2, 5.0, "band.above")]
    found = said(band, band.step(state, round_of(*((s, 1, 0.5, 0) for s in range(3)))))
    assert sorted((f.level, f.reason) for f in found) == [(0, "band.fallen"), (2, "band.under")]


def test_nan_infinity_and_suspect_readings_change_nothing() -> None:
    """They neither raise nor calm."""
    for value in (float("nan"), float("inf"), -float("inf")):
        assert feed(Band(**PH), [(0, value)]) == []
    state = Band(**PH).start(1)
    assert feed(Band(**PH), [(0, 2.0)], state, quality=1) == []
    assert [f.level for f in feed(Band(**PH), [(1, 5.5)], state)] == [3]
