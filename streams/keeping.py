"""How often states are kept, so that it costs little, and what it did cost. Pure."""

from dataclasses import dataclass, field

SHARE = 0.05
"""Of one processor core, at most, that keeping states takes."""
LONGEST_S = 30.0
"""Between two snapshots of a district; the cost may be higher than ``SHARE`` then."""


@dataclass(slots=True)
class Figures:
    """What keeping the state of one partition has been, for onlookers. Times are of the clock that only goes forward.

    Attributes:
        kept: snapshots so far; ``missed`` could not be kept because the database was away.
        kept_at_s: when the state of the newest one was taken; 0 before the first.
        interval_s: between the newest two.
        pause_s: for which detecting stood still for the newest one; ``longest_pause_s`` of all.
        cpu_s: processor time of this process for the newest one.
        took_s: from taking the state to having it kept.
        state_bytes: the whole state; ``stored_bytes`` were written for the newest one, packed.
        blocks: of the state; ``changed_blocks`` were written for the newest one.
        restore_s: that restoring it took when this worker took it over.
    """

    kept: int = 0
    missed: int = 0
    kept_at_s: float = 0.0
    interval_s: float = 0.0
    pause_s: float = 0.0
    longest_pause_s: float = 0.0
    cpu_s: float = 0.0
    took_s: float = 0.0
    state_bytes: int = 0
    stored_bytes: int = 0
    blocks: int = 0
    changed_blocks: int = 0
    restore_s: float = 0.0

    def paused(self, pause_s: float) -> None:
        """Detecting stood still for so long."""
        self.pause_s = pause_s
        self.longest_pause_s = max(self.longest_pause_s, pause_s)

    def done(self, taken_at_s: float, now_s: float, cpu_s: float) -> None:
        """The state that was taken then is kept now."""
        if self.kept_at_s:
            self.interval_s = taken_at_s - self.kept_at_s
        self.kept += 1
        self.kept_at_s, self.took_s, self.cpu_s = taken_at_s, now_s - taken_at_s, cpu_s

    @property
    def share(self) -> float:
        """Of a core, that keeping this state takes; 0 before there were two."""
        return self.cpu_s / self.interval_s if self.interval_s else 0.0


@dataclass(slots=True)
class Pace:
    """Says how long to rest between keeping one partition's state and the next one's; they take turns.

    Resting after each one in proportion to what it cost, the states of few or small partitions are kept every
    ``shortest_s``, those of many or big ones ever less often, up to ``LONGEST_S``.

    Args:
        shortest_s: interval of small states.
    """

    shortest_s: float
    _misses: int = field(default=0, init=False)

    def rest_s(self, partitions: int, *, cpu_s: float, took_s: float) -> float:
        """After a state was kept.

        Args:
            partitions: that take turns.
            cpu_s: what it cost.
            took_s: how long it took; however slow the database is, it is left alone as long again.
        """
        self._misses = 0
        turns = max(1, partitions)
        longest_s = max(LONGEST_S, self.shortest_s)
        return min(longest_s / turns, max(self.shortest_s / turns, cpu_s / SHARE, took_s))

    def miss_s(self) -> float:
        """After the database was away."""
        self._misses += 1
        return min(LONGEST_S, self.shortest_s * 2.0**self._misses)
