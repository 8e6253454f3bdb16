"""Still: a value that has not moved for longer than it ever stays the same in a healthy sensor."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import usable
from detectors.protocol import Param, Quiet, Spec, at, one
from detectors.saying import NONE, each, say
from detectors.state import Write, commit
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class StillState:
    """State of n series.

    Attributes:
        anchor: float64 (n,), the value it has stayed near; NaN before the first.
        anchor_ns: int64 (n,), since when.
        level: int8 (n,), level said; 0 none.
    """

    anchor: F64
    anchor_ns: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Still(Quiet):
    """A stuck or lifeless value: ``|v - a| <= still_band`` for ``still_s`` of event time, a the value it began with.

    Over with the first reading outside the band, which becomes the new a. A value at or below ``idle`` may stay as
    long as it likes: a dry gauge reads 0 for weeks.

    Args:
        still_s: s, 0 to 400 days; NaN: the check is off.
        still_band: what counts as no change, unit of the metric, >= 0.
        idle: at or below it stillness is normal, unit of the metric; NaN: nowhere.
        level: level of the finding, 1 to 4.

    Blind to: a sensor stuck at its idle value (only its neighbours could tell); one that sticks with noise wider than
    the band; a series that is silent (that is ``silence``). Ignores NaN and readings marked SUSPECT.

    Source: the flat-line test of QARTOD (U.S. IOOS, Manual for Real-Time Quality Control of Water Level Data, 2021,
    test 8), with time instead of a count of readings.

    >>> from yiwang.columns import Readings
    >>> still = Still(still_s=180.0, still_band=0.1, idle=0.0, level=4.0)
    >>> state = still.start(1)
    >>> for minute, depth in enumerate([0, 0, 0, 0, 0, 7, 7, 7.05, 7, 7, 8]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, depth, 0)])
    ...     found = still.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, since, reason in zip(found.level, found.since_ns, found.reason):
    ...         print(minute, depth, "level", level, "since", since // 60_000_000_000, still.reasons[reason])
    8 7 level 4 since 5 still.stuck
    10 8 level 0 since 5 still.moves
    """

    name: ClassVar[str] = "still"
    atomic: ClassVar[bool] = True
    reasons: ClassVar[tuple[str, ...]] = ("still.stuck", "still.moves")

    still_s: Annotated[Param, Spec(unit="s", lo=0, hi=400 * 86_400, absent=True)]
    still_band: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = 0.0
    idle: Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)] = NAN
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    @cached_property
    def _band(self) -> Param:
        return one(np.nan_to_num(one(self.still_band)))

    @cached_property
    def _idle(self) -> Param:
        return one(self.idle)

    @cached_property
    def _still_ns(self) -> Param:
        """NaN, which no time reaches, where the check is off."""
        return one(self.still_s) * 1e9

    def start(self, n: int) -> StillState:
        """``n`` series that have said nothing."""
        return StillState(anchor=np.full(n, np.nan), anchor_ns=np.full(n, NONE), level=np.zeros(n, np.int8))

    def step(self, state: StillState, r: Round) -> FindingColumns:
        """One row for each series that is stuck now, or moves again."""
        s, v, t = r.index(), r.value, r.t_ns
        if not r.clean:
            good = usable(v, r.quality).nonzero()[0]
            s, v, t = s.take(good), v.take(good), t.take(good)
        with np.errstate(invalid="ignore", over="ignore"):
            same = np.abs(v - state.anchor.take(s)) <= at(self._band, s)
        moved, said = (~same).nonzero()[0], state.level.take(s)
        m = s.take(moved)
        writes: list[Write] = [
            (state.anchor, m, v.take(moved)),
            (state.anchor_ns, m, t.take(moved)),
        ]
        freed = moved[said.take(moved) > 0]
        if len(freed):
            writes.append((state.level, s[freed], 0))
        stuck = freed[:0]
        if len(moved) < len(s):
            held = same.nonzero()[0]
            h = s.take(held)
            with np.errstate(invalid="ignore"):
                due = t.take(held) - state.anchor_ns.take(h) >= at(self._still_ns, h)
                due &= said.take(held) == 0
                due &= ~(v.take(held) <= at(self._idle, h))
            stuck = held[due]
        if len(stuck) == 0 and len(freed) == 0:
            commit(writes)
            return NO_FINDINGS
        k = s[stuck]
        level = each(self.level, k).astype(np.int8)
        writes.append((state.level, k, level))
        rows = np.concatenate((stuck, freed))
        since = np.concatenate((state.anchor_ns[k], state.anchor_ns[s[freed]]))
        found = say(
            s[rows],
            t_ns=t[rows],
            since_ns=since,
            level=np.concatenate((level, np.zeros(len(freed), np.int8))),
            value=v[rows],
            limit=np.nan_to_num(each(self.still_band, s[rows])),
            reason=np.repeat([0, 1], (len(stuck), len(freed))),
            numbers={"window_s": (t[rows] - since) / 1e9},
        )
        commit(writes)
        return found
