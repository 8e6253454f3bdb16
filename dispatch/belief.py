"""How far an incident is believed: the evidence of independent sources pooled, and what throws doubt on it.

One source is one device, one person who reports, or the outside warnings together. Its word counts

    p = confidence of the finding * trust in the device * (1 - doubt while a health finding on it is open)

and sources err independently of each other, so that all of them are wrong with the product of what each leaves:

    pooled = 1 - prod(1 - p)            over sources, of each the strongest evidence
    confidence = sigmoid(slope * logit(pooled) + shift)       slope and shift of the kind, fitted to the library

The pooling is the noisy OR (Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, 4.3.2): more evidence never
lowers it, a doubted sensor takes away nothing from the others. The second line is Platt's scaling (1999).
"""

from math import exp, log
from typing import NamedTuple

from dispatch.plans import Plan
from dispatch.state import Claim, Doubt, State, Trust, spot_key
from yiwang.model import Warning as OutsideWarning

CAP = 0.99
"""No single source is ever believed further."""
SPEAKS = 0.3
"""From here on, and undoubted, a source counts as one that corroborates, and its level as one that is so."""
PRIOR = 8.0
"""Verdicts "right" that a device is credited with before anybody has judged it. Proposal: one false alarm leaves
89 % of its word, three running leave 73 %, so that it confirms nothing alone any more."""
HALF_NS = 30 * 86_400 * 10**9
"""Verdicts count half after so long: devices are repaired, algorithms replaced."""
WARNS = {1: 0.55, 2: 0.5, 3: 0.45, 4: 0.3}
"""What an outside warning of each level (red .. blue) in force speaks for an incident of its kind in its zones.
Proposal: yellow and above confirm what a doubted sensor says; none confirms anything without evidence."""
HEALTH = "health:"
"""Before the metric in claims about a sensor itself: other verdicts, and no doubts."""
ORDER = ("sensor", "video", "report", "warning")


class Belief(NamedTuple):
    """What the evidence of an incident comes to.

    Attributes:
        confidence: 0..1, calibrated, to four digits.
        severity: most severe level that is believed, should the incident be; 0 where none is. A doubted level is
            overruled only by an undoubted one of the same metric.
        speaking: how many independent, undoubted sources there are.
        sources: the unlike kinds among them.
    """

    confidence: float
    severity: int
    speaking: int
    sources: tuple[str, ...]


def weight(state: State, claim: Claim, now_ns: int) -> tuple[float, str]:
    """What one piece of evidence counts now, 0..1, and the reason that throws doubt on it, if any."""
    p = min(claim.confidence, CAP)
    trusted = state.trust.get(claim.device)
    if trusted is not None:
        p *= faith(trusted.get(claim.metric), now_ns)
    factor, reason = 1.0, ""
    if claim.metric.startswith(HEALTH):
        return p, reason  # what says that a sensor is out of order is not doubted for that
    for doubt in state.doubts.get(claim.device, _NO_DOUBTS).values():
        if doubt.factor < factor and doubt.metric in ("", claim.metric):
            factor, reason = doubt.factor, doubt.reason
    return p * factor, reason


def faith(trust: Trust | None, now_ns: int) -> float:
    """How far a device's word counts after people's verdicts: 1 until somebody finds it wrong.

    >>> faith(Trust(0.0, 1.0, 0), 0)
    0.888889
    """
    if trust is None:
        return 1.0
    trust = faded(trust, now_ns)
    right = trust.right + PRIOR
    return round(right / (right + trust.wrong), 6)


def faded(trust: Trust, now_ns: int) -> Trust:
    """Verdicts as they count at a later time."""
    if now_ns <= trust.t_ns:
        return trust
    left = 0.5 ** ((now_ns - trust.t_ns) / HALF_NS)
    return Trust(round(trust.right * left, 6), round(trust.wrong * left, 6), now_ns)


