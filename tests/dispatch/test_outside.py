"""Reports by people and warnings by other offices."""

import pytest

from dispatch.outside import WARNINGS
from tests.dispatch.town import LINGER_S, S, Town, domains, words
from yiwang.model import CloseCase, Finding, Trouble


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_report_is_a_finding_and_a_candidate(town: Town) -> None:
    """One caller alone is not enough; what was said stands in finding, evidence and history."""
    finding, incident = town.report(text="水过膝盖", certainty=0.5, level=2)
    assert isinstance(finding, Finding)
    assert (finding.source, finding.device, finding.reason, finding.text) == (
        "report",
        "12345",
        "report.received",
        "水过膝盖",
    )
    assert (finding.domain, finding.place, finding.level, finding.confidence) == ("test", "a", 2, 0.5)
    row = town.incident
    assert incident == row
    assert (row.standing, row.sources, row.case) == ("candidate", ("report",), "")
    assert (row.evidence[0].text, row.history[0].args["text"]) == ("水过膝盖", "水过膝盖")


def test_two_independent_reports_corroborate(town: Town) -> None:
    """By two people: 0.75 is enough; the same person twice is one source; the same report again is nothing."""
    town.report(level=2)
    assert town.report(level=2) == []
    town.report("R-2", level=2)
    assert (town.standing, town.incident.confidence) == ("candidate", 0.5)
    town.report("R-3", level=2, by="patrol-7")
    assert (town.standing, town.incident.confidence) == ("corroborated", 0.75)
    assert town.incident.case


def test_reports_by_nobody_named_are_each_their_own_source(town: Town) -> None:
    """A hotline that gives no names still corroborates itself."""
    town.report(by="")
    town.report("R-2", by="")
    assert town.standing == "corroborated"


def test_a_report_ends_by_itself(town: Town) -> None:
    """After as long as its kind lingers; its end is a finding too; then the incident goes like any other."""
    town.report()
    town.wait(LINGER_S - 1)
    assert town.state == "open"
    bodies = town.wait(1)
    assert isinstance(bodies[0], Finding)
    assert (bodies[0].level, town.state) == (0, "cleared")
    town.wait(LINGER_S)
    assert town.state == "closed"
    assert town.desk._state.reports == {}


def test_a_report_without_a_place_is_of_the_nearest(town: Town) -> None:
    """Within 150 m; further off it stands where it was made, in the zone of the nearest place within 1 km."""
    town.report(place="", lon=113.001, lat=23.0)
    assert town.incident.place == "a"
    town.report("R-2", place="", lon=113.005, lat=23.0, by="x")
    row = town.incident
    assert (row.place, row.zone, row.lon) == ("@23.0000,113.0050", "ring", 113.005)
    town.report("R-3", place="", lon=113.005, lat=23.0, by="y")
    assert (town.incident.id, town.standing) == (row.id, "corroborated")
    town.report("R-4", place="", lon=114.0, lat=24.0, by="y")
    assert (town.incident.place, town.incident.zone) == ("@24.0000,114.0000", "")
    town.report("R-5", place="nowhere", lon=113.3, lat=23.0, by="y")
    assert (town.incident.place, town.incident.place_name_zh) == ("nowhere", "nowhere")
    town.report("R-6", place="", lon=113.3, lat=23.5, by="y", kind="leak")
    assert town.incident.kind == "leak"


def test_a_report_joins_what_sensors_say(town: Town) -> None:
    """A gauge and a caller at one place are one incident of two unlike sources."""
    town.find(3, confidence=0.9)
    town.report()
    assert (town.standing, town.incident.sources) == ("corroborated", ("sensor", "report"))
    assert len(town.incidents) == 1


def test_levels_and_certainties_out_of_range_are_cut(town: Town) -> None:
    """Ingest refuses them; the log may hold anything."""
    town.report(level=9, certainty=7.0)
    assert (town.incident.severity, town.incident.confidence) == (4, 0.99)
    town.report("R-2", level=-3, certainty=-1.0, by="x")
    assert town.incident.evidence[1].confidence == 0.0


def test_a_report_of_an_unknown_kind_is_told(town: Town) -> None:
    """And nothing else happens."""
    (trouble,) = town.report(kind="nonsense")
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.args["report"]) == ("dispatch.unknown_kind", "R-1")


def test_a_report_called_a_false_alarm_does_not_come_back(town: Town) -> None:
    """And whoever made it is believed a little less."""
    town.report(level=2, certainty=1.0)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    town.wait(LINGER_S)
    assert len(town.incidents) == 1
    town.report("R-2", level=2, certainty=0.9)
    assert town.incident.confidence == 0.8


