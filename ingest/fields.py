"""The fields of rows that are written alike: columns of bytes to columns of values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ingest.bulk import TEXT, Bulk, Column
from ingest.digits import U64, Mask, numbers, words
from ingest.times import NO_TIME, column_us
from yiwang.columns import F64, I64, U8

_READ = frozenset({"device", "metric", "time", "value", "unit", "quality"})
_DISTINCT = 48  # different metrics, or units, of one body that are read without going row by row
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(slots=True, eq=False)
class Fields:
    """The rows of a body as columns of n values each; they mean nothing where a row does not fit.

    Attributes:
        fits: bool (n,), False where a row must be looked at by itself.
        device: zero-padded ids, uint64 (n, words).
        metric: column of the metric, int64 (n,) or one for all; -1 where it is not known.
        unit: likewise.
        t_us: int64 (n,), ``NO_TIME`` where it must be looked at by itself.
        value: float64 (n,), as sent.
        quality: uint8 (n,).
    """

    fits: Mask
    device: U64
    metric: I64 | int
    unit: I64 | int
    t_us: I64
    value: F64
    quality: U8


def read(bulk: Bulk, size: int, metrics: Mapping[str, int], units: Mapping[str, int]) -> Fields:
    """Values of all rows.

    Args:
        bulk: the rows.
        size: 64-bit words of a device id; a longer id does not fit.
        metrics: metric to its column.
        units: unit to its column.
    """
    columns, first = bulk.columns, bulk.layout.row
    fits = bulk.fits.copy()
    device = _padded(bulk, columns["device"], size, fits)
    value, good = _numbers(bulk, columns["value"])
    fits &= good
    quality = np.zeros(len(fits), np.uint8)
    for name, column in columns.items():
        if name == "quality":
            said, good = _numbers(bulk, column)
            fits &= good & (column.width == 1) & (said <= 3)
            quality = np.where(fits, said, 0).astype(np.uint8)
        elif name not in _READ:
            numeric = any(f.name == name and f.kind == "number" for f in bulk.layout.fields)
            fits &= _numbers(bulk, column)[1] if numeric else _plain(bulk, column)
    return Fields(
        fits=fits,
        device=device,
        metric=_codes(bulk, columns["metric"], metrics)
        if "metric" in columns
        else metrics.get(first.metric, -1),
        unit=_codes(bulk, columns["unit"], units) if "unit" in columns else units.get(first.unit, -1),
        t_us=_times(bulk, columns["time"]),
        value=value,
        quality=quality,
    )


def texts(bulk: Bulk, name: str, rows: I64) -> list[str]:
    """A text field of some rows that fit."""
    column = bulk.columns[name]
    widths = np.broadcast_to(column.width, column.at.shape)[rows].tolist()
    return [
        bulk.text.raw[at : at + width].decode()
        for at, width in zip(column.at[rows].tolist(), widths, strict=True)
    ]


@cache
def _masks(size: int) -> NDArray[np.void]:
    """By width: all bits in the first so many of ``size`` bytes, void (size + 1,)."""
    inside = np.arange(size) < np.arange(size + 1)[:, None]
    return np.where(inside, 255, 0).astype(np.uint8).view(f"V{size}").ravel()


def _padded(bulk: Bulk, column: Column, size: int, fits: Mask) -> U64:
    """Texts cut at ``size`` words, zeros behind them; longer ones are taken out of ``fits``."""
    text = words(bulk.text.window(column.at, 8 * size))
    masks = _masks(8 * size)
    if isinstance(column.width, int):
        if column.width > 8 * size:
            fits[:] = False
        mask = words(masks[min(column.width, 8 * size)][None])[0]
        for j in range(min(column.width // 8, size), size):
            text[:, j] &= mask[j]
        return text
    fits &= column.width <= 8 * size
    text &= words(masks[np.minimum(column.width, 8 * size)])
    return text


def _numbers(bulk: Bulk, column: Column) -> tuple[F64, Mask]:
    return numbers(bulk.text, column.at, np.broadcast_to(column.width, column.at.shape))


def _plain(bulk: Bulk, column: Column) -> Mask:
    """Whether a text that nobody reads is plain ASCII without quotes."""
    fits = np.ones(len(column.at), bool)
    size = TEXT // 8 if not isinstance(column.width, int) else max(1, -(-column.width // 8))
    text = _padded(bulk, column, size, fits).view(np.uint8)
    width = np.asarray(column.width).reshape(-1, 1)
    inside = np.arange(8 * size) < width
    odd = ((text < 32) | (text == ord('"')) | (text > 126)) & inside
    fits &= ~odd.any(axis=1)
    return fits


def _times(bulk: Bulk, column: Column) -> I64:
    if isinstance(column.width, int):
        return column_us(bulk.text, column.at, column.width)
    result = np.full(len(column.at), NO_TIME)
    for width in np.flatnonzero(np.bincount(column.width)).tolist():
        mine = column.width == width
        result[mine] = column_us(bulk.text, column.at[mine], width)
    return result


def _codes(bulk: Bulk, column: Column, known: Mapping[str, int]) -> I64:
    """Texts of which there are few different ones as what they are known by, -1 where they are not."""
    assert not isinstance(column.width, int)
    fits = bulk.fits.copy()
    widest = int(np.where(fits, column.width, 1).max())
    text = _padded(bulk, column, min(max(1, -(-widest // 8)), TEXT // 8), fits)
    mixed = text[:, 0]
    for j in range(1, text.shape[1]):
        mixed = mixed * _MIX ^ text[:, j]
    codes = np.full(len(text), -1)
    left = fits
    for _ in range(_DISTINCT):
        first = int(left.argmax())
        if not left[first]:
            break
        mine = left & (mixed == mixed[first])
        left = left & ~mine
        mine &= (text == text[first]).all(
            axis=1
        )  # two texts may mix to the same; the second is looked up by itself
        at, width = int(column.at[first]), int(column.width[first])
        codes[mine] = known.get(bulk.text.raw[at : at + width].decode("utf-8", "replace"), -1)
    return codes
