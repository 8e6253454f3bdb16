"""How long each stage takes, from the stamps that messages carry. Pure."""

from yiwang.latency import BUCKETS_S, Latency, quantile

STAGES = ("detect", "gateway", "values", "screen")
"""``detect``: ingest to the district agent's decision. ``gateway``: from there to the sockets. ``values``: ingest to the
sockets, of newest values, which take no part in deciding. ``screen``: ingest to the painted frame, as pages tell it."""


class Stages:
    """A histogram per stage and district, and percentiles of the last minute or two.

    Attributes:
        histograms: (stage, district) to everything since the start.
    """

    def __init__(self) -> None:
        self.histograms: dict[tuple[str, int], Latency] = {}
        self._marks: tuple[dict[str, list[int]], dict[str, list[int]]] = (
            {},
            {},
        )  # counts at the last two turns

    def add(self, stage: str, district: int, from_ns: int | None, to_ns: int | None) -> None:
        """A duration, where both ends are known."""
        if from_ns and to_ns:
            self.observe(stage, district, (to_ns - from_ns) / 1e9)

    def observe(self, stage: str, district: int, seconds: float) -> None:
        """A duration that somebody else has measured."""
        self.histograms.setdefault((stage, district), Latency()).observe(seconds)

    def turn(self) -> None:
        """Another minute begins: the percentiles are of the one before and of this one."""
        self._marks = (self._marks[1], {stage: self._counts(stage) for stage in STAGES})

    def as_json(self) -> dict[str, dict[str, float | int | None]]:
        """p50 and p99 of the last minute or two, ms, and the count since the start, by stage."""
        said: dict[str, dict[str, float | int | None]] = {}
        for stage in STAGES:
            counts = self._counts(stage)
            before = self._marks[0].get(stage, [0] * len(counts))
            recent = [a - b for a, b in zip(counts, before, strict=True)]
            p50, p99 = (_ms(quantile(share, BUCKETS_S, recent)) for share in (0.5, 0.99))
            said[stage] = {"p50_ms": p50, "p99_ms": p99, "count": sum(counts)}
        return said

    def _counts(self, stage: str) -> list[int]:
        """Of all districts."""
        all_counts = [h.counts for (s, _), h in self.histograms.items() if s == stage]
        return [sum(column) for column in zip(*all_counts, strict=True)] or [0] * (len(BUCKETS_S) + 1)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)
