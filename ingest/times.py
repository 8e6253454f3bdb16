"""ISO 8601 times, many at once.

Whole columns of the usual forms are read with numpy; anything else goes to ``yiwang.clock.parse_iso`` one by
one, which also names what is wrong. Both give the same microsecond; a law in the tests says so.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ingest.digits import U64, Mask, all_figures, value
from yiwang.clock import parse_iso
from yiwang.columns import I64
from yiwang.errors import BadInput

NO_TIME = np.iinfo(np.int64).min
"""In place of a time that the fast path does not know."""

_SEPARATORS = ((4, ord("-")), (7, ord("-")), (10, ord("T")), (13, ord(":")), (16, ord(":")))
_DIGITS = np.array([i for i in range(19) if i not in (4, 7, 10, 13, 16)])
# Days since the epoch of the first of every month from January of year 1 to January of year 10000.
_FIRST = np.arange(np.datetime64("0001-01"), np.datetime64("10000-02")).astype("M8[D]").astype(np.int64)
_WIDTHS = frozenset(range(20, 33))
_MICROS = np.array([100_000, 10_000, 1_000, 100, 10, 1], np.int64)
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)(.+)", re.DOTALL)

_MINUTES = 6  # so many different ones of a body are read once each
_ZEROS = np.uint64(0x3030303030303030)
_8, _56, _255 = np.uint64(8), np.uint64(56), np.uint64(255)

Bytes = NDArray[np.uint8]


def times_us(texts: Sequence[str]) -> I64:
    """Microseconds since the epoch, int64 (n,); ``NO_TIME`` where the text needs ``time_us``.

    Reads ``YYYY-MM-DDThh:mm:ss[.f{1,6}](Z|±hh:mm)``.
    """
    widths = set(map(len, texts))
    if len(widths) == 1 and widths <= _WIDTHS:
        return _column(texts, widths.pop())
    result = np.full(len(texts), NO_TIME)
    for width in widths & _WIDTHS:
        at = [i for i, text in enumerate(texts) if len(text) == width]
        result[at] = _column([texts[i] for i in at], width)
    return result


def column_us(window: U64, width: int) -> I64:
    """As ``times_us``, of one width and as bytes.

    A body is of few minutes: the minute is read once for all rows that share it, and of the others only seconds
    and fraction.

    Args:
        window: the first 32 bytes of each, uint64 (n, 4); what lies beyond the time is not looked at.
        width: bytes of each time.
    """
    n = len(window)
    if width not in _WIDTHS:
        return np.full(n, NO_TIME)
    result = np.full(n, NO_TIME)
    block = window.view(np.uint8).reshape(n, 32)
    zulu = block[0, width - 1] == ord("Z")
    end = width - 1 if zulu else width - 6
    if n < 32 or end not in (19, *range(21, 27)):
        return _block(block, width)
    inside = np.arange(16, 32)
    figures = ((inside > 16) & (inside < end) & (inside != 19)).astype(np.uint8) * np.uint8(255)
    fixed = ((inside < width).astype(np.uint8) * np.uint8(255)) & ~figures
    second, rest = window[:, 2], window[:, 3]
    masks, shape = fixed.view(np.uint64), block[0, 16:].copy().view(np.uint64)
    good: Mask = (((second ^ shape[0]) & masks[0]) | ((rest ^ shape[1]) & masks[1])) == 0
    masks = figures.view(np.uint64)
    d, e = (second ^ _ZEROS) & masks[0], (rest ^ _ZEROS) & masks[1]
    good &= all_figures(d) & all_figures(e)
    v = value((d >> _8) | (e << _56)).view(
        np.int64
    )  # two figures of seconds, a 0 for the dot, five of the fraction
    seconds = v // 1_000_000
    good &= seconds < 60
    micros = v * 10 - seconds * 9_000_000 + ((e >> _8) & _255).view(np.int64)
    left = good
    for _ in range(_MINUTES):
        first = int(left.argmax())
        if not left[first]:
            break
        mine = left & (window[:, 0] == window[first, 0]) & (window[:, 1] == window[first, 1])
        known = int(_block(block[first : first + 1], width)[0])
        if known != NO_TIME:
            known -= int(micros[first])
            result = known + micros if mine.all() else np.where(mine, known + micros, result)
        left = left & ~mine
    if not good.all() or left.any():
        other = np.flatnonzero(left | ~good)
        result[other] = _block(block[other], width)
    return result


def time_us(text: str) -> int:
    """One time, in any form that names a zone.

    Returns:
        Microseconds since the epoch, of any year from 1 to 9999.

    Raises:
        BadInput: ``time.format``, or ``time.zone`` where there is no zone or no such zone.
    """
    try:
        return parse_iso(text) // 1000
    except BadInput as error:
        split = _LOCAL.fullmatch(text)
        if error.code != "time.format" or split is None or not _is_local(split[1]):
            raise
        raise BadInput(
            "time.zone", f"{split[2]!r} behind {split[1]} is no zone; write +08:00 or Z", value=text
        ) from None


def _is_local(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _column(texts: Sequence[str], width: int) -> I64:
    """Times of one length; int64 (n,), ``NO_TIME`` where a text is not of the fast form."""
    n = len(texts)
    try:
        block = np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(n, width)
    except UnicodeEncodeError:
        return np.full(n, NO_TIME)
    return _block(block, width)


def _block(block: Bytes, width: int) -> I64:
    """Times in the first ``width`` columns of bytes; int64 (n,)."""
    n, last = len(block), block[:, width - 1]
    zulu = last == ord("Z")
    if zulu.all():
        return _read(block, width - 1, np.zeros(n, np.int64))
    if not zulu.any():
        zone = block[:, width - 6 : width]
        return _read(block, width - 6, _zone_s(zone)) if width >= 25 else np.full(n, NO_TIME)
    result = np.full(n, NO_TIME)
    result[zulu] = _read(block[zulu], width - 1, np.zeros(int(zulu.sum()), np.int64))
    if width >= 25:
        result[~zulu] = _read(block[~zulu], width - 6, _zone_s(block[~zulu][:, width - 6 : width]))
    return result


def _read(block: Bytes, end: int, zone_s: I64) -> I64:
    """Local time in columns 0 … ``end``, minus the zone."""
    fraction = end - 19
    if fraction == 1 or fraction > 7:  # a lone dot; beyond microseconds
        return np.full(len(block), NO_TIME)
    good = zone_s != NO_TIME
    for column, character in _SEPARATORS:
        good &= block[:, column] == character
    figures = block[:, _DIGITS] - np.uint8(48)  # wraps round for anything below "0"
    good &= (figures <= 9).all(axis=1)
    d = figures.astype(np.int64)
    year = d[:, 0] * 1000 + d[:, 1] * 100 + d[:, 2] * 10 + d[:, 3]
    month = d[:, 4] * 10 + d[:, 5]
    day = d[:, 6] * 10 + d[:, 7]
    hour = d[:, 8] * 10 + d[:, 9]
    minute = d[:, 10] * 10 + d[:, 11]
    second = d[:, 12] * 10 + d[:, 13]
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(good, (year - 1) * 12 + month - 1, 0)
    first = _FIRST[months]
    good &= day <= _FIRST[months + 1] - first
    micros = np.zeros(len(block), np.int64)
    if fraction:
        good &= block[:, 19] == ord(".")
        parts = block[:, 20:end] - np.uint8(48)
        good &= (parts <= 9).all(axis=1)
        micros = parts.astype(np.int64) @ _MICROS[: fraction - 1]
    seconds = (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second - zone_s
    return np.where(good, seconds * 1_000_000 + micros, NO_TIME)


def _zone_s(zone: Bytes) -> I64:
    """``±hh:mm`` as seconds east of Greenwich; ``NO_TIME`` where it is none."""
    figures = zone[:, [1, 2, 4, 5]] - np.uint8(48)
    d = figures.astype(np.int64)
    hours, minutes = d[:, 0] * 10 + d[:, 1], d[:, 2] * 10 + d[:, 3]
    plus, minus = zone[:, 0] == ord("+"), zone[:, 0] == ord("-")
    good = (plus | minus) & (zone[:, 3] == ord(":")) & (figures <= 9).all(axis=1)
    good &= (hours < 24) & (minutes < 60)
    seconds = (hours * 60 + minutes) * 60
    return np.where(good, np.where(minus, -seconds, seconds), NO_TIME)
