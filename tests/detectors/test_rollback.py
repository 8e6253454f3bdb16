"""Rollback: counters that run backwards."""

from detectors.rollback import Rollback
from tests.detectors.zoning import play

ROLLBACK = Rollback(back=0.5, hold_s=300.0, level=4.0)


def heard(values: list[float | None]) -> list[tuple[float, int, float, str]]:
    """(minute, level, since, reason) of one reading a minute."""
    said = play(ROLLBACK, ROLLBACK.start(1), [float(m) for m in range(len(values))], [values])
    return [(f.t, f.level, f.since, f.reason) for _, f in said]


def test_resets_within_the_hold_are_one_episode() -> None:
    """Over five minutes after the last."""
    assert heard([10.0, 11.0, 0.0, 5.0, 0.0, *[1.0] * 8]) == [
        (2.0, 4, 2.0, "rollback.reset"),
        (9.0, 0, 2.0, "rollback.runs"),
    ]


def test_rounding_is_no_reset() -> None:
    """A fall of at most ``back``."""
    assert heard([10.0, 9.5, 9.6, 9.2]) == []
