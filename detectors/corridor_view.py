"""What a corridor looks like at a tick: its stations in order, each with a relative speed and a flow. Of ``corridor``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE
from detectors.protocol import Layout
from yiwang.columns import F64, I32, I64

if TYPE_CHECKING:
    from detectors.corridor import CorridorState

Bool = NDArray[np.bool_]
DAY_NS = 86_400_000_000_000
DAY_BINS = 48
BIN_NS = DAY_NS // DAY_BINS
SPEED, OCCUPANCY, FLOW = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """The stations of all corridors, by zone and chainage; S of them.

    Attributes:
        lead: int64 (S,), row of the first series, where the station's state stands.
        zone: int32 (S,).
        at_m: float64 (S,).
        rows: int64 (k,), rows that stand at a station; a zone with one station is no corridor.
        of: int64 (k,), their stations.
        role: int8 (k,).
    """

    lead: I64
    zone: I32
    at_m: F64
    rows: I64
    of: I64
    role: NDArray[np.int8]


def stations_of(layout: Layout) -> Stations:
    """Group the rows of a layout. Rows without chainage, or not watched, belong to no station."""
    rows = np.flatnonzero(layout.live & np.isfinite(layout.at_m))
    zone, at_m, role = layout.zone[rows], layout.at_m[rows], layout.role[rows]
    order = np.lexsort((rows, role, at_m, zone))
    rows, zone, at_m, role = rows[order], zone[order], at_m[order], role[order]
    first = np.ones(len(rows), np.bool_)
    first[1:] = (zone[1:] != zone[:-1]) | (at_m[1:] != at_m[:-1])
    of = np.cumsum(first) - 1
    _, number, count = np.unique(zone[first], return_inverse=True, return_counts=True)
    corridor = (count >= 2)[number][of] if len(rows) else np.empty(0, np.bool_)
    rows, of, role = rows[corridor], of[corridor], role[corridor]
    first = np.ones(len(rows), np.bool_)
    first[1:] = of[1:] != of[:-1]
    lead = rows[first]
    return Stations(
        lead=lead,
        zone=layout.zone[lead],
        at_m=layout.at_m[lead],
        rows=rows,
        of=np.cumsum(first) - 1,
        role=role,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All stations now.

    Attributes:
        stations: see there.
        v: float64 (S,), speed by free speed; NaN where not known.
        known: bool (S,).
        down: int64 (S,), the next known station downstream within reach; -1: none. Likewise ``up``.
        down_m: float64 (S,), how far that is; NaN.
        flow_left: float64 (S,), flow at the next stations downstream by what it was before; NaN where not known.
        usual: float64 (S,), how usual a jam is here at this time of day.
        patience_s: float64 (S,), how long a station may say nothing.
        since_s: float64 (S,), time since the last tick.
    """

    stations: Stations
    v: F64
    known: Bool
    down: I64
    up: I64
    down_m: F64
    flow_left: F64
    usual: F64
    patience_s: F64
    since_s: F64

    def jam_of(self, jam: Bool, index: I64) -> Bool:
        """Whether the stations of ``index`` are congested; those of -1 are not."""
        return np.asarray((index >= 0) & jam[index])


