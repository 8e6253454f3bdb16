"""ISO 8601 times, many at once.

Whole columns of the usual forms are read with numpy; anything else goes to ``yiwang.clock.parse_iso`` one by
one, which also names what is wrong. Both give the same microsecond; a law in the tests says so.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ingest.digits import U64, Mask, Text, value, words
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

_COLUMN = 24  # times; fewer are read one by one in less time
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_MINUTES = 6  # so many different ones of a body are read once each
_HIGH = np.uint64(0x8080808080808080)
_8, _10, _56, _60, _255 = np.uint64(8), np.uint64(10), np.uint64(56), np.uint64(60), np.uint64(255)
_MILLION, _9_MILLION = np.uint64(1_000_000), np.uint64(9_000_000)
_MINUTE = re.compile(rb"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:")

Bytes = NDArray[np.uint8]


def times_us(texts: Sequence[str]) -> I64:
    """Microseconds since the epoch, int64 (n,); ``NO_TIME`` where the text needs ``time_us``.

    Reads ``YYYY-MM-DDThh:mm:ss[.f{1,6}](Z|±hh:mm)``.
    """
    if len(texts) < _COLUMN:
        return np.array([_one(text) for text in texts], np.int64)
    widths = set(map(len, texts))
    if len(widths) == 1 and widths <= _WIDTHS:
        return _column(texts, widths.pop())
    result = np.full(len(texts), NO_TIME)
    for width in widths & _WIDTHS:
        at = [i for i, text in enumerate(texts) if len(text) == width]
        result[at] = _column([texts[i] for i in at], width)
    return result


def _one(text: str) -> int:
    if _USUAL.fullmatch(text):
        try:
            return parse_iso(text) // 1000
        except BadInput:
            pass
    return NO_TIME


def column_us(text: Text, at: I64, width: int) -> I64:
    """As ``times_us``, of one width and as bytes.

    A body is of few minutes: the minute is read once for all rows that share it, and of the others only seconds
    and fraction.

    Args:
        text: in which they stand.
        at: place of the first byte of each, int64 (n,).
        width: bytes of each time.
    """
    n = len(at)
    result = np.full(n, NO_TIME)
    if width not in _WIDTHS:
        return result
    first = text.raw[int(at[0]) : int(at[0]) + width]
    end = width - 1 if first[-1:] == b"Z" else width - 6
    if n < 32 or end not in (19, *range(21, 27)):
        return _block(text.window(at, width).view(np.uint8).reshape(n, width), width)
    minute, rest = words(text.window(at, 16)), words(text.window(at + 16, 16))
    less, inside, over = _shape(first[16:17] + first[19:20] + first[end:], width, end)
    whole = n // 32 * 32
    odd = np.empty_like(rest)
    for part, marks in (
        (rest[:whole].reshape(-1, 64), odd[:whole].reshape(-1, 64)),
        (rest[whole:], odd[whole:]),
    ):
        k = part.shape[1]
        part ^= less[:k]
        part &= inside[:k]
        np.add(part, over[:k], out=marks)
        marks |= part
        marks &= _HIGH
    good: Mask = (odd[:, 0] | odd[:, 1]) == 0
    d, e = rest[:, 0], rest[:, 1]
    v = value((d >> _8) | (e << _56))  # two figures of seconds, a 0 for the dot, five of the fraction
    seconds = v // _MILLION
    good &= seconds < _60
    micros = v * _10
    micros -= seconds * _9_MILLION
    if end == 26:
        micros += (e >> _8) & _255
    micros = micros.view(np.int64)
    left = good
    for _ in range(_MINUTES):
        row = int(left.argmax())
        if not left[row]:
            break
        mine = left & (minute[:, 0] == minute[row, 0]) & (minute[:, 1] == minute[row, 1])
        left = left & ~mine
        one = text.raw[int(at[row]) : int(at[row]) + width]
        if _MINUTE.match(one):
            try:
                begun = time_us(one.decode()) - int(micros[row])
            except BadInput:
                continue
            result = micros + begun if mine.all() else np.where(mine, micros + begun, result)
    if left.any() or not good.all():
        other = np.flatnonzero(left | ~good)
        result[other] = _block(text.window(at[other], width).view(np.uint8).reshape(-1, width), width)
    return result


@lru_cache(256)
def _shape(letters: bytes, width: int, end: int) -> tuple[U64, U64, U64]:
    """What is taken from the 16 bytes behind the minute, for 32 rows.

    Exclusive or with the first, then the second's bits alone: what is no figure becomes 0 where it is as in the
    first row, a figure its number, what lies behind the time 0. Where the third is added to that without reaching
    128, it was so.
    """
    place = np.arange(16)
    figure = (place > 0) & (place < end - 16) & (place != 3)
    less = np.full(16, ord("0"))
    less[0], less[3] = letters[0], letters[1]
    less[end - 16 : width - 16] = list(letters[2:])
    inside, over = np.where(place < width - 16, 255, 0), np.where(figure, 118, 127)
    first, second, third = (np.tile(c.astype(np.uint8).view(np.uint64), 32) for c in (less, inside, over))
    return first, second, third


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
