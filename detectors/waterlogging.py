"""Waterlogging: how deep the water of each site will be in half an hour, how far it spreads and how long it stays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, specs
from detectors.waterlogging_course import (
    FEATURES,
    SCALE,
    SLOTS,
    CourseState,
    advance,
    features,
    start_course,
)
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

DEPTH, RAIN, BINS, TOTAL = range(4)
"""Roles."""
KEPT = FEATURES + 3
"""Numbers kept of a forecast that is still to be judged."""
COVERED = 0.8
"""Share of the forecasts whose error is at most ``error_cm``."""
NOISE_CM = 5.0
"""Error that says little: learning from a sample is damped by its square."""
CLIP_CM = 8.0
"""An error is learned from as if it were at most so large: one wave, or a wrong reading, teaches little."""

RUNOFF = 2.0
"""Centimetres for each mm of rain where nobody knows: only a scale, what it does is learned."""
TRACE_CM = 0.01
"""A mean depth of the last hour below it is none."""
LONGEST_MIN = 2_880.0
"""No duration beyond two days is stated."""

Rung = Annotated[Param, Spec(unit="cm", lo=0, hi=1_000, absent=True)]
Duration = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
Weight = Annotated[Param, Spec(unit="", lo=-10, hi=10)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class LoggingState(CourseState):
    """State of n series: the course of water and rain, see ``CourseState``; and of depth series only the following.

    Attributes:
        learned: float64 (n, 10), what the site's own past adds to the common weights.
        asked_ns: int64 (n, 3), when the forecasts that are still to be judged were made; NONE.
        asked: float64 (n, 39): for each of them its ten features, the depth then, the forecast, the share of rain.
        rival: float64 (n, 2), running mean errors of the forecasts by the depth alone, and by the rain, cm.
        error: float64 (n,), running 80 % quantile of the forecast's error by 1 cm and the change it foresaw.
        fall: float64 (n,), running mean of how fast the water falls, cm/min.
        ahead: float64 (n,), forecast depth, cm; NaN while there is none.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
        sure_ns: int64 (n,), since when a rung is forecast while nothing is said; NONE.
        calm_ns: int64 (n,), since when none is while something is said; NONE.
    """

    learned: F64
    asked_ns: I64
    asked: F64
    rival: F64
    error: F64
    fall: F64
    ahead: F64
    level: I8
    since_ns: I64
    sure_ns: I64
    calm_ns: I64


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteForecast:
    """The current forecast of m sites; all float64 (m,) but ``row``.

    Attributes:
        row: int64 (m,), row of the depth series.
        depth_cm: now. NaN where the sensor is silent; the others are then NaN too.
        ahead_cm: after the lead time.
        error_cm: 80 % of the errors at this site were not larger.
        extent_m2: water surface at the deeper of both.
        duration_min: from now until the water is gone; 0 where there is none and none comes.
    """

    row: I64
    depth_cm: F64
    ahead_cm: F64
    error_cm: F64
    extent_m2: F64
    duration_min: F64


@dataclass(frozen=True, kw_only=True)
class Waterlogging:
    """A rolling forecast of depth, extent and duration for each site with a depth sensor.

    At each tick, with x the ten features of the site's course (``waterlogging_course``: trends of the depth over 5, 15
    and 60 min, the depth itself and since when it falls, rain beyond the drains' capacity)::

        forecast = max(0, depth + (w + u) . x),   w = (1 - p) trend + p rain

    Trend and rain are weights common to all sites, the detector's parameters. The first go by the depth alone. The
    second also by the rain, and are used where a gauge tells it and ``runoff_cm_per_mm`` of the site is known: with
    a and b the running mean errors of both at the site, p = a^2 / (a^2 + b^2), at first 0.8; so water that does not
    come from the rain is soon no longer forecast from it. u is the site's own, learned from each forecast once its
    time has come, by normalised least mean squares, with the error e clipped to 8 cm::

        u <- u + S x e / (25 + x . S x),   S = (spread / scale of the feature)^2

    The error stated is q (1 cm + ``|forecast - depth|``): of what moves fast less is known. q is the running 80 % quantile
    of the errors so measured: an error above it makes it 8 % larger, one below 2 % smaller. Rain is that of the nearest gauge of the same zone that reported lately, else the
    mean of the zone's gauges that did.

    A rung that is forecast and not yet reached, with probability ``min_probability`` if errors are Laplace, for
    ``confirm_s``, is a finding of the level of the most severe such rung; the level only rises within an episode,
    which is over when no rung has been ahead for ``hold_s``. ``numbers``: ``depth_cm`` (forecast), ``now_cm``,
    ``lead_min``, ``error_cm``, ``extent_m2``, ``duration_min``; the finding's confidence is that probability.

    Args:
        rung_i: depth of level I, cm; NaN: none. Likewise the others.
        lead_s: how far ahead, s. The weights belong to one lead time.
        drain_mm_h: rain that the drains of the site take, mm/h.
        runoff_cm_per_mm: depth that one mm of rain beyond that gives, cm: catchment by ponding area, by 10; NaN: not
            known, then what rain does at the site is only learned.
        area_m2_per_cm: water surface for each cm of depth, m2.
        fall_cm_min: how fast the water falls before anything is learned of it, cm/min.
        over_cm: depth below which the water counts as gone, cm.
        spread: how far a site's weights may lie from the common ones, cm of forecast for a usual feature.
        trend_0: weight of the first feature by the depth alone; likewise the other nine.
        rain_0: weight of the first feature by the rain; likewise the other nine.
        min_probability: 0 to 1.
        confirm_s: s. Likewise ``hold_s``.
        fresh_s: a sensor silent for longer has no forecast, s.

    Blind to: rain that has not fallen yet (radar and warnings are not looked at), tides and pumps but by their traces
    in the depth; the shape of the ground beyond one number. The first flood of a site has the common weights.

    Source: normalised LMS: Nagumo and Noda 1967, Haykin, Adaptive Filter Theory; running quantile: Robbins and Monro
    1951. The four things (place, extent, depth, duration) are those of the Huangpu plan (domain.md H).

    >>> w = {f"{of}_{i}": 2.0 * (i == 1) for of in ("trend", "rain") for i in range(10)}
    >>> logging = Waterlogging(rung_iii=15.0, lead_s=1800.0, drain_mm_h=36.0, runoff_cm_per_mm=1.0,
    ...                        area_m2_per_cm=7.0, fall_cm_min=0.2, over_cm=1.0, spread=1.0, min_probability=0.6,
    ...                        confirm_s=60.0, hold_s=600.0, fresh_s=900.0, layout=Layout.apart(1), **w)
    >>> from yiwang.columns import Readings
    >>> state = logging.start(1)
    >>> for minute in range(12):
    ...     t_ns = minute * 60_000_000_000
    ...     r = Readings.of([(0, t_ns, 1.0 * minute, 0)])
    ...     _ = logging.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = logging.tick(state, t_ns)
    ...     for i, level in enumerate(found.level):
    ...         print(minute, "min: level", level, *(f"{k} {v[i]:.1f}" for k, v in found.numbers.items()))
    8 min: level 3 depth_cm 20.0 now_cm 8.0 lead_min 30.0 error_cm 13.0 extent_m2 139.9 duration_min 125.0
    """

    name: ClassVar[str] = "waterlogging"
    roles: ClassVar[tuple[str, ...]] = ("depth", "rain", "bins", "total")
    reasons: ClassVar[tuple[str, ...]] = ("waterlogging.ahead", "waterlogging.over")
    wants_late: ClassVar[bool] = False

    rung_i: Rung = NAN
    rung_ii: Rung = NAN
    rung_iii: Rung = NAN
    rung_iv: Rung = NAN
    lead_s: Annotated[Param, Spec(unit="s", lo=60, hi=21_600)]
    drain_mm_h: Annotated[Param, Spec(unit="mm/h", lo=0, hi=1_000)]
    runoff_cm_per_mm: Annotated[Param, Spec(unit="cm/mm", lo=0, hi=1_000, absent=True)]
    area_m2_per_cm: Annotated[Param, Spec(unit="m2/cm", lo=0, hi=1e6, absent=True)]
    fall_cm_min: Annotated[Param, Spec(unit="cm/min", lo=0.001, hi=100)]
    over_cm: Annotated[Param, Spec(unit="cm", lo=0, hi=100)]
    spread: Annotated[Param, Spec(unit="cm", lo=0, hi=100)]
    trend_0: Weight
    trend_1: Weight
    trend_2: Weight
    trend_3: Weight
    trend_4: Weight
    trend_5: Weight
    trend_6: Weight
    trend_7: Weight
    trend_8: Weight
    trend_9: Weight
    rain_0: Weight
    rain_1: Weight
    rain_2: Weight
    rain_3: Weight
    rain_4: Weight
    rain_5: Weight
    rain_6: Weight
    rain_7: Weight
    rain_8: Weight
    rain_9: Weight
    min_probability: Annotated[Param, Spec(unit="", lo=0, hi=1)]
    confirm_s: Duration
    hold_s: Duration
    fresh_s: Duration
    layout: Layout = ALONE

    # ---- parameters of the depth series ----

    @cached_property
    def sites(self) -> I32:
        """Rows of the depth series: int32 (m,)."""
        rows: I32 = np.flatnonzero((self.layout.role == DEPTH) & self.layout.live).astype(np.int32)
        return rows

    @cached_property
    def own(self) -> dict[str, F64]:
        """The parameters of the sites: name to float64 (m,)."""
        return {
            name: np.broadcast_to(np.asarray(getattr(self, name), np.float64), len(self.layout))[self.sites]
            for name in specs(type(self))
        }

    @cached_property
    def _lead_ns(self) -> I64:
        return np.rint(self.own["lead_s"] * 1e9).astype(np.int64)

    @cached_property
    def _rungs(self) -> F64:
        return np.stack([self.own[f"rung_{level}"] for level in ("i", "ii", "iii", "iv")], axis=-1)

    @cached_property
    def _trend(self) -> F64:
        return np.stack([self.own[f"trend_{i}"] for i in range(FEATURES)], axis=-1)

    @cached_property
    def _by_rain(self) -> F64:
        """By the rain less by the depth alone."""
        return np.stack([self.own[f"rain_{i}"] for i in range(FEATURES)], axis=-1) - self._trend

    @cached_property
    def runoff(self) -> F64:
        """Centimetres for each mm at each site, ``RUNOFF`` where it is not known."""
        given = self.own["runoff_cm_per_mm"]
        return np.where(np.isnan(given), RUNOFF, given)

    @cached_property
    def _gauges(self) -> tuple[I64, I64, I64, I64]:
        """Rain: index of each site's nearest gauge (-1: none), zone of each site, rows of the gauges, their zones."""
        layout = self.layout
        gauges = np.flatnonzero((layout.role != DEPTH) & layout.live)
        nearest = np.full(len(self.sites), -1)
        of: dict[int, list[int]] = {}
        for i, row in enumerate(gauges.tolist()):
            of.setdefault(int(layout.zone[row]), []).append(i)
        for i, site in enumerate(self.sites.tolist()):
            near = np.array(of.get(int(layout.zone[site]), ()), np.int64)
            if len(near):
                rows = gauges[near]
                far = np.hypot(layout.x_m[rows] - layout.x_m[site], layout.y_m[rows] - layout.y_m[site])
                nearest[i] = near[np.where(np.isfinite(far), far, np.inf).argmin()]
        zone = layout.zone.astype(np.int64)
        return nearest, zone[self.sites], gauges, zone[gauges]

    @cached_property
    def _fresh(self) -> F64:
        return np.broadcast_to(np.asarray(self.fresh_s, np.float64), len(self.layout))

    # ---- the protocol ----

    def start(self, n: int) -> LoggingState:
        """``n`` series of which nothing is known."""
        return LoggingState(
            **start_course(n),
            learned=np.zeros((n, FEATURES)),
            asked_ns=np.full((n, SLOTS), NONE),
            asked=np.zeros((n, SLOTS * KEPT)),
            rival=np.tile([2.0, 1.0], (n, 1)),
            error=np.ones(n),
            fall=np.full(n, np.nan),
            ahead=np.full(n, np.nan),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            sure_ns=np.full(n, NONE),
            calm_ns=np.full(n, NONE),
        )

    def step(self, state: LoggingState, r: Round) -> FindingColumns:
        """Remember depths, and rain as a rate; says nothing."""
        used = np.flatnonzero(usable(r.value, r.quality))
        s, t, v = r.series[used], r.t_ns[used], r.value[used]
        role = self.layout.role[s]
        if (role == TOTAL).any() or (role == BINS).any():
            hours = np.where(state.t_ns[s] == NONE, np.inf, (t - state.t_ns[s]) / 3.6e12)
            rise = np.where(
                v >= state.raw[s], v - state.raw[s], v
            )  # a counter below its last value was reset
            state.value[s] = np.where(
                role == BINS, v * 12.0, np.where(role == TOTAL, rise / np.maximum(hours, 1 / 3600), v)
            )
        else:
            state.value[s] = v
        state.raw[s] = v
        state.t_ns[s] = t
        return NO_FINDINGS

    def tick(self, state: LoggingState, t_ns: int) -> FindingColumns:
        """Learn from the forecasts whose time has come, make the next, and say what lies ahead."""
        s, own = self.sites, self.own
        if len(s) == 0:
            return NO_FINDINGS
        told_ns = state.t_ns[s]
        fresh = (told_ns != NONE) & ((t_ns - told_ns) / 1e9 <= own["fresh_s"])
        rain = self._rain(state, t_ns)
        # where it is dry, was dry for hours and does not rain there is nothing to do: almost everywhere, almost always
        stirred = (state.value[s] > 0) | (rain > 0) | (state.depth[s, -1] > TRACE_CM)
        stirred |= (state.asked_ns[s] != NONE).any(axis=1)
        still = s[fresh & ~stirred]
        state.tick_ns[still] = t_ns
        state.depth[still] = 0.0
        state.rain[still] = 0.0
        state.ahead[s] = np.where(fresh, 0.0, np.nan)
        known = np.flatnonzero(fresh & stirred)
        if len(known):
            self._foresee(state, known, rain[known], t_ns)
        waiting = (state.level[s] > 0) | (state.sure_ns[s] != NONE)
        waiting[known] = True
        rows = np.flatnonzero(waiting)
        return self._say(state, rows, t_ns) if len(rows) else NO_FINDINGS

    # ---- the parts of a tick ----

    def _foresee(self, state: LoggingState, known: I64, rain: F64, t_ns: int) -> None:
        """Course, features, what the past teaches, and the forecast of the sites ``known``."""
        site, drain = self.sites[known], self.own["drain_mm_h"][known]
        advance(state, site, rain, drain, t_ns)
        told = ~np.isnan(rain)
        x = features(state, site, drain, self.runoff[known], told, t_ns)
        depth = np.clip(state.value[site], 0.0, 1e4)
        self._learn(state, known, depth, t_ns)
        by_depth, by_rain = (self._trend[known] * x).sum(axis=1), (self._by_rain[known] * x).sum(axis=1)
        a, b = state.rival[site].T ** 2
        share = np.where(told & ~np.isnan(self.own["runoff_cm_per_mm"][known]), a / (a + b), 0.0)
        change = by_depth + share * by_rain + (state.learned[site] * x).sum(axis=1)
        ahead = np.clip(depth + change, 0.0, 1e4)
        state.ahead[site] = ahead
        self._ask(state, known, np.concatenate((x, np.stack((depth, ahead, share), axis=1)), axis=1), t_ns)

    def _rain(self, state: LoggingState, t_ns: int) -> F64:
        """Rain at each site now: float64 (m,), mm/h; NaN where no gauge tells."""
        nearest, zone, gauges, of = self._gauges
        if len(gauges) == 0:
            return np.full(len(zone), np.nan)
        told_ns = state.t_ns[gauges]
        told = (told_ns != NONE) & ((t_ns - told_ns) / 1e9 <= self._fresh[gauges])
        rate = np.clip(state.value[gauges], 0.0, 1e3)
        n = 1 + int(max(zone.max(), of.max()))
        count = np.bincount(of[told], minlength=n)
        total = np.bincount(of[told], weights=rate[told], minlength=n)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, total / count, np.nan)[zone]
        return np.where((nearest >= 0) & told[nearest], rate[nearest], mean)

    def _learn(self, state: LoggingState, known: I64, depth: F64, t_ns: int) -> None:
        """Judge the forecasts that were made a lead time ago."""
        for slot in range(SLOTS):
            asked_ns = state.asked_ns[self.sites[known], slot]
            age = t_ns - asked_ns - self._lead_ns[known]
            due = np.flatnonzero((asked_ns != NONE) & (age >= 0))
            if len(due) == 0:
                continue
            state.asked_ns[self.sites[known[due]], slot] = NONE
            due = due[age[due] <= self._lead_ns[known[due]] // 5]  # else ticks are too far apart to judge it
            k, now = known[due], depth[due]
            rows = self.sites[k]
            kept = state.asked[rows, slot * KEPT : (slot + 1) * KEPT]
            x, (then, said, share) = kept[:, :FEATURES], kept[:, FEATURES:].T
            error = np.abs(now - said) / (1.0 + np.abs(said - then))
            step = np.where(error > state.error[rows], 0.1 * COVERED, -0.1 * (1.0 - COVERED))
            state.error[rows] = np.clip(state.error[rows] * (1.0 + step), 0.05, 50.0)
            by_depth, by_rain = (self._trend[k] * x).sum(axis=1), (self._by_rain[k] * x).sum(axis=1)
            rivals = np.abs(np.stack((now - then - by_depth, now - then - by_depth - by_rain), axis=1))
            state.rival[rows] += 0.2 * (np.maximum(rivals, 0.1) - state.rival[rows])
            change = by_depth + share * by_rain + (state.learned[rows] * x).sum(axis=1)
            missed = np.clip(now - then - change, -CLIP_CM, CLIP_CM)
            gain = (self.own["spread"][k][:, None] / SCALE) ** 2 * x
            state.learned[rows] += gain * (missed / (NOISE_CM**2 + (gain * x).sum(axis=1)))[:, None]
            fell = (then - now) / (self.own["lead_s"][k] / 60.0)
            fall = np.where(np.isnan(state.fall[rows]), self.own["fall_cm_min"][k], state.fall[rows])
            falling = (fell > 0) & (now > 0)
            state.fall[rows] = np.where(falling, fall + 0.2 * (fell - fall), fall)

    def _ask(self, state: LoggingState, known: I64, kept: F64, t_ns: int) -> None:
        """Keep a forecast to be judged, every third of a lead time; of dry sites that stay dry none."""
        site = self.sites[known]
        asked_ns = state.asked_ns[site]
        newest = asked_ns.max(axis=1)
        free = asked_ns == NONE
        due = free.any(axis=1) & ((newest == NONE) | (t_ns - newest >= self._lead_ns[known] // SLOTS))
        rows = np.flatnonzero(due & (kept[:, FEATURES : FEATURES + 2] > 0).any(axis=1))
        if len(rows) == 0:
            return
        slot = free[rows].argmax(axis=1)
        state.asked_ns[site[rows], slot] = t_ns
        state.asked[site[rows, None], slot[:, None] * KEPT + np.arange(KEPT)] = kept[rows]

    def _probability(self, ahead: F64, rung: F64, error: F64) -> F64:
        """That the depth will be at least ``rung``, if the forecast's errors are Laplace with that 80 % quantile."""
        scale = error / np.log(1.0 / (1.0 - COVERED))
        z = (ahead - rung) / scale
        chance: F64 = np.where(z >= 0, 1.0 - 0.5 * np.exp(-np.abs(z)), 0.5 * np.exp(-np.abs(z)))
        return chance

    def _say(self, state: LoggingState, k: I64, t_ns: int) -> FindingColumns:
        """Hold the forecasts of the sites ``k`` against their rungs."""
        s, own, rungs = self.sites[k], self.own, self._rungs[k]
        ahead, now = state.ahead[s], np.clip(state.value[s], 0.0, 1e4)
        error = state.error[s] * (1.0 + np.abs(ahead - now))
        with np.errstate(invalid="ignore"):
            chance = self._probability(ahead[:, None], rungs, error[:, None])
            near = (now[:, None] < rungs) & (chance >= own["min_probability"][k][:, None])
        severe = np.where(near.any(axis=1), near.argmax(axis=1) + 1, 0)
        old = state.level[s]
        sure = np.where(severe > 0, np.where(state.sure_ns[s] == NONE, t_ns, state.sure_ns[s]), NONE)
        confirmed = (severe > 0) & ((t_ns - sure) / 1e9 >= own["confirm_s"][k])
        calm = np.where(severe > 0, NONE, np.where(state.calm_ns[s] == NONE, t_ns, state.calm_ns[s]))
        over = (old > 0) & (severe == 0) & ((t_ns - calm) / 1e9 >= own["hold_s"][k])
        new = np.where(over, 0, np.where(confirmed & ((old == 0) | (severe < old)), severe, old))
        state.sure_ns[s] = sure
        state.calm_ns[s] = np.where(new > 0, calm, NONE)
        c = np.flatnonzero(new != old)
        if len(c) == 0:
            return NO_FINDINGS
        rows, level = s[c], new[c].astype(np.int8)
        since = np.where(old[c] == 0, t_ns, state.since_ns[rows])
        state.level[rows] = level
        state.since_ns[rows] = np.where(level == 0, NONE, since)
        said = level > 0
        of = np.maximum(level, 1) - 1
        f = self.forecast(state)
        return FindingColumns(
            series=rows,
            t_ns=np.full(len(c), t_ns),
            since_ns=since,
            level=level,
            value=np.where(said, ahead[c], now[c]),
            limit=np.where(said, rungs[c, of], now[c]),
            reason=np.where(said, 0, 1).astype(np.uint8),
            numbers={
                "depth_cm": ahead[c],
                "now_cm": now[c],
                "lead_min": np.where(said, own["lead_s"][k[c]] / 60.0, np.nan),
                "error_cm": error[c],
                "extent_m2": f.extent_m2[k[c]],
                "duration_min": f.duration_min[k[c]],
            },
            confidence=np.where(said, np.nan_to_num(chance[c, of], nan=0.5), 0.5),
        )

    # ---- for screens and benches ----

    def forecast(self, state: LoggingState) -> SiteForecast:
        """The forecast of all sites as of the newest tick, in the order of ``sites``; changes nothing."""
        s, own = self.sites, self.own
        ahead = state.ahead[s]
        now = np.where(np.isnan(ahead), np.nan, np.clip(state.value[s], 0.0, 1e4))
        deepest = np.maximum(now, ahead)
        lead = own["lead_s"] / 60.0
        usual = np.where(np.isnan(state.fall[s]), own["fall_cm_min"], state.fall[s])
        falling = (now - ahead) / lead
        rate = np.where(falling > 0, np.maximum(falling, 0.5 * usual), usual)
        from_peak = np.maximum(deepest - own["over_cm"], 0.0) / np.maximum(rate, 1e-3)
        rising = ahead > now
        duration = np.where(deepest >= own["over_cm"], np.where(rising, lead, 0.0) + from_peak, 0.0)
        return SiteForecast(
            row=s.astype(np.int64),
            depth_cm=now,
            ahead_cm=ahead,
            error_cm=state.error[s] * (1.0 + np.abs(ahead - now)),
            extent_m2=deepest * own["area_m2_per_cm"],
            duration_min=np.where(np.isnan(ahead), np.nan, np.minimum(duration, LONGEST_MIN)),
        )

    def rain_known(self, state: LoggingState, t_ns: int) -> NDArray[np.bool_]:
        """Whether a gauge tells the rain of each site: bool (m,)."""
        return ~np.isnan(self._rain(state, t_ns))

    def gauge(self, state: LoggingState) -> tuple[F64, F64]:
        """The forecast depth of each series, and the lowest rung."""
        threshold = np.full(len(state.level), np.nan)
        threshold[self.sites] = np.fmin.reduce(self._rungs, axis=-1)
        return state.ahead.copy(), threshold
