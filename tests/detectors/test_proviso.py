"""A value that matters only while another is within bounds."""

from dataclasses import replace

import numpy as np

from detectors.proviso import Proviso
from tests.detectors.feeding import MINUTE, round_of
from tests.detectors.roads import layout

STOPPED = {
    "below": 3.0,
    "while_lo": 1.0,
    "while_hi": 1.0,
    "fresh_s": 90.0,
    "confirm_s": 120.0,
    "hold_s": 60.0,
    "level": 3.0,
}


def drive(
    detector: Proviso, rows: list[tuple[float, float | None, float | None]]
) -> list[tuple[float, int, float]]:
    """Minutes with both values, a tick after each: (minute, level, since)."""
    state = detector.start(2)
    said = []
    for minute, *values in rows:
        heard = [(s, minute, v, 0) for s, v in enumerate(values) if v is not None]
        assert len(detector.step(state, round_of(*heard))) == 0
        found = detector.tick(state, round(minute * MINUTE))
        said += [
            (minute, int(found.level[i]), found.since_ns[i] / MINUTE)
            for i in range(len(found))
            if found.series[i] == 0
        ]
    return said


def lorry(**params: float) -> Proviso:
    """Speed and road class of one vehicle."""
    return Proviso(**{**STOPPED, **params}, layout=layout((0.0,), 1, (0, 1)))


def test_standing_in_the_depot_is_nothing() -> None:
    """Class 0 is no road."""
    assert drive(lorry(), [(t, 0.0, 0.0) for t in range(20)]) == []


def test_standing_on_the_expressway_is_found_after_the_confirmation_time() -> None:
    """And counts from the first tick at which it stood; over when it drives on for the hold time."""
    rows = [(0, 80.0, 1.0), *((t, 0.5, 1.0) for t in range(1, 6)), *((t, 60.0, 1.0) for t in range(6, 9))]
    assert drive(lorry(), rows) == [(3, 3, 1), (7, 0, 1)]


def test_a_wave_of_stop_and_go_is_shorter() -> None:
    """Each drive on begins the count anew."""
    assert drive(lorry(), [(t, 0.0 if t % 3 else 30.0, 1.0) for t in range(20)]) == []


def test_old_values_are_not_known() -> None:
    """A vehicle that fell silent while it stood is no longer said to stand."""
    rows: list[tuple[float, float | None, float | None]] = [(0, 0.0, 1.0), (1, 0.0, 1.0), (2, 0.0, 1.0)]
    silent: list[tuple[float, float | None, float | None]] = [(t, None, None) for t in range(3, 8)]
    assert drive(lorry(), rows + silent) == [(2, 3, 0), (5, 0, 0)]


def test_above_a_bound_without_an_upper_one_for_the_other() -> None:
    """Against traffic while it moves."""
    wrong = lorry(below=np.nan, above=120.0, while_lo=15.0, while_hi=np.nan, confirm_s=60.0)
    assert drive(wrong, [(0, 178.0, 40.0), (1, 179.0, 45.0)]) == [(1, 3, 0)]
    assert drive(wrong, [(0, 178.0, 4.0), (1, 179.0, 5.0)]) == []


def test_a_device_without_the_other_metric_is_not_judged() -> None:
    """There is nothing to hold it against."""
    alone = Proviso(**STOPPED, layout=layout((0.0, 1.0), 1, (0,)))
    assert drive(alone, [(t, 0.0, 1.0) for t in range(6)]) == []


def test_only_its_own_other_value_counts() -> None:
    """Two lorries in one zone are strangers."""
    both = Proviso(**STOPPED, layout=layout((0.0, 1.0), 1, (0, 1)))
    state = both.start(4)
    for minute in range(5):
        both.step(
            state,
            round_of((0, minute, 0.0, 0), (1, minute, 0.0, 0), (2, minute, 80.0, 0), (3, minute, 1.0, 0)),
        )
        assert len(both.tick(state, minute * MINUTE)) == 0


def test_what_was_said_ends_where_the_other_metric_is_no_longer_registered() -> None:
    """Nobody could say any more that it is over."""
    whole = layout((0.0,), 1, (0, 1))
    both = Proviso(**STOPPED, layout=whole)
    state = both.start(2)
    said = []
    for minute in range(6):
        if minute == 3:
            both = Proviso(**STOPPED, layout=replace(whole, live=np.array([True, False])))
        both.step(state, round_of((0, minute, 0.0, 0), *([(1, minute, 1.0, 0)] if minute < 3 else [])))
        said += [(minute, int(level)) for level in both.tick(state, minute * MINUTE).level]
    assert said == [(2, 3), (4, 0)]
