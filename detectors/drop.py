"""Drop: a fall faster than anything ordinary."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors import latch
from detectors.latch import NONE, Bank, LatchState
from detectors.protocol import Param, Quiet, Spec, at
from yiwang.columns import F64, I64, NO_FINDINGS, FindingColumns, Round

Fall = Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)]
NAN = float("nan")
_NEVER = -(1 << 62)
"""So long ago that any time since is a gap, and still a difference of int64."""


@dataclass(slots=True, kw_only=True)
class DropState(LatchState):
    """State of n series: that of four latches, and the reference.

    Attributes:
        usual: float64 (n,), the reference; NaN before the first reading.
        seen_ns: int64 (n,), newest reading that was used; before the first, long ago.
        began_ns: int64 (n,), newest moment at which the reference was not held; NONE.
    """

    usual: F64
    seen_ns: I64
    began_ns: I64


@dataclass(frozen=True, kw_only=True)
class Drop(Quiet):
    """The level of how far a value has fallen below what it just was.

    A reference u follows the value v, but by no more than ``slew_per_min`` a minute:
    ``u += clip(v - u, -slew dt, +slew dt)``, so that it goes along with the day's demand and hardly notices a dip of
    a minute. The fall is ``d = u - v`` (with ``upward = 1`` the rise ``v - u``). Level l is reached once
    ``d >= fall_l`` has held for ``confirm_s`` of event time, from reading to reading, and left once
    ``d < fall_l - hysteresis`` has held for ``hold_s``. While any level or confirmation runs, u is held where it is,
    for ``memory_s`` at most; then the new value slowly becomes the usual one and the episode ends. After more than
    ``gap_s`` without a reading u begins anew.

    Args:
        fall_i: fall of level I, unit of the metric; NaN: there is none. Likewise fall_ii, fall_iii, fall_iv.
        hysteresis: for all of them, unit of the metric, >= 0.
        slew_per_min: fastest ordinary change, unit of the metric per minute, > 0.
        confirm_s: how long the fall must last before it counts, s, 0 to one day.
        hold_s: how long it must be over, s, 0 to one day.
        memory_s: how long the reference is held, s, 0 to seven days.
        gap_s: silence after which the reference begins anew, s, 0 to one day.
        upward: 1: the level of a rise (the flow of a burst main); 0: of a fall.

    Blind to: a fall slower than the slew (a slow leak); one that happens while no reading comes for ``gap_s``; what
    was already so at the first reading. ``value`` of a finding is the reading, ``limit`` the reference less the fall.
    Ignores NaN and readings marked SUSPECT.

    Source: a slew-rate limited follower as robust baseline (a rank filter's cheap relative: one gross value moves it
    by a bounded step), after the pressure-drop alarms of burst detection in water mains, e.g. Misiunas et al., Journal
    of Water Resources Planning and Management 131 (2005), who use CUSUM on the pressure of single loggers.

    >>> from yiwang.columns import Readings
    >>> drop = Drop(fall_iii=0.04, fall_ii=0.08, hysteresis=0.02, slew_per_min=0.002, confirm_s=60.0, hold_s=120.0,
    ...             memory_s=7200.0, gap_s=1800.0)
    >>> state = drop.start(1)
    >>> for minute, mpa in enumerate([0.32, 0.319, 0.22, 0.318, 0.316, 0.23, 0.22, 0.22, 0.31, 0.31, 0.31]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, mpa, 0)])
    ...     found = drop.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for level, limit, reason in zip(found.level, found.limit, found.reason):
    ...         print(minute, mpa, "level", level, "limit", round(limit, 3), drop.reasons[reason])
    6 0.22 level 2 limit 0.236 drop.fallen
    10 0.31 level 0 limit 0.256 drop.over
    """

    name: ClassVar[str] = "drop"
    reasons: ClassVar[tuple[str, ...]] = ("drop.fallen", "drop.over", "drop.risen", "drop.calm")

    fall_i: Fall = NAN
    fall_ii: Fall = NAN
    fall_iii: Fall = NAN
    fall_iv: Fall = NAN
    hysteresis: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)]
    slew_per_min: Annotated[Param, Spec(unit="metric/min", lo=0, hi=1e9)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    memory_s: Annotated[Param, Spec(unit="s", lo=0, hi=604_800)]
    gap_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    upward: Annotated[Param, Spec(unit="", lo=0, hi=1, whole=True)] = 0.0

    @cached_property
    def _bank(self) -> Bank:
        return Bank.of(
            limit=(self.fall_i, self.fall_ii, self.fall_iii, self.fall_iv),
            hysteresis=(self.hysteresis,) * 4,
            level=(1.0, 2.0, 3.0, 4.0),
            on_s=self.confirm_s,
            off_s=self.hold_s,
        )

    @cached_property
    def _gap_ns(self) -> Param:
        return np.asarray(self.gap_s) * 1e9 if np.ndim(self.gap_s) else self.gap_s * 1e9

    @cached_property
    def _memory_ns(self) -> Param:
        return np.asarray(self.memory_s) * 1e9 if np.ndim(self.memory_s) else self.memory_s * 1e9

    @cached_property
    def _slew_per_ns(self) -> Param:
        return (
            np.asarray(self.slew_per_min) / 60e9 if np.ndim(self.slew_per_min) else self.slew_per_min / 60e9
        )

    @cached_property
    def _some_upward(self) -> bool:
        return bool(np.any(self.upward))

    @cached_property
    def _sign(self) -> Param:
        return 1.0 - 2.0 * np.asarray(self.upward) if np.ndim(self.upward) else 1.0 - 2.0 * self.upward

    def start(self, n: int) -> DropState:
        """``n`` series without a reference."""
        calm = latch.start(n, 4)
        return DropState(
            **{f.name: getattr(calm, f.name) for f in fields(calm)},
            usual=np.full(n, np.nan),
            seen_ns=np.full(n, _NEVER),
            began_ns=np.full(n, NONE),
        )

    def step(self, state: DropState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        good = latch.usable(r.value, r.quality)
        if not good.all():
            r = Round(series=r.series[good], t_ns=r.t_ns[good], value=r.value[good], quality=r.quality[good])
        s, t, v = r.series, r.t_ns, r.value
        usual = state.usual[s]
        dt = t - state.seen_ns[s]
        state.seen_ns[s] = t
        afresh = dt > at(self._gap_ns, s)
        if afresh.any():
            usual[afresh] = v[afresh]
        fall = usual - v
        turned = latch.step(self._bank, state, r, fall * at(self._sign, s) if self._some_upward else fall)
        # the reference of the calm goes along; of the others it is held, but not for ever
        step = at(self._slew_per_ns, s) * dt
        held = state.busy[s]
        if held.any():
            began = np.where(held, np.where(state.began_ns[s] == NONE, t, state.began_ns[s]), NONE)
            state.began_ns[s] = began
            step[held & (t - began < at(self._memory_ns, s))] = 0.0
        state.usual[s] = usual - np.minimum(np.maximum(fall, -step), step)
        if turned is None:
            return NO_FINDINGS
        value = v[turned.rows]
        limit = usual[turned.rows] - latch.decided(self._bank, turned) * at(self._sign, turned.series)
        up = np.broadcast_to(np.asarray(at(self._sign, turned.series)) < 0, len(value))
        return FindingColumns(
            series=turned.series,
            t_ns=t[turned.rows],
            since_ns=turned.since_ns,
            level=turned.level,
            value=value,
            limit=np.where(np.isfinite(limit), limit, value),  # a limit that was taken away
            reason=(np.where(turned.rose, 0, 1) + np.where(up, 2, 0)).astype(np.uint8),
            numbers={"usual": usual[turned.rows]},
        )
