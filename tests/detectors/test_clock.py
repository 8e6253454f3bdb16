"""Clock: a run of readings with an incredible time."""

from detectors.clock import Clock
from tests.detectors.feeding import round_of, said
from yiwang.columns import Quality


def heard(marks: str) -> list[tuple[float, int, float]]:
    """(minute, level, since) of readings, x with a wrong clock."""
    clock = Clock(count=3.0, level=4.0)
    state = clock.start(1)
    found = []
    for minute, mark in enumerate(marks):
        quality = int(Quality.CLOCK) if mark == "x" else 0
        found += said(clock, clock.step(state, round_of((0, minute, 1.0, quality))))
    return [(f.t, f.level, f.since) for f in found]


def test_three_in_a_row_are_a_fault_and_three_right_ones_end_it() -> None:
    """Begins with the first of the run."""
    assert heard("..xxxx..x...") == [(4.0, 4, 2.0), (11.0, 0, 2.0)]


def test_single_slips_are_none() -> None:
    """A gateway's hiccup."""
    assert heard("x.xx.x.xx.") == []
