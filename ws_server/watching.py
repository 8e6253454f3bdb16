"""What screens watch, and the messages made of it: once for all screens with the same wish. Pure.

Rounds, not readings, are what screens hear of: a round takes everything that has changed since the one before, and
touches only those whose series are among it. A screen that was too slow for a round gets, when it can take
something again, the newest values of what has changed since its own last message.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ws_server import messages
from ws_server.values import NewestValues, Row
from yiwang.columns import I32, Readings

NEVER = -1
"""Stamp of a screen that has not been sent any values of its wish."""

_Key = tuple[tuple[int, bytes], ...]


class Watcher(Protocol):
    """Somebody with a wish."""

    def values_due(self) -> None:
        """Something of the wish has changed."""
        ...


@dataclass(slots=True, eq=False)
class Wish:
    """A set of series that somebody watches; equal sets are one object.

    Attributes:
        series: district to int32 (n,), sorted, each once.
        watchers: who watches exactly this.
        changed: district to the series of the newest round, int32 (k,), each once.
        since: stamp of the round before it that touched the wish.
        upto: stamp of the newest round that touched it.
        text: the message that takes a screen from ``since`` to ``upto``; made when the first asks for it.
    """

    key: _Key
    series: dict[int, I32]
    watchers: dict[Watcher, None] = field(default_factory=dict)  # a set with an order
    changed: dict[int, I32] = field(default_factory=dict)
    since: int = 0
    upto: int = 0
    text: bytes = b""


class Watching:
    """All wishes.

    Args:
        values: where newest values are held.

    Attributes:
        pending: something that is watched has changed since the last round.
        pending_ns: when ingest had the first of it, per district.
    """

    def __init__(self, values: NewestValues) -> None:
        self.pending = False
        self.pending_ns: dict[int, int] = {}
        self._values = values
        self._wishes: dict[_Key, Wish] = {}
        self._of: dict[int, dict[int, list[Wish]]] = {}  # district to series to who wants it
        self._hits: dict[int, list[I32]] = {}

    def update(self, district: int, batch: Readings, ingest_ns: int) -> bool:
        """Readings have come; whether a round is due because of them or of earlier ones."""
        hits = self._values.update(district, batch, ingest_ns)
        if len(hits):
            self._hits.setdefault(district, []).append(hits)
            self.pending_ns.setdefault(district, ingest_ns)
            self.pending = True
        return self.pending

    def wish(self, watcher: Watcher, wanted: Mapping[int, Sequence[int]]) -> Wish:
        """From now on ``watcher`` hears of these series.

        Args:
            watcher: must not have a wish.
            wanted: district to numbers of series, all >= 0, none of them empty.
        """
        series = {d: np.unique(np.array(wanted[d], np.int32)) for d in sorted(wanted)}
        key = tuple((d, s.tobytes()) for d, s in series.items())
        wish = self._wishes.get(key)
        if wish is None:
            wish = self._wishes[key] = Wish(key, series)
            self._values.watch(series, by=1)
            for d, numbers in series.items():
                wanting = self._of.setdefault(d, {})
                for number in numbers.tolist():
                    wanting.setdefault(number, []).append(wish)
        wish.watchers[watcher] = None
        return wish

    def drop(self, watcher: Watcher, wish: Wish) -> None:
        """``watcher`` no longer has this wish."""
        wish.watchers.pop(watcher, None)
        if wish.watchers or self._wishes.pop(wish.key, None) is None:
            return
        self._values.watch(wish.series, by=-1)
        for d, numbers in wish.series.items():
            for number in numbers.tolist():
                wanting = self._of[d][number]
                wanting.remove(wish)
                if not wanting:
                    del self._of[d][number]

    def round(self) -> Iterator[Watcher]:
        """Begin a round: everybody who watches something that has changed since the one before, told so."""
        touched: dict[Wish, dict[int, list[int]]] = {}
        for district, parts in self._hits.items():
            wanting = self._of.get(district, {})
            for number in np.unique(np.concatenate(parts)).tolist():
                for wish in wanting.get(number, ()):
                    touched.setdefault(wish, {}).setdefault(district, []).append(number)
        self._hits.clear()
        self.pending_ns.clear()
        self.pending = False
        for wish, changed in touched.items():
            wish.changed = {d: np.array(numbers, np.int32) for d, numbers in changed.items()}
            wish.since, wish.upto, wish.text = wish.upto, self._values.stamp, b""
            for watcher in wish.watchers:
                watcher.values_due()
                yield watcher

    def message(self, wish: Wish, seen: int, now_ns: int) -> tuple[bytes, int]:
        """What takes a screen from its last message to now.

        Args:
            wish: the screen's.
            seen: stamp up to which it has been sent the values of the wish; ``NEVER`` for none.
            now_ns: wall clock.

        Returns:
            The message (empty: nothing has changed), and the stamp up to which it goes.
        """
        if seen == NEVER:
            return self._encode(wish.series, now_ns, stamped=False), self._values.stamp
        if seen >= wish.upto:
            return b"", seen
        if seen >= wish.since:
            if not wish.text:
                wish.text = self._encode(wish.changed, now_ns)
            return wish.text, wish.upto
        changed = {d: self._values.since(d, s, seen) for d, s in wish.series.items()}
        return self._encode(changed, now_ns), self._values.stamp

    def rows(self, wish: Wish) -> list[Row]:
        """Newest values of all its series."""
        return [row for d, series in wish.series.items() for row in self._values.rows(d, series)]

    def _encode(self, changed: Mapping[int, I32], now_ns: int, *, stamped: bool = True) -> bytes:
        rows = [row for d, series in changed.items() for row in self._values.rows(d, series)]
        if not rows:
            return b""
        ingest_ns = self._values.oldest_ingest_ns(changed) if stamped else None
        return messages.encode(
            {
                "type": "values",
                "rows": rows,
                "ingest_ms": None if ingest_ns is None else ingest_ns / 1e6,
                "gateway_ms": now_ns / 1e6,
            }
        )
