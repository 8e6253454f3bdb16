"""What becomes of a case, its crews and its requests when its incident goes into another."""

from msgspec.structs import replace

from dispatch import cases, orders
from dispatch.book import Book
from dispatch.state import Notes
from yiwang.model import Case, Incident


def case(book: Book, gone: Incident, kept: Incident, by: str) -> None:
    """Hand the case of ``gone`` to ``kept``, or its crews to the case that ``kept`` has already."""
    state = book.state
    asks = state.asks.pop(gone.id, {})
    if asks:
        state.asks.setdefault(kept.id, {}).update(asks)
    if gone.support and not kept.support:
        book.put(replace(state.incidents[kept.id], support=gone.support))
    if not gone.case or state.cases[gone.case].stage == "closed":
        return
    if not kept.case:
        _whole(book, state.cases[gone.case], kept)
        book.put(replace(state.incidents[gone.id], case=""))
        book.put(replace(state.incidents[kept.id], case=gone.case))
        book.note_case(gone.case, book.step("incident_merged", by, incident=gone.id, into=kept.id))
        return
    _crews(book, state.cases[gone.case], state.cases[kept.case], by)


def _whole(book: Book, row: Case, kept: Incident) -> None:
    for order in row.orders:
        book.put(replace(book.state.orders[order], incident=kept.id))
    book.put(replace(row, incident=kept.id))


def _crews(book: Book, old: Case, new: Case, by: str) -> None:
    """Both have a case: that of the one that goes on takes the crews, the other is closed as merged."""
    state = book.state
    live = orders.live_of(state, old.orders)
    if live and new.stage in ("checking", "closed"):
        cases.advance(book, new.id, "dispatched", by, from_case=old.id)
    for id_ in old.orders:
        if state.orders[id_].state == "done" and state.cases[new.id].stage == "closed":
            orders.move(book, id_, "verified", by=by)
        book.put(replace(state.orders[id_], case=new.id, incident=new.incident))
    book.put(replace(state.cases[new.id], orders=(*state.cases[new.id].orders, *old.orders)))
    if live:
        cases.advance(book, new.id, "dispatched", by, from_case=old.id)
    if any(order.state not in orders.WAITING for order in live):
        cases.advance(book, new.id, "handling", by, from_case=old.id)
    if old.orders:
        book.note_case(new.id, book.step("crews_taken", by, from_case=old.id, orders=list(old.orders)))
    state.notes[old.id] = Notes()
    book.put(replace(state.cases[old.id], orders=()))
    cases.advance(book, old.id, "closed", by, result="merged", into=new.id)
    book.put(replace(state.cases[old.id], result="merged"))
