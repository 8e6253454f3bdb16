"""Bounds: a value that cannot be."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from detectors.protocol import Param, Quiet, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import I8, I64, NO_FINDINGS, FindingColumns, Round

Bound = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class BoundsState:
    """State of n series.

    Attributes:
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), first impossible reading of the episode; NONE while there is none.
        back_ns: int64 (n,), since when readings have been possible again, NONE while they are not.
    """

    level: I8
    since_ns: I64
    back_ns: I64


@dataclass(frozen=True, kw_only=True)
class Bounds(Quiet):
    """A value below ``least`` or above ``most``: negative turbidity, river water purer than rain.

    Said at the very reading; over once readings have been possible for ``hold_s`` of event time.

    Args:
        least: least value that physics allows, unit of the metric; NaN: no such bound.
        most: greatest, likewise.
        hold_s: s, 0 to 30 days.
        level: level of the finding, 1 to 4.

    Blind to: a wrong value that is possible; a value outside the metric's range, which ingest keeps out as a dead
    letter (the series is then silent). Takes readings marked SUSPECT too; ignores NaN.

    Source: the gross-range test of QARTOD (U.S. IOOS 2021, test 4); types F and G of Leigh et al. 2019, Science of
    the Total Environment 664.

    >>> from yiwang.columns import Readings
    >>> bounds = Bounds(least=5.0, hold_s=120.0, level=4.0)
    >>> state = bounds.start(1)
    >>> for minute, cond in enumerate([54, 0.3, -0.02, 184, 0.8, 243, 243, 242]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, cond, 0)])
    ...     found = bounds.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, limit, reason in zip(found.level, found.limit, found.reason):
    ...         print(minute, cond, "level", level, "limit", limit, bounds.reasons[reason])
    1 0.3 level 4 limit 5.0 bounds.low
    7 242 level 0 limit 5.0 bounds.back
    """

    name: ClassVar[str] = "bounds"
    reasons: ClassVar[tuple[str, ...]] = ("bounds.low", "bounds.high", "bounds.back")

    least: Bound = NAN
    most: Bound = NAN
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=30 * 86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> BoundsState:
        """``n`` series that have said nothing."""
        return BoundsState(level=np.zeros(n, np.int8), since_ns=np.full(n, NONE), back_ns=np.full(n, NONE))

    def step(self, state: BoundsState, r: Round) -> FindingColumns:
        """One row for each series whose value is impossible now, or has been possible for long enough."""
        low = r.value < each(self.least, r.series)
        high = r.value > each(self.most, r.series)
        wrong = (low | high) & np.isfinite(r.value)
        busy = np.flatnonzero(wrong | ((state.level[r.series] > 0) & np.isfinite(r.value)))
        if len(busy) == 0:
            return NO_FINDINGS
        s, t, bad = r.series[busy], r.t_ns[busy], wrong[busy]
        back = np.where(bad, NONE, np.where(state.back_ns[s] == NONE, t, state.back_ns[s]))
        opened = bad & (state.level[s] == 0)
        over = ~bad & (t - back >= nanoseconds(self.hold_s, s))
        since = np.where(opened, t, state.since_ns[s])
        state.level[s] = np.where(opened, each(self.level, s), np.where(over, 0, state.level[s]))
        state.since_ns[s] = np.where(over, NONE, since)
        state.back_ns[s] = np.where(over, NONE, back)
        change = np.flatnonzero(opened | over)
        rows, s = busy[change], s[change]
        below, least, most = low[rows], each(self.least, s), each(self.most, s)
        calm = np.where(np.isnan(least) | (r.value[rows] - least > most - r.value[rows]), most, least)
        return say(
            s,
            t_ns=t[change],
            since_ns=since[change],
            level=state.level[s],
            value=r.value[rows],
            limit=np.where(below, least, np.where(high[rows], most, calm)),
            reason=np.where(over[change], 2, np.where(below, 0, 1)),
        )
