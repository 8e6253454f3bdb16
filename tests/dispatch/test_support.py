"""Support between districts: desk, city, neighbour."""

from typing import Any

import pytest

from dispatch.city import CityDesk
from tests.dispatch.town import ACCEPT_S, LINGER_S, Town, unit, words
from yiwang.model import (
    Body,
    CloseCase,
    Command,
    CommandResult,
    RequestSupport,
    SendReceipt,
    SupportAnswer,
    SupportOffer,
)

NONE: tuple[Any, ...] = ()
CREW = (unit("far1", "drainage", 113.4), unit("far2", "drainage", 113.5))


class City:
    """Districts joined by a city desk, as the streams join them."""

    def __init__(self, *crews: tuple[Any, ...]) -> None:
        self.towns = [Town(crew, district) for district, crew in enumerate(crews)]
        self.desk = CityDesk(tuple(range(len(crews))))
        self.sent: list[tuple[int, Command]] = []
        self._heard = [0] * len(crews)

    def settle(self) -> None:
        """Carry outputs to the city and its commands to the districts until nobody has anything to say."""
        busy = True
        while busy:
            busy = False
            for number, town in enumerate(self.towns):
                while self._heard[number] < len(town.said):
                    body = town.said[self._heard[number]]
                    self._heard[number] += 1
                    busy = True
                    for to, command in self.take(number, body):
                        there = self.towns[to]
                        there.hear(there.desk.command(command, round(there.now_s * 1e9)))

    def take(self, district: int, body: Body) -> list[tuple[int, Command]]:
        commands = self.desk.output(district, body, 5)
        self.sent.extend(commands)
        # What is heard a second time changes nothing, and the state survives its codec.
        self.desk = CityDesk.load(self.desk.dump())
        assert self.desk.output(district, body, 5) == []
        return commands


def test_a_quiet_neighbour_sends_a_pump_crew() -> None:
    """Level I with an own crew on the way: the city asks once, the neighbour sends, the asker is told its name."""
    city = City((unit("own", "drainage", 113.0),), CREW)
    asker, helper = city.towns
    asker.find(1)
    assert words(asker.incident) == ["opened", "case_opened", "order_sent", "support_asked"]
    city.settle()
    (offer,) = helper.offers
    assert (offer.granted, offer.unit, offer.for_district) == (True, "far1", 0)
    order = helper.order
    assert (order.case, order.for_district, order.district, order.incident) == ("", 0, 1, asker.incident.id)
    assert asker.incident.support == "far1队"
    assert words(asker.incident)[-1] == "support_granted"
    assert asker.incident.history[-1].args["by_district"] == 1
    asker.find(1, value=60.0)
    assert len(asker.asked) == 1
    for receipt in ("accepted", "on_scene", "done"):
        assert helper.receipt(helper.order, receipt).ok
    assert helper.order.state == "verified"
    assert helper.units["far1"].order == ""
    assert helper.receipt(helper.order, "done").code == "order.transition"
    result = helper.do(request_of(city))
    assert result.code == "support.over"


def request_of(city: City) -> RequestSupport:
    return next(c.action for _, c in city.sent if isinstance(c.action, RequestSupport))


def test_a_district_without_a_crew_is_helped_by_the_next_that_has_one() -> None:
    """Own crews none: asked at level II; refused by one, granted by the next; the case goes on to 派遣."""
    city = City(NONE, NONE, CREW)
    asker = city.towns[0]
    asker.find(2)
    assert asker.stage == "accepted"
    city.settle()
    assert [to for to, _ in city.sent] == [1, 2, 0]
    assert (asker.stage, asker.incident.support) == ("dispatched", "far1队")
    asker.wait(10)
    assert len(asker.asked) == 1
    asker.find(0)
    asker.wait(LINGER_S)
    assert asker.state == "closed"
    assert (asker.stage, asker.case.result, asker.case.history[-1].by) == ("closed", "pass", "sensor")


def test_nobody_anywhere_is_escalated_and_asked_again_only_when_worse() -> None:
    """All refuse: the asker is told once; a rise asks again, the same severity does not."""
    city = City(NONE, NONE)
    asker = city.towns[0]
    asker.find(2)
    city.settle()
    assert words(asker.incident)[-2:] == ["support_refused", "escalated"]
    asker.wait(10)
    asker.find(2, "F-2")
    assert len(asker.asked) == 1
    asker.find(1)
    assert len(asker.asked) == 2
    assert asker.asked[0].id != asker.asked[1].id
    city.settle()
    assert words(asker.case).count("escalated") == 1


def test_a_refusal_with_an_own_crew_at_work_escalates_nothing() -> None:
    """The own crew is there; the refusal is only told."""
    city = City((unit("own", "drainage", 113.0),), NONE)
    asker = city.towns[0]
    asker.find(1)
    city.settle()
    assert words(asker.incident)[-1] == "support_refused"
    assert "escalated" not in words(asker.case)


def test_an_incident_without_a_case_is_helped_too() -> None:
    """Only the incident is told where there is no case; here the crew of another skill at level I."""
    city = City((unit("g", "gas", 113.0),), (unit("f", "fire", 113.2),))
    asker = city.towns[0]
    asker.find(1, kind="gas")
    city.settle()
    assert asker.incident.support == "f队"
    assert asker.order.unit == "g"


