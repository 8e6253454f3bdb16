"""Grade: the congestion grade of a road link by its speed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors import latch
from detectors.latch import Bank, LatchState, Turned
from detectors.protocol import Param, Quiet, Spec
from detectors.state import commit
from yiwang.columns import NO_FINDINGS, FindingColumns, Round

Speed = Annotated[Param, Spec(unit="km/h", lo=0, hi=300, absent=True)]
Level = Annotated[Param, Spec(unit="level", lo=0, hi=4, whole=True)]
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Grade(Quiet):
    """The level of a link's speed: the lower the worse.

    A grade g (light, moderate, heavy: 轻度, 中度, 严重拥堵) holds once ``v <= g_kmh`` has been so for ``confirm_s`` of
    event time, and is over once ``v > g_kmh + hysteresis_kmh`` has been so for ``hold_s``. The level said is the most
    severe ``g_level`` of the grades that hold. So one slow vehicle grades no road, and the levels cap what speed
    alone may say.

    Args:
        light_kmh: bound of light congestion, km/h, 0 to 300; NaN: not in use. Likewise moderate and heavy.
        light_level: level of light congestion, 1 to 4, or 0: no finding. Likewise moderate and heavy.
        hysteresis_kmh: km/h, 0 to 100.
        confirm_s: s, 0 to one day; 0 grades on one reading.
        hold_s: s, 0 to one day.

    Blind to: why the link is slow (signal, queue, crash, school run); an empty road reported as 0 km/h (send NaN, or
    nothing); a link on which nothing is measured any more. After a gap longer than ``confirm_s`` two slow readings
    are enough. Ignores NaN and readings marked SUSPECT.

    Source: speed grades by road class, domain.md D1 (as DB11/T 785-2011, not checked against its text).

    >>> from yiwang.columns import Readings
    >>> grade = Grade(moderate_kmh=35.0, heavy_kmh=20.0, light_level=0.0, moderate_level=4.0, heavy_level=3.0,
    ...               hysteresis_kmh=5.0, confirm_s=120.0, hold_s=120.0)
    >>> state = grade.start(1)
    >>> for minute, speed in enumerate([70, 18, 70, 30, 18, 18, 18, 60, 60, 60]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, speed, 0)])
    ...     found = grade.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, since, limit, reason in zip(found.level, found.since_ns, found.limit, found.reason):
    ...         print(minute, speed, "level", level, "since", since // 60_000_000_000, "limit", limit,
    ...               grade.reasons[reason])
    5 18 level 4 since 3 limit 35.0 grade.slow
    6 18 level 3 since 3 limit 20.0 grade.slow
    9 60 level 0 since 3 limit 25.0 grade.free
    """

    name: ClassVar[str] = "grade"
    reasons: ClassVar[tuple[str, ...]] = ("grade.slow", "grade.free")
    atomic: ClassVar[bool] = True

    light_kmh: Speed = NAN
    moderate_kmh: Speed = NAN
    heavy_kmh: Speed = NAN
    light_level: Level
    moderate_level: Level
    heavy_level: Level
    hysteresis_kmh: Annotated[Param, Spec(unit="km/h", lo=0, hi=100)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]

    @cached_property
    def _bank(self) -> Bank:
        # speeds are negated, so that low is high: exact in floating point
        return Bank.of(
            limit=[np.negative(p) for p in (self.heavy_kmh, self.moderate_kmh, self.light_kmh)],
            hysteresis=(self.hysteresis_kmh,) * 3,
            level=(self.heavy_level, self.moderate_level, self.light_level),
            on_s=self.confirm_s,
            off_s=self.hold_s,
        )

    def start(self, n: int) -> LatchState:
        """``n`` series at level 0."""
        return latch.start(n, 3)

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        looked = latch.look(self._bank, state, r, -r.value, clean=r.clean)
        if looked is None:
            return NO_FINDINGS
        found = NO_FINDINGS if looked.turned is None else self._said(r, looked.turned)
        commit(looked.writes)
        return found

    def _said(self, r: Round, turned: Turned) -> FindingColumns:
        value = r.value[turned.rows]
        limit = -latch.decided(self._bank, turned)
        return FindingColumns(
            series=turned.series,
            t_ns=r.t_ns[turned.rows],
            since_ns=turned.since_ns,
            level=turned.level,
            value=value,
            limit=np.where(
                np.isnan(limit), value, limit
            ),  # a bound that was taken away is held against nothing
            reason=np.where(turned.rose, 0, 1).astype(np.uint8),
        )
