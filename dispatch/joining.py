"""Which incident evidence belongs to, and incidents that become one or two: by themselves and by command."""

from math import cos, radians

from msgspec.structs import replace

from dispatch import evidence, handover
from dispatch.assign import EARTH_M, distance_m
from dispatch.book import Book, grown
from dispatch.closing import close
from dispatch.judging import enter, judged
from dispatch.plans import Plan
from dispatch.state import Claim, Spot, State, remember, spot_key
from yiwang.errors import BadInput, Conflict
from yiwang.ids import derive
from yiwang.model import Evidence, Finding, Incident

_DEGREE_M = EARTH_M * radians(1.0)
"""Metres of a degree of latitude."""
MERGED = 64
"""How many of those that went into it an incident names."""


def home(book: Book, plan: Plan, at: str, spot: Spot, f: Finding) -> str:
    """The open incident that new evidence belongs to; empty where there is none.

    That is the incident of its kind at its place (zone, device), or one with evidence within the kind's ``near_m``.
    Evidence that is near several makes them one: the one opened first goes on.
    """
    state = book.state
    key = spot_key(f.kind, at)
    own = state.open.get(key, "")
    if plan.near_m <= 0 or (spot.lon == 0.0 and spot.lat == 0.0):
        return own
    if own and state.incidents[own].split_from:
        return own
    near = _near(state, plan, spot, book.t_ns - plan.linger_ns)
    if own and own not in near:
        near.append(own)
    if not near:
        return ""
    near.sort(key=lambda id_: (state.incidents[id_].opened_ns, id_))
    first, *others = near
    for other in others:
        merge(book, other, first, why={"finding": f.id, "device": f.device})
    state.open[key] = first
    return first


def _near(state: State, plan: Plan, spot: Spot, since_ns: int) -> list[str]:
    """Open incidents of the kind that have evidence close by, live or over since then.

    One that a person split off is left alone.
    """
    limit = plan.near_m / _DEGREE_M
    wide = limit / max(0.01, cos(radians(spot.lat)))

    def close_by(claim: Claim) -> bool:
        if abs(claim.lat - spot.lat) > limit or abs(claim.lon - spot.lon) > wide:
            return False
        return distance_m(claim.lon, claim.lat, spot.lon, spot.lat) <= plan.near_m

    found = []
    for id_ in state.incidents if plan.nature == "health" else state.city:
        row = state.incidents[id_]
        if row.kind != plan.kind or row.state == "closed" or row.split_from:
            continue
        recent = (c for c in state.past.get(row.id, {}).values() if c.t_ns >= since_ns)
        claims = (*state.live[row.id].values(), *recent)
        if any(close_by(claim) for claim in claims):
            found.append(row.id)
    return found


def merge(book: Book, incident: str, into: str, *, by: str = "", why: evidence.Facts | None = None) -> None:
    """Make two open incidents one: ``incident`` is closed, ``into`` takes its evidence, its case and its crews.

    The trace: ``merged_into``, ``merged_from``, and a line in both histories.
    """
    state = book.state
    gone, kept = state.incidents[incident], state.incidents[into]
    live, past = state.live[incident], state.past.get(incident, {})
    keys = [key for key, owner in state.open.items() if owner == incident]
    handover.case(book, gone, kept, by)
    # Its findings are not over: they only change house.
    state.live[incident] = {}
    close(book, incident, by=by, reason="merged", into=into)
    enter(book, replace(state.incidents[incident], merged_into=into))
    remember(state.merged, incident, into)
    state.live[into].update(live)
    for finding in live:
        state.found[finding] = into
    ours = state.past.setdefault(into, {})
    for key, claim in past.items():
        if key not in ours or ours[key].t_ns < claim.t_ns:
            ours[key] = claim
    for key in keys:
        state.open[key] = into
    kept = state.incidents[into]
    shown = kept.evidence
    for piece in gone.evidence:
        shown = _with(shown, piece)
    facts: evidence.Facts = {"incident": incident, "place": gone.place, **(why or {})}
    step = book.step("merged", by, **facts, severity=gone.severity, evidence=len(live))
    kept = replace(
        kept,
        evidence=shown,
        merged_from=(*kept.merged_from, incident, *gone.merged_from)[-MERGED:],
        history=grown(kept.history, step),
        opened_ns=min(kept.opened_ns, gone.opened_ns),
        confirmed_ns=min((t for t in (kept.confirmed_ns, gone.confirmed_ns) if t is not None), default=None),
    )
    if gone.standing != "candidate" and kept.standing == "candidate":
        book.worse[into] = None
        # What people were told and have taken note of is this; nobody is called for it a second time.
        kept = replace(
            kept,
            standing=gone.standing,
            peak=gone.peak,
            annunciated_ns=gone.annunciated_ns,
            acknowledged_by=gone.acknowledged_by,
            acknowledged_ns=gone.acknowledged_ns,
        )
        if incident in state.told:
            state.told[into] = state.told[incident]
    elif gone.standing == "verified":
        kept = replace(kept, standing="verified")
    if kept.state == gone.state == "cleared":
        kept = replace(kept, cleared_ns=max(kept.cleared_ns or 0, gone.cleared_ns or 0))
    if kept.state == "cleared" and live:
        kept = replace(kept, state="open", cleared_ns=None)
        book.worse[into] = None
    enter(book, judged(book, kept, book.t_ns, {"incident": incident}))


