"""The list of evidence that an incident shows, and the numbers of a finding for its history."""

from typing import Any

from msgspec.structs import replace

from dispatch import belief
from dispatch.plans import Plan
from dispatch.state import Claim, Spot, State
from yiwang.model import Evidence, Finding, Incident
from yiwang.model import Warning as OutsideWarning

Facts = dict[str, Any]  # Any: plain JSON values

EVIDENCE = 64
"""How many pieces of evidence an incident shows; severity and confidence are judged by all that count."""


def facts(f: Finding) -> Facts:
    """What a line of history says of a finding."""
    said: Facts = {"text": f.text} if f.text else {}
    return said | {
        "finding": f.id,
        "device": f.device,
        "metric": f.metric,
        "source": f.source,
        "level": f.level,
        "value": f.value,
        "limit": f.limit,
        "reason": f.reason,
        "numbers": f.numbers,
    }


def claim_of(f: Finding, plan: Plan, spot: Spot) -> Claim:
    """What a finding says within an incident."""
    metric = belief.HEALTH + f.metric if plan.nature == "health" else f.metric
    # Reports by one and the same person are one source; by nobody named, each is its own.
    source = f"report:{f.device or f.id}" if f.source == "report" else f.device
    return Claim(
        source, f.source, f.device, metric, f.level, f.confidence, f.place, spot.lon, spot.lat, f.t_ns
    )


def said_by(state: State, f: Finding, claim: Claim, peak: int, now_ns: int) -> Evidence:
    """A finding as evidence, with what it counts now."""
    p, doubt = belief.weight(state, claim, now_ns)
    return Evidence(
        finding=f.id,
        device=f.device,
        metric=f.metric,
        source=f.source,
        level=f.level,
        peak=peak,
        since_ns=f.since_ns,
        t_ns=f.t_ns,
        value=f.value,
        limit=f.limit,
        reason=f.reason,
        numbers=f.numbers,
        series=f.series,
        place=f.place,
        text=f.text,
        confidence=round(p, 4),
        doubt=doubt,
    )


def warned(w: OutsideWarning, level: int, zone: str) -> Evidence:
    """An outside warning as evidence; ``level`` 0 once it is no longer in force."""
    return Evidence(
        finding=w.warning_id,
        device=w.sender,
        metric="",
        source="warning",
        level=level,
        peak=w.level,
        since_ns=w.t_ns,
        t_ns=w.t_ns,
        value=float(w.level),
        limit=float(w.level),
        reason="warning.in_force",
        place=zone,
        text=w.headline_zh or w.headline_en,
        confidence=belief.WARNS[w.level],
    )


def bounded(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """At most ``EVIDENCE`` pieces, in order of first appearance.

    First those that are over leave, oldest first, then the least severe, oldest first: why an incident is as
    severe as it is can always be read from it.
    """
    while len(evidence) > EVIDENCE:
        least = min(evidence, key=lambda e: (-(e.level or 5), e.t_ns))
        evidence = tuple(e for e in evidence if e is not least)
    return evidence


def added(evidence: tuple[Evidence, ...], new: Evidence) -> tuple[Evidence, ...]:
    """The evidence with the newest word of one finding."""
    old = next((e for e in evidence if e.finding == new.finding), None)
    if old is None:
        if new.level == 0:
            return evidence  # it had left the list
        return bounded((*evidence, new))
    new = replace(new, peak=min(old.peak, new.level) if new.level else old.peak)
    return tuple(new if e is old else e for e in evidence)


def reweighed(state: State, row: Incident, device: str, now_ns: int) -> tuple[Evidence, ...]:
    """The evidence of an incident with what one device's pieces count now; those that are over stay as they were."""
    live = state.live[row.id]
    shown = []
    for e in row.evidence:
        if e.device == device and e.finding in live:
            p, doubt = belief.weight(state, live[e.finding], now_ns)
            e = replace(e, confidence=round(p, 4), doubt=doubt)
        shown.append(e)
    return tuple(shown)
