"""What happens at a desk, in the words of the room."""

from typing import Any

import pytest

from dispatch.desk import Desk
from tests.dispatch.town import (
    ACCEPT_S,
    ARRIVE_S,
    CHECK_S,
    HANDLE_S,
    LINGER_S,
    S,
    Town,
    domains,
    unit,
    words,
)
from yiwang.model import (
    Acknowledge,
    Action,
    CloseCase,
    CommandResult,
    Dispatch,
    RequestSupport,
    SendReceipt,
    SupportAnswer,
)
from yiwang.registry import Registry


@pytest.fixture
def town() -> Town:
    return Town()


def kinds_of(bodies: list[Any]) -> list[str]:
    return [type(b).__name__ for b in bodies]


def test_level_two_opens_case_and_order_at_once(town: Town) -> None:
    """One call says incident, case, order and unit, each once, whole and linked."""
    bodies = town.find(2)
    assert kinds_of(bodies) == ["Incident", "Case", "Order", "UnitState"]
    assert town.incident.case == town.case.id
    assert town.case.orders == (town.order.id,)
    assert words(town.incident) == ["opened", "case_opened", "order_sent"]
    assert words(town.case) == ["opened", "dispatched", "order_sent"]
    assert town.incident.history[-1].args["unit_name_zh"] == "pump1队"
    assert (town.order.state, town.order.offer, town.order.distance_m > 0) == ("sent", 1, True)
    assert town.order.deadline_ns == ACCEPT_S * S
    assert town.case.deadline_ns == (ACCEPT_S + ARRIVE_S) * S


def test_level_three_does_not(town: Town) -> None:
    """Below the kind's own level a case is opened only by a person, or when it gets worse."""
    town.find(3)
    assert not town.cases
    town.find(2)
    assert town.case.severity == 2


def test_a_kind_without_case_level_never_opens_one(town: Town) -> None:
    """Heavy rain at level I has nobody to send."""
    town.find(1, kind="rain")
    assert not town.cases


def test_a_kind_without_skill_opens_a_case_for_a_person(town: Town) -> None:
    """No skill, no order, no limit: the desk decides."""
    town.find(2, kind="smell")
    assert (town.stage, town.case.deadline_ns, town.case.orders) == ("accepted", None, ())
    town.wait(10)
    assert not town.orders
    town.do(Dispatch(incident=town.incident.id, unit="gas1"))
    assert (town.stage, town.case.deadline_ns, town.order.deadline_ns) == ("dispatched", None, None)


def test_getting_worse_is_told_to_case_and_crew(town: Town) -> None:
    """Case and live order take the new severity; getting better does not lower them."""
    town.find(2)
    town.find(1)
    assert (town.case.severity, town.order.severity) == (1, 1)
    town.find(3)
    assert (town.incident.severity, town.case.severity, town.order.severity) == (3, 1, 1)


def test_the_whole_way_with_the_sensors_as_witness(town: Town) -> None:
    """Done, and the water gone: the next tick verifies the order and closes the case, the incident goes later."""
    town.find(2)
    for t, receipt in enumerate(("delivered", "seen", "accepted", "en_route", "on_scene", "done")):
        town.wait(t)
        assert town.receipt(town.order, receipt).ok
    assert [s.what for s in town.order.receipts] == [
        "sent",
        "delivered",
        "seen",
        "accepted",
        "en_route",
        "on_scene",
        "done",
    ]
    assert town.units["pump1"].order == ""
    assert town.order.deadline_ns is None
    town.wait(1)
    assert town.stage == "checking"
    town.find(0)
    town.wait(1)
    assert (town.stage, town.case.result, town.order.state) == ("closed", "pass", "verified")
    assert town.case.history[-1].by == "sensor"
    assert town.order.receipts[-1].by == "sensor"
    assert (town.case.closed_ns, town.case.deadline_ns) == (round(town.now_s * S), None)
    assert words(town.incident)[-4:] == ["order_on_scene", "order_done", "cleared", "case_closed"]
    town.wait(LINGER_S)
    assert town.state == "closed"


