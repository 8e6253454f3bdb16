"""Findings to incidents: same kind, close in space and time, one open episode; and what sensors' faults do to them."""

from msgspec.structs import replace

from dispatch import belief, evidence, joining
from dispatch.book import Book, grown
from dispatch.closing import forget, past
from dispatch.evidence import Facts
from dispatch.judging import again, enter, judged
from dispatch.plans import Plan
from dispatch.state import Doubt, Spot, spot_key
from yiwang.ids import derive
from yiwang.model import Finding, Incident, Trouble
from yiwang.registry import Text

STRUCK = 0.05
"""What a claim is multiplied by whose readings turned out to be false."""
DISTRICT = "district"
"""The place of incidents of kinds that are judged by district."""


def take(book: Book, plan: Plan, f: Finding, spot: Spot | None = None) -> str:
    """Fuse one finding.

    Args:
        book: of this call; its ``worse`` then holds the incidents for which things got worse.
        plan: of the finding's kind.
        f: the finding.
        spot: where it is, if not at a registered place.

    Returns:
        Id of its open incident; empty where nothing has to be done about it (over, dismissed).
    """
    state = book.state
    if f.level == 0:
        state.dismissed.pop(f.id, None)
        incident = state.found.pop(f.id, "")
        if incident:
            _over(book, incident, f)
        if f.reason in plan.refutes:
            _strike(book, f)
        _trust_again(book, f)
        return ""
    if f.level >= state.dismissed.get(f.id, 5):
        return ""
    # Dismissed at a lower level: a person judged something else than what is there now.
    state.dismissed.pop(f.id, None)
    spot = spot or _spot(book, f)
    at = _at(plan, f, spot)
    incident = state.found.get(f.id, "")
    if not incident:
        incident = joining.home(book, plan, at, spot, f)
    if incident:
        _more(book, incident, plan, f, spot)
    else:
        incident = _open(book, plan, f, at, spot)
    if plan.nature == "health" and f.source != "report":
        _doubt(book, plan, f)  # a person names no device: the report's own is whoever made it
    return incident


def _spot(book: Book, f: Finding) -> Spot:
    """Where a finding is; an alert is never lost for want of an entry in the registry."""
    spot = book.spot(f.place)
    if spot is not None:
        return spot
    if f.id not in book.state.found:
        message = {"place": f.place, "device": f.device, "finding": f.id}
        book.say(Trouble(code="dispatch.unknown_place", t_ns=book.t_ns, args=message))
    return Spot("", Text(f.place, f.place), 0.0, 0.0)


def _at(plan: Plan, f: Finding, spot: Spot) -> str:
    match plan.by:
        case "zone":
            return spot.zone or f.place
        case "device":
            return f.place if f.source == "report" else f.device
        case "district":
            return DISTRICT
        case _:
            return f.place


def _open(book: Book, plan: Plan, f: Finding, at: str, spot: Spot) -> str:
    state = book.state
    id_ = derive("I", f.kind, at, f.id)
    if id_ in state.gone or id_ in state.incidents:
        # The same finding opened an incident before: it was dismissed, and has become more severe since.
        id_ = derive("I", f.kind, at, f.id, f.t_ns, f.level)
    claim = evidence.claim_of(f, plan, spot)
    state.open[spot_key(f.kind, at)] = id_
    state.live[id_] = {f.id: claim}
    state.found[f.id] = id_
    row = Incident(
        id=id_,
        rev=0,
        district=state.district,
        domain=f.domain,
        kind=f.kind,
        place=at,
        place_name_zh=spot.name.zh,
        place_name_en=spot.name.en,
        lon=spot.lon,
        lat=spot.lat,
        state="open",
        severity=f.level,
        peak=f.level,
        opened_ns=f.t_ns,
        updated_ns=book.t_ns,
        evidence=(evidence.said_by(state, f, claim, f.level, book.t_ns),),
        rules=f.version,
        zone=spot.zone,
        standing="candidate",
    )
    row = judged(book, row, f.t_ns, {})
    believed = {"standing": row.standing, "confidence": row.confidence}
    step = book.step("opened", severity=row.severity, **believed, **evidence.facts(f))
    enter(book, replace(row, history=(step,)))
    return id_


