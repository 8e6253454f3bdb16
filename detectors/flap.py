"""Flap: a value that goes to and fro, like a contact that does not close."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import usable
from detectors.protocol import Param, Spec
from detectors.saying import NONE, each, nanoseconds, say
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

REMEMBERED = 8
"""Turns kept per series; the most that can be asked for."""


@dataclass(slots=True, kw_only=True)
class FlapState:
    """State of n series.

    Attributes:
        extreme: float64 (n,), furthest value since the last turn; NaN before the first reading.
        way: int8 (n,), where it was going: 1 up, -1 down.
        turn_ns: int64 (n, 8), the last turns, newest last; NONE.
        since_ns: int64 (n,), begin of the newest episode; NONE before one.
        level: int8 (n,), level said; 0 none.
    """

    extreme: F64
    way: I8
    turn_ns: I64
    since_ns: I64
    level: I8


@dataclass(frozen=True, kw_only=True)
class Flap:
    """``turns`` turns within ``window_s``.

    A turn is a change of direction by at least ``swing``: for a state 0/1 each change, for a measured value a way back
    of that size. Over when the newest turn is ``window_s`` ago.

    Args:
        swing: way back that is a turn, unit of the metric, > 0; NaN: the check is off.
        turns: 2 to 8.
        window_s: s, 0 to one day.
        level: level of the finding, 1 to 4.

    Blind to: swings smaller than ``swing``; a thing that truly goes to and fro (a pump that is too large does): give it
    a wider ``window_s``. Ignores NaN and readings marked SUSPECT.

    Source: chattering alarms of ISA-18.2 / EEMUA 191: three transitions or more within 60 s, domain.md G; the
    turning points are those of rainflow counting (ASTM E1049).

    >>> from yiwang.columns import Readings
    >>> flap = Flap(swing=0.5, turns=4.0, window_s=300.0, level=4.0)
    >>> state = flap.start(1)
    >>> for minute, on in enumerate([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]):
    ...     r = Readings.of([(0, minute * 60_000_000_000, on, 0)])
    ...     r = Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality)
    ...     for found in (flap.step(state, r), flap.tick(state, minute * 60_000_000_000)):
    ...         for level, since, reason in zip(found.level, found.since_ns, found.reason):
    ...             print(minute, "level", level, "since", since // 60_000_000_000, flap.reasons[reason])
    5 level 4 since 2 flap.flaps
    10 level 0 since 2 flap.rests
    """

    name: ClassVar[str] = "flap"
    reasons: ClassVar[tuple[str, ...]] = ("flap.flaps", "flap.rests")
    wants_late: ClassVar[bool] = False

    swing: Annotated[Param, Spec(unit="metric", lo=1e-9, hi=1e9, absent=True)]
    turns: Annotated[Param, Spec(unit="turns", lo=2, hi=REMEMBERED, whole=True)]
    window_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]

    def start(self, n: int) -> FlapState:
        """``n`` series that have said nothing."""
        return FlapState(
            extreme=np.full(n, np.nan),
            way=np.zeros(n, np.int8),
            turn_ns=np.full((n, REMEMBERED), NONE),
            since_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: FlapState, r: Round) -> FindingColumns:
        """One row for each series that flaps now."""
        swing = each(self.swing, r.series)
        good = np.flatnonzero(usable(r.value, r.quality) & np.isfinite(swing))
        if len(good) == 0:
            return NO_FINDINGS
        s, v, swing = r.series[good], r.value[good], swing[good]
        extreme, way = state.extreme.take(s), state.way.take(s)
        with np.errstate(invalid="ignore", over="ignore"):
            off = v - extreme
            further = np.isnan(extreme) | (way * off > 0)
            turned = ~further & (np.abs(off) >= swing) & (way * off <= 0)
        moved = further | turned
        state.extreme[s[moved]] = v[moved]
        t = np.flatnonzero(turned)
        if len(t) == 0:
            return NO_FINDINGS
        k, at_ns = s[t], r.t_ns[good[t]]
        state.way[k] = np.where(off[t] > 0, 1, -1)
        turns = np.concatenate((state.turn_ns[k, 1:], at_ns[:, None]), axis=1)
        state.turn_ns[k] = turns
        count = np.clip(each(self.turns, k), 2, REMEMBERED).astype(np.int64)
        first = turns[np.arange(len(k)), REMEMBERED - count]
        new = np.flatnonzero(
            (state.level[k] == 0) & (first != NONE) & (first >= at_ns - nanoseconds(self.window_s, k))
        )
        if len(new) == 0:
            return NO_FINDINGS
        k, t, at_ns = k[new], t[new], at_ns[new]
        state.since_ns[k] = np.maximum(first[new], state.since_ns[k] + 1)
        state.level[k] = each(self.level, k)
        return say(
            k,
            t_ns=at_ns,
            since_ns=state.since_ns[k],
            level=state.level[k],
            value=v[t],
            limit=swing[t],
            reason=0,
            numbers={"window_s": (at_ns - first[new]) / 1e9},
        )

    def rests(self, state: FlapState) -> bool:
        """Whether no tick would say or change anything."""
        return not state.level.any()

    def tick(self, state: FlapState, t_ns: int) -> FindingColumns:
        """One row for each series that has rested for long enough."""
        s = np.flatnonzero(state.level)
        s = s[t_ns - state.turn_ns[s, -1] >= nanoseconds(self.window_s, s)]
        if len(s) == 0:
            return NO_FINDINGS
        state.level[s] = 0
        state.turn_ns[s] = NONE
        return say(
            s,
            t_ns=np.maximum(t_ns, state.since_ns[s]),
            since_ns=state.since_ns[s],
            level=0,
            value=state.extreme[s],
            limit=each(self.swing, s),
            reason=1,
        )
