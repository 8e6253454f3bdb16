"""The drop: falls and rises faster than the ordinary."""

import numpy as np
import pytest

from detectors.drop import Drop
from tests.detectors.feeding import feed, round_of, said

MAIN = {
    "fall_iii": 0.04,
    "fall_ii": 0.08,
    "hysteresis": 0.02,
    "slew_per_min": 0.002,
    "confirm_s": 120.0,
    "hold_s": 300.0,
    "memory_s": 7200.0,
    "gap_s": 1800.0,
}


def test_the_days_demand_is_no_drop() -> None:
    """Pressure that goes up and down by a third over hours is followed."""
    rng = np.random.default_rng(7)
    day = [(m, 0.32 - 0.06 * np.sin(m / 230) + rng.normal(0, 0.002)) for m in range(2880)]
    assert feed(Drop(**MAIN), day) == []


def test_a_burst_is_found_when_it_has_lasted_and_keeps_its_start() -> None:
    """The fall is held against the reference, which the finding states."""
    burst = [(m, 0.30) for m in range(60)] + [(m, 0.20) for m in range(60, 100)]
    found = feed(Drop(**MAIN), burst)
    assert [(f.t, f.level, f.since, f.reason) for f in found] == [(62, 2, 60, "drop.fallen")]
    assert found[0].value == 0.20
    assert found[0].limit == pytest.approx(0.22)
    drop, state = Drop(**MAIN), Drop(**MAIN).start(1)
    columns = [drop.step(state, round_of((0, t, v, 0))) for t, v in burst]
    assert [c.numbers["usual"].tolist() for c in columns if len(c)] == [[pytest.approx(0.30)]]


def test_a_pump_change_of_a_minute_is_nothing() -> None:
    """Down by half and back before the confirmation."""
    dips = [(m, 0.15 if m % 30 == 29 else 0.30) for m in range(300)]
    assert feed(Drop(**MAIN), dips) == []


def test_the_end_is_the_return() -> None:
    """Repaired: the fall is over for the hold."""
    rows = (
        [(m, 0.30) for m in range(30)]
        + [(m, 0.24) for m in range(30, 60)]
        + [(m, 0.30) for m in range(60, 70)]
    )
    found = feed(Drop(**MAIN), rows)
    assert [(f.t, f.level, f.since, f.reason) for f in found] == [
        (32, 3, 30, "drop.fallen"),
        (65, 0, 30, "drop.over"),
    ]


def test_a_new_usual_value_is_accepted_after_the_memory() -> None:
    """A valve set for good: the reference is held for two hours, then slowly follows, and the episode ends."""
    rows = [(m, 0.30) for m in range(30)] + [(m, 0.20) for m in range(30, 300)]
    found = feed(Drop(**MAIN), rows)
    assert [f.level for f in found] == [2, 3, 0]
    assert found[-1].t == pytest.approx(30 + 120 + 40 + 5, abs=2)


def test_after_a_gap_the_reference_begins_anew() -> None:
    """Nobody knows what happened in between."""
    assert feed(Drop(**MAIN), [(0, 0.30), (1, 0.30), (32, 0.20), (40, 0.20), (50, 0.20)]) == []
    assert [f.t for f in feed(Drop(**MAIN), [(0, 0.30), (1, 0.30), (30, 0.20), (40, 0.20)])] == [40]


def test_upward_is_the_rise_of_a_flow() -> None:
    """The same, turned over."""
    flow = Drop(
        **(MAIN | {"fall_iii": 10.0, "fall_ii": 30.0, "hysteresis": 3.0, "slew_per_min": 0.5}), upward=1.0
    )
    rows = (
        [(m, 40.0) for m in range(30)]
        + [(m, 80.0) for m in range(30, 40)]
        + [(m, 40.0) for m in range(40, 50)]
    )
    found = feed(flow, rows)
    assert [(f.t, f.level, f.limit, f.reason) for f in found] == [
        (32, 2, 70.0, "drop.risen"),
        (45, 0, 67.0, "drop.calm"),
    ]
    assert feed(flow, [(m, 40.0 if m < 30 else 5.0) for m in range(60)]) == []


def test_parameters_differ_by_series() -> None:
    """Arrays, one value a series."""
    both = Drop(
        fall_ii=np.array([1.0, 1.0]),
        hysteresis=np.zeros(2),
        slew_per_min=np.full(2, 0.01),
        confirm_s=np.zeros(2),
        hold_s=np.zeros(2),
        memory_s=np.full(2, 60.0),
        gap_s=np.full(2, 600.0),
        upward=np.array([0.0, 1.0]),
    )
    state = both.start(2)
    both.step(state, round_of((0, 0, 5.0, 0), (1, 0, 5.0, 0)))
    found = both.step(state, round_of((0, 1, 3.0, 0), (1, 1, 3.0, 0)))
    assert found.series.tolist() == [0]
    assert [f.reason for f in said(both, found)] == ["drop.fallen"]


def test_nan_and_suspect_readings_move_nothing() -> None:
    """Neither the reference nor a level."""
    drop = Drop(**MAIN)
    state = drop.start(1)
    feed(drop, [(m, 0.30) for m in range(10)], state)
    assert feed(drop, [(10, float("nan")), (11, float("inf"))], state) == []
    assert feed(drop, [(12, 0.0), (20, 0.0)], state, quality=1) == []
    assert feed(drop, [(21, 0.30)], state) == []
