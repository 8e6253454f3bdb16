"""How far a worker is, and whether it stands still before waiting messages. Pure.

Consumers of the client library have stopped in silence before; nobody notices but somebody who watches.
"""

from yiwang.errors import Conflict

STALLED_S = 15.0
LOOK_S = 5.0
"""Look so often. A worker that stands still is then named and ended within ``STALLED_S`` and two looks."""


class Progress:
    """Watches one partition of a worker.

    Args:
        what: what the message names: ``district 3``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._at: tuple[int, ...] = ()
        self._looked_s: float | None = None
        self._still_s = 0.0

    def look(self, at: tuple[int, ...], ends: tuple[int, ...], now_s: float) -> bool:
        """Compare positions with the ends of their logs; ``True`` when they moved since the last look.

        Time in which nobody looked counts as one look: the whole process may have been stopped, or the broker away.

        Args:
            at: next offsets the worker takes.
            ends: next offsets the logs will give.
            now_s: any clock that only goes forward.

        Raises:
            Conflict: ``streams.stalled`` when nothing has moved for ``STALLED_S`` though messages wait.
        """
        behind = sum(max(0, end - a) for a, end in zip(at, ends, strict=True))
        moved = at != self._at
        if moved or behind == 0 or self._looked_s is None:
            self._still_s = 0.0
        else:
            self._still_s += min(now_s - self._looked_s, LOOK_S)
        self._at, self._looked_s = at, now_s
        if self._still_s >= STALLED_S:
            raise Conflict(
                "streams.stalled",
                f"{self.what} has stood at {at} for more than {STALLED_S:g} s with {behind} messages waiting",
                at=list(at),
                behind=behind,
            )
        return moved

    def excuse(self) -> None:
        """There is a reason to stand still that is not the worker's: what it needs is away."""
        self._looked_s = None
