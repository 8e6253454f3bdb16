"""Noise: a value that trembles more than it ever did."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import usable
from detectors.protocol import Param, Quiet, Spec
from detectors.saying import NONE, each, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

NAN = float("nan")
LONG = 32
"""The usual tremor is learnt over so many times ``window_s``, the tremor of now over one."""
FEW = 10.0
"""Intervals that a window has at least."""
LOUD = 4.0
"""What one reversal counts at most in the tremor of now, in limits."""
MOST = 4.0
"""What one reversal counts at most, in usual tremors, when that is learnt."""


@dataclass(slots=True, kw_only=True)
class NoiseState:
    """State of n series.

    Attributes:
        value: float64 (n,), newest value; NaN before the first.
        step: float64 (n,), newest step.
        now: float64 (n,), tremor of now.
        usual: float64 (n,), usual tremor.
        newest_ns: int64 (n,), newest reading.
        since_ns: int64 (n,), begin of the newest episode; NONE before the first.
        turn_ns: int64 (n,), since when the tremor speaks against ``level``; NONE while it does not.
        level: int8 (n,), level said; 0 none.
    """

    value: F64
    step: F64
    now: F64
    usual: F64
    newest_ns: I64
    since_ns: I64
    turn_ns: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Noise(Quiet):
    """More tremor than usual, where tremor is what comes and goes.

    Of two readings in a row with steps d, d' of opposite signs it is ``a = min(|d|, |d'|)``, else 0. So a flood, which
    rises or falls, is no noise, however fast. With A the mean of a over ``window_s`` (at least ten intervals) and U over 32 times that (never below ``noise``), the value is too noisy once
    ``A >= ratio * U`` has held for half of ``window_s``, and over once ``A < ratio / 2 * U`` has held for ``window_s``. While
    it is too noisy U is learnt ten times slower.

    Args:
        noise: usual tremor of the metric, its unit: the least that U is taken to be; NaN: the check is off.
        ratio: 1.5 to 1000.
        window_s: s, 1 to 30 days.
        level: level of the finding, 1 to 4.

    Blind to: noise that is low; noise slower than the readings; a single spike (that is ``jump``: a spike is one
    reversal, and half of ``window_s`` passes before anything is said). Ignores NaN and readings marked SUSPECT.

    Source: P; type E (high variability) of Leigh et al. 2019, Science of the Total Environment 664. The sum of
    reversals is the excess of total variation over net change.

    >>> rng = np.random.default_rng(1)
    >>> noise = Noise(noise=0.2, ratio=6.0, window_s=1200.0, level=4.0)
    >>> state = noise.start(1)
    >>> for minute in range(200):
    ...     depth = 20 * (40 < minute < 60) + (0.3 if minute < 100 else 8) * rng.normal()
    ...     r = Round(series=np.array([0], np.int32), t_ns=np.array([minute * 60_000_000_000]),
    ...               value=np.array([depth]), quality=np.zeros(1, np.uint8))
    ...     for level, since in zip(*(lambda f: (f.level, f.since_ns))(noise.step(state, r))):
    ...         print(minute, "level", level, "since", since // 60_000_000_000)
    121 level 4 since 111
    """

    name: ClassVar[str] = "noise"
    reasons: ClassVar[tuple[str, ...]] = ("noise.high", "noise.usual")

    noise: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)]
    ratio: Annotated[Param, Spec(unit="", lo=1.5, hi=1000)]
    window_s: Annotated[Param, Spec(unit="s", lo=1, hi=30 * 86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> NoiseState:
        """``n`` series that have said nothing."""
        return NoiseState(
            value=np.full(n, np.nan),
            step=np.zeros(n),
            now=np.zeros(n),
            usual=np.zeros(n),
            newest_ns=np.full(n, NONE),
            since_ns=np.full(n, NONE),
            turn_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: NoiseState, r: Round) -> FindingColumns:
        """One row for each series that is too noisy now, or as quiet as usual again."""
        floor = each(self.noise, r.series)
        good = usable(r.value, r.quality) & (np.abs(r.value) < 1e100) & np.isfinite(floor)
        s, t, v = r.series, r.t_ns, r.value
        if not good.all():
            s, t, v, floor = s[good], t[good], v[good], floor[good]
        if len(s) == 0:
            return NO_FINDINGS
        d = v - state.value.take(s)
        d[np.isnan(d)] = 0.0
        before = state.step.take(s)
        a = np.minimum(np.abs(d), np.abs(before))
        a *= d * before < 0
        # before the first reading is long ago: nothing is left of what stood there
        gap_s = (t - np.maximum(state.newest_ns.take(s), 0)) * 1e-9
        window = np.maximum(each(self.window_s, s), FEW * gap_s)
        now, usual = state.now.take(s), state.usual.take(s)
        ratio = each(self.ratio, s)
        # one reversal, however high, is a spike; never more than a tenth of it enters
        now += gap_s / (window + gap_s) * (np.minimum(a, LOUD * ratio * np.maximum(usual, floor)) - now)
        open_ = state.level.take(s) > 0
        np.minimum(a, MOST * usual, out=a)
        usual += gap_s / (window * np.where(open_, 10.0 * LONG, LONG) + gap_s) * (a - usual)
        np.maximum(usual, floor, out=usual)
        state.value[s], state.step[s], state.now[s], state.usual[s], state.newest_ns[s] = v, d, now, usual, t
        limit = ratio * usual
        against = np.where(open_, now < limit / 2, now >= limit)
        turn = state.turn_ns.take(s)
        busy = np.flatnonzero(against | (turn != NONE))
        if len(busy) == 0:
            return NO_FINDINGS
        return self._turn(state, s[busy], t[busy], against[busy], now[busy], limit[busy], window[busy])

    def _turn(
        self,
        state: NoiseState,
        s: NDArray[np.int32],
        t: I64,
        against: NDArray[np.bool_],
        now: F64,
        limit: F64,
        window_s: F64,
    ) -> FindingColumns:
        """The few series whose tremor speaks against what was said."""
        turn = np.where(against, np.where(state.turn_ns[s] == NONE, t, state.turn_ns[s]), NONE)
        open_ = state.level[s] > 0
        wait = np.rint(np.where(open_, window_s, window_s / 2) * 1e9).astype(np.int64)
        c = np.flatnonzero(against & (t - turn >= wait))
        k, was = s[c], open_[c]
        state.turn_ns[s] = turn
        state.turn_ns[k] = NONE
        state.since_ns[k] = np.where(was, state.since_ns[k], np.maximum(turn[c], state.since_ns[k] + 1))
        state.level[k] = np.where(was, 0, each(self.level, k))
        return say(
            k,
            t_ns=np.maximum(t[c], state.since_ns[k]),
            since_ns=state.since_ns[k],
            level=state.level[k],
            value=now[c],
            limit=np.where(was, limit[c] / 2, limit[c]),
            reason=was.astype(np.uint8),
        )