def test_the_incident_may_close_before_the_work_is_done(town: Town) -> None:
    """Evidence over and lingered: the incident is closed, its history too, the case goes on until done."""
    town.find(2)
    town.receipt(town.order, "accepted")
    town.find(0)
    town.wait(LINGER_S)
    assert (town.state, town.stage) == ("closed", "handling")
    rev = town.incident.rev
    assert town.do(Dispatch(incident=town.incident.id, unit="pump2")).code == "incident.closed"
    town.receipt(town.order, "done")
    town.wait(1)
    assert (town.stage, town.order.state) == ("closed", "verified")
    assert town.incident.rev == rev


def test_a_desk_closes_after_the_check(town: Town) -> None:
    """A person may verify before the sensors do; then the orders are verified by that desk."""
    town.find(2)
    assert town.do(CloseCase(case=town.case.id)).code == "case.orders_open"
    town.receipt(town.order, "done")
    assert town.do(CloseCase(case=town.case.id, note="看过了")).ok
    assert (town.stage, town.case.result, town.order.state) == ("closed", "pass", "verified")
    assert town.case.history[-1].args["note"] == "看过了"
    assert town.state == "open"
    assert town.do(CloseCase(case=town.case.id)).code == "case.closed"
    town.find(0)
    town.wait(LINGER_S)
    assert town.state == "closed"
    assert town.do(CloseCase(case=town.case.id)).code == "case.closed"


def test_false_alarm_cancels_and_closes_everything(town: Town) -> None:
    """Open orders are cancelled, the crew is free, the incident is closed."""
    town.find(2)
    town.receipt(town.order, "en_route")
    bodies = town.command(CloseCase(case=town.case.id, result="false_alarm"))
    assert kinds_of(bodies) == ["Incident", "Case", "Order", "UnitState", "CommandResult"]
    assert (town.state, town.case.result, town.order.state) == (
        "closed",
        "false_alarm",
        "cancelled",
    )
    assert town.units["pump1"].order == ""
    assert town.incident.history[-1].args["reason"] == "false_alarm"
    assert town.receipt(town.order, "done").code == "order.transition"
    assert town.receipt(town.order, "cancelled", "desk-0").ok


def test_false_alarm_after_the_sensors_have_closed_the_incident(town: Town) -> None:
    """The case alone is closed then; a crew that was done is verified as well."""
    town.find(2)
    town.do(Dispatch(incident=town.incident.id, unit="pump2"))
    first, second = town.orders.values()
    town.receipt(first, "done")
    town.find(0)
    town.wait(LINGER_S)
    rev = town.incident.rev
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    assert town.stage == "closed"
    assert [town.orders[o.id].state for o in (first, second)] == ["verified", "cancelled"]
    assert town.incident.rev == rev


def test_silence_is_offered_to_the_next_and_then_escalated(town: Town) -> None:
    """Not accepted in time: overdue, the next nearest is asked; nobody left: escalated once, and the city asked."""
    town.find(2)
    town.wait(ACCEPT_S)
    assert len(town.orders) == 1
    town.wait(1)
    first, second = town.orders.values()
    assert (first.state, first.unit, town.units["pump1"].order) == ("cancelled", "pump1", "")
    assert [s.what for s in first.receipts] == ["sent", "overdue", "cancelled"]
    assert (second.state, second.unit, second.offer) == ("sent", "pump2", 2)
    assert "order_overdue" in words(town.incident)
    town.wait(ACCEPT_S + 1)
    assert len(town.orders) == 2
    assert (town.order.state, town.order.overdue) == ("sent", True)
    assert words(town.case).count("escalated") == 1
    (asked,) = town.asked
    assert (asked.skill, asked.incident) == ("drainage", town.incident.id)
    town.wait(1)
    town.wait(1)
    assert words(town.case).count("escalated") == 1
    assert len(town.asked) == 1
    assert town.receipt(town.order, "accepted").ok
    assert town.order.overdue is False


