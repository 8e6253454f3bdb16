"""The newest value of every series, as arrays; what screens draw as "now"."""

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, Readings

SERIES_LIMIT = 4_000_000  # more series than any district has; a larger number is a broken frame

Row = tuple[int, int, float, float | None, int]
"""district, series, event time in ms, value (None for NaN), quality."""


class NewestValues:
    """Newest reading per series and district; a reading not newer than the one held changes nothing."""

    def __init__(self) -> None:
        self._t: dict[int, NDArray[np.int64]] = {}
        self._value: dict[int, NDArray[np.float64]] = {}
        self._quality: dict[int, NDArray[np.uint8]] = {}

    def update(self, district: int, batch: Readings) -> I32:
        """Take a batch in arrival order.

        Returns:
            int32 (k,) unique: the series that got a newer value.
        """
        inside = (batch.series >= 0) & (batch.series < SERIES_LIMIT)
        rows = np.flatnonzero(inside)
        if not len(rows):
            return np.empty(0, np.int32)
        rows = rows[np.lexsort((batch.t_ns[rows], batch.series[rows]))]  # stable: of equal times the last
        series = batch.series[rows]
        last = np.append(series[1:] != series[:-1], True)
        rows, series = rows[last], series[last]
        t, value, quality = self._arrays(district, int(series[-1]) + 1)
        newer = batch.t_ns[rows] > t[series]
        rows, series = rows[newer], series[newer]
        t[series] = batch.t_ns[rows]
        value[series] = batch.value[rows]
        quality[series] = batch.quality[rows]
        return np.asarray(series, np.int32)

    def rows(self, district: int, series: NDArray[np.integer]) -> list[Row]:
        """Newest values of these series, those without any left out.

        Args:
            district: its number.
            series: any integers (m,).
        """
        t = self._t.get(district)
        if t is None:
            return []
        known = series[(series >= 0) & (series < len(t))]
        known = known[t[known] > 0]
        value, quality = self._value[district][known], self._quality[district][known]
        return [
            (district, s, at / 1e6, v if np.isfinite(v) else None, q)
            for s, at, v, q in zip(
                known.tolist(), t[known].tolist(), value.tolist(), quality.tolist(), strict=True
            )
        ]

    def _arrays(
        self, district: int, n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]:
        """The district's arrays, grown to at least n series; time 0 means "never heard of"."""
        have = len(self._t.get(district, ()))
        if n > have:
            size = max(n, 2 * have, 64)
            t, value, quality = np.zeros(size, np.int64), np.full(size, np.nan), np.zeros(size, np.uint8)
            if have:
                t[:have] = self._t[district]
                value[:have] = self._value[district]
                quality[:have] = self._quality[district]
            self._t[district], self._value[district], self._quality[district] = t, value, quality
        return self._t[district], self._value[district], self._quality[district]
