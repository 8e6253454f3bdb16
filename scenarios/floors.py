"""Whether a scoring is worse than an earlier one, or below the floor that is recorded. Pure.

Both are the same question: each figure has a better direction and a tolerance, and what is worse by more than that
is named. A floor is an earlier scoring cut down to what is held.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Summary = Mapping[str, Any]  # Any: plain JSON, as ``scorecard.summary`` makes it


class Held(msgspec.Struct, frozen=True):
    """How a figure is held.

    Attributes:
        better: 1 where more is better, -1 where less is.
        absolute: tolerance in the figure's own unit.
        relative: tolerance as a share of the earlier figure.
    """

    better: int
    absolute: float = 0.0
    relative: float = 0.0


DOMAIN: dict[str, Held] = {
    "recall": Held(1, absolute=0.005),
    "precision": Held(1, absolute=0.005),
    "false_per_day": Held(-1, absolute=0.02, relative=0.02),
    "delay_median_s": Held(-1, absolute=1.0, relative=0.05),
    "delay_p90_s": Held(-1, absolute=1.0, relative=0.05),
    "splits": Held(-1),
    "merges": Held(-1),
    "level_errors": Held(-1, absolute=0.005),
    "brier": Held(-1, absolute=0.01),
}
SCENARIO: dict[str, Held] = {name: Held(-1) for name in ("missed", "false", "split", "merged", "late")}
ALARMS: dict[str, Held] = {
    "most_in_10_min": Held(-1),
    "chattering": Held(-1),
    "findings_per_annunciation": Held(1, relative=0.1),
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is not what it was. ``worse``: by more than its tolerance."""

    where: str  # domain flooding | scenario night | alarms
    figure: str
    before: float | None
    now: float | None
    worse: bool


def floor(summary: Summary) -> dict[str, Any]:  # Any: plain JSON
    """What is held of a scoring."""
    return {
        "scenarios": {name: _cut(detail, SCENARIO) for name, detail in sorted(summary["details"].items())},
        "domains": {name: _cut(domain, DOMAIN) for name, domain in sorted(summary["domains"].items())},
        "alarms": _cut(summary["alarms"], ALARMS),
    }


def differences(before: Summary, now: Summary) -> list[Difference]:
    """What changed from an earlier scoring to this one; the worse first.

    Scenarios are compared one by one. Domains and alarms are compared where both scorings were over the same
    scenarios: otherwise they speak of different things.
    """
    old, new = floor(before), floor(now)
    found: list[Difference] = []
    for name in old["scenarios"].keys() & new["scenarios"].keys():
        found += _compared(f"scenario {name}", old["scenarios"][name], new["scenarios"][name], SCENARIO)
    if old["scenarios"].keys() == new["scenarios"].keys():
        for name, figures in old["domains"].items():
            found += _compared(f"domain {name}", figures, new["domains"].get(name, {}), DOMAIN)
        found += _compared("alarms", old["alarms"], new["alarms"], ALARMS)
    return sorted(found, key=lambda d: (not d.worse, d.where, d.figure))


def below(floors: Summary, now: Summary, *, whole: bool) -> list[Difference]:
    """The figures that are below the recorded floor.

    Args:
        floors: as ``floor`` made them.
        now: the scoring.
        whole: whether the whole library was scored: then every scenario of the floor must be there, and the figures
            of domains are held too.
    """
    new = floor(now)
    found: list[Difference] = []
    for name, figures in floors["scenarios"].items():
        if name in new["scenarios"]:
            found += _compared(f"scenario {name}", figures, new["scenarios"][name], SCENARIO)
        elif whole:
            found.append(Difference(where=f"scenario {name}", figure="scored", before=1, now=0, worse=True))
    if whole:
        for name, figures in floors["domains"].items():
            found += _compared(f"domain {name}", figures, new["domains"].get(name, {}), DOMAIN)
        found += _compared("alarms", floors["alarms"], new["alarms"], ALARMS)
    return [d for d in found if d.worse]


def _compared(where: str, before: Summary, now: Summary, held: Mapping[str, Held]) -> Iterator[Difference]:
    for figure, how in held.items():
        old, new = before.get(figure), now.get(figure)
        if old != new:
            yield Difference(where=where, figure=figure, before=old, now=new, worse=_worse(old, new, how))


def _worse(old: float | None, new: float | None, how: Held) -> bool:
    if old is None:
        return False
    if new is None:
        # Nothing to divide by any more: nothing was raised or found where something was.
        return how.better > 0
    return (old - new) * how.better > how.absolute + how.relative * abs(old) + 1e-9


def _cut(figures: Summary, held: Mapping[str, Held]) -> dict[str, float | None]:
    return {name: figures.get(name) for name in held}
