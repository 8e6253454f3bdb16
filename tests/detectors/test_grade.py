"""The congestion grade."""

from detectors.grade import Grade
from tests.detectors.feeding import feed

RING = {
    "light_kmh": 50.0,
    "moderate_kmh": 35.0,
    "heavy_kmh": 20.0,
    "light_level": 0.0,
    "moderate_level": 4.0,
    "heavy_level": 3.0,
    "hysteresis_kmh": 5.0,
    "confirm_s": 120.0,
    "hold_s": 300.0,
}


def test_one_slow_reading_grades_nothing() -> None:
    """A single slow vehicle is no jam."""
    assert feed(Grade(**RING), [(0, 70), (1, 10), (2, 70), (3, 10), (4, 70)]) == []


def test_slow_for_the_confirmation_time_grades_and_counts_from_the_first_slow_reading() -> None:
    """Said at the reading that completes it; the episode began with the first."""
    found = feed(Grade(**RING), [(0, 70), (1, 20), (2, 20), (3, 20)])
    assert [(f.t, f.level, f.since, f.limit, f.reason) for f in found] == [(3, 3, 1, 20, "grade.slow")]


def test_bounds_belong_to_the_slower_grade() -> None:
    """At most 35 km/h is moderate, just above is not (domain.md D1)."""
    assert [f.level for f in feed(Grade(**RING), [(t, 35.0) for t in range(5)])] == [4]
    assert feed(Grade(**RING), [(t, 35.1) for t in range(5)]) == []


def test_a_grade_of_level_0_says_nothing() -> None:
    """Light congestion is daily; its level is 0 and the episode starts with the moderate one."""
    found = feed(Grade(**RING), [(0, 45), (1, 45), (2, 45), (3, 45), (4, 30), (5, 30), (6, 30)])
    assert [(f.t, f.level, f.since) for f in found] == [(6, 4, 4)]


def test_free_again_only_above_bound_and_hysteresis_for_the_hold() -> None:
    """40 is not above 35 + 5; 41 for five minutes is."""
    slow = [(float(t), 30.0) for t in range(3)]
    assert [f.level for f in feed(Grade(**RING), [*slow, (3, 40), (20, 40)])] == [4]
    found = feed(Grade(**RING), [*slow, (3, 41), (7.9, 41), (8, 41)])
    assert [(f.t, f.level, f.limit, f.reason) for f in found] == [
        (2, 4, 35, "grade.slow"),
        (8, 0, 40, "grade.free"),
    ]


def test_grades_of_one_level_are_one_finding() -> None:
    """From moderate to heavy without a change of level nothing is said; the end names the grade left last."""
    same = Grade(**{**RING, "moderate_level": 3.0})
    found = feed(
        same,
        [*((t, 30) for t in range(3)), *((t, 10) for t in range(3, 6)), *((t, 60) for t in range(6, 12))],
    )
    assert [(f.t, f.level, f.since, f.limit) for f in found] == [(2, 3, 0, 35), (11, 0, 0, 25)]


def test_levels_changed_under_a_grade_begin_an_episode_now() -> None:
    """When new rules give a level to a grade that already holds, the episode starts with the next reading."""
    state = Grade(**RING).start(1)
    assert feed(Grade(**RING), [(t, 45) for t in range(5)], state) == []
    found = feed(Grade(**{**RING, "light_level": 4.0}), [(5, 45)], state)
    assert [(f.t, f.level, f.since) for f in found] == [(5, 4, 5)]


def test_a_bound_taken_away_while_slow_ends_the_grade() -> None:
    """The limit said then is a number all the same."""
    state = Grade(**RING).start(1)
    feed(Grade(**RING), [(t, 30) for t in range(3)], state)
    found = feed(Grade(**{**RING, "moderate_kmh": float("nan")}), [(3, 30)], state)
    assert [(f.level, f.limit) for f in found] == [(0, 30)]
