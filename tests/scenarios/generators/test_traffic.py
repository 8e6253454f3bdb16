"""Traffic: the cell-transmission model, the scenarios made with it, and what the whole machine makes of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scenarios import directly
from scenarios.files import load
from scenarios.generators import lone_station, sumo, traffic, vehicles
from scenarios.generators.corridor import JAM_VEH_PER_KM, STEP_S, Loops, Loss, Road, measure, simulate
from scenarios.model import Scenario
from scenarios.scoring import Score, score
from yiwang.clock import parse_iso
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput

CALM = np.full(1440, 1200.0)
"""Two hours of even demand, veh/h and lane."""


def test_free_traffic_flows_as_it_comes() -> None:
    """At free speed everywhere, and what enters leaves."""
    model = simulate(Road(), CALM, 1)
    assert (model.speed == 100).all()
    assert model.flow[-1] == pytest.approx(1200)


def test_vehicles_are_neither_made_nor_lost_in_a_jam() -> None:
    """What came in and has not gone out is on the road, and nowhere denser than bumper to bumper."""
    road = Road(losses=(Loss(at_m=11_000.0, begin_s=1_800.0, end_s=3_600.0, left=0.4),))
    model = simulate(road, CALM, 1)
    dt_h, dx_km = STEP_S / 3600, road.cell_m / 1000
    on_it = model.density[-1].sum() * dx_km
    at_first = 1200 / 100 * dx_km * model.density.shape[1]
    came = CALM.sum() * dt_h  # the queue never reaches the entrance
    assert on_it == pytest.approx(at_first + came - model.flow[:, -1].sum() * dt_h, rel=1e-6)
    assert model.density.max() <= JAM_VEH_PER_KM


def test_a_queue_grows_as_fast_as_shock_waves_do() -> None:
    """Speed of the tail = (flow arriving - flow in the queue) / (density of the two), Lighthill & Whitham 1955."""
    road = Road(drop=0.0, losses=(Loss(at_m=10_000.0, begin_s=1_800.0, end_s=7_200.0, left=0.4),))
    model = simulate(road, CALM, 1)
    tail = [model.x_m[int((model.speed[int(s / STEP_S)] < 50).argmax())] for s in (3_000, 5_400)]
    jammed = model.density[int(5_400 / STEP_S), int(9_000 / road.cell_m)]
    wave_kmh = (1200 - 0.4 * 2100) / (jammed - 12)
    assert (tail[0] - tail[1]) / 1000 / (2_400 / 3600) == pytest.approx(wave_kmh, rel=0.1)


def test_loops_are_noisy_and_sometimes_silent() -> None:
    """Means are right, single reports are not; occupancy goes with density."""
    model = simulate(Road(), CALM, 1)
    seen = measure(Road(), model, Loops(at_m=(3_000.0, 6_000.0), missing=0.05, dead_lane=0.0), 2)
    assert np.nanmean(seen.flow) == pytest.approx(1200, rel=0.05)
    assert np.nanmean(seen.speed) == pytest.approx(96, rel=0.05)
    assert 0.02 < np.isnan(seen.flow).mean() < 0.08
    assert np.nanstd(seen.flow, axis=0).mean() > 150
    assert 5 < np.nanmean(seen.occupancy) < 12


def test_levels_of_the_truth_are_those_of_the_pack() -> None:
    """Queues of 2 and 8 km."""
    entry = next(e for e in compile_rules(load_rules()).detectors if e.id == "corridor.incident")
    assert {2: entry.params["queue_ii_m"].value, 1: entry.params["queue_i_m"].value} == traffic.QUEUE_M


def test_equal_seeds_give_equal_scenarios() -> None:
    """To the last bit."""
    first, again, other = (
        traffic.breakdown(start_ns=parse_iso("2026-06-12T13:00:00+08:00"), seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.readings[0].value, again.readings[0].value)
    assert first.truth == again.truth
    assert not np.array_equal(first.readings[0].value, other.readings[0].value)


def result_of(scenario: Scenario) -> Score:
    """The scenario through the district machine."""
    incidents, _ = directly.incidents_and_orders(scenario)
    return score(scenario, incidents)


def false_traffic(scenario: Scenario, result: Score) -> list[str]:
    """Confirmed incidents of traffic that cover no truth."""
    incidents, _ = directly.incidents_and_orders(scenario)
    return [i.place for i in incidents if i.id in result.false and i.domain == "traffic"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102, 103])
@pytest.mark.parametrize(
    "make", [traffic.crash, traffic.breakdown, vehicles.key_vehicles], ids=lambda f: f.__name__
)
def test_every_incident_is_found_whatever_the_seed(make: Callable[..., Scenario], seed: int) -> None:
    """Thresholds are not tuned to the seed of the library: each found once and at its level."""
    scenario = make(start_ns=parse_iso("2026-06-12T10:00:00+08:00"), seed=seed)
    result = result_of(scenario)
    assert result.missed == result.split == len(result.merged) == 0
    assert all(v.peak == v.severity for v in result.verdicts)
    assert false_traffic(scenario, result) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102])
@pytest.mark.parametrize(
    "make", [traffic.rush_hour, traffic.road_works, traffic.outage], ids=lambda f: f.__name__
)
def test_queues_of_every_day_raise_nothing(make: Callable[..., Scenario], seed: int) -> None:
    """Rush hours, planned works, failing loops."""
    scenario = make(start_ns=parse_iso("2026-06-12T06:00:00+08:00"), seed=seed)
    incidents, _ = directly.incidents_and_orders(scenario)
    confirmed = [i for i in incidents if i.kind == "traffic_incident" and i.confirmed_ns is not None]
    assert [
        i.place for i in confirmed if not any(t.optional for t in scenario.truth if t.place == i.place)
    ] == []


def test_the_recorded_runs_of_sumo_are_met() -> None:
    """One crash, one incident; a rush hour at a lane drop, none."""
    crash, rush = load("sumo_crash"), load("sumo_rush")
    assert result_of(crash).met
    assert (len(crash.truth), len(rush.truth)) == (1, 0)
    assert result_of(rush).false == ()


def test_lone_stations_are_judged_by_their_own_days() -> None:
    """Each crash found once; at most one rush hour in ten days taken for one."""
    scenario = load("lone_stations")
    result = result_of(scenario)
    assert (result.found, result.missed, result.split) == (6, 0, 0)
    assert len(result.false) <= 1


def test_a_lone_station_has_its_rush_hour() -> None:
    """Two days as the generator makes them: queues, and no crash before day 4."""
    scenario = lone_station.lone_stations(
        start_ns=parse_iso("2026-06-08T00:00:00+08:00"), seed=1, duration_s=2 * 86_400.0
    )
    assert scenario.truth == ()
    speeds = [
        s.number for d in scenario.registries[0].devices for s in d.series if s.metric == "traffic_speed"
    ]
    values = scenario.readings[0].value[np.isin(scenario.readings[0].series, speeds)]
    assert values.min() < 50 < 85 < np.median(values)


def test_without_the_simulator_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback of an import."""
    monkeypatch.setattr(sumo, "import_module", _missing)
    with pytest.raises(BadInput, match=r"yiwang\[sim\]") as caught:
        sumo.sumo_corridor(start_ns=0, seed=1)
    assert caught.value.code == "scenario.extra"


def _missing(name: str) -> None:
    raise ImportError(name)


@pytest.mark.slow
def test_sumo_makes_a_crash_that_is_found() -> None:
    """A shorter run than the recorded one, where the simulator is installed."""
    pytest.importorskip("sumo", reason="eclipse-sumo is not installed; the recorded runs are tested instead")
    scenario = sumo.sumo_corridor(start_ns=parse_iso("2026-06-12T10:00:00+08:00"), seed=3, duration_s=4_200.0)
    assert result_of(replace(scenario, settle_s=3_600.0)).missed == 0
