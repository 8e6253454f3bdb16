"""Who may ask for what, and which district decides."""

import pytest

from tests.ws_server.bodies import POSTS, Stage, case, incident, order, situation
from ws_server.posts import route
from yiwang.errors import BadInput, NotAllowed
from yiwang.model import (
    Acknowledge,
    Action,
    CloseCase,
    ConfirmIncident,
    DismissIncident,
    Dispatch,
    MergeIncidents,
    RequestSupport,
    SendReceipt,
    SplitIncident,
    SupportAnswer,
)


@pytest.fixture
def stage() -> Stage:
    """An incident with case and order in district 0, one of another unit in district 1."""
    made = Stage()
    made.says(incident("I-1"))
    made.says(case("C-1"))
    made.says(order("O-1", unit="U-1"))
    made.says(incident("I-9", district=1), district=1)
    made.says(situation("T-9", district=1), district=1)
    made.says(order("O-9", unit="U-3", incident="I-9", district=1), district=1)
    return made


REQUEST = RequestSupport(
    request="S-1",
    from_district=0,
    incident="I-1",
    incident_kind="road_flooding",
    severity=1,
    place_name_zh="",
    place_name_en="",
    skill="drainage",
    lon=0,
    lat=0,
)


@pytest.mark.parametrize(
    ("post", "action", "expected"),
    [
        ("desk-0", Acknowledge(incident="I-1"), 0),
        ("desk-city", Acknowledge(incident="I-9"), 1),
        ("desk-0", Dispatch(incident="I-9", unit="U-3"), 1),
        ("desk-0", Acknowledge(incident="T-9"), 1),
        ("desk-0", ConfirmIncident(incident="I-9"), 1),
        ("U-3", ConfirmIncident(incident="I-9"), 1),  # whether it is there the machine knows
        ("desk-0", DismissIncident(incident="I-1"), 0),
        ("desk-0", MergeIncidents(incident="I-1", into="I-9"), 0),
        ("desk-0", SplitIncident(incident="I-1", findings=("F-1",)), 0),
        ("U-1", DismissIncident(incident="I-1"), "command.not_allowed"),
        ("desk-0", SplitIncident(incident="T-9", findings=("F-1",)), "command.unknown_object"),
        ("desk-0", CloseCase(case="C-1"), 0),
        ("desk-0", SendReceipt(order="O-1", receipt="cancelled"), 0),
        ("U-1", SendReceipt(order="O-1", receipt="accepted"), 0),
        ("U-3", SendReceipt(order="O-9", receipt="done"), 1),
        ("U-1", SendReceipt(order="O-9", receipt="accepted"), "command.other_order"),
        ("U-2", SendReceipt(order="O-1", receipt="done"), "command.other_order"),
        ("U-1", SendReceipt(order="O-1", receipt="verified"), "command.not_allowed"),
        ("U-1", SendReceipt(order="O-1", receipt="cancelled"), "command.not_allowed"),
        ("U-1", SendReceipt(order="O-404", receipt="done"), "command.unknown_object"),
        ("U-1", Acknowledge(incident="I-1"), "command.not_allowed"),
        ("U-1", Dispatch(incident="I-1", unit="U-1"), "command.not_allowed"),
        ("U-1", CloseCase(case="C-1"), "command.not_allowed"),
        ("desk-0", Acknowledge(incident="I-404"), "command.unknown_object"),
        ("desk-0", CloseCase(case="C-404"), "command.unknown_object"),
        ("desk-city", REQUEST, "command.not_allowed"),
        ("desk-city", SupportAnswer(request="S", incident="I-1", granted=True), "command.not_allowed"),
    ],
)
def test_the_table_of_rights(stage: Stage, post: str, action: Action, expected: int | str) -> None:
    """The district that decides, or the code of the refusal."""
    if isinstance(expected, int):
        assert route(POSTS[post], action, stage.view) == expected
        return
    with pytest.raises((BadInput, NotAllowed)) as refused:
        route(POSTS[post], action, stage.view)
    assert refused.value.code == expected


def test_posts_are_desks_then_units() -> None:
    """A desk per district, one for the city, and every unit under its own id."""
    assert list(POSTS) == ["desk-0", "desk-1", "desk-city", "U-1", "U-2", "U-3"]
    assert POSTS["desk-city"].district == -1
    assert (POSTS["U-3"].role, POSTS["U-3"].skill, POSTS["U-3"].district) == ("unit", "drainage", 1)
