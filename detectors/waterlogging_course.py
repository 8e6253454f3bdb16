"""The course of water and rain at a site, as the ten numbers a forecast is made from. Part of ``waterlogging``.

Everything is an exponential mean over event time, exact for any spacing of ticks: a linear reservoir each, which is
also the simplest model of how rain runs off (Nash 1957: a cascade of linear reservoirs).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE
from yiwang.columns import F64, I32, I64

FEATURES = 10
SLOTS = 3
DEPTH_MIN = np.array([5.0, 15.0, 60.0])
"""Memories of the depth's means, minutes."""
RAIN_MIN = np.array([5.0, 20.0])
"""Memories of the mean rain, and of the mean rain beyond the drains, minutes."""
BREAK_MIN = 120.0
"""After a longer silence a course begins anew."""
SCALE = np.array([2.0, 4.5, 12.0, 18.0, 11.0, 13.0, 3.0, 8.0, 8.0, 8.0])
"""Root mean square of each feature over wet minutes, cm; of the first seven in FloodNet's floods 2020-2022."""


@dataclass(slots=True, kw_only=True)
class CourseState:
    """The course of n series.

    Attributes:
        t_ns: int64 (n,), time of the newest reading; NONE.
        value: float64 (n,), it: cm for depth, mm/h for rain.
        raw: float64 (n,), it as it came.
        tick_ns: int64 (n,), up to when the means go; NONE.
        depth: float64 (n, 3), means of the depth over 5, 15, 60 min.
        rain: float64 (n, 2), mean rain over 5 min, and mean over 20 min of what the drains do not take.
        peak: float64 (n,), greatest depth since it was dry.
        peak_ns: int64 (n,), when; NONE while dry.
        wet_ns: int64 (n,), since when it is wet; NONE while dry.
    """

    t_ns: I64
    value: F64
    raw: F64
    tick_ns: I64
    depth: F64
    rain: F64
    peak: F64
    peak_ns: I64
    wet_ns: I64


def start_course(n: int) -> dict[str, Any]:  # Any: each array has its own dtype
    """The fields of ``n`` series of which nothing is known."""
    return {
        "t_ns": np.full(n, NONE),
        "value": np.zeros(n),
        "raw": np.zeros(n),
        "tick_ns": np.full(n, NONE),
        "depth": np.zeros((n, len(DEPTH_MIN))),
        "rain": np.zeros((n, len(RAIN_MIN))),
        "peak": np.zeros(n),
        "peak_ns": np.full(n, NONE),
        "wet_ns": np.full(n, NONE),
    }


def advance(state: CourseState, site: I32, rain: F64, drain: F64, t_ns: int) -> None:
    """Bring the course of some sites up to ``t_ns``.

    Args:
        state: changed in place.
        site: int32 (k,), rows of depth series.
        rain: float64 (k,), mm/h now; NaN: not known, taken as none.
        drain: float64 (k,), mm/h.
        t_ns: the tick.
    """
    depth = np.clip(state.value[site], 0.0, 1e4)
    last_ns = state.tick_ns[site]
    minutes = np.where(last_ns == NONE, np.inf, (t_ns - last_ns) / 6e10)
    minutes = np.maximum(minutes, 0.0)
    anew = minutes > BREAK_MIN
    keep = np.exp(-minutes[:, None] / DEPTH_MIN)
    mean = depth[:, None] + keep * (state.depth[site] - depth[:, None])
    state.depth[site] = np.where(anew[:, None], depth[:, None], mean)
    rate = np.nan_to_num(rain, nan=0.0)
    keep = np.exp(-minutes[:, None] / RAIN_MIN)
    before = np.where(anew[:, None], 0.0, state.rain[site])
    near = rate + keep[:, 0] * (before[:, 0] - rate)
    beyond = np.maximum(0.0, near - drain)
    state.rain[site] = np.stack((near, beyond + keep[:, 1] * (before[:, 1] - beyond)), axis=1)
    wet = depth > 0
    fresh = anew | (state.wet_ns[site] == NONE)
    higher = fresh | (depth >= state.peak[site])
    state.peak[site] = np.where(wet, np.where(higher, depth, state.peak[site]), 0.0)
    state.peak_ns[site] = np.where(wet, np.where(higher, t_ns, state.peak_ns[site]), NONE)
    state.wet_ns[site] = np.where(wet, np.where(fresh, t_ns, state.wet_ns[site]), NONE)
    state.tick_ns[site] = t_ns


def features(
    state: CourseState, site: I32, drain: F64, runoff: F64, told: NDArray[np.bool_], t_ns: int
) -> F64:
    """The ten numbers of each site: float64 (k, 10), all in cm.

    Depth less its means over 5, 15, 60 min; depth; depth weighted by exp(-f / 30 min) and exp(-f / 60 min), f the time
    since it was deepest; its rise over 15 min, weighted by exp(-age / 60 min) of the flood; rain now beyond the
    drains, and the mean of it over 20 min, as depth in half an hour; what the drains could take away by then.

    Args:
        state: brought up to ``t_ns`` by ``advance``.
        site: int32 (k,), rows of depth series.
        drain: float64 (k,), mm/h.
        runoff: float64 (k,), cm for each mm.
        told: bool (k,), whether the rain is known.
        t_ns: the tick.
    """
    depth = np.clip(state.value[site], 0.0, 1e4)
    trend = depth[:, None] - state.depth[site]
    wet = depth > 0
    since_peak = np.where(wet, (t_ns - state.peak_ns[site]) / 6e10, 0.0)
    age = np.where(wet, (t_ns - state.wet_ns[site]) / 6e10, 0.0)
    near, beyond = state.rain[site].T
    half = 0.5 * runoff
    away = np.minimum(depth, np.maximum(0.0, drain - near) * half)
    return np.stack(
        (
            trend[:, 0],
            trend[:, 1],
            trend[:, 2],
            depth,
            depth * np.exp(-since_peak / 30.0),
            depth * np.exp(-since_peak / 60.0),
            np.maximum(0.0, trend[:, 1]) * np.exp(-age / 60.0),
            np.maximum(0.0, near - drain) * half,
            beyond * half,
            np.where(told, -away, 0.0),
        ),
        axis=1,
    )
