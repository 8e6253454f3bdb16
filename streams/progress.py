"""How far a worker is, and whether it stands still before waiting messages. Pure.

Consumers of the client library have stopped in silence before; nobody notices but somebody who watches.
"""

from yiwang.errors import Conflict

STALLED_S = 30.0


class Progress:
    """Watches one partition of a worker.

    Args:
        what: what the message names: ``district 3``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._at: tuple[int, ...] = ()
        self._moved_s = 0.0

    def look(self, at: tuple[int, ...], ends: tuple[int, ...], now_s: float) -> bool:
        """Compare positions with the ends of their logs; ``True`` when they moved since the last look.

        Args:
            at: next offsets the worker takes.
            ends: next offsets the logs will give.
            now_s: any clock that only goes forward.

        Raises:
            Conflict: ``streams.stalled`` when nothing has moved for ``STALLED_S`` though messages wait.
        """
        behind = sum(ends) - sum(at)
        moved = at != self._at
        if moved or behind <= 0:
            self._at, self._moved_s = at, now_s
        elif now_s - self._moved_s > STALLED_S:
            raise Conflict(
                "streams.stalled",
                f"{self.what} has stood at {at} for more than {STALLED_S:g} s with {behind} messages waiting",
                at=list(at),
                behind=behind,
            )
        return moved
