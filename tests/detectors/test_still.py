"""Still: stuck values, and what may well stand still."""

import pytest

from detectors.still import Still
from tests.detectors.feeding import feed


def still(**changes: float) -> Still:
    """Ten minutes within 0.1; idle at or below 2."""
    return Still(**({"still_s": 600.0, "still_band": 0.1, "idle": 2.0, "level": 4.0} | changes))


def test_a_value_that_does_not_move_is_stuck_until_it_moves() -> None:
    """Found ten minutes after it began; the finding says since when."""
    said = feed(still(), [(m, 7.0) for m in range(15)] + [(15, 8.0)])
    assert [(f.t, f.level, f.since, f.reason) for f in said] == [
        (10.0, 4, 0.0, "still.stuck"),
        (15.0, 0, 0.0, "still.moves"),
    ]


@pytest.mark.parametrize("values", [[0.0] * 60, [2.0] * 60, [7.0 + 0.2 * (m % 2) for m in range(60)]])
def test_what_may_be_still_or_moves_is_not_stuck(values: list[float]) -> None:
    """A dry gauge reads 0 for weeks; trembling is moving."""
    assert feed(still(), list(enumerate(values))) == []


def test_without_a_time_nothing_is_checked() -> None:
    """``still_s`` absent."""
    assert feed(still(still_s=float("nan")), [(m, 7.0) for m in range(99)]) == []
