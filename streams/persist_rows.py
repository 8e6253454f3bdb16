"""Readings as rows of a binary COPY, built from columns without a loop over rows; pure.

The form is PostgreSQL's own, https://www.postgresql.org/docs/current/sql-copy.html (binary format): per row a
field count and, per field, its length and its bytes, all big-endian. Times are microseconds since 2000-01-01.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I32, I64, U8, Quality, Readings

COLUMNS = ("t", "value", "series", "district", "quality")
HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"

NEVER = np.iinfo(np.int64).min
PG_EPOCH_US = 946_684_800_000_000
DAY_US = 86_400_000_000


class Form:
    """The binary rows of one table: fields of fixed sizes, each preceded by its length.

    Args:
        fields: name to numpy type, big-endian, in the order of the COPY.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        parts: list[tuple[str, str]] = [("fields", ">i2")]
        for name, kind in fields.items():
            parts += [(f"{name}_bytes", ">i4"), (name, kind)]
        self.dtype = np.dtype(parts)
        self.columns = tuple(fields)
        empty = np.zeros((), self.dtype)
        empty["fields"] = len(fields)
        for name in fields:
            empty[f"{name}_bytes"] = self.dtype[name].itemsize
        self._empty = empty.tobytes()

    def rows(self, n: int, **columns: object) -> memoryview:
        """``n`` rows, each column an array (n,) or one value for all; the bytes between ``HEAD`` and ``TAIL``."""
        buffer = bytearray(self._empty * n)
        out = np.frombuffer(buffer, self.dtype)
        for name, column in columns.items():
            out[name] = column
        return memoryview(buffer)


_READING = Form({"t": ">i8", "value": ">f8", "series": ">i4", "district": ">i2", "quality": ">i2"})
ROW_BYTES = _READING.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Sorted:
    """Readings of one district sorted by series, within a series in order of arrival.

    Attributes:
        series: int32 (n,), sorted.
        t_us: int64 (n,), event time, microseconds UTC.
        value: float64 (n,).
        quality: uint8 (n,).
        first: int64 (g,), where each series begins.
    """

    series: I32
    t_us: I64
    value: F64
    quality: U8
    first: I64

    def __len__(self) -> int:
        return len(self.series)

    def without(self, out: NDArray[np.bool_]) -> "Sorted":
        """The others."""
        series = self.series[~out]
        return Sorted(
            series=series,
            t_us=self.t_us[~out],
            value=self.value[~out],
            quality=self.quality[~out],
            first=starts(series),
        )


