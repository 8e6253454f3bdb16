"""Video events from bytes."""

import json
from typing import Any

import pytest

from ingest.events import ParsedEvents, parse_events
from tests.ingest.town import LIMITS, NOW_NS, array, catalogue, event, lines
from yiwang.model import VideoEvent

CATALOGUE = catalogue()


def take(body: bytes, form: Any = "array") -> ParsedEvents:
    return parse_events(body, NOW_NS, CATALOGUE, LIMITS, form=form)


@pytest.mark.parametrize(("make", "form"), [(array, "array"), (lines, "lines")])
def test_a_good_event_goes_to_its_cameras_district(make: Any, form: str) -> None:
    """An event without an id gets the same one each time it is sent."""
    body = make(event(), event(**{"class": "traffic_crash"}, event_id="e-7", image_url="https://a/b.jpg"))
    parsed = take(body, form)
    assert (parsed.accepted, parsed.rejected, parsed.clocks) == (2, [], {})
    district, first = parsed.events[0]
    assert district == 0
    assert first == VideoEvent(
        event_id=first.event_id,
        device="CAM-1",
        event_class="road_flooding",
        confidence=0.9,
        t_ns=NOW_NS,
        ingest_ns=NOW_NS,
    )
    assert parsed.events[1][1].event_id == "e-7"
    assert take(body, form).events == parsed.events


@pytest.mark.parametrize(
    ("code", "bad", "says"),
    [
        ("event.field", event(device=...), "device is missing"),
        ("event.field", event(**{"class": ...}), "class is missing"),
        ("event.field", event(time=...), "time is missing"),
        ("event.field", event(confidence="high"), "it must be a number"),
        ("event.field", event(image_url="javascript:alert(1)"), "http://"),
        ("event.field", event(event_id="x" * 3000), "at most 2000"),
        ("event.unknown_device", event(device="CAM-404"), "not registered"),
        ("event.unknown_class", event(**{"class": "riot"}), "its classes: road_flooding, traffic_crash"),
        ("event.unknown_class", event(device="WL-1"), "no camera but underpass_water_level"),
        ("event.confidence", event(confidence=...), "is missing"),
        ("event.confidence", event(confidence=1.01), "from 0 to 1"),
        ("event.not_finite", event(confidence="NaN"), "finite"),
        ("time.zone", event(time="2026-06-01T20:15:00"), "CAM-1"),
    ],
)
def test_a_bad_event_is_named_and_its_neighbours_are_kept(code: str, bad: Any, says: str) -> None:
    """One code, a message, the raw row; the others are taken."""
    parsed = take(array(event(), bad, event()))
    assert [(r.row, r.error.code) for r in parsed.rejected] == [(1, code)]
    assert says in parsed.rejected[0].error.message
    assert json.loads(parsed.rejected[0].raw) == bad
    assert parsed.accepted == 2


def test_a_cameras_wrong_clock_is_named_and_its_event_is_taken_at_the_time_of_arrival() -> None:
    """Ten years past: an event now, with a warning."""
    parsed = take(array(event(time="2016-06-01T20:15:00+08:00")))
    assert [e.t_ns for _, e in parsed.events] == [NOW_NS]
    assert parsed.clocks["CAM-1"].count == 1