def test_a_crew_that_becomes_free_takes_over_from_one_that_is_silent() -> None:
    """Every tick looks again, so that a later free unit gets the order nobody accepted."""
    town = Town((unit("p1", "drainage", 113.0),))
    town.find(2)
    town.wait(ACCEPT_S + 1)
    assert town.order.overdue
    town.hear(town.desk.registry(Registry(version=9, units=(unit("p2", "drainage", 113.5),))))
    town.wait(1)
    assert (town.order.unit, town.order.offer, len(town.orders)) == ("p2", 2, 2)


def test_declined_goes_to_the_next_at_once(town: Town) -> None:
    """A unit that declines is free and not asked again; nobody left is escalated."""
    town.find(2)
    town.do(SendReceipt(order=town.order.id, receipt="declined", note="泵坏了"), "pump1")
    assert (town.order.unit, town.order.offer) == ("pump2", 2)
    assert town.units["pump1"].order == ""
    assert town.incident.history[-2].args["note"] == "泵坏了"
    town.receipt(town.order, "declined")
    assert words(town.case)[-1] == "escalated"
    assert len(town.asked) == 1
    town.wait(1)
    assert len(town.orders) == 2


def test_nobody_is_sent_after_the_evidence_is_over(town: Town) -> None:
    """Once cleared, a refusal or silence asks nobody else; the case waits for a person."""
    town.find(2)
    town.find(0)
    town.wait(ACCEPT_S + 1)
    assert (len(town.orders), town.order.state, town.order.overdue) == (1, "sent", True)
    town.receipt(town.order, "declined")
    town.wait(LINGER_S)
    town.wait(1)
    assert (len(town.orders), town.stage, town.state) == (1, "dispatched", "closed")
    assert town.do(CloseCase(case=town.case.id)).ok


def test_late_on_the_way_and_late_at_work_are_marked_once(town: Town) -> None:
    """Arrive and handle deadlines mark the order and the case; the next receipt takes the mark away."""
    town.find(2)
    town.receipt(town.order, "accepted")
    assert town.order.deadline_ns == ARRIVE_S * S
    town.receipt(town.order, "en_route")
    assert town.order.deadline_ns == ARRIVE_S * S
    town.wait(ARRIVE_S + 1)
    marks = [town.order.overdue]
    assert words(town.incident)[-1] == "order_overdue"
    assert town.wait(1) == []
    town.receipt(town.order, "on_scene")
    assert [*marks, town.order.overdue] == [True, False]
    assert town.case.deadline_ns == town.order.deadline_ns == round((town.now_s + HANDLE_S) * S)
    town.wait(HANDLE_S + 1)
    assert town.order.overdue
    assert words(town.case)[-1] == "overdue"
    assert words(town.incident)[-1] == "case_overdue"
    assert town.wait(1) == []
    town.receipt(town.order, "done")
    assert town.case.deadline_ns == round((town.now_s + CHECK_S) * S)
    town.wait(CHECK_S + 1)
    assert town.case.history[-1].args["stage"] == "checking"


def test_work_comes_back_when_the_water_does(town: Town) -> None:
    """A case closed within an incident that reopens at its level goes back to 派遣 (返工) with a new order."""
    town.find(2)
    town.receipt(town.order, "done")
    town.find(0)
    town.wait(1)
    assert town.stage == "closed"
    town.find(3, "F-2")
    assert town.stage == "closed"
    town.find(2, "F-3")
    assert len(town.cases) == 1
    assert (town.stage, town.case.closed_ns, town.case.result) == ("dispatched", None, "")
    assert "rework" in words(town.case)
    assert len(town.case.orders) == 2
    # The order done before the rework does not count: declining is no work done.
    town.receipt(town.order, "declined")
    town.receipt(town.order, "declined")
    assert town.stage == "dispatched"


