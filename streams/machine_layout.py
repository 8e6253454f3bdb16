"""How the rows of a lane stand to each other: places, zones, positions. Pure."""

import numpy as np
from numpy.typing import NDArray

from detectors.protocol import Layout
from yiwang.book import Book
from yiwang.columns import I32
from yiwang.domains import Entry

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6 371 km."""


def layout(
    entry: Entry, roles: tuple[str, ...], book: Book, series: I32, zone: I32, live: NDArray[np.bool_]
) -> Layout:
    """Of the series of a lane's rows.

    Args:
        entry: that watches them.
        roles: of its detector.
        book: what is registered.
        series: int32 (n,).
        zone: int32 (n,), as numbered by the book; also of series that are not registered any more.
        live: bool (n,), registered and watched now.
    """
    pair = book.pair[series]
    known = pair != 0
    device = np.where(known, book.device[series], -1)
    place = np.where(known, book.place[device], -1)
    role, metric = np.zeros(len(book.pairs), np.int8), np.full(len(book.pairs), -1, np.int32)
    metrics: dict[str, int] = {}
    for code, (_, name) in enumerate(book.pairs):
        how = entry.watches.get(name)
        if how is not None:
            role[code] = roles.index(how.role) if how.role else 0
            metric[code] = metrics.setdefault(how.metric, len(metrics))
    lon, lat = np.where(known, book.lon[device], np.nan), np.where(known, book.lat[device], np.nan)
    # of a device that is watched: whatever moves it makes the layout anew
    origin = int(known.argmax()) if known.any() else -1
    lon0, lat0 = (float(lon[origin]), float(lat[origin])) if origin >= 0 else (0.0, 0.0)
    at_m = np.full(len(series), np.nan)
    for of, rows in (("device", device), ("place", place)):  # the place's counts before the device's
        column = book.attributes[of].get("chainage_m")
        if column is not None:
            at_m = np.where(known & ~np.isnan(column[rows]), column[rows], at_m)
    return Layout(
        role=role[pair],
        device=_dense(device),
        place=_dense(place),
        zone=_dense(zone),
        metric=_dense(metric[pair]),
        x_m=(lon - lon0) * METRES_PER_DEGREE * np.cos(np.radians(lat0)),
        y_m=(lat - lat0) * METRES_PER_DEGREE,
        at_m=at_m,
        live=live,
    )


def _dense(codes: I32) -> I32:
    """Equal numbers to equal numbers, in order of appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
