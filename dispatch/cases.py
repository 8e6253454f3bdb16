"""Cases (案卷): one table of the moves between stages, and the deadline of each stage."""

from typing import Any

from msgspec.structs import replace

from dispatch import orders
from dispatch.book import Book, grown
from dispatch.plans import Plan, later
from dispatch.state import Notes
from yiwang.errors import Conflict
from yiwang.ids import derive
from yiwang.model import Case, Incident, Stage

MOVES: dict[Stage, frozenset[Stage]] = {
    "accepted": frozenset({"dispatched", "closed"}),
    "dispatched": frozenset({"handling", "checking", "closed"}),
    "handling": frozenset({"checking", "closed"}),
    # 返工: the check finds that it is not over, or it begins anew within the same incident.
    "checking": frozenset({"dispatched", "closed"}),
    "closed": frozenset({"dispatched"}),
}


def deadline(t_ns: int, plan: Plan, stage: Stage) -> int | None:
    """When a stage entered now has to be over; None where the kind's category sets no limit."""
    match stage:
        case "accepted":
            return later(t_ns, plan.accept_ns)
        case "dispatched":
            return later(t_ns, plan.accept_ns, plan.arrive_ns)
        case "handling":
            return later(t_ns, plan.handle_ns)
        case "checking":
            return later(t_ns, plan.check_ns)
        case _:
            return None


def open_case(book: Book, incident: Incident, plan: Plan, by: str = "") -> str:
    """Open the incident's case (立案); there is one for each incident at most."""
    id_ = derive("C", incident.id)
    step = book.step("opened", by, severity=incident.severity, category=plan.category)
    book.state.notes[id_] = Notes()
    book.put(
        Case(
            id=id_,
            rev=0,
            district=incident.district,
            incident=incident.id,
            category=plan.category,
            severity=incident.severity,
            stage="accepted",
            opened_ns=book.t_ns,
            updated_ns=book.t_ns,
            deadline_ns=deadline(book.t_ns, plan, "accepted"),
            history=(step,),
        )
    )
    noted = book.step("case_opened", by, case=id_, category=plan.category)
    book.put(replace(incident, case=id_, history=grown(incident.history, noted)))
    return id_


def advance(book: Book, case: str, stage: Stage, by: str = "", **args: Any) -> None:  # Any: plain JSON values
    """Go on to a stage where the table allows it from here; otherwise nothing (it is there or further)."""
    row = book.state.cases[case]
    if stage not in MOVES[row.stage]:
        return
    rework = stage == "dispatched" and row.stage != "accepted"
    plan = book.state.plans[book.state.incidents[row.incident].kind]
    step = book.step("rework" if rework else stage, by, **args)
    if rework:
        book.state.notes[case] = Notes(since=len(row.orders))
    book.put(
        replace(
            row,
            stage=stage,
            deadline_ns=deadline(book.t_ns, plan, stage),
            closed_ns=book.t_ns if stage == "closed" else None,
            result="",
            history=grown(row.history, step),
        )
    )


def restart_clock(book: Book, case: str) -> None:
    """The crew of a case in 处置 has arrived: the time to handle counts from now."""
    row = book.state.cases[case]
    plan = book.state.plans[book.state.incidents[row.incident].kind]
    book.put(replace(row, deadline_ns=deadline(book.t_ns, plan, "handling")))


def worsen(book: Book, case: str, severity: int) -> None:
    """Give a case and its live orders the incident's severity where that is more severe."""
    row = book.state.cases[case]
    if severity >= row.severity:
        return
    change: dict[str, Any] = {"from": row.severity, "to": severity}  # "from" is no Python name
    book.note_case(case, book.step("severity", **change))
    book.put(replace(book.state.cases[case], severity=severity))
    for order in orders.live_of(book.state, row.orders):
        book.put(replace(order, severity=severity))


def settle(book: Book, case: str) -> None:
    """Go on to the check (核查) once no order is live and at least one has been done since the last rework."""
    row = book.state.cases[case]
    since = row.orders[book.state.notes[case].since :]
    worked = any(book.state.orders[order].state in orders.WORKED for order in since)
    if worked and not orders.live_of(book.state, row.orders):
        advance(book, case, "checking")


def close(book: Book, case: str, *, by: str, result: str, note: str = "") -> None:
    """Close a case (结案): orders still live are cancelled, those done are verified.

    Raises:
        Conflict: ``case.orders_open`` where an order is live, unless it was a false alarm.
    """
    row = book.state.cases[case]
    live = orders.live_of(book.state, row.orders)
    if live and result != "false_alarm":
        ids = [order.id for order in live]
        message = f"case {case} has {len(ids)} orders that are not done; cancel them or wait"
        raise Conflict("case.orders_open", message, case=case, orders=ids)
    for order in live:
        orders.move(book, order.id, "cancelled", by=by, note=result)
    for id_ in row.orders:
        if book.state.orders[id_].state == "done":
            orders.move(book, id_, "verified", by=by)
    advance(book, case, "closed", by, result=result, **({"note": note} if note else {}))
    book.put(replace(book.state.cases[case], result=result))
    book.note_incident(row.incident, book.step("case_closed", by, case=case, result=result))