def test_an_incident_that_stays_open_does_not_bring_a_closed_case_back(town: Town) -> None:
    """Only reopening or a rise does, not the next word of the same severity."""
    town.find(2)
    town.receipt(town.order, "done")
    town.do(CloseCase(case=town.case.id))
    town.find(2, value=33.0)
    assert town.stage == "closed"
    town.find(1)
    assert town.stage == "dispatched"


def test_a_desk_sends_another_crew(town: Town) -> None:
    """Dispatch opens a case where there is none, adds an order where there is one, and reworks one in check."""
    town.find(4)
    result = town.do(Dispatch(incident=town.incident.id, unit="tow1"))
    assert result.args == {"case": town.case.id, "order": town.order.id}
    assert (town.stage, town.order.unit) == ("dispatched", "tow1")
    assert town.order.receipts[0].what == "sent"
    assert town.case.history[0].by == "desk-0"
    town.do(Dispatch(incident=town.incident.id, unit="gas1"))
    tow, gas = town.orders.values()
    town.receipt(tow, "done")
    assert town.stage == "dispatched"
    town.receipt(gas, "done")
    assert town.stage == "checking"
    town.do(Dispatch(incident=town.incident.id, unit="pump1"))
    assert (town.stage, words(town.case).count("rework")) == ("dispatched", 1)


def test_a_desk_may_verify_or_cancel_an_order(town: Town) -> None:
    """Cancelled by the desk: the next tick asks somebody else, for the incident is still open."""
    town.find(2)
    assert town.receipt(town.order, "cancelled", "desk-0").ok
    assert len(town.orders) == 1
    town.wait(1)
    assert [o.unit for o in town.orders.values()] == ["pump1", "pump2"]
    town.receipt(town.order, "done")
    assert town.receipt(town.order, "verified", "desk-0").ok
    assert (town.order.state, town.stage) == ("verified", "checking")


def test_acknowledging_twice_is_once(town: Town) -> None:
    """The first one counts."""
    town.find(3)
    assert town.do(Acknowledge(incident=town.incident.id)).ok
    rev = town.incident.rev
    assert town.do(Acknowledge(incident=town.incident.id), "desk-1").ok
    assert (town.incident.acknowledged_by, town.incident.rev) == ("desk-0", rev)


def test_a_command_takes_effect_at_its_own_time_where_that_is_later(town: Town) -> None:
    """The time is the later of the command's and the desk's, and does not move the desk's."""
    town.find(3)
    town.wait(5)
    early, late = (town.command(Acknowledge(incident="x"), t_s=t)[-1] for t in (1.0, 9.0))
    assert isinstance(early, CommandResult)
    assert isinstance(late, CommandResult)
    assert (early.t_ns, late.t_ns) == (5 * S, 9 * S)
    assert isinstance(again := town.command(Acknowledge(incident="x"))[-1], CommandResult)
    assert again.t_ns == 5 * S


def test_a_repeated_command_has_no_effect(town: Town) -> None:
    """The second one is answered ok as a repeat, with what the first came to, and nothing else is said."""
    town.find(3)
    action = Acknowledge(incident=town.incident.id)
    assert len(town.command(action, id_="c-1")) == 2
    (repeat,) = town.command(action, id_="c-1")
    assert isinstance(repeat, CommandResult)
    assert (repeat.ok, repeat.code, repeat.args) == (True, "command.repeat", {"first": ""})
    town.command(Acknowledge(incident="I-none"), id_="c-2")
    (repeat,) = town.command(action, id_="c-2")
    assert isinstance(repeat, CommandResult)
    assert repeat.args == {"first": "incident.unknown"}


REQUEST = RequestSupport(
    request="S-1",
    from_district=1,
    incident="I-far",
    incident_kind="flood",
    severity=1,
    place_name_zh="远",
    place_name_en="far",
    skill="drainage",
    lon=113.5,
    lat=23.0,
)
ANSWER = SupportAnswer(request="S-1", incident="I-1", granted=False)


