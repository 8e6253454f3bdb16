"""Times in files: exact to the nanosecond as text, and whole columns of them by pyarrow.

A time is ISO 8601 with a zone, or, where the reader names a zone, without; or a number since 1970-01-01 UTC in
seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from yiwang.clock import SECOND, parse_iso, to_datetime
from yiwang.columns import I64
from yiwang.errors import BadInput

Column = Any  # Any: pyarrow publishes no types

UTC_NS = pa.timestamp("ns", tz="UTC")
_ZONED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)$"
_NAIVE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?$"
_NUMBER = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"
NO_TIME = "is no time such as 2026-06-01T20:15:00+08:00"
NO_ZONE = "names no zone; write +08:00 or Z behind it, or give --tz"
_FRACTION = re.compile(r"\.(\d+)")
# Numbers since 1970 up to the year 2286, by size: the scale to nanoseconds.
_SCALES = (
    (1e10, SECOND, "seconds"),
    (1e13, 1_000_000, "milliseconds"),
    (1e16, 1000, "microseconds"),
    (np.inf, 1, "nanoseconds"),
)


def iso_ns(t_ns: int) -> str:
    """ISO 8601 in UTC, with as many digits of the second as it needs (none, 3, 6 or 9)."""
    text = to_datetime(t_ns).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{t_ns % SECOND:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{text}{'.' + fraction if fraction else ''}Z"


def parse_ns(text: str) -> int:
    """ISO 8601 with a zone to nanoseconds, exact.

    Raises:
        BadInput: ``time.format``, ``time.zone``.
    """
    found = _FRACTION.search(text)
    whole = text if found is None else text[: found.start()] + text[found.end() :]
    t_ns = parse_iso(whole)
    return t_ns + (int(found.group(1)[:9].ljust(9, "0")) if found else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A column of times.

    Attributes:
        t_ns: int64 (n,), 0 where it is not good.
        good: bool (n,).
        how: what they were taken for, for people; empty where there is nothing to tell.
        wrong: what is wrong with those that are not good.
    """

    t_ns: I64
    good: NDArray[np.bool_]
    how: str = ""
    wrong: str = NO_TIME


def column_ns(column: Column, *, tz: str | None = None, layout: str | None = None) -> Times:
    """A whole column to nanoseconds, without Python touching a row.

    Args:
        column: pyarrow array or chunked array of text, numbers or timestamps.
        tz: zone of times that name none, such as ``Asia/Shanghai`` or ``+08:00``.
        layout: strptime pattern of the texts, such as ``%d/%m/%Y %H:%M``; else ISO 8601 or numbers.

    Raises:
        BadInput: ``scenario.tz`` for a zone that nobody knows.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None and tz is None:
            return _unzoned(column)
        return _of(column if kind.tz else _local(column, tz))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _epoch(column)
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if layout is not None:
        stamps = pc.strptime(texts, format=layout, unit="ns", error_is_null=True)
        if tz is None and "%z" not in layout:
            return _unzoned(stamps)
        return _of(_local(stamps, tz) if tz else stamps, f"is no time like {layout}")
    return _texts(texts, tz)


def _texts(texts: Column, tz: str | None) -> Times:
    kind, zone = (UTC_NS, None) if tz is None else (pa.timestamp("ns"), tz)
    try:  # all of one form: one pass
        stamps = pc.cast(texts, kind)
        return _of(_local(stamps, zone) if zone else stamps)
    except pa.ArrowInvalid:
        pass
    digits = _where(texts, _NUMBER)
    if pc.all(digits).as_py():
        return _epoch(pc.cast(pc.if_else(digits, texts, None), pa.float64()), texts)
    dashed = pc.replace_substring(texts, "/", "-")  # 2026/06/01 is common too
    zoned = _stamps(dashed, _ZONED, UTC_NS)
    if tz is None:
        return _of(zoned, NO_ZONE if pc.any(_where(dashed, _NAIVE)).as_py() else NO_TIME)
    naive = _stamps(dashed, _NAIVE, pa.timestamp("ns"))
    return _of(pc.coalesce(zoned, _local(naive, tz)))


def _stamps(texts: Column, pattern: str, kind: Column) -> Column:
    """Those that look like the pattern as timestamps; null where they do not, or are no date of the calendar."""
    fits = pc.if_else(_where(texts, pattern), texts, None)
    try:
        return pc.cast(fits, kind)
    except pa.ArrowInvalid:  # such as 30 February: rare, so looked for by halving
        middle = len(fits) // 2
        if middle == 0:
            return pa.nulls(len(fits), kind)
        halves = [_stamps(part, pattern, kind) for part in (fits[:middle], fits[middle:])]
        return pa.concat_arrays(halves)


def _where(texts: Column, pattern: str) -> Column:
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False)


def _local(stamps: Column, tz: str | None) -> Column:
    try:
        zoned = pc.assume_timezone(stamps, tz, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid as error:
        raise BadInput(
            "scenario.tz", f"--tz {tz!r} is no zone such as Asia/Shanghai or +08:00: {error}", tz=tz
        ) from None
    return pc.cast(zoned, UTC_NS)


def _unzoned(column: Column) -> Times:
    n = len(column)
    return Times(
        t_ns=np.zeros(n, np.int64),
        good=np.zeros(n, np.bool_),
        wrong=NO_ZONE,
    )


def _epoch(numbers: Column, texts: Column | None = None) -> Times:
    good = pc.fill_null(pc.is_finite(numbers), False).to_numpy(zero_copy_only=False)
    whole = pa.types.is_integer(numbers.type)
    if texts is not None:  # digits beyond 2**53 are exact as integers only
        with suppress(pa.ArrowInvalid):
            numbers, whole = pc.cast(texts, pa.int64()), True
    values = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
    size = float(np.median(np.abs(values[good]))) if good.any() else 0.0
    scale, name = next((s, n) for limit, s, n in _SCALES if size < limit)
    good &= np.abs(values.astype(np.float64)) * scale < 9.2e18
    values = np.where(good, values, 0)
    t_ns = values.astype(np.int64) * scale if whole else _scaled(values, scale)
    return Times(t_ns=np.where(good, t_ns, 0), good=good, how=f"{name} since 1970")


def _scaled(values: NDArray[np.float64], scale: int) -> I64:
    """Fractions at the precision a float64 of today's seconds has, a microsecond."""
    whole = np.floor(values)
    part = np.round((values - whole) * 1e6) * (scale / 1e6)
    result: I64 = whole.astype(np.int64) * scale + part.astype(np.int64)
    return result


def _of(stamps: Column, wrong: str = NO_TIME) -> Times:
    stamps = pc.cast(stamps, UTC_NS)
    good = stamps.is_valid().to_numpy(zero_copy_only=False)
    t_ns = pc.fill_null(pc.cast(stamps, pa.int64()), 0).to_numpy(zero_copy_only=False)
    return Times(t_ns=t_ns.astype(np.int64), good=good, wrong=wrong)
