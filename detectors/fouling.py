"""Fouling: a sensor in water that drifts, told without a neighbour: by the hours of the day and by what the water does."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import usable
from detectors.protocol import ALONE, Layout, Param, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

NAN = float("nan")
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
GAP_NS = round(3 * DAY_S * 1e9)
"""After a longer gap everything is learnt anew."""
LEARN_NS = round(7 * DAY_S * 1e9)
"""Nothing is said before so much has been seen."""
SWING_ON, SWING_OFF = 1.05, 0.75
"""Daily wave over mean deviation: pi / 2 for a pure wave, below 0.8 for noise, trends and single events."""
BORN, SWINGS, CREEPS, SINCE = range(4)
"""Columns of ``FoulingState.moment``."""


@dataclass(slots=True, kw_only=True)
class FoulingState:
    """State of n series.

    Attributes:
        day: float64 (n,), exponential mean over a day, by event time; NaN before the first reading.
        week: float64 (n,), over a week.
        cosine: float64 (n,), mean over two days of the deviation from ``day`` times the cosine of the time of day.
        sine: float64 (n,), likewise with the sine.
        spread: float64 (n,), mean size of the deviation.
        newest_ns: int64 (n,), newest reading; NONE before the first.
        stirred_ns: int64 (n,), when it last rose as causes do; NONE.
        moment: int64 (n, 4): since when it is learnt; since when it swings, and creeps, without a break; begin of the
            newest episode. NONE where there is none.
        level: int8 (n,), level said; 0 none.
        how: int8 (n,), what was said: 0 swing, 1 creep.
    """

    day: F64
    week: F64
    cosine: F64
    sine: F64
    spread: F64
    newest_ns: I64
    stirred_ns: I64
    moment: I64
    level: I8
    how: I8


@dataclass(frozen=True, kw_only=True)
class Fouling:
    """A probe that is overgrown or out of calibration swings with the day, or creeps while the water is calm.

    With m the mean over a day and e = v - m (cut at four times its usual size): the **daily wave** is
    ``A = 2 |mean(e * exp(i 2 pi t / day))|`` over two days. It is a fault while ``A / mean|e| >= 1.05`` and ``A >= swing``
    for ``hold_s``: growth on a probe follows light and warmth, the river does not that purely. The **creep** is
    ``x = sign * (m - w) / |w|``, w the mean over a week, sign the way the fault goes: fouling makes water look more
    turbid, and less conducting. It is a fault while ``x >= creep`` for ``hold_s`` and no cause (the level of the river)
    in the zone has risen for a week, its day's mean ``stirred`` above its week's: only a rise stirs and thins
    the water. Without a cause in the zone creep is not judged. Over below half of the creep or A / mean|e| of 0.75.

    Args:
        swing: least daily wave, unit of the metric; NaN: not judged.
        creep: share, 0 to 10; NaN: not judged.
        sign: the way of the fault, -1 or 1.
        stirred: rise of a cause that explains, unit of its metric; of rows in the role ``cause``.
        hold_s: s, 0 to 30 days.
        level: level of the finding, 1 to 4.

    Blind to: the first week, and the week after a gap of three days; drift the other way, or slower than ``creep`` a
    week (regular calibration is for that); drift during a flood, or while nothing is
    read for a day. Takes a natural daily rhythm (tide, algae, a power
    station upstream) for a fault: do not switch ``swing`` on there. Ignores NaN and readings marked SUSPECT.

    Source: ours (P). Drift is type H of Leigh et al. 2019, Science of the Total Environment 664; fouling as its cause:
    Wagner et al. 2006, USGS Techniques and Methods 1-D3. The daily wave is a lock-in (synchronous) demodulation.

    >>> rng = np.random.default_rng(1)
    >>> fouling = Fouling(swing=1.0, sign=-1.0, hold_s=172_800.0, level=4.0, layout=Layout.apart(1))
    >>> state = fouling.start(1)
    >>> for hour in range(40 * 24):
    ...     wave = 4 * np.sin(hour * np.pi / 12) if hour >= 20 * 24 else 0
    ...     t_ns = np.array([hour * 3_600_000_000_000])
    ...     _ = fouling.step(state, Round(series=np.array([0], np.int32), t_ns=t_ns, quality=np.zeros(1, np.uint8),
    ...                                   value=np.array([250 + hour / 24 + wave + rng.normal()])))
    ...     for level, since in zip(*(lambda f: (f.level, f.since_ns))(fouling.tick(state, int(t_ns[0])))):
    ...         print("day", hour // 24, "level", level, "since day", since // 86_400_000_000_000)
    day 23 level 4 since day 21
    """

    name: ClassVar[str] = "fouling"
    roles: ClassVar[tuple[str, ...]] = ("main", "cause")
    reasons: ClassVar[tuple[str, ...]] = ("fouling.swing", "fouling.creep", "fouling.over")
    wants_late: ClassVar[bool] = False
    calendar_s: ClassVar[float] = DAY_S

    swing: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = NAN
    creep: Annotated[Param, Spec(unit="", lo=0, hi=10, absent=True)] = NAN
    sign: Annotated[Param, Spec(unit="", lo=-1, hi=1, whole=True)] = 1.0
    stirred: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = NAN
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    def start(self, n: int) -> FoulingState:
        """``n`` series that have said nothing."""
        return FoulingState(
            day=np.full(n, np.nan),
            week=np.full(n, np.nan),
            cosine=np.zeros(n),
            sine=np.zeros(n),
            spread=np.zeros(n),
            newest_ns=np.full(n, NONE),
            stirred_ns=np.full(n, NONE),
            moment=np.full((n, 4), NONE),
            level=np.zeros(n, np.int8),
            how=np.zeros(n, np.int8),
        )

    def step(self, state: FoulingState, r: Round) -> FindingColumns:
        """Learns; what is said is said on ticks."""
        good = usable(r.value, r.quality) & (np.abs(r.value) < 1e100)
        s, t, v = r.series, r.t_ns, r.value
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        newest = state.newest_ns.take(s)
        gap_ns = t - np.maximum(newest, 0)
        fresh = np.flatnonzero((newest == NONE) | (gap_ns > GAP_NS))
        if len(fresh):
            gap_ns[fresh] = 0
            self._begin(state, s[fresh], t[fresh], v[fresh])
        gap_s = gap_ns * 1e-9
        day, week, spread = state.day.take(s), state.week.take(s), state.spread.take(s)
        off = v - day
        day += gap_s / (DAY_S + gap_s) * off
        week += gap_s / (WEEK_S + gap_s) * (v - week)
        share = gap_s / (2 * DAY_S + gap_s)
        most = np.where(spread > 0, 4.0 * spread, np.abs(off))
        np.clip(off, -most, most, out=off)
        spread += share * (np.abs(off) - spread)
        turn = (t % round(DAY_S * 1e9)) / (DAY_S * 1e9)
        cosine, sine = state.cosine.take(s), state.sine.take(s)
        cosine += share * (off * _wave(turn + 0.25) - cosine)
        sine += share * (off * _wave(turn) - sine)
        state.day[s], state.week[s], state.spread[s] = day, week, spread
        state.cosine[s], state.sine[s], state.newest_ns[s] = cosine, sine, t
        risen = self._causes.take(s) & (day - week >= each(self.stirred, s))
        if risen.any():
            state.stirred_ns[s[risen]] = t[risen]
        return NO_FINDINGS

    @staticmethod
    def _begin(state: FoulingState, s: NDArray[np.int32], t: I64, v: F64) -> None:
        state.day[s], state.week[s] = v, v
        state.cosine[s], state.sine[s], state.spread[s] = 0.0, 0.0, 0.0
        state.moment[s, BORN] = t

    @cached_property
    def _causes(self) -> NDArray[np.bool_]:
        causes: NDArray[np.bool_] = self.layout.role == 1
        return causes

    @cached_property
    def _judged(self) -> I64:
        """Rows that are judged at all."""
        rows = np.arange(len(self.layout))
        wanted = np.isfinite(each(self.swing, rows)) | np.isfinite(each(self.creep, rows))
        return np.flatnonzero(wanted & (self.layout.role == 0) & self.layout.live)

    def _calm(self, state: FoulingState, rows: I64, t_ns: int) -> NDArray[np.bool_]:
        """Whether the zone of each row has a cause, and none of its causes has risen for a week."""
        zone, cause = self.layout.zone, np.flatnonzero(self._causes)
        cause = cause[state.newest_ns[cause] != NONE]
        zones = 1 + zone.max(initial=-1)
        known = np.bincount(zone[cause], minlength=zones) > 0
        stirred = np.full(zones, NONE)
        np.maximum.at(stirred, zone[cause], state.stirred_ns[cause])
        calm: NDArray[np.bool_] = known & ((stirred == NONE) | (t_ns - np.maximum(stirred, 0) > LEARN_NS))
        return calm[zone[rows]]

    def tick(self, state: FoulingState, t_ns: int) -> FindingColumns:
        """One row for each series that has now swung or crept for long enough, or does so no more."""
        s = self._judged[state.newest_ns[self._judged] != NONE]
        if len(s) == 0:
            return NO_FINDINGS
        day, week, newest = state.day[s], state.week[s], state.newest_ns[s]
        moment, was = state.moment[s], state.level[s]
        ready = (newest - moment[:, BORN] >= LEARN_NS) & (t_ns - newest <= round(DAY_S * 1e9))
        wave = 2.0 * np.sqrt(state.cosine[s] ** 2 + state.sine[s] ** 2)
        pure = wave / np.maximum(state.spread[s], 1e-300)
        creep = each(self.sign, s) * (day - week) / np.maximum(np.abs(week), 1e-300)
        least, most = each(self.swing, s), each(self.creep, s)
        calm = self._calm(state, s, t_ns)
        swings = ready & (pure >= SWING_ON) & (wave >= least)
        creeps = ready & (creep >= most) & calm
        moment[:, SWINGS] = np.where(
            swings, np.where(moment[:, SWINGS] == NONE, t_ns, moment[:, SWINGS]), NONE
        )
        moment[:, CREEPS] = np.where(
            creeps, np.where(moment[:, CREEPS] == NONE, t_ns, moment[:, CREEPS]), NONE
        )
        hold = nanoseconds(self.hold_s, s)
        swung = swings & (t_ns - moment[:, SWINGS] >= hold)
        crept = creeps & (t_ns - moment[:, CREEPS] >= hold)
        goes_on = np.where(state.how[s] == 0, ready & (pure >= SWING_OFF), ready & (creep >= most / 2) & calm)
        opened = (was == 0) & (swung | crept)
        over = (was > 0) & ~goes_on & ~swings & ~creeps
        c = np.flatnonzero(opened | over)
        how = np.where(opened, np.where(swung, 0, 1), state.how[s])
        begun = np.maximum(np.where(how == 0, moment[:, SWINGS], moment[:, CREEPS]), moment[:, SINCE] + 1)
        moment[:, SINCE] = np.where(opened, begun, moment[:, SINCE])
        level = np.where(opened, each(self.level, s), np.where(over, 0, was)).astype(np.int8)
        state.moment[s], state.level[s], state.how[s] = moment, level, how
        if len(c) == 0:
            return NO_FINDINGS
        by_wave = how[c] == 0
        return say(
            s[c],
            t_ns=np.maximum(t_ns, moment[c, SINCE]),
            since_ns=moment[c, SINCE],
            level=level[c],
            value=np.where(by_wave, wave[c], creep[c]),
            limit=np.where(by_wave, least[c], most[c]),
            reason=np.where(level[c] == 0, 2, how[c]),
            numbers={"window_s": (t_ns - moment[c, SINCE]) / 1e9, "mean": day[c]},
        )


def _wave(turn: F64) -> F64:
    """A sine of ``turn`` turns, 0 to 2, by parabolas: exact in the same way on every machine, 6 % off at most."""
    x = turn % 1.0
    return np.asarray(np.where(x < 0.5, 16.0 * x * (0.5 - x), -16.0 * (x - 0.5) * (1.0 - x)), np.float64)
