"""A bank of latches: limits with hysteresis and delays, element by element. The common heart of ladder and grade.

Each series has k latches. A latch of limit L, hysteresis h turns on when v >= L has held for ``on_ns``, and off
when v < L - h has held for ``off_ns``, both of event time between readings. A limit that is NaN is not in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.protocol import Param, one
from detectors.state import Write, commit
from yiwang.columns import F64, I8, I32, I64, U8, Quality, Round

NONE = np.iinfo(np.int64).min
"""No such moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Parameters of k latches, for n series each or for all.

    Attributes:
        limit: float64 (n, k) or (k,), NaN for a latch that is not in use.
        hysteresis: as ``limit``.
        level: as ``limit``: the level a latch stands for, 1 most severe; 0 for none.
        on_ns: int64 (n, 1) or (1,).
        off_ns: as ``on_ns``.
        lowest: float64 (n,) or (): no value below it can turn a latch on.
        signs: float64 (k,) of 1 and -1, or ``None`` for all 1. A latch of sign -1 sees -v, so that low is high: its
            limit is negated too.
        lowest_negated: as ``lowest``, for the latches of sign -1.
    """

    limit: F64
    hysteresis: F64
    level: F64
    on_ns: I64
    off_ns: I64
    lowest: F64
    signs: F64 | None = None
    lowest_negated: F64 | None = None

    @classmethod
    def of(
        cls,
        *,
        limit: Sequence[Param],
        hysteresis: Sequence[Param],
        level: Sequence[Param],
        on_s: Param,
        off_s: Param,
        signs: Sequence[float] = (),
    ) -> "Bank":
        """From one parameter a latch, most severe latch first; delays in seconds.

        With ``signs``, limits of sign -1 are given as they are meant ("at most 19.5") and negated here.
        """
        limits = _columns(limit)
        if signs:
            sign = np.asarray(signs, np.float64)
            limits = limits * sign
            return cls(
                limit=limits,
                hysteresis=_columns(hysteresis),
                level=_columns(level),
                on_ns=_nanoseconds(on_s),
                off_ns=_nanoseconds(off_s),
                lowest=np.asarray(np.fmin.reduce(limits[..., sign > 0], axis=-1)),
                signs=sign,
                lowest_negated=np.asarray(np.fmin.reduce(limits[..., sign < 0], axis=-1)),
            )
        return cls(
            limit=limits,
            hysteresis=_columns(hysteresis),
            level=_columns(level),
            on_ns=_nanoseconds(on_s),
            off_ns=_nanoseconds(off_s),
            lowest=np.asarray(np.fmin.reduce(limits, axis=-1)),
        )


@dataclass(slots=True, kw_only=True)
class LatchState:
    """State of n series with k latches each.

    Attributes:
        on: bool (n, k).
        turn_ns: int64 (n, k), since when readings have spoken against ``on`` without a break; NONE.
        busy: bool (n,), whether anything is on or turning: other series need no look while they are calm.
        level: int8 (n,), level last said; 0 none.
        since_ns: int64 (n,), start of the episode; NONE while there is none.
    """

    on: NDArray[np.bool_]
    turn_ns: I64
    busy: NDArray[np.bool_]
    level: I8
    since_ns: I64


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """The m series whose level changed.

    Attributes:
        rows: int64 (m,), index into the round.
        series: int32 (m,).
        level: int8 (m,), the new level.
        since_ns: int64 (m,), start of the episode.
        latch: int64 (m,), the latch that decided: the one that gives the new level when it rose, else the one
            that gave the old.
        rose: bool (m,), whether it became more severe.
    """

    rows: I64
    series: I32
    level: I8
    since_ns: I64
    latch: I64
    rose: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a round does to m of its series; the others are calm and stay so.

    Attributes:
        rows: int64 (m,), index into the round.
        series: int64 (m,).
        busy: bool (m,), whether it is busy now.
        turned: of those whose level changed, if there are any.
        writes: what has to be committed.
    """

    rows: I64
    series: I64
    busy: NDArray[np.bool_]
    turned: Turned | None
    writes: list[Write]


def start(n: int, k: int) -> LatchState:
    """``n`` series, all off."""
    return LatchState(
        on=np.zeros((n, k), np.bool_),
        turn_ns=np.full((n, k), NONE),
        busy=np.zeros(n, np.bool_),
        level=np.zeros(n, np.int8),
        since_ns=np.full(n, NONE),
    )


def usable(value: F64, quality: U8) -> NDArray[np.bool_]:
    """Finite readings that nobody suspects; a reading stamped with ingest time (CLOCK) is one."""
    good: NDArray[np.bool_] = np.isfinite(value) & ((quality & Quality.SUSPECT) == 0)
    return good


