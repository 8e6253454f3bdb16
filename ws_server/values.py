"""The newest value of every series, as arrays; what screens draw as "now".

The gateway reads the whole feed for them, so nothing is done per reading in Python, and what nobody watches costs
a look at the time held and, if newer, three stores.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I32, I64, U8, Readings

SERIES_LIMIT = 4_000_000  # more series than any district has; a larger number is a broken frame
STAMPS_KEPT = 1 << 16  # batches whose ingest time is remembered
PASSES = 3  # then a batch in which series go back in time is sorted

Row = tuple[int, int, float, float | None, int]
"""district, series, event time in ms, value (None for NaN), quality."""

_NONE = np.empty(0, np.int32)


class _District:
    """Arrays over the series of one district; time 0 means "never heard of"."""

    def __init__(self) -> None:
        self.t = np.zeros(0, np.int64)
        self.value = np.zeros(0, np.float64)
        self.quality = np.zeros(0, np.uint8)
        self.stamp = np.zeros(0, np.int64)  # number of the batch that was the last to change it while watched
        self.watched = np.zeros(0, np.uint16)  # by how many wishes

    def grow(self, n: int) -> None:
        """Room for at least n series."""
        have = len(self.t)
        if n <= have:
            return
        more = max(n, 2 * have, 64) - have
        self.t = np.append(self.t, np.zeros(more, np.int64))
        self.value = np.append(self.value, np.full(more, np.nan))
        self.quality = np.append(self.quality, np.zeros(more, np.uint8))
        self.stamp = np.append(self.stamp, np.zeros(more, np.int64))
        self.watched = np.append(self.watched, np.zeros(more, np.uint16))


class NewestValues:
    """Newest reading per series and district; a reading not newer than the one held changes nothing.

    Attributes:
        stamp: number of batches taken so far.
    """

    def __init__(self) -> None:
        self.stamp = 0
        self._districts: dict[int, _District] = {}
        self._ingest_ns = np.zeros(STAMPS_KEPT, np.int64)  # of the batch with this number modulo STAMPS_KEPT

    # ---- in ----

    def update(self, district: int, batch: Readings, ingest_ns: int = 0) -> I32:
        """Take a batch in arrival order.

        Args:
            district: its number.
            batch: of any length.
            ingest_ns: wall clock at which ingest had it.

        Returns:
            int32 (k,): the watched series that have a newer value; one may occur more than once.
        """
        series = batch.series.astype(np.intp)  # once: what numpy indexes by
        if not len(series):
            return _NONE
        self.stamp += 1
        self._ingest_ns[self.stamp % STAMPS_KEPT] = ingest_ns
        most, t, value, quality = int(series.max()), batch.t_ns, batch.value, batch.quality
        if series.min() < 0 or most >= SERIES_LIMIT:
            inside = (series >= 0) & (series < SERIES_LIMIT)
            series, t, value, quality = series[inside], t[inside], value[inside], quality[inside]
            most = int(series.max(initial=-1))
        held = self._districts.setdefault(district, _District())
        held.grow(most + 1)
        newer = t > held.t[series]
        if not newer.all():
            series, t, value, quality = series[newer], t[newer], value[newer], quality[newer]
        _store(held, series, t, value, quality)
        hits = series[held.watched[series] > 0]
        if len(hits):
            held.stamp[hits] = self.stamp
        return hits.astype(np.int32)

    # ---- who wants what ----

    def watch(self, wanted: Mapping[int, I32], *, by: int) -> None:
        """Count wishes.

        Args:
            wanted: district to series, each once.
            by: 1 for one wish more, -1 for one less.
        """
        for district, series in wanted.items():
            held = self._districts.setdefault(district, _District())
            held.grow(int(series.max()) + 1)
            held.watched[series] = held.watched[series].astype(np.int32) + by

    # ---- out ----

    def rows(self, district: int, series: NDArray[np.integer]) -> list[Row]:
        """Newest values of these series, those without any left out.

        Args:
            district: its number.
            series: any integers (m,).
        """
        held = self._districts.get(district)
        if held is None:
            return []
        known = series[(series >= 0) & (series < len(held.t))]
        t = held.t[known]
        known, t = known[t > 0], t[t > 0]
        value = held.value[known]
        values: Sequence[float | None] = value.tolist()
        if not np.isfinite(value).all():
            values = [v if np.isfinite(v) else None for v in values if v is not None]
        return list(
            zip(
                [district] * len(known),
                known.tolist(),
                (t / 1e6).tolist(),
                values,
                held.quality[known].tolist(),
                strict=True,
            )
        )

    def since(self, district: int, series: I32, stamp: int) -> I32:
        """Those of these watched series that have changed in a batch after number ``stamp``."""
        held = self._districts.get(district)
        return _NONE if held is None else series[held.stamp[series] > stamp]

    def oldest_ingest_ns(self, changed: Mapping[int, I32]) -> int | None:
        """When ingest had the oldest of these newest values; None where that is no longer known."""
        stamps = np.concatenate(
            [np.empty(0, np.int64), *(self._districts[d].stamp[s] for d, s in changed.items())]
        )
        if not len(stamps) or stamps.min() <= max(0, self.stamp - STAMPS_KEPT):
            return None
        return int(self._ingest_ns[stamps % STAMPS_KEPT].min()) or None


def _store(held: _District, series: NDArray[np.intp], t: I64, value: F64, quality: U8) -> None:
    """Rows newer than what is held; where a series occurs more than once, the newest, of equal ones the last.

    Of a repeated index numpy's assignment keeps the last. Where that was not the newest, those that are newer are
    stored again, until there are none: in a feed in order of time, never.
    """
    for _ in range(PASSES):
        held.t[series] = t
        held.value[series] = value
        held.quality[series] = quality
        newer = t > held.t[series]
        if not newer.any():
            return
        series, t, value, quality = series[newer], t[newer], value[newer], quality[newer]
    order = np.argsort(t, kind="stable")
    held.t[series[order]] = t[order]
    held.value[series[order]] = value[order]
    held.quality[series[order]] = quality[order]
