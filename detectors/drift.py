"""Drift: a sensor that slowly departs from its neighbours."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import usable
from detectors.protocol import ALONE, Layout, Param, Spec
from detectors.saying import NONE, each, joined, nanoseconds, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

NAN = float("nan")
MEAN, USUAL, APART = range(3)
"""Columns of ``DriftState.number``."""
NEWEST, BORN, LOOKED, ODD, SINCE, FAST = range(6)
"""Columns of ``DriftState.moment``."""
PATIENCE = 4
"""A drift that could not be looked at for so many times ``window_s`` is withdrawn."""
FOREVER = 50.0
"""The usual distance is learnt over so many times ``window_s``."""


@dataclass(slots=True, kw_only=True)
class DriftState:
    """State of n series.

    Attributes:
        number: float64 (n, 3): mean over ``window_s``, usual distance to the neighbours, distance at the last look; NaN.
        moment: int64 (n, 6): newest reading, first reading, last look, since when it is odd, begin of the newest
            episode, when the distance last changed fast. NONE where there is none.
        level: int8 (n,), level said; 0 none.
    """

    number: F64
    moment: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The distance of a sensor to the middle of its neighbours leaves, slowly, what it was.

    Neighbours are the other devices of the zone with the same metric that do not drift themselves, at least two of them
    heard within ``window_s``.
    With m the mean over ``window_s``, ``D = m - median(m of the neighbours)``, and U what D was in the first ``window_s``
    (learnt on very slowly), a sensor drifts once ``|D - U| >= drift`` has held for ``hold_s`` and nothing in it was
    fast: a change of D by a quarter of ``drift`` within ``window_s / 4`` is an event of the city, not drift, and nothing
    is said for ``4 * window_s`` after one; what it has changed for good is then the new U. Over below half of ``drift``.

    Args:
        drift: tolerated distance, unit of the metric; NaN: the check is off.
        window_s: s, 1 to 30 days.
        hold_s: s, 0 to 30 days.
        level: level of the finding, 1 to 4.

    Blind to: drift of most neighbours at once; a sensor with fewer than two; one that was wrong from the beginning;
    drift of less than ``drift`` in some fifty times ``window_s``. A flood at one place that rises so slowly that it is
    never fast is taken for drift: choose ``window_s`` so that floods are fast. Ignores NaN and readings marked SUSPECT.

    Source: P; comparison with neighbours as in the multi-variate test of QARTOD (U.S. IOOS 2021, test 9); type H of Leigh
    et al. 2019, Science of the Total Environment 664.

    >>> one = Layout.apart(3)
    >>> zone = Layout(role=one.role, device=one.device, place=one.place, zone=one.zone * 0, metric=one.metric,
    ...               x_m=one.x_m, y_m=one.y_m, at_m=one.at_m, live=one.live)
    >>> drift = Drift(drift=4.0, window_s=3600.0, hold_s=3600.0, level=4.0, layout=zone)
    >>> state = drift.start(3)
    >>> for minute in range(0, 1440, 10):
    ...     values = np.array([20.0, 22.0, 25.0 + max(0, minute - 300) / 60])
    ...     t_ns = minute * 60_000_000_000
    ...     _ = drift.step(state, Round(series=np.arange(3, dtype=np.int32), t_ns=np.full(3, t_ns), value=values,
    ...                                 quality=np.zeros(3, np.uint8)))
    ...     found = drift.tick(state, t_ns)
    ...     for series, level, value in zip(found.series, found.level, found.value):
    ...         print(minute // 60, "h, series", series, "level", level, "apart", round(float(value), 1))
    11 h, series 2 level 4 apart 5.0
    """

    name: ClassVar[str] = "drift"
    roles: ClassVar[tuple[str, ...]] = ("main",)
    reasons: ClassVar[tuple[str, ...]] = ("drift.apart", "drift.near", "drift.alone")
    wants_late: ClassVar[bool] = False

    drift: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)]
    window_s: Annotated[Param, Spec(unit="s", lo=1, hi=30 * 86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    def start(self, n: int) -> DriftState:
        """``n`` series that have said nothing."""
        return DriftState(
            number=np.full((n, 3), np.nan), moment=np.full((n, 6), NONE), level=np.zeros(n, np.int8)
        )

    @cached_property
    def _checked(self) -> NDArray[np.bool_]:
        return np.isfinite(each(self.drift, np.arange(len(self.layout)))) & self.layout.live

    @cached_property
    def _group(self) -> I64:
        """int64 (n,): equal where zone and metric are equal."""
        pairs = np.stack((self.layout.zone, self.layout.metric), axis=1)
        return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)

    def step(self, state: DriftState, r: Round) -> FindingColumns:
        """Learns the mean; what is said is said on ticks."""
        good = usable(r.value, r.quality) & (np.abs(r.value) < 1e100) & self._checked.take(r.series)
        s, t, v = r.series, r.t_ns, r.value
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        if len(s) == 0:
            return NO_FINDINGS
        mean, newest = state.number[s, MEAN], state.moment[s, NEWEST]
        window = each(self.window_s, s)
        gap_s = (t - np.maximum(newest, 0)) * 1e-9
        fresh = (newest == NONE) | (gap_s > 4 * window)
        mean = np.where(fresh, v, mean + gap_s / (window + gap_s) * (v - mean))
        state.number[s, MEAN] = mean
        state.moment[s, NEWEST] = t
        k = s[fresh]
        state.moment[k, BORN] = t[fresh]
        state.number[k, APART] = np.nan
        return NO_FINDINGS

    def _apart(self, state: DriftState, rows: I64) -> F64:
        """Distance of each row to the median of its sound neighbours, NaN where there are fewer than two."""
        sound = rows[state.level[rows] == 0]
        order = sound[np.lexsort((state.number[sound, MEAN], self._group[sound]))]
        mean = np.append(state.number[order, MEAN], 0.0)
        group = self._group[rows]
        begin = np.searchsorted(self._group[order], group, side="left")
        count = np.searchsorted(self._group[order], group, side="right") - begin
        place = np.full(len(state.level), len(mean))  # a drifting one stands behind all
        place[order] = np.arange(len(order))
        own = place[rows] - begin
        others = np.where(state.level[rows] == 0, count - 1, count)
        # the median of the others: the middle of the group, passing over oneself
        low, high = (others - 1) // 2, others // 2
        low, high = low + (low >= own), high + (high >= own)
        enough = others >= 2
        low, high = np.where(enough, begin + low, -1), np.where(enough, begin + high, -1)
        return np.where(enough, state.number[rows, MEAN] - (mean[low] + mean[high]) / 2, np.nan)

    def tick(self, state: DriftState, t_ns: int) -> FindingColumns:
        """One row for each series that has been apart for long enough, is near again, or has nobody near it any more."""
        found = self._compare(state, t_ns)
        every = np.arange(len(state.level))
        left = (state.level > 0) & (
            t_ns - state.moment[:, LOOKED] > PATIENCE * nanoseconds(self.window_s, every)
        )
        rows = np.flatnonzero(left)
        if len(rows) == 0:
            return found
        state.level[rows] = 0
        off = np.abs(state.number[rows, APART] - state.number[rows, USUAL])
        since = state.moment[rows, SINCE]
        alone = say(
            rows,
            t_ns=np.maximum(t_ns, since),
            since_ns=since,
            level=0,
            value=np.nan_to_num(off),
            limit=each(self.drift, rows) / 2,
            reason=2,
            numbers={"mean": state.number[rows, MEAN], "neighbours": np.full(len(rows), np.nan)},
        )
        return joined(found, alone) if len(found) else alone

    def _compare(self, state: DriftState, t_ns: int) -> FindingColumns:
        """Hold each series that is heard against its neighbours."""
        rows = np.flatnonzero(self._checked & (state.moment[:, NEWEST] != NONE))
        window = nanoseconds(self.window_s, rows)
        rows = rows[np.abs(t_ns - state.moment[rows, NEWEST]) <= window]
        if len(rows) == 0:
            return NO_FINDINGS
        apart = self._apart(state, rows)
        rows, apart = rows[np.isfinite(apart)], apart[np.isfinite(apart)]
        number, moment, was = state.number[rows], state.moment[rows], state.level[rows]
        window, limit = nanoseconds(self.window_s, rows), each(self.drift, rows)
        first = np.isnan(number[:, APART])
        passed = np.where(first, 0, t_ns - np.where(first, t_ns, moment[:, LOOKED]))
        look = first | (passed >= window // 4)
        fast = look & ~first & (np.abs(apart - number[:, APART]) > limit / 4)
        moment[:, FAST] = np.where(fast, t_ns, moment[:, FAST])
        learning = t_ns - moment[:, BORN] < window
        usual = np.where(np.isnan(number[:, USUAL]) | learning, apart, number[:, USUAL])
        calm = (moment[:, FAST] == NONE) | (t_ns - np.maximum(moment[:, FAST], 0) >= 4 * window)
        # what an event has changed for good is how it is now
        after = calm & (moment[:, FAST] != NONE)
        usual = np.where(after & (was == 0) & (np.abs(apart - usual) >= limit / 2), apart, usual)
        moment[:, FAST] = np.where(after, NONE, moment[:, FAST])
        rate = np.clip(passed / (FOREVER * window), 0.0, 1.0)
        usual = usual + np.where(look & calm & (was == 0), rate * (apart - usual), 0.0)
        number[:, USUAL] = usual
        number[:, APART] = np.where(look, apart, number[:, APART])
        moment[:, LOOKED] = np.where(look, t_ns, moment[:, LOOKED])
        off = np.abs(apart - usual)
        odd = calm & ~learning & (off >= limit)
        moment[:, ODD] = np.where(odd, np.where(moment[:, ODD] == NONE, t_ns, moment[:, ODD]), NONE)
        opened = (was == 0) & odd & (t_ns - moment[:, ODD] >= nanoseconds(self.hold_s, rows))
        over = (was > 0) & (off < limit / 2)
        moment[:, SINCE] = np.where(
            opened, np.maximum(moment[:, ODD], moment[:, SINCE] + 1), moment[:, SINCE]
        )
        level = np.where(opened, each(self.level, rows), np.where(over, 0, was)).astype(np.int8)
        state.number[rows], state.moment[rows], state.level[rows] = number, moment, level
        c = np.flatnonzero(opened | over)
        if len(c) == 0:
            return NO_FINDINGS
        return say(
            rows[c],
            t_ns=np.maximum(t_ns, moment[c, SINCE]),
            since_ns=moment[c, SINCE],
            level=level[c],
            value=off[c],
            limit=np.where(opened[c], limit[c], limit[c] / 2),
            reason=np.where(opened[c], 0, 1),
            numbers={"mean": number[c, MEAN], "neighbours": number[c, MEAN] - apart[c]},
        )
