"""Reports by people and outside warnings from bytes."""

import json
from typing import Any

import pytest

from ingest.catalogue import build
from ingest.events import ParsedEvents
from ingest.intake import HTTP_REPORTS, HTTP_WARNINGS, PARSERS
from ingest.outside import parse_reports, parse_warnings
from ingest.replay import again
from tests.ingest.town import DOMAINS, LIMITS, NOW_NS, array, catalogue, lines, report, warning
from yiwang.errors import BadInput
from yiwang.model import DeadLetter, Report
from yiwang.model import Warning as OutsideWarning

CATALOGUE = catalogue()
UNTIL_NS = NOW_NS + 6 * 3600 * 10**9


def reports(body: bytes, form: Any = "array") -> ParsedEvents[Report]:
    return parse_reports(body, NOW_NS, CATALOGUE, LIMITS, form=form)


def warnings(*rows: Any) -> ParsedEvents[OutsideWarning]:
    return parse_warnings(array(*rows), NOW_NS, CATALOGUE, LIMITS)


@pytest.mark.parametrize(("make", "form"), [(array, "array"), (lines, "lines")])
def test_a_report_goes_to_the_district_of_its_place(make: Any, form: str) -> None:
    """What is left out has its default; without an id the same report has the same one each time."""
    body = make(report(), report(place="P-9", level=2, certainty=0.8, text="没过膝盖", report_id="R-7"))
    parsed = reports(body, form)
    assert (parsed.accepted, parsed.rejected) == (2, [])
    (zero, first), (one, second) = parsed.events
    assert (zero, one) == (0, 1)
    assert first == Report(
        report_id=first.report_id,
        kind="road_flooding",
        by="12345",
        t_ns=NOW_NS,
        ingest_ns=NOW_NS,
        place="P-1",
        level=3,
        certainty=0.5,
    )
    assert first.report_id.startswith("R-")
    assert (second.report_id, second.level, second.certainty, second.text) == ("R-7", 2, 0.8, "没过膝盖")
    assert reports(body, form).events == parsed.events


def test_a_report_by_coordinates_goes_to_the_nearest_places_district() -> None:
    """And keeps its coordinates."""
    parsed = reports(array(report(place=..., lon=104.45, lat=30.01)))
    ((district, said),) = parsed.events
    assert (district, said.place, said.lon, said.lat) == (1, "", 104.45, 30.01)


@pytest.mark.parametrize(
    ("code", "bad", "says"),
    [
        ("report.field", report(kind=...), "kind is missing"),
        ("report.field", report(by=" "), "by is missing"),
        ("report.field", report(time=...), "time is missing"),
        ("report.field", report(text="x" * 3000), "at most 2000"),
        ("report.field", report(level=5), "1, 2, 3 or 4"),
        ("report.field", report(level=True), "1, 2, 3 or 4"),
        ("report.field", report(lon="113"), "it must be a number"),
        ("report.field", 7, "a row is an object such as"),
        ("report.not_finite", report(certainty="NaN"), "finite"),
        ("report.unknown_kind", report(kind="road_floding"), "did you mean 'road_flooding'"),
        ("report.unknown_place", report(place="P-404"), "send lon and lat"),
        ("report.place", report(place=...), "neither a registered place nor lon"),
        ("report.place", report(place=..., lon=200, lat=0), "-180..180"),
        ("report.outside", report(place=..., lon=30.0, lat=40.0), "may have been swapped"),
        ("report.certainty", report(certainty=0), "above 0 and up to 1"),
        ("report.certainty", report(certainty=1.1), "above 0 and up to 1"),
        ("report.time", report(time="2026-06-01T21:15:00+08:00"), "3600 s ahead"),
        ("report.time", report(time="2016-06-01T21:15:00+08:00"), "behind"),
        ("time.zone", report(time="2026-06-01T20:15:00"), "time:"),
    ],
)
def test_a_bad_report_is_named_and_its_neighbours_are_kept(code: str, bad: Any, says: str) -> None:
    """One code, a message, the raw row; the others are taken."""
    parsed = reports(array(report(), bad, report(by="x")))
    assert [(r.row, r.error.code) for r in parsed.rejected] == [(1, code)]
    assert says in parsed.rejected[0].error.message
    assert json.loads(parsed.rejected[0].raw) == bad
    assert parsed.accepted == 2


def test_where_nothing_is_registered_no_report_has_a_place() -> None:
    """It is refused and not sent to a district that nobody chose."""
    empty = build({}, DOMAINS)
    parsed = parse_reports(array(report(place=..., lon=104, lat=30)), NOW_NS, empty, LIMITS)
    assert [r.error.code for r in parsed.rejected] == ["report.outside"]


