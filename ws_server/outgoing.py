"""What waits to be sent to one client: answers, changes in order, newest values. Pure and bounded.

Values are looked up when they are sent, so only the newest of each series ever waits. Changes beyond the
bound are dropped and a snapshot is owed instead; results of commands are kept and follow it.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from ws_server.values import Row
from ws_server.watching import NEVER, Watcher, Watching, Wish

QUEUE_MESSAGES = 1000
QUEUE_BYTES = 4 * 1024 * 1024
ONE_GO_BYTES = 256 * 1024  # handed to the socket at once


class Outgoing:
    """The queue of one client.

    Args:
        watching: where its wish for values is kept.
        counts: of the whole gateway: ``coalesced`` (rounds of values that a screen was too slow for),
            ``overflows`` (queues that were replaced by a snapshot), ``dropped`` (changes in them).
        most_messages: beyond so many waiting changes a snapshot is owed instead.
        most_bytes: or beyond so many bytes.

    Attributes:
        snapshot_due: a snapshot is owed; changes are not queued until it was taken.
    """

    def __init__(
        self,
        watching: Watching,
        counts: Counter[str],
        *,
        most_messages: int = QUEUE_MESSAGES,
        most_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.snapshot_due = False
        self._watching = watching
        self._counts = counts
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._replies: deque[bytes] = deque()  # bounded by the shell: whoever takes none is not heard
        self._changes: deque[tuple[bytes, bool]] = deque()  # with: is a result, never dropped
        self._bytes = 0
        self._wish: Wish | None = None
        self._seen = NEVER  # stamp up to which the values of the wish have been sent
        self._values_due = False
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

    def watch(self, watcher: Watcher, wanted: Mapping[int, Sequence[int]]) -> None:
        """From now on these series, and their newest values at once.

        Args:
            watcher: who is told of rounds, and tells ``values_due``.
            wanted: district to numbers of series, all >= 0.
        """
        if self._wish is not None:
            self._watching.drop(watcher, self._wish)
        self._wish = self._watching.wish(watcher, wanted) if wanted else None
        self._seen = NEVER
        self._values_due = self._wish is not None

    def values_due(self) -> None:
        """A watched series has changed."""
        self._counts["coalesced"] += self._values_due
        self._values_due = True

    # ---- out ----

    @property
    def replies(self) -> int:
        """Answers that wait."""
        return len(self._replies)

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
        if self._values_due and self._wish is not None:
            self._values_due = False
            message, self._seen = self._watching.message(self._wish, self._seen, now_ns)
            if message:
                out.append(message)
        return out

    def watched_rows(self) -> list[Row]:
        """Newest values of all watched series."""
        return [] if self._wish is None else self._watching.rows(self._wish)

    def _add(self, message: bytes, *, is_result: bool) -> None:
        self._changes.append((message, is_result))
        self._bytes += len(message)
        if len(self._changes) > self._most_messages or self._bytes > self._most_bytes:
            self._counts["overflows"] += 1
            self._counts["dropped"] += sum(not result for _, result in self._changes)
            self.owe_snapshot()
