"""Bounds: what cannot be is said at once, and is over after a while."""

from detectors.bounds import Bounds
from tests.detectors.feeding import feed
from yiwang.columns import Quality

BOUNDS = Bounds(least=0.0, most=100.0, hold_s=120.0, level=4.0)


def test_both_sides_are_one_episode_until_it_has_been_possible_for_the_hold() -> None:
    """Low, possible for a minute, high, then possible for two."""
    said = feed(BOUNDS, [(0, 5), (1, -1), (2, 3), (3, 101), (4, 90), (5, 80), (6, 70)])
    assert [(f.t, f.level, f.since, f.limit, f.reason) for f in said] == [
        (1.0, 4, 1.0, 0.0, "bounds.low"),
        (6.0, 0, 1.0, 100.0, "bounds.back"),
    ]


def test_high_is_said_with_its_own_limit() -> None:
    """The limit is the one that was passed."""
    assert [(f.limit, f.reason) for f in feed(BOUNDS, [(0, 500)])] == [(100.0, "bounds.high")]


def test_nan_and_the_bounds_themselves_are_possible() -> None:
    """A missing value says nothing."""
    assert feed(BOUNDS, [(0, 0.0), (1, 100.0), (2, float("nan"))]) == []


def test_a_suspect_reading_counts() -> None:
    """The device itself says that something is wrong."""
    assert len(feed(BOUNDS, [(0, -5.0)], quality=int(Quality.SUSPECT))) == 1
