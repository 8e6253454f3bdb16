"""The live view: revisions, closing, positions and the ring of changes."""

import json

from tests.ws_server.bodies import (
    T0,
    Saying,
    Stage,
    case,
    finding,
    incident,
    order,
    output,
    result,
    situation,
    unit_state,
)
from ws_server.view import LiveView
from yiwang.model import Incident, Situation, SupportNeeded, SupportOffer, Trouble, UnitState


def ids(view: LiveView, kind: type[Incident | Situation | UnitState] = Incident) -> dict[str, int]:
    return {body.id: body.rev for body, _ in view.objects() if isinstance(body, kind)}


def test_a_newer_revision_wins_and_a_repeat_has_no_effect() -> None:
    """Outputs are repeated after a crash: same or older revisions are no news."""
    stage = Stage()
    zero = stage.districts[0]
    assert zero.says(incident(rev=2)) is not None
    assert zero.says(incident(rev=2)) is None
    assert zero.says(incident(rev=1, severity=4)) is None
    assert zero.says(incident(rev=3)) is not None
    assert ids(stage.view) == {"I-1": 3}


def test_situations_are_objects_like_incidents() -> None:
    """Kept by revision, found by id, and those closed stay a while."""
    stage = Stage(closed_kept=1)
    zero = stage.districts[0]
    assert zero.says(situation(rev=2)) is not None
    assert zero.says(situation(rev=1)) is None
    for n in range(3):
        stage.says(situation(f"T-{n}", rev=3, state="closed"))
    assert ids(stage.view, Situation) == {"T-2": 3}
    found = stage.view.situation("T-2")
    assert found is not None
    assert found.state == "closed"
    assert stage.view.situation("I-1") is None


def test_an_offset_taken_before_changes_nothing() -> None:
    """A consumer that starts again may bring old records."""
    view = LiveView()
    view.begin(0, 5)
    for offset, expected in ((4, None), (5, "I-1")):
        change = view.apply(
            0, offset, output(offset, incident()), ingest_ns=None, agent_ns=None, gateway_ns=T0
        )
        assert (change and change.body.id) == expected  # type: ignore[union-attr]  # an incident
    assert view.at == {0: 5}


def test_findings_are_not_shown_but_move_the_position() -> None:
    """An incident carries its findings as evidence; sending both would double the traffic of a storm."""
    stage = Stage()
    assert stage.districts[0].says(finding(), feed=7) is None
    assert stage.view.at == {0: 0, 1: -1}
    assert stage.view.seen_feed(0) == 7


def test_the_newest_closed_objects_stay_a_while() -> None:
    """Of closed incidents the newest stay visible; older ones leave; open ones always stay."""
    stage = Stage(closed_kept=2)
    stage.says(incident("I-open"))
    for n in range(4):
        stage.says(incident(f"I-{n}", state="closed"))
    assert ids(stage.view) == {"I-open": 1, "I-2": 1, "I-3": 1}


def test_a_closed_incident_stays_as_long_as_its_case_is_open() -> None:
    """The result is still to be verified: the desk must find what it was about."""
    stage = Stage(closed_kept=1)
    stage.says(case("C-1"))
    stage.says(incident("I-1", state="closed", case="C-1"))
    for n in range(2, 5):
        stage.says(incident(f"I-{n}", state="closed"))
    assert "I-1" in ids(stage.view)
    stage.says(case("C-1", 2, stage="closed"))
    stage.says(incident("I-5", state="closed"))
    assert ids(stage.view) == {"I-5": 1}


def test_a_reopened_incident_is_open_again() -> None:
    """New evidence within the linger time: it no longer counts as closed."""
    stage = Stage(closed_kept=1)
    stage.says(incident("I-1", 1, state="closed"))
    stage.says(incident("I-1", 2, state="open"))
    for n in range(2, 5):
        stage.says(incident(f"I-{n}", state="closed"))
    assert ids(stage.view) == {"I-1": 2, "I-4": 1}


