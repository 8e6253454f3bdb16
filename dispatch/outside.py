"""What comes from outside the sensors: reports by people, and warnings by other offices."""

import math

from msgspec.structs import replace

from dispatch import fusion
from dispatch.assign import distance_m
from dispatch.belief import matching
from dispatch.book import Book
from dispatch.judging import again
from dispatch.plans import Plan
from dispatch.state import Spot, remember
from yiwang.ids import derive
from yiwang.model import Finding, Report, Trouble
from yiwang.model import Warning as OutsideWarning
from yiwang.registry import Text

NEAR_M = 150.0
"""A report without a place is of the nearest registered one within so many metres (or the kind's ``near_m``)."""
ZONE_M = 1000.0
"""Further off it still belongs to the zone of the nearest place within so many metres."""
WARNINGS = 1000
"""How many outside warnings are kept; those that end first leave first."""


def report(book: Book, r: Report) -> str:
    """A person's report becomes a finding of source ``report``; it holds for as long as its kind lingers.

    Returns:
        The incident it belongs to; empty where it was heard before or its kind is unknown.
    """
    state = book.state
    plan = state.plans.get(r.kind)
    if plan is None:
        args = {"kind": r.kind, "report": r.report_id, "by": r.by}
        book.say(Trouble(code="dispatch.unknown_kind", t_ns=book.t_ns, args=args))
        return ""
    id_ = derive("F", "report", r.report_id)
    if id_ in state.heard:
        return ""
    remember(state.heard, id_, r.t_ns)
    place, spot = _where(book, plan, r)
    level = min(4, max(1, r.level))
    f = Finding(
        id=id_,
        detector="report",
        version=state.rules,
        domain=plan.domain,
        kind=r.kind,
        series=-1,
        device=r.by,
        metric="report",
        place=place,
        level=level,
        since_ns=r.t_ns,
        t_ns=r.t_ns,
        value=r.certainty,
        limit=0.0,
        reason="report.received",
        source="report",
        confidence=min(1.0, max(0.0, r.certainty)),
        text=r.text,
    )
    book.find(f)
    state.reports[id_] = f
    return fusion.take(book, plan, f, spot)


def warning(book: Book, w: OutsideWarning) -> None:
    """An outside warning begins, changes or is taken back."""
    state = book.state
    known = {event for p in state.situation_plans.values() for event in p.warnings}
    if w.event not in known and w.event not in state.plans:
        args = {"event": w.event, "warning": w.warning_id, "sender": w.sender}
        book.say(Trouble(code="dispatch.unknown_event", t_ns=book.t_ns, args=args))
        return
    state.warnings.pop(w.warning_id, None)
    if not w.cancelled and w.until_ns > book.t_ns:
        state.warnings[w.warning_id] = replace(w, level=min(4, max(1, w.level)))
        if len(state.warnings) > WARNINGS:
            del state.warnings[min(state.warnings, key=lambda id_: state.warnings[id_].until_ns)]
    _bring_up_to_date(book, changed=w.warning_id)


def tick(book: Book) -> None:
    """Warnings begin and end, reports grow old."""
    state = book.state
    if state.warnings or state.in_force:
        _bring_up_to_date(book)
    for f in list(state.reports.values()):
        plan = state.plans[f.kind]
        if book.t_ns >= f.t_ns + plan.linger_ns:
            del state.reports[f.id]
            over = replace(f, level=0, t_ns=max(f.t_ns, book.t_ns))
            book.find(over)
            fusion.take(book, plan, over)


def _where(book: Book, plan: Plan, r: Report) -> tuple[str, Spot]:
    """The place a report speaks of, or a spot of its own, named by where it is."""
    if r.place:
        known = book.spot(r.place)
        return r.place, known or Spot("", Text(r.place, r.place), r.lon, r.lat)
    near = dict(book.spots(r.lat, ZONE_M / 100_000))  # degrees of latitude, on the safe side
    nearest = min(
        ((distance_m(r.lon, r.lat, spot.lon, spot.lat), id_) for id_, spot in near.items()),
        default=(math.inf, ""),
    )
    if nearest[0] <= max(NEAR_M, plan.near_m):
        return nearest[1], near[nearest[1]]
    zone = near[nearest[1]].zone if nearest[0] <= ZONE_M else ""
    name = f"{r.lat:.4f}, {r.lon:.4f}"
    return f"@{r.lat:.4f},{r.lon:.4f}", Spot(zone, Text(name, name), r.lon, r.lat)


def _bring_up_to_date(book: Book, changed: str = "") -> None:
    """See which warnings are in force now, and judge the incidents anew that one speaks of."""
    state = book.state
    before = dict(state.in_force)
    for id_ in [id_ for id_, w in state.warnings.items() if w.until_ns <= book.t_ns]:
        del state.warnings[id_]
    state.in_force = {id_: None for id_, w in state.warnings.items() if w.t_ns <= book.t_ns}
    if state.in_force == before and changed not in before:
        return
    book.weather = True
    for row in [state.incidents[id_] for id_ in state.city]:
        told = any(e.source == "warning" and e.level for e in row.evidence)
        if told or matching(state, state.plans[row.kind], row.zone):
            again(book, row.id, {"warning": changed})