def step(bank: Bank, state: LatchState, r: Round, value: F64) -> Turned | None:
    """Take a round; changes ``state`` in place.

    Args:
        bank: the parameters.
        state: of n series.
        r: the round, of m readings.
        value: float64 (m,), its values, negated where low is worse.

    Returns:
        What changed, or ``None``.
    """
    looked = look(bank, state, r, value, clean=False)
    if looked is None:
        return None
    commit(looked.writes)
    return looked.turned


def look(bank: Bank, state: LatchState, r: Round, value: F64, *, clean: bool) -> Looked | None:
    """As ``step``, but the state is changed only when the caller commits the writes; ``None`` where all are calm.

    ``clean`` says that all of ``value`` is finite and no reading is SUSPECT.
    """
    s = r.index()
    used: I64 | None = None
    if not clean:
        used = usable(value, r.quality).nonzero()[0]
        s, value = s.take(used), value.take(used)
    hot = value >= _of(bank.lowest, s, 1)
    hot |= state.busy.take(s)
    if bank.lowest_negated is not None:
        hot |= -value >= _of(bank.lowest_negated, s, 1)
    rows = hot.nonzero()[0]
    if len(rows) == 0:
        return None
    s = s.take(rows)
    v = value.take(rows)[:, None]
    rows = rows if used is None else used.take(rows)
    t = r.t_ns[rows, None]
    if bank.signs is not None:
        v = v * bank.signs
    bound = _of(bank.limit, s)
    on = state.on.take(s, axis=0)
    on &= ~np.isnan(bound)  # a limit taken out of use is off at once
    against = np.where(on, v < bound - _of(bank.hysteresis, s), v >= bound)
    since = state.turn_ns.take(s, axis=0)
    turn = np.where(since == NONE, t, since)
    flip = against & (t - turn >= np.where(on, _of(bank.off_ns, s), _of(bank.on_ns, s)))
    begun = np.where(flip & ~on, turn, np.iinfo(np.int64).max).min(axis=1)
    released = flip & on
    on ^= flip
    turn = np.where(against & ~flip, turn, NONE)
    busy = on.any(axis=1) | (turn != NONE).any(axis=1)
    writes: list[Write] = [(state.on, s, on), (state.turn_ns, s, turn), (state.busy, s, busy)]

    weight = np.broadcast_to(_of(bank.level, s), on.shape)
    rank = np.where(on & (weight > 0), weight, np.inf)
    best = rank.min(axis=1)
    new = np.where(np.isfinite(best), best, 0).astype(np.int8)
    old = state.level.take(s)
    c = (new != old).nonzero()[0]
    if len(c) == 0:
        return Looked(rows, s, busy, None, writes)
    all_, s, old, new = s, s[c], old[c], new[c]
    rose = (old == 0) | ((new > 0) & (new < old))
    of_old = weight[c] == old[:, None]
    left = (of_old.astype(np.int8) + (of_old & released[c])).argmax(axis=1)
    # without a latch that turned on now (levels or limits were changed meanwhile) the episode starts here
    opened = np.where(old == 0, np.minimum(begun[c], t[c, 0]), state.since_ns[s])
    writes += [(state.level, s, new), (state.since_ns, s, np.where(new == 0, NONE, opened))]
    turned = Turned(
        rows=rows[c],
        series=s.astype(np.int32),
        level=new,
        since_ns=opened,
        latch=np.where(rose, rank[c].argmin(axis=1), left),
        rose=rose,
    )
    return Looked(rows, all_, busy, turned, writes)


def decided(bank: Bank, turned: Turned) -> F64:
    """The threshold each change was held against: float64 (m,), limit, or limit - hysteresis on the way back."""
    limit = _of(bank.limit, turned.series)
    back = limit - _of(bank.hysteresis, turned.series)
    both = np.broadcast_to(np.where(turned.rose[:, None], limit, back), (len(turned.rows), limit.shape[-1]))
    return both[np.arange(len(turned.rows)), turned.latch]


def _of(param: NDArray[Any], s: I32 | I64, dimensions: int = 2) -> NDArray[Any]:  # Any: float64 or int64
    """A parameter's rows of the given series; one row stands for all."""
    return param.take(s, axis=0) if param.ndim == dimensions else param


def _columns(params: Sequence[Param]) -> F64:
    return np.stack(np.broadcast_arrays(*(np.asarray(one(p), np.float64) for p in params)), axis=-1)


def _nanoseconds(seconds: Param) -> I64:
    return np.rint(np.asarray(one(seconds), np.float64) * 1e9).astype(np.int64)[..., None]
