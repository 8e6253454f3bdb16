"""Findings to incidents: same kind, same place (or zone), one open episode."""

from typing import Any

from msgspec.structs import replace

from dispatch.book import Book, grown
from dispatch.plans import Plan
from dispatch.state import Spot, remember, spot_key
from yiwang.ids import derive
from yiwang.model import Evidence, Finding, Incident, Trouble
from yiwang.registry import Text

Facts = dict[str, Any]  # Any: plain JSON values

EVIDENCE = 64
"""How many pieces of evidence an incident shows; severity is judged by all that are not over."""


def take(book: Book, plan: Plan, f: Finding) -> tuple[str, bool] | None:
    """Fuse one finding.

    Returns:
        None where nothing has to be done about it (over, dismissed, unknown), else the id of its open incident
        and whether things got worse: opened, reopened, or more severe than before.
    """
    state = book.state
    if f.level == 0:
        state.dismissed.pop(f.id, None)
        incident = state.found.pop(f.id, "")
        if incident:
            _over(book, incident, f)
        return None
    if f.level >= state.dismissed.get(f.id, 5):
        return None
    # Dismissed at a lower level: a person judged something else than what is there now.
    state.dismissed.pop(f.id, None)
    spot = state.places.get(f.place)
    if spot is None:
        # An alert is never lost for want of an entry in the registry: it is shown under the id it came with.
        spot = Spot("", Text(f.place, f.place), 0.0, 0.0)
        if f.id not in state.found:
            message = {"place": f.place, "device": f.device, "finding": f.id}
            book.say(Trouble(code="dispatch.unknown_place", t_ns=book.t_ns, args=message))
    at = (spot.zone or f.place) if plan.by == "zone" else f.place
    incident = state.found.get(f.id) or state.open.get(spot_key(f.kind, at), "")
    if not incident:
        return _open(book, f, at, spot), True
    return incident, _more(book, incident, plan, f, spot)


def close(book: Book, incident: str, *, by: str = "", reason: str) -> None:
    """Close an incident for good.

    Args:
        book: of this call.
        incident: open or cleared.
        by: who says so, empty for the evidence itself.
        reason: ``evidence`` or ``false_alarm``. After a false alarm its findings raise nothing until they are over,
            unless they become more severe than the incident was.
    """
    state = book.state
    row = state.incidents[incident]
    for finding in state.live.pop(incident):
        del state.found[finding]
        remember(state.dismissed, finding, row.severity)
    del state.open[spot_key(row.kind, row.place)]
    history = grown(row.history, book.step("closed", by, reason=reason))
    book.put(replace(row, state="closed", closed_ns=book.t_ns, history=history))


def close_over(book: Book) -> None:
    """Close the incidents whose evidence has been over for as long as their kind lingers."""
    for row in list(book.state.incidents.values()):
        # A closed one keeps its cleared_ns while its case goes on.
        since = row.cleared_ns if row.state == "cleared" else None
        if since is not None and book.t_ns >= since + book.state.plans[row.kind].linger_ns:
            close(book, row.id, reason="evidence")


def _open(book: Book, f: Finding, at: str, spot: Spot) -> str:
    state = book.state
    id_ = derive("I", f.kind, at, f.id)
    if id_ in state.gone or id_ in state.incidents:
        # The same finding opened an incident before: it was dismissed, and has become more severe since.
        id_ = derive("I", f.kind, at, f.id, f.t_ns, f.level)
    state.open[spot_key(f.kind, at)] = id_
    state.live[id_] = {f.id: f.level}
    state.found[f.id] = id_
    book.put(
        Incident(
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
            evidence=(_evidence(f, f.level),),
            history=(book.step("opened", severity=f.level, **_facts(f)),),
            rules=f.version,
        )
    )
    return id_


def _more(book: Book, incident: str, plan: Plan, f: Finding, spot: Spot) -> bool:
    """Evidence that is new, or has another level or value than before."""
    state = book.state
    row = state.incidents[incident]
    live = state.live[incident]
    fresh = f.id not in live
    live[f.id] = f.level
    state.found[f.id] = incident
    row = replace(row, evidence=_with(row.evidence, f))
    reopened = row.state == "cleared"
    if reopened:
        row = replace(row, state="open", cleared_ns=None)
    if fresh:
        step = book.step("reopened" if reopened else "evidence", **_facts(f), live=len(live))
        row = replace(row, history=grown(row.history, step))
    if plan.by == "zone" and f.level < row.peak:
        # A zone's incident is where it is worst; elsewhere it stays at the place of its first evidence.
        row = replace(row, place_name_zh=spot.name.zh, place_name_en=spot.name.en, lon=spot.lon, lat=spot.lat)
    rose = min(live.values()) < row.severity
    book.put(_judged(book, row, f))
    return reopened or rose


def _over(book: Book, incident: str, f: Finding) -> None:
    row = book.state.incidents[incident]
    live = book.state.live[incident]
    del live[f.id]
    row = replace(row, evidence=_with(row.evidence, f))
    if live:
        book.put(_judged(book, row, f))
        return
    history = grown(row.history, book.step("cleared", **_facts(f)))
    book.put(replace(row, state="cleared", cleared_ns=f.t_ns, history=history))


def _judged(book: Book, row: Incident, f: Finding) -> Incident:
    """The incident with the severity that its live evidence gives it."""
    severity = min(book.state.live[row.id].values())
    if severity == row.severity:
        return row
    again = severity < row.severity and bool(row.acknowledged_by)
    facts: Facts = {"from": row.severity, "to": severity, "unacknowledged": again}
    history = grown(row.history, book.step("severity", **facts, **_facts(f)))
    row = replace(row, severity=severity, peak=min(severity, row.peak), history=history)
    return replace(row, acknowledged_by="", acknowledged_ns=None) if again else row


def _facts(f: Finding) -> Facts:
    return {
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


def _evidence(f: Finding, peak: int) -> Evidence:
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
    )


def _with(evidence: tuple[Evidence, ...], f: Finding) -> tuple[Evidence, ...]:
    """The evidence with the newest word of one finding, in order of first appearance, at most ``EVIDENCE``.

    First those that are over leave, oldest first, then the least severe, oldest first: why an incident is as
    severe as it is can always be read from it.
    """
    old = next((e for e in evidence if e.finding == f.id), None)
    if old is None:
        if f.level == 0:
            return evidence  # it had left the list
        evidence = (*evidence, _evidence(f, f.level))
    else:
        peak = min(old.peak, f.level) if f.level else old.peak
        evidence = tuple(_evidence(f, peak) if e is old else e for e in evidence)
    if len(evidence) <= EVIDENCE:
        return evidence
    least = min(evidence, key=lambda e: (-(e.level or 5), e.t_ns))
    return tuple(e for e in evidence if e is not least)
