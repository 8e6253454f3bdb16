"""Mean: the averaging time of a standard, by day and by night."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors import latch
from detectors.latch import NONE, Bank, LatchState
from detectors.protocol import Param, Spec, at
from yiwang.columns import F64, I64, NO_FINDINGS, FindingColumns, Round

Rung = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
Offset = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
Hour = Annotated[Param, Spec(unit="h", lo=0, hi=24)]
NAN = float("nan")
MOST_BINS = 24
"""Sub-bins kept per series."""
_DAY_NS = 86_400_000_000_000
_HOUR_NS = 3_600_000_000_000
_FAR_BELOW = -1e12
"""What a rung-less part of the day is held as: below every rung there may be."""


@dataclass(slots=True, kw_only=True)
class MeanState(LatchState):
    """State of n series: that of four latches, and a ring of sub-bins.

    Attributes:
        bin: int64 (n, 24), number of the sub-bin in each slot, counted from 1970; NONE.
        total: float64 (n, 24), sum of its readings (of 10^(v/10) where the mean is of energy).
        count: float64 (n, 24), how many they are.
        judged: int64 (n,), newest sub-bin that a mean ended with; NONE.
    """

    bin: I64
    total: F64
    count: F64
    judged: I64


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The level of a mean over a window of event time that slides by sub-bins.

    The window is the last ``bins`` sub-bins of ``bin_s`` seconds that are closed; sub-bins begin at whole multiples of
    their length from 1970 UTC, so a bin of an hour is the clock's hour. With a_j the plain mean of the readings in
    sub-bin j, the window's mean is ``m = mean of a_j`` over the sub-bins that have readings; with ``energy = 1`` it is
    ``m = 10 lg(mean of 10^(v/10))``, the equivalent level Leq of a noise meter. Readings that come faster in one part
    of the window therefore weigh no more. The ``leave_out`` highest a_j are left out of the mean: what is loud for
    minutes only is not the noise of the area. It is judged by the first tick after a sub-bin closes, if at least the
    share ``coverage`` of the sub-bins has readings: level l is reached when ``m >= rung_l + o``, left when
    ``m < rung_l + o - hysteresis`` has held for ``hold_s``; o is ``night_offset`` where the last sub-bin began between
    ``night_from_h`` and ``night_to_h`` local time, else ``day_offset``. A window that holds sub-bins of both parts of
    the day uses those of the last one's part only.

    Args:
        rung_i: rung of level I, unit of the metric; NaN: there is none. Likewise rung_ii, rung_iii, rung_iv.
        hysteresis: for all rungs, unit of the metric, >= 0.
        hold_s: how long the mean must stay below, s, 0 to one day.
        bin_s: length of a sub-bin, s, 30 to one day.
        bins: sub-bins in the window, 1 to 24.
        coverage: share of sub-bins with readings that a mean needs, 0 to 1.
        leave_out: how many of the highest sub-bins are left out, 0 to 23.
        energy: 1: mean of energy, for decibels; 0: plain mean.
        day_offset: added to all rungs by day; NaN: nothing is judged by day.
        night_offset: added to all rungs by night; NaN: nothing is judged by night.
        night_from_h: local hour at which night begins, 0 to 24.
        night_to_h: local hour at which it ends; equal to night_from_h: there is no night.
        utc_offset_h: local time less UTC, h, -12 to 14.

    Blind to: peaks within a window; a sensor that falls silent (the level stays as it was). A reading sent twice
    counts twice. Late readings count as long as their sub-bin is among the last 24, but a mean once judged is not
    judged again. Ignores NaN and readings marked SUSPECT.

    Source: averaging times and the three quarters of valid data are those of GB 3095-2012 (air), Leq and the limits
    by day (06-22 h) and night those of GB 3096-2008 and GB 12523-2011 (noise), domain.md E6; not checked against
    their texts.

    >>> from yiwang.columns import Readings
    >>> mean = Mean(rung_iv=60.0, hysteresis=1.0, hold_s=0.0, bin_s=600.0, bins=2.0, energy=1.0, night_offset=-10.0,
    ...             night_from_h=22.0, night_to_h=6.0)
    >>> state = mean.start(1)
    >>> for minute in range(13 * 60 + 30, 14 * 60 + 30):  # UTC: 21:30 to 22:30 in Beijing
    ...     r = Readings.of([(0, minute * 60_000_000_000, 55.0 if minute % 10 else 60.0, 0)])
    ...     assert len(mean.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))) == 0
    ...     found = mean.tick(state, minute * 60_000_000_000)
    ...     for level, value, limit in zip(found.level, found.value, found.limit):
    ...         print(f"{minute // 60 + 8}:{minute % 60:02}", "level", level, "Leq", round(value, 1), "limit", limit)
    22:20 level 4 Leq 55.9 limit 50.0
    """

    name: ClassVar[str] = "mean"
    reasons: ClassVar[tuple[str, ...]] = ("mean.above", "mean.below")
    wants_late: ClassVar[bool] = True
    calendar_s: ClassVar[float] = 604_800.0

    rung_i: Rung = NAN
    rung_ii: Rung = NAN
    rung_iii: Rung = NAN
    rung_iv: Rung = NAN
    hysteresis: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    bin_s: Annotated[Param, Spec(unit="s", lo=30, hi=86_400)]
    bins: Annotated[Param, Spec(unit="", lo=1, hi=MOST_BINS, whole=True)]
    coverage: Annotated[Param, Spec(unit="", lo=0, hi=1)] = 0.75
    leave_out: Annotated[Param, Spec(unit="", lo=0, hi=MOST_BINS - 1, whole=True)] = 0.0
    energy: Annotated[Param, Spec(unit="", lo=0, hi=1, whole=True)] = 0.0
    day_offset: Offset = 0.0
    night_offset: Offset = 0.0
    night_from_h: Hour = 0.0
    night_to_h: Hour = 0.0
    utc_offset_h: Annotated[Param, Spec(unit="h", lo=-12, hi=14)] = 8.0

    @cached_property
    def _bank(self) -> Bank:
        return Bank.of(
            limit=(self.rung_i, self.rung_ii, self.rung_iii, self.rung_iv),
            hysteresis=(self.hysteresis,) * 4,
            level=(1.0, 2.0, 3.0, 4.0),
            on_s=0.0,
            off_s=self.hold_s,
        )

    @cached_property
    def _width_ns(self) -> I64:
        return np.rint(np.asarray(self.bin_s, np.float64) * 1e9).astype(np.int64)

    @cached_property
    def _of_energy(self) -> bool:
        return bool(np.any(self.energy))

    def start(self, n: int) -> MeanState:
        """``n`` series at level 0 with empty rings."""
        calm = latch.start(n, 4)
        return MeanState(
            **{f.name: getattr(calm, f.name) for f in fields(calm)},
            bin=np.full((n, MOST_BINS), NONE),
            total=np.zeros((n, MOST_BINS)),
            count=np.zeros((n, MOST_BINS)),
            judged=np.full(n, NONE),
        )

    def step(self, state: MeanState, r: Round) -> FindingColumns:
        """Puts readings into their sub-bins; says nothing."""
        good = latch.usable(r.value, r.quality)
        s, t, v = (r.series, r.t_ns, r.value) if good.all() else (r.series[good], r.t_ns[good], r.value[good])
        if self._of_energy:
            loud = np.power(10.0, np.minimum(v, 1000.0) / 10.0)
            v = np.where(np.asarray(at(self.energy, s)) > 0, loud, v)
        width = self._width_ns
        number = t // (width[s] if width.ndim else width)
        cell = s.astype(np.int64) * MOST_BINS + number % MOST_BINS
        held, total, count = state.bin.reshape(-1), state.total.reshape(-1), state.count.reshape(-1)
        before = held[cell]
        new = number > before
        if new.any():
            fresh = cell[new]
            held[fresh] = number[new]
            total[fresh] = 0.0
            count[fresh] = 0.0
        if (number < before).any():  # later than the ring is long
            kept = number >= before
            cell, v = cell[kept], v[kept]
        with np.errstate(over="ignore", invalid="ignore"):  # absurd sums are not judged
            total[cell] += v
        count[cell] += 1.0
        return NO_FINDINGS

    def tick(self, state: MeanState, t_ns: int) -> FindingColumns:
        """Judges the windows that closed since the last tick."""
        n = len(state.judged)
        closed = np.broadcast_to(t_ns // self._width_ns - 1, (n,))
        rows = np.flatnonzero(closed > state.judged)
        if len(rows) == 0:
            return NO_FINDINGS
        closed = closed[rows]
        state.judged[rows] = closed
        held = state.bin[rows]
        bins = np.broadcast_to(at(self.bins, rows), (len(rows),))
        night = self._is_night(rows, held)
        now = self._is_night(rows, closed[:, None])
        used = (held > closed[:, None] - bins[:, None]) & (held <= closed[:, None]) & (night == now)
        filled = used.sum(axis=1)
        left = np.broadcast_to(at(self.leave_out, rows), (len(rows),))
        enough = np.maximum(np.asarray(at(self.coverage, rows)) * bins, left + 1)
        judged = np.flatnonzero(filled >= enough)
        if len(judged) == 0:
            return NO_FINDINGS
        rows, used, by_night, filled, left = (
            rows[judged],
            used[judged],
            now[judged, 0],
            filled[judged],
            left[judged],
        )
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            parts = np.where(used, state.total[rows] / state.count[rows], -np.inf)
            if left.any():
                parts = -np.sort(-parts, axis=1)
                used = (np.arange(MOST_BINS) >= left[:, None]) & (np.arange(MOST_BINS) < filled[:, None])
            mean = np.where(used, parts, 0.0).sum(axis=1) / (filled - left)
            energy = np.broadcast_to(at(self.energy, rows), (len(rows),)) > 0
            mean = np.where(energy, 10.0 * np.log10(mean), mean)
        day, dark = (np.broadcast_to(at(p, rows), (len(rows),)) for p in (self.day_offset, self.night_offset))
        offset = np.where(by_night, dark, day)
        held_as = np.where(np.isfinite(mean) & np.isnan(offset), _FAR_BELOW, mean - offset)
        moment = Round(
            series=rows.astype(np.int32),
            t_ns=np.full(len(rows), t_ns),
            value=held_as,
            quality=np.zeros(len(rows), np.uint8),
        )
        turned = latch.step(self._bank, state, moment, held_as)
        if turned is None:
            return NO_FINDINGS
        value = mean[turned.rows]
        limit = latch.decided(self._bank, turned) + offset[turned.rows]
        window = np.asarray(self._width_ns / 60e9 * np.asarray(self.bins))
        return FindingColumns(
            series=turned.series,
            t_ns=moment.t_ns[turned.rows],
            since_ns=turned.since_ns,
            level=turned.level,
            value=value,
            limit=np.where(np.isnan(limit), value, limit),  # not judged now, or a rung taken away
            reason=np.where(turned.rose, 0, 1).astype(np.uint8),
            numbers={
                "window_min": np.broadcast_to(
                    window[turned.series] if window.ndim else window, value.shape
                ).copy()
            },
        )

    def _is_night(self, rows: I64, number: I64) -> NDArray[np.bool_]:
        """Whether sub-bins begin by night: (m, k) from their numbers (m, k); of empty slots it means nothing."""
        width = self._width_ns[rows, None] if self._width_ns.ndim else self._width_ns
        offset, begin, end = (
            np.rint(np.broadcast_to(at(hour, rows), rows.shape)[:, None] * _HOUR_NS).astype(np.int64)
            for hour in (self.utc_offset_h, self.night_from_h, self.night_to_h)
        )
        local = (np.where(number == NONE, 0, number) * width + offset) % _DAY_NS
        after, before = local >= begin, local < end
        night: NDArray[np.bool_] = (after & before) | ((begin > end) & (after | before))
        return night
