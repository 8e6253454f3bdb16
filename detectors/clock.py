"""Clock: a device whose times cannot be believed."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from detectors.protocol import Param, Quiet, Spec
from detectors.saying import NONE, each, say
from yiwang.columns import I8, I64, NO_FINDINGS, FindingColumns, Quality, Round

MOST = 100
"""Readings in a row that are counted; more change nothing."""


@dataclass(slots=True, kw_only=True)
class ClockState:
    """State of n series.

    Attributes:
        run: int8 (n,), readings in a row that speak against ``level``: wrong clock while it is 0, right while not.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), first wrong reading of the run or episode; NONE while there is none.
    """

    run: I8
    level: I8
    since_ns: I64


@dataclass(frozen=True, kw_only=True)
class Clock(Quiet):
    """``count`` readings in a row whose own time was wrong, so that they bear the time of arrival (CLOCK).

    Which times are wrong (ahead of us, or far past) is decided where readings come in; here it becomes a matter of
    maintenance. Over after ``count`` readings in a row with a credible time.

    Args:
        count: readings, 1 to 100.
        level: level of the finding, 1 to 4.

    Blind to: a clock that is wrong by less than ingest allows.

    Source: P, a run rule; the value said is the number of readings in a row.

    >>> from yiwang.columns import Readings
    >>> clock = Clock(count=3.0, level=4.0)
    >>> state = clock.start(1)
    >>> for minute, quality in enumerate([0, 2, 0, 2, 2, 2, 2, 0, 0, 0]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, 1.0, quality)])
    ...     found = clock.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, since, reason in zip(found.level, found.since_ns, found.reason):
    ...         print(minute, "level", level, "since", since // 60_000_000_000, clock.reasons[reason])
    5 level 4 since 3 clock.wrong
    9 level 0 since 3 clock.right
    """

    name: ClassVar[str] = "clock"
    reasons: ClassVar[tuple[str, ...]] = ("clock.wrong", "clock.right")

    count: Annotated[Param, Spec(unit="readings", lo=1, hi=MOST, whole=True)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> ClockState:
        """``n`` series that have said nothing."""
        return ClockState(run=np.zeros(n, np.int8), level=np.zeros(n, np.int8), since_ns=np.full(n, NONE))

    def step(self, state: ClockState, r: Round) -> FindingColumns:
        """One row for each series whose clock is now known to be wrong, or right again."""
        wrong = (r.quality & Quality.CLOCK) != 0
        busy = np.flatnonzero(wrong | ((state.run[r.series] | state.level[r.series]) != 0))
        if len(busy) == 0:
            return NO_FINDINGS
        s, t, bad = r.series[busy], r.t_ns[busy], wrong[busy]
        open_ = state.level[s] > 0
        run = np.where(bad != open_, np.minimum(state.run[s] + 1, MOST), 0)
        state.since_ns[s] = np.where(bad & ~open_ & (run == 1), t, state.since_ns[s])
        state.run[s] = run
        turned = np.flatnonzero(run >= each(self.count, s))
        if len(turned) == 0:
            return NO_FINDINGS
        k, was = s[turned], open_[turned]
        state.run[k] = 0
        state.level[k] = np.where(was, 0, each(self.level, k))
        return say(
            k,
            t_ns=t[turned],
            since_ns=state.since_ns[k],
            level=state.level[k],
            value=run[turned],
            limit=each(self.count, k),
            reason=was.astype(np.uint8),
        )
