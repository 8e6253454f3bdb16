"""Posts: who a screen speaks for until there are accounts, and what each may see and do. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ws_server.view import LiveView
from yiwang.errors import BadInput, NotAllowed
from yiwang.model import (
    Acknowledge,
    Action,
    Case,
    CloseCase,
    ConfirmIncident,
    DismissIncident,
    Dispatch,
    Incident,
    MergeIncidents,
    Order,
    RequestSupport,
    SendReceipt,
    Situation,
    SplitIncident,
    SupportAnswer,
)
from yiwang.registry import District, Registry, Text

CITY = -1
_UNIT_RECEIPTS = frozenset({"delivered", "seen", "accepted", "en_route", "on_scene", "done", "declined"})


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A place to work from. A unit's post has the unit's id; ``district`` is -1 for the city's desk."""

    id: str
    role: Literal["desk", "unit"]
    name: Text
    district: int
    skill: str = ""


def posts_of(districts: Sequence[District], registries: Mapping[int, Registry]) -> dict[str, Post]:
    """One desk a district, one for the city, and every registered unit."""
    posts = [
        Post(
            id=f"desk-{d.number}",
            role="desk",
            name=Text(f"{d.name.zh}值班席", f"{d.name.en} desk"),
            district=d.number,
        )
        for d in districts
    ]
    posts.append(Post(id="desk-city", role="desk", name=Text("市级值班席", "City desk"), district=CITY))
    posts += [
        Post(id=u.id, role="unit", name=u.name, district=u.district, skill=u.skill)
        for number in sorted(registries)
        for u in registries[number].units
    ]
    return {p.id: p for p in posts}


def route(post: Post, action: Action, view: LiveView) -> int:
    """The district whose machine decides about the action, if this post may ask for it.

    Raises:
        NotAllowed: ``command.not_allowed``, ``command.other_order``.
        BadInput: ``command.unknown_object``: not open here, or never was.
    """
    if isinstance(action, RequestSupport | SupportAnswer):
        raise NotAllowed("command.not_allowed", "support is arranged by the city agent, not from a screen")
    if post.role == "unit" and not isinstance(action, SendReceipt | ConfirmIncident):
        message = f"unit {post.id} may only send receipts, and confirm what it was sent to"
        raise NotAllowed("command.not_allowed", message, post=post.id)
    match action:
        case Acknowledge():
            body = view.incident(action.incident) or view.situation(action.incident)
            return _found("incident", action.incident, body)
        case Dispatch() | ConfirmIncident() | DismissIncident() | MergeIncidents() | SplitIncident():
            return _found("incident", action.incident, view.incident(action.incident))
        case CloseCase():
            return _found("case", action.case, view.case(action.case))
        case SendReceipt():
            order = view.order(action.order)
            if post.role == "unit" and order is not None and order.unit != post.id:
                raise NotAllowed(
                    "command.other_order",
                    f"order {action.order} was not given to {post.id}",
                    order=action.order,
                    post=post.id,
                )
            if post.role == "unit" and action.receipt not in _UNIT_RECEIPTS:
                raise NotAllowed(
                    "command.not_allowed", f"a unit may not send {action.receipt!r}", receipt=action.receipt
                )
            return _found("order", action.order, order)


def _found(kind: str, key: str, body: Incident | Situation | Case | Order | None) -> int:
    if body is None:
        raise BadInput("command.unknown_object", f"no {kind} {key!r} is open", kind=kind, id=key)
    return body.district
