"""What an incident sets in motion: case, crew, the next crew when one declines, and what receipts lead to."""

from msgspec.structs import replace

from dispatch import cases, orders, support
from dispatch.assign import distance_m, nearest
from dispatch.book import Book
from dispatch.plans import later
from yiwang.ids import derive
from yiwang.model import Order, Receipt, Severity
from yiwang.registry import Unit

TOLD: frozenset[Receipt] = frozenset({"accepted", "on_scene", "done", "declined", "cancelled"})
"""Receipts that belong into the incident's history too."""


def respond(book: Book, incident: str, *, worse: bool) -> None:
    """Do what an open incident of its present severity needs; for a candidate nothing is done but showing it.

    Args:
        book: of this call.
        incident: not yet retired.
        worse: it has just been opened, confirmed or reopened, or has become more severe.
    """
    state = book.state
    row = state.incidents[incident]
    if row.state != "open" or row.standing == "candidate":
        return
    plan = state.plans[row.kind]
    due = row.severity <= plan.case_at
    if not row.case:
        if due:
            crew(book, cases.open_case(book, row, plan))
    else:
        cases.worsen(book, row.case, row.severity)
        if due and worse and state.cases[row.case].stage == "closed":
            cases.advance(book, row.case, "dispatched", severity=row.severity)
            crew(book, row.case)
    if row.severity == Severity.I and plan.support_skill:
        support.ask(book, state.incidents[incident], plan.support_skill)


def crew(book: Book, case: str, offer: int = 1) -> bool:
    """Send the nearest unit not tried yet; where there is none, ask the city. False: nobody was sent."""
    state = book.state
    row = state.cases[case]
    incident = state.incidents[row.incident]
    skill = state.plans[incident.kind].skill
    if not skill:
        return False
    since = row.orders[state.notes[case].since :]
    tried = {state.orders[order].unit for order in since}
    found = nearest(state, skill, incident.lon, incident.lat, tried)
    if found is None:
        support.ask(book, incident, skill)
        return False
    send(book, case, found[0], offer=offer)
    return True


def send(book: Book, case: str, unit: Unit, *, by: str = "", offer: int = 1) -> str:
    """Open an order of the case to a free unit (派遣) and return its id."""
    state = book.state
    row = state.cases[case]
    incident = state.incidents[row.incident]
    distance = distance_m(incident.lon, incident.lat, unit.lon, unit.lat)
    order = Order(
        id=derive("O", incident.id, "order", len(row.orders) + 1),
        rev=0,
        district=state.district,
        case=case,
        incident=incident.id,
        incident_kind=incident.kind,
        severity=incident.severity,
        unit=unit.id,
        place_name_zh=incident.place_name_zh,
        place_name_en=incident.place_name_en,
        lon=incident.lon,
        lat=incident.lat,
        state="sent",
        sent_ns=book.t_ns,
        updated_ns=book.t_ns,
        deadline_ns=later(book.t_ns, state.plans[incident.kind].accept_ns),
        offer=offer,
        distance_m=distance,
    )
    orders.send(book, order, unit)
    cases.advance(book, case, "dispatched", by, order=order.id)
    args = {
        "order": order.id,
        "unit": unit.id,
        "unit_name_zh": unit.name.zh,
        "unit_name_en": unit.name.en,
        "distance_m": distance,
        "offer": offer,
    }
    book.put(replace(state.cases[case], orders=(*row.orders, order.id)))
    book.note_case(case, book.step("order_sent", by, **args))
    book.note_incident(incident.id, book.step("order_sent", by, **args))
    return order.id


def receipt(book: Book, order: str, to: Receipt, *, by: str, note: str = "") -> None:
    """Take a receipt that the table allows, and let the case follow (or the support to a neighbour end)."""
    orders.move(book, order, to, by=by, note=note)
    row = book.state.orders[order]
    if row.for_district >= 0:
        if to not in orders.LIVE and to != "verified":
            support.ended(book, order)
        return
    unit = book.state.roster[row.unit]
    told = book.step(
        f"order_{to}",
        by,
        order=order,
        unit=unit.id,
        unit_name_zh=unit.name.zh,
        unit_name_en=unit.name.en,
        **({"note": note} if note else {}),
    )
    if to in TOLD:
        book.note_case(row.case, told)
        book.note_incident(row.incident, told)
    if to in orders.COMING or to == "on_scene":
        cases.advance(book, row.case, "handling", by, order=order)
    if to == "on_scene":
        cases.restart_clock(book, row.case)
    wanted = to == "declined" and book.state.incidents[row.incident].state == "open"
    if wanted and not crew(book, row.case, offer=row.offer + 1):
        escalate(book, row.case)
    cases.settle(book, row.case)


def reoffer(book: Book, order: Order) -> bool:
    """Ask the next unit in place of one that has not accepted in time; False where there is none."""
    if book.state.incidents[order.incident].state != "open":
        return False
    if not crew(book, order.case, offer=order.offer + 1):
        return False
    receipt(book, order.id, "cancelled", by="", note="overdue")
    return True


def escalate(book: Book, case: str) -> None:
    """Say once that nobody is left to send: a person has to see to it."""
    notes = book.state.notes[case]
    if notes.escalated:
        return
    book.state.notes[case] = replace(notes, escalated=True)
    row = book.state.cases[case]
    book.note_case(case, book.step("escalated", severity=row.severity))
    book.note_incident(row.incident, book.step("escalated", case=case))
