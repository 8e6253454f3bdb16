"""Holding a run's incidents against the truth: found, missed, split, merged, delays, severities. Pure.

An incident counts as **raised** once it is confirmed; what stayed a candidate called nobody and is only used for
calibration. A raised incident **covers** a truth when all of this holds:

* same kind and district;
* same place: the incident's own place, or the place of a piece of its evidence, is the truth's place or one of those
  in its ``also``; kinds judged by zone are held against each other by zone, by device likewise, by district always;
* same time: it was raised no later than the truth's end, or its ``within_s`` if that is later, and was not over
  before the truth's first trace, each with a tick of slack; and it was raised at most ``EARLY_S`` before that first
  trace, unless it goes on from an earlier truth that it covers. A standing alarm detects nothing;
* where the truth names ``reasons``, one of them stands in the evidence.

Incidents merged into another are held against the truth as one with it.

A kind whose nature is a **warning** says what is to come: such an incident is right, too, if a truth of its domain at
the same place holds while it stands or begins within ``AHEAD_S`` after it. That does not find the truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from scenarios.ground import DISTRICT, Ground
from scenarios.model import Scenario, Truth
from yiwang.clock import SECOND
from yiwang.model import Incident, Situation

EARLY_S = 1800.0
"""A warning of a thing may come so long before its first trace; what was raised before that was no warning of it."""

AHEAD_S = 3600.0
"""What a warning speaks of begins at most so long after it was withdrawn."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one truth.

    Attributes:
        domain: of its kind; ``health`` for those of sensors.
        incidents: ids of the incidents that cover it: none missed, one found, more split.
        delay_s: from its begin to the confirmation of the first of them; 0 where that came before.
        on_time: confirmed within the truth's ``within_s``.
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
    domain: str = ""
    delay_s: float | None = None
    on_time: bool = False
    peak: int = 0
    level_delays_s: dict[str, float | None] = {}
    closed_once: bool = False


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What one incident was worth.

    Attributes:
        raised_ns: when it was confirmed; None: it stayed a candidate.
        confidence: at its highest.
        verdict: ``right`` covers a truth, ``optional`` only something that may be raised or not (or the right
            sensor with another reason), ``false`` nothing.
        truths: ids of the truths it covers.
        merged: it covers truths that are different things.
    """

    id: str
    kind: str
    domain: str
    place: str
    opened_ns: int
    raised_ns: int | None
    confidence: float
    verdict: str
    truths: tuple[str, ...] = ()
    merged: bool = False


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The whole comparison.

    Attributes:
        verdicts: one a truth that must be raised.
        false: ids of raised incidents without a truth.
        merged: ids of raised incidents that cover truths of different places, or further apart than ``merge_s``.
        incidents: every incident, candidates too, in order of opening.
        situations: how many there were.
    """

    verdicts: tuple[Verdict, ...]
    false: tuple[str, ...]
    merged: tuple[str, ...]
    incidents: tuple[Judged, ...] = ()
    situations: int = 0

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


@dataclass(frozen=True, slots=True)
class _Claim:
    """An incident with those merged into it, as it is held against the truth."""

    incident: Incident
    parts: tuple[Incident, ...]
    raised_ns: int | None
    until_ns: int | None
    spots: frozenset[str]
    reasons: frozenset[str]
    confidence: float


