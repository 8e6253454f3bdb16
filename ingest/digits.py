"""Decimal figures in columns of bytes, eight at a time in 64-bit words.

A *window* is a row of raw bytes of a body, seen as little-endian words: the first character is the lowest byte.
"""

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I64

U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

NUMBER = 24
"""Bytes looked at for a number, its terminator included."""
_SHORT = 15  # figures and dot; every step below is then exact in 53 bits
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_ZEROS = np.uint64(0x3030303030303030)
_OVER_9 = np.uint64(0x7676767676767676)
_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
_1, _3 = np.uint64(1), np.uint64(3)
_PAIRS = (np.uint64(10 * 2**8 + 1), np.uint64(100 * 2**16 + 1), np.uint64(10_000 * 2**32 + 1))
_KEEP = (np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF))
_HUNDRED_MILLION = np.uint64(10**8)
_POWER = 10.0 ** np.arange(17)
_DOT, _MINUS, _ZERO = 46, 45, 48


def _right(n: int, width: int) -> Bytes:
    """All bits in the last ``n`` of ``width`` bytes."""
    return np.where(np.arange(width) >= width - n, 255, 0).astype(np.uint8)


# By count of figures: the last so many of 16 bytes. By place of the dot: everything but it (0: there is none).
_FIGURES = np.stack([_right(n, 16) for n in range(17)]).view("V16").ravel()
_NO_DOT = np.where((np.arange(16) == np.arange(16)[:, None]) & (np.arange(16)[:, None] > 0), 0, 255)
_NO_DOT = _NO_DOT.astype(np.uint8).view("V16").ravel()


def words(column: NDArray[np.void]) -> U64:
    """Windows (n,) of 8 k bytes as uint64 (n, k)."""
    return column.view(np.uint64).reshape(len(column), -1)


def find(w: U64, character: int) -> I64:
    """Place of the first ``character`` in each window, int64 (n,); the window's size where there is none.

    The word trick is Mycroft's: only above the first match may it see matches that are none.
    """
    x = w ^ (_ONES * np.uint64(character))
    t = (x - _ONES) & ~x & _HIGH
    place = (np.bitwise_count((t & (~t + _1)) - _1) >> 3).astype(np.int64)
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
    d = ((d * _PAIRS[0]) >> _8) & _KEEP[0]
    d = ((d * _PAIRS[1]) >> _16) & _KEEP[1]
    return (d * _PAIRS[2]) >> _32


def numbers(head: U64, tail: U64, width: I64) -> tuple[F64, Mask]:
    """JSON numbers without exponent, to the last bit what a correct parser gives.

    The figures as an integer below 10^15 and a power of ten below 10^16 are both exact in 53 bits, so that one
    division rounds correctly (W. D. Clinger, How to read floating point numbers accurately, 1990).

    Args:
        head: the ``NUMBER`` bytes from the first on, uint64 (n, 3).
        tail: the 16 bytes up to the last, uint64 (n, 2).
        width: characters of each, int64 (n,); ``NUMBER`` where there is no end.

    Returns:
        float64 (n,) and whether each is such a number; -0 and what is longer than ``NUMBER`` is not.
    """
    minus = (head[:, 0] & np.uint64(255)) == _MINUS
    figures = width - minus
    mask = words(_FIGURES[np.minimum(figures, 16)])
    d = (tail ^ _ZEROS) & mask
    dot = find(d, _DOT ^ _ZERO)
    dot[dot == 16] = 0
    d &= words(_NO_DOT[dot])
    good = all_figures(d)
    v = value(d)
    number = (v[:, 0] * _HUNDRED_MILLION + v[:, 1]).astype(np.float64)
    decimals = np.where(dot > 0, 15 - dot, 0)
    power = _POWER[decimals]
    whole = np.floor(number / (power * 10.0))  # the dot's place is a 0 now, so this is not near the next one
    number = np.where(dot > 0, number - whole * 9.0 * power, number)
    first = np.where(minus, head[:, 0] >> _8, head[:, 0]) & np.uint64(255)
    before = np.where(dot > 0, dot - 16 + figures, figures)
    ok: Mask = good[:, 0] & good[:, 1] & (figures <= _SHORT) & (before >= 1)
    ok &= ((dot == 0) | (decimals > 0)) & ((first != _ZERO) | (before == 1)) & ~(minus & (number == 0))
    number = np.where(minus, -number, number) / power
    if not ok.all():
        _long(head, width, number, ok)
    return number, ok


def _long(head: U64, width: I64, number: F64, ok: Mask) -> None:
    """Numbers with more figures, by Python's own correct conversion."""
    at = np.flatnonzero(~ok & (width > _SHORT) & (width < NUMBER))
    if len(at) == 0:
        return
    text = np.ascontiguousarray(head[at]).view(np.uint8).reshape(-1, NUMBER)
    inside = np.arange(NUMBER) < width[at, None]
    text = np.where(inside, text, 0).astype(np.uint8)
    minus = text[:, 0] == _MINUS
    dot = text == _DOT
    figure = (text >= _ZERO) & (text <= _ZERO + 9)
    rows = np.arange(len(at))
    first = minus.astype(np.int64)
    last_is_figure = figure[rows, width[at] - 1]
    good = (figure.sum(1) + dot.sum(1) + minus == width[at]) & (dot.sum(1) <= 1) & last_is_figure
    good &= figure[rows, first] & ((text[rows, first] != _ZERO) | dot[rows, first + 1])
    at, text = at[good], text[good]
    if len(at):
        number[at] = text.view(f"S{NUMBER}").ravel().astype(np.float64)
        ok[at] = number[at] != 0