def test_a_neighbour_that_declines_is_replaced_at_home_and_then_elsewhere() -> None:
    """The next unit of the same district, then the next district; the asker hears of each change."""
    city = City(NONE, CREW, (unit("third", "drainage", 113.6),))
    asker, helper, third = city.towns
    asker.find(2)
    city.settle()
    helper.receipt(helper.order, "declined")
    city.settle()
    assert asker.incident.support == "far2队"
    assert helper.order.offer == 2
    helper.receipt(helper.order, "declined")
    city.settle()
    assert asker.incident.support == "third队"
    third.receipt(third.order, "cancelled", "desk-2")
    city.settle()
    assert asker.incident.support == ""
    assert words(asker.incident)[-2:] == ["support_refused", "escalated"]


def test_silence_of_a_neighbours_crew_is_offered_to_its_next() -> None:
    """The accept deadline holds for support too; nobody left: marked, and the order stays."""
    city = City(NONE, CREW)
    asker, helper = city.towns
    asker.find(2)
    city.settle()
    helper.wait(ACCEPT_S + 1)
    first, second = helper.orders.values()
    assert (first.state, second.state, second.unit) == ("cancelled", "sent", "far2")
    city.settle()
    assert asker.incident.support == "far2队"
    helper.wait(ACCEPT_S + 1)
    assert (helper.order.state, helper.order.overdue) == ("sent", True)
    assert len(helper.orders) == 2


def test_a_false_alarm_calls_the_neighbours_crew_off() -> None:
    """Nobody drives for nothing: the city cancels the order of the crew that was to come."""
    city = City(NONE, CREW)
    asker, helper = city.towns
    asker.find(2)
    city.settle()
    asker.do(CloseCase(case=asker.case.id, result="false_alarm"))
    city.settle()
    assert (helper.order.state, helper.units["far1"].order) == ("cancelled", "")
    action = city.sent[-1][1].action
    assert isinstance(action, SendReceipt)
    assert action.receipt == "cancelled"


def test_an_answer_that_comes_too_late_is_a_conflict() -> None:
    """Support for a closed incident, still on the desk or gone, is no longer wanted."""
    asker = Town((unit("own", "drainage", 113.0),))
    asker.find(1)
    asker.receipt(asker.order, "accepted")
    answer = SupportAnswer(request=asker.asked[0].id, incident=asker.incident.id, granted=True)
    asker.find(0)
    asker.wait(LINGER_S)
    assert asker.do(answer).code == "incident.closed"
    asker.receipt(asker.order, "done")
    asker.wait(1)
    assert asker.do(answer, "city").code == "incident.closed"


def test_a_request_of_another_incident_is_unknown() -> None:
    """Request and incident of an answer must belong together."""
    asker = Town(NONE)
    asker.find(2)
    asker.find(2, "F-2", at="b")
    wrong = SupportAnswer(request=asker.asked[0].id, incident=asker.incident.id, granted=True)
    assert asker.do(wrong).code == "support.unknown"


def test_the_same_answer_again_changes_nothing() -> None:
    """Told once, in the history once."""
    asker = Town(NONE)
    asker.find(2)
    answer = SupportAnswer(request=asker.asked[0].id, incident=asker.incident.id, granted=False)
    asker.do(answer)
    assert len(asker.command(answer, "city")) == 1


def test_the_same_request_again_gets_the_same_offer() -> None:
    """Asked twice, one crew is sent and the same offer is made."""
    city = City(NONE, CREW)
    city.towns[0].find(2)
    city.settle()
    helper = city.towns[1]
    bodies = helper.command(request_of(city), "city")
    assert [type(b) for b in bodies] == [SupportOffer, CommandResult]
    assert helper.offers[0].order == helper.offers[1].order
    assert len(helper.orders) == 1


def test_a_request_of_a_kind_unknown_here_has_no_deadline() -> None:
    """Rules may differ for a moment while they change; the crew is sent all the same."""
    helper = Town(CREW, 1)
    request = RequestSupport(
        request="S-9",
        from_district=0,
        incident="I-9",
        incident_kind="meteor",
        severity=1,
        place_name_zh="远",
        place_name_en="far",
        skill="drainage",
        lon=113.0,
        lat=23.0,
    )
    assert helper.do(request).ok
    assert helper.order.deadline_ns is None
    helper.receipt(helper.order, "accepted")
    assert helper.order.deadline_ns is None


@pytest.mark.parametrize(
    "offer",
    [
        SupportOffer(request="S-none", district=1, for_district=0, incident="I", granted=True),
        SupportOffer(request="", district=2, for_district=0, incident="I", granted=True),
    ],
)
def test_an_offer_nobody_asked_for_is_left_alone(offer: SupportOffer) -> None:
    """Unknown requests, and districts that are not the one asked now, lead to nothing."""
    asker = Town(NONE)
    asker.find(2)
    city = CityDesk((0, 1, 2))
    needed = asker.asked[0]
    (sent,) = city.output(0, needed, 1)
    assert sent[0] == 1
    offer = SupportOffer(
        request=offer.request or needed.id, district=2, for_district=0, incident=needed.incident, granted=True
    )
    assert city.output(2, offer, 1) == []


def test_a_closed_incident_without_support_calls_nobody_off() -> None:
    """False alarms elsewhere, and incidents closed by their evidence, send nothing."""
    city = City((unit("own", "drainage", 113.0),), CREW)
    asker = city.towns[0]
    asker.find(2)
    asker.do(CloseCase(case=asker.case.id, result="false_alarm"))
    asker.find(4, "F-2", at="b")
    asker.find(0, "F-2", at="b")
    asker.wait(LINGER_S)
    city.settle()
    assert city.sent == []
