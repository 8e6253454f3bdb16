"""Surge: a crowd that is about to reach its next level, or in which people go against each other."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Quality, Round

Rung = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
Seconds = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class SurgeState:
    """State of n series, those of the crowd and those of its counter-flow.

    Attributes:
        value: float64 (n,), the last reading.
        seen_ns: int64 (n,), its time; NONE.
        smooth: float64 (n,), smoothed value.
        trend: float64 (n,), its change a second.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the newest episode; NONE.
        calm_ns: int64 (n,), since when less than ``level`` has been due; NONE.
    """

    value: F64
    seen_ns: I64
    smooth: F64
    trend: F64
    level: I8
    since_ns: I64
    calm_ns: I64


@dataclass(frozen=True, kw_only=True)
class Surge:
    """One level more than the density alone says, for a crowd that thickens fast or goes two ways.

    Let L be the most severe rung that the smoothed density m has reached. Where there is one, the level above it (I stays
    I) is due at a tick when ``m + b * lead_s`` reaches that level's rung, so that it comes within ``lead_s``, and is no
    more severe than ``trend_most``; or when the newest counter-flow at the same place is at least ``counter``. m and b are level and trend of Holt's exponential
    smoothing for irregular times: ``a = dt / (dt + smooth_s)``, ``m' = m + b dt + a (d - m - b dt)``,
    ``b' = b + a ((m' - m) / dt - b)``, which is ``b + a (d - m - b dt) / (dt + smooth_s)``. What is due is said at once, and taken back when it has not been due for
    ``hold_s``. The ladder on the density itself stands beside it; this says what density alone does not.

    Args:
        rung_i: density of level I, persons/m2; NaN: there is none. Likewise ``rung_ii``, ``rung_iii``, ``rung_iv``.
        lead_s: s, 0 to one day.
        smooth_s: time constant of level and trend, s, 0 to one day.
        trend_most: most severe level that the trend alone may give, 1 to 4. Where a queue reaches a place density
            rises fast and then stands at what the bottleneck makes it: it is the queue that grows.
        counter: share of people against the main direction, unit of the counter-flow metric; NaN: not looked at.
        stale_s: readings older than this say nothing, s, 0 to one day.
        hold_s: s, 0 to one day.

    Roles: ``main`` the density, ``counter`` the counter-flow at the same place (any device).
    The finding's value is the density in ``lead_s`` (or the counter-flow), its limit the rung (or ``counter``).

    Blind to: a dense crowd that stands still and in which pressure waves run (only speed shows them); a place watched
    by one camera of several. Ignores NaN and readings marked SUSPECT.

    Source: C. C. Holt (1957), reprinted Int. J. Forecasting 20 (2004), for irregular times D. J. Wright, Management
    Science 32 (1986); that trend and counter-flow tell danger rather than density alone: domain.md E3 after Still, and
    Helbing, Johansson, Al-Abideen, Phys. Rev. E 75 (2007) 046109.

    >>> from dataclasses import replace
    >>> from yiwang.columns import Readings
    >>> layout = replace(Layout.apart(1), role=np.zeros(1, np.int8))
    >>> surge = Surge(rung_iii=3.5, rung_iv=2.0, lead_s=180.0, smooth_s=60.0, stale_s=120.0, hold_s=60.0, layout=layout)
    >>> state = surge.start(1)
    >>> for second, density in [(0, 1.8), (30, 1.9), (60, 2.3), (90, 2.7), (120, 3.1)]:
    ...     r = Readings.of([(0, second * 1_000_000_000, density, 0)])
    ...     _ = surge.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = surge.tick(state, second * 1_000_000_000)
    ...     for level, value in zip(found.level, found.value):
    ...         print(second, density, "level", level, "expected", round(value, 1))
    120 3.1 level 3 expected 3.9
    """

    name: ClassVar[str] = "surge"
    roles: ClassVar[tuple[str, ...]] = ("main", "counter")
    reasons: ClassVar[tuple[str, ...]] = ("surge.rising", "surge.counter", "surge.eased")
    wants_late: ClassVar[bool] = False

    rung_i: Rung = NAN
    rung_ii: Rung = NAN
    rung_iii: Rung = NAN
    rung_iv: Rung = NAN
    lead_s: Seconds
    smooth_s: Seconds
    trend_most: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)] = 1.0
    counter: Annotated[Param, Spec(unit="counter", lo=0, hi=100, absent=True)] = NAN
    stale_s: Seconds
    hold_s: Seconds
    layout: Layout = ALONE

    @cached_property
    def _rungs(self) -> F64:
        rungs = (self.rung_i, self.rung_ii, self.rung_iii, self.rung_iv)
        return np.stack(np.broadcast_arrays(*(np.asarray(x, np.float64) for x in rungs)), axis=-1)

    @cached_property
    def _lowest(self) -> F64:
        return np.asarray(np.fmin.reduce(self._rungs, axis=-1))

    @cached_property
    def _main(self) -> NDArray[np.bool_]:
        main: NDArray[np.bool_] = self.layout.role == 0
        return main

    def start(self, n: int) -> SurgeState:
        """``n`` series that have said nothing."""
        return SurgeState(
            value=np.zeros(n),
            seen_ns=np.full(n, NONE),
            smooth=np.zeros(n),
            trend=np.zeros(n),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            calm_ns=np.full(n, NONE),
        )

    def step(self, state: SurgeState, r: Round) -> FindingColumns:
        """Notes values and trends; speaks on ticks only."""
        s, t, v = r.series, r.t_ns, r.value
        good = (np.abs(v) < 1e9) & ((r.quality & Quality.SUSPECT) == 0)
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        seen = state.seen_ns[s]
        dt = (t - np.where(seen == NONE, t, seen)) * 1e-9
        anew = (dt <= 0) | (dt > at(self.stale_s, s))
        b = state.trend[s]
        error = v - state.smooth[s] - b * dt
        wide = dt + at(self.smooth_s, s)
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = dt / wide
            state.smooth[s] = np.where(anew, v, v - (1 - gain) * error)
            state.trend[s] = np.where(anew, 0.0, b + gain * error / wide)
        state.value[s] = v
        state.seen_ns[s] = t
        return NO_FINDINGS

    def tick(self, state: SurgeState, t_ns: int) -> FindingColumns:
        """A row for each crowd whose level changes."""
        rungs = self._rungs
        busy = (state.level > 0) | ((state.seen_ns != NONE) & (state.smooth >= self._lowest))
        s = np.flatnonzero(self._main & busy).astype(np.int32)
        if len(s) == 0:
            return NO_FINDINGS
        due, value, limit, reason = self._due(state, s, rungs[s] if rungs.ndim == 2 else rungs, t_ns)
        level, since = state.level[s], state.since_ns[s]
        worse = (due > 0) & ((level == 0) | (due < level)) & ((level > 0) | (t_ns > since))
        less = (level > 0) & ((due == 0) | (due > level))
        calm = np.where(less, np.where(state.calm_ns[s] == NONE, t_ns, state.calm_ns[s]), NONE)
        state.calm_ns[s] = calm
        eased = less & (t_ns - np.where(less, calm, t_ns) >= np.rint(np.asarray(at(self.hold_s, s)) * 1e9))
        new = np.flatnonzero(worse | eased)
        s, eased = s[new], eased[new]
        since = np.where(level[new] == 0, t_ns, since[new])
        state.level[s] = due[new]
        state.since_ns[s] = since
        state.calm_ns[s] = NONE
        return FindingColumns(
            series=s,
            t_ns=np.maximum(t_ns, since),
            since_ns=since,
            level=due[new],
            value=value[new],
            limit=limit[new],
            reason=np.where(eased, 2, reason[new]).astype(np.uint8),
            numbers={"density": state.smooth[s], "per_minute": state.trend[s] * 60.0},
        )

    def _due(
        self, state: SurgeState, s: NDArray[np.int32], rungs: F64, t_ns: int
    ) -> tuple[I8, F64, F64, NDArray[np.int8]]:
        """For each crowd the level that is due, the number that says so, what it is held against, and the reason."""
        fresh = t_ns - state.seen_ns[s] <= np.rint(np.asarray(at(self.stale_s, s)) * 1e9)
        d = state.smooth[s]
        with np.errstate(invalid="ignore"):
            reached = d[:, None] >= np.broadcast_to(rungs, (len(s), 4))
        some = reached.any(axis=1) & fresh
        up = np.where(some, np.maximum(reached.argmax(axis=1) - 1, 0), 0)  # index of the rung above
        rung = np.broadcast_to(rungs, (len(s), 4))[np.arange(len(s)), up]
        expected = d + state.trend[s] * at(self.lead_s, s)
        rising = some & (expected >= rung) & (state.trend[s] > 0) & (up + 1 >= at(self.trend_most, s))
        against = self._against(state, t_ns)[self.layout.place[s]]
        with np.errstate(invalid="ignore"):
            mixed = some & ~rising & (against >= at(self.counter, s))
        due = np.where(rising | mixed, up + 1, 0).astype(np.int8)
        limit = np.where(mixed, at(self.counter, s), np.where(np.isnan(rung), d, rung))
        return due, np.where(mixed, against, expected), limit, mixed.astype(np.int8)

    def _against(self, state: SurgeState, t_ns: int) -> F64:
        """Largest newest counter-flow of each place, float64 (places,); 0 where there is none."""
        most = np.zeros(int(self.layout.place.max(initial=-1)) + 1)
        rows = np.flatnonzero(~self._main & self.layout.live & (state.seen_ns != NONE))
        window = np.rint(np.asarray(at(self.stale_s, rows)) * 1e9)
        rows = rows[t_ns - state.seen_ns[rows] <= window]
        np.maximum.at(most, self.layout.place[rows], state.value[rows])
        return most
