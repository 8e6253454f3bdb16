"""Pumps that should run and do not, or run without effect."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.protocol import Layout
from detectors.pumps import CURRENT, DEPTH, FLOW, RUNNING, SUMP, Pumps
from tests.detectors.feeding import MINUTE, round_of, said

# rows: pump A and its flow and current, pump B, sump, road; all at one place
ROLE = [RUNNING, FLOW, CURRENT, RUNNING, SUMP, DEPTH]
A, FLOW_A, AMPS_A, B, LEVEL, ROAD = range(6)


def station(**changes: float) -> Pumps:
    """Two pumps of one underpass; A starts at 80 cm, B at 120."""
    layout = replace(
        Layout.apart(6),
        role=np.array(ROLE, np.int8),
        device=np.array([0, 0, 0, 1, 2, 3], np.int32),
        place=np.zeros(6, np.int32),
        zone=np.zeros(6, np.int32),
    )
    params: dict[str, float] = {
        "road_start_cm": 3.0,
        "flow_share": 0.3,
        "current_share": 0.4,
        "idle_s": 180.0,
        "weak_s": 180.0,
        "hold_s": 300.0,
        "fresh_s": 300.0,
        "idle_level": 2.0,
        "weak_level": 3.0,
    }
    start = np.array([80.0, np.nan, np.nan, 120.0, np.nan, np.nan])
    rated = np.array([400.0, *[np.nan] * 5])
    return Pumps(
        start_cm=start,
        rated_flow=rated,
        rated_current=rated / 8,
        layout=layout,
        **params | changes,
    )


def play(pumps: Pumps, minutes: list[dict[int, float]]) -> list[tuple[float, int, int, str]]:
    """Each minute the rows' new readings, then a tick: (minute, row, level, reason)."""
    state, out = pumps.start(6), []
    for minute, values in enumerate(minutes):
        pumps.step(state, round_of(*((row, float(minute), v, 0) for row, v in values.items())))
        found = pumps.tick(state, minute * MINUTE)
        out += [
            (f.t, int(row), f.level, f.reason)
            for row, f in zip(found.series, said(pumps, found), strict=True)
        ]
    return out


def now(
    a: float, b: float, sump: float, *, road: float = 0.0, flow: float = 0.0, amps: float = 0.0
) -> dict[int, float]:
    """A minute's readings."""
    return {A: a, FLOW_A: flow, AMPS_A: amps, B: b, LEVEL: sump, ROAD: road}


def test_a_pump_that_stands_above_its_start_level_is_found() -> None:
    """After three minutes, by sump and start level."""
    assert play(station(), [now(0, 0, 60), *[now(0, 0, 90)] * 6]) == [(4, A, 2, "pumps.idle_sump")]


def test_the_other_pump_running_instead_is_enough() -> None:
    """Duty changes: B runs while A rests."""
    assert play(station(), [now(0, 1, 90)] * 10) == []


def test_two_are_called_for_and_one_runs() -> None:
    """Above the second start level both must run."""
    found = play(station(), [now(1, 0, 130, flow=390, amps=50)] * 6)
    assert found == [(3, B, 2, "pumps.idle_sump")]


def test_water_on_the_road_calls_for_all() -> None:
    """Where no sump level is known the road tells."""
    minutes = [{A: 0.0, B: 0.0, ROAD: 6.0}] * 6
    assert {(row, reason) for _, row, _, reason in play(station(), minutes)} == {
        (A, "pumps.idle_road"),
        (B, "pumps.idle_road"),
    }


@pytest.mark.parametrize(
    ("flow", "amps", "reason"),
    [(20.0, 50.0, "pumps.no_flow"), (390.0, 10.0, "pumps.current"), (390.0, 95.0, "pumps.current")],
)
def test_a_pump_that_runs_without_effect_is_found(flow: float, amps: float, reason: str) -> None:
    """By its flow, or by a current that is far too low or too high."""
    assert play(station(), [now(1, 0, 90, flow=flow, amps=amps)] * 6) == [(3, A, 3, reason)]


def test_it_is_in_order_again_only_once_it_lifts() -> None:
    """Resting proves nothing."""
    weak, rest, good = now(1, 0, 90, flow=5, amps=50), now(0, 0, 50), now(1, 0, 90, flow=390, amps=50)
    assert [level for *_, level, _ in play(station(), [*[weak] * 5, *[rest] * 30])] == [3]
    found = play(station(), [*[weak] * 5, *[rest] * 30, *[good] * 8])
    assert [(t, level, reason) for t, _, level, reason in found][-1] == (40, 0, "pumps.well")


def test_too_much_water_for_good_pumps_is_no_failure() -> None:
    """Both run and lift; the road floods all the same."""
    assert play(station(), [now(1, 1, 250, road=30, flow=395, amps=50)] * 20) == []


def test_old_readings_call_for_nothing() -> None:
    """The sump gauge has been silent for longer than it is believed."""
    assert (
        play(station(), [now(0, 0, 90), *[{A: 0.0, B: 0.0}] * 3, *[{A: 0.0, B: 0.0}] * 10])[1:]
        == [(10, A, 0, "pumps.well")]
        or play(station(idle_s=600.0), [now(0, 0, 90), *[{A: 0.0, B: 0.0}] * 14]) == []
    )
