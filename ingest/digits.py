"""Decimal figures in columns of bytes, eight at a time in 64-bit words.

A *window* is a row of raw bytes of a body, seen as little-endian words: the first character is the lowest byte.
"""

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I64

U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]

NUMBER = 24
"""Bytes looked at for a number, its terminator included."""
_SHORT = 15  # figures and dot; every step below is then exact in 53 bits
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_ZEROS = np.uint64(0x3030303030303030)
_OVER_9 = np.uint64(0x7676767676767676)
_1, _7, _8, _16, _32 = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(16), np.uint64(32)
_PAIRS = (np.uint64(10 * 2**8 + 1), np.uint64(100 * 2**16 + 1), np.uint64(10_000 * 2**32 + 1))
_KEEP = (np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF))
_HUNDRED_MILLION = np.uint64(10**8)
_DOT, _MINUS, _ZERO = 46, 45, 48


def _scales(size: int) -> tuple[F64, F64, F64]:
    """By place of the dot (``size``: there is none): 10^decimals, 10^(decimals + 1), and 9 times the first."""
    power = 10.0 ** np.append(np.arange(size)[::-1], 0)
    return power, np.append(10.0 * power[:-1], np.inf), np.append(9.0 * power[:-1], 0.0)


_SCALES = {size: _scales(size) for size in (8, 16)}
# By count: all bits of the last so many of eight bytes.
_LAST = np.array([(1 << 64) - (1 << 64 - 8 * n) for n in range(9)], np.uint64)


class Text:
    """Bytes of which columns are taken.

    Attributes:
        raw: themselves.
        bytes: uint8 (n,).
    """

    __slots__ = ("bytes", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.bytes: NDArray[np.uint8] = np.frombuffer(raw, np.uint8)

    def window(self, at: I64, size: int) -> NDArray[np.void]:
        """``size`` bytes from each place on, void (n,)."""
        view = np.ndarray((len(self.raw) - size,), f"V{size}", self.raw, strides=(1,))
        return view[at]


def words(column: NDArray[np.void]) -> U64:
    """Windows (n,) of 8 k bytes as uint64 (n, k)."""
    return column.view(np.uint64).reshape(len(column), -1)


def find(w: U64, character: int) -> I64:
    """Place of the first ``character`` in each window, int64 (n,); the window's size where there is none.

    The word trick is Mycroft's: only above the first match may it see matches that are none.
    """
    x = w ^ (_ONES * np.uint64(character))
    return _first((x - _ONES) & ~x & _HIGH)


def _first(marks: U64) -> I64:
    """Place of the first byte of each window that is marked in its high bit."""
    place = (np.bitwise_count((marks & (~marks + _1)) - _1) >> 3).astype(np.int64)
    result = place[:, 0]
    for k in range(1, place.shape[1]):
        result = result + np.where(result == 8 * k, place[:, k], 0)
    return result


def all_figures(d: U64) -> Mask:
    """Whether every byte of words (n, …), already less ``'0'``, is 0 to 9; same shape."""
    good: Mask = ((d | (d + _OVER_9)) & _HIGH) == 0
    return good


def value(d: U64) -> U64:
    """Words of eight figures each, already less ``'0'``, as numbers."""
    v = d * _PAIRS[0]
    for bits, keep, factor in ((_8, _KEEP[0], _PAIRS[1]), (_16, _KEEP[1], _PAIRS[2])):
        v >>= bits
        v &= keep
        v *= factor
    v >>= _32
    return v


def numbers(text: Text, at: I64, width: I64) -> tuple[F64, Mask]:
    """JSON numbers without exponent, to the last bit what a correct parser gives.

    The figures as an integer below 10^15 and a power of ten below 10^16 are both exact in 53 bits, so that one
    division rounds correctly (W. D. Clinger, How to read floating point numbers accurately, 1990).

    Args:
        text: in which they stand.
        at: place of the first character of each, int64 (n,).
        width: characters of each, int64 (n,), 0 to ``NUMBER``.

    Returns:
        float64 (n,) and whether each is such a number; -0, and what is as long as ``NUMBER``, is not.
    """
    start, figures = text.bytes[at], width
    minus = start == _MINUS
    signed = bool(minus.any())
    if signed:
        start, figures = np.where(minus, text.bytes[at + 1], start), width - minus
    size = 8 if width.max() <= 8 else 16
    d = words(text.window(at + (width - size), size))  # the last characters, the first ones of them not ours
    d ^= _ZEROS
    for j in range(size // 8):
        d[:, j] &= _LAST[np.minimum(np.maximum(figures - (size - 8 - 8 * j), 0), 8)]
    x = d ^ (_ONES * np.uint64(_DOT ^ _ZERO))
    dots = (x - _ONES) & ~x & _HIGH
    place = _first(dots)
    d ^= (dots >> _7) * np.uint64(_DOT ^ _ZERO)
    ok: Mask = all_figures(d)[:, 0]
    v = value(d)
    if size == 16:
        ok &= all_figures(d)[:, 1] & ((dots[:, 0] == 0) | (dots[:, 1] == 0))
        v[:, 0] *= _HUNDRED_MILLION
        v[:, 0] += v[:, 1]
    for j in range(size // 8):
        ok &= (dots[:, j] & (dots[:, j] - _1)) == 0
    number = v[:, 0].astype(np.float64)
    power, shift, gap = _SCALES[size]
    number -= (
        np.floor(number / shift[place]) * gap[place]
    )  # the dot's place is a 0: not near the next whole one
    number /= power[place]
    before = figures + (place - size)
    ok &= ((start != _ZERO) & (before > 0)) | (before == 1)
    ok &= (place != size - 1) & (figures <= _SHORT)
    if signed:
        ok &= ~(minus & (number == 0))
        number = np.where(minus, -number, number)
    if not ok.all():
        _long(text, at, width, number, ok)
    return number, ok


def _long(text: Text, at: I64, width: I64, number: F64, ok: Mask) -> None:
    """Numbers with more figures, by Python's own correct conversion."""
    rows = np.flatnonzero(~ok & (width > _SHORT) & (width < NUMBER))
    if len(rows) == 0:
        return
    width = width[rows]
    letters = text.window(at[rows], NUMBER).view(np.uint8).reshape(-1, NUMBER)
    letters[np.arange(NUMBER) >= width[:, None]] = 0
    minus, dot = letters[:, 0] == _MINUS, letters == _DOT
    figure = (letters >= _ZERO) & (letters <= _ZERO + 9)
    each, first = np.arange(len(rows)), minus.astype(np.int64)
    good = (figure.sum(1) + dot.sum(1) + minus == width) & (dot.sum(1) <= 1) & figure[each, width - 1]
    good &= figure[each, first] & ((letters[each, first] != _ZERO) | dot[each, first + 1])
    rows, letters = rows[good], letters[good]
    if len(rows):
        number[rows] = letters.view(f"S{NUMBER}").ravel().astype(np.float64)
        ok[rows] = number[rows] != 0
