"""Rainfall: sums of rain over 1, 3, 6, 12 and 24 h against a table, from rates, bins or a counter."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

BIN_NS = 300_000_000_000
BINS = 290
"""Bins of 5 min kept per series: 24 h, and two for the ends."""
HOURS = (1, 3, 6, 12, 24)
_WINDOW_NS = np.array(HOURS, np.int64) * 3_600_000_000_000
NAN = float("nan")

Sum = Annotated[Param, Spec(unit="mm", lo=0, hi=10_000, absent=True)]


@dataclass(slots=True, kw_only=True)
class RainState:
    """State of n series.

    Attributes:
        mm: float64 (n, 290), rain of each bin; bin b stands in column b % 290.
        origin_ns: int64 (n,), end of bin 0: the first reading; NONE.
        head: int64 (n,), newest bin; those up to 289 before it are in ``mm``.
        t_ns: int64 (n,), time of the newest reading; NONE.
        last: float64 (n,), its value.
        rained_ns: int64 (n,), newest moment at which it had rained; NONE.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
    """

    mm: F64
    origin_ns: I64
    head: I64
    t_ns: I64
    last: F64
    rained_ns: I64
    level: I8
    since_ns: I64


@dataclass(frozen=True, kw_only=True)
class RainRate:
    """Rain sums from sampled intensities, mm/h.

    The rain of an interval (t0, t] is v (t - t0), with t - t0 at most ``gap_s``. At each tick, with S_w the rain of
    the last w hours, level l is reached where ``S_w >= mm_{w}h_l`` for some w while it rains on: at least ``calm_mm``
    in the last ``calm_s``. Bins of 5 min that lie half inside a window count by half. The level only rises within an
    episode, which is over when it rains on no more. The value is the sum that decided, the limit the table's; ``numbers`` hold
    ``window_h``, ``window_s`` and all sums ``mm_1h`` … ``mm_24h``.

    Args:
        mm_1h_i: limit of level I for the sum of 1 h, mm; NaN: none. Likewise the other windows and levels.
        calm_mm: rain in ``calm_s`` below which it is over, mm.
        calm_s: s, at least a bin.
        gap_s: longest interval a reading speaks for, s.
        most_mm_h: rain above this is no rain but a fault, and left out, mm/h.

    Blind to: what falls in a gap longer than ``gap_s``; snow; rain between the gauges; the forecast that an official
    signal goes by. Ignores NaN and readings marked SUSPECT.

    Source: windows and limits are the pack's (domain.md C1, C2); the sum is a plain rectangle rule.

    >>> from yiwang.columns import Readings
    >>> rain = RainRate(mm_1h_iv=20.0, mm_3h_ii=50.0, calm_mm=0.5, calm_s=900.0, gap_s=900.0, most_mm_h=400.0)
    >>> state = rain.start(1)
    >>> for five in range(40):
    ...     t_ns = five * 300_000_000_000
    ...     r = Readings.of([(0, t_ns, 24.0 if five < 30 else 0.0, 0)])
    ...     _ = rain.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    ...     found = rain.tick(state, t_ns)
    ...     for i, level in enumerate(found.level):
    ...         print(five * 5, "min: level", level, "sum", round(found.value[i], 3), "limit", found.limit[i],
    ...               "window", found.numbers["window_h"][i])
    50 min: level 4 sum 20.0 limit 20.0 window 1.0
    125 min: level 2 sum 50.0 limit 50.0 window 3.0
    160 min: level 0 sum 0.0 limit 0.5 window nan
    """

    name: ClassVar[str] = "rain_rate"
    roles: ClassVar[tuple[str, ...]] = ("main",)
    reasons: ClassVar[tuple[str, ...]] = ("rainfall.sum", "rainfall.calm")
    wants_late: ClassVar[bool] = False

    mm_1h_i: Sum = NAN
    mm_1h_ii: Sum = NAN
    mm_1h_iii: Sum = NAN
    mm_1h_iv: Sum = NAN
    mm_3h_i: Sum = NAN
    mm_3h_ii: Sum = NAN
    mm_3h_iii: Sum = NAN
    mm_3h_iv: Sum = NAN
    mm_6h_i: Sum = NAN
    mm_6h_ii: Sum = NAN
    mm_6h_iii: Sum = NAN
    mm_6h_iv: Sum = NAN
    mm_12h_i: Sum = NAN
    mm_12h_ii: Sum = NAN
    mm_12h_iii: Sum = NAN
    mm_12h_iv: Sum = NAN
    mm_24h_i: Sum = NAN
    mm_24h_ii: Sum = NAN
    mm_24h_iii: Sum = NAN
    mm_24h_iv: Sum = NAN
    calm_mm: Annotated[Param, Spec(unit="mm", lo=0.01, hi=100)]
    calm_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    gap_s: Annotated[Param, Spec(unit="s", lo=0, hi=86_400)]
    most_mm_h: Annotated[Param, Spec(unit="mm/h", lo=1, hi=10_000)]

    @cached_property
    def _table(self) -> F64:
        """float64 (n, 5, 4) or (5, 4): windows by levels, most severe first."""
        own = [getattr(self, f"mm_{h}h_{level}") for h in HOURS for level in ("i", "ii", "iii", "iv")]
        table = np.stack(np.broadcast_arrays(*(np.asarray(p, np.float64) for p in own)), axis=-1)
        return table.reshape(*table.shape[:-1], len(HOURS), 4)

    def start(self, n: int) -> RainState:
        """``n`` gauges on which it has not rained."""
        return RainState(
            mm=np.zeros((n, BINS)),
            origin_ns=np.full(n, NONE),
            head=np.zeros(n, np.int64),
            t_ns=np.full(n, NONE),
            last=np.zeros(n),
            rained_ns=np.full(n, NONE),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
        )

    def step(self, state: RainState, r: Round) -> FindingColumns:
        """Lay the rain into its bins; says nothing."""
        used = np.flatnonzero(usable(r.value, r.quality))
        if len(used):
            s, t, v = r.series[used], r.t_ns[used], r.value[used]
            begun = state.origin_ns[s]
            new = begun == NONE
            if new.any():
                state.origin_ns[s[new]] = t[new]
            self._lay(state, s, t, v)
        return NO_FINDINGS

    def _lay(self, state: RainState, s: I32, t: I64, v: F64) -> None:
        last_ns = state.t_ns[s]
        gap_s = np.where(last_ns == NONE, 0.0, np.minimum((t - last_ns) / 1e9, at(self.gap_s, s)))
        good = (v > 0) & (v <= at(self.most_mm_h, s))
        mm = np.where(good, v * gap_s / 3600.0, 0.0)
        _pour(state, s, _bin(state, s, t), mm, gap_s * 1e9)
        state.t_ns[s] = t
        rows = np.flatnonzero(mm > 0)
        state.rained_ns[s[rows]] = t[rows]

    def tick(self, state: RainState, t_ns: int) -> FindingColumns:
        """One row for each gauge whose level changes."""
        wet = (state.rained_ns != NONE) & (t_ns - state.rained_ns <= _WINDOW_NS[-1] + BIN_NS)
        s = np.flatnonzero(wet | (state.level > 0)).astype(np.int32)
        if len(s) == 0:
            return NO_FINDINGS
        sums, lately = _sums(state, s, t_ns, at(self.calm_s, s))
        table = self._table[s] if self._table.ndim == 3 else self._table
        reached = sums[:, :, None] >= table
        levels = np.logical_or.reduce(reached, axis=1)
        severe = np.where(levels.any(axis=1), levels.argmax(axis=1) + 1, 0)
        old = state.level[s]
        calm = np.broadcast_to(np.asarray(at(self.calm_mm, s), np.float64), len(s))
        raining = lately >= calm
        new = np.where(raining & (severe > 0) & ((old == 0) | (severe < old)), severe, old)
        new = np.where(raining, new, 0).astype(np.int8)
        c = np.flatnonzero(new != old)
        if len(c) == 0:
            return NO_FINDINGS
        s, old, new, sums, lately = s[c], old[c], new[c], sums[c], lately[c]
        since = np.where(old == 0, t_ns, state.since_ns[s])
        state.level[s] = new
        state.since_ns[s] = np.where(new == 0, NONE, since)
        rows = np.arange(len(s))
        said = new > 0
        of = np.maximum(new, 1) - 1
        window = np.where(said, reached[c][rows, :, of].argmax(axis=1), 0)
        limits = np.broadcast_to(table[c] if table.ndim == 3 else table, (len(s), len(HOURS), 4))
        limit = np.where(said, limits[rows, window, of], calm[c])
        hours = np.array(HOURS, np.float64)
        return FindingColumns(
            series=s,
            t_ns=np.full(len(s), t_ns),
            since_ns=np.minimum(since, t_ns),
            level=new,
            value=np.where(said, sums[rows, window], lately),
            limit=limit,
            reason=np.where(said, 0, 1).astype(np.uint8),
            numbers={
                "window_h": np.where(said, hours[window], np.nan),
                "window_s": np.where(said, hours[window] * 3600.0, at(self.calm_s, s)),
                **{f"mm_{h}h": sums[:, i].copy() for i, h in enumerate(HOURS)},
            },
        )

    def gauge(self, state: RainState) -> tuple[F64, F64]:
        """Rain of the hour before the newest reading, and the least limit for it."""
        n = len(state.head)
        sums = np.full(n, np.nan)
        for row in np.flatnonzero(state.t_ns != NONE).tolist():  # for a plot: a few gauges
            sums[row] = _sums(state, np.array([row], np.int32), int(state.t_ns[row]), 3600.0)[1][0]
        return sums, np.broadcast_to(np.fmin.reduce(self._table[..., 0, :], axis=-1), n)


@dataclass(frozen=True, kw_only=True)
class RainBins(RainRate):
    """Rain sums from amounts of 5 min, mm, each stamped with the end of its 5 min.

    As ``RainRate``, but a reading is the rain of its bin. It may come late, in any order and more than once: it is
    laid into its own bin, and a repeat or a correction replaces what was there. ``gap_s`` is not used.

    Args: as ``RainRate``; ``most_mm_h`` / 12 is the most a bin may hold.

    Blind to: bins that never come. Ignores NaN and readings marked SUSPECT.

    Source: as ``RainRate``; late bins from the SL 651 revision draft: more than 25.4 mm in 5 min goes to the next bin.

    >>> from yiwang.columns import Readings
    >>> rain = RainBins(mm_1h_iv=20.0, calm_mm=0.5, calm_s=900.0, gap_s=900.0, most_mm_h=400.0)
    >>> state = rain.start(1)
    >>> for minute, mm in [(0, 0.0), (5, 8.0), (15, 8.0), (10, 8.0), (10, 8.0)]:
    ...     r = Readings.of([(0, minute * 60_000_000_000, mm, 0)])
    ...     _ = rain.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    >>> found = rain.tick(state, 20 * 60_000_000_000)
    >>> found.level.tolist(), found.value.tolist()
    ([4], [24.0])
    """

    name: ClassVar[str] = "rain_bins"
    wants_late: ClassVar[bool] = True

    def _lay(self, state: RainState, s: I32, t: I64, v: F64) -> None:
        # stamps jitter round the bin's end, so the nearest one is meant
        bins = (t - state.origin_ns[s] + BIN_NS // 2) // BIN_NS
        kept = np.flatnonzero((bins > state.head[s] - BINS) & (v >= 0) & (v <= at(self.most_mm_h, s) / 12.0))
        s, t, v, bins = s[kept], t[kept], v[kept], bins[kept]
        state.mm[s, _open(state, s, bins)] = v
        state.t_ns[s] = np.maximum(state.t_ns[s], t)
        rain = np.flatnonzero(v > 0)
        state.rained_ns[s[rain]] = np.maximum(state.rained_ns[s[rain]], t[rain])


@dataclass(frozen=True, kw_only=True)
class RainCounter(RainRate):
    """Rain sums from a counter that only rises, mm, until it is reset.

    As ``RainRate``, but the rain between two readings is their difference d. A value below the one before is a reset:
    the counter began again from 0, so d is the value itself. Rain of an interval longer than a bin is spread evenly
    over it. A d beyond ``most_mm_h`` times the interval is no rain; the counter goes on from there.

    Args: as ``RainRate``; ``gap_s`` is the shortest interval that ``most_mm_h`` is held against.

    Blind to: rain before a reset that no reading told of. A late reading says nothing new: the newer one counts it.

    Source: as ``RainRate``; that the total can reset is the SL 651 revision draft's.

    >>> from yiwang.columns import Readings
    >>> rain = RainCounter(mm_1h_iv=20.0, calm_mm=0.5, calm_s=900.0, gap_s=300.0, most_mm_h=400.0)
    >>> state = rain.start(1)
    >>> for minute, mm in [(0, 985.0), (5, 995.0), (10, 2.0), (15, 12.0)]:
    ...     r = Readings.of([(0, minute * 60_000_000_000, mm, 0)])
    ...     _ = rain.step(state, Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality))
    >>> found = rain.tick(state, 15 * 60_000_000_000)
    >>> found.level.tolist(), found.value.tolist()
    ([4], [22.0])
    """

    name: ClassVar[str] = "rain_counter"

    def _lay(self, state: RainState, s: I32, t: I64, v: F64) -> None:
        last_ns, last = state.t_ns[s], state.last[s]
        first = last_ns == NONE
        gap_ns = np.where(first, 0, t - last_ns)
        mm = np.where(v >= last, v - last, v)
        most = at(self.most_mm_h, s) * np.maximum(gap_ns / 1e9, at(self.gap_s, s)) / 3600.0
        mm = np.where(first | (mm < 0) | (mm > most), 0.0, mm)
        bins = _bin(state, s, t)
        state.t_ns[s], state.last[s] = t, v
        _pour(state, s, bins, mm, gap_ns.astype(np.float64))
        rain = np.flatnonzero(mm > 0)
        state.rained_ns[s[rain]] = t[rain]


def _bin(state: RainState, s: I32, t: I64) -> I64:
    """Number of the bin (b - 1, b] x 5 min after the origin that holds t."""
    bins: I64 = -((state.origin_ns[s] - t) // BIN_NS)
    return bins


def _pour(state: RainState, s: I32, bins: I64, mm: F64, gap_ns: F64) -> None:
    """Lay the rain of intervals that end in ``bins`` evenly into these and the bins that the intervals cover."""
    covered = np.clip(np.rint(gap_ns / BIN_NS), 1, BINS).astype(np.int64)
    slot = _open(state, s, bins)
    share = mm / covered
    state.mm[s, slot] += share
    back = 1
    rows = np.flatnonzero(covered > back)
    while len(rows):  # only where readings are further apart than a bin, at most once a bin
        state.mm[s[rows], (bins[rows] - back) % BINS] += share[rows]
        back += 1
        rows = rows[covered[rows] > back]


def _open(state: RainState, s: I32, bins: I64) -> I64:
    """Empty the columns between each series' newest bin and ``bins``; the columns of ``bins``."""
    slot: I64 = bins % BINS
    head = state.head[s]
    ahead = bins - head
    rows = np.flatnonzero(ahead > 0)
    if len(rows):
        passed = np.minimum(ahead[rows], BINS)
        step = 1
        left = rows
        while len(left):  # one pass in the usual course, more only after gaps
            state.mm[s[left], (bins[left] - step + 1) % BINS] = 0.0
            left = left[passed[np.searchsorted(rows, left)] > step]
            step += 1
        state.head[s[rows]] = bins[rows]
    return slot


