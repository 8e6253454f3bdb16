"""Holding a run's incidents against the truth: found, missed, split, merged, delays, severities."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from scenarios.model import Scenario, Truth
from yiwang.clock import SECOND
from yiwang.model import Incident


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one truth.

    Attributes:
        incidents: ids of the incidents that cover it: none missed, one found, more split.
        delay_s: from its begin to the opening of the first of them.
        on_time: opened within the truth's ``within_s``.
        peak: most severe level reached, to be held against the truth's.
        level_delays_s: for each level of the truth's ``reaches_ns``, how long after it the incident had it.
        closed_once: every covering incident is closed, by exactly one step.
    """

    truth: str
    kind: str
    place: str
    begin_ns: int
    severity: int
    incidents: tuple[str, ...]
    delay_s: float | None = None
    on_time: bool = False
    peak: int = 0
    level_delays_s: dict[str, float | None] = {}
    closed_once: bool = False


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison. ``merged`` lists incidents that cover truths further apart than ``merge_s``."""

    verdicts: tuple[Verdict, ...]
    false: tuple[str, ...]
    merged: tuple[str, ...]

    @property
    def found(self) -> int:
        """Truths with at least one incident."""
        return sum(bool(v.incidents) for v in self.verdicts)

    @property
    def missed(self) -> int:
        """Truths without any."""
        return len(self.verdicts) - self.found

    @property
    def split(self) -> int:
        """Truths with more than one incident."""
        return sum(len(v.incidents) > 1 for v in self.verdicts)

    @property
    def late(self) -> int:
        """Truths found too late."""
        return sum(bool(v.incidents) and not v.on_time for v in self.verdicts)

    @property
    def met(self) -> bool:
        """Everything found once, in time, at the right level, closed once, and nothing else raised."""
        return not (self.missed or self.split or self.late or self.false or self.merged) and all(
            v.peak == v.severity and v.closed_once for v in self.verdicts
        )

    def summary(self) -> dict[str, int]:
        """The counts, for programs."""
        return {
            "expected": len(self.verdicts),
            "found": self.found,
            "missed": self.missed,
            "split": self.split,
            "merged": len(self.merged),
            "late": self.late,
            "false": len(self.false),
        }


def score(scenario: Scenario, incidents: Sequence[Incident]) -> Score:
    """Compare the last state of every incident of a run with the scenario's truth."""
    covering: dict[str, list[Truth]] = {i.id: [] for i in incidents}
    verdicts = []
    for truth in scenario.truth:
        mine = sorted(
            (i for i in incidents if _covers(i, truth, scenario)), key=lambda i: (i.opened_ns, i.id)
        )
        for incident in mine:
            covering[incident.id].append(truth)
        verdicts.append(_verdict(truth, mine, scenario))
    return Score(
        verdicts=tuple(verdicts),
        false=tuple(i for i, truths in covering.items() if not truths),
        merged=tuple(
            i for i, truths in covering.items() if any(_apart(a, b, scenario) for a, b in _pairs(truths))
        ),
    )


def _covers(incident: Incident, truth: Truth, scenario: Scenario) -> bool:
    """Same kind and place, and open at some moment of the truth (a sampling interval of slack)."""
    slack = round(scenario.tick_s * SECOND)
    until = incident.cleared_ns or incident.closed_ns
    return (
        incident.kind == truth.kind
        and incident.district == truth.district
        and incident.place == truth.place
        and incident.opened_ns <= truth.end_ns + slack
        and (until is None or until >= truth.begin_ns - slack)
    )


def _pairs(truths: list[Truth]) -> list[tuple[Truth, Truth]]:
    ordered = sorted(truths, key=lambda t: t.begin_ns)
    return list(pairwise(ordered))


def _apart(a: Truth, b: Truth, scenario: Scenario) -> bool:
    return (b.extent_ns[0] - a.extent_ns[1]) / SECOND >= scenario.merge_s


def _verdict(truth: Truth, incidents: list[Incident], scenario: Scenario) -> Verdict:
    if not incidents:
        return Verdict(
            truth=truth.id,
            kind=truth.kind,
            place=truth.place,
            begin_ns=truth.begin_ns,
            severity=truth.severity,
            incidents=(),
        )
    first = incidents[0]
    # An incident that goes on from an earlier truth close by was there already: no delay.
    delay_s = max(0.0, (first.opened_ns - truth.begin_ns) / SECOND)
    return Verdict(
        truth=truth.id,
        kind=truth.kind,
        place=truth.place,
        begin_ns=truth.begin_ns,
        severity=truth.severity,
        incidents=tuple(i.id for i in incidents),
        delay_s=delay_s,
        on_time=delay_s <= truth.within_s,
        peak=min(_peak_within(i, truth, scenario) for i in incidents),
        level_delays_s={
            level: _level_delay(incidents, truth, int(level), t_ns)
            for level, t_ns in truth.reaches_ns.items()
        },
        closed_once=all(
            i.state == "closed" and sum(s.what == "closed" for s in i.history) == 1 for i in incidents
        ),
    )


def levels(incident: Incident) -> list[tuple[int, int]]:
    """(t_ns, severity) of each change of an incident's severity, from its opening on."""
    named = {"opened": "severity", "reopened": "severity", "severity": "to"}
    return [(s.t_ns, int(s.args[named[s.what]])) for s in incident.history if s.what in named]


def _peak_within(incident: Incident, truth: Truth, scenario: Scenario) -> int:
    """Most severe level while this truth held: an incident may cover two of them close together."""
    slack = round((scenario.tick_s + truth.within_s) * SECOND)
    level, peak = 5, 5
    for t_ns, severity in levels(incident):
        if t_ns > truth.end_ns + slack:
            break
        level = severity
        peak = min(peak, level) if t_ns >= truth.begin_ns else level
    return peak


def _level_delay(incidents: list[Incident], truth: Truth, level: int, t_ns: int) -> float | None:
    moments = [t for i in incidents for t, s in levels(i) if s <= level and t >= truth.begin_ns]
    return (min(moments) - t_ns) / SECOND if moments else None


def as_json(result: Score) -> dict[str, Any]:
    """Counts and verdicts as plain JSON."""
    return {**result.summary(), "met": result.met, "verdicts": msgspec.to_builtins(result.verdicts)}
