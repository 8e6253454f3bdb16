"""Pumps of underpasses in rain: one pair trips, one runs without lifting, one is overwhelmed, one simply works.

An underpass is a sump under a sag of the road. Water comes in as ``hydrology`` has it; each pump starts at its level,
lifts at its rate and stops at ``STOP_CM``; the duty pump changes with every run. What the sump cannot hold stands on
the road.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.generators import hydrology
from scenarios.generators.floods import CLOSURE_CM, Town, storm
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.registry import Text

START_CM, STOP_CM, FULL_CM = (80.0, 120.0), 40.0, 250.0
ROAD_PER_SUMP = 12.0
"""The ponding area is so many times the sump's."""
RATED_FLOW, RATED_A = 400.0, 58.0
PUMP_S = 30.0
"""Pumps report so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What happened at an underpass; all arrays one row a step of the model.

    Attributes:
        sump_cm: float64 (n,).
        road_cm: float64 (n,).
        runs: bool (n, 2), as the pumps report it.
        lifts: bool (n, 2), whether they really lift.
        called: int64 (n,), pumps that should run.
    """

    sump_cm: F64
    road_cm: F64
    runs: NDArray[np.bool_]
    lifts: NDArray[np.bool_]
    called: NDArray[np.int64]


def station(inflow_cm_min: F64, lift_cm_min: float, *, trip: int = -1, airlock: int = -1) -> Station:
    """Run the pumps.

    Args:
        inflow_cm_min: float64 (n,), into the sump, as sump level.
        lift_cm_min: what one pump lifts.
        trip: step from which no pump runs any more; -1: never.
        airlock: step from which the first pump runs without lifting; -1: never.
    """
    n = len(inflow_cm_min)
    level, duty = 20.0, 0
    on = [False, False]
    levels, road = np.empty(n), np.empty(n)
    runs, lifts = np.zeros((n, 2), np.bool_), np.zeros((n, 2), np.bool_)
    called = np.zeros(n, np.int64)
    minutes = hydrology.STEP_S / 60.0
    for i in range(n):  # each step needs the one before it
        wanted = sum(level >= start for start in START_CM)
        if level <= STOP_CM and any(on):
            on = [False, False]
            duty = 1 - duty
        while sum(on) < wanted:
            on[duty if not on[duty] else 1 - duty] = True
        if 0 <= trip <= i:
            on = [False, False]
        good = [on[0] and not 0 <= airlock <= i, on[1]]
        level = max(0.0, level + (float(inflow_cm_min[i]) - sum(good) * lift_cm_min) * minutes)
        levels[i], road[i] = min(level, FULL_CM), max(0.0, level - FULL_CM) / ROAD_PER_SUMP
        runs[i], lifts[i], called[i] = on, good, wanted
    return Station(sump_cm=levels, road_cm=road, runs=runs, lifts=lifts, called=called)


def pump_failure(*, start_ns: int, seed: int, duration_s: float) -> Scenario:
    """Four underpasses with two pumps each in one long rain."""
    town = Town("pump_failure", Text("泵站故障", "Pump failure"), start_ns, seed, duration_s)
    rng = town.rng
    rain = town.rain("CA-1", storm(rng, 42.0, 15.0, 5))
    flow = hydrology.runoff(rain, 4.0)
    peak = int(flow.argmax())
    for k, what in enumerate(("trips", "airlock", "overwhelmed", "works"), 1):
        for _ in range(200):
            share = float(rng.uniform(1.2, 2.8)) if what == "overwhelmed" else 0.75
            lift = float(rng.uniform(6.0, 9.0))
            inflow = flow * (2 if what == "overwhelmed" else 1) * lift * share / float(flow.max())
            at = peak + round(float(rng.uniform(-6, 4)) * 60 / hydrology.STEP_S)
            course = station(
                inflow, lift, trip=at if what == "trips" else -1, airlock=at if what == "airlock" else -1
            )
            deepest = float(course.road_cm.max())
            wanted = 8.0 < deepest < 70.0 if what in ("trips", "overwhelmed") else deepest == 0.0
            clear = hydrology.clear_of(course.road_cm, (5.0, 15.0, CLOSURE_CM, 50.0), 2.0)
            if wanted and clear:
                break
        else:
            raise ValueError(f"no underpass that {what} can be drawn")
        _register(town, k, course, what)
    return town.b.build()


def _register(town: Town, k: int, course: Station, what: str) -> None:
    b, rng, place = town.b, town.rng, f"UP-{k}"
    name = Text(f"{k} 号下穿通道泵站", f"Underpass {k} with pumps")
    town.place(place, "underpass", "CA-1", name, closure_depth_cm=CLOSURE_CM)
    town.flood(place, course.road_cm, CLOSURE_CM)
    town.level(f"WL-{k}", place, course.road_cm)
    b.device(f"SL-{k}", "sump_level_gauge", place)
    t_ns = b.times(60.0, phase_s=float(rng.uniform(0, 60)), jitter_s=1.0, missing=0.01)
    level = hydrology.sampled(course.sump_cm, (t_ns - b.start_ns) / SECOND) + rng.normal(0, 0.5, len(t_ns))
    b.readings(f"SL-{k}", "sump_level", t_ns, hydrology.rounded(level, 1))
    for p in range(2):
        device = f"PU-{k}{'AB'[p]}"
        b.device(
            device,
            "drainage_pump",
            place,
            start_cm=START_CM[p],
            rated_flow=RATED_FLOW,
            rated_current=RATED_A,
        )
        t_ns = b.times(PUMP_S, phase_s=float(rng.uniform(0, PUMP_S)), jitter_s=0.3, missing=0.005)
        step = np.minimum(
            ((t_ns - b.start_ns) / (hydrology.STEP_S * SECOND)).astype(np.int64), len(course.runs) - 1
        )
        runs, lifts = course.runs[step, p], course.lifts[step, p]
        n = len(t_ns)
        b.readings(device, "pump_running", t_ns, runs.astype(np.float64))
        dry = np.where(lifts, RATED_A, 0.5 * RATED_A)  # a pump that lifts nothing draws half its current
        amps = np.where(runs, dry * rng.normal(1.0, 0.02, n), 0.0)
        b.readings(device, "pump_current", t_ns, hydrology.rounded(amps, 1))
        lifted = np.where(lifts, RATED_FLOW * rng.normal(0.97, 0.03, n), np.where(runs, 8.0, 0.0))
        b.readings(device, "pump_flow", t_ns, hydrology.rounded(lifted, 1))
    bad = (course.runs.sum(axis=1) < course.called) | (course.runs & ~course.lifts).any(axis=1)
    if what in ("trips", "airlock") and bad.any():
        at = np.flatnonzero(bad)
        b.truth("pump_failure", place, 2, town.ns(int(at[0])), town.ns(int(at[-1])), within_s=420.0)
