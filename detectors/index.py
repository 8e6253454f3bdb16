"""The traffic performance index (交通指数) of an area, and the detector that says when it is bad."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

RATIO = (1.0, 1.2, 1.5, 1.8, 2.1, 2.7)
"""Travel time by free travel time where the index is 0, 2, 4, 6, 8 and 10; the last one is P, the scale has no end."""
INDEX = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)


def performance_index(ratio: F64) -> F64:
    """Index of travel time ratios: 0-2 free, 2-4 fair, 4-6 light, 6-8 moderate, 8-10 heavy congestion.

    Args:
        ratio: float64 (k,), travel time by free travel time.

    Returns:
        float64 (k,), 0..10; NaN stays NaN.

    Source: domain.md D2 [newton]: 2-4 is a loss of 0.2-0.5 of the free travel time, 4-6 0.5-0.8, 6-8 0.8-1.1, 8-10 more;
    linear between. GB/T 33171-2016 and DB31/T 997-2016 may use other scales.

    >>> performance_index(np.array([0.9, 1.0, 1.35, 1.95, 3.0])).round(6).tolist()
    [0.0, 0.0, 3.0, 7.0, 10.0]
    """
    return np.asarray(np.interp(ratio, RATIO, INDEX))


def area_index(speed: F64, free: F64, length_m: F64, zone: NDArray[np.int32], count: int) -> F64:
    """Index of each zone from its links: travel time over all of them, by that at free speed.

    Args:
        speed: float64 (k,), km/h of each link; NaN where not known; taken to be at most free, and at least a third of it:
            one blocked link is an incident, and must not speak for an area.
        free: float64 (k,), km/h.
        length_m: float64 (k,).
        zone: int32 (k,), 0 <= zone < count.
        count: number of zones.

    Returns:
        float64 (count,); NaN where less than half of a zone's length is known.
    """
    known = np.isfinite(speed) & np.isfinite(free) & (length_m > 0)
    most = np.where(known, np.maximum(free, 2.0), 2.0)
    v = np.clip(np.where(known, speed, 1.0), most / 3.0, most)
    length = np.where(known, length_m, 0.0)
    time = np.bincount(zone, weights=length / v, minlength=count)
    usual = np.bincount(zone, weights=length / most, minlength=count)
    part = np.bincount(zone, weights=length, minlength=count)
    whole = np.bincount(zone, weights=np.maximum(length_m, 0.0), minlength=count)
    enough = (part > 0) & (part >= 0.5 * whole)
    return np.where(enough, performance_index(time / np.where(usual > 0, usual, 1.0)), np.nan)


@dataclass(slots=True, kw_only=True)
class IndexState:
    """State of n series; what belongs to a zone stands in the row of its first series.

    Attributes:
        value: float64 (n,), last speed; NaN.
        t_ns: int64 (n,), its time; NONE.
        free: float64 (n,), free speed as learned; NaN.
        index: float64 (n,), of the zone, as published; NaN.
        turn_ns: int64 (n,), since when it speaks against ``level``; NONE.
        level: int8 (n,), level said.
        since_ns: int64 (n,), start of the episode; NONE.
        last_ns: int64 (n,), start of the one before; NONE.
        tick_ns: int64 (n,), last tick; NONE.
    """

    value: F64
    t_ns: I64
    free: F64
    index: F64
    turn_ns: I64
    level: I8
    since_ns: I64
    last_ns: I64
    tick_ns: I64


@dataclass(frozen=True, kw_only=True)
class Index:
    """How much longer than at night it takes to drive through an area, as an index of 0 to 10.

    At each tick the index of a zone is that of its links' travel times (see ``area_index``). A link's free speed is
    ``free_kmh``, or where it is NaN learned: it follows higher speeds within half an hour and forgets them in days. The
    finding is said of the zone's first series when the index has been at least ``heavy`` for ``confirm_s``, and is over
    when it has been below ``heavy - 1`` for ``hold_s``.

    Args:
        free_kmh: km/h; NaN: learned.
        length_m: of the link; weights are lengths.
        heavy: index, 0 to 10.
        fresh_s: s: older speeds are not known.
        confirm_s: s. Likewise ``hold_s``.
        level: level of the finding, 1 to 4.

    Blind to: how many are in the jam; areas of which less than half is measured; the first hours, while free speeds
    are learned. Ignores NaN and readings marked SUSPECT.

    Source: domain.md D2 [newton]; weights by length instead of vehicle kilometres P.

    >>> from yiwang.columns import Readings
    >>> two = np.arange(2, dtype=np.int32)
    >>> area = Layout(role=np.zeros(2, np.int8), device=two, place=two, zone=np.zeros(2, np.int32),
    ...     metric=np.zeros(2, np.int32), x_m=np.zeros(2), y_m=np.zeros(2), at_m=np.zeros(2), live=np.ones(2, np.bool_))
    >>> index = Index(free_kmh=60.0, length_m=500.0, heavy=8.0, fresh_s=300.0, confirm_s=60.0, hold_s=60.0, level=4.0,
    ...               layout=area)
    >>> state = index.start(2)
    >>> for minute, kmh in enumerate([(60, 50), (25, 28), (25, 28), (50, 55), (60, 60)]):
    ...     r = Readings.of([(i, minute * 60_000_000_000, float(v), 0) for i, v in enumerate(kmh)])
    ...     _ = index.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = index.tick(state, minute * 60_000_000_000)
    ...     print(minute, "index", round(float(index.gauge(state)[0][0]), 1), "level", found.level.tolist())
    0 index 1.0 level []
    1 index 8.6 level []
    2 index 8.6 level [4]
    3 index 1.5 level []
    4 index 0.0 level [0]
    """

    name: ClassVar[str] = "index"
    reasons: ClassVar[tuple[str, ...]] = ("index.heavy", "index.over")
    wants_late: ClassVar[bool] = False

    free_kmh: Annotated[Param, Spec(unit="km/h", lo=1, hi=300, absent=True)] = float("nan")
    length_m: Annotated[Param, Spec(unit="m", lo=0, hi=1e6)]
    heavy: Annotated[Param, Spec(unit="", lo=0, hi=10)]
    fresh_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    def start(self, n: int) -> IndexState:
        """``n`` series that have said nothing."""
        return IndexState(
            value=np.full(n, np.nan),
            t_ns=np.full(n, NONE),
            free=np.full(n, np.nan),
            index=np.full(n, np.nan),
            turn_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
            last_ns=np.full(n, NONE),
            tick_ns=np.full(n, NONE),
        )

    def step(self, state: IndexState, r: Round) -> FindingColumns:
        """Remember; says nothing."""
        with np.errstate(invalid="ignore"):
            good = usable(r.value, r.quality) & (r.value >= 0.0) & (r.value < 1e4)
        s, t, v = r.series.astype(np.intp), r.t_ns, r.value
        if not good.all():
            s, t, v = s[good], t[good], v[good]
        state.value[s] = v
        state.t_ns[s] = t
        return NO_FINDINGS

    def tick(self, state: IndexState, t_ns: int) -> FindingColumns:
        """One row for each zone that changes."""
        rows = np.flatnonzero(self.layout.live)
        zones, first, zone = np.unique(self.layout.zone[rows], return_index=True, return_inverse=True)
        if len(zones) == 0:
            return NO_FINDINGS
        lead = rows[first]
        age = np.where(state.t_ns[rows] == NONE, np.inf, (t_ns - state.t_ns[rows]) / 1e9)
        v = np.where(age <= at(self.fresh_s, rows), state.value[rows], np.nan)
        free = self._free(state, rows, v, t_ns)
        length = np.broadcast_to(np.asarray(at(self.length_m, rows), np.float64), rows.shape)
        index = area_index(v, free, length, zone.astype(np.int32), len(zones))
        state.index[lead] = index
        state.tick_ns[rows] = t_ns
        said = self._say(state, lead, index, t_ns)
        speaks = np.zeros(len(state.level), np.bool_)
        speaks[lead] = True
        left = rows[(state.level[rows] > 0) & ~speaks[rows]]
        return said if len(left) == 0 else _both(said, self._leave(state, left, t_ns))

    def _leave(self, state: IndexState, row: NDArray[np.intp], t_ns: int) -> FindingColumns:
        """What was said of series that are no longer the first of their zone is over: nobody else can end it."""
        since, value = state.since_ns[row], np.nan_to_num(state.index[row])
        state.level[row] = 0
        state.index[row] = np.nan
        state.since_ns[row] = state.turn_ns[row] = NONE
        return FindingColumns(
            series=row.astype(np.int32),
            t_ns=np.full(len(row), t_ns),
            since_ns=since,
            level=np.zeros(len(row), np.int8),
            value=value,
            limit=np.broadcast_to(np.asarray(at(self.heavy, row), np.float64), row.shape) - 1.0,
            reason=np.ones(len(row), np.uint8),
        )

    def gauge(self, state: IndexState) -> tuple[F64, F64]:
        """The published index of each zone, in the row of its first series, and where it is heavy."""
        return state.index.copy(), np.where(np.isnan(state.index), np.nan, self.heavy)

    def _free(self, state: IndexState, rows: NDArray[np.intp], v: F64, t_ns: int) -> F64:
        given = np.broadcast_to(np.asarray(at(self.free_kmh, rows), np.float64), rows.shape)
        last = state.tick_ns[rows]
        since = np.where(
            last == NONE, 0.0, np.clip((t_ns - np.where(last == NONE, t_ns, last)) / 1e9, 0.0, 3600.0)
        )
        old = np.where(np.isnan(state.free[rows]), v, state.free[rows])
        with np.errstate(invalid="ignore"):
            tau = np.where(v > old, 1800.0, 5 * 86_400.0)
        learned = np.where(np.isnan(v), old, old + (1.0 - np.exp(-since / tau)) * (v - old))
        state.free[rows] = learned
        return np.where(np.isnan(given), learned, given)

    def _say(self, state: IndexState, lead: NDArray[np.intp], index: F64, t_ns: int) -> FindingColumns:
        on = state.level[lead] > 0
        heavy = np.broadcast_to(np.asarray(at(self.heavy, lead), np.float64), lead.shape)
        with np.errstate(invalid="ignore"):
            against = np.where(on, ~(index >= heavy - 1.0), index >= heavy)
        turn = np.where(against, np.where(state.turn_ns[lead] == NONE, t_ns, state.turn_ns[lead]), NONE)
        wait = np.where(on, at(self.hold_s, lead), at(self.confirm_s, lead))
        due = against & ((t_ns - np.where(turn == NONE, t_ns, turn)) / 1e9 >= wait)
        due &= on | (turn != state.last_ns[lead])  # two episodes never begin at one moment
        state.turn_ns[lead] = np.where(due, NONE, turn)
        c = np.flatnonzero(due)
        if len(c) == 0:
            return NO_FINDINGS
        c = c[np.argsort(lead[c])]
        row, on, index, heavy = lead[c], on[c], index[c], heavy[c]
        since = np.where(on, state.since_ns[row], turn[c])
        level = np.where(on, 0, at(self.level, row)).astype(np.int8)
        state.level[row] = level
        state.since_ns[row] = np.where(on, NONE, since)
        state.last_ns[row] = since
        return FindingColumns(
            series=row.astype(np.int32),
            t_ns=np.full(len(row), t_ns),
            since_ns=since,
            level=level,
            value=np.where(np.isfinite(index), index, 0.0),
            limit=np.where(on, heavy - 1.0, heavy),
            reason=on.astype(np.uint8),
        )


def _both(a: FindingColumns, b: FindingColumns) -> FindingColumns:
    """The rows of two, by series."""
    order = np.argsort(np.concatenate((a.series, b.series)), kind="stable")
    return FindingColumns(
        series=np.concatenate((a.series, b.series))[order],
        t_ns=np.concatenate((a.t_ns, b.t_ns))[order],
        since_ns=np.concatenate((a.since_ns, b.since_ns))[order],
        level=np.concatenate((a.level, b.level))[order],
        value=np.concatenate((a.value, b.value))[order],
        limit=np.concatenate((a.limit, b.limit))[order],
        reason=np.concatenate((a.reason, b.reason))[order],
    )
