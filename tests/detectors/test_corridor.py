"""Incidents on a corridor: one for a queue, none for a rush hour."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.corridor import Corridor
from scenarios.generators.corridor import Loss, Road
from tests.detectors.roads import CORRIDOR, CRASH, drive, layout, play

ALL, SPEED, OCCUPANCY, NO_SPEED = (0, 1, 2), (0,), (1,), (1, 2)


def corridor(
    at_m: tuple[float, ...], roles: tuple[int, ...] = ALL, lanes: int = 3, **params: float
) -> Corridor:
    """The pack's parameters, with some of them changed."""
    return Corridor(**{**CORRIDOR, **params}, layout=layout(at_m, lanes, roles))


@pytest.mark.parametrize(
    "roles", [ALL, SPEED, OCCUPANCY, NO_SPEED], ids=["all", "speed", "occupancy", "no-speed"]
)
def test_a_crash_is_one_finding_at_the_head_of_its_queue(roles: tuple[int, ...]) -> None:
    """Whatever is measured, a queue of kilometres is one finding, raised within minutes and over after it."""
    seen, at_m, begin_s = drive(road=Road(losses=(CRASH,)), hours=(9, 12))
    said = play(corridor(at_m, roles), seen, roles)
    assert {s.station for s in said} == {15}
    assert [s.reason for s in said][:2] == ["corridor.incident", "corridor.queue"]
    assert 0 <= said[0].t - begin_s <= 240
    assert (said[0].level, said[1].level, said[-1].level) == (3, 2, 0)


def test_head_and_tail_are_said() -> None:
    """When the queue makes it level II, its ends are known, and its tail wanders upstream."""
    seen, at_m, _ = drive(road=Road(losses=(CRASH,)), hours=(9, 12))
    queue = next(s for s in play(corridor(at_m), seen) if s.reason == "corridor.queue")
    assert queue.numbers["head_m"] == pytest.approx(8_100, abs=1)
    assert queue.numbers["queue_m"] == queue.numbers["head_m"] - queue.numbers["tail_m"] >= 2_000
    assert 3 <= queue.numbers["wave_kmh"] <= 25


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("every_s", "spacing_m"), [(20.0, 500.0), (60.0, 300.0), (60.0, 1000.0), (300.0, 500.0)]
)
def test_a_rush_hour_raises_nothing_where_flow_is_known(seed: int, every_s: float, spacing_m: float) -> None:
    """A bottleneck goes on discharging what it can, even on the first day."""
    road = Road(bottleneck_m=9_000.0, bottleneck_left=(0.8, 0.72, 0.65)[seed - 1])
    seen, at_m, _ = drive(
        seed=seed, road=road, hours=(5.5, 10.5), day=1100.0, every_s=every_s, spacing_m=spacing_m
    )
    assert (seen.true_speed < 50).any(), "there is a queue"
    assert play(corridor(at_m), seen) == []


def test_without_flow_the_first_day_is_only_a_candidate() -> None:
    """Speeds alone do not tell a first deep rush-hour queue from a crash: below 0.7 nobody is called."""
    seen, at_m, _ = drive(
        seed=3, road=Road(bottleneck_m=9_000.0, bottleneck_left=0.65), hours=(5.5, 10.5), day=1100.0
    )
    said = play(corridor(at_m, SPEED), seen, SPEED)
    assert {s.confidence for s in said if s.reason == "corridor.incident"} == {0.6}


def test_the_queue_of_every_day_is_learned() -> None:
    """Three days of the same rush hour: from the second on speeds alone raise nothing."""
    seen, at_m, _ = drive(
        seed=3,
        road=Road(length_m=6_000.0, bottleneck_m=4_500.0, bottleneck_left=0.65),
        hours=(0, 60),
        day=1100.0,
        every_s=300.0,
    )
    said = play(corridor(at_m, SPEED), seen, SPEED, tick_s=60.0)
    assert all(s.t < 30 * 3600 for s in said), said


def test_a_crash_in_the_rush_hour_is_found_beside_the_queue() -> None:
    """Upstream of the everyday queue there is a second one, with a head of its own."""
    road = Road(
        bottleneck_m=9_000.0, losses=(Loss(at_m=4_300.0, begin_s=10_800.0, end_s=12_600.0, left=0.4),)
    )
    seen, at_m, begin_s = drive(road=road, hours=(5, 9.5), day=1100.0)
    said = play(corridor(at_m), seen)
    assert {s.station for s in said} == {7}
    assert said[0].t - begin_s <= 240


@pytest.mark.parametrize("fault", ["silent", "zero", "still"])
def test_stations_that_fail_in_a_queue_raise_nothing(fault: str) -> None:
    """Silence, zeros or a value that stands still at the head and within: the queue was there before."""
    seen, at_m, _ = drive(road=Road(bottleneck_m=9_000.0, bottleneck_left=0.8), hours=(5.5, 10.5), day=1100.0)
    head = int(np.flatnonzero(np.array(at_m) < 9_000)[-1])
    during = (seen.t_s > 2.3 * 3600) & (seen.t_s < 3.2 * 3600)
    for station in (head, head - 2, head - 5):
        for column in (seen.speed, seen.occupancy, seen.flow):
            last = column[int(during.argmax()) - 1, station].copy()
            column[during, station] = {"silent": np.nan, "zero": 0.0, "still": last}[fault]
    assert play(corridor(at_m), seen) == []


def test_a_crash_is_found_with_a_third_of_the_lanes_and_stations_missing() -> None:
    """Missing lanes weigh nothing, a missing station is passed over."""
    seen, at_m, begin_s = drive(road=Road(losses=(CRASH,)), hours=(9, 12))
    for column in (seen.speed, seen.occupancy, seen.flow):
        column[:, ::3, :] = np.nan
        column[:, 1::3, 1] = np.nan
    said = play(corridor(at_m), seen)
    assert said[0].reason == "corridor.incident"
    assert abs(at_m[said[0].station] - CRASH.at_m) < 1_500
    assert said[0].t - begin_s <= 900
    assert len({s.station for s in said}) == 1


def test_two_crashes_are_two_findings() -> None:
    """Seven kilometres apart on one carriageway."""
    second = Loss(at_m=3_300.0, begin_s=5_700.0, end_s=6_900.0, left=0.35)
    seen, at_m, _ = drive(
        road=Road(length_m=14_000.0, losses=(replace(CRASH, at_m=10_300.0), second)), hours=(9, 12)
    )
    opened = [s for s in play(corridor(at_m), seen) if s.reason == "corridor.incident"]
    assert [at_m[s.station] < second.at_m for s in sorted(opened, key=lambda s: s.station)] == [True, False]


def test_it_can_be_switched_off() -> None:
    """By an evidence that nothing reaches."""
    seen, at_m, _ = drive(road=Road(losses=(CRASH,)), hours=(9, 11.5))
    assert play(corridor(at_m, evidence=99.0), seen) == []


def test_the_gauge_shows_the_score() -> None:
    """NaN where there is no jam to judge."""
    detector = corridor((0.0, 500.0, 1000.0), SPEED, lanes=1)
    score, needed = detector.gauge(detector.start(3))
    assert np.isnan(score).all()
    assert np.isnan(needed).all()
