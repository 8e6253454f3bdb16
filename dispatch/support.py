"""Support between districts: asking for a crew, being told who comes, and sending one to a neighbour."""

from typing import Literal

from msgspec.structs import replace

from dispatch import orders
from dispatch.assign import nearest
from dispatch.book import Book
from dispatch.plans import later
from dispatch.state import Ask, Help, State, remember
from yiwang.errors import BadInput, Conflict
from yiwang.ids import derive
from yiwang.model import (
    Incident,
    Order,
    RequestSupport,
    SupportAnswer,
    SupportNeeded,
    SupportOffer,
)


def ask(book: Book, incident: Incident, skill: str) -> None:
    """Ask the city for a crew: once for each incident and skill, again where refused and since then more severe."""
    all_asks = book.state.asks.setdefault(incident.id, {})
    asks = [entry for entry in all_asks.values() if entry.needed.skill == skill]
    if asks and (asks[-1].answer != "refused" or incident.severity >= asks[-1].needed.severity):
        return
    needed = SupportNeeded(
        id=derive("S", incident.id, skill, len(asks) + 1),
        district=incident.district,
        incident=incident.id,
        incident_kind=incident.kind,
        severity=incident.severity,
        place_name_zh=incident.place_name_zh,
        place_name_en=incident.place_name_en,
        skill=skill,
        lon=incident.lon,
        lat=incident.lat,
        t_ns=book.t_ns,
    )
    all_asks[needed.id] = Ask(needed)
    book.say(needed)
    book.note_incident(incident.id, book.step("support_asked", request=needed.id, skill=skill))


def promised(state: State, incident: str, skill: str) -> bool:
    """Whether a neighbour's crew of that skill comes to the incident."""
    return any(
        entry.answer == "granted" and entry.needed.skill == skill
        for entry in state.asks.get(incident, {}).values()
    )


def answered(book: Book, answer: SupportAnswer, by: str) -> bool:
    """The city's answer to what this district asked; also a second one, should the crew change or give up.

    Returns:
        Whether it changed anything.

    Raises:
        Conflict: ``incident.closed``, the help is no longer wanted.
        BadInput: ``support.unknown``, this district never asked that.
    """
    state = book.state
    incident = state.incidents.get(answer.incident)
    if answer.incident in state.gone or (incident is not None and incident.state == "closed"):
        message = f"incident {answer.incident} is closed, support is no longer wanted"
        raise Conflict("incident.closed", message, incident=answer.incident)
    entry = state.asks.get(answer.incident, {}).get(answer.request)
    if incident is None or entry is None:
        message = f"district {state.district} never asked for support {answer.request}"
        raise BadInput("support.unknown", message, request=answer.request)
    verdict: Literal["granted", "refused"] = "granted" if answer.granted else "refused"
    name = answer.unit_name_zh if answer.granted else ""
    if entry.answer == verdict and incident.support == name:
        return False
    state.asks[incident.id][answer.request] = replace(entry, answer=verdict)
    step = book.step(
        f"support_{verdict}",
        by,
        request=answer.request,
        skill=entry.needed.skill,
        by_district=answer.by_district,
        unit=answer.unit,
        unit_name_zh=answer.unit_name_zh,
        unit_name_en=answer.unit_name_en,
        order=answer.order,
    )
    book.put(replace(incident, support=name))
    book.note_incident(incident.id, step)
    return True


def help_out(book: Book, request: RequestSupport) -> None:
    """Send the nearest free unit to a neighbour's incident, or say that there is none.

    A request that has been granted already gets the same answer again.

    Raises:
        Conflict: ``support.over``, the help asked for has come to its end.
    """
    state = book.state
    if request.request in state.gone:
        message = f"support {request.request} by district {state.district} is over"
        raise Conflict("support.over", message, request=request.request)
    given = state.helps.get(request.request)
    if given is not None:
        _offer(book, request, state.orders[given.order])
    elif not _send(book, request, ()):
        _offer(book, request, None)


def ended(book: Book, order: str) -> None:
    """What follows from the end of an order for a neighbour.

    Done, it just ends; declined, the next unit is asked; cancelled, or nobody left, the city hears that no one comes.
    """
    state = book.state
    row = state.orders[order]
    help_ = next(entry for entry in state.helps.values() if entry.order == order)
    if row.state == "done":
        orders.move(book, order, "verified", by="")
    elif row.state == "declined" and _send(book, help_.request, help_.tried):
        return
    else:
        _offer(book, help_.request, None)
    del state.helps[help_.request.request]
    remember(state.gone, help_.request.request, row.state)


def reoffer(book: Book, order: Order) -> bool:
    """Ask the next unit in place of one that has not accepted in time; False where there is none."""
    help_ = next(entry for entry in book.state.helps.values() if entry.order == order.id)
    if not _send(book, help_.request, help_.tried):
        return False
    orders.move(book, order.id, "cancelled", by="", note="overdue")
    return True


def _send(book: Book, request: RequestSupport, tried: tuple[str, ...]) -> bool:
    state = book.state
    found = nearest(state, request.skill, request.lon, request.lat, tried)
    if found is None:
        return False
    unit, distance = found
    plan = state.plans.get(request.incident_kind)
    order = Order(
        id=derive("O", request.incident, "support", request.request, len(tried) + 1),
        rev=0,
        district=state.district,
        case="",
        incident=request.incident,
        incident_kind=request.incident_kind,
        severity=request.severity,
        unit=unit.id,
        place_name_zh=request.place_name_zh,
        place_name_en=request.place_name_en,
        lon=request.lon,
        lat=request.lat,
        state="sent",
        sent_ns=book.t_ns,
        updated_ns=book.t_ns,
        deadline_ns=None if plan is None else later(book.t_ns, plan.accept_ns),
        offer=len(tried) + 1,
        for_district=request.from_district,
        distance_m=distance,
    )
    orders.send(book, order, unit)
    state.helps[request.request] = Help(request, order.id, (*tried, unit.id))
    _offer(book, request, order)
    return True


def _offer(book: Book, request: RequestSupport, order: Order | None) -> None:
    state = book.state
    offer = SupportOffer(
        request=request.request,
        district=state.district,
        for_district=request.from_district,
        incident=request.incident,
        granted=order is not None,
        t_ns=book.t_ns,
    )
    if order is not None:
        unit = state.roster[order.unit]
        offer = replace(
            offer, unit=unit.id, unit_name_zh=unit.name.zh, unit_name_en=unit.name.en, order=order.id
        )
    book.say(offer)
