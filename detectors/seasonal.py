"""Seasonal: a value unlike what this series is at this hour of this day. For metrics that have no rule."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors import extremes, usual
from detectors.extremes import BLOCKS
from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at, one
from detectors.usual import DAY_NS, UsualState, Where
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

_STATISTICS = 3
_RECENT_D, _HOURS_D, _DAYS_D, _LONG_D = 2 / 24, 1.5 / 24, 1.5, 8 / 24
"""Memories of the moving means, days: the last two hours; an hour and a half; a day and a half; eight hours."""
_LEAST = np.array([5.0, 1.5, 1.0])
"""No statistic below is anything, whatever the days were like."""
_WEEK_D, _WEEKS_D = 8.0, 22.0
"""Each day of the week was seen, days; it was seen three times."""
_YOUNG = 1.5
"""Before each day of the week was seen only sudden changes count, and these must be greater by so much. Then hours and
unusual days count too, but until each was seen three times must be up to twice as great."""
_FADES_D, _SPARE, _TEMPER = 14.0, 2.0, 0.3
"""Where there are more than two episodes a fortnight, limits rise by so much for each more."""
_OVER = 0.6
"""Share of its limit below which a statistic must fall."""


@dataclass(slots=True, kw_only=True)
class SeasonalState(UsualState):
    """State of n series, beside what is usual.

    Attributes:
        bin: int64 (n,), number of the open bin; NONE.
        total: float64 (n,), sum of its readings.
        count: float64 (n,), how many they are.
        recent: float64 (n,), moving mean of the residuals, two hours.
        hours: float64 (n,), the same, an hour and a half, of residuals not drawn in.
        days: float64 (n,), a day and a half.
        long: float64 (n,), eight hours.
        date: int64 (n,), local day of the newest bin; NONE.
        peak: float64 (n, 3), greatest value of each statistic on that day.
        peaks: float64 (n, 48), of the last 16 days, by statistic.
        marked: bool (n,), whether there was an episode on that day.
        heat: float64 (n,), episodes of late, fading within a fortnight.
        grown: bool (n,), whether its first week is over.
        kept: int64 (n,), days in ``peaks`` so far.
        limit: float64 (n, 3), of each statistic; infinite while it is not known.
        ratio: float64 (n,), greatest statistic over its limit, newest.
        calm_ns: int64 (n,), since when all are well below their limits; NONE.
        said: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
    """

    bin: I64
    total: F64
    count: F64
    recent: F64
    hours: F64
    days: F64
    long: F64
    date: I64
    peak: F64
    peaks: F64
    marked: NDArray[np.bool_]
    heat: F64
    grown: NDArray[np.bool_]
    kept: I64
    limit: F64
    ratio: F64
    calm_ns: I64
    said: I8
    since_ns: I64


@dataclass(frozen=True, kw_only=True)
class Seasonal:
    """A robust seasonal level and trend change detector for any metric.

    Readings are averaged in bins of ``bin_s``. What is usual is u = level + profile of the day + profile of the week,
    learnt on line from residuals r = v - u that are drawn in at 2.5 deviations; s is the mean absolute residual, in all
    and by part of the day. Three statistics look for changes of three lengths:
    ``a = |r - m2h| / s`` (sudden: against the mean of the last two hours), ``b = |m1.5h - m1.5d| / s`` (hours against
    days), ``c = |m8h| / s`` (an unusual day), with exponential means m of the residuals. Each is held against the level
    that its own daily maxima pass once in ``return_days`` (``detectors.extremes``), so the rate of false alarms is
    about 3 / return_days a day at most, whatever the scale, tails and correlation of the series; where there are more
    than two episodes a fortnight, limits rise. An episode begins with the bin
    that passes a limit, and is over when all statistics have been below 0.6 of theirs for ``hold_s``.

    Args:
        level: level of the finding, 1 to 4; a fallback says 4.
        bin_s: length of a bin, s, 60 to 3600; about two to three readings.
        learn_days: nothing is said before, days, 2 to 100. Only sudden changes are, until eight days.
        return_days: how rarely an ordinary series may pass a limit of one statistic, days, 2 to 10 000.
        least: smallest deviation that can matter, unit of the metric, such as the sensor's resolution.
        hold_s: s, 0 to seven days.
        utc_offset_h: local time less UTC, h: where days and weeks begin.

    Blind to: what happens in the first days; seasons other than day and week; changes slower than days; holidays
    are unusual days to it; what stays unusual for a week is usual then. A value is the mean of a bin, so a single
    wrong reading among several counts for its share. Ignores NaN and readings marked SUSPECT.

    Source: clipped (Huber) updates and robust scale after Gelper, Fried and Croux 2010, "Robust forecasting with
    exponential and Holt-Winters smoothing", Journal of Forecasting 29, 285-300; moving means of several memories are
    EWMA charts (Lucas and Saccucci 1990, Technometrics 32, 1-12); limits as return levels of block maxima (Gumbel 1958;
    for streams Siffer et al. 2017, KDD).

    >>> from yiwang.columns import Readings
    >>> seasonal = Seasonal(return_days=100.0, hold_s=3600.0)
    >>> state, rng = seasonal.start(1), np.random.default_rng(1)
    >>> for half_hour in range(48 * 20):
    ...     value = 100 + 40 * np.sin(half_hour * np.pi / 24) + rng.normal(0, 3) - 60 * (800 <= half_hour < 806)
    ...     r = Readings.of([(0, half_hour * 1_800_000_000_000, value, 0)])
    ...     said = [seasonal.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality)),
    ...             seasonal.tick(state, half_hour * 1_800_000_000_000 + 900_000_000_000)]
    ...     for f in said:
    ...         for level, reason in zip(f.level, f.reason):
    ...             print(half_hour, "level", level, seasonal.reasons[reason])
    800 level 4 seasonal.low
    824 level 0 seasonal.usual
    """

    name: ClassVar[str] = "seasonal"
    reasons: ClassVar[tuple[str, ...]] = ("seasonal.high", "seasonal.low", "seasonal.usual")
    wants_late: ClassVar[bool] = False
    calendar_s: ClassVar[float] = 604_800.0

    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)] = 4.0
    bin_s: Annotated[Param, Spec(unit="s", lo=60, hi=3600)] = 900.0
    learn_days: Annotated[Param, Spec(unit="d", lo=2, hi=100)] = 4.0
    return_days: Annotated[Param, Spec(unit="d", lo=2, hi=10_000)] = 40.0
    least: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)] = 0.0
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=604_800)] = 7200.0
    utc_offset_h: Annotated[Param, Spec(unit="h", lo=-12, hi=14)] = 8.0

    @cached_property
    def _width_ns(self) -> I64:
        return np.rint(np.asarray(one(self.bin_s), np.float64) * 1e9).astype(np.int64)

    @cached_property
    def _offset_h(self) -> Param:
        return one(self.utc_offset_h)

    @cached_property
    def _least(self) -> Param:
        return one(self.least)

    @cached_property
    def _learn_days(self) -> Param:
        return one(self.learn_days)

    def start(self, n: int) -> SeasonalState:
        """``n`` series of which nothing is known."""
        return SeasonalState(
            first_ns=np.full(n, NONE),
            last_ns=np.full(n, NONE),
            level=np.zeros(n),
            day=np.zeros((n, usual.HOURS)),
            week=np.zeros((n, usual.WEEK_SLOTS)),
            spread=np.zeros(n),
            spread_of=np.zeros((n, usual.SPREAD_SLOTS)),
            bin=np.full(n, NONE),
            total=np.zeros(n),
            count=np.zeros(n),
            recent=np.zeros(n),
            hours=np.zeros(n),
            days=np.zeros(n),
            long=np.zeros(n),
            date=np.full(n, NONE),
            peak=np.zeros((n, _STATISTICS)),
            peaks=np.zeros((n, _STATISTICS * BLOCKS)),
            marked=np.zeros(n, np.bool_),
            heat=np.zeros(n),
            grown=np.zeros(n, np.bool_),
            kept=np.zeros(n, np.int64),
            limit=np.full((n, _STATISTICS), np.inf),
            ratio=np.zeros(n),
            calm_ns=np.full(n, NONE),
            said=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
        )

    def gauge(self, state: SeasonalState) -> tuple[F64, F64]:
        """Greatest statistic over its limit, and 1."""
        return np.where(state.kept > 1, state.ratio, np.nan), np.where(state.kept > 1, 1.0, np.nan)

    def step(self, state: SeasonalState, r: Round) -> FindingColumns:
        """Puts readings into bins; judges a bin that the reading after it closes."""
        good = usable(r.value, r.quality)
        s, t, v = (r.series, r.t_ns, r.value) if good.all() else (r.series[good], r.t_ns[good], r.value[good])
        number = t // (self._width_ns[s] if self._width_ns.ndim else self._width_ns)
        newer = (number != state.bin.take(s)).nonzero()[0]
        found = NO_FINDINGS
        if len(newer):
            rows, moments = s[newer].astype(np.int64), t[newer]
            full = state.count.take(rows) > 0
            if full.all():
                found = self._close(state, rows, moments)
            elif full.any():
                found = self._close(state, rows[full], moments[full])
            state.bin[rows] = number[newer]
        state.total[s] += np.clip(v, -1e12, 1e12)
        state.count[s] += 1.0
        return found

    def tick(self, state: SeasonalState, t_ns: int) -> FindingColumns:
        """Judges the bins that are closed by now."""
        rows = np.flatnonzero((state.count > 0) & (t_ns // self._width_ns > state.bin))
        return self._close(state, rows, np.full(len(rows), t_ns)) if len(rows) else NO_FINDINGS

    def _close(self, state: SeasonalState, rows: I64, t_ns: I64) -> FindingColumns:
        """Judge the open bins of m rows, at moments int64 (m,), and learn from them."""
        width = self._width_ns[rows] if self._width_ns.ndim else self._width_ns
        middle = state.bin[rows] * width + width // 2
        value = state.total[rows] / state.count[rows]
        state.total[rows] = 0.0
        state.count[rows] = 0.0
        fresh = state.first_ns[rows] == NONE
        if fresh.any():
            begun = rows[fresh]
            state.first_ns[begun] = middle[fresh] - width if np.ndim(width) == 0 else (middle - width)[fresh]
            state.last_ns[begun] = state.first_ns[begun]
            state.level[begun] = value[fresh]
        age_d = (middle - state.first_ns[rows]) / DAY_NS
        step_d = np.clip((middle - state.last_ns[rows]) / DAY_NS, 0.0, 0.25)
        state.last_ns[rows] = middle
        where = Where.of(middle, at(self._offset_h, rows))
        self._turn_day(state, rows, where, age_d)
        expected, by_week = usual.expected(state, rows, where)
        residual = value - expected
        least = at(self._least, rows) + 1e-9 * (1.0 + np.abs(expected))
        common, here = usual.spread(state, rows, where, least)
        signed = self._statistics(state, rows, residual, step_d, common, here)
        heat = state.heat[rows] * np.exp(-step_d / _FADES_D)
        state.heat[rows] = heat
        limit, peak = state.limit.take(rows, axis=0), state.peak.take(rows, axis=0)
        tempered = 1.0 + _TEMPER * np.maximum(heat - _SPARE, 0.0)
        young = age_d < at(self._learn_days, rows)
        sudden, slow = _caution(age_d)
        ratio = []
        for k, caution in enumerate((sudden, slow, slow)):
            size = np.abs(signed[k])
            ratio.append(size / np.where(young, np.inf, limit[:, k] * tempered * caution))
            np.maximum(peak[:, k], size, out=peak[:, k])
        state.peak[rows] = peak
        greatest = np.maximum(np.maximum(ratio[0], ratio[1]), ratio[2])
        state.ratio[rows] = greatest
        said = state.said[rows]
        unusual_d = np.where(said > 0, (middle - state.since_ns[rows]) / DAY_NS, 0.0)
        usual.learn(state, rows, where, by_week, residual, step_d, age_d, unusual_d)

        begins = (said == 0) & (greatest >= 1.0)
        calm = (said > 0) & (greatest < _OVER)
        calm_ns = np.where(calm, np.where(state.calm_ns[rows] == NONE, middle, state.calm_ns[rows]), NONE)
        state.calm_ns[rows] = calm_ns
        ends = calm & (middle - calm_ns >= np.rint(np.asarray(at(self.hold_s, rows)) * 1e9))
        turns = np.flatnonzero(begins | ends)
        if len(turns) == 0:
            return NO_FINDINGS
        rows, begins = rows[turns], begins[turns]
        worst = np.stack(ratio, axis=1)[turns].argmax(axis=1)
        since = np.where(begins, middle[turns] - width_of(width, turns) // 2, state.since_ns[rows])
        level = np.where(begins, np.broadcast_to(at(self.level, rows), rows.shape), 0).astype(np.int8)
        state.said[rows] = level
        state.marked[rows] |= begins
        state.heat[rows] += begins
        state.since_ns[rows] = np.where(begins, since, NONE)
        state.calm_ns[rows] = NONE
        sign = np.where(np.stack(signed, axis=1)[turns, worst] < 0, -1.0, 1.0)
        bound = state.limit[rows, worst] * np.where(worst == 0, here[turns], common[turns])
        bound = np.where(np.isfinite(bound), bound, 0.0)
        return FindingColumns(
            series=rows.astype(np.int32),
            t_ns=t_ns[turns],
            since_ns=since,
            level=level,
            value=value[turns],
            limit=expected[turns] + sign * bound,
            reason=np.where(begins, np.where(sign > 0, 0, 1), 2).astype(np.uint8),
            numbers={"usual": expected[turns], "score": greatest[turns]},
        )

    def _turn_day(self, state: SeasonalState, rows: I64, where: Where, age_d: F64) -> None:
        """With the first bin of a day the extremes of the day before are put away, and the limits made anew."""
        turned = np.flatnonzero(where.date != state.date[rows])
        if len(turned) == 0:
            return
        # the first week knew no week-end: once it is over the extremes begin anew
        over = turned[(age_d[turned] >= _WEEK_D) & ~state.grown[rows[turned]]]
        state.kept[rows[over]] = 0
        state.grown[rows[over]] = True
        # days with an episode do not count: one event does not teach the limits to expect the next
        whole = (state.date[rows[turned]] != NONE) & ~state.marked[rows[turned]]
        known = turned[whole & usual.settled(age_d[turned] - 0.5)]
        state.date[rows[turned]] = where.date[turned]
        state.marked[rows[turned]] = state.said[rows[turned]] > 0
        if len(known):
            some = rows[known]
            slot = state.kept[some] % BLOCKS
            for k in range(_STATISTICS):
                state.peaks[some, k * BLOCKS + slot] = state.peak[some, k]
            state.kept[some] += 1
            limits = extremes.return_level(
                state.peaks[some].reshape(-1, _STATISTICS, BLOCKS),
                np.minimum(state.kept[some], BLOCKS),
                np.broadcast_to(np.asarray(at(self.return_days, some), np.float64), some.shape),
            )
            limits = np.maximum(limits, _LEAST)
            # of sudden changes the first week knew enough
            limits[:, 0] = np.where(
                state.kept[some] < 7, np.minimum(limits[:, 0], state.limit[some, 0]), limits[:, 0]
            )
            state.limit[some] = np.where((state.kept[some] >= 2)[:, None], limits, state.limit[some])
        state.peak[rows[turned]] = 0.0
        usual.centre(state, rows[turned][age_d[turned] > _WEEK_D])

    @staticmethod
    def _statistics(
        state: SeasonalState, rows: I64, residual: F64, step_d: F64, common: F64, here: F64
    ) -> tuple[F64, F64, F64]:
        """The three statistics with their signs, float64 (m,) each; moves the means on."""
        drawn_in = np.clip(residual, -10.0 * common, 10.0 * common)
        recent, days = state.recent[rows], state.days[rows]
        sudden = (residual - recent) / here
        bound = 3.0 * common
        state.recent[rows] = recent + _gain(step_d, _RECENT_D) * np.clip(residual - recent, -bound, bound)
        hours = state.hours[rows] + _gain(step_d, _HOURS_D) * (drawn_in - state.hours[rows])
        state.hours[rows] = hours
        change = (hours - days) / common
        state.days[rows] = days + _gain(step_d, _DAYS_D) * np.clip(residual - days, -bound, bound)
        long = state.long[rows] + _gain(step_d, _LONG_D) * (drawn_in - state.long[rows])
        state.long[rows] = long
        return sudden, change, long / common


def _caution(age_d: F64) -> tuple[F64, F64]:
    """What the limits of sudden changes, and of slow ones, are multiplied by while the week is not well known."""
    slow = np.where(
        age_d < _WEEK_D, np.inf, 1.0 + np.clip((_WEEKS_D - age_d) / (_WEEKS_D - _WEEK_D), 0.0, 1.0)
    )
    return np.where(age_d < _WEEK_D, _YOUNG, 1.0), slow


def _gain(step_d: F64, memory_d: float) -> F64:
    """Of an exponential mean over uneven steps: float64 (m,)."""
    return -np.expm1(-step_d / memory_d)


def width_of(width: I64, rows: NDArray[np.int64]) -> I64:
    """Lengths of the bins of some of the rows."""
    return width[rows] if width.ndim else width
