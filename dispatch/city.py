"""The city's part in support: asks one district after the other for a crew until one sends it."""

from typing import Self

import msgspec
from msgspec.structs import replace

from dispatch.commands import CITY
from dispatch.state import remember
from yiwang.ids import derive
from yiwang.model import (
    Action,
    Body,
    Command,
    Incident,
    RequestSupport,
    SendReceipt,
    SupportAnswer,
    SupportNeeded,
    SupportOffer,
)


class Search(msgspec.Struct, frozen=True):
    """How far the city is with one request."""

    needed: SupportNeeded
    asked: tuple[int, ...] = ()  # districts asked, the last one is the one asked now
    answers: int = 0  # answers given to the asker
    order: str = ""  # order of the crew that comes
    by_district: int = -1


class _State(msgspec.Struct):
    districts: tuple[int, ...]
    searches: dict[str, Search] = {}


class CityDesk:
    """Reads what the districts put out and answers with commands to them; output taken twice changes nothing.

    Args:
        districts: numbers of all districts; a request goes to the others in this order.
    """

    def __init__(self, districts: tuple[int, ...]) -> None:
        self._state = _State(districts)

    def output(self, district: int, body: Body, now_ns: int) -> list[tuple[int, Command]]:
        """Take one output of a district.

        Returns:
            (district, command) to be sent, in order.
        """
        match body:
            case SupportNeeded():
                if body.id in self._state.searches:
                    return []
                return self._ask_next(Search(body), now_ns)
            case SupportOffer():
                return self._offered(district, body, now_ns)
            case Incident(state="closed") if body.history[-1].args.get("reason") == "false_alarm":
                return [c for id_ in (body.id, *body.merged_from) for c in self._call_off(id_, now_ns)]
            case _:
                return []

    def dump(self) -> bytes:
        """The whole state; equal histories give equal bytes."""
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The city desk that ``dump`` described."""
        state = msgspec.msgpack.decode(data, type=_State)
        city = cls(state.districts)
        city._state = state
        return city

    def _ask_next(self, search: Search, now_ns: int) -> list[tuple[int, Command]]:
        needed = search.needed
        left = [d for d in self._state.districts if d != needed.district and d not in search.asked]
        if not left:
            return self._answer(search, None, now_ns)
        self._keep(replace(search, asked=(*search.asked, left[0]), order="", by_district=-1))
        action = RequestSupport(
            request=needed.id,
            from_district=needed.district,
            incident=needed.incident,
            incident_kind=needed.incident_kind,
            severity=needed.severity,
            place_name_zh=needed.place_name_zh,
            place_name_en=needed.place_name_en,
            skill=needed.skill,
            lon=needed.lon,
            lat=needed.lat,
        )
        return [(left[0], _command(action, now_ns, "request", needed.id, left[0]))]

    def _offered(self, district: int, offer: SupportOffer, now_ns: int) -> list[tuple[int, Command]]:
        """An offer, a changed one (the crew's place is taken by another), or one taken back."""
        search = self._state.searches.get(offer.request)
        if search is None or not search.asked or search.asked[-1] != district:
            return []
        if not offer.granted:
            return self._ask_next(search, now_ns)
        if offer.order == search.order:
            return []
        return self._answer(search, offer, now_ns)

    def _answer(self, search: Search, offer: SupportOffer | None, now_ns: int) -> list[tuple[int, Command]]:
        needed = search.needed
        answer = SupportAnswer(request=needed.id, incident=needed.incident, granted=offer is not None)
        n = search.answers + 1
        search = replace(search, answers=n, order="", by_district=-1)
        if offer is None:
            search = replace(search, asked=(*search.asked, -1))  # nobody is asked any more
        else:
            search = replace(search, order=offer.order, by_district=offer.district)
            answer = replace(
                answer,
                by_district=offer.district,
                unit=offer.unit,
                unit_name_zh=offer.unit_name_zh,
                unit_name_en=offer.unit_name_en,
                order=offer.order,
            )
        self._keep(search)
        return [(needed.district, _command(answer, now_ns, "answer", needed.id, n))]

    def _call_off(self, incident: str, now_ns: int) -> list[tuple[int, Command]]:
        """A false alarm: the neighbours' crews need not come."""
        called: list[tuple[int, Command]] = []
        for search in list(self._state.searches.values()):
            if search.needed.incident == incident and search.order:
                action = SendReceipt(order=search.order, receipt="cancelled", note="false_alarm")
                called.append((search.by_district, _command(action, now_ns, "cancel", search.order)))
                self._keep(replace(search, asked=(*search.asked, -1), order="", by_district=-1))
        return called

    def _keep(self, search: Search) -> None:
        remember(self._state.searches, search.needed.id, search)


def _command(action: Action, now_ns: int, *parts: str | int) -> Command:
    id_ = derive("K", *parts)
    return Command(command_id=id_, by=CITY, t_ns=now_ns, ingest_ns=now_ns, action=action)
