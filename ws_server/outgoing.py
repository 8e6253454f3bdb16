"""What waits to be sent to one client: answers, changes in order, newest values. Pure and bounded.

Values are looked up when they are sent, so only the newest of each series ever waits. Changes beyond the
bound are dropped and a snapshot is owed instead; results of commands are kept and follow it.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ws_server import messages
from ws_server.values import NewestValues, Row
from yiwang.clock import MILLISECOND
from yiwang.columns import I32

VALUES_EVERY_NS = 100 * MILLISECOND
QUEUE_MESSAGES = 1000
QUEUE_BYTES = 4 * 1024 * 1024
ONE_GO_BYTES = 256 * 1024  # handed to the socket at once


class Outgoing:
    """The queue of one client.

    Args:
        values: where newest values are looked up.
        most_messages: beyond so many waiting changes a snapshot is owed instead.
        most_bytes: or beyond so many bytes.

    Attributes:
        snapshot_due: a snapshot is owed; changes are not queued until it was taken.
    """

    def __init__(
        self,
        values: NewestValues,
        *,
        most_messages: int = QUEUE_MESSAGES,
        most_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.snapshot_due = False
        self._values = values
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._replies: deque[bytes] = deque()  # bounded by what the client itself asks
        self._changes: deque[tuple[bytes, bool]] = deque()  # with: is a result, never dropped
        self._bytes = 0
        self._watched: dict[int, NDArray[np.bool_]] = {}
        self._dirty: dict[int, NDArray[np.bool_]] = {}
        self._values_due = False
        self._values_ingest_ns: int | None = None
        self._values_sent_ns = 0
        self._beat: bytes | None = None

    # ---- in ----

    def reply(self, message: bytes) -> None:
        """An answer; overtakes everything else."""
        self._replies.append(message)

    def result(self, message: bytes) -> None:
        """What became of a command; in its place among the changes, but never dropped."""
        self._add(message, is_result=True)

    def change(self, message: bytes) -> None:
        """A changed object."""
        if not self.snapshot_due:
            self._add(message, is_result=False)

    def owe_snapshot(self) -> None:
        """Everything that waits is replaced by a snapshot."""
        self._changes = deque(c for c in self._changes if c[1])
        while len(self._changes) > self._most_messages:
            self._changes.popleft()
        self._bytes = sum(len(message) for message, _ in self._changes)
        self._beat = None
        self.snapshot_due = True

    def start_over(self) -> None:
        """Forget the changes that wait: the client resumes from a position of its own."""
        self._changes.clear()
        self._bytes = 0
        self._beat = None
        self.snapshot_due = False

    def beat(self, message: bytes) -> None:
        """A sign of life; replaces one that has not been sent yet."""
        self._beat = message

    def watch(self, wanted: Mapping[int, Sequence[int]]) -> None:
        """From now on these series, and their newest values at once.

        Args:
            wanted: district to numbers of series, all >= 0.
        """
        self._watched = {}
        for district, numbers in wanted.items():
            mask = np.zeros(max(numbers) + 1, np.bool_)
            mask[list(numbers)] = True
            self._watched[district] = mask
        self._dirty = {district: mask.copy() for district, mask in self._watched.items()}
        self._values_due = bool(wanted)
        self._values_ingest_ns = None

    def touched(self, district: int, series: I32, ingest_ns: int) -> bool:
        """These series have newer values; whether the client wants any of them."""
        mask = self._watched.get(district)
        if mask is None:
            return False
        hits = series[series < len(mask)]
        hits = hits[mask[hits]]
        if not len(hits):
            return False
        self._dirty[district][hits] = True
        self._values_due = True
        if self._values_ingest_ns is None or ingest_ns < self._values_ingest_ns:
            self._values_ingest_ns = ingest_ns
        return True

    # ---- out ----

    def take_replies(self) -> list[bytes]:
        """All answers that wait."""
        out = list(self._replies)
        self._replies.clear()
        return out

    def take(self, now_ns: int) -> list[bytes]:
        """Changes up to about ``ONE_GO_BYTES``; after the last of them the beat and the values that are due."""
        out: list[bytes] = []
        size = 0
        while self._changes and size < ONE_GO_BYTES:
            message, _ = self._changes.popleft()
            size += len(message)
            out.append(message)
        self._bytes -= size
        if self._changes:
            return out
        if self._beat is not None:
            out.append(self._beat)
            self._beat = None
        if self._values_due and not 0 <= now_ns - self._values_sent_ns < VALUES_EVERY_NS:
            out.extend(self._take_values(now_ns))
        return out

    def due_ns(self) -> int | None:
        """Wall clock at which values are due that may not be sent yet; None where there are none."""
        return self._values_sent_ns + VALUES_EVERY_NS if self._values_due else None

    def watched_rows(self) -> list[Row]:
        """Newest values of all watched series."""
        return self._rows(self._watched)

    def _take_values(self, now_ns: int) -> list[bytes]:
        rows = self._rows(self._dirty)
        ingest_ns, self._values_ingest_ns = self._values_ingest_ns, None
        self._values_due = False
        for mask in self._dirty.values():
            mask[:] = False
        if not rows:
            return []
        self._values_sent_ns = now_ns
        ingest_ms = None if ingest_ns is None else ingest_ns / 1e6
        return [
            messages.encode(
                {"type": "values", "rows": rows, "ingest_ms": ingest_ms, "gateway_ms": now_ns / 1e6}
            )
        ]

    def _rows(self, masks: Mapping[int, NDArray[np.bool_]]) -> list[Row]:
        return [row for d, mask in masks.items() for row in self._values.rows(d, np.flatnonzero(mask))]

    def _add(self, message: bytes, *, is_result: bool) -> None:
        self._changes.append((message, is_result))
        self._bytes += len(message)
        if len(self._changes) > self._most_messages or self._bytes > self._most_bytes:
            self.owe_snapshot()
