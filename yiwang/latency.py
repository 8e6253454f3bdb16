"""How long things take, counted by bucket. Pure; cheap enough for every frame, and never called for every reading.

One call counts a whole batch: ``observe(seconds, n)`` says that ``n`` readings took so long. What is kept is what a
Prometheus histogram holds, so that nothing has to be worked out when it is read; ``yiwang.metrics`` writes it out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BUCKETS_S = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
)
"""Upper bounds, seconds. The promised figures are among them (50, 150, 300 ms, 1 and 15 s), so that "how many kept the
promise" is exact and not interpolated."""


@dataclass(slots=True)
class Latency:
    """Counts of durations.

    Attributes:
        counts: how many lie in each bucket of ``BUCKETS_S``, and behind them how many took longer; not summed up.
        sum_s: of all durations, seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def observe(self, seconds: float, n: int = 1) -> None:
        """``n`` things took so long; a stamp of a clock that is ahead of ours counts as no time at all."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(BUCKETS_S, seconds)] += n
        self.sum_s += seconds * n

    @property
    def n(self) -> int:
        """How many were counted."""
        return sum(self.counts)


def together(all_of_them: Iterable[Latency]) -> Latency:
    """The sum of several."""
    total = Latency()
    for latency in all_of_them:
        total.counts = [a + b for a, b in zip(total.counts, latency.counts, strict=True)]
        total.sum_s += latency.sum_s
    return total


def quantile(share: float, bounds_s: Sequence[float], counts: Sequence[float]) -> float | None:
    """The duration that ``share`` of all do not exceed, interpolated within its bucket as Prometheus does.

    Args:
        share: 0 to 1.
        bounds_s: upper bounds of the buckets, rising, seconds.
        counts: of each bucket, and one more for what took longer.

    Returns:
        Seconds; the last bound where it lies beyond, None where nothing was counted.
    """
    total = sum(counts)
    if total <= 0:
        return None
    wanted, below, lower = share * total, 0.0, 0.0
    for upper, count in zip(bounds_s, counts, strict=False):
        if count > 0 and below + count >= wanted:
            return lower + (upper - lower) * max(wanted - below, 0.0) / count
        below, lower = below + count, upper
    return lower