def _sums(state: RainState, s: I32, t_ns: int, lately_s: Param) -> tuple[F64, F64]:
    """Rain before ``t_ns``, mm: of the last 1, 3, 6, 12, 24 h, float64 (m, 5); of ``lately_s``, float64 (m,)."""
    origin, head = state.origin_ns[s, None], state.head[s, None]
    bins = head - np.arange(BINS)  # newest first
    ago_ns = (t_ns - (origin + bins * BIN_NS)).astype(np.float64)  # of each bin's end
    rain = np.take_along_axis(state.mm[s], bins % BINS, axis=1)
    inside = [np.clip((float(window) - ago_ns) / BIN_NS, 0.0, 1.0) for window in _WINDOW_NS]
    # the last quarter of an hour that is known of: a gauge that reports each ten minutes is not dry in between
    lately_ns = np.broadcast_to(np.asarray(lately_s, np.float64) * 1e9, len(s))
    behind_ns = (t_ns - state.t_ns[s]).astype(np.float64)
    behind_ns = np.where(behind_ns <= lately_ns, np.maximum(behind_ns, 0.0), 0.0)
    inside.append(np.clip(((lately_ns + behind_ns)[:, None] - ago_ns) / BIN_NS, 0.0, 1.0))
    *sums, last = ((rain * share).sum(axis=1) for share in inside)
    return np.stack(sums, axis=1), last
