"""Rain, runoff and ponding in numbers, and the sensors that look at them. Pure numpy.

Rain of a zone is a sum of storm cells, each a gamma-shaped hyetograph i(t) = p (u e^(1-u))^k, u the time since its begin by
its time to peak. What falls runs off through two equal linear reservoirs (Nash 1957) of ``lag_min`` each. The low spot
of a street holds what the drains do not take:

    d depth / dt = gain * (runoff + inflow - drains) ,   depth >= 0

with ``gain`` the centimetres that one millimetre over the catchment gives (catchment by ponding area, by 10), the
drains' capacity in mm/h over the catchment, and ``inflow`` anything else: a burst main, the tide, less what pumps lift.
It knows no backwater between streets, no soil and no time of concentration but the lag; enough for the shape of a
flood: nothing, a steep rise, a flat top, a slow fall.

Levels and times of truth come from these curves, before the sensors' noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from yiwang.columns import F64

STEP_S = 10.0
"""One step of the model, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One shower: begins, is heaviest ``peak_min`` later, fades.

    Attributes:
        begin_min: minutes after the start.
        peak_min: minutes from its begin to its peak.
        mm_h: greatest intensity.
        shape: the larger, the shorter.
    """

    begin_min: float
    peak_min: float
    mm_h: float
    shape: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pond:
    """A low spot.

    Attributes:
        gain: cm for each mm over the catchment.
        drain_mm_h: what its drains take.
        lag_min: of each of the two reservoirs.
    """

    gain: float
    drain_mm_h: float
    lag_min: float


def clock(duration_s: float) -> F64:
    """Times of the model's steps, seconds from the start: float64 (n,)."""
    return np.arange(0.0, duration_s + STEP_S, STEP_S)


def rainfall(cells: Sequence[Cell], t_s: F64) -> F64:
    """Intensity at each step: float64 (n,), mm/h."""
    total = np.zeros(len(t_s))
    for cell in cells:
        u = np.maximum((t_s / 60.0 - cell.begin_min) / cell.peak_min, 0.0)
        total += cell.mm_h * (u * np.exp(1.0 - u)) ** cell.shape
    return total


def runoff(rain_mm_h: F64, lag_min: float) -> F64:
    """The rain after two linear reservoirs: float64 (n,), mm/h."""
    keep = np.exp(-STEP_S / (60.0 * lag_min))
    flow = rain_mm_h
    for _ in range(2):
        out = np.empty(len(flow))
        now = 0.0
        for i, inflow in enumerate(flow.tolist()):
            now = inflow + keep * (now - inflow)
            out[i] = now
        flow = out
    return flow


def ponding(pond: Pond, rain_mm_h: F64, inflow_cm_min: F64 | None = None) -> F64:
    """Depth of a low spot at each step: float64 (n,), cm."""
    gain = (runoff(rain_mm_h, pond.lag_min) - pond.drain_mm_h) / 60.0 * pond.gain
    if inflow_cm_min is not None:
        gain = gain + inflow_cm_min
    depth = np.empty(len(gain))
    now = 0.0
    for i, rate in enumerate((gain * (STEP_S / 60.0)).tolist()):
        now = max(0.0, now + rate)
        depth[i] = now
    return depth


def sums(rain_mm_h: F64, hours: float) -> F64:
    """Rain of the last ``hours`` at each step: float64 (n,), mm."""
    total = np.concatenate(([0.0], np.cumsum(rain_mm_h * (STEP_S / 3600.0))))
    back = round(hours * 3600.0 / STEP_S)
    first = np.maximum(np.arange(len(rain_mm_h)) + 1 - back, 0)
    return total[1:] - total[first]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """When a curve holds which level.

    Attributes:
        severity: the most severe, 1 to 4; 0: none.
        begin: first step of the lowest level.
        end: last step of it.
        first: level to the first step at which it holds.
    """

    severity: int
    begin: int
    end: int
    first: dict[int, int]


def reached(levels: Mapping[int, F64]) -> Reach:
    """From level to a curve less its rung, held where >= 0; a severe level holds the milder ones too."""
    first: dict[int, int] = {}
    earliest = len(next(iter(levels.values())))
    for level in sorted(levels):
        held = levels[level] >= 0
        if held.any():
            earliest = min(earliest, int(held.argmax()))
        if earliest < len(held):
            first[level] = earliest
    if not first:
        return Reach(severity=0, begin=0, end=0, first={})
    at = np.flatnonzero(np.max(list(levels.values()), axis=0) >= 0)
    return Reach(severity=min(first), begin=int(at[0]), end=int(at[-1]), first=first)


def episodes(depth: F64, rungs: Mapping[int, float], apart_s: float) -> list[Reach]:
    """The floods of a curve: wet times above the lowest rung, those closer than ``apart_s`` together as one."""
    lowest = min(rungs.values())
    above = np.flatnonzero(depth >= lowest)
    if len(above) == 0:
        return []
    cuts = np.flatnonzero(np.diff(above) * STEP_S > apart_s)
    spans = zip(
        above[np.concatenate(([0], cuts + 1))], above[np.concatenate((cuts, [len(above) - 1]))], strict=True
    )
    found = []
    for a, b in spans:
        part = reached({level: depth[a : b + 1] - rung for level, rung in rungs.items()})
        found.append(
            replace(
                part,
                begin=part.begin + int(a),
                end=part.end + int(a),
                first={level: t + int(a) for level, t in part.first.items()},
            )
        )
    return found


def clear_of(curve: F64, rungs: Sequence[float], margin: float) -> bool:
    """Whether the curve's greatest value is further than ``margin`` from every rung: its level is no matter of luck."""
    return all(abs(float(curve.max()) - rung) > margin for rung in rungs)


def sampled(curve: F64, t_s: F64) -> F64:
    """The curve at some moments, seconds from the start: float64 (k,)."""
    return np.interp(t_s, np.arange(len(curve)) * STEP_S, curve)


def rounded(value: F64, digits: int) -> F64:
    """As a sensor with so many digits says it: float64 (n,)."""
    return np.asarray(np.round(value, digits), np.float64)


def gauge(
    depth_cm: F64,
    rng: np.random.Generator,
    *,
    noise_cm: float = 0.2,
    resolution_cm: float = 0.1,
    offset_cm: float = 0.0,
) -> F64:
    """What a depth sensor makes of true depths: zero error, noise, resolution; never below 0 by more than its zero."""
    seen = depth_cm + rng.normal(0.0, noise_cm, len(depth_cm)) * (depth_cm > 0) + offset_cm
    quantised: F64 = np.round(np.maximum(seen, min(offset_cm, 0.0)) / resolution_cm) * resolution_cm
    return quantised


def splashes(value: F64, rng: np.random.Generator, *, share: float, least_cm: float, most_cm: float) -> F64:
    """Now and then a reading by itself is too high: a wave, a car under the beam. Never two in a row."""
    hit = rng.random(len(value)) < share
    hit[1:] &= ~hit[:-1]
    height = rng.uniform(least_cm, most_cm, len(value))
    return value + np.where(hit, height, 0.0)
