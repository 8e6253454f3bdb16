"""Flap: to and fro."""

from detectors.flap import Flap
from tests.detectors.zoning import play

FLAP = Flap(swing=0.5, turns=4.0, window_s=300.0, level=4.0)


def heard(values: list[float | None]) -> list[tuple[float, int, float, str]]:
    """(minute, level, since, reason) of one reading a minute."""
    said = play(FLAP, FLAP.start(1), [float(m) for m in range(len(values))], [values])
    return [(f.t, f.level, f.since, f.reason) for _, f in said]


def test_four_turns_within_five_minutes_flap_until_five_minutes_of_rest() -> None:
    """Begins with the first of the turns."""
    assert heard([0.0, 1.0, 0.0, 1.0, 0.0, *[0.0] * 6]) == [
        (4.0, 4, 1.0, "flap.flaps"),
        (9.0, 0, 1.0, "flap.rests"),
    ]


def test_slow_turns_and_small_ones_are_none() -> None:
    """A pump that runs half an hour; a value that trembles."""
    assert heard(([0.0] * 30 + [1.0] * 30) * 4) == []
    assert heard([0.0, 0.4] * 20) == []


def test_a_value_that_only_rises_never_turns() -> None:
    """However large its steps."""
    assert heard([float(m) for m in range(50)]) == []