def split(book: Book, incident: str, findings: tuple[str, ...], *, by: str) -> str:
    """Make some findings of an incident one of their own; the case stays with the rest.

    Returns:
        Id of the new incident, also where that very split was made before.

    Raises:
        BadInput: ``finding.unknown`` for findings that are not live evidence of the incident.
        Conflict: ``incident.nothing_left`` where no evidence would stay.
    """
    state = book.state
    row = state.incidents[incident]
    live = state.live[incident]
    chosen = tuple(sorted(set(findings)))
    id_ = derive("I", "split", incident, *chosen)
    unknown = [f for f in chosen if f not in live]
    if id_ in state.incidents or id_ in state.gone:
        if unknown:
            return id_
        # It was split off before, and has been merged back since.
        id_ = derive("I", "split", incident, *chosen, book.t_ns, len(row.merged_from))
    if unknown or not chosen:
        message = f"incident {incident} has no live evidence {', '.join(unknown) or '(none was named)'}"
        raise BadInput("finding.unknown", message, incident=incident, findings=unknown)
    if len(chosen) == len(live):
        message = f"these are all findings of incident {incident}; there would be nothing left of it"
        raise Conflict("incident.nothing_left", message, incident=incident)
    claims = {f: live.pop(f) for f in live.copy() if f in chosen}
    state.live[id_] = claims
    for finding in claims:
        state.found[finding] = id_
    first = min(claims.values(), key=lambda c: (c.level, c.t_ns))
    place = first.place if state.plans[row.kind].by == "place" else row.place
    spot = book.spot(first.place)
    moved = tuple(e for e in row.evidence if e.finding in claims)
    severity = min(c.level for c in claims.values())
    new = Incident(
        id=id_,
        rev=0,
        district=row.district,
        domain=row.domain,
        kind=row.kind,
        place=place,
        place_name_zh=spot.name.zh if spot else row.place_name_zh,
        place_name_en=spot.name.en if spot else row.place_name_en,
        lon=first.lon,
        lat=first.lat,
        state="open",
        severity=severity,
        peak=severity,
        opened_ns=min((e.since_ns for e in moved), default=book.t_ns),
        updated_ns=book.t_ns,
        evidence=moved,
        rules=row.rules,
        zone=spot.zone if spot else row.zone,
        standing="candidate",
        annunciated_ns=row.annunciated_ns,
        split_from=incident,
    )
    new = judged(book, new, book.t_ns, {})
    believed = {"standing": new.standing, "confidence": new.confidence}
    step = book.step("opened", by, severity=new.severity, split_from=incident, **believed)
    enter(book, replace(new, history=(step,)))
    _give_places(state, incident, id_, claims)
    history = grown(row.history, book.step("split", by, incident=id_, findings=list(chosen)))
    row = replace(row, evidence=tuple(e for e in row.evidence if e.finding not in claims), history=history)
    enter(book, judged(book, row, book.t_ns, {"incident": id_}))
    return id_


def follow(state: State, incident: str) -> str:
    """The incident that an incident has become part of, or itself."""
    while incident in state.merged:
        incident = state.merged[incident]
    return incident


def _give_places(state: State, incident: str, new: str, claims: dict[str, Claim]) -> None:
    """Places that only the split-off evidence is at are the new incident's from now on."""
    row = state.incidents[incident]
    here = {c.place for c in state.live[incident].values()} | {row.place}
    for place in dict.fromkeys(c.place for c in claims.values()):
        key = spot_key(row.kind, place)
        if place not in here and state.open.get(key) == incident:
            state.open[key] = new


def _with(shown: tuple[Evidence, ...], piece: Evidence) -> tuple[Evidence, ...]:
    if any(e.finding == piece.finding for e in shown):
        return shown
    return evidence.bounded((*shown, piece))