def look(
    st: Stations, state: "CorridorState", t_ns: int, jam_occupancy: F64 | float, reach_m: F64 | float
) -> View:
    """The view at a tick; learns free speeds, and holds the slow means where something goes on."""
    count = len(st.lead)
    rows, of = st.rows, st.of
    gap = np.where(np.isnan(state.gap_s[rows]), 60.0, state.gap_s[rows])
    patience = np.maximum(2.5 * gap, 90.0)
    age = np.where(state.t_ns[rows] == NONE, np.inf, (t_ns - state.t_ns[rows]) / 1e9)
    fresh = age <= patience
    speed, occupancy, flow = (fresh & (st.role == role) for role in (SPEED, OCCUPANCY, FLOW))

    def mean(of_rows: Bool, value: F64) -> F64:
        use = of_rows & np.isfinite(value)
        n = np.bincount(of[use], minlength=count)
        total = np.bincount(of[use], weights=value[use], minlength=count)
        return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.nan))

    fast, slow = state.fast[rows], state.slow[rows]
    _learn_free(state, rows, speed, fast, _since(state, st, t_ns)[of])
    by_speed = mean(speed, fast / state.free[rows])
    full = mean(occupancy, fast)
    now, before = mean(flow, fast), mean(flow, slow)
    by_occupancy = _by_occupancy(state, st, now, full, jam_occupancy, _since(state, st, t_ns))
    empty = (np.nan_to_num(now, nan=0.0) <= 60.0) & (full <= 0.3 * jam_occupancy)
    fault = (by_speed < 0.6) & (full < 0.5 * jam_occupancy)  # nobody crawls over an empty loop
    v = np.where(np.isnan(by_speed), by_occupancy, by_speed)
    v = np.where(empty, 1.0, np.where(fault, np.nan, v))
    known = np.isfinite(v)
    down, up = _next_known(st, known)
    down_m = np.where(down >= 0, st.at_m[down] - st.at_m, np.nan)
    up_m = np.where(up >= 0, st.at_m - st.at_m[up], np.nan)
    down = np.where(down_m <= reach_m, down, -1)
    up = np.where(up_m <= reach_m, up, -1)
    _hold(state, st, v)
    return View(
        stations=st,
        v=v,
        known=known,
        down=down,
        up=up,
        down_m=down_m,
        flow_left=_flow_left(st, now, before, down),
        usual=_usual(state, st, t_ns),
        since_s=_since(state, st, t_ns),
        patience_s=np.maximum(
            180.0, 2.0 * np.bincount(of, weights=patience, minlength=count) / np.bincount(of, minlength=count)
        ),
    )


def remember(state: "CorridorState", view: View, t_ns: int) -> None:
    """What the next tick needs of this one, and what the next days need of this half hour."""
    st = view.stations
    lead = st.lead
    since = _since(state, st, t_ns)
    before = state.before[lead]
    weight = 1.0 - np.exp(-since / 300.0)
    state.before[lead] = np.where(
        view.known, np.where(np.isnan(before), view.v, before + weight * (view.v - before)), before
    )
    state.known_ns[lead] = np.where(view.known, t_ns, state.known_ns[lead])
    state.first_ns[lead] = np.where(state.first_ns[lead] == NONE, t_ns, state.first_ns[lead])
    slot = (t_ns - state.first_ns[lead]) // BIN_NS % DAY_BINS
    old = state.slot[lead]
    done = (slot != old) & (old >= 0) & (state.seen_s[lead] > 300.0)
    if done.any():
        row, bin_ = lead[done], old[done]
        share = state.jam_s[row] / state.seen_s[row]
        days = np.minimum(state.days[row], 4.0)
        state.usual[row, bin_] += (share - state.usual[row, bin_]) / (np.floor(days) + 2.0)
        state.days[row] += 1.0 / DAY_BINS
    changed = slot != old
    state.jam_s[lead] = np.where(changed, 0.0, state.jam_s[lead]) + np.where(
        state.jam[lead] & view.known, since, 0.0
    )
    state.seen_s[lead] = np.where(changed, 0.0, state.seen_s[lead]) + np.where(view.known, since, 0.0)
    state.slot[lead] = slot
    state.tick_ns[lead] = t_ns


def _since(state: "CorridorState", st: Stations, t_ns: int) -> F64:
    """Seconds since the last tick, at most ten minutes: float64 (S,)."""
    last = state.tick_ns[st.lead]
    return np.where(last == NONE, 0.0, np.clip((t_ns - last) / 1e9, 0.0, 600.0))


