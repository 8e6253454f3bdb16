"""A corridor from the cell-transmission model, played into a detector by hand."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from detectors.protocol import Detector, Layout
from scenarios.generators.corridor import (
    STEP_S,
    Loops,
    Loss,
    Measured,
    Road,
    affected,
    day_demand,
    measure,
    simulate,
)
from yiwang.columns import Round

ORIGIN_NS = 1_700_000_000_000_000_000
CORRIDOR = {
    "enter": 0.55,
    "leave": 0.7,
    "jam_occupancy": 15.0,
    "evidence": 3.0,
    "confirm_s": 60.0,
    "clear_s": 240.0,
    "reach_m": 3500.0,
    "queue_ii_m": 2000.0,
    "queue_i_m": 8000.0,
}


class Said(NamedTuple):
    """A finding of a station; t in seconds."""

    t: float
    station: int
    level: int
    reason: str
    numbers: dict[str, float]
    confidence: float


def drive(
    *,
    seed: int = 1,
    hours: tuple[float, float] = (9.0, 12.0),
    road: Road,
    day: float = 1400.0,
    peak: float = 700.0,
    spacing_m: float = 500.0,
    every_s: float = 60.0,
) -> tuple[Measured, tuple[float, ...], float]:
    """What loops see of a road; their chainages; and when the first report was changed by its incidents, s or NaN."""
    steps = int((hours[1] - hours[0]) * 3600 / STEP_S)
    t_s = hours[0] * 3600 + (np.arange(steps, dtype=np.float64) + 1) * STEP_S
    demand = day_demand(t_s, night=150.0, day=day, peaks=((8.0, 0.8, peak), (18.0, 1.0, peak)), seed=seed)
    at_m = tuple(np.arange(600.0, road.length_m - 400.0, spacing_m).tolist())
    loops = Loops(at_m=at_m, every_s=every_s)
    seen = measure(road, simulate(road, demand, seed), loops, seed + 1)
    calm = replace(road, losses=())
    changed = affected(seen, measure(calm, simulate(calm, demand, seed), loops, seed + 1), road.free_kmh).any(
        axis=1
    )
    return seen, at_m, float(seen.t_s[changed.argmax()]) if changed.any() else float("nan")


def layout(at_m: tuple[float, ...], lanes: int, roles: tuple[int, ...]) -> Layout:
    """Of stations with lanes, each with a series of every role."""
    n = len(at_m) * lanes * len(roles)
    station = np.repeat(np.arange(len(at_m)), lanes * len(roles))
    role = np.tile(np.array(roles, np.int8), len(at_m) * lanes)
    return Layout(
        role=role,
        device=np.repeat(np.arange(len(at_m) * lanes), len(roles)).astype(np.int32),
        place=station.astype(np.int32),
        zone=np.zeros(n, np.int32),
        metric=role.astype(np.int32),
        x_m=np.zeros(n),
        y_m=np.zeros(n),
        at_m=np.array(at_m)[station],
        live=np.ones(n, np.bool_),
    )


def play(
    detector: Detector[Any], seen: Measured, roles: tuple[int, ...] = (0, 1, 2), tick_s: float = 20.0
) -> list[Said]:
    """Everything a joint detector says of them."""
    columns = (seen.speed, seen.occupancy, seen.flow)
    value = np.stack([columns[role] for role in roles], axis=-1).reshape(len(seen.t_s), -1)
    n, per_station = value.shape[1], value.shape[1] // seen.speed.shape[1]
    state, said, row, t_s = detector.start(n), [], 0, tick_s
    while t_s <= seen.t_s[-1]:
        while row < len(value) and seen.t_s[row] <= t_s:
            heard = np.flatnonzero(np.isfinite(value[row])).astype(np.int32)
            t_ns = np.full(len(heard), ORIGIN_NS + round(seen.t_s[row] * 1e9))
            quality = np.zeros(len(heard), np.uint8)
            detector.step(state, Round(series=heard, t_ns=t_ns, value=value[row, heard], quality=quality))
            row += 1
        found = detector.tick(state, ORIGIN_NS + round(t_s * 1e9))
        said += [
            Said(
                t=t_s,
                station=int(found.series[i]) // per_station,
                level=int(found.level[i]),
                reason=detector.reasons[found.reason[i]],
                numbers={name: float(column[i]) for name, column in found.numbers.items()},
                confidence=float("nan") if found.confidence is None else float(found.confidence[i]),
            )
            for i in range(len(found))
        ]
        t_s += tick_s
    return said


CRASH = Loss(at_m=8_300.0, begin_s=5_400.0, end_s=8_100.0, left=0.17)
