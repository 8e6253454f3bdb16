"""Rainfall: sums of rain over 1, 3, 6, 12 and 24 h against a table, from rates, bins or a counter."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from detectors.latch import NONE, usable
from detectors.protocol import Param, Spec, at, one
from yiwang.columns import F64, I8, I32, I64, NO_FINDINGS, FindingColumns, Round

BIN_NS = 300_000_000_000
BINS = 290
"""Bins of 5 min kept per series: 24 h, and two for the ends."""
HOURS = (1, 3, 6, 12, 24)
_WINDOW_NS = np.array(HOURS, np.int64) * 3_600_000_000_000
NAN = float("nan")
_MARGIN = 1e-6
"""What a sum may differ by from being added up in another way, mm, and far more."""
_PART = 512
"""How many series are added up at once: what fits the processor's cache."""

Sum = Annotated[Param, Spec(unit="mm", lo=0, hi=10_000, absent=True)]


@dataclass(slots=True, kw_only=True)
class RainState:
    """State of n series.

    Attributes:
        mm: float64 (n, 290), rain of each bin but the newest, whose column means nothing yet.
        end_ns: int64 (n,), end of the newest bin; NONE before the first reading.
        slot: int64 (n,), its column in ``mm``.
        newest: float64 (n,), its rain, mm.
        t_ns: int64 (n,), time of the newest reading; NONE.
        last: float64 (n,), its value.
        room: float64 (n,), mm: at least so much must still fall before a level can be said or rise. Sums only fall
            without rain, so until then no tick looks.
        held: float64 (n,), the limits that ``room`` was measured against, as one number; NaN.
        level: int8 (n,), level said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE.
    """

    mm: F64
    end_ns: I64
    slot: I64
    newest: F64
    t_ns: I64
    last: F64
    room: F64
    held: F64
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
        own = [one(getattr(self, f"mm_{h}h_{level}")) for h in HOURS for level in ("i", "ii", "iii", "iv")]
        table = np.stack(np.broadcast_arrays(*(np.asarray(p, np.float64) for p in own)), axis=-1)
        return table.reshape(*table.shape[:-1], len(HOURS), 4)

    @cached_property
    def _held(self) -> F64:
        """float64 (n,) or (): one number for all that ``room`` depends on, so that a change of it is seen."""
        table = np.nan_to_num(self._table, nan=-1.0).reshape(*self._table.shape[:-2], 4 * len(HOURS))
        calm = np.asarray(one(self.calm_mm)) * np.pi + np.asarray(one(self.calm_s)) * np.e
        held: F64 = (table * np.sqrt(2.0 + np.arange(table.shape[-1]))).sum(axis=-1) + calm
        return held

    @cached_property
    def _gap_s(self) -> Param:
        return one(self.gap_s)

    @cached_property
    def _most(self) -> Param:
        return one(self.most_mm_h)

    def start(self, n: int) -> RainState:
        """``n`` gauges on which it has not rained."""
        return RainState(
            mm=np.zeros((n, BINS)),
            end_ns=np.full(n, NONE),
            slot=np.zeros(n, np.int64),
            newest=np.zeros(n),
            t_ns=np.full(n, NONE),
            last=np.zeros(n),
            room=np.full(n, np.inf),
            held=np.full(n, np.nan),
            level=np.zeros(n, np.int8),
            since_ns=np.full(n, NONE),
        )

    def step(self, state: RainState, r: Round) -> FindingColumns:
        """Lay the rain into its bins; says nothing."""
        good = usable(r.value, r.quality)
        s, t, v = r.series, r.t_ns, r.value
        if not good.all():
            used = good.nonzero()[0]
            s, t, v = s[used], t[used], v[used]
        end_ns = state.end_ns.take(s)
        new = (end_ns == NONE).nonzero()[0]
        if len(new):
            end_ns[new] = t[new]
            state.end_ns[s[new]] = t[new]
            state.room[s[new]] = 0.0
        if len(s):
            self._lay(state, s, t, v, end_ns)
        return NO_FINDINGS

    def _lay(self, state: RainState, s: I32, t: I64, v: F64, end_ns: I64) -> None:
        """Lay readings into bins; ``end_ns`` are the ends of the newest."""
        last_ns = state.t_ns.take(s)
        gap_s = np.minimum((t - last_ns) / 1e9, at(self._gap_s, s))
        gap_s[(last_ns == NONE).nonzero()[0]] = 0.0
        mm = v * gap_s / 3600.0
        mm[~((v > 0) & (v <= at(self._most, s)))] = 0.0
        _pour(state, s, t, mm, gap_s * 1e9, end_ns)

    def rests(self, state: RainState) -> bool:
        """Whether no tick would say or change anything: nothing is said, and no gauge has had rain enough."""
        return len(self._due(state)) == 0

    def _due(self, state: RainState) -> I32:
        due = state.room <= _MARGIN
        due |= state.level > 0
        due |= state.held != self._held
        return due.nonzero()[0].astype(np.int32)

    def tick(self, state: RainState, t_ns: int) -> FindingColumns:
        """One row for each gauge whose level changes."""
        s = self._due(state)
        if len(s) == 0:
            return NO_FINDINGS
        held = at(self._held, s) if self._held.ndim else self._held
        anew = (state.held[s] != held) | (state.room[s] <= _MARGIN)
        state.held[s] = held
        begun = state.end_ns[s] != NONE
        s, anew = s[begun], anew[begun]
        lately, most = _lately(state, s, t_ns, at(self.calm_s, s))
        raining = lately >= at(self.calm_mm, s)
        old = state.level[s]
        # where it rains no more nothing can rise before it does, whatever the sums are
        dry = (~raining).nonzero()[0]
        state.room[s[dry]] = np.asarray(at(self.calm_mm, s[dry])) - most[dry]
        full = np.where(raining, anew, old > 0).nonzero()[0]
        if len(full) == 0:
            return NO_FINDINGS
        s, old, raining, lately = s[full], old[full], raining[full], lately[full]
        sums = _sums(state, s, t_ns)
        table = self._table[s] if self._table.ndim == 3 else self._table
        reached = sums[:, :, None] >= table
        levels = np.logical_or.reduce(reached, axis=1)
        severe = np.where(levels.any(axis=1), levels.argmax(axis=1) + 1, 0)
        new = np.where((severe > 0) & ((old == 0) | (severe < old)), severe, old)
        new = np.where(raining, new, 0).astype(np.int8)
        left = np.fmin.reduce(table - sums[:, :, None], axis=1)  # of each level, to its nearest limit
        left[np.isnan(left) | ((new > 0)[:, None] & (np.arange(1, 5) >= new[:, None]))] = np.inf
        state.room[s[raining]] = left.min(axis=1)[raining]
        c = (new != old).nonzero()[0]
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
        hours = np.array(HOURS, np.float64)
        return FindingColumns(
            series=s,
            t_ns=np.full(len(s), t_ns),
            since_ns=np.minimum(since, t_ns),
            level=new,
            value=np.where(said, sums[rows, window], lately),
            limit=np.where(said, limits[rows, window, of], at(self.calm_mm, s)),
            reason=np.where(said, 0, 1).astype(np.uint8),
            numbers={
                "window_h": np.where(said, hours[window], np.nan),
                "window_s": np.where(said, hours[window] * 3600.0, at(self.calm_s, s)),
                **{f"mm_{h}h": sums[:, i].copy() for i, h in enumerate(HOURS)},
            },
        )

    def gauge(self, state: RainState) -> tuple[F64, F64]:
        """Rain of the hour before the newest reading, and the least limit for it."""
        n = len(state.level)
        sums = np.full(n, np.nan)
        for row in np.flatnonzero(state.t_ns != NONE).tolist():  # for a plot: a few gauges
            own = np.array([row], np.int32)
            sums[row] = _lately(state, own, int(state.t_ns[row]), 3600.0)[0][0]
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

    def _lay(self, state: RainState, s: I32, t: I64, v: F64, end_ns: I64) -> None:
        # stamps jitter round the bin's end, so the nearest one is meant
        ahead = (t - end_ns + BIN_NS // 2) // BIN_NS
        kept = (ahead > -BINS) & (v >= 0) & (v <= at(self._most, s) / 12.0)
        if not kept.all():
            rows = kept.nonzero()[0]
            s, t, v, ahead = s[rows], t[rows], v[rows], ahead[rows]
        state.room[s] -= v
        state.t_ns[s] = np.maximum(state.t_ns.take(s), t)
        late = (ahead < 0).nonzero()[0]
        if len(late):
            state.mm[s[late], (state.slot[s[late]] + ahead[late]) % BINS] = v[late]
            rows = (ahead >= 0).nonzero()[0]
            s, v, ahead = s[rows], v[rows], ahead[rows]
        opened = (ahead > 0).nonzero()[0]
        if len(opened):
            _open(state, s[opened], ahead[opened])
        state.newest[s] = v


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

    def _lay(self, state: RainState, s: I32, t: I64, v: F64, end_ns: I64) -> None:
        last_ns, last = state.t_ns.take(s), state.last.take(s)
        gap_ns = t - last_ns
        mm = np.where(v >= last, v - last, v)
        first = (last_ns == NONE).nonzero()[0]
        gap_ns[first] = 0
        mm[first] = 0.0
        most = at(self._most, s) * np.maximum(gap_ns / 1e9, at(self._gap_s, s)) / 3600.0
        mm[(mm < 0) | (mm > most)] = 0.0
        state.last[s] = v
        _pour(state, s, t, mm, gap_ns.astype(np.float64), end_ns)


def _pour(state: RainState, s: I32, t: I64, mm: F64, gap_ns: F64, end_ns: I64) -> None:
    """Lay the rain of intervals that end at ``t`` evenly into the bins (b - 1, b] x 5 min that they cover."""
    opened = (t > end_ns).nonzero()[0]
    if len(opened):
        _open(state, s[opened], -((end_ns[opened] - t[opened]) // BIN_NS))
    state.t_ns[s] = t
    if not mm.any():
        return
    state.room[s] -= mm
    wide = (gap_ns >= 1.5 * BIN_NS).nonzero()[0]
    if len(wide):
        covered = np.clip(np.rint(gap_ns[wide] / BIN_NS), 1, BINS).astype(np.int64)
        mm[wide] /= covered
    state.newest[s] += mm
    back = 1
    while len(wide):  # only where readings are further apart than a bin, at most once a bin
        more = (covered > back).nonzero()[0]
        wide, covered = wide[more], covered[more]
        state.mm[s[wide], (state.slot[s[wide]] - back) % BINS] += mm[wide]
        back += 1


def _open(state: RainState, s: I32, ahead: I64) -> None:
    """Put the newest bins away and open those ``ahead`` > 0 further on."""
    slot = state.slot.take(s)
    state.mm[s, slot] = state.newest.take(s)
    slot = (slot + ahead) % BINS
    left = (ahead > 1).nonzero()[0]
    between = 1
    while len(left):  # only after gaps
        state.mm[s[left], (slot[left] - between) % BINS] = 0.0
        between += 1
        left = left[np.minimum(ahead[left], BINS) > between]
    state.newest[s] = 0.0
    state.slot[s] = slot
    state.end_ns[s] += ahead * BIN_NS


def _back(state: RainState, s: I32, t_ns: int, count: int) -> tuple[F64, F64]:
    """The newest ``count`` bins, newest first: their rain, and how long ago of ``t_ns`` they ended, ns: (m, count)."""
    back = np.arange(count)
    column = state.slot[s, None] - back
    column[column < 0] += BINS
    rain = state.mm[s[:, None], column]
    rain[:, 0] = state.newest[s]
    return rain, ((t_ns - state.end_ns[s])[:, None] + back * BIN_NS).astype(np.float64)


def _within(rain: F64, ago_ns: F64, window_ns: float | F64) -> F64:
    """Rain of the windows before the moment, (m,); bins that lie in them in part count in part."""
    total: F64 = (rain * np.clip((window_ns - ago_ns) / BIN_NS, 0.0, 1.0)).sum(axis=1)
    return total


def _enough(bins: float) -> int:
    """How many bins to add up so that the newest ``bins`` are among them.

    All these lengths give the same sum to the last bit: numpy adds in blocks of 72 with eight partial sums, and what
    is further back adds 0.
    """
    eights = 8 * max(1, math.ceil(bins / 8))
    return eights if eights <= 72 else 144 if bins <= 144 else BINS


def _lately(state: RainState, s: I32, t_ns: int, lately_s: Param) -> tuple[F64, F64]:
    """Rain of the last ``lately_s`` that is known of, mm, (m,), and the most that it can be without more rain.

    After a silence a reading from before the moment may tell that what is known of was longer ago.
    """
    # the last quarter of an hour that is known of: a gauge that reports each ten minutes is not dry in between
    lately_ns = np.asarray(lately_s, np.float64) * 1e9
    behind_ns = np.maximum((t_ns - state.t_ns[s]).astype(np.float64), 0.0)
    silent = behind_ns > lately_ns
    window = lately_ns + np.where(silent, 0.0, behind_ns)
    found = _by_parts(state, s, t_ns, window)
    most = found
    mute = silent.nonzero()[0]
    if len(mute):
        most = found.copy()
        most[mute] = _by_parts(state, s[mute], t_ns, (lately_ns + behind_ns)[mute])
    return found, most


def _by_parts(state: RainState, s: I32, t_ns: int, window_ns: F64) -> F64:
    """Rain of a window of its own for each series, mm, (m,)."""
    total = np.empty(len(s))
    reach = (window_ns - (t_ns - state.end_ns[s])) / BIN_NS
    for begin in range(0, len(s), _PART):
        part = slice(begin, begin + _PART)
        rain, ago_ns = _back(state, s[part], t_ns, _enough(float(reach[part].max()) + 1.0))
        total[part] = _within(rain, ago_ns, window_ns[part, None])
    return total


def _sums(state: RainState, s: I32, t_ns: int) -> F64:
    """Rain of the last 1, 3, 6, 12, 24 h before ``t_ns``, mm: float64 (m, 5)."""
    sums = np.empty((len(s), len(HOURS)))
    for begin in range(0, len(s), _PART):
        part = slice(begin, begin + _PART)
        rain, ago_ns = _back(state, s[part], t_ns, BINS)
        for i, window in enumerate(_WINDOW_NS):
            bins = _enough((float(window) - float(ago_ns[:, 0].min())) / BIN_NS + 1.0)
            sums[part, i] = _within(rain[:, :bins], ago_ns[:, :bins], float(window))
    return sums
