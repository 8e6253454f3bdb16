"""Deviate: a station by itself against what is usual there at that time of day."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.latch import NONE, usable
from detectors.protocol import ALONE, Layout, Param, Quiet, Spec, at
from yiwang.columns import F64, I8, I64, NO_FINDINGS, FindingColumns, Round

Bool = NDArray[np.bool_]
Rows = NDArray[np.intp]
BINS = 48
BIN_NS = 86_400_000_000_000 // BINS
UP, DOWN = 0.5, 0.08
"""How far a bin follows a worse day, and a better one: an expectile, so that a weekend does not forget the week."""


@dataclass(slots=True, kw_only=True)
class DeviateState:
    """State of n series. y is the value, negated where low is worse.

    Attributes:
        limit: float64 (n,), y above it is unusual now; +inf while there is nothing to hold it against.
        next_ns: int64 (n,), end of the present half hour; the least number before the first reading.
        first_ns: int64 (n,), first reading: origin of the days; NONE.
        count: float64 (n,), readings of this half hour. Likewise ``total`` and ``square``: sums of y - base and its square.
        base: float64 (n,), y over the last day or so; NaN before the first reading.
        recent: float64 (n,), mean y of the half hours before, NaN.
        days: float64 (n,), half hours seen, as days.
        turn_ns: int64 (n,), since when readings speak against ``level``; NONE.
        busy: bool (n,), whether something is open or turning.
        level: int8 (n,), level said.
        since_ns: int64 (n,), start of the episode; NONE.
        held: float64 (n,), limit when the episode opened; NaN.
        worst: float64 (n, 48), upper expectile of a half hour's mean y over the days; NaN.
        spread: float64 (n, 48), standard deviation of y within it; NaN.
    """

    limit: F64
    next_ns: I64
    first_ns: I64
    count: F64
    total: F64
    square: F64
    base: F64
    recent: F64
    days: F64
    turn_ns: I64
    busy: Bool
    level: I8
    since_ns: I64
    held: F64
    worst: F64
    spread: F64


@dataclass(frozen=True, kw_only=True)
class Deviate(Quiet):
    """A value that is far worse than is usual here at this time of day, where no neighbour can be asked.

    Days are cut into half hours from a series' first reading on. Of each, what is learned over the days is the upper
    expectile W of its mean (it follows a worse day by half, a better one by 8 %), and the spread S within it. With
    y the value, worse upwards, B its mean of about a day, the limit of a half hour is::

        max(B + least, max W + max(margin, deviates * max S))      maxima over it and its two neighbours

    Where the half hour is not known yet (the first day) it is ``max(B + 1.6 least, y of the last hour + least)``, and what
    is said has confidence 0.6: a first rush hour and a crash look alike; 0.68 until the third day is over, then 0.84 rising
    to 0.95. A finding opens when y has been above the limit
    for ``confirm_s``, and is over when y has been below the middle of B and that limit for ``hold_s``. While it is open
    the limit stays, and half hours that were known learn only up to it.

    Args:
        worse: 1 where high is worse (occupancy, travel time), -1 where low is (speed), 0: off.
        least: by how much it must be worse than over the whole day, unit of the metric; NaN: only ``least_share`` counts.
        least_share: the same as a share of the usual value; NaN: only ``least``. The larger of both holds.
        margin: unit of the metric: least distance from what is usual at this time.
        deviates: the same in standard deviations.
        confirm_s: s, 0 to one day. Likewise ``hold_s``.
        level: level of the finding, 1 to 4.
        isolated: 1: speaks only where no other station of the zone has a chainage (there ``corridor`` judges); 0: always.

    Blind to: an incident that is not worse than the queue of every day; one on the first half hour; what begins slowly
    on the first day. Jams on one day of the week only are news each week until they have come often. Ignores NaN,
    0 where low is worse (nobody passed), and readings marked SUSPECT.

    Source: standard normal deviate (Dudek, Messer & Nuckles 1974, TRR 495) with a seasonal instead of a moving mean;
    expectiles: Newey & Powell 1987. Numbers are P.

    >>> from yiwang.columns import Readings
    >>> speed = Deviate(worse=-1.0, least=25.0, margin=10.0, deviates=4.0, confirm_s=300.0, hold_s=600.0, level=3.0, isolated=0.0)
    >>> state = speed.start(1)
    >>> for five in range(5 * 288):
    ...     hour = five / 12 % 24
    ...     rush = 45.0 if 7 <= hour < 9 else 0.0
    ...     kmh = 20.0 if five > 4 * 288 and 12 <= hour < 12.5 else 90.0 - rush
    ...     r = Readings.of([(0, five * 300_000_000_000, kmh, 0)])
    ...     found = speed.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     for i in range(len(found)):
    ...         print("day", five // 288, "hour", round(hour, 2), "level", found.level[i], "sure", found.confidence[i])
    day 0 hour 7.08 level 3 sure 0.6
    day 0 hour 9.17 level 0 sure 0.6
    day 4 hour 12.08 level 3 sure 0.87
    day 4 hour 12.67 level 0 sure 0.87
    """

    name: ClassVar[str] = "deviate"
    reasons: ClassVar[tuple[str, ...]] = ("deviate.unusual", "deviate.sudden", "deviate.usual")

    worse: Annotated[Param, Spec(unit="", lo=-1, hi=1, whole=True)]
    least: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9, absent=True)] = float("nan")
    least_share: Annotated[Param, Spec(unit="", lo=0, hi=100, absent=True)] = float("nan")
    margin: Annotated[Param, Spec(unit="metric", lo=0, hi=1e9)]
    deviates: Annotated[Param, Spec(unit="", lo=0, hi=100)]
    confirm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    hold_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    level: Annotated[Param, Spec(unit="level", lo=1, hi=4, whole=True)]
    isolated: Annotated[Param, Spec(unit="", lo=0, hi=1, whole=True)]
    layout: Layout = ALONE

    @cached_property
    def _sign(self) -> Param:
        """Of y; 0 where the series has neighbours to ask."""
        if len(self.layout) == 0:
            return self.worse
        placed = self.layout.live & np.isfinite(self.layout.at_m)
        pairs = np.unique(np.stack([self.layout.zone[placed], self.layout.at_m[placed]]), axis=1)
        zones, stations = np.unique(pairs[0], return_counts=True)
        judged = placed & np.isin(self.layout.zone, zones[stations >= 2])
        return np.asarray(np.where(judged & (np.asarray(self.isolated) > 0), 0.0, self.worse))

    def start(self, n: int) -> DeviateState:
        """``n`` series that have said nothing."""
        nan, none, zero = np.full(n, np.nan), np.full(n, NONE), np.zeros(n)
        return DeviateState(
            limit=np.full(n, np.inf),
            next_ns=none,
            first_ns=none.copy(),
            count=zero,
            total=zero.copy(),
            square=zero.copy(),
            base=nan,
            recent=nan.copy(),
            days=zero.copy(),
            turn_ns=none.copy(),
            busy=np.zeros(n, np.bool_),
            level=np.zeros(n, np.int8),
            since_ns=none.copy(),
            held=nan.copy(),
            worst=np.full((n, BINS), np.nan),
            spread=np.full((n, BINS), np.nan),
        )

    def step(self, state: DeviateState, r: Round) -> FindingColumns:
        """One row for each series whose level changes."""
        s, t = r.series.astype(np.intp), r.t_ns  # numpy is much slower with int32 as index
        sign = self._sign.take(s) if isinstance(self._sign, np.ndarray) else self._sign
        with np.errstate(invalid="ignore"):
            y = r.value * sign
            good = usable(r.value, r.quality) & (y < 1e9) & (y > -1e9) & ((y < 0.0) | (sign > 0.0))
        if not good.all():
            s, t, y = s[good], t[good], y[good]
        turned = np.flatnonzero(t >= state.next_ns.take(s))
        if len(turned):
            self._turn(state, s[turned], t[turned], y[turned])
        away = y - state.base.take(s)
        state.count[s] += 1.0
        state.total[s] += away
        away *= away
        state.square[s] += away
        rows = np.flatnonzero((y > state.limit.take(s)) | state.busy.take(s))
        if len(rows) == 0:
            return NO_FINDINGS
        return self._say(state, s[rows], t[rows], y[rows])

    def gauge(self, state: DeviateState) -> tuple[F64, F64]:
        """Mean of the present half hour and its limit, in the metric's own unit."""
        sign = np.where(np.asarray(self._sign) < 0, -1.0, 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            now = state.base + state.total / state.count
        limit = np.where(state.level > 0, state.held, state.limit)
        return sign * now, np.where(np.isfinite(limit), sign * limit, np.nan)

    def _turn(self, state: DeviateState, s: Rows, t: I64, y: F64) -> None:
        """A new half hour: learn from the one before, and work out the limit."""
        new = state.first_ns[s] == NONE
        state.first_ns[s] = np.where(new, t, state.first_ns[s])
        state.base[s] = np.where(new, y, state.base[s])
        first = state.first_ns[s]
        old = (state.next_ns[s] - 1 - first) // BIN_NS % BINS
        count = state.count[s]
        full = ~new & (count > 0)
        if full.any():
            self._learn(state, s[full], old[full])
        whole = (t - first) // BIN_NS
        slot = whole % BINS
        state.next_ns[s] = first + (whole + 1) * BIN_NS
        state.count[s] = 0.0
        state.total[s] = 0.0
        state.square[s] = 0.0
        beside = np.stack([(slot - 1) % BINS, slot, (slot + 1) % BINS], axis=1)
        worst = np.fmax.reduce(state.worst[s[:, None], beside], axis=1)
        spread = np.fmax.reduce(state.spread[s[:, None], beside], axis=1)
        known = ~np.isnan(state.worst[s, slot])
        base = state.base[s]
        least = np.fmax(at(self.least, s), at(self.least_share, s) * np.abs(base))
        usual = worst + np.maximum(at(self.margin, s), at(self.deviates, s) * spread)
        sudden = np.maximum(base + 1.6 * least, state.recent[s] + least)
        limit = np.where(known, np.maximum(base + least, usual), sudden)
        state.limit[s] = np.where(np.isnan(limit), np.inf, limit)

    def _learn(self, state: DeviateState, s: Rows, slot: I64) -> None:
        count = state.count[s]
        mean = state.total[s] / count
        spread = np.sqrt(np.maximum(state.square[s] / count - mean * mean, 0.0))
        mean = state.base[s] + mean
        worst, old = state.worst[s, slot], state.spread[s, slot]
        known = (state.level[s] > 0) & np.isfinite(worst)  # the first day has nothing to be held to
        mean = np.where(known, np.minimum(mean, state.held[s]), mean)
        rate = np.where(mean > worst, UP, DOWN)
        state.worst[s, slot] = np.where(np.isnan(worst), mean, worst + rate * (mean - worst))
        state.spread[s, slot] = np.where(
            np.isnan(old), spread, old + np.where(spread > old, UP, DOWN) * (spread - old)
        )
        state.recent[s] = np.where(np.isnan(state.recent[s]), mean, 0.5 * (state.recent[s] + mean))
        state.days[s] += 1.0 / BINS
        state.base[s] += np.maximum(1.0 / BINS, 1.0 / (1.0 + state.days[s] * BINS)) * (mean - state.base[s])

    def _say(self, state: DeviateState, s: Rows, t: I64, y: F64) -> FindingColumns:
        level = state.level[s]
        on = level > 0
        held = np.where(on, state.held[s], state.limit[s])
        middle = 0.5 * (state.base[s] + held)
        against = np.where(on, y < middle, y > held)
        turn = np.where(state.turn_ns[s] == NONE, t, state.turn_ns[s])
        wait = np.where(on, at(self.hold_s, s), at(self.confirm_s, s))
        flip = against & ((t - turn) / 1e9 >= wait)
        state.turn_ns[s] = np.where(against & ~flip, turn, NONE)
        state.busy[s] = (on ^ flip) | (against & ~flip)
        c = np.flatnonzero(flip)
        if len(c) == 0:
            return NO_FINDINGS
        s, t, y, on, held, turn = s[c], t[c], y[c], on[c], held[c], turn[c]
        since = np.where(on, state.since_ns[s], turn)
        new = np.where(on, 0, np.broadcast_to(at(self.level, s), len(s))).astype(np.int8)
        state.level[s] = new
        state.since_ns[s] = np.where(on, NONE, since)
        state.held[s] = np.where(on, np.nan, held)
        first_day = state.days[s] < 0.99
        sign = np.sign(np.broadcast_to(np.asarray(at(self._sign, s)), len(s)))
        base = state.base[s]
        return FindingColumns(
            series=s.astype(np.int32),
            t_ns=t,
            since_ns=since,
            level=new,
            value=y * sign,
            limit=np.where(on, middle[c], held) * sign,
            reason=np.where(on, 2, np.where(first_day, 1, 0)).astype(np.uint8),
            numbers={"usual": base * sign, "excess": np.abs(y - base)},
            confidence=np.where(
                first_day,
                0.6,
                np.where(state.days[s] < 2.99, 0.68, np.minimum(0.95, 0.75 + 0.03 * np.floor(state.days[s]))),
            ),
        )
