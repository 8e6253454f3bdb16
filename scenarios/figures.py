"""From single verdicts to figures: recall, precision, false incidents a day, delays, calibration. Pure.

A ``Tally`` holds counts and lists, so that tallies of several scenarios add up; ``figures`` makes the shares of it.
"""

from collections.abc import Iterable
from typing import Self

import msgspec

from scenarios.scoring import Score

DAY_H = 24.0
MONTH_H = 30 * DAY_H
BINS = 10
"""Bins of confidence, of equal width, for calibration."""

Figures = dict[str, float | int | None]


class Tally(msgspec.Struct, kw_only=True):
    """Counts of one system in one domain, or of one kind of incident.

    Attributes:
        truths: things that had to be raised; ``found``, ``split``, ``late``, ``level_wrong`` of them.
        raised: confirmed incidents but those that may be raised or not; ``right`` cover a truth, ``false`` do not.
        hours: of event time that was watched; ``seat_hours``: the same, a seat for each district;
            ``device_hours``: the same, for each sensor of the domain.
        delays_s: from the begin of each truth found to its confirmation.
        sure: of every incident, candidates too: its highest confidence and whether it was right.
    """

    truths: int = 0
    found: int = 0
    split: int = 0
    late: int = 0
    level_wrong: int = 0
    raised: int = 0
    right: int = 0
    false: int = 0
    merged: int = 0
    candidates: int = 0
    findings: int = 0
    hours: float = 0.0
    seat_hours: float = 0.0
    device_hours: float = 0.0
    delays_s: list[float] = []
    sure: list[tuple[float, bool]] = []

    def __add__(self, other: Self) -> "Tally":
        return Tally(**{f: getattr(self, f) + getattr(other, f) for f in self.__struct_fields__})

    @classmethod
    def total(cls, parts: Iterable["Tally"]) -> "Tally":
        """All of them together."""
        return sum(parts, start=cls())


def tally(
    score: Score, *, domain: str = "", kind: str = "", hours: float, seats: int = 1, devices: int = 0
) -> Tally:
    """The counts of one domain, or of one kind, or of all.

    Args:
        score: of a scenario.
        domain: only this one.
        kind: only this one.
        hours: of event time watched.
        seats: operator seats: one a district.
        devices: sensors of the domain.
    """
    verdicts = [v for v in score.verdicts if domain in ("", v.domain) and kind in ("", v.kind)]
    incidents = [i for i in score.incidents if domain in ("", i.domain) and kind in ("", i.kind)]
    raised = [i for i in incidents if i.raised_ns is not None]
    found = [v for v in verdicts if v.incidents]
    return Tally(
        truths=len(verdicts),
        found=len(found),
        split=sum(len(v.incidents) > 1 for v in found),
        late=sum(not v.on_time for v in found),
        level_wrong=sum(v.peak != v.severity for v in found),
        raised=sum(i.verdict != "optional" for i in raised),
        right=sum(i.verdict == "right" for i in raised),
        false=sum(i.verdict == "false" for i in raised),
        merged=sum(i.merged for i in raised),
        candidates=len(incidents) - len(raised),
        hours=hours,
        seat_hours=hours * seats,
        device_hours=hours * devices,
        delays_s=[v.delay_s for v in found if v.delay_s is not None],
        sure=[(i.confidence, i.verdict == "right") for i in incidents if i.verdict != "optional"],
    )


def figures(t: Tally) -> Figures:
    """What is shown and held against floors. None where there is nothing to divide by."""
    return {
        "truths": t.truths,
        "found": t.found,
        "raised": t.raised,
        "false": t.false,
        "candidates": t.candidates,
        "findings": t.findings,
        "recall": _share(t.found, t.truths),
        "precision": _share(t.right, t.raised),
        "f1": f1(t),
        "false_per_day": _share(t.false * DAY_H, t.hours),
        "false_per_operator_hour": _share(t.false, t.seat_hours),
        "false_per_sensor_month": _share(t.false * MONTH_H, t.device_hours),
        "delay_median_s": quantile(t.delays_s, 0.5),
        "delay_p90_s": quantile(t.delays_s, 0.9),
        "late": t.late,
        "splits": t.split,
        "merges": t.merged,
        "level_errors": _share(t.level_wrong, t.found),
        "brier": brier(t.sure),
        "calibration_error": calibration_error(t.sure),
        "hours": round(t.hours, 3),
    }


def f1(t: Tally) -> float | None:
    """Harmonic mean of recall and precision; None where there was neither a truth nor an incident."""
    if t.truths + t.raised == 0:
        return None
    recall, precision = _share(t.found, t.truths) or 0.0, _share(t.right, t.raised) or 0.0
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def brier(sure: list[tuple[float, bool]]) -> float | None:
    """Mean squared difference between confidence and what came true: 0 best, 0.25 knows nothing (Brier 1950)."""
    return sum((p - y) ** 2 for p, y in sure) / len(sure) if sure else None


def bins(sure: list[tuple[float, bool]]) -> list[tuple[float, float, int, float | None, float | None]]:
    """A reliability diagram: from, to, incidents, mean confidence, share that was right; ten bins."""
    found = []
    for b in range(BINS):
        mine = [(p, y) for p, y in sure if min(int(p * BINS), BINS - 1) == b]
        mean = sum(p for p, _ in mine) / len(mine) if mine else None
        right = sum(y for _, y in mine) / len(mine) if mine else None
        found.append((b / BINS, (b + 1) / BINS, len(mine), mean, right))
    return found


def calibration_error(sure: list[tuple[float, bool]]) -> float | None:
    """Expected calibration error: the bins' distances between confidence and share right, by their weight."""
    if not sure:
        return None
    return sum(
        n * abs(mean - right) for _, _, n, mean, right in bins(sure) if mean is not None and right is not None
    ) / len(sure)


def quantile(values: list[float], q: float) -> float | None:
    """The smallest value that at least a share ``q`` does not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)] if ordered else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
