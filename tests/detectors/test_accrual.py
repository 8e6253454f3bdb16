"""Confidence of a camera's sightings that adds up."""

import math

import numpy as np
import pytest

from detectors.accrual import Accrual
from tests.detectors.feeding import MINUTE, feed, round_of, said
from yiwang.columns import Quality

FIRE = {
    "least": 0.5,
    "most": 0.88,
    "prior": 0.25,
    "confirm": 0.75,
    "fade_s": 120.0,
    "apart_s": 1.0,
    "quiet_s": 600.0,
    "level": 2.0,
}
SECOND = 1 / 60
"""In minutes, as ``feed`` takes them."""


def made(**changed: float) -> Accrual:
    return Accrual(**{**FIRE, **changed})


def looks(*confidence: float, every_s: float = 5.0) -> list[tuple[float, float]]:
    return [(i * every_s * SECOND, c) for i, c in enumerate(confidence)]


@pytest.mark.parametrize(
    ("confidence", "needed"),
    [(0.95, 2), (0.85, 2), (0.78, 2), (0.7, 3), (0.6, 7), (0.55, 20)],
)
def test_the_surer_the_camera_the_fewer_looks_it_takes(confidence: float, needed: int) -> None:
    """Two where it is confident, more where it is weak; that is all the evidence the sightings have."""
    found = feed(made(), looks(*[confidence] * 30))
    assert [round(f.t / (5 * SECOND)) + 1 for f in found] == [needed]


def test_one_very_sure_look_is_enough_where_the_pack_says_so() -> None:
    """What falls is before the camera for a second: ``most`` decides how much one look may say."""
    assert feed(made(most=0.97), looks(0.95))[0].level == 2
    assert feed(made(most=0.88), looks(0.999)) == []


def test_a_finding_says_how_sure_it_is_and_why() -> None:
    """P of both looks together, held against ``confirm``; how many looks, over how long, and the last confidence."""
    accrual = made(fade_s=1e4)
    state = accrual.start(1)
    accrual.step(state, round_of((0, 0, 0.8, 0)))
    found = accrual.step(state, round_of((0, 0.1, 0.85, 0)))
    odds = math.log(0.25 / 0.75) + math.log(0.8 / 0.2) + math.log(0.85 / 0.15)
    faded = 6 / 1e4 * (math.log(0.75 / 0.25) - math.log(0.25 / 0.75))
    assert found.value[0] == pytest.approx(1 / (1 + math.exp(faded - odds)))
    assert found.confidence is not None
    assert found.confidence[0] == found.value[0]
    assert found.limit[0] == 0.75
    assert {n: v[0] for n, v in found.numbers.items()} == {"sure": 0.85, "looks": 2.0, "window_s": 6.0}


def test_frames_of_one_look_say_what_the_surest_says() -> None:
    """Twenty-five frames a second are no more evidence than one."""
    frames = [(i * 0.04 * SECOND, 0.7) for i in range(25)]
    accrual = made()
    state = accrual.start(1)
    assert feed(accrual, frames, state) == []
    assert state.score[0] == pytest.approx(math.log(0.7 / 0.3), abs=0.02)
    assert state.looks[0] == 1
    assert feed(accrual, [(5 * SECOND, 0.7)], state) == []
    assert [f.level for f in feed(accrual, [(10 * SECOND, 0.7)], state)] == [2]


def test_evidence_fades() -> None:
    """Two confident looks two minutes apart are two strangers; half a minute apart they are one thing."""
    assert feed(made(), [(0, 0.85), (2, 0.85), (4, 0.85), (6, 0.85)]) == []
    assert [(f.t, f.since) for f in feed(made(), [(0, 0.85), (0.5, 0.85)])] == [(0.5, 0)]


def test_a_flickering_picture_is_one_episode() -> None:
    """On, off, on: as long as the pause is shorter than ``quiet_s``."""
    accrual = made(quiet_s=300.0)
    state = accrual.start(1)
    assert [f.level for f in feed(accrual, looks(0.9, 0.9), state)] == [2]
    for minute in (4, 8, 12, 16):
        assert said(accrual, accrual.tick(state, minute * MINUTE)) == []
        assert feed(accrual, [(minute + 0.5, 0.6)], state) == []
    assert [(f.level, f.since) for f in said(accrual, accrual.tick(state, 22 * MINUTE))] == [(0, 0)]


def test_after_the_end_it_must_be_believed_anew() -> None:
    """The looks of the episode before say nothing about the next."""
    accrual = made(quiet_s=60.0)
    state = accrual.start(1)
    feed(accrual, looks(0.9, 0.9), state)
    assert [f.level for f in said(accrual, accrual.tick(state, 2 * MINUTE))] == [0]
    assert feed(accrual, [(2.1, 0.9)], state) == []
    assert [f.since for f in feed(accrual, [(2.2, 0.9)], state)] == [2.1]


def test_what_is_wrong_only_when_it_stays_must_stay() -> None:
    """A car that stops for two minutes is not parked; at five minutes it is, and it is said at the next look."""
    lane = made(dwell_s=300.0, fade_s=600.0)
    every = [(0.5 * i, 0.85) for i in range(12)]
    assert [(f.t, f.since) for f in feed(lane, every)] == [(5.0, 0.0)]
    assert feed(lane, every[:5]) == []


def test_a_camera_that_cried_wolf_needs_more() -> None:
    """Five runs that came to nothing since yesterday: two confident looks no longer do, four do."""
    accrual = made(habit=1.0)
    state = accrual.start(1)
    for k in range(6):
        feed(accrual, [(10 * k, 0.8)], state)
    assert feed(accrual, [(70, 0.85), (70.1, 0.85)], state) == []
    assert [f.level for f in feed(accrual, [(70.2, 0.85), (70.3, 0.85)], state)] == [2]
    assert [f.level for f in feed(made(), [(70, 0.85), (70.1, 0.85)])] == [2]


def test_a_past_without_meaning_is_not_counted() -> None:
    """``habit`` absent: the same looks are enough the hundredth time."""
    accrual = made()
    state = accrual.start(1)
    for k in range(20):
        feed(accrual, [(10 * k, 0.8)], state)
    assert [f.level for f in feed(accrual, [(300, 0.85), (300.1, 0.85)], state)] == [2]


def test_doubt_is_forgotten_by_halves() -> None:
    """Of eight vain runs half are left after a day."""
    accrual = made(habit=1.0)
    state = accrual.start(1)
    for k in range(9):
        feed(accrual, [(10 * k, 0.8)], state)
    before = state.vain[0]
    feed(accrual, [(80 + 24 * 60, 0.8)], state)
    assert state.vain[0] == pytest.approx(before / 2 + 1, rel=0.01)


def test_what_does_not_count_says_nothing() -> None:
    """Below ``least``, no number, doubtful."""
    accrual = made()
    state = accrual.start(1)
    feed(accrual, [(0, 0.9)], state)
    assert feed(accrual, [(0.1, 0.49), (0.15, float("nan"))], state) == []
    assert feed(accrual, [(0.2, 0.99)], state, Quality.SUSPECT) == []
    assert state.looks[0] == 1


def test_gauge_shows_belief_and_what_is_needed() -> None:
    """For plots; nothing where nothing was seen."""
    accrual = Accrual(**{n: np.array([v, v]) for n, v in FIRE.items()})
    state = accrual.start(2)
    accrual.step(state, round_of((0, 0, 0.8, 0)))
    belief, needed = accrual.gauge(state)
    assert belief[0] == pytest.approx(1 / (1 + 3 * 0.25))
    assert needed[0] == 0.75
    assert np.isnan([belief[1], needed[1]]).all()
