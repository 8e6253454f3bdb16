"""What people (and the city) may decide, and what becomes of it."""

from typing import Any

from msgspec.structs import replace

from dispatch import cases, closing, joining, orders, response, situations, support, verdicts
from dispatch.book import Book, grown
from dispatch.state import State, Told
from yiwang.errors import BadInput, Conflict, NotAllowed
from yiwang.model import (
    Acknowledge,
    CloseCase,
    Command,
    ConfirmIncident,
    DismissIncident,
    Dispatch,
    Incident,
    MergeIncidents,
    Receipt,
    RequestSupport,
    SendReceipt,
    SplitIncident,
    SupportAnswer,
)

CITY = "city"
"""Who the city agent is in ``Command.by``."""

DESK_ONLY: frozenset[Receipt] = frozenset({"verified", "cancelled"})

Args = dict[str, Any]  # Any: plain JSON values


def apply(book: Book, c: Command) -> Args:
    """Carry a command out.

    Everything is checked before anything is changed, so a refused command leaves no trace.

    Returns:
        What the sender may want to know, such as the id of the order made.

    Raises:
        BadInput: ``incident.unknown``, ``case.unknown``, ``order.unknown``, ``unit.unknown``, ``support.unknown``,
            ``finding.unknown``.
        Conflict: ``incident.closed``, ``incident.merged``, ``incident.same``, ``incident.kinds``,
            ``incident.has_case``, ``incident.nothing_left``, ``case.closed``, ``case.orders_open``,
            ``order.transition``, ``unit.busy``, ``unit.off_duty``, ``support.over``.
        NotAllowed: ``command.not_allowed``, ``order.not_yours``, ``receipt.desk_only``.
    """
    action = c.action
    if isinstance(action, SendReceipt):
        return _receipt(book, action, c.by)
    if isinstance(action, ConfirmIncident):
        return _confirm(book, action, c.by)
    _may(c)
    match action:
        case Acknowledge():
            return _acknowledge(book, action, c.by)
        case Dispatch():
            return _dispatch(book, action, c.by)
        case CloseCase():
            return _close_case(book, action, c.by)
        case DismissIncident():
            return _dismiss(book, action, c.by)
        case MergeIncidents():
            return _merge(book, action, c.by)
        case SplitIncident():
            row = _incident(book.state, action.incident)
            return {"incident": joining.split(book, row.id, action.findings, by=c.by)}
        case RequestSupport():
            support.help_out(book, action)
            return {}
        case _:
            return _support_answer(book, action, c.by)


def is_desk(by: str) -> bool:
    """Whether a sender is a desk (``desk-0``, ``desk-city``) and not a unit or the city agent."""
    return by.startswith("desk")


def _may(c: Command) -> None:
    for_city = isinstance(c.action, RequestSupport | SupportAnswer)
    if is_desk(c.by) or (for_city and c.by == CITY):
        return
    do = type(c.action).__struct_config__.tag
    who = "a desk or the city agent" if for_city else "a desk"
    raise NotAllowed("command.not_allowed", f"{do} is for {who}, not for {c.by}", by=c.by, do=do)


def _incident(state: State, id_: str) -> Incident:
    row = state.incidents.get(id_)
    if id_ in state.merged:
        into = joining.follow(state, id_)
        raise Conflict(
            "incident.merged", f"incident {id_} has become part of {into}", incident=id_, into=into
        )
    if id_ in state.gone or (row is not None and row.state == "closed"):
        raise Conflict("incident.closed", f"incident {id_} is closed", incident=id_)
    if row is None:
        message = f"district {state.district} has no incident {id_}"
        raise BadInput("incident.unknown", message, incident=id_)
    return row


def _acknowledge(book: Book, action: Acknowledge, by: str) -> Args:
    """Of an incident, or of a situation, whose id may stand in its place."""
    situation = book.state.situations.get(action.incident)
    if situation is not None:
        situations.acknowledge(book, situation, by)
        return {}
    row = _incident(book.state, action.incident)
    if not row.acknowledged_by:
        history = grown(row.history, book.step("acknowledged", by, severity=row.severity))
        book.put(replace(row, acknowledged_by=by, acknowledged_ns=book.t_ns, history=history))
        if row.standing != "candidate":
            book.state.told[row.id] = Told(book.t_ns, row.severity)
    return {}


def _confirm(book: Book, action: ConfirmIncident, by: str) -> Args:
    """By a desk, or by a unit that has been there."""
    row = _incident(book.state, action.incident)
    if not is_desk(by):
        case = book.state.cases.get(row.case)
        mine = [book.state.orders[o] for o in case.orders] if case else []
        if not any(o.unit == by and o.state in ("on_scene", "done", "verified") for o in mine):
            message = f"confirm_incident is for a desk or a unit that is on the scene, not for {by}"
            raise NotAllowed("command.not_allowed", message, by=by, do="confirm_incident")
    verdicts.verify(book, row.id, by)
    return {}


