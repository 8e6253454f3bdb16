"""Sightings by cameras."""

import numpy as np

from detectors.sightings import Sightings
from tests.detectors.feeding import MINUTE, feed, round_of, said
from yiwang.columns import Quality

CRASH = {"min_confidence": 0.6, "confirm_count": 2.0, "window_s": 60.0, "quiet_s": 600.0, "level": 2.0}


def test_confirmed_by_enough_sightings_within_the_window() -> None:
    """One is not enough, nor are two too far apart; to the end of the window counts."""
    found = feed(Sightings(**CRASH), [(0, 0.9), (1.1, 0.9), (2.1, 0.7), (2.2, 0.9)])
    assert [(f.t, f.level, f.since, f.value, f.limit, f.reason) for f in found] == [
        (2.1, 2, 1.1, 0.7, 0.6, "sightings.confirmed")
    ]


def test_sightings_below_the_confidence_do_not_count() -> None:
    """Nor do doubtful ones and those that are no number; exactly the limit does."""
    sightings = Sightings(**CRASH)
    state = sightings.start(1)
    assert feed(sightings, [(0, 0.59), (0.1, float("nan")), (0.2, 0.6)], state) == []
    assert feed(sightings, [(0.3, 0.9)], state, Quality.SUSPECT) == []
    assert [f.since for f in feed(sightings, [(0.4, 0.6)], state)] == [0.2]


def test_over_at_the_first_tick_after_the_quiet_time() -> None:
    """Each sighting that counts puts it off; readings that do not count do not."""
    sightings = Sightings(**CRASH)
    state = sightings.start(1)
    feed(sightings, [(0, 0.9), (1, 0.9), (5, 0.9), (6, 0.1)], state)
    assert said(sightings, sightings.tick(state, 15 * MINUTE - 1)) == []
    assert [
        (f.t, f.level, f.since, f.value, f.limit, f.reason)
        for f in said(sightings, sightings.tick(state, 15 * MINUTE))
    ] == [(15, 0, 0, 600, 600, "sightings.quiet")]
    assert said(sightings, sightings.tick(state, 16 * MINUTE)) == []


def test_after_the_end_it_must_be_confirmed_anew() -> None:
    """Sightings of the episode before do not count for the next."""
    sightings = Sightings(**{**CRASH, "quiet_s": 10.0})
    state = sightings.start(1)
    feed(sightings, [(0, 0.9), (0.1, 0.9)], state)
    assert len(sightings.tick(state, MINUTE // 2)) == 1
    assert feed(sightings, [(0.6, 0.9)], state) == []
    assert [f.since for f in feed(sightings, [(0.7, 0.9)], state)] == [0.6]


def test_each_camera_has_its_own_parameters() -> None:
    """A count of 8, the most that is remembered, and of 1 beside it; more than 8 is taken as 8."""
    sightings = Sightings(
        min_confidence=np.array([0.5, 0.5, 0.5]),
        confirm_count=np.array([8.0, 1.0, 99.0]),
        window_s=np.full(3, 60.0),
        quiet_s=np.full(3, 60.0),
        level=np.array([1.0, 4.0, 2.0]),
    )
    state = sightings.start(3)
    levels = [
        [
            f.level
            for f in said(
                sightings, sightings.step(state, round_of(*((s, i / 10, 0.9, 0) for s in range(3))))
            )
        ]
        for i in range(8)
    ]
    assert levels == [[4], [], [], [], [], [], [], [1, 2]]


def test_a_tick_before_the_last_sighting_ends_nothing() -> None:
    """Ticks trail readings by the lateness allowed."""
    sightings = Sightings(**CRASH)
    state = sightings.start(1)
    feed(sightings, [(20, 0.9), (20.5, 0.9)], state)
    assert len(sightings.tick(state, 0)) == 0
