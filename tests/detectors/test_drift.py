"""Drift: away from the neighbours, slowly; a flood at one of them is none."""

from detectors.drift import Drift
from tests.detectors.zoning import play, zone_of

PARAMS = {"drift": 4.0, "window_s": 3600.0, "hold_s": 3600.0, "level": 4.0}


def heard(hours: int, *slopes: tuple[float, float, float]) -> list[tuple[int, str, float]]:
    """(series, reason, hour) of sensors with (begin h, end h, units an hour) of a ramp each."""
    drift = Drift(**PARAMS, layout=zone_of(len(slopes)))
    minutes = [10.0 * i for i in range(6 * hours)]
    columns: list[list[float | None]] = [
        [20.0 + k + rate * max(0.0, min(m / 60, end) - begin) for m in minutes]
        for k, (begin, end, rate) in enumerate(slopes)
    ]
    return [(s, f.reason, f.t / 60) for s, f in play(drift, drift.start(len(slopes)), minutes, columns)]


def test_the_one_that_creeps_away_is_named_and_no_other() -> None:
    """Two sound neighbours are not blamed for the distance to it."""
    said = heard(20, (0, 0, 0), (0, 0, 0), (5, 99, 1.0))
    assert [(s, reason) for s, reason, _ in said] == [(2, "drift.apart")]
    assert 9 < said[0][2] < 13


def test_a_step_at_one_place_is_an_event_and_no_drift() -> None:
    """Fast changes are the city's, not the sensor's."""
    assert heard(12, (0, 0, 0), (0, 0, 0), (5, 5.1, 300.0)) == []


def test_what_all_do_is_no_drift() -> None:
    """The whole zone warms up."""
    assert heard(20, (5, 99, 1.0), (5, 99, 1.0), (5, 99, 1.0)) == []


def test_one_neighbour_is_not_enough() -> None:
    """Of two that differ nobody knows which is wrong."""
    assert heard(20, (0, 0, 0), (5, 99, 1.0)) == []


def test_a_repaired_sensor_is_near_again() -> None:
    """Brought back by the crew."""
    drift = Drift(**PARAMS, layout=zone_of(4))
    minutes = [10.0 * i for i in range(6 * 30)]
    bad: list[float | None] = [20.0 + (max(0.0, m / 60 - 5) if m < 15 * 60 else 0.0) for m in minutes]
    sound: list[float | None] = [20.0] * len(minutes)
    said = play(drift, drift.start(4), minutes, [sound, sound, sound, bad])
    assert [(s, f.reason) for s, f in said] == [(3, "drift.apart"), (3, "drift.near")]


def test_a_drift_that_nobody_can_judge_any_more_is_withdrawn() -> None:
    """Its neighbours fall silent: it does not stay in doubt for ever."""
    drift = Drift(**PARAMS, layout=zone_of(3))
    minutes = [10.0 * i for i in range(6 * 40)]
    ramp: list[float | None] = [22.0 + max(0.0, m / 60 - 5) for m in minutes]
    silent: list[float | None] = [20.0 if m < 20 * 60 else None for m in minutes]
    said = [(s, f.reason) for s, f in play(drift, drift.start(3), minutes, [silent, list(silent), ramp])]
    assert said == [(2, "drift.apart"), (2, "drift.alone")]
