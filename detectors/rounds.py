"""Cutting a batch into rounds, in which each series occurs at most once.

A reading is late when it is not newer than what its series had before it, by arrival: earlier batches and
earlier rows of this one. Late readings are in no round. So the rounds of a batch cut in two anywhere, one after
the other, give each series the same readings in the same order.

Within a round readings stand by rising number of their series, however they arrived: whoever works on a million series
then goes through memory in one direction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, I64

NEVER = np.iinfo(np.int64).min
"""``newest`` of a series that has had no reading."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """A batch in rounds.

    Attributes:
        order: int64 (m,), positions in the batch, round behind round, by rising series within each; ``None`` where
            the batch as it arrived is one round.
        bounds: where in ``order`` rounds begin, and the end: round i is ``bounds[i]`` to ``bounds[i + 1]``.
        late: int64 (k - m,), positions of the late readings, in order of arrival.
    """

    order: I64 | None
    bounds: list[int]
    late: I64


NONE_LATE: I64 = np.empty(0, np.int64)


def cut(series: I32, t_ns: I64, newest: I64) -> tuple[NDArray[np.bool_], list[I64]]:
    """Which readings are late, and the rounds of the others.

    Args:
        series: int32 (k,), 0 <= series < n, in arrival order.
        t_ns: int64 (k,), event time.
        newest: int64 (n,), newest event time of each series so far, ``NEVER`` for none. Not changed: the caller
            does ``newest[series[i]] = t_ns[i]`` for each round ``i`` in turn.

    Returns:
        late: bool (k,); and index arrays into the batch. Every reading that is not late is in exactly one; one
        series' readings are in arrival order over the rounds; within a round they stand by series.

    >>> late, rounds = cut(np.array([0, 1, 0, 0], np.int32), np.array([5, 5, 7, 6]), np.array([4, NEVER]))
    >>> late.tolist(), [i.tolist() for i in rounds]
    ([False, False, False, True], [[0, 1], [2]])
    """
    dealt = deal(series, t_ns, newest)
    late = np.zeros(len(series), np.bool_)
    late[dealt.late] = True
    order = np.arange(len(series)) if dealt.order is None else dealt.order
    return late, [order[a:b] for a, b in zip(dealt.bounds, dealt.bounds[1:], strict=False)]


def deal(series: I32, t_ns: I64, newest: I64) -> Dealt:
    """As ``cut``, with all rounds in one array."""
    k = len(series)
    if k == 0:
        return Dealt(None, [0], NONE_LATE)
    if (series[1:] > series[:-1]).all():  # each series once, and in order
        fresh = t_ns > newest.take(series)
        if fresh.all():
            return Dealt(None, [0, k], NONE_LATE)
        return _once(np.arange(k), fresh)
    order = _by_series(series)
    s, t = series.take(order), t_ns.take(order)
    first = np.empty(k, np.bool_)
    first[0] = True
    np.not_equal(s[1:], s[:-1], out=first[1:])
    fresh = t > newest.take(s)
    if first.all():
        return Dealt(order, [0, k], NONE_LATE) if fresh.all() else _once(order, fresh)
    start = first.nonzero()[0]
    late = NONE_LATE
    rising = t[1:] > t[:-1]
    rising |= first[1:]
    if not (fresh.all() and rising.all()):
        passed = _in_turn(start, t, newest[s[start]])
        late = np.sort(order[~passed])
        order, s = order[passed], s[passed]
        if len(order) == 0:
            return Dealt(order, [0], late)
        first = np.empty(len(order), np.bool_)
        first[0] = True
        np.not_equal(s[1:], s[:-1], out=first[1:])
        start = first.nonzero()[0]
    return _dealt(order, start, late)


def _by_series(series: I32) -> I64:
    """The order of arrival within each series, by rising series: a radix sort, 16 bits and then the rest."""
    order = np.argsort(series.astype(np.uint16), kind="stable")
    high = series >> 16
    most = int(high.max())
    if most:
        high = high.astype(np.uint8 if most < 256 else np.uint16)
        order = order.take(np.argsort(high.take(order), kind="stable"))
    return order


def _once(order: I64, fresh: NDArray[np.bool_]) -> Dealt:
    """Of readings of different series, some of which are late."""
    kept = order[fresh]
    return Dealt(kept, [0, len(kept)] if len(kept) else [0], np.sort(order[~fresh]))


def _in_turn(start: I64, t: I64, newest: I64) -> NDArray[np.bool_]:
    """Which of the readings, grouped by series, are newer than all before them in their group.

    One pass for each first, second, third … reading of a series: as many passes as there will be rounds.
    """
    passed = np.empty(len(t), np.bool_)
    length = np.diff(np.append(start, len(t)))
    for r in range(int(length.max())):
        on = length > r
        start, length, newest = start[on], length[on], newest[on]
        now = t[start + r]
        passed[start + r] = now > newest
        newest = np.maximum(newest, now)
    return passed


def _dealt(order: I64, start: I64, late: I64) -> Dealt:
    """The first readings of all groups, the second of all that have one, and so on."""
    length = np.diff(np.append(start, len(order)))
    least, most = int(length.min()), int(length.max())
    parts = [(start + np.arange(least)[:, None]).ravel()]
    bounds = [len(start) * r for r in range(least + 1)]
    for r in range(least, most):
        on = length > r
        start, length = start[on], length[on]
        parts.append(start + r)
        bounds.append(bounds[-1] + len(start))
    return Dealt(order.take(np.concatenate(parts)), bounds, late)
