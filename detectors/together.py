"""Together: state bits that several devices near each other show within a while."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Spec, at
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

WORD = 2.0**31
Mask = Annotated[Param, Spec(unit="bits", lo=0, hi=WORD - 1, absent=True, whole=True)]
Seconds = Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]


@dataclass(slots=True, kw_only=True)
class TogetherState:
    """State of n series.

    Attributes:
        on: bool (n,), whether the last word shows the bits.
        on_ns: int64 (n,), when they appeared last; NONE: never, or what they meant is over.
        off_ns: int64 (n,), when they went; NONE while on.
        fresh: bool (n,), whether it came on and no tick has looked at it yet.
        level: int8 (n,), level said; 0 none.
    """

    on: NDArray[np.bool_]
    on_ns: I64
    off_ns: I64
    fresh: NDArray[np.bool_]
    level: I8


@dataclass(frozen=True, kw_only=True)
class Together:
    """Bits that at least ``count`` devices within ``near_m`` of each other show within ``window_s``.

    A series is on when its word (as in ``states``) has a bit of ``bits`` and none of ``unless``. At a tick, one that is
    on, or came on at most ``window_s`` ago, is said at ``level`` when at least ``count`` - 1 devices besides its own, in
    its zone and at most ``near_m`` away, came on within ``window_s`` of its own coming on and are on, or came on at most
    ``window_s`` ago. What is said is over at the first tick at which the series has been off for ``hold_s``.

    Args:
        bits: any of them counts, 0 to 2^31-1.
        unless: bits that make a word count for nothing; NaN: none.
        count: devices, 2 to 100.
        window_s: s, 0 to one day.
        near_m: metres, 0 to 10 000; devices without a position of their own stand where their place is.
        hold_s: s, 0 to one day.
        level: 1 to 4.

    The finding's value is the number of devices, its limit ``count``.

    Blind to: devices that are one and the same cause (one loop with a short circuit shows fire on all its parts); a
    zone's border between two neighbours. Ignores NaN, fractions, numbers outside 0 to 2^31-1, SUSPECT.

    Source: the "two independent detectors" rule by which fire controllers confirm a fire (GB 50116-2013 4.1, GK).

    >>> from dataclasses import replace
    >>> from yiwang.columns import Readings
    >>> layout = replace(Layout.apart(3), zone=np.zeros(3, np.int32), x_m=np.array([0.0, 30.0, 500.0]))
    >>> fire = Together(bits=2, count=2.0, window_s=300.0, near_m=60.0, hold_s=60.0, level=1.0, layout=layout)
    >>> state = fire.start(3)
    >>> for series, second in [(0, 0), (2, 10), (1, 200)]:
    ...     r = Readings.of([(series, second * 1_000_000_000, 2, 0)])
    ...     _ = fire.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = fire.tick(state, second * 1_000_000_000)
    ...     print(second, found.series.tolist(), found.level.tolist())
    0 [] []
    10 [] []
    200 [0, 1] [1, 1]
    """

    name: ClassVar[str] = "together"
    reasons: ClassVar[tuple[str, ...]] = ("together.on", "together.off")
    wants_late: ClassVar[bool] = False

    bits: Annotated[Param, Spec(unit="bits", lo=0, hi=WORD - 1, whole=True)]
    unless: Mask = float("nan")
    count: Annotated[Param, Spec(unit="devices", lo=2, hi=100, whole=True)]
    window_s: Seconds
    near_m: Annotated[Param, Spec(unit="m", lo=0, hi=10_000)]
    hold_s: Seconds
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    layout: Layout = ALONE

    @cached_property
    def _masks(self) -> tuple[I64, I64]:
        return _mask(self.bits), _mask(self.unless)

    def start(self, n: int) -> TogetherState:
        """``n`` series that are off."""
        return TogetherState(
            on=np.zeros(n, np.bool_),
            on_ns=np.full(n, NONE),
            off_ns=np.full(n, NONE),
            fresh=np.zeros(n, np.bool_),
            level=np.zeros(n, np.int8),
        )

    def step(self, state: TogetherState, r: Round) -> FindingColumns:
        """Notes who is on; speaks on ticks only."""
        with np.errstate(invalid="ignore"):
            good = usable(r.value, r.quality) & (r.value >= 0) & (r.value < WORD)
            good &= r.value == np.floor(r.value)
        word = np.where(good, r.value, 0.0).astype(np.int64)
        bits, unless = (m[r.series] if m.ndim else m for m in self._masks)
        on = ((word & bits) != 0) & ((word & unless) == 0)
        rows = np.flatnonzero(good & (on != state.on[r.series]))
        s, t, on = r.series[rows], r.t_ns[rows], on[rows]
        state.on[s] = on
        # what is said goes on where bits come back before it is over
        state.on_ns[s] = np.where(on & (state.level[s] == 0), t, state.on_ns[s])
        state.off_ns[s] = np.where(on, NONE, t)
        state.fresh[s] |= on
        return NO_FINDINGS

    def rests(self, state: TogetherState) -> bool:
        """Whether no tick would say or change anything."""
        return bool((state.on_ns == NONE).all())

    def tick(self, state: TogetherState, t_ns: int) -> FindingColumns:
        """A row for each series that is now one of several, or no longer."""
        s = np.flatnonzero(state.on_ns != NONE).astype(np.int32)
        if len(s) == 0:
            return NO_FINDINGS
        window = _nanoseconds(at(self.window_s, s))
        said = state.level[s] > 0
        counts = (state.on_ns[s] <= t_ns) & (state.on[s] | (t_ns - state.on_ns[s] <= window))
        company = np.zeros(len(s))
        fresh = state.fresh[s] & (state.on_ns[s] <= t_ns)
        if fresh.any():  # company only grows where somebody came on
            state.fresh[s[fresh]] = False
            zone = self.layout.zone[s]
            asks = np.flatnonzero(counts & ~said & np.isin(zone, zone[fresh]))
            company[asks] = self._company(state, s, asks, np.flatnonzero(counts))
        rose = ~said & counts & (company + 1 >= at(self.count, s))
        off = ~state.on[s] & (state.off_ns[s] != NONE)
        over = off & said & (t_ns - state.off_ns[s] >= _nanoseconds(at(self.hold_s, s)))
        gone = over | (off & ~said & ~counts & (state.on_ns[s] <= t_ns))
        spoken = np.flatnonzero(rose | over)
        new = np.where(rose, at(self.level, s), 0).astype(np.int8)[spoken]
        since = state.on_ns[s][spoken]
        state.level[s[spoken]] = new
        state.on_ns[s[gone]] = NONE
        s, rose = s[spoken], rose[spoken]
        quiet = np.where(rose, 0, t_ns - state.off_ns[s]) / 1e9
        return FindingColumns(
            series=s,
            t_ns=np.full(len(s), t_ns),
            since_ns=since,
            level=new,
            value=np.where(rose, company[spoken] + 1, quiet),
            limit=np.where(rose, at(self.count, s), at(self.hold_s, s)),
            reason=np.where(rose, 0, 1).astype(np.uint8),
        )

    def _company(self, state: TogetherState, s: I32, asks: I64, all_: I64) -> F64:
        """How many other devices are on near each asking one: float64 (len(asks),)."""
        where = self.layout
        found = np.zeros(len(asks))
        for zone in np.unique(where.zone[s[asks]]).tolist():
            here = np.flatnonzero(where.zone[s[asks]] == zone)
            a, b = s[asks[here]], s[all_[where.zone[s[all_]] == zone]]
            b = b[np.argsort(where.device[b], kind="stable")]
            near = np.hypot(where.x_m[a, None] - where.x_m[b], where.y_m[a, None] - where.y_m[b])
            apart = np.abs(state.on_ns[a, None] - state.on_ns[b])
            ok = near <= np.broadcast_to(at(self.near_m, a), len(a))[:, None]
            ok &= apart <= np.broadcast_to(_nanoseconds(at(self.window_s, a)), len(a))[:, None]
            ok &= where.device[a, None] != where.device[b]
            first = np.flatnonzero(np.diff(where.device[b], prepend=-1))
            found[here] = np.logical_or.reduceat(ok, first, axis=1).sum(axis=1)
        return found


def _mask(bits: Param) -> I64:
    return np.asarray(np.nan_to_num(np.asarray(bits, np.float64), nan=0.0)).astype(np.int64)


def _nanoseconds(seconds: Param) -> F64:
    return np.rint(np.asarray(seconds, np.float64) * 1e9)
