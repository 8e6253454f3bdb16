"""Words of state bits."""

import pytest

from detectors.states import States, StatesState
from tests.detectors.feeding import MINUTE, feed, round_of, said
from yiwang.columns import Quality

FIRE = {"any_ii": 2.0, "unless": 8.0, "on_s": 0.0, "hold_s": 300.0}


def test_fire_is_said_by_the_very_word() -> None:
    """GB 26875: running and fire; held against the bit that decided."""
    found = feed(States(**FIRE), [(0, 1), (1, 3), (2, 3)])
    assert [(f.t, f.level, f.since, f.value, f.limit, f.reason) for f in found] == [
        (1, 2, 1, 3, 2, "states.on")
    ]


def test_a_shielded_part_says_nothing_and_one_that_is_shielded_ends() -> None:
    """A test of the panel is no fire; whoever shields a part that alarms takes it out."""
    states = States(**{**FIRE, "hold_s": 0.0})
    assert feed(states, [(0, 8), (1, 10), (2, 8)]) == []
    assert [f.level for f in feed(states, [(0, 2), (1, 10)])] == [2, 0]


def test_it_is_over_at_a_tick_when_nothing_more_is_said() -> None:
    """Panels speak when something changes: silence after a reset is no reason to wait."""
    states = States(**FIRE)
    state = states.start(1)
    feed(states, [(0, 3), (1, 1)], state)
    assert said(states, states.tick(state, 6 * MINUTE - 1)) == []
    over = said(states, states.tick(state, 6 * MINUTE))
    assert [(f.t, f.level, f.since, f.value, f.limit, f.reason) for f in over] == [
        (6, 0, 0, 1, 2, "states.off")
    ]
    assert said(states, states.tick(state, 7 * MINUTE)) == []


def test_alarm_that_comes_back_within_the_hold_is_the_same_alarm() -> None:
    """On, off, on is one episode."""
    states = States(**FIRE)
    state = states.start(1)
    assert len(feed(states, [(0, 3), (1, 1), (2, 3), (3, 1), (4, 3)], state)) == 1
    assert said(states, states.tick(state, 60 * MINUTE)) == []


def test_most_severe_level_counts_and_steps_down_after_the_hold() -> None:
    """Missing is worse than tilted; the way back has its delay."""
    cover = States(any_ii=1.0, any_iii=14.0, on_s=0.0, hold_s=120.0)
    state = cover.start(1)
    assert [(f.level, f.limit) for f in feed(cover, [(0, 8), (1, 9), (2, 8)], state)] == [(3, 14), (2, 1)]
    stepped = said(cover, cover.tick(state, 4 * MINUTE))
    assert [(f.level, f.limit, f.reason) for f in stepped] == [(3, 1, "states.off")]


def test_all_bits_together() -> None:
    """People inside, or stopped between floors, is an ordinary ride; both are not."""
    lift = States(all_ii=6.0, on_s=60.0, hold_s=0.0)
    state = lift.start(1)
    assert feed(lift, [(0, 2), (1, 4), (2, 6)], state) == []
    assert said(lift, lift.tick(state, 3 * MINUTE - 1)) == []
    assert [(f.level, f.since) for f in said(lift, lift.tick(state, 3 * MINUTE))] == [(2, 2)]


def test_what_is_over_before_the_delay_was_nothing() -> None:
    """A lorry shakes a cover for seconds."""
    cover = States(any_iii=8.0, on_s=60.0, hold_s=60.0)
    state = cover.start(1)
    assert feed(cover, [(0, 8), (0.1, 0), (5, 8), (5.2, 0)], state) == []
    assert said(cover, cover.tick(state, 60 * MINUTE)) == []


def test_a_delay_that_readings_fill_needs_no_tick() -> None:
    """A device that repeats its word."""
    cover = States(any_iii=8.0, on_s=120.0, hold_s=60.0)
    assert [(f.t, f.since) for f in feed(cover, [(0, 8), (1, 8), (2, 8), (3, 8)])] == [(2, 0)]


def test_codes_stand_for_one_bit_each() -> None:
    """Code 3 is the bit 8; a code beyond 30 is none."""
    cover = States(any_iii=8.0, coded=1.0, on_s=0.0, hold_s=0.0)
    assert [(f.t, f.level, f.value) for f in feed(cover, [(0, 2), (1, 3), (2, 31), (3, 0)])] == [
        (1, 3, 8),
        (3, 0, 1),
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 2.5, 2.0**31])
def test_what_is_no_word_changes_nothing(value: float) -> None:
    """Nor does a doubtful one."""
    states = States(**{**FIRE, "hold_s": 0.0})
    state = states.start(1)
    assert feed(states, [(0, value)], state) == []
    assert [f.level for f in feed(states, [(1, 2)], state)] == [2]
    assert feed(states, [(2, value)], state) == []
    assert feed(states, [(3, 0)], state, Quality.SUSPECT) == []


def test_a_detector_that_cries_wolf_is_believed_less() -> None:
    """Alarms taken back within a minute: 0.8, then less each time; a day later half of it is forgotten."""
    states = States(**FIRE, sure=0.8, brief_s=120.0, habit=0.5)
    state = states.start(1)

    def alarm(minute: float) -> float:
        found = feed_one(states, state, minute)
        said(states, states.tick(state, round((minute + 10) * MINUTE)))
        return found

    trust = [alarm(0), alarm(60), alarm(120)]
    assert trust == pytest.approx([0.8, 4 / (4 + 3), 4 / (4 + 5)], abs=0.01)
    assert trust[2] < alarm(120 + 24 * 60) < trust[0]


def test_a_long_alarm_leaves_no_doubt() -> None:
    """Only what was taken back soon counts against the part."""
    states = States(**FIRE, sure=0.8, brief_s=120.0, habit=0.5)
    state = states.start(1)
    feed(states, [(0, 2), (10, 0)], state)
    states.tick(state, 20 * MINUTE)
    assert feed_one(states, state, 30) == pytest.approx(0.8)


def feed_one(states: States, state: StatesState, minute: float) -> float:
    """Confidence of an alarm of one minute."""
    found = states.step(state, round_of((0, minute, 2, 0)))
    states.step(state, round_of((0, minute + 1, 0, 0)))
    assert found.confidence is not None
    return float(found.confidence[0])
