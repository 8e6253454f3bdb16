"""Ladder: a value against up to four rungs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors import latch
from detectors.latch import Bank, LatchState, Turned
from detectors.protocol import Param, Quiet, Spec, one
from detectors.state import commit
from yiwang.columns import NO_FINDINGS, FindingColumns, Round

Rung = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
Width = Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)]
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Ladder(Quiet):
    """The level of a value that is worse the higher it is.

    Level l (I is 1, IV is 4) is reached by the very reading with ``v >= rung_l``; it is left when ``v < rung_l - h_l``
    has held for ``hold_s`` of event time, from reading to reading. The level said is the most severe one reached and
    not left. Rungs need no order: a closure depth above rung I simply never decides.

    Args:
        rung_i: rung of level I, unit of the metric; NaN: there is none. Likewise ``rung_ii``, ``rung_iii``, ``rung_iv``.
        hysteresis: h_l for all rungs, unit of the metric, >= 0.
        hysteresis_i: h_l for rung I instead; NaN: as ``hysteresis``. Likewise for the others.
        hold_s: how long a value must stay below, s, 0 to one day.

    Blind to: how fast a value rises; a sensor that falls silent or sticks (the level stays as it was); a value that
    creeps up because the sensor drifts. Ignores NaN and readings marked SUSPECT altogether: they neither raise nor
    calm; readings stamped with ingest time (CLOCK) are used.

    Source: a Schmitt trigger with off-delay per rung; level and hysteresis as in domain.md C3.

    >>> from yiwang.columns import Readings
    >>> ladder = Ladder(rung_iii=10.0, rung_ii=30.0, hysteresis=2.0, hold_s=120.0)
    >>> state = ladder.start(1)
    >>> for minute, depth in enumerate([4, 10, 35, 9, 7, 7, 7]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, depth, 0)])
    ...     found = ladder.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, limit, reason in zip(found.level, found.limit, found.reason):
    ...         print(minute, depth, "level", level, "limit", limit, ladder.reasons[reason])
    1 10 level 3 limit 10.0 ladder.above
    2 35 level 2 limit 30.0 ladder.above
    5 7 level 3 limit 28.0 ladder.below
    6 7 level 0 limit 8.0 ladder.below
    """

    name: ClassVar[str] = "ladder"
    reasons: ClassVar[tuple[str, ...]] = ("ladder.above", "ladder.below")
    atomic: ClassVar[bool] = True

    rung_i: Rung = NAN
    rung_ii: Rung = NAN
    rung_iii: Rung = NAN
    rung_iv: Rung = NAN
    hysteresis: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)]
    hysteresis_i: Width = NAN
    hysteresis_ii: Width = NAN
    hysteresis_iii: Width = NAN
    hysteresis_iv: Width = NAN
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]

    @cached_property
    def _bank(self) -> Bank:
        own = (self.hysteresis_i, self.hysteresis_ii, self.hysteresis_iii, self.hysteresis_iv)
        return Bank.of(
            limit=(self.rung_i, self.rung_ii, self.rung_iii, self.rung_iv),
            hysteresis=[np.where(np.isnan(h), one(self.hysteresis), h) for h in map(one, own)],
            level=(1.0, 2.0, 3.0, 4.0),
            on_s=0.0,
            off_s=self.hold_s,
        )

    def start(self, n: int) -> LatchState:
        """``n`` series at level 0."""
        return latch.start(n, 4)

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        looked = latch.look(self._bank, state, r, r.value, clean=r.clean)
        if looked is None:
            return NO_FINDINGS
        found = NO_FINDINGS if looked.turned is None else self._said(r, looked.turned)
        commit(looked.writes)
        return found

    def _said(self, r: Round, turned: Turned) -> FindingColumns:
        value = r.value[turned.rows]
        limit = latch.decided(self._bank, turned)
        return FindingColumns(
            series=turned.series,
            t_ns=r.t_ns[turned.rows],
            since_ns=turned.since_ns,
            level=turned.level,
            value=value,
            limit=np.where(
                np.isnan(limit), value, limit
            ),  # a rung that was taken away is held against nothing
            reason=np.where(turned.rose, 0, 1).astype(np.uint8),
        )
