"""Feeding a detector by hand: readings of one series, minutes and values in, findings out."""

from typing import Any, NamedTuple

from detectors.protocol import Detector
from yiwang.columns import FindingColumns, Readings, Round

MINUTE = 60_000_000_000


class Said(NamedTuple):
    """A finding; times in minutes."""

    t: float
    level: int
    since: float
    value: float
    limit: float
    reason: str


def round_of(*rows: tuple[int, float, float, int]) -> Round:
    """A round from rows of (series, minute, value, quality)."""
    r = Readings.of([(s, round(t * MINUTE), v, q) for s, t, v, q in rows])
    return Round(series=r.series, t_ns=r.t_ns, value=r.value, quality=r.quality)


def said(detector: Detector[Any], found: FindingColumns) -> list[Said]:
    """Columns as rows."""
    return [
        Said(
            t=float(found.t_ns[i] / MINUTE),
            level=int(found.level[i]),
            since=float(found.since_ns[i] / MINUTE),
            value=float(found.value[i]),
            limit=float(found.limit[i]),
            reason=detector.reasons[found.reason[i]],
        )
        for i in range(len(found))
    ]


def feed(
    detector: Detector[Any], readings: list[tuple[float, float]], state: Any = None, quality: int = 0
) -> list[Said]:
    """Everything said of readings (minute, value) of one series."""
    state = detector.start(1) if state is None else state
    return [
        f for t, v in readings for f in said(detector, detector.step(state, round_of((0, t, v, quality))))
    ]
