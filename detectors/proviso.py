"""Proviso: a value that matters only while another value of the same device is within bounds."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

Bound = Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9, absent=True)]
NAN = float("nan")


@dataclass(slots=True, kw_only=True)
class ProvisoState:
    """State of n series.

    Attributes:
        value: float64 (n,), the last reading; NaN.
        t_ns: int64 (n,), its time; NONE.
        turn_ns: int64 (n,), of a main series: since when it speaks against ``level``; NONE.
        level: int8 (n,), level said.
        since_ns: int64 (n,), start of the episode; NONE.
        last_ns: int64 (n,), start of the one before; NONE.
    """

    value: F64
    t_ns: I64
    turn_ns: I64
    level: I8
    since_ns: I64
    last_ns: I64


@dataclass(frozen=True, kw_only=True)
class Proviso:
    """A lorry's speed is too low only on an expressway, too high only against that road's limit.

    The condition holds at a tick when the main value m is ``above < m`` or ``m < below``, and the device's other value
    p (role ``while``) is ``while_lo <= p <= while_hi``, both not older than ``fresh_s``. The finding opens when it has held at every
    tick for ``confirm_s``, and is over when it has not for ``hold_s``. A device without the other metric is not judged.

    Args:
        above: unit of the metric; NaN: not in use. Likewise ``below``.
        while_lo: unit of the other metric; NaN: no lower bound. Likewise ``while_hi``.
        fresh_s: s, 0 to one day.
        confirm_s: s, 0 to one day. Likewise ``hold_s``.
        level: level of the finding, 1 to 4.

    Blind to: what happens between two ticks; a device that has fallen silent (what was said ends after ``hold_s``).
    Ignores NaN and readings marked SUSPECT.

    Source: own; a pair of latches with delays. What it is used for says the pack.

    >>> from yiwang.columns import Readings
    >>> one = Layout(role=np.array([0, 1], np.int8), device=np.zeros(2, np.int32), place=np.zeros(2, np.int32),
    ...     zone=np.zeros(2, np.int32), metric=np.array([0, 1], np.int32), x_m=np.zeros(2), y_m=np.zeros(2),
    ...     at_m=np.zeros(2), live=np.ones(2, np.bool_))
    >>> stopped = Proviso(below=3.0, while_lo=1.0, while_hi=1.0, fresh_s=120.0, confirm_s=60.0, hold_s=60.0, level=3.0, layout=one)
    >>> state = stopped.start(2)
    >>> for minute, (kmh, road) in enumerate([(0, 0), (80, 1), (1, 1), (0, 1), (0, 1), (60, 1), (70, 1)]):
    ...     t_ns = minute * 60_000_000_000
    ...     r = Readings.of([(0, t_ns, kmh, 0), (1, t_ns, road, 0)])
    ...     _ = stopped.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     print(minute, stopped.tick(state, t_ns).level.tolist())
    0 []
    1 []
    2 []
    3 [3]
    4 []
    5 []
    6 [0]
    """

    name: ClassVar[str] = "proviso"
    roles: ClassVar[tuple[str, ...]] = ("main", "while")
    reasons: ClassVar[tuple[str, ...]] = ("proviso.holds", "proviso.over")
    wants_late: ClassVar[bool] = False

    above: Bound = NAN
    below: Bound = NAN
    while_lo: Annotated[Param, Spec(unit="", lo=-1e9, hi=1e9, absent=True)] = NAN
    while_hi: Annotated[Param, Spec(unit="", lo=-1e9, hi=1e9, absent=True)] = NAN
    fresh_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Rows of main values, of the same device's other value, and whether there is one (else it is the main row)."""
        live = np.flatnonzero(self.layout.live)
        main, other = live[self.layout.role[live] == 0], live[self.layout.role[live] == 1]
        devices, first = np.unique(self.layout.device[other], return_index=True)
        if len(devices) == 0:
            return main, main, np.zeros(len(main), np.bool_)
        i = np.minimum(np.searchsorted(devices, self.layout.device[main]), len(devices) - 1)
        has = devices[i] == self.layout.device[main]
        # a device stands in one zone; if two of one name ever do not, they are strangers
        has &= self.layout.zone[other[first[i]]] == self.layout.zone[main]
        return main, np.where(has, other[first[i]], main), has

    def start(self, n: int) -> ProvisoState:
        """``n`` series that have said nothing."""
        return ProvisoState(
            value=np.full(n, np.nan),
            t_ns=np.full(n, NONE),
            turn_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            last_ns=np.full(n, NONE),
        )

    def step(self, state: ProvisoState, r: Round) -> FindingColumns:
        """Remember; says nothing."""
        good = usable(r.value, r.quality)
        s = r.series.astype(np.intp)
        if good.all():
            state.value[s] = r.value
            state.t_ns[s] = r.t_ns
        else:
            state.value[s[good]] = r.value[good]
            state.t_ns[s[good]] = r.t_ns[good]
        return NO_FINDINGS

    def tick(self, state: ProvisoState, t_ns: int) -> FindingColumns:
        """One row for each main series that changes."""
        row, other, has = self._pairs
        m, p = state.value[row], state.value[other]
        oldest = t_ns - np.rint(np.asarray(at(self.fresh_s, row)) * 1e9).astype(np.int64)
        fresh = has & (state.t_ns[row] != NONE) & (state.t_ns[other] != NONE)
        fresh &= (state.t_ns[row] >= oldest) & (state.t_ns[other] >= oldest)
        low, high = np.asarray(at(self.while_lo, row)), np.asarray(at(self.while_hi, row))
        with np.errstate(invalid="ignore"):
            beyond = (m > at(self.above, row)) | (m < at(self.below, row))
            within = (np.isnan(low) | (p >= low)) & (np.isnan(high) | (p <= high))
        holds = fresh & beyond & within
        on = state.level[row] > 0
        turn = np.where(holds == on, NONE, np.where(state.turn_ns[row] == NONE, t_ns, state.turn_ns[row]))
        wait = np.where(on, at(self.hold_s, row), at(self.confirm_s, row))
        due = (turn != NONE) & ((t_ns - np.where(turn == NONE, t_ns, turn)) / 1e9 >= wait)
        due &= on | (turn != state.last_ns[row])  # two episodes never begin at one moment
        state.turn_ns[row] = np.where(due, NONE, turn)
        c = np.flatnonzero(due)
        if len(c) == 0:
            return NO_FINDINGS
        c = c[np.argsort(row[c])]
        row, on, m, turn = row[c], on[c], m[c], turn[c]
        since = np.where(on, state.since_ns[row], turn)
        level = np.where(on, 0, at(self.level, row)).astype(np.int8)
        state.level[row] = level
        state.since_ns[row] = np.where(on, NONE, since)
        state.last_ns[row] = since
        above, below = (np.broadcast_to(np.asarray(at(b, row)), row.shape) for b in (self.above, self.below))
        limit = np.where(np.isnan(below) | (m > above), above, below)
        return FindingColumns(
            series=row.astype(np.int32),
            t_ns=np.full(len(row), t_ns),
            since_ns=since,
            level=level,
            value=np.where(np.isfinite(m), m, 0.0),
            limit=np.where(np.isfinite(limit), limit, 0.0),
            reason=on.astype(np.uint8),
        )