def believed(state: State, plan: Plan, incident: str, zone: str, now_ns: int) -> Belief:
    """Pool all evidence of an incident that is not over, or has not been for as long as its kind lingers.

    Args:
        state: of the desk.
        plan: of the incident's kind.
        incident: its id.
        zone: where it is.
        now_ns: event time.
    """
    levels: tuple[dict[str, float], ...] = ({}, {}, {}, {}, {})
    speaking: set[str] = set()
    kinds: set[str] = set()
    measured: set[str] = set()  # metrics of which somebody beyond doubt speaks
    doubted: list[Claim] = []
    severity = 5
    for claim in state.live.get(incident, _NO_CLAIMS).values():
        p, reason = weight(state, claim, now_ns)
        at = levels[claim.level]
        if p > at.get(claim.source, 0.0):
            at[claim.source] = p
        kinds.add(claim.kind)
        if reason:
            doubted.append(claim)
        elif p >= SPEAKS:
            speaking.add(claim.source)
            measured.add(claim.metric)
            severity = min(severity, claim.level)
    # Where nobody else measures it, a doubted gauge is still the best there is to tell how bad it is.
    severity = min([severity, *(claim.level for claim in doubted if claim.metric not in measured)])
    best = _context(state, plan, incident, zone)
    # Levels that only doubted or faint evidence speaks of are believed where together it is enough.
    for level in range(1, 5):
        for source, p in levels[level].items():
            if p > best.get(source, 0.0):
                best[source] = p
        if level < severity and levels[level] and _pooled(plan, best) >= plan.confirm_at:
            severity = level
    since = now_ns - plan.linger_ns
    for claim in state.past.get(incident, _NO_CLAIMS).values():
        if claim.t_ns < since:
            continue
        p, reason = weight(state, claim, now_ns)
        best[claim.source] = max(p, best.get(claim.source, 0.0))
        kinds.add(claim.kind)
        if not reason and p >= SPEAKS:
            speaking.add(claim.source)
    if "warning" in best:
        kinds.add("warning")
        speaking.add("warning")
    return Belief(
        confidence=_pooled(plan, best),
        severity=severity if severity < 5 else 0,
        speaking=len(speaking),
        sources=tuple(kind for kind in ORDER if kind in kinds),
    )


def matching(state: State, plan: Plan, zone: str) -> list[OutsideWarning]:
    """Outside warnings in force that speak of a kind in a zone, in order of arrival."""
    if not state.in_force or plan.nature == "health":
        return []
    events = {plan.kind}
    if plan.situation in state.situation_plans:
        events.update(state.situation_plans[plan.situation].warnings)
    found = (state.warnings[id_] for id_ in state.in_force)
    return [w for w in found if w.event in events and (not w.areas or zone in w.areas)]


def _context(state: State, plan: Plan, incident: str, zone: str) -> dict[str, float]:
    """What speaks for an incident without being evidence of it: warnings, or its like nearby.

    Both have one cause (the rain), so only the stronger counts: together they would confirm a flood of which
    nobody at the place says anything credible.
    """
    neighbour = 0.0
    if plan.neighbours and zone:
        sure = state.sure.get(spot_key(plan.kind, zone), _NO_NAMES)
        if len(sure) > (incident in sure):
            neighbour = plan.neighbours
    warnings = matching(state, plan, zone)
    if warnings:
        return {"warning": max(neighbour, *(WARNS[w.level] for w in warnings))}
    return {"\x1fneighbour": neighbour} if neighbour else {}


def _pooled(plan: Plan, best: dict[str, float]) -> float:
    """Noisy OR and calibration.

    Never 0 nor 1: that would leave nothing to be learned.
    """
    wrong = 1.0
    for p in best.values():
        wrong *= 1.0 - p
    p = min(0.999, max(0.001, 1.0 - wrong))
    if plan.slope != 1.0 or plan.shift != 0.0:
        p = 1.0 / (1.0 + exp(-(plan.slope * log(p / (1.0 - p)) + plan.shift)))
    return round(p, 4)


_NO_DOUBTS: dict[str, Doubt] = {}
_NO_CLAIMS: dict[str, Claim] = {}
_NO_NAMES: dict[str, None] = {}