def score(
    scenario: Scenario,
    incidents: Sequence[Incident],
    situations: Sequence[Situation] = (),
    *,
    confidence: Mapping[str, float] | None = None,
    ground: Ground | None = None,
) -> Score:
    """Compare the last state of every incident of a run with the scenario's truth.

    Args:
        scenario: with its truth.
        incidents: last state of each.
        situations: last state of each.
        confidence: highest confidence of an incident by id, where the last is not the highest.
        ground: of the scenario, if it is at hand.
    """
    ground = ground or Ground.of(scenario)
    claims = _claims(incidents, ground, confidence or {})
    covering: dict[str, list[Truth]] = {c.incident.id: [] for c in claims}
    alike: dict[tuple[str, int], list[_Claim]] = {}
    for claim in claims:
        alike.setdefault((claim.incident.kind, claim.incident.district), []).append(claim)
    near: set[str] = set()  # a fault of that sensor, but named otherwise
    verdicts = []
    for truth in sorted(scenario.truth, key=lambda t: (t.begin_ns, t.id)):
        mine = []
        for claim in alike.get((truth.kind, truth.district), ()):
            if not _meets(claim, truth, scenario, ground, covering[claim.incident.id]):
                continue
            if truth.reasons and not claim.reasons & set(truth.reasons):
                near.add(claim.incident.id)
                continue
            covering[claim.incident.id].append(truth)
            if claim.raised_ns is not None:
                mine.append(claim)
        if not truth.optional:
            verdicts.append(_verdict(truth, mine, scenario, ground))
    order = {t.id: i for i, t in enumerate(scenario.truth)}
    judged = tuple(_judge(c, covering[c.incident.id], near, scenario, ground) for c in claims)
    return Score(
        verdicts=tuple(sorted(verdicts, key=lambda v: order[v.truth])),
        false=tuple(j.id for j in judged if j.raised_ns is not None and j.verdict == "false"),
        merged=tuple(j.id for j in judged if j.raised_ns is not None and j.merged),
        incidents=judged,
        situations=len(situations),
    )


def raised_ns(incident: Incident) -> int | None:
    """When it was confirmed; its opening where it never was a candidate; None while it is one."""
    if incident.confirmed_ns is not None:
        return incident.confirmed_ns
    return None if incident.standing == "candidate" else incident.opened_ns


def _claims(incidents: Sequence[Incident], ground: Ground, confidence: Mapping[str, float]) -> list[_Claim]:
    known = {i.id: i for i in incidents}
    groups: dict[str, list[Incident]] = {}
    for incident in incidents:
        groups.setdefault(_survivor(incident, known), []).append(incident)
    claims = []
    for id_, group in groups.items():
        parts = tuple(sorted(group, key=lambda i: (i.opened_ns, i.id)))
        raised = [t for i in parts if (t := raised_ns(i)) is not None]
        ends = [i.cleared_ns or i.closed_ns for i in parts]
        claims.append(
            _Claim(
                incident=known[id_],
                parts=parts,
                raised_ns=min(raised, default=None),
                until_ns=None if None in ends else max(e for e in ends if e is not None),
                spots=frozenset().union(*(ground.spots(i) for i in parts)),
                reasons=frozenset(e.reason for i in parts for e in i.evidence),
                confidence=max(confidence.get(i.id, i.confidence) for i in parts),
            )
        )
    return sorted(claims, key=lambda c: (c.incident.opened_ns, c.incident.id))


def _survivor(incident: Incident, known: Mapping[str, Incident]) -> str:
    seen = {incident.id}
    while incident.merged_into in known and incident.merged_into not in seen:
        incident = known[incident.merged_into]
        seen.add(incident.id)
    return incident.id


def _meets(claim: _Claim, truth: Truth, scenario: Scenario, ground: Ground, earlier: list[Truth]) -> bool:
    """Same place and time, kinds being the same. A candidate is judged from its opening on."""
    if not claim.spots & ground.spots_of_truth(truth):
        return False
    slack = round(scenario.tick_s * SECOND)
    first_ns, _ = truth.extent_ns
    begun = claim.parts[0].opened_ns if claim.raised_ns is None else claim.raised_ns
    latest = max(truth.end_ns, truth.begin_ns + round(truth.within_s * SECOND)) + slack
    if begun > latest or (claim.until_ns is not None and claim.until_ns < first_ns - slack):
        return False
    return begun >= first_ns - round(EARLY_S * SECOND) or bool(earlier)


def _judge(claim: _Claim, truths: list[Truth], near: set[str], scenario: Scenario, ground: Ground) -> Judged:
    must = [t for t in truths if not t.optional]
    may = claim.incident.id in near or bool(truths)
    came_true = not may and _came_true(claim, scenario, ground)
    return Judged(
        id=claim.incident.id,
        kind=claim.incident.kind,
        domain=ground.domain(claim.incident.kind),
        place=claim.incident.place,
        opened_ns=claim.parts[0].opened_ns,
        raised_ns=claim.raised_ns,
        confidence=claim.confidence,
        verdict="right" if must or came_true else "optional" if may else "false",
        truths=tuple(t.id for t in truths),
        merged=any(_different(a, b, scenario) for i, a in enumerate(must) for b in must[i + 1 :]),
    )


