"""Band: a value against up to four rungs above and four below."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors import latch
from detectors.latch import Bank, LatchState, Turned
from detectors.protocol import Param, Quiet, Spec
from detectors.state import commit
from yiwang.columns import NO_FINDINGS, FindingColumns, Round

Rung = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
NAN = float("nan")
_SIGNS = (1.0,) * 4 + (-1.0,) * 4


@dataclass(frozen=True, kw_only=True)
class Band(Quiet):
    """The level of a value that is good in the middle and bad at both ends.

    Level l (I is 1, IV is 4) is reached once ``v >= high_l`` or ``v <= low_l`` has held for ``confirm_s`` of event
    time, from reading to reading (0: by the very reading); it is left once ``v < high_l - hysteresis``, or
    ``v > low_l + hysteresis``, has held for ``hold_s``. The level said is the most severe one reached and not left on
    either side.

    Args:
        high_i: rung of level I above, unit of the metric; NaN: there is none. Likewise high_ii, high_iii, high_iv.
        low_i: rung of level I below; NaN: there is none. Likewise low_ii, low_iii, low_iv.
        hysteresis: for all rungs, unit of the metric, >= 0.
        confirm_s: how long a value must stay beyond a rung before it counts, s, 0 to one day.
        hold_s: how long a value must stay back inside, s, 0 to one day.

    Blind to: how fast a value moves; a sensor that falls silent or sticks; a value that goes from too low to too high
    at the same level without a reading between (one episode, no new finding). With ``confirm_s`` and a gap in the
    readings longer than it, two readings beyond are enough. Ignores NaN and readings marked SUSPECT.

    Source: a Schmitt trigger with on- and off-delay per rung, twice; oxygen of GB/T 50493-2019 (under 19.5 and over
    23.5 %VOL, domain.md E1) is the plain case.

    >>> from yiwang.columns import Readings
    >>> oxygen = Band(high_ii=23.5, low_ii=19.5, low_i=18.0, hysteresis=0.3, hold_s=60.0)
    >>> state = oxygen.start(1)
    >>> for minute, percent in enumerate([20.9, 19.5, 17.9, 19.7, 19.9, 20.5, 23.6, 23.0, 23.0]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, percent, 0)])
    ...     found = oxygen.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, limit, reason in zip(found.level, found.limit, found.reason):
    ...         print(minute, percent, "level", level, "limit", limit, oxygen.reasons[reason])
    1 19.5 level 2 limit 19.5 band.under
    2 17.9 level 1 limit 18.0 band.under
    4 19.9 level 2 limit 18.3 band.risen
    5 20.5 level 0 limit 19.8 band.risen
    6 23.6 level 2 limit 23.5 band.above
    8 23.0 level 0 limit 23.2 band.fallen
    """

    name: ClassVar[str] = "band"
    reasons: ClassVar[tuple[str, ...]] = ("band.above", "band.fallen", "band.under", "band.risen")
    atomic: ClassVar[bool] = True

    high_i: Rung = NAN
    high_ii: Rung = NAN
    high_iii: Rung = NAN
    high_iv: Rung = NAN
    low_i: Rung = NAN
    low_ii: Rung = NAN
    low_iii: Rung = NAN
    low_iv: Rung = NAN
    hysteresis: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)] = 0.0
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]

    @cached_property
    def _bank(self) -> Bank:
        high = (self.high_i, self.high_ii, self.high_iii, self.high_iv)
        low = (self.low_i, self.low_ii, self.low_iii, self.low_iv)
        return Bank.of(
            limit=high + low,
            hysteresis=(self.hysteresis,) * 8,
            level=(1.0, 2.0, 3.0, 4.0) * 2,
            on_s=self.confirm_s,
            off_s=self.hold_s,
            signs=_SIGNS,
        )

    def start(self, n: int) -> LatchState:
        """``n`` series at level 0."""
        return latch.start(n, 8)

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
        limit = latch.decided(self._bank, turned) * np.asarray(_SIGNS)[turned.latch]
        return FindingColumns(
            series=turned.series,
            t_ns=r.t_ns[turned.rows],
            since_ns=turned.since_ns,
            level=turned.level,
            value=value,
            limit=np.where(
                np.isnan(limit), value, limit
            ),  # a rung that was taken away is held against nothing
            reason=(np.where(turned.rose, 0, 1) + np.where(turned.latch >= 4, 2, 0)).astype(np.uint8),
        )
