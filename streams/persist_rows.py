"""Readings as rows of a binary COPY, built from columns without a loop over rows; pure.

The form is PostgreSQL's own, https://www.postgresql.org/docs/current/sql-copy.html (binary format): per row a
field count and, per field, its length and its bytes, all big-endian. Times are microseconds since 2000-01-01.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, I64, Quality, Readings

COLUMNS = ("t", "value", "series", "district", "quality")
HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"

NEVER = np.iinfo(np.int64).min
_PG_EPOCH_US = 946_684_800_000_000
_DAY_US = 86_400_000_000
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("t_bytes", ">i4"),
        ("t", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
        ("series_bytes", ">i4"),
        ("series", ">i4"),
        ("district_bytes", ">i4"),
        ("district", ">i2"),
        ("quality_bytes", ">i4"),
        ("quality", ">i2"),
    ]
)
_EMPTY = np.zeros((), _ROW)
_EMPTY["fields"] = len(COLUMNS)
for _name in COLUMNS:
    _EMPTY[f"{_name}_bytes"] = _ROW[_name].itemsize


@dataclass(slots=True)
class Newest:
    """The newest time of each series of one district that has been seen or asked for.

    Kept sorted by series and not indexed by it, so that a wild series number costs a row and not gigabytes.

    Attributes:
        series: int32 (m,), sorted, unique.
        t_us: int64 (m,), microseconds UTC; ``NEVER`` where the series has no reading.
    """

    series: I32 = field(default_factory=lambda: np.empty(0, np.int32))
    t_us: I64 = field(default_factory=lambda: np.empty(0, np.int64))

    def unknown(self, series: I32) -> I32:
        """Those of ``series`` that were never seen nor seeded, sorted and unique."""
        return np.setdiff1d(series, self.series)

    def seed(self, series: I32, t_us: I64) -> None:
        """Take series in: ``series`` sorted and unknown so far, ``t_us`` their newest times or ``NEVER``."""
        at = np.searchsorted(self.series, series)
        self.series = np.insert(self.series, at, series)
        self.t_us = np.insert(self.t_us, at, t_us)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one district ready for COPY (between ``HEAD`` and ``TAIL``).

    Attributes:
        body: the rows' bytes, sorted by series, within a series in arrival order.
        n: number of rows.
        late: how many of them are marked late.
        days: int64, days since 1970-01-01 UTC on which there are rows, sorted.
    """

    body: bytes
    n: int
    late: int
    days: I64


def rows(district: int, readings: Readings, newest: Newest) -> Rows:
    """Readings as COPY rows, late ones marked; moves ``newest`` on.

    A reading is late when its series has an equal or newer one before it, in this batch or in the store. Times
    are compared as they are stored, in microseconds.

    Args:
        district: number of the district.
        readings: in arrival order.
        newest: of the district; must know every series (``unknown`` is empty).
    """
    t_us = readings.t_ns // 1000
    # Stable: within a series arrival order stays. Sorted rows go into the index 40 % faster.
    order = np.argsort(readings.series, kind="stable")
    series, t = readings.series[order], t_us[order]
    is_late = _late(series, t, newest)
    out = np.full(len(order), _EMPTY)
    out["t"] = t - _PG_EPOCH_US
    out["value"] = readings.value[order]
    out["series"] = series
    out["district"] = district
    out["quality"] = readings.quality[order] | np.where(is_late, np.uint8(Quality.LATE), np.uint8(0))
    return Rows(out.tobytes(), len(out), int(is_late.sum()), np.unique(t_us // _DAY_US))


def _late(series: I32, t: I64, newest: Newest) -> NDArray[np.bool_]:
    """Which rows are late, given sorted series (n,) and times (n,) in arrival order within each."""
    n = len(series)
    if n == 0:
        return np.zeros(0, np.bool_)
    is_first = np.empty(n, np.bool_)
    is_first[0] = True
    np.not_equal(series[1:], series[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], n) - 1
    at = np.searchsorted(newest.series, series[first])
    before = newest.t_us[at]

    previous = np.empty(n, np.int64)
    previous[1:] = t[:-1]
    previous[first] = before
    if (t > previous).all():  # nothing late: the usual case
        newest.t_us[at] = t[last]
        return np.zeros(n, np.bool_)

    # A running maximum per series in one pass: times become ranks, and each series is lifted above the last.
    times, rank = np.unique(np.concatenate((before, t)), return_inverse=True)
    rank_before, rank_t = rank[: len(first)], rank[len(first) :]
    lift = (np.cumsum(is_first) - 1) * len(times)
    level = rank_t + lift
    start = rank_before + lift[first]
    running = level.copy()
    running[first] = np.maximum(running[first], start)
    np.maximum.accumulate(running, out=running)
    highest = np.empty(n, np.int64)
    highest[1:] = running[:-1]
    highest[first] = start
    newest.t_us[at] = times[running[last] - lift[last]]
    late: NDArray[np.bool_] = level <= highest
    return late