def _came_true(claim: _Claim, scenario: Scenario, ground: Ground) -> bool:
    """Whether a warning's matter happened; False for incidents that are no warnings."""
    kind = ground.domains.kinds.get(claim.incident.kind)
    if kind is None or kind.nature != "warning":
        return False
    ahead = round(AHEAD_S * SECOND)
    begun = claim.parts[0].opened_ns
    return any(
        ground.domain(t.kind) == kind.domain
        and t.district == claim.incident.district
        and _meeting(claim.spots, ground.spots_of_truth(t), ground)
        and t.extent_ns[1] >= begun
        and (claim.until_ns is None or t.begin_ns <= claim.until_ns + ahead)
        for t in scenario.truth
    )


def _meeting(a: frozenset[str], b: frozenset[str], ground: Ground) -> bool:
    """Whether two sets of spots have one in common, a zone being where its places are."""
    if DISTRICT in a | b or a & b:
        return True
    zones = {ground.zone_of.get(spot, spot) for spot in b}
    return bool(a & zones or {ground.zone_of.get(spot, "") for spot in a} & b)


def _different(a: Truth, b: Truth, scenario: Scenario) -> bool:
    """Whether two truths, the earlier first, may not be one incident."""
    if a.place != b.place and b.place not in a.also and a.place not in b.also:
        return True
    return (b.extent_ns[0] - a.extent_ns[1]) / SECOND >= scenario.merge_s


def _verdict(truth: Truth, claims: list[_Claim], scenario: Scenario, ground: Ground) -> Verdict:
    domain = ground.domain(truth.kind)
    if not claims:
        return Verdict(
            truth=truth.id,
            kind=truth.kind,
            domain=domain,
            place=truth.place,
            begin_ns=truth.begin_ns,
            severity=truth.severity,
            incidents=(),
        )
    # An incident that goes on from an earlier truth close by was there already: no delay.
    delay_s = max(0.0, (min(c.raised_ns or 0 for c in claims) - truth.begin_ns) / SECOND)
    return Verdict(
        truth=truth.id,
        kind=truth.kind,
        domain=domain,
        place=truth.place,
        begin_ns=truth.begin_ns,
        severity=truth.severity,
        incidents=tuple(c.incident.id for c in claims),
        delay_s=delay_s,
        on_time=delay_s <= truth.within_s,
        peak=min(_peak_within(i, truth, scenario) for c in claims for i in c.parts),
        level_delays_s={
            level: _level_delay(claims, truth, int(level), t_ns) for level, t_ns in truth.reaches_ns.items()
        },
        closed_once=all(
            i.state == "closed" and (bool(i.merged_into) or sum(s.what == "closed" for s in i.history) == 1)
            for c in claims
            for i in c.parts
        ),
    )


def levels(incident: Incident) -> list[tuple[int, int]]:
    """(t_ns, severity) of each change of an incident's severity, from its opening on."""
    named = {"opened": "severity", "reopened": "severity", "severity": "to"}
    return [
        (s.t_ns, int(s.args[named[s.what]]))
        for s in incident.history
        if s.what in named and named[s.what] in s.args
    ]


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


def _level_delay(claims: list[_Claim], truth: Truth, level: int, t_ns: int) -> float | None:
    """A level that a candidate had reached was said to people when it was confirmed."""
    moments = [
        max(t, c.raised_ns or t)
        for c in claims
        for i in c.parts
        for t, s in levels(i)
        if s <= level and t >= truth.begin_ns
    ]
    return (min(moments) - t_ns) / SECOND if moments else None


def as_json(result: Score) -> dict[str, Any]:  # Any: plain JSON values
    """Counts and verdicts as plain JSON."""
    return {**result.summary(), "met": result.met, "verdicts": msgspec.to_builtins(result.verdicts)}
