"""Parameters in force for many series at once: the same as ``Domains.params``, column by column. Pure.

A value that all rows share is one number, whatever their count; it is only spread out where somewhere another one
is in force.
"""

import math

import numpy as np
from numpy.typing import NDArray

from yiwang.book import Book
from yiwang.columns import F64, I32
from yiwang.domains import Domains, Entry, Param

Value = float | F64
"""One for all rows, or float64 (k,)."""


def params(domains: Domains, entry: Entry, book: Book, series: I32) -> dict[str, Value]:
    """Every parameter of an entry in force for some series that it watches."""
    values = {name: _of(domains, entry, book, param, series) for name, param in entry.params.items()}
    for override in domains.overrides.get(entry.id, ()):
        where: NDArray[np.int64] | None = None
        if override.rank:
            device = book.device[series]
            here = np.ones(len(series), np.bool_)
            if override.device:
                here &= device == book.devices.row(override.device)
            place = book.place[device]
            if override.place:
                here &= place == book.places.row(override.place)
            if override.zone:
                here &= book.zone[place] == book.zone_code(override.zone)
                here &= book.registered[place]
            where = np.flatnonzero(here)
            if len(where) == 0:
                continue
        for name, param in override.params.items():
            if name not in values:
                continue
            if where is None or len(where) == len(series):
                values[name] = _of(domains, entry, book, param, series)
            else:
                spread = spread_out(values[name], len(series))
                spread[where] = _of(domains, entry, book, param, series[where])
                values[name] = spread
    return values


def transform(entry: Entry, book: Book, series: I32) -> tuple[Value, Value]:
    """Scale and offset of what the entry sees of some series; a NaN offset makes every reading NaN."""
    pairs = book.pair[series]
    codes = np.unique(pairs).tolist()
    how = {code: entry.watches[book.pairs[code][1]] for code in codes}
    plain = all(h.scale == 1.0 and h.offset is None for h in how.values())
    if plain:
        return 1.0, 0.0
    scale, offset = np.ones(len(series)), np.zeros(len(series))
    for code, h in how.items():
        at = np.flatnonzero(pairs == code)
        scale[at] = h.scale
        if h.offset is not None:
            offset[at] = _given(h.offset, book, series[at])
    return scale, offset


def spread_out(value: Value, count: int) -> F64:
    """A value as an array of its own with one entry a row."""
    return np.array(np.broadcast_to(np.asarray(value, np.float64), count))


def alike(a: float, b: float) -> bool:
    """Whether two parameters are the same; an absent one is like an absent one."""
    return a == b or (math.isnan(a) and math.isnan(b))


def _of(domains: Domains, entry: Entry, book: Book, param: Param, series: I32) -> Value:
    if param.of != "metric":
        return _given(param, book, series)
    pairs = book.pair[series]
    values: dict[int, float] = {}
    for code in np.unique(pairs).tolist():
        # numbers of a metric are those of the one the values are read as: they are in its unit
        metric = domains.metrics.get(entry.watches[book.pairs[code][1]].metric or entry.metric)
        given = metric.attribute(param.attribute) if metric else None
        values[code] = _looked_up(param, math.nan if given is None else given)
    distinct = list(values.values())
    if len(distinct) == 0:
        return param.value
    if all(alike(value, distinct[0]) for value in distinct):
        return distinct[0]
    table = np.full(len(book.pairs), np.nan)
    table[list(values)] = distinct
    return table[pairs]


def _given(param: Param, book: Book, series: I32) -> Value:
    """What stands with the device or the place, else the default."""
    column = book.attributes.get(param.of, {}).get(param.attribute)
    if column is None:
        return param.value
    rows = book.device[series]
    given = column[book.place[rows] if param.of == "place" else rows]
    if param.table is None:
        return np.where(np.isfinite(given), given, param.value)
    known, at = np.unique(given, return_inverse=True)
    return np.array([_looked_up(param, value) for value in known.tolist()], np.float64)[at]


def _looked_up(param: Param, given: float) -> float:
    if not math.isfinite(given):
        return param.value
    return given if param.table is None else param.table.get(f"{given:g}", param.value)
