"""Jump: spikes, clusters and shifts are faults; floods, waves and turmoil are none."""

import numpy as np
import pytest

from detectors.jump import Jump
from tests.detectors.zoning import play, zone_of

BASE = [0.0, 0.2, 0.1, 0.3, 0.0, 0.1, 0.2, 0.1]
PARAMS = {"spike": 5.0, "shift": 20.0, "z": 12.0, "together": 2.0, "gap_s": 86_400.0, "hold_s": 600.0}


def heard(
    *columns: list[float | None], every: float = 1.0, **changes: float
) -> list[tuple[int, float, int, str]]:
    """(series, minute, level, reason) of one reading of each series every so many minutes, in one zone."""
    jump = Jump(**(PARAMS | changes), layout=zone_of(len(columns)))
    times = [every * m for m in range(len(columns[0]))]
    return [
        (s, f.t, f.level, f.reason) for s, f in play(jump, jump.start(len(columns)), times, list(columns))
    ]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_few_readings_that_leave_and_come_back_are_a_spike(width: int) -> None:
    """Named when they are back; over after the hold."""
    said = heard([*BASE, *[30.0] * width, *BASE, *BASE])
    assert said == [(0, 8.0 + width, 4, "jump.spike"), (0, 18.0, 0, "jump.over")]


def test_three_spikes_within_the_hold_are_a_cluster() -> None:
    """From IV to III within one episode."""
    said = heard([*BASE, 30.0, 0.1, 0.2, 31.0, 0.0, 0.1, 29.0, 0.2, 0.1])
    assert [f[2:] for f in said] == [(4, "jump.spike"), (3, "jump.cluster")]


def test_a_step_that_stays_is_a_shift() -> None:
    """Known after five readings."""
    assert heard([*BASE, *[40.0, 40.2, 40.1, 40.0, 40.2, 40.1]]) == [(0, 12.0, 3, "jump.shift")]


def test_a_shift_must_have_stayed_for_its_time() -> None:
    """Mud of a shower comes at once and fades: after three hours it is no shift."""
    fading: list[float | None] = [*BASE, *[300.0 * float(np.exp(-i / 8)) for i in range(30)]]
    assert heard(fading, every=15.0, settle_s=10_800.0) == []
    staying: list[float | None] = [*BASE, *[300.0 + 0.1 * (i % 3) for i in range(30)]]
    assert heard(staying, every=15.0, settle_s=10_800.0)[0][2:] == (3, "jump.shift")


@pytest.mark.parametrize(
    "flood",
    [
        [4.0, 12.0, 31.0, 44.0, 46.0, 45.0, 42.0, 38.0, 33.0, 29.0, 24.0],  # rises and falls
        [80.0, 82.0, 81.0, 80.0, 78.0, 77.0, 75.0, 74.0, 72.0, 70.0],  # is there at once and stays
        [60.0, 61.0, 30.0, 14.0, 6.0, 3.0, 1.0, 0.0, 0.0],  # short and sharp
        [200.0, 350.0, 480.0, 560.0, 600.0, 610.0, 605.0],  # outside all history
    ],
)
def test_a_flood_is_never_a_fault(flood: list[float]) -> None:
    """However fast and high: where the truth may rise, a rise that lasts is true."""
    assert heard([*BASE, *BASE, *flood], rises=1.0) == []


def test_water_that_rises_for_one_reading_was_none() -> None:
    """Water does not fall within a minute, whatever the neighbour says."""
    spiky: list[float | None] = [*BASE, 60.0, *BASE]
    said = heard(spiky, spiky, rises=1.0)
    assert {(f[0], f[3]) for f in said} == {(0, "jump.spike"), (1, "jump.spike")}


def test_where_readings_are_hours_apart_dead_water_after_a_step_is_a_shift() -> None:
    """A river that rises by a metre at once and then does not move for five hours was not the river."""
    said = heard([*BASE, *[100.0 + 0.1 * (i % 2) for i in range(8)]], every=60.0, rises=1.0)
    assert said[0][2:] == (3, "jump.shift")


def test_what_a_neighbour_sees_too_was_real() -> None:
    """The same spike at two devices is no fault of either, unless it is water."""
    spiky: list[float | None] = [*BASE, 30.0, *BASE]
    assert heard(spiky, spiky) == []
    assert [f[0] for f in heard(spiky, [*BASE, 0.2, *BASE])] == [0]


def test_a_flood_next_door_does_not_make_a_spike_true() -> None:
    """A neighbour that leaves and does not come back is no witness."""
    said = heard([*BASE, 30.0, *BASE], [*BASE, *[30.0 + 4 * i for i in range(9)]], rises=1.0)
    assert [(f[0], f[3]) for f in said] == [(0, "jump.spike")]


def test_an_incredible_step_is_doubted_until_the_next_reading() -> None:
    """Confirmed by a second reading, or gone: then the doubt was right."""
    assert [
        f[1:] for f in heard([*BASE, 60.0, 61.0, 62.0, 61.0], jump=40.0, jump_per_min=5.0, rises=1.0)
    ] == [
        (8.0, 4, "jump.doubt"),
        (9.0, 0, "jump.confirmed"),
    ]
    assert [f[1:] for f in heard([*BASE, 60.0, 0.1, 0.2], jump=40.0, jump_per_min=5.0, rises=1.0)] == [
        (8.0, 4, "jump.doubt"),
        (9.0, 0, "jump.spike"),
    ]


def test_a_doubt_that_nobody_answers_runs_out() -> None:
    """The device fell silent after it."""
    said = heard([*BASE, 60.0, *[None] * 12], jump=40.0)
    assert [f[1:] for f in said] == [(8.0, 4, "jump.doubt"), (18.0, 0, "jump.over")]


def test_doubted_spikes_are_a_cluster_too() -> None:
    """The third within the hold is III, though each doubt was withdrawn."""
    said = heard([*BASE, 60.0, 0.1, 0.2, 61.0, 0.0, 0.1, 59.0, 0.2], jump=40.0)
    assert [f[2:] for f in said][-1] == (3, "jump.cluster")


def test_the_long_tail_of_noise_is_its_habit() -> None:
    """A series in which single readings come and go is not called faulty for one a little higher."""
    rng = np.random.default_rng(3)
    value = 4.0 + rng.normal(0, 0.5, 600)
    value[50::60] += 4.0
    value[575] += 5.0
    assert heard(value.tolist(), spike=4.0) == []


def test_after_a_long_gap_everything_begins_anew() -> None:
    """What happened in a day without readings is nobody's jump."""
    jump = Jump(**PARAMS, layout=zone_of(1))
    times = [*range(8), *range(2000, 2008)]
    values: list[float | None] = [*BASE, *[90.0 + v for v in BASE]]
    assert play(jump, jump.start(1), [float(t) for t in times], [values]) == []


def test_without_a_height_nothing_is_checked() -> None:
    """Neither ``spike`` nor ``jump``."""
    assert heard([*BASE, 500.0, *BASE], spike=float("nan")) == []


def test_a_leap_to_the_other_side_begins_anew() -> None:
    """From above to far below: the shift is from the value before both."""
    said = heard([100.0 + v for v in BASE] + [180.0] + [20.0, 20.1, 20.0, 20.2, 20.1, 20.0])
    assert [f[2:] for f in said] == [(3, "jump.shift")]
