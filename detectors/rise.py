"""Rise: how fast a level rises, and when it will be at the next rung."""

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Annotated, ClassVar

import numpy as np
from numpy import add, count_nonzero
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at, one
from detectors.state import Write, commit
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

Rung = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
Duration = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
NAN = float("nan")
Flags = NDArray[np.bool_]


@dataclass(slots=True, kw_only=True)
class RiseState:
    """State of n series.

    Attributes:
        t_ns: int64 (n,), time of the newest reading; NONE.
        value: float64 (n,), the newest value.
        before: float64 (n,), the one before.
        x: float64 (n,), the filtered level.
        rate: float64 (n,), its rate per minute.
        followed: bool (n,), whether the filter runs: the water is high enough, or something is said.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
        calm_ns: int64 (n,), since when no rung is near any more; NONE.
    """

    t_ns: I64
    value: F64
    before: F64
    x: F64
    rate: F64
    followed: Flags
    level: I8
    since_ns: I64
    calm_ns: I64


@dataclass(frozen=True, kw_only=True)
class Rise:
    """A warning that a level, rising as it does, will reach a rung within ``lead_s``.

    The readings v, a median of three of them against single splashes, pass a fading-memory filter of level x and
    rate r, for any interval dt::

        theta = exp(-dt / smooth_s);  e = median - (x + r dt)
        x <- x + r dt + (1 - theta^2) e;   r <- r + (1 - theta)^2 e / dt

    A rung L above v is near when ``r >= min_rate`` and ``v + r lead_s >= L``. The level said is that of the most
    severe rung near; it only rises within an episode, which is over when none has been near for ``hold_s``, or at a
    tick at which the series has been silent for ``silence_s``. ``numbers``: ``rate`` (units a minute), ``minutes``
    (until ``limit``, the rung of the level said), ``next`` and ``next_minutes`` (the first rung above v).

    Args:
        rung_i: rung of level I, unit of the metric; NaN: there is none. Likewise the others.
        from_value: below it nothing is followed; NaN: always.
        min_rate: units of the metric a minute, > 0.
        lead_s: how far ahead, s.
        smooth_s: memory of the filter, s.
        gap_s: after a longer gap the filter begins anew, s.
        hold_s: s.
        silence_s: s.

    Blind to: what makes it rise; a rise within one interval (the ladder sees that); a level that has turned since the
    last reading. The first two readings after a gap give no rate. Ignores NaN and readings marked SUSPECT.

    Source: Morrison, Introduction to Sequential Smoothing and Prediction (1969), fading-memory filter of degree 1.

    >>> from yiwang.columns import Readings
    >>> rise = Rise(rung_iii=15.0, rung_ii=27.0, from_value=2.0, min_rate=0.3, lead_s=1200.0, smooth_s=120.0,
    ...             gap_s=1800.0, hold_s=600.0, silence_s=3600.0)
    >>> state = rise.start(1)
    >>> for minute, depth in enumerate([0, 0, 1, 2, 3, 4, 5, 6]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, depth, 0)])
    ...     found = rise.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for i, level in enumerate(found.level):
    ...         print(minute, depth, "level", level, "limit", found.limit[i],
    ...               *(f"{name} {column[i]:.1f}" for name, column in found.numbers.items()))
    6 5 level 3 limit 15.0 rate 0.5 minutes 19.5 next 15.0 next_minutes 19.5
    """

    name: ClassVar[str] = "rise"
    atomic: ClassVar[bool] = True
    roles: ClassVar[tuple[str, ...]] = ("main",)
    reasons: ClassVar[tuple[str, ...]] = ("rise.near", "rise.over", "rise.silent")
    wants_late: ClassVar[bool] = False

    rung_i: Rung = NAN
    rung_ii: Rung = NAN
    rung_iii: Rung = NAN
    rung_iv: Rung = NAN
    from_value: Rung = NAN
    min_rate: Annotated[Param, Spec(unit="metric/min", lo=1e-9, hi=1e9)]
    lead_s: Duration
    smooth_s: Annotated[Param, Spec(unit="s", lo=1, hi=86_400)]
    gap_s: Duration
    hold_s: Duration
    silence_s: Duration

    @cached_property
    def _rungs(self) -> F64:
        """Rungs, most severe first: float64 (n, 4) or (4,)."""
        rungs = (self.rung_i, self.rung_ii, self.rung_iii, self.rung_iv)
        return np.stack(np.broadcast_arrays(*(np.asarray(one(p), np.float64) for p in rungs)), axis=-1)

    @cached_property
    def _ask(self) -> F64:
        """What a reading is held against before anything is worked out: float64 (n, 2) or (2,).

        The value from which it is followed, and the highest rung: above that there is none to come near, and a series
        without rungs is never followed.
        """
        floor = np.nan_to_num(np.asarray(self.from_value, np.float64), nan=-np.inf)
        top = np.nan_to_num(np.fmax.reduce(self._rungs, axis=-1), nan=-np.inf)
        return np.stack(np.broadcast_arrays(floor, top), axis=-1)

    @cached_property
    def _set(self) -> F64:
        """float64 (n, 4) or (4,): gap, s; memory, s; least rate; lead, minutes."""
        lead_min = np.asarray(self.lead_s, np.float64) / 60.0
        own = (self.gap_s, self.smooth_s, self.min_rate, lead_min)
        return np.stack(np.broadcast_arrays(*(np.asarray(p, np.float64) for p in own)), axis=-1)

    def start(self, n: int) -> RiseState:
        """``n`` series of which nothing is known."""
        return RiseState(
            t_ns=np.full(n, NONE),
            value=np.zeros(n),
            before=np.zeros(n),
            x=np.zeros(n),
            rate=np.zeros(n),
            followed=np.zeros(n, np.bool_),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            calm_ns=np.full(n, NONE),
        )

    @cached_property
    def _from(self) -> Param:
        return one(self.from_value)

    @cached_property
    def _least(self) -> Param:
        return one(self.min_rate)

    @cached_property
    def _smooth_s(self) -> Param:
        return one(self.smooth_s)

    @cached_property
    def _gap_s(self) -> Param:
        return one(self.gap_s)

    @cached_property
    def _lead_min(self) -> Param:
        return one(self.lead_s / 60.0)

    def step(self, state: RiseState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        s, v, t = r.index(), r.value, r.t_ns
        if not r.clean:
            used = usable(v, r.quality).nonzero()[0]
            s, v, t = s.take(used), v.take(used), t.take(used)
        was = state.followed.take(s)
        under = v < at(self._from, s)
        idle = under & ~was
        writes: list[Write] = []
        if count_nonzero(idle):  # only what the filter needs to begin with
            low, rows = idle.nonzero()[0], (~idle).nonzero()[0]
            k = s.take(low)
            writes += [(state.value, k, v.take(low)), (state.t_ns, k, t.take(low))]
            s, v, t, was, under = s.take(rows), v.take(rows), t.take(rows), was.take(rows), under.take(rows)
        found = self._follow(state, s, t, v, was, under, writes) if len(s) else NO_FINDINGS
        commit(writes)
        return found

    def _follow(
        self, state: RiseState, s: I64, t: I64, v: F64, was: Flags, under: Flags, writes: list[Write]
    ) -> FindingColumns:
        """Filter, and hold against the rungs."""
        last_ns = state.t_ns.take(s)
        last, two = state.value.take(s), state.before.take(s)
        x, rate = state.x.take(s), state.rate.take(s)
        dt_s = (t - last_ns) / 1e9
        fresh = dt_s > at(self._gap_s, s)
        if count_nonzero(fresh) or count_nonzero(was) < len(s):
            # a series that begins to be followed goes on from its last low reading, unless that is too old
            never = last_ns == NONE
            fresh |= never
            begins = (fresh | ~was).nonzero()[0]
            dt_s[never.nonzero()[0]] = 0.0
            anew = np.where(fresh[begins], v[begins], last[begins])
            last[begins] = anew
            two[begins] = anew
            x[begins] = anew
            rate[begins] = 0.0
        lower, median = np.minimum(v, last), np.maximum(v, last)
        np.minimum(median, two, out=median)
        np.maximum(lower, median, out=median)
        dt = np.divide(dt_s, 60.0, out=two)
        np.maximum(dt, 1e-9, out=dt)  # a fresh last has no interval, and no error either
        np.negative(dt_s, out=dt_s)
        dt_s /= at(self._smooth_s, s)
        theta = np.exp(dt_s, out=dt_s)
        x += np.multiply(rate, dt, out=lower)
        with np.errstate(over="ignore", invalid="ignore"):  # absurd readings give absurd rates, for a while
            error = np.subtract(median, x, out=median)
            share = np.multiply(theta, theta, out=lower)
            np.subtract(1.0, share, out=share)
            x += np.multiply(share, error, out=share)
            np.subtract(1.0, theta, out=theta)
            theta **= 2
            theta *= error
            theta /= dt
            rate += theta
            bounded = isfinite(add.reduce(rate) + add.reduce(x))
        if not bounded:
            rate[~np.isfinite(rate)] = 0.0
            x = np.where(np.isfinite(x), x, v)
        np.maximum(rate, -1e12, out=rate)
        np.minimum(rate, 1e12, out=rate)
        writes += [
            (state.value, s, v),
            (state.before, s, last),
            (state.x, s, x),
            (state.rate, s, rate),
            (state.t_ns, s, t),
        ]
        on = ~under
        if count_nonzero(on != was):
            writes.append((state.followed, s, on))

        busy = state.level.take(s) > 0
        rising = rate >= at(self._least, s)
        rising &= on
        if not (count_nonzero(rising) or count_nonzero(busy)):
            return NO_FINDINGS
        severe = np.zeros(len(s), np.int8)
        up = rising.nonzero()[0]
        if len(up):
            rungs = self._rungs[s[up]] if self._rungs.ndim == 2 else self._rungs
            above = rungs - v[up, None]
            near = (above > 0) & (above <= (rate[up] * at(self._lead_min, s[up]))[:, None])
            severe[up] = np.where(near.any(axis=1), near.argmax(axis=1) + 1, 0)
            busy |= severe > 0
        rows = busy.nonzero()[0]
        if len(rows) == 0:
            return NO_FINDINGS
        return self._judge(state, s[rows], t[rows], v[rows], rate[rows], severe[rows], on[rows], writes)

    def _judge(
        self, state: RiseState, s: I64, t: I64, v: F64, rate: F64, severe: I8, on: Flags, writes: list[Write]
    ) -> FindingColumns:
        """Of series near a rung, or of which something is said, the levels."""
        old = state.level[s]
        calm = np.where(severe > 0, NONE, np.where(state.calm_ns[s] == NONE, t, state.calm_ns[s]))
        over = (old > 0) & (severe == 0) & ((t - calm) / 1e9 >= at(self.hold_s, s))
        new = np.where(over, 0, np.where((severe > 0) & ((old == 0) | (severe < old)), severe, old))
        new = new.astype(np.int8)
        writes += [
            (state.calm_ns, s, np.where(new > 0, calm, NONE)),
            (state.followed, s, on | (new > 0)),
        ]
        c = (new != old).nonzero()[0]
        if len(c) == 0:
            return NO_FINDINGS
        k = s[c]
        since = np.where(old[c] == 0, t[c], state.since_ns[k])
        writes += [(state.level, s, new), (state.since_ns, k, np.where(new[c] == 0, NONE, since))]
        return self._said(k, t[c], v[c], rate[c], since, new[c])

    def _said(self, s: I64, t: I64, v: F64, rate: F64, since: I64, level: I8) -> FindingColumns:
        rungs = np.broadcast_to(self._rungs[s] if self._rungs.ndim == 2 else self._rungs, (len(s), 4))
        own = rungs[np.arange(len(s)), np.maximum(level, 1) - 1]
        higher = np.where(rungs > v[:, None], rungs, np.inf).min(axis=1)
        said = level > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            minutes = np.where(said, (own - v) / rate, np.nan)
            next_minutes = np.where(said, (higher - v) / rate, np.nan)
        return FindingColumns(
            series=s.astype(np.int32),
            t_ns=t,
            since_ns=since,
            level=level,
            value=v,
            limit=np.where(said, own, v),
            reason=np.where(said, 0, 1).astype(np.uint8),
            numbers={
                "rate": rate,
                "minutes": minutes,
                "next": np.where(said, higher, np.nan),
                "next_minutes": next_minutes,
            },
        )

    def rests(self, state: RiseState) -> bool:
        """Whether no tick would say or change anything."""
        return not state.level.any()

    def tick(self, state: RiseState, t_ns: int) -> FindingColumns:
        """One row for each series that fell silent while something was said of it."""
        s = np.flatnonzero(state.level).astype(np.int32)
        gone = np.flatnonzero((t_ns - state.t_ns[s]) / 1e9 >= at(self.silence_s, s)) if len(s) else s
        if len(gone) == 0:
            return NO_FINDINGS
        s = s[gone]
        since, value = state.since_ns[s], state.value[s]
        found = FindingColumns(
            series=s,
            t_ns=np.maximum(t_ns, state.t_ns[s]),
            since_ns=since,
            level=np.zeros(len(s), np.int8),
            value=value,
            limit=value,
            reason=np.full(len(s), 2, np.uint8),
        )
        commit([(state.level, s, 0), (state.since_ns, s, NONE), (state.calm_ns, s, NONE)])
        return found

    def gauge(self, state: RiseState) -> tuple[F64, F64]:
        """The rate a minute of each series, and the least that counts."""
        least = np.broadcast_to(np.asarray(self.min_rate, np.float64), len(state.level))
        return np.where(state.followed, state.rate, np.nan), least
