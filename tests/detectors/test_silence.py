"""Silence: a device offline, a channel dropped out, a zone in the dark."""

from detectors.silence import Silence
from tests.detectors.zoning import play, zone_of

PARAMS = {
    "period_s": 60.0,
    "missed": 5.0,
    "least_s": 0.0,
    "crowd": 3.0,
    "dark_s": 1800.0,
    "offline_level": 3.0,
    "dropout_level": 4.0,
}


def heard(
    until: list[float], minutes: int, devices: tuple[int, ...], again: float = 1e9
) -> list[tuple[int, str, int, float]]:
    """(series, reason, level, minute) where series k reports each minute until ``until[k]``, and from ``again`` on."""
    silence = Silence(**PARAMS, layout=zone_of(len(until), devices=devices))
    times = [float(m) for m in range(minutes)]
    columns: list[list[float | None]] = [
        [1.0 if m < stop or m >= again else None for m in times] for stop in until
    ]
    said = play(silence, silence.start(len(until)), times, columns)
    return [(series, f.reason, f.level, f.t) for series, f in said]


def test_one_channel_has_dropped_out_while_the_other_goes_on() -> None:
    """Only the silent one is named, after five periods."""
    assert heard([3, 99], 12, (0, 0)) == [(0, "silence.dropout", 4, 8.0)]


def test_a_device_that_is_wholly_silent_is_offline_once() -> None:
    """One finding, of its first series."""
    assert heard([3, 3, 99], 12, (0, 0, 1)) == [(0, "silence.offline", 3, 8.0)]


def test_a_device_comes_back() -> None:
    """Over with the first reading."""
    assert heard([3, 99], 15, (0, 1), again=12) == [
        (0, "silence.offline", 3, 8.0),
        (0, "silence.back", 0, 12.0),
    ]


def test_a_dark_zone_speaks_with_one_voice_and_late() -> None:
    """Three devices silent at once are one matter, after ``dark_s``."""
    assert heard([3, 3, 3], 60, (0, 1, 2)) == [(0, "silence.offline", 3, 32.0)]


def test_a_channel_that_never_spoke_is_not_missed() -> None:
    """Device kinds list what they may measure."""
    assert heard([0, 99], 30, (0, 0)) == []


def test_a_device_that_never_spoke_is_offline() -> None:
    """It is registered, so somebody expects it."""
    assert heard([0, 99], 8, (0, 1)) == [(0, "silence.offline", 3, 6.0)]


def test_an_hourly_device_of_a_metric_by_the_minute_is_not_silent() -> None:
    """Its own pace counts where it is slower than the metric's."""
    silence = Silence(**PARAMS, layout=zone_of(1))
    state = silence.start(1)
    times = [60.0 * h for h in range(10)]
    assert play(silence, state, times, [[1.0] * 10]) == []
    late = [600.0 + m for m in range(300)]
    said = play(silence, state, late, [[None] * 300])
    assert [(f.reason, 830 < f.t < 850) for _, f in said] == [("silence.offline", True)]


def test_after_a_pause_of_ours_nobody_is_called_silent() -> None:
    """Two ticks far apart: it is we who have not listened."""
    silence = Silence(**PARAMS, layout=zone_of(1))
    state = silence.start(1)
    assert play(silence, state, [0.0, 1.0, 500.0, 501.0], [[1.0, 1.0, None, None]]) == []


def test_without_a_period_nothing_is_checked() -> None:
    """What reports when it likes cannot be late."""
    silence = Silence(**(PARAMS | {"period_s": float("nan")}), layout=zone_of(1))
    times = [float(m) for m in range(100)]
    assert play(silence, silence.start(1), times, [[1.0] + [None] * 99]) == []