def _dismiss(book: Book, action: DismissIncident, by: str) -> Args:
    state = book.state
    row = _incident(state, action.incident)
    case = state.cases.get(row.case)
    if case is not None and case.stage != "closed":
        message = f"incident {row.id} has case {case.id}: close that as a false alarm"
        raise Conflict("incident.has_case", message, incident=row.id, case=case.id)
    verdicts.learn(book, row.id, right=False)
    note = {"note": action.note} if action.note else {}
    closing.close(book, row.id, by=by, reason="false_alarm", **note)
    return {}


def _merge(book: Book, action: MergeIncidents, by: str) -> Args:
    state = book.state
    if joining.follow(state, action.incident) == action.into != action.incident:
        return {}  # that has been done
    into = _incident(state, action.into)
    row = _incident(state, action.incident)
    if row.id == into.id:
        message = f"incident {row.id} cannot go into itself"
        raise Conflict("incident.same", message, incident=row.id)
    if row.kind != into.kind:
        message = f"incident {row.id} is a {row.kind} and {into.id} a {into.kind}; only like ones are one"
        raise Conflict("incident.kinds", message, incident=row.id, into=into.id)
    joining.merge(book, row.id, into.id, by=by)
    return {}


def _dispatch(book: Book, action: Dispatch, by: str) -> Args:
    state = book.state
    incident = _incident(state, action.incident)
    unit = state.roster.get(action.unit)
    if unit is None:
        message = f"district {state.district} has no unit {action.unit}"
        raise BadInput("unit.unknown", message, unit=action.unit)
    if not unit.on_duty:
        raise Conflict("unit.off_duty", f"unit {unit.id} is not on duty", unit=unit.id)
    order = state.units[unit.id].order
    if order:
        message = f"unit {unit.id} has order {order}, choose another or wait"
        raise Conflict("unit.busy", message, unit=unit.id, order=order)
    case = incident.case or cases.open_case(book, incident, state.plans[incident.kind], by)
    return {"case": case, "order": response.send(book, case, unit, by=by)}


def _close_case(book: Book, action: CloseCase, by: str) -> Args:
    state = book.state
    row = state.cases.get(action.case)
    if action.case in state.gone or (row is not None and row.stage == "closed"):
        raise Conflict("case.closed", f"case {action.case} is closed", case=action.case)
    if row is None:
        message = f"district {state.district} has no case {action.case}"
        raise BadInput("case.unknown", message, case=action.case)
    cases.close(book, row.id, by=by, result=action.result, note=action.note)
    over = state.incidents[row.incident].state == "closed"
    if action.result == "false_alarm" or over:
        verdicts.learn(book, row.incident, right=action.result == "pass")
    else:
        verdicts.verify(book, row.incident, by)
    if action.result == "false_alarm" and not over:
        closing.close(book, row.incident, by=by, reason="false_alarm")
    return {}


def _receipt(book: Book, action: SendReceipt, by: str) -> Args:
    state = book.state
    order = state.orders.get(action.order)
    if order is None and action.order not in state.gone:
        message = f"district {state.district} has no order {action.order}"
        raise BadInput("order.unknown", message, order=action.order)
    desk = is_desk(by) or by == CITY
    if order is not None and not desk and by != order.unit:
        message = f"order {order.id} is for unit {order.unit}, not for {by}"
        raise NotAllowed("order.not_yours", message, order=order.id, by=by)
    if action.receipt in DESK_ONLY and not desk:
        message = f"an order is {action.receipt} by a desk, not by {by}"
        raise NotAllowed("receipt.desk_only", message, order=action.order, by=by, receipt=action.receipt)
    now = state.gone[action.order] if order is None else order.state
    if orders.moves(action.order, now, action.receipt):  # type: ignore[arg-type]  # gone keeps the last state
        response.receipt(book, action.order, action.receipt, by=by, note=action.note)
    return {}


def _support_answer(book: Book, action: SupportAnswer, by: str) -> Args:
    # The incident may have become part of another since the city was asked.
    action = replace(action, incident=joining.follow(book.state, action.incident))
    changed = support.answered(book, action, by)
    case = book.state.incidents[action.incident].case
    if not changed or not case:
        return {}
    if action.granted:
        if book.state.cases[case].stage == "accepted":
            cases.advance(book, case, "dispatched", by, request=action.request)
    elif not orders.live_of(book.state, book.state.cases[case].orders):
        response.escalate(book, case)
    return {}