def test_support_is_kept_by_request_and_district() -> None:
    """Every asked district's answer is an object of its own."""
    stage = Stage()
    stage.says(
        SupportNeeded(
            id="S-1",
            district=0,
            incident="I-1",
            incident_kind="road_flooding",
            severity=1,
            place_name_zh="",
            place_name_en="",
            skill="drainage",
            lon=0,
            lat=0,
            t_ns=T0,
        )
    )
    for d in (0, 1, 1):
        stage.says(SupportOffer(request="S-1", district=d, for_district=0, incident="I-1", granted=False))
    assert [type(body).__name__ for body, _ in stage.view.objects()] == [
        "SupportNeeded",
        "SupportOffer",
        "SupportOffer",
    ]


def test_results_are_told_once() -> None:
    """A repeated output of a command's result is no news."""
    zero = Stage().districts[0]
    assert zero.says(result("a", "desk-0")) is not None
    assert zero.says(result("a", "desk-0")) is None


def test_own_district_comes_first() -> None:
    """A desk's snapshot begins with what it is responsible for."""
    stage = Stage()
    stage.says(incident("I-0"), district=0)
    stage.says(incident("I-1", district=1), district=1)
    first = [body.id for body, _ in stage.view.objects(first=1) if isinstance(body, Incident)]
    assert first == ["I-1", "I-0"]


def test_the_ring_gives_exactly_what_was_missed() -> None:
    """Positions of both districts; changes come in order of arrival."""
    stage = Stage()
    for n in range(6):
        stage.says(incident(f"I-{n}", district=n % 2), district=n % 2)
    missed = stage.view.since({0: 0, 1: 1})
    assert missed is not None
    assert [(c.district, c.offset) for c in missed] == [(0, 1), (0, 2), (1, 2)]
    assert stage.view.since({0: 2, 1: 2}) == []


def test_the_ring_forgets_and_says_so() -> None:
    """A position older than the ring, or without one of the districts, cannot be resumed from."""
    stage = Stage(ring=3)
    for n in range(5):
        stage.says(incident(f"I-{n}"))
    assert stage.view.since({0: 0, 1: -1}) is None
    assert [c.offset for c in stage.view.since({0: 1, 1: -1}) or []] == [2, 3, 4]
    assert stage.view.since({0: 4}) is None


def test_old_changes_read_again_fill_the_ring_without_being_news() -> None:
    """A fresh gateway loads the database and reads the log from before it: screens of another one resume."""
    view = LiveView()
    view.load([incident(rev=3)])
    view.begin(0, 10)
    zero = Saying(view)
    zero.next = 10
    assert [zero.says(incident(rev=r)) is not None for r in (1, 2, 3, 4)] == [False, False, False, True]
    assert [c.offset for c in view.since({0: 11}) or []] == [12, 13]
    assert ids(view) == {"I-1": 4}


def test_event_time_comes_from_ticks_else_from_objects() -> None:
    """After a restart at the end of a run no tick may come any more."""
    stage = Stage()
    assert stage.view.now_ns() is None
    stage.says(unit_state())
    stage.says(incident(rev=5))
    assert stage.view.now_ns() == T0 + 5
    stage.view.event_ns[1] = T0 + 3
    assert stage.view.now_ns() == T0 + 3


def test_a_change_is_encoded_with_its_stamps() -> None:
    """Body as in yiwang.model, position, and a stamp per stage in ms."""
    change = Stage().districts[0].says(order())
    assert change is not None
    message = json.loads(change.text)
    assert (message["type"], message["at"], message["body"]["type"]) == ("delta", [0, 0], "order")
    assert message["ingest_ms"] == T0 / 1e6
    assert message["agent_ms"] <= message["gateway_ms"]


def test_unit_states_and_troubles_pass() -> None:
    """A trouble is told but not kept; a unit's state is kept."""
    stage = Stage()
    assert stage.districts[0].says(Trouble(code="feed.late", t_ns=T0)) is not None
    assert stage.districts[0].says(unit_state()) is not None
    assert ids(stage.view, UnitState) == {"U-1": 1}
