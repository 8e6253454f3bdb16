"""What is kept of the readings of each metric: all of them, changes, or only the roll-ups; pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.persist_rows import NEVER, Sorted, Times
from yiwang.columns import F64, I32, I64, U8
from yiwang.domains import Keep

Marks = NDArray[np.int16]
"""Index of what is kept of a series, in its ``Plan``; 0: everything."""

_FEW = 8  # below so many at once, numbers one by one are quicker than arrays


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept by metric, as columns.

    Attributes:
        mark: metric to its index; a metric that is kept whole is not in it.
        delta: float64 (k,), change from which a reading is kept, by index; NaN for everything and for roll-ups.
        every_us: int64 (k,), microseconds after which one is kept anyway.
        changes: bool (k,), where changes are kept.
    """

    mark: Mapping[str, int]
    delta: F64
    every_us: I64
    changes: NDArray[np.bool_]

    @classmethod
    def of(cls, keeps: Mapping[str, Keep]) -> "Plan":
        """From what the domain packs say; metrics that are kept raw may be in it."""
        thinned = {metric: keep for metric, keep in keeps.items() if keep.what != "raw"}
        every = [NEVER, *(_microseconds(keep.every_s) for keep in thinned.values())]
        return cls(
            mark={metric: n for n, metric in enumerate(thinned, 1)},
            delta=np.array([math.nan, *(keep.delta for keep in thinned.values())]),
            every_us=np.array(every, np.int64),
            changes=np.array([False, *(keep.what == "changes" for keep in thinned.values())]),
        )


@dataclass(slots=True)
class Last:
    """The reading of each series that was kept last, by position of the series in persist's memory.

    Attributes:
        us: int64 (m,), its time; ``NEVER`` where none is known.
        value: float64 (m,).
        quality: uint8 (m,), as it came.
    """

    us: I64
    value: F64
    quality: U8


def thinned(
    readings: Sorted, times: Times, at: I64, marks: Marks, plan: Plan, last: Last
) -> NDArray[np.bool_] | None:
    """Which readings are stored: bool (n,), or None where all are. Moves ``last`` on.

    Of a series whose changes are kept, a reading is stored when it is the first, differs from the one stored last
    by at least ``delta`` (and at all), comes ``every_us`` or more after it, has another quality, or is late. A late
    one is stored beside and changes nothing for those that follow.

    Args:
        readings: sorted.
        times: of them.
        at: int64 (g,), positions of their series.
        marks: of all positions.
        plan: what the marks mean.
        last: of all positions.
    """
    mark = marks[at]
    if not mark.any():
        return None
    lengths = np.diff(np.append(readings.first, len(readings)))
    kept = np.repeat(mark == 0, lengths)
    chosen = plan.changes[mark]
    if not chosen.any():
        return kept
    late = times.late
    if late is not None:
        kept |= late & np.repeat(chosen, lengths)
    # One reading of each series at a time, in order: what is stored depends on what was stored before.
    first, length, position = readings.first[chosen], lengths[chosen], at[chosen]
    turn = 0
    while len(first) > _FEW:
        row = first + turn
        use = slice(None) if late is None else ~late[row]
        _round(readings, row[use], position[use], plan, marks, last, kept)
        turn += 1
        more = length > turn
        if not more.all():
            first, length, position = first[more], length[more], position[more]
    for begin, n, p in zip(first.tolist(), length.tolist(), position.tolist(), strict=True):
        _one_by_one(readings, range(begin + turn, begin + n), p, plan, int(marks[p]), last, late, kept)
    return kept


def _round(
    readings: Sorted, row: I64, position: I64, plan: Plan, marks: Marks, last: Last, kept: NDArray[np.bool_]
) -> None:
    t, value, quality = readings.t_us[row], readings.value[row], readings.quality[row]
    mark = marks[position]
    change = np.abs(value - last.value[position])
    before = last.us[position]
    store = (
        (before == NEVER)
        | ((change >= plan.delta[mark]) & (change > 0))
        | (t - np.maximum(before, 0) >= plan.every_us[mark])
        | (quality != last.quality[position])
    )
    kept[row[store]] = True
    stored = position[store]
    last.us[stored], last.value[stored], last.quality[stored] = t[store], value[store], quality[store]


def _one_by_one(
    readings: Sorted,
    rows: range,
    position: int,
    plan: Plan,
    mark: int,
    last: Last,
    late: NDArray[np.bool_] | None,
    kept: NDArray[np.bool_],
) -> None:
    delta, every = float(plan.delta[mark]), int(plan.every_us[mark])
    us, value, quality = int(last.us[position]), float(last.value[position]), int(last.quality[position])
    span = slice(rows.start, rows.stop)
    columns = (readings.t_us[span], readings.value[span], readings.quality[span])
    are_late = [False] * len(rows) if late is None else late[span].tolist()
    for row, t, v, q, is_late in zip(rows, *(c.tolist() for c in columns), are_late, strict=True):
        if is_late:
            continue
        change = abs(v - value)
        if us == NEVER or (change >= delta and change > 0) or t - max(us, 0) >= every or q != quality:
            kept[row] = True
            us, value, quality = t, v, q
    last.us[position], last.value[position], last.quality[position] = us, value, quality


def marks_of(series: I32, metrics: Mapping[int, str], plan: Plan) -> Marks:
    """Marks of some series.

    Args:
        series: int32 (k,).
        metrics: metric of those among them that are not kept whole, perhaps of more.
        plan: what is kept.
    """
    if not metrics or not plan.mark:
        return np.zeros(len(series), np.int16)
    return np.array([plan.mark.get(metrics.get(s, ""), 0) for s in series.tolist()], np.int16)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
