"""What a tick does: warnings and reports that end, closing what is over, deadlines, the next offer, and the check by the sensors."""

from msgspec.structs import replace

from dispatch import cases, closing, orders, outside, response, situations, support
from dispatch.book import Book
from yiwang.model import Case, Order


def tick(book: Book) -> None:
    """Let event time pass up to ``book.t_ns``."""
    outside.tick(book)
    closing.close_over(book)
    situations.tick(book)
    for order in list(book.state.orders.values()):
        if order.state in orders.LIVE and order.deadline_ns is not None and book.t_ns > order.deadline_ns:
            _order_late(book, order)
    for case in list(book.state.cases.values()):
        if case.stage != "closed":
            _case(book, case)


def _order_late(book: Book, order: Order) -> None:
    """Not accepted in time: the next nearest is asked. Nobody left, or late later on: it is marked, once."""
    if not order.overdue:
        orders.overdue(book, order.id)
        if order.case:
            step = book.step("order_overdue", order=order.id, unit=order.unit, state=order.state)
            book.note_incident(order.incident, step)
    if order.state not in orders.WAITING:
        return
    if not order.case:
        support.reoffer(book, order)
    elif not response.reoffer(book, order):
        response.escalate(book, order.case)


def _case(book: Book, case: Case) -> None:
    state = book.state
    incident = state.incidents[case.incident]
    idle = not orders.live_of(state, case.orders)
    helped = support.promised(state, incident.id, state.plans[incident.kind].skill)
    over = incident.state == "closed"
    if idle and ((case.stage == "checking" and incident.state != "open") or (helped and over)):
        # The sensors have verified it: what they reported is over and the work is done.
        cases.close(book, case.id, by="sensor", result="pass")
        return
    if idle and case.stage != "checking" and incident.state == "open" and not helped:
        response.crew(book, case.id, offer=1)  # somebody may have become free
    _case_late(book, case.id)


def _case_late(book: Book, case: str) -> None:
    row = book.state.cases[case]
    notes = book.state.notes[case]
    if row.deadline_ns is None or book.t_ns <= row.deadline_ns or notes.late_ns == row.deadline_ns:
        return
    book.state.notes[case] = replace(notes, late_ns=row.deadline_ns)
    book.note_case(case, book.step("overdue", stage=row.stage, deadline_ns=row.deadline_ns))
    noted = book.step("case_overdue", case=case, stage=row.stage, deadline_ns=row.deadline_ns)
    book.note_incident(row.incident, noted)