@pytest.mark.parametrize(
    ("changed", "districts"),
    [
        ({}, [0, 1]),
        ({"districts": [1]}, [1]),
        ({"areas": ["CA-01"]}, [0]),
        ({"areas": ["CA-02"]}, [0, 1]),
        ({"areas": ["CA-02"], "districts": [1]}, [1]),
    ],
)
def test_a_warning_goes_to_every_district_it_concerns(changed: dict[str, Any], districts: list[int]) -> None:
    """All, those named, or those of its zones; it counts as one row."""
    parsed = warnings(warning(**changed))
    assert (parsed.accepted, [d for d, _ in parsed.events]) == (1, districts)
    assert parsed.events[0][1] == OutsideWarning(
        warning_id="W-1",
        event="rainstorm",
        level=2,
        t_ns=NOW_NS,
        until_ns=UNTIL_NS,
        ingest_ns=NOW_NS,
        areas=tuple(changed.get("areas", ())),
    )


def test_a_warning_is_taken_back_by_its_id() -> None:
    """Times and level may then be left out."""
    parsed = warnings(warning(cancelled=True, level=..., until=..., **{"from": ...}))
    assert parsed.rejected == []
    assert parsed.events[0][1].cancelled


@pytest.mark.parametrize(
    ("code", "bad", "says"),
    [
        ("warning.field", warning(warning_id=...), "warning_id is missing"),
        ("warning.field", warning(event=...), "event is missing"),
        ("warning.field", warning(level=...), "level is missing"),
        ("warning.field", warning(level="red"), "1 (red), 2 (orange)"),
        ("warning.field", warning(**{"from": ...}), "from is missing"),
        ("warning.field", warning(until=...), "until is missing"),
        ("warning.field", warning(areas="CA-01"), "an array of texts"),
        ("warning.field", warning(areas=["CA-01", 7]), "an array of texts"),
        ("warning.field", warning(districts=["0"]), "an array of numbers"),
        ("warning.field", warning(cancelled="no"), "true or false"),
        ("warning.field", warning(headline_zh="x" * 3000), "at most 2000"),
        ("warning.unknown_event", warning(event="rainstom"), "did you mean 'rainstorm'"),
        ("warning.unknown_area", warning(areas=["CA-1"]), "did you mean 'CA-01'"),
        ("warning.unknown_district", warning(districts=[7]), "there are 0, 1"),
        ("warning.time", warning(until="2026-06-01T20:15:00+08:00"), "is not after from"),
        (
            "warning.time",
            warning(**{"from": "2027-06-01T20:15:00+08:00", "until": "2027-06-02T20:15:00+08:00"}),
            "ahead",
        ),
        (
            "warning.time",
            warning(until="9999-12-31T23:59:59Z"),
            "until 9999-12-31T23:59:59Z is more than 366",
        ),
        (
            "warning.time",
            warning(**{"from": "0001-01-01T00:00:00Z"}),
            "from 0001-01-01T00:00:00Z is more than",
        ),
        ("warning.time", warning(cancelled=True, until="9999-12-31T23:59:59Z"), "send it again"),
        ("time.format", warning(until="tomorrow"), "until:"),
    ],
)
def test_a_bad_warning_is_named_and_its_neighbours_are_kept(code: str, bad: Any, says: str) -> None:
    """As for reports."""
    parsed = warnings(warning(), bad, warning(warning_id="W-2"))
    assert [(r.row, r.error.code) for r in parsed.rejected] == [(1, code)]
    assert says in parsed.rejected[0].error.message
    assert parsed.accepted == 2


def test_without_zones_no_area_is_known() -> None:
    """Nothing is there to be meant."""
    parsed = parse_warnings(array(warning(areas=["CA-01"])), NOW_NS, build({}, DOMAINS), LIMITS)
    assert [r.error.code for r in parsed.rejected] == ["warning.unknown_area"]


@pytest.mark.parametrize(
    ("source", "row", "kind"), [(HTTP_REPORTS, report(), Report), (HTTP_WARNINGS, warning(), OutsideWarning)]
)
def test_a_dead_letter_goes_the_same_way_again(source: str, row: Any, kind: type) -> None:
    """By its source, judged by the moment at which it came in."""
    assert source in PARSERS
    letter = DeadLetter(id="D", code="x", message="", source=source, ingest_ns=NOW_NS, raw=array(row))
    parsed = again(letter, CATALOGUE, mappings=None, limits=LIMITS)  # type: ignore[arg-type]  # not from MQTT
    assert isinstance(parsed, ParsedEvents)
    assert isinstance(parsed.events[0][1], kind)


def test_a_body_of_nothing_readable_is_refused() -> None:
    """As for readings."""
    with pytest.raises(BadInput) as caught:
        reports(b"{")
    assert caught.value.code == "json.syntax"
