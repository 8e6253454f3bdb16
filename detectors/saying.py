"""What detectors have in common when they speak: columns from whatever broadcasts, seconds as nanoseconds."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.protocol import Param, at
from yiwang.columns import I32, I64, FindingColumns

T = TypeVar("T", bound=np.generic)
NONE = np.iinfo(np.int64).min
"""No such moment."""


def say(
    series: NDArray[np.integer],
    *,
    t_ns: ArrayLike,
    since_ns: ArrayLike,
    level: ArrayLike,
    value: ArrayLike,
    limit: ArrayLike,
    reason: ArrayLike,
    numbers: Mapping[str, ArrayLike] | None = None,
    confidence: ArrayLike | None = None,
) -> FindingColumns:
    """Findings of ``series``, int (m,); everything else is brought to (m,) and its dtype.

    A limit that is NaN (a parameter that was taken away meanwhile) becomes the value: it is held against nothing.
    """
    m = len(series)
    values = _full(value, m, np.float64)
    limits = _full(limit, m, np.float64)
    return FindingColumns(
        series=series.astype(np.int32),
        t_ns=_full(t_ns, m, np.int64),
        since_ns=_full(since_ns, m, np.int64),
        level=_full(level, m, np.int8),
        value=values,
        limit=np.where(np.isnan(limits), values, limits),
        reason=_full(reason, m, np.uint8),
        numbers={name: _full(column, m, np.float64) for name, column in (numbers or {}).items()},
        confidence=None if confidence is None else _full(confidence, m, np.float64),
    )


def joined(a: FindingColumns, b: FindingColumns) -> FindingColumns:
    """The findings of both, with the same numbers and without confidences of their own."""
    return FindingColumns(
        series=np.concatenate((a.series, b.series)),
        t_ns=np.concatenate((a.t_ns, b.t_ns)),
        since_ns=np.concatenate((a.since_ns, b.since_ns)),
        level=np.concatenate((a.level, b.level)),
        value=np.concatenate((a.value, b.value)),
        limit=np.concatenate((a.limit, b.limit)),
        reason=np.concatenate((a.reason, b.reason)),
        numbers={name: np.concatenate((column, b.numbers[name])) for name, column in a.numbers.items()},
    )


def nanoseconds(seconds: Param, rows: I32 | I64) -> I64:
    """A parameter in seconds for some rows as int64 ns; NaN as 0."""
    return np.asarray(np.rint(np.nan_to_num(at(seconds, rows)) * 1e9), np.int64)


def each(param: Param, rows: I32 | I64) -> NDArray[np.float64]:
    """A parameter for some rows, float64 (k,)."""
    return np.broadcast_to(np.asarray(at(param, rows), np.float64), len(rows))


def _full(value: ArrayLike, m: int, dtype: type[T]) -> NDArray[T]:
    return np.array(np.broadcast_to(np.asarray(value).astype(dtype), m))
