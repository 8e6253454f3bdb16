"""Pumps: a pump that should run and does not, or runs without effect."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

RUNNING, SUMP, DEPTH, FLOW, CURRENT = range(5)
"""Roles."""

Level = Annotated[Param, Spec(unit="cm", lo=-1_000, hi=10_000, absent=True)]
Share = Annotated[Param, Spec(unit="", lo=0, hi=1, absent=True)]
Duration = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
Severe = Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class PumpState:
    """State of n series; the last five are of pumps only.

    Attributes:
        t_ns: int64 (n,), time of the newest reading; NONE.
        value: float64 (n,), that reading.
        idle_ns: int64 (n,), since when the pump should run and does not; NONE.
        weak_ns: int64 (n,), since when it runs without effect; NONE.
        well_ns: int64 (n,), since when it is in order again while something is said; NONE.
        weak: bool (n,), whether it was said to run without effect.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
    """

    t_ns: I64
    value: F64
    idle_ns: I64
    weak_ns: I64
    well_ns: I64
    weak: NDArray[np.bool_]
    level: I8
    since_ns: I64


@dataclass(frozen=True, kw_only=True)
class Pumps:
    """Pumps of a place against the water at the place.

    Roles: ``running`` (0 or 1, of each pump), ``sump`` and ``depth`` (water in the sump and on the road, cm), ``flow``
    (m3/h) and ``current`` (A) of a pump, from its own device. At each tick a pump is *called for* while the newest
    sump level of its place is at ``start_cm`` or more, or the newest depth at ``road_start_cm`` or more.

    - *Idle*: fewer pumps run than are called for, this one is called for and does not run, for ``idle_s``.
    - *Weak*: it runs, and its flow is below ``flow_share`` of ``rated_flow``, or its current outside
      ``current_share`` … 2 - ``current_share`` of ``rated_current`` (dry, air-locked, or blocked), for ``weak_s``.

    The finding's value is the water level for idle (limit: the start level), the flow or current for weak. It is over
    when neither has been so for ``hold_s``; after weak it must first run and lift again.

    Args:
        start_cm: of this pump, in the sump, cm; NaN: not known. A standby pump has the higher one.
        road_start_cm: water on the road at which every pump must run, cm; NaN: not used.
        rated_flow: m3/h; NaN: flow is not judged.
        flow_share: least share of it.
        rated_current: A; NaN: current is not judged.
        current_share: least share of it.
        idle_s: s. Likewise ``weak_s``, ``hold_s``.
        fresh_s: a reading older than this is not known any more, s.
        idle_level: level of idle, 1 to 4. Likewise ``weak_level``.

    Blind to: pumps whose state is not reported; a pump that runs and lifts its water back into the same sump; inflow
    beyond all pumps (they run with full flow, the ladder speaks of the water).

    Source: the usual start/stop interlock of drainage pumping stations; our own proposal.

    >>> from dataclasses import replace
    >>> from yiwang.columns import Readings
    >>> both = np.zeros(2, np.int32)
    >>> layout = replace(Layout.apart(2), role=np.array([0, 1], np.int8), place=both, zone=both)
    >>> pumps = Pumps(start_cm=80.0, idle_s=60.0, weak_s=300.0, hold_s=0.0, fresh_s=600.0, idle_level=2.0,
    ...               weak_level=2.0, layout=layout)
    >>> state = pumps.start(2)
    >>> for minute, sump in enumerate([60.0, 85.0, 95.0]):
    ...     t_ns = minute * 60_000_000_000
    ...     r = Readings.of([(0, t_ns, 0.0, 0), (1, t_ns, sump, 0)])
    ...     _ = pumps.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = pumps.tick(state, t_ns)
    ...     for i, level in enumerate(found.level):
    ...         print(minute, "level", level, "value", found.value[i], "limit", found.limit[i])
    2 level 2 value 95.0 limit 80.0
    """

    name: ClassVar[str] = "pumps"
    roles: ClassVar[tuple[str, ...]] = ("running", "sump", "depth", "flow", "current")
    reasons: ClassVar[tuple[str, ...]] = (
        "pumps.idle_sump",
        "pumps.idle_road",
        "pumps.no_flow",
        "pumps.current",
        "pumps.well",
    )
    wants_late: ClassVar[bool] = False

    start_cm: Level = NAN
    road_start_cm: Level = NAN
    rated_flow: Annotated[Param, Spec(unit="m3/h", lo=0, hi=1e6, absent=True)] = NAN
    flow_share: Share = NAN
    rated_current: Annotated[Param, Spec(unit="A", lo=0, hi=1e5, absent=True)] = NAN
    current_share: Share = NAN
    idle_s: Duration
    weak_s: Duration
    hold_s: Duration
    fresh_s: Duration
    idle_level: Severe
    weak_level: Severe
    layout: Layout = ALONE

    def start(self, n: int) -> PumpState:
        """``n`` series that have said nothing."""
        return PumpState(
            t_ns=np.full(n, NONE),
            value=np.zeros(n),
            idle_ns=np.full(n, NONE),
            weak_ns=np.full(n, NONE),
            well_ns=np.full(n, NONE),
            weak=np.zeros(n, np.bool_),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
        )

    def step(self, state: PumpState, r: Round) -> FindingColumns:
        """Remember what came; says nothing."""
        used = np.flatnonzero(usable(r.value, r.quality))
        state.t_ns[r.series[used]] = r.t_ns[used]
        state.value[r.series[used]] = r.value[used]
        return NO_FINDINGS

    @cached_property
    def _pumps(self) -> I32:
        """Rows of the pumps: int32 (m,)."""
        rows: I32 = np.flatnonzero((self.layout.role == RUNNING) & self.layout.live).astype(np.int32)
        return rows

    @cached_property
    def _beside(self) -> dict[int, tuple[I64, I64]]:
        """Role to pairs (pump, row): those of its place for water, of its own device for flow and current."""
        pairs: dict[int, tuple[I64, I64]] = {}
        for role in (SUMP, DEPTH, FLOW, CURRENT):
            group = self.layout.place if role in (SUMP, DEPTH) else self.layout.device
            rows = np.flatnonzero((self.layout.role == role) & self.layout.live)
            of: dict[tuple[int, int], list[int]] = {}
            for row in rows.tolist():
                of.setdefault((int(group[row]), int(self.layout.zone[row])), []).append(row)
            found = [
                (pump, row)
                for pump, at_row in enumerate(self._pumps.tolist())
                for row in of.get((int(group[at_row]), int(self.layout.zone[at_row])), ())
            ]
            pairs[role] = (
                np.array([p for p, _ in found], np.int64),
                np.array([row for _, row in found], np.int64),
            )
        return pairs

    def _newest(self, state: PumpState, role: int, fresh: NDArray[np.bool_]) -> F64:
        """The highest known value of a role beside each pump: float64 (m,), NaN where none is known."""
        pump, row = self._beside[role]
        known = np.full(len(self._pumps), -np.inf)
        good = fresh[row]
        np.maximum.at(known, pump[good], state.value[row[good]])
        return np.where(np.isfinite(known), known, np.nan)

    def _param(self, param: Param) -> F64:
        rows = self._pumps
        return np.broadcast_to(np.asarray(param, np.float64), len(self.layout))[rows]

    def tick(self, state: PumpState, t_ns: int) -> FindingColumns:
        """One row for each pump whose level changes."""
        s = self._pumps
        if len(s) == 0:
            return NO_FINDINGS
        age = np.broadcast_to(np.asarray(self.fresh_s, np.float64), len(self.layout))
        fresh = (state.t_ns != NONE) & ((t_ns - state.t_ns) / 1e9 <= age)
        runs = state.value[s] > 0.5
        told = fresh[s]
        sump, depth = self._newest(state, SUMP, fresh), self._newest(state, DEPTH, fresh)
        flow, current = self._newest(state, FLOW, fresh), self._newest(state, CURRENT, fresh)
        start, road = self._param(self.start_cm), self._param(self.road_start_cm)
        by_road = depth >= road
        called = (sump >= start) | by_road
        _, place = np.unique(self.layout.place[s], return_inverse=True)
        wanted = np.bincount(place, weights=called & told)
        running = np.bincount(place, weights=runs & told)
        idle = told & called & ~runs & (running < wanted)[place]
        rated_flow, rated_current = self._param(self.rated_flow), self._param(self.rated_current)
        no_flow = flow < self._param(self.flow_share) * rated_flow
        share = self._param(self.current_share)
        odd_current = (current < share * rated_current) | (current > (2.0 - share) * rated_current)
        weak = told & runs & (no_flow | odd_current)

        idle_ns = np.where(idle, np.where(state.idle_ns[s] == NONE, t_ns, state.idle_ns[s]), NONE)
        weak_ns = np.where(weak, np.where(state.weak_ns[s] == NONE, t_ns, state.weak_ns[s]), NONE)
        idled = idle & ((t_ns - idle_ns) / 1e9 >= self._param(self.idle_s))
        weakened = weak & ((t_ns - weak_ns) / 1e9 >= self._param(self.weak_s))
        severe = np.where(idled, self._param(self.idle_level), np.inf)
        severe = np.minimum(severe, np.where(weakened, self._param(self.weak_level), np.inf))
        bad = np.isfinite(severe)
        old = state.level[s]
        # A pump that lifted nothing is in order again only once it has run and lifted, not while it rests.
        well = ~bad & (~state.weak[s] | (told & runs & ~weak))
        begun = np.where(state.well_ns[s] == NONE, np.where(well, t_ns, NONE), state.well_ns[s])
        well_ns = np.where(bad | (old == 0), NONE, begun)
        over = (old > 0) & (well_ns != NONE) & ((t_ns - well_ns) / 1e9 >= self._param(self.hold_s))
        worse = bad & ((old == 0) | (severe < old))
        new = np.where(over, 0, np.where(worse, np.where(bad, severe, 0), old)).astype(np.int8)
        state.idle_ns[s], state.weak_ns[s], state.well_ns[s] = (
            idle_ns,
            weak_ns,
            np.where(new == 0, NONE, well_ns),
        )
        state.weak[s] = (new > 0) & (state.weak[s] | weakened)
        c = np.flatnonzero(new != old)
        if len(c) == 0:
            return NO_FINDINGS
        rows = s[c]
        since = np.where(old[c] == 0, t_ns, state.since_ns[rows])
        state.level[rows] = new[c]
        state.since_ns[rows] = np.where(new[c] == 0, NONE, since)
        # which of the four speaks: the one whose level it is
        reason = np.where(
            new[c] == 0,
            4,
            np.where(idled[c], np.where(by_road[c], 1, 0), np.where(no_flow[c], 2, 3)),
        )
        said = np.choose(reason, [sump[c], depth[c], flow[c], current[c], state.value[rows]])
        held = [start[c], road[c], (self._param(self.flow_share) * rated_flow)[c], rated_current[c]]
        limit = np.choose(reason, [*held, np.ones(len(c))])
        return FindingColumns(
            series=rows,
            t_ns=np.full(len(rows), t_ns),
            since_ns=since,
            level=new[c],
            value=said,
            limit=limit,
            reason=reason.astype(np.uint8),
            numbers={
                "sump_cm": sump[c],
                "depth_cm": depth[c],
                "flow": flow[c],
                "current": current[c],
                "running": running[place][c].astype(np.float64),
            },
        )