def test_a_warning_raises_what_is_said_in_its_zones(town: Town) -> None:
    """Of its kinds and zones, while it is in force; it stands among the evidence, and later as over."""
    town.find(3, kind="pool", confidence=0.5, source="video")
    town.find(3, "F-2", kind="pool", at="c", confidence=0.5, source="video")
    town.find(3, "F-3", kind="smell", confidence=0.5, source="video")
    here, there, other = town.incidents
    town.warn(areas=("ring",), until_s=100, headline_zh="暴雨橙色预警", sender="气象台")
    row = town.incidents[here]
    assert (row.confidence, row.standing, row.sources) == (0.75, "corroborated", ("video", "warning"))
    assert (row.evidence[1].source, row.evidence[1].text, row.evidence[1].device) == (
        "warning",
        "暴雨橙色预警",
        "气象台",
    )
    assert [town.incidents[i].standing for i in (there, other)] == ["candidate", "candidate"]
    town.wait(100)
    row = town.incidents[here]
    assert (row.confidence, row.standing, row.evidence[1].level) == (0.5, "corroborated", 0)
    assert row.state == "open"
    assert town.desk._state.warnings == {}


def test_a_warning_may_begin_later_change_and_be_taken_back(town: Town) -> None:
    """The newest word of one id counts."""
    town.find(3, kind="pool", confidence=0.35, source="video")
    town.warn(t_ns=50 * S)
    assert town.incident.confidence == 0.35
    town.wait(50)
    assert town.incident.confidence == 0.675
    town.warn(level=1)
    assert town.incident.confidence == pytest.approx(1 - 0.65 * 0.45)
    assert (town.incident.evidence[1].level, len(town.incident.evidence)) == (1, 2)
    town.warn(cancelled=True)
    assert (town.incident.confidence, town.incident.evidence[1].level) == (0.35, 0)
    town.warn(until_s=1.0)
    assert town.desk._state.warnings == {}
    assert words(town.incident).count("corroborated") == 1


def test_a_warning_leaves_closed_incidents_alone(town: Town) -> None:
    """One whose case still goes on is not judged any more."""
    town.find(2, kind="pool")
    town.receipt(town.order, "accepted")
    town.find(0, kind="pool")
    town.wait(LINGER_S)
    rev = town.incident.rev
    assert town.state == "closed"
    town.warn()
    assert town.incident.rev == rev


def test_a_warning_by_the_name_of_a_kind(town: Town) -> None:
    """An event may be an incident kind; one that nobody listens to is told."""
    town.warn(event="smell", level=9)
    town.find(3, kind="smell", confidence=0.5, source="video")
    assert town.incident.confidence == 0.65
    (trouble,) = town.warn("W-2", event="eclipse")
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.args["event"]) == ("dispatch.unknown_event", "eclipse")


def test_warnings_are_bounded(town: Town) -> None:
    """Those that end first leave first."""
    for n in range(WARNINGS + 5):
        town.warn(f"W-{n}", until_s=10_000 - n)
    kept = town.desk._state.warnings
    assert len(kept) == WARNINGS
    assert "W-0" in kept


def test_a_kind_that_leaves_the_rules_keeps_its_reports_until_they_end() -> None:
    """The plan stays as long as the incident is open."""
    town = Town()
    town.report()
    town.desk.rules(domains("r2", without=("flood",)))
    town.wait(LINGER_S)
    assert town.state == "cleared"


def test_rain_alone_speaks_once(town: Town) -> None:
    """A red warning and a flooded neighbour have one cause: together they confirm no faint word of another place."""
    town.find(1, kind="pool")
    town.warn(level=1, areas=("ring",))
    town.find(3, "F-2", kind="pool", at="b", confidence=0.3)
    faint = next(i for i in town.incidents.values() if i.place == "b")
    assert (faint.confidence, faint.standing) == (0.685, "candidate")


def test_a_report_of_a_faulty_sensor_is_of_its_place_and_doubts_nobody(town: Town) -> None:
    """Whoever reports is no sensor: two places are two matters, and what he reports next is believed as before."""
    town.report("R-1", kind="fault", by="12345", place="a")
    town.report("R-2", kind="fault", by="12345", place="b")
    assert [i.place for i in town.incidents.values()] == ["a", "b"]
    town.report("R-3", kind="flood", by="12345", place="a", certainty=0.5)
    assert (town.incident.kind, town.incident.confidence) == ("flood", 0.5)
    assert town.incident.evidence[0].doubt == ""