def _learn_free(state: "CorridorState", rows: I64, speed: Bool, fast: F64, since: F64) -> None:
    """Free speed of each speed series: follows the upper speeds in minutes, forgets them over days."""
    r, v, dt = rows[speed], fast[speed], since[speed]
    free = np.where(np.isnan(state.free[r]), np.maximum(v, 20.0), state.free[r])
    tau = np.where(v > free, 600.0, 2 * 86_400.0)
    state.free[r] = free + (1.0 - np.exp(-dt / tau)) * (v - free)


def _by_occupancy(
    state: "CorridorState", st: Stations, flow: F64, full: F64, jam_occupancy: F64 | float, since: F64
) -> F64:
    """Relative speed from flow and occupancy (speed is as flow by occupancy), or from occupancy alone."""
    alone = np.where(full > jam_occupancy, jam_occupancy / full, np.where(np.isnan(full), np.nan, 1.0))
    row = st.lead
    pace = flow / full
    judged = np.isfinite(pace) & (full >= 3.0)
    speedless = np.asarray(st.role[np.searchsorted(st.of, np.arange(len(row)))] != SPEED)
    learn = judged & speedless
    free = np.where(np.isnan(state.free[row]), pace, state.free[row])
    tau = np.where(pace > free, 1800.0, 2 * 86_400.0)
    state.free[row] = np.where(learn, free + (1.0 - np.exp(-since / tau)) * (pace - free), state.free[row])
    both = np.where(
        judged & speedless, np.minimum(pace / state.free[row], 1.2), np.where(full < 3.0, 1.0, np.nan)
    )
    return np.asarray(np.where(np.isfinite(both), np.where(full <= 0.5 * jam_occupancy, 1.0, both), alone))


def _next_known(st: Stations, known: Bool) -> tuple[I64, I64]:
    """Index of the next known station downstream and upstream in the same zone, -1 where none."""
    count = len(known)
    index = np.arange(count)
    ahead = np.where(known, index, count)
    down = np.full(count, -1)
    nearest = np.minimum.accumulate(ahead[::-1])[::-1]
    down[:-1] = np.where(nearest[1:] < count, nearest[1:], -1)
    behind = np.where(known, index, -1)
    up = np.full(count, -1)
    up[1:] = np.maximum.accumulate(behind)[:-1]
    down = np.where((down >= 0) & (st.zone[down] == st.zone), down, -1)
    return down, np.where((up >= 0) & (st.zone[up] == st.zone), up, -1)


def _flow_left(st: Stations, now: F64, before: F64, down: I64) -> F64:
    """Flow at the next known station and the two behind it, by what it was before: float64 (S,)."""
    total_now, total_before = np.zeros(len(now)), np.zeros(len(now))
    count = len(now)
    for ahead in range(3):
        i = np.where(down >= 0, down + ahead, count)
        inside = i < count
        i = np.where(inside, i, 0)
        use = (
            inside
            & (st.zone[i] == st.zone)
            & (st.at_m[i] - st.at_m <= 3000.0)
            & np.isfinite(now[i] + before[i])
        )
        total_now += np.where(use, now[i], 0.0)
        total_before += np.where(use, before[i], 0.0)
    return np.where(total_before >= 200.0, total_now / np.maximum(total_before, 1.0), np.nan)


def _hold(state: "CorridorState", st: Stations, v: F64) -> None:
    """Hold the slow means at a slow station and at the three downstream of it, where its discharge passes."""
    trouble = v < 0.7
    hold = trouble.copy()
    for back in (1, 2, 3):
        hold[back:] |= trouble[:-back] & (st.zone[back:] == st.zone[:-back])
    state.held[st.rows] = hold[st.of]


def _usual(state: "CorridorState", st: Stations, t_ns: int) -> F64:
    """How usual a jam is at this half hour of the day and its neighbours."""
    lead = st.lead
    first = np.where(state.first_ns[lead] == NONE, t_ns, state.first_ns[lead])
    slot = (t_ns - first) // BIN_NS % DAY_BINS
    beside = [state.usual[lead, (slot + d) % DAY_BINS] for d in (-1, 0, 1)]
    return np.asarray(np.maximum.reduce(beside))
