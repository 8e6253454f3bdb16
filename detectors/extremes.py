"""How large a statistic of a series ordinarily gets in a day, and what is beyond: block maxima and return levels.

The part of ``detectors.seasonal`` that keeps false alarms rare whatever the distribution and however correlated the
readings are: the greatest value of each of the last days is remembered, and the level that is passed once in so many
days is read off a Frechet law fitted to them by quantiles (Gumbel 1958, "Statistics of Extremes"; Coles 2001, "An
Introduction to Statistical Modeling of Extreme Values", ch. 3).
"""

import numpy as np

from yiwang.columns import F64, I64

BLOCKS = 16
"""Days remembered."""
_LN_LN_2 = 0.36651292


def return_level(peaks: F64, kept: I64, days: F64) -> F64:
    """The value that is passed once in ``days`` days.

    With m daily maxima, ln m is held to follow a Gumbel law of location and scale taken from the median, the quartiles
    and the upper decile: outliers among the days (one in ten) move it little. Few days make it cautious.

    Args:
        peaks: float64 (m, k, 16), daily maxima of k statistics, > 0; slots beyond ``kept`` mean nothing.
        kept: int64 (m,), how many of the slots are filled, 1 to 16.
        days: float64 (m,).

    Returns:
        float64 (m, k).
    """
    empty = np.arange(BLOCKS) >= kept[:, None]
    logs = np.where(empty[:, None, :], np.inf, np.log(np.maximum(peaks, 1e-3)))
    logs = np.sort(logs, axis=2)
    quarter, middle, upper, top = (_quantile(logs, kept, q) for q in (0.25, 0.5, 0.75, 0.9))
    scale = np.maximum((upper - quarter) / 1.5725, (top - middle) / 1.8838)
    scale = np.maximum(scale, (0.15 + 0.5 / kept)[:, None])
    level: F64 = np.exp(middle + scale * (np.log(days) - _LN_LN_2)[:, None])
    return level


def _quantile(ordered: F64, kept: I64, q: float) -> F64:
    """Of the first ``kept`` of the ordered values, between the two nearest: float64 (m, k)."""
    at = q * (kept - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, kept - 1)
    a = np.take_along_axis(ordered, low[:, None, None], axis=2)[:, :, 0]
    b = np.take_along_axis(ordered, high[:, None, None], axis=2)[:, :, 0]
    part: F64 = a + (at - low)[:, None] * (b - a)
    return part
