"""Alarms of several devices near each other."""

from dataclasses import replace

import numpy as np

from detectors.protocol import Layout
from detectors.together import Together
from tests.detectors.feeding import MINUTE, round_of, said
from yiwang.columns import Quality

FIRE = {
    "bits": 2.0,
    "unless": 8.0,
    "count": 2.0,
    "window_s": 600.0,
    "near_m": 60.0,
    "hold_s": 300.0,
    "level": 1.0,
}


def made(
    x_m: list[float], *, zone: list[int] | None = None, device: list[int] | None = None, **changed: float
) -> Together:
    layout = replace(
        Layout.apart(len(x_m)),
        x_m=np.array(x_m),
        zone=np.array(zone or [0] * len(x_m), np.int32),
        device=np.array(device or range(len(x_m)), np.int32),
    )
    return Together(**{**FIRE, **changed}, layout=layout)


def play(together: Together, *events: tuple[int, float, float]) -> list[tuple[float, int, int, float]]:
    """(minute, series, level, value) of events (series, minute, word), each followed by a tick."""
    state = together.start(len(together.layout))
    told = []
    for series, minute, word in events:
        together.step(state, round_of((series, minute, word, 0)))
        found = together.tick(state, round(minute * MINUTE))
        told += [
            (f.t, int(s), f.level, f.value) for f, s in zip(said(together, found), found.series, strict=True)
        ]
    return told


def test_two_side_by_side_are_more_than_two() -> None:
    """Both are said, when the second comes."""
    assert play(made([0, 50]), (0, 0, 3), (1, 5, 3)) == [(5, 0, 1, 2), (5, 1, 1, 2)]


def test_far_apart_or_late_or_in_another_zone_they_are_strangers() -> None:
    """Each of the three conditions by itself."""
    assert play(made([0, 61]), (0, 0, 3), (1, 5, 3)) == []
    assert play(made([0, 50]), (0, 0, 3), (1, 10.1, 3)) == []
    assert play(made([0, 50], zone=[0, 1]), (0, 0, 3), (1, 5, 3)) == []


def test_where_nothing_ever_was_nothing_is_said() -> None:
    """A tick before any word."""
    together = made([0, 50])
    state = together.start(2)
    assert together.rests(state)
    assert len(together.tick(state, MINUTE)) == 0
    together.step(state, round_of((0, 2, 3, 0)))
    assert not together.rests(state)


def test_one_device_with_two_series_is_one() -> None:
    """Independent means another device."""
    assert play(made([0, 0], device=[4, 4]), (0, 0, 3), (1, 1, 3)) == []
    third = play(made([0, 0, 10], device=[4, 4, 5]), (0, 0, 3), (1, 1, 3), (2, 2, 3))
    assert third == [(2, 0, 1, 2), (2, 1, 1, 2), (2, 2, 1, 2)]


def test_a_shielded_one_does_not_count() -> None:
    """Nor a word that is none, nor a doubtful one."""
    together = made([0, 10])
    assert play(together, (0, 0, 3), (1, 1, 11), (1, 2, 2.5), (1, 3, -2)) == []
    state = together.start(2)
    together.step(state, round_of((0, 0, 3, 0), (1, 1, 3, int(Quality.SUSPECT))))
    assert len(together.tick(state, MINUTE)) == 0


def test_count_may_be_larger() -> None:
    """Three asked for: the third brings all."""
    together = made([0, 10, 20], count=3.0)
    assert [s for _, s, *_ in play(together, (0, 0, 3), (1, 1, 3), (2, 2, 3))] == [0, 1, 2]


def test_each_is_over_when_it_has_been_off_for_the_hold() -> None:
    """Its own reset, five minutes ago; a bit that comes back meanwhile goes on."""
    together = made([0, 10])
    state = together.start(2)
    for series, minute, word in [(0, 0, 3), (1, 1, 3)]:
        together.step(state, round_of((series, minute, word, 0)))
    assert len(together.tick(state, MINUTE)) == 2
    for series, minute, word in [(0, 2, 1), (1, 2, 1), (1, 4, 3)]:
        together.step(state, round_of((series, minute, word, 0)))
    assert len(together.tick(state, 7 * MINUTE - 1)) == 0
    over = said(together, together.tick(state, 7 * MINUTE))
    assert [(f.level, f.since, f.value, f.limit, f.reason) for f in over] == [
        (0, 0, 300, 300, "together.off")
    ]
    assert state.level.tolist() == [0, 1]


def test_a_short_alarm_still_counts_within_the_window() -> None:
    """The first was reset before the second came: that is one cause none the less."""
    assert [s for _, s, *_ in play(made([0, 10]), (0, 0, 3), (0, 1, 1), (1, 5, 3))] == [0, 1]


def test_an_alarm_long_past_is_forgotten() -> None:
    """And its row is free for the next."""
    together = made([0, 10])
    assert play(together, (0, 0, 3), (0, 1, 1), (1, 20, 3)) == []
    assert play(together, (0, 0, 3), (0, 1, 1), (1, 20, 3), (0, 22, 3)) == [(22, 0, 1, 2), (22, 1, 1, 2)]