@pytest.mark.parametrize(
    ("action", "by", "code"),
    [
        (Acknowledge(incident="I-none"), "desk-0", "incident.unknown"),
        (Acknowledge(incident="I-none"), "pump1", "command.not_allowed"),
        (Dispatch(incident="I-none", unit="pump1"), "desk-0", "incident.unknown"),
        (CloseCase(case="C-none"), "desk-0", "case.unknown"),
        (CloseCase(case="C-none"), "city", "command.not_allowed"),
        (SendReceipt(order="O-none", receipt="done"), "pump1", "order.unknown"),
        (REQUEST, "pump1", "command.not_allowed"),
        (ANSWER, "pump1", "command.not_allowed"),
        (ANSWER, "city", "support.unknown"),
    ],
)
def test_what_cannot_be_is_refused_with_a_code(town: Town, action: Action, by: str, code: str) -> None:
    """One result, not ok, with the code, and no other body."""
    (result,) = town.command(action, by)
    assert isinstance(result, CommandResult)
    assert (result.ok, result.code) == (False, code)
    assert result.message


@pytest.mark.parametrize(
    ("unit_id", "code"), [("nobody", "unit.unknown"), ("pump1", "unit.busy"), ("off", "unit.off_duty")]
)
def test_who_cannot_be_sent(unit_id: str, code: str) -> None:
    """Unknown, busy and off-duty units are refused by name."""
    town = Town((unit("pump1", "drainage", 113.0), unit("off", "drainage", 113.0, on_duty=False)))
    town.find(2)
    result = town.do(Dispatch(incident=town.incident.id, unit=unit_id))
    assert (result.ok, result.code, result.args["unit"]) == (False, code, unit_id)


@pytest.mark.parametrize(
    ("by", "receipt", "code"),
    [
        ("pump2", "accepted", "order.not_yours"),
        ("pump1", "cancelled", "receipt.desk_only"),
        ("pump1", "verified", "receipt.desk_only"),
        ("desk-0", "verified", "order.transition"),
        ("pump1", "sent", ""),
        ("desk-0", "accepted", ""),
    ],
)
def test_who_may_send_which_receipt(town: Town, by: str, receipt: Any, code: str) -> None:
    """A unit for its own order, a desk for all; verifying and cancelling are a desk's."""
    town.find(2)
    result = town.receipt(town.order, receipt, by)
    assert (result.ok, result.code) == (not code, code)


def test_the_same_receipt_again_says_nothing_new(town: Town) -> None:
    """A phone that repeats itself after a break is told ok; going back is an error that names both."""
    town.find(2)
    town.receipt(town.order, "accepted")
    assert kinds_of(town.command(SendReceipt(order=town.order.id, receipt="accepted"), "pump1")) == [
        "CommandResult"
    ]
    result = town.receipt(town.order, "seen")
    assert result.args == {"order": town.order.id, "from": "accepted", "to": "seen"}


def test_commands_on_what_has_left_the_desk(town: Town) -> None:
    """Finished things are remembered by id: closed is not unknown."""
    town.find(2)
    town.receipt(town.order, "done")
    town.find(0)
    town.wait(LINGER_S)
    town.wait(1)
    assert town.do(Acknowledge(incident=town.incident.id)).code == "incident.closed"
    assert town.do(CloseCase(case=town.case.id)).code == "case.closed"
    assert town.receipt(town.order, "verified", "desk-0").ok
    assert town.receipt(town.order, "accepted").code == "order.transition"


def test_dump_and_load_are_exact(town: Town) -> None:
    """The loaded desk has the same bytes, and so has a desk with the same history."""
    other = Town()
    for t in (town, other):
        t.find(2)
        t.wait(3)
        t.receipt(t.order, "accepted")
    data = town.desk.dump()
    assert data == other.desk.dump()
    assert Desk.load(data, domains()).dump() == data
