"""Rollback: a counter that runs backwards, because it was reset or swapped."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import usable
from detectors.protocol import Param, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round


@dataclass(slots=True, kw_only=True)
class RollbackState:
    """State of n series.

    Attributes:
        newest: float64 (n,), newest value; NaN before the first.
        since_ns: int64 (n,), the first reset of the newest episode; NONE before one.
        reset_ns: int64 (n,), newest reset; NONE before one.
        level: int8 (n,), level said; 0 none.
    """

    newest: F64
    since_ns: I64
    reset_ns: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """An accumulating value that falls: ``v < v' - back``. Over ``hold_s`` after the last time.

    Args:
        back: how far a sound counter may seem to fall (rounding), unit of the metric; NaN: it is no counter.
        hold_s: s, 0 to 30 days.
        level: level of the finding, 1 to 4.

    Blind to: a reset while it stood near 0; a counter that runs over at its greatest value looks the same. What the
    counter measured is not lost by it: detectors of sums take the value after a reset as the increase. Ignores NaN and
    readings marked SUSPECT.

    Source: domain.md F1: 累计降水 counters can reset.

    >>> from yiwang.columns import Readings
    >>> rollback = Rollback(back=0.0, hold_s=120.0, level=4.0)
    >>> state = rollback.start(1)
    >>> for minute, mm in enumerate([100, 102, 103, 0.2, 1, 1, 2]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, mm, 0)])
    ...     r = Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality)
    ...     for found in (rollback.step(state, r), rollback.tick(state, minute * 60_000_000_000)):
    ...         for level, value, limit, reason in zip(found.level, found.value, found.limit, found.reason):
    ...             print(minute, "level", level, value, "after", limit, rollback.reasons[reason])
    3 level 4 0.2 after 103.0 rollback.reset
    5 level 0 1.0 after 1.0 rollback.runs
    """

    name: ClassVar[str] = "rollback"
    reasons: ClassVar[tuple[str, ...]] = ("rollback.reset", "rollback.runs")
    wants_late: ClassVar[bool] = False

    back: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> RollbackState:
        """``n`` series that have said nothing."""
        return RollbackState(
            newest=np.full(n, np.nan),
            since_ns=np.full(n, NONE),
            reset_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: RollbackState, r: Round) -> FindingColumns:
        """One row for each series that has run backwards, unless that was said."""
        good = np.flatnonzero(usable(r.value, r.quality))
        s, v = r.series[good], r.value[good]
        newest = state.newest.take(s)
        state.newest[s] = v
        with np.errstate(invalid="ignore"):
            fell = np.flatnonzero(v < newest - each(self.back, s))
        if len(fell) == 0:
            return NO_FINDINGS
        k, t = s[fell], r.t_ns[good[fell]]
        state.reset_ns[k] = t
        new = state.level[k] == 0
        k, t, fell = k[new], t[new], fell[new]
        state.since_ns[k] = t
        state.level[k] = each(self.level, k)
        return say(k, t_ns=t, since_ns=t, level=state.level[k], value=v[fell], limit=newest[fell], reason=0)

    def rests(self, state: RollbackState) -> bool:
        """Whether no tick would say or change anything."""
        return not state.level.any()

    def tick(self, state: RollbackState, t_ns: int) -> FindingColumns:
        """One row for each series that has run forwards for long enough."""
        s = np.flatnonzero(state.level)
        s = s[t_ns - state.reset_ns[s] >= nanoseconds(self.hold_s, s)]
        if len(s) == 0:
            return NO_FINDINGS
        state.level[s] = 0
        newest = state.newest[s]
        return say(s, t_ns=t_ns, since_ns=state.since_ns[s], level=0, value=newest, limit=newest, reason=1)