@dataclass(frozen=True, slots=True)
class Times:
    """How sorted readings stand to the newest time of their series.

    Attributes:
        before: int64 (g,), newest time of each series before these readings, microseconds or ``NEVER``.
        after: int64 (g,), the same after them.
        high: int64 (n,), newest time of the series up to and with each reading.
        late: bool (n,), readings that are not newer than their series' newest before them; None: there are none.
    """

    before: I64
    after: I64
    high: I64
    late: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one district ready for COPY (between ``HEAD`` and ``TAIL``).

    Attributes:
        body: the rows' bytes, sorted by series, within a series in arrival order.
        n: number of rows.
        late: how many of them are marked late.
        days: int64, days since 1970-01-01 UTC on which there are rows, sorted.
    """

    body: memoryview
    n: int
    late: int
    days: I64


def by_series(readings: Readings) -> Sorted:
    """Readings, given in order of arrival, sorted. Sorted rows go into the index 40 % faster."""
    order = np.argsort(readings.series, kind="stable")
    series = readings.series[order]
    return Sorted(
        series=series,
        t_us=(readings.t_ns // 1000)[order],
        value=readings.value[order],
        quality=readings.quality[order],
        first=starts(series),
    )


def starts(keys: NDArray[np.generic]) -> I64:
    """Where each run of equal keys begins: int64 (g,)."""
    if not len(keys):
        return np.empty(0, np.int64)
    found: I64 = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return found


def in_time(readings: Sorted, before: I64) -> Times:
    """Which readings are late: older than, or as old as, one of their series before them.

    Times are compared as they are stored, in microseconds.

    Args:
        readings: not empty.
        before: int64 (g,), newest time of each series before them, or ``NEVER``.
    """
    t, first = readings.t_us, readings.first
    n = len(t)
    last = np.append(first[1:], n) - 1
    previous = np.empty(n, np.int64)
    previous[1:] = t[:-1]
    previous[first] = before
    if (t > previous).all():  # the usual case
        return Times(before, t[last], t, None)

    # A running maximum per series in one pass: times become ranks, and each series is lifted above the last.
    times, rank = np.unique(np.concatenate((before, t)), return_inverse=True)
    rank_before, rank_t = rank[: len(first)], rank[len(first) :]
    is_first = np.zeros(n, np.bool_)
    is_first[first] = True
    lift = (np.cumsum(is_first) - 1) * len(times)
    level = rank_t + lift
    start = rank_before + lift[first]
    running = level.copy()
    running[first] = np.maximum(running[first], start)
    np.maximum.accumulate(running, out=running)
    highest = np.empty(n, np.int64)
    highest[1:] = running[:-1]
    highest[first] = start
    high = times[running - lift]
    return Times(before, high[last], high, level <= highest)


def repeated(readings: Sorted, times: Times, value_before: F64) -> NDArray[np.bool_] | None:
    """Which readings say again what was the newest of their series: same time, same value. None: there are none.

    A device that had no answer sends again, and nobody can tell it whether the first time was enough.

    Args:
        readings: not empty.
        times: of them.
        value_before: float64 (g,), value of each series' newest reading before these; NaN where it is not known.
    """
    if times.late is None:
        return None
    k = np.flatnonzero(times.late & (readings.t_us == times.high))
    if not len(k):
        return None
    newest = np.maximum.accumulate(np.where(times.late, -1, np.arange(len(readings))))[k]
    group = np.searchsorted(readings.first, k, side="right") - 1
    value = np.where(newest >= readings.first[group], readings.value[newest], value_before[group])
    k = k[readings.value[k] == value]
    if not len(k):
        return None
    out = np.zeros(len(readings), np.bool_)
    out[k] = True
    return out


def newest_values(readings: Sorted, times: Times, value_before: F64) -> F64:
    """Value of each series' newest reading after these: float64 (g,). Args: as ``repeated``."""
    last = np.append(readings.first[1:], len(readings)) - 1
    value: F64 = readings.value[last]
    if times.late is not None:
        newest = np.maximum.accumulate(np.where(times.late, -1, np.arange(len(readings))))[last]
        value = np.where(newest >= readings.first, readings.value[newest], value_before)
    return value


def rows(
    district: int, readings: Sorted, late: NDArray[np.bool_] | None, kept: NDArray[np.bool_] | None
) -> Rows:
    """Readings as COPY rows.

    Args:
        district: number of the district.
        readings: sorted.
        late: bool (n,), which are to be marked late; None: none.
        kept: bool (n,), which are stored; None: all.
    """
    t, value, series, quality = readings.t_us, readings.value, readings.series, readings.quality
    if late is not None:
        quality = quality | np.where(late, np.uint8(Quality.LATE), np.uint8(0))
    if kept is not None:
        t, value, series, quality = t[kept], value[kept], series[kept], quality[kept]
        late = None if late is None else late[kept]
    n = len(t)
    body = _READING.rows(n, t=t - PG_EPOCH_US, value=value, series=series, district=district, quality=quality)
    return Rows(body, n, 0 if late is None else int(late.sum()), days(t))


def days(t_us: I64) -> I64:
    """Days since 1970-01-01 UTC on which there are times, sorted, unique."""
    if not len(t_us):
        return np.empty(0, np.int64)
    low, high = int(t_us.min()) // DAY_US, int(t_us.max()) // DAY_US
    if high - low <= 1:  # the usual case: sorting all times would cost as much as sorting the rows
        return np.arange(low, high + 1)
    return np.unique(t_us // DAY_US)
