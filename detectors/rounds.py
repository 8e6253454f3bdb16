"""Cutting a batch into rounds, in which each series occurs at most once.

A reading is late when it is not newer than what its series had before it, by arrival: earlier batches and
earlier rows of this one. Late readings are in no round. So the rounds of a batch cut in two anywhere, one after
the other, give each series the same readings in the same order.
"""

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, I64

NEVER = np.iinfo(np.int64).min
"""``newest`` of a series that has had no reading."""


def cut(series: I32, t_ns: I64, newest: I64) -> tuple[NDArray[np.bool_], list[I64]]:
    """Which readings are late, and the rounds of the others.

    Args:
        series: int32 (k,), 0 <= series < n, in arrival order.
        t_ns: int64 (k,), event time.
        newest: int64 (n,), newest event time of each series so far, ``NEVER`` for none. Not changed: the caller
            does ``newest[series[i]] = t_ns[i]`` for each round ``i`` in turn.

    Returns:
        late: bool (k,); and index arrays into the batch. Every reading that is not late is in exactly one; one
        series' readings are in arrival order over the rounds; within a round the order has no meaning.

    >>> late, rounds = cut(np.array([0, 1, 0, 0], np.int32), np.array([5, 5, 7, 6]), np.array([4, NEVER]))
    >>> late.tolist(), [i.tolist() for i in rounds]
    ([False, False, False, True], [[0, 1], [2]])
    """
    k = len(series)
    late = np.zeros(k, np.bool_)
    if k == 0:
        return late, []
    order = np.arange(k)
    fresh = t_ns > newest[series]
    last = np.empty(len(newest), np.int64)  # only what the batch touches is written and read
    last[series] = order
    if (last[series] == order).all():  # each series once
        if fresh.all():
            return late, [order]
        np.logical_not(fresh, out=late)
        on_time = np.flatnonzero(fresh)
        return late, [on_time] if len(on_time) else []
    order = np.argsort(series, kind="stable")
    s = series[order]
    t = t_ns[order]
    first = np.empty(k, np.bool_)
    first[0] = True
    np.not_equal(s[1:], s[:-1], out=first[1:])
    start = np.flatnonzero(first)
    rising = t[1:] > t[:-1]
    rising |= first[1:]
    if not (fresh.all() and rising.all()):
        passed = _in_turn(start, t, newest[s[start]])
        late[order[~passed]] = True
        order, s = order[passed], s[passed]
        if len(order) == 0:
            return late, []
        first = np.empty(len(order), np.bool_)
        first[0] = True
        np.not_equal(s[1:], s[:-1], out=first[1:])
        start = np.flatnonzero(first)
    return late, _deal(order, start)


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


def _deal(order: I64, start: I64) -> list[I64]:
    """The first readings of all groups, the second of all that have one, and so on."""
    length = np.diff(np.append(start, len(order)))
    rounds = []
    for r in range(int(length.max())):
        on = length > r
        start, length = start[on], length[on]
        rounds.append(order[start + r])
    return rounds