def _more(book: Book, incident: str, plan: Plan, f: Finding, spot: Spot) -> None:
    """Evidence that is new, or has another level or value than before."""
    state = book.state
    row = state.incidents[incident]
    live = state.live[incident]
    fresh = f.id not in live
    peak = row.peak
    claim = evidence.claim_of(f, plan, spot)
    live[f.id] = claim
    state.found[f.id] = incident
    row = replace(
        row,
        evidence=evidence.added(row.evidence, evidence.said_by(state, f, claim, f.level, book.t_ns)),
    )
    reopened = row.state == "cleared"
    if reopened:
        row = replace(row, state="open", cleared_ns=None)
        book.worse[incident] = None
    facts = evidence.facts(f)
    if fresh:
        step = book.step("reopened" if reopened else "evidence", **facts, live=len(live))
        row = replace(row, history=grown(row.history, step))
    row = judged(book, row, f.t_ns, facts)
    if plan.by in ("zone", "district") and f.level < peak and f.level <= row.severity:
        # A zone's incident is where it is worst; elsewhere it stays at the place of its first evidence.
        row = replace(row, place_name_zh=spot.name.zh, place_name_en=spot.name.en, lon=spot.lon, lat=spot.lat)
    enter(book, row)


def _over(book: Book, incident: str, f: Finding) -> None:
    state = book.state
    row = state.incidents[incident]
    live = state.live[incident]
    claim = live.pop(f.id)
    past(book, incident, replace(claim, t_ns=max(f.t_ns, claim.t_ns)))
    said = evidence.said_by(state, f, claim, 0, book.t_ns)
    row = replace(row, evidence=evidence.added(row.evidence, said))
    facts = evidence.facts(f)
    if live:
        enter(book, judged(book, row, f.t_ns, facts))
        return
    history = grown(row.history, book.step("cleared", **facts))
    enter(book, replace(row, state="cleared", cleared_ns=f.t_ns, history=history))


# ---- what a sensor's fault does to what it says ----


def _doubt(book: Book, plan: Plan, f: Finding) -> None:
    """A health finding is open: what its device says counts less, the surer the finding the less."""
    metric = "" if f.reason in plan.device_wide else f.metric
    factor = round(1.0 - plan.doubts.get(f.reason, plan.doubt) * f.confidence, 4)
    doubt = Doubt(metric, f.reason, factor)
    doubts = book.state.doubts.setdefault(f.device, {})
    if doubts.get(f.id) == doubt:
        return
    doubts[f.id] = doubt
    weigh_again(book, f.device, "doubted", f.reason)


def _strike(book: Book, f: Finding) -> None:
    """The readings of a fault that is over were false: what was said because of them counts next to nothing.

    Its sensor is believed again for what it says from now on.
    """
    for live in [book.state.live[incident] for incident in book.state.city]:
        for id_, claim in live.items():
            false = f.since_ns <= claim.t_ns <= f.t_ns
            if false and (claim.device, claim.metric) == (f.device, f.metric):
                live[id_] = replace(claim, confidence=round(claim.confidence * STRUCK, 4))


def _trust_again(book: Book, f: Finding) -> None:
    """A health finding is over: what its device says counts as before."""
    reason = forget(book, f.device, f.id)
    if reason:
        weigh_again(book, f.device, "trusted", reason)


def weigh_again(book: Book, device: str, what: str, reason: str) -> None:
    """Judge the incidents anew that rest on a device's evidence."""
    state = book.state
    for row in [state.incidents[id_] for id_ in state.city]:
        live, over = state.live[row.id], state.past.get(row.id, {})
        if not any(claim.device == device for claim in (*live.values(), *over.values())):
            continue
        shown = evidence.reweighed(state, row, device, book.t_ns)
        if shown != row.evidence:
            plan = state.plans[row.kind]
            to = belief.believed(state, plan, row.id, row.zone, book.t_ns).confidence
            args: Facts = {"device": device, "reason": reason, "from": row.confidence, "to": to}
            book.put(replace(row, evidence=shown, history=grown(row.history, book.step(what, **args))))
        again(book, row.id, {"device": device, "reason": reason})
