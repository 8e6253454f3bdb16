"""Findings become incidents."""

import msgspec
import pytest

from dispatch.evidence import EVIDENCE
from tests.dispatch.town import LINGER_S, S, Town, domains, words
from yiwang.model import Acknowledge, CloseCase, Incident, Severity, Trouble


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_finding_opens_an_incident_that_tells_why(town: Town) -> None:
    """The incident carries place, severity, the evidence and the numbers of the sentence."""
    town.find(3, t_s=7, numbers={"count": 2.0})
    (row,) = town.incidents.values()
    assert (row.state, row.severity, row.peak, row.rev, row.opened_ns) == ("open", 3, 3, 1, 7 * S)
    assert (row.place, row.place_name_zh, row.place_name_en, row.lon) == ("a", "a路", "A", 113.0)
    assert row.rules == "r1"
    assert row.evidence[0].numbers == {"count": 2.0}
    assert words(row) == ["opened"]
    assert row.history[0].args["value"] == 30.0
    assert row.case == ""


def test_same_kind_and_place_is_one_incident_and_others_are_others(town: Town) -> None:
    """A second device at the place corroborates; another place or kind is an incident of its own."""
    town.find(4)
    town.find(4, "F-2")
    assert len(town.incidents) == 1
    assert words(town.incident) == ["opened", "evidence", "corroborated"]
    town.find(4, "F-3", at="b")
    town.find(4, "F-4", kind="rain")
    assert len(town.incidents) == 3


def test_severity_is_that_of_the_worst_live_evidence_and_the_peak_is_kept(town: Town) -> None:
    """It rises and falls with the evidence; the peak only rises."""
    town.find(4)
    town.find(3, "F-2")
    assert (town.incident.severity, town.incident.peak) == (3, 3)
    town.find(0, "F-2")
    assert (town.incident.severity, town.incident.peak) == (4, 3)
    town.find(3)
    row = town.incident
    assert (row.severity, row.peak, row.rev) == (3, 3, 4)
    assert words(row) == ["opened", "evidence", "corroborated", "severity", "severity", "severity"]
    assert [(s.args["from"], s.args["to"]) for s in row.history if s.what == "severity"] == [
        (4, 3),
        (3, 4),
        (4, 3),
    ]
    assert row.evidence[1].level == 0
    assert row.evidence[1].peak == 3


def test_the_same_word_twice_says_nothing_twice(town: Town) -> None:
    """A repeated finding changes nothing and is not put out again."""
    town.find(4)
    assert town.find(4) == []


def test_the_end_of_something_never_heard_of_is_nothing(town: Town) -> None:
    """A level 0 without an incident opens none."""
    assert town.find(0) == []


def test_cleared_reopened_and_closed_once(town: Town) -> None:
    """Evidence over: cleared; new evidence within the linger time: the same incident; later: closed exactly once."""
    town.find(3)
    town.wait(10)
    town.find(0)
    assert (town.state, town.incident.cleared_ns, town.incident.severity) == ("cleared", 10 * S, 3)
    town.wait(LINGER_S - 1)
    town.find(4, "F-2")
    assert len(town.incidents) == 1
    assert (town.state, town.incident.cleared_ns, town.incident.severity) == ("open", None, 4)
    town.find(0, "F-2")
    assert town.wait(LINGER_S - 1) == []
    town.wait(1)
    assert town.state == "closed"
    assert town.incident.closed_ns == round(town.now_s * S)
    way = ["opened", "cleared", "reopened", "corroborated", "severity", "cleared", "closed"]
    assert words(town.incident) == way
    assert town.wait(LINGER_S) == []
    town.find(3, "F-3")
    assert len(town.incidents) == 2


def test_readings_do_not_close_anything(town: Town) -> None:
    """Only ticks move the linger time: evidence that comes before the tick still belongs to the incident."""
    town.find(3)
    town.find(0, t_s=1)
    town.find(3, "F-2", t_s=LINGER_S + 100)
    assert len(town.incidents) == 1
    assert town.state == "open"


def test_a_zone_is_one_incident_and_stands_where_it_is_worst() -> None:
    """A kind judged by zone joins places; a place without a zone is a zone of its own."""
    town = Town()
    town.find(4, kind="jam")
    assert (town.incident.place, town.incident.lon) == ("ring", 113.0)
    town.find(4, "F-2", kind="jam", at="b")
    assert town.incident.lon == 113.0
    town.find(3, "F-3", kind="jam", at="b")
    assert (town.incident.lon, town.incident.place_name_en) == (113.1, "B")
    town.find(4, "F-4", kind="jam", at="c")
    assert [row.place for row in town.incidents.values()] == ["ring", "c"]


def test_a_kind_of_the_whole_district_is_one_incident(town: Town) -> None:
    """Wherever it is said; it stands where it is worst."""
    town.find(4, kind="siren")
    town.find(3, "F-2", at="c", kind="siren")
    assert (len(town.incidents), town.incident.place, town.incident.lon) == (1, "district", 113.2)


def test_an_acknowledged_incident_that_rises_is_unacknowledged(town: Town) -> None:
    """Getting worse than ever needs a person's eye again; getting better does not."""
    town.find(3)
    town.do(Acknowledge(incident=town.incident.id))
    assert town.incident.acknowledged_by == "desk-0"
    town.find(4)
    assert town.incident.acknowledged_by == "desk-0"
    town.find(2, "F-2")
    assert (town.incident.acknowledged_by, town.incident.acknowledged_ns) == ("", None)
    assert [s for s in town.incident.history if s.what == "severity"][-1].args["unacknowledged"] is True


def test_a_severity_that_swings_calls_once_in_ten_minutes(town: Town) -> None:
    """What was told and acknowledged before is not told again at once; after ten minutes it is."""
    town.find(3)
    town.do(Acknowledge(incident=town.incident.id))
    for _ in range(20):
        town.wait(29)
        town.find(4)
        town.find(3)
        assert town.incident.acknowledged_by == "desk-0"
    town.find(4)
    town.wait(20)
    town.find(3)
    assert town.incident.acknowledged_by == ""
    assert [s.args["unacknowledged"] for s in town.incident.history if s.what == "severity"].count(True) == 1


def test_evidence_is_bounded_and_keeps_the_reason_of_the_severity(town: Town) -> None:
    """At most 64 pieces are shown: the over go first, then the mildest; severity counts all that live."""
    town.find(3, "F-worst")
    town.find(4, "F-over")
    town.find(0, "F-over")
    for i in range(EVIDENCE + 10):
        town.find(4, f"F-{i}", t_s=i)
    row = town.incident
    shown = [e.finding for e in row.evidence]
    assert len(shown) == EVIDENCE
    assert "F-worst" in shown
    assert "F-over" not in shown
    assert f"F-{EVIDENCE + 9}" in shown
    for i in range(EVIDENCE + 9):
        town.find(0, f"F-{i}")
    town.find(0, "F-worst")
    states = [town.state]
    town.find(0, f"F-{EVIDENCE + 9}")
    assert [*states, town.state] == ["open", "cleared"]


def test_history_is_bounded_and_says_what_was_left_out(town: Town) -> None:
    """The first step and the newest stay, and one step counts the rest."""
    for _ in range(150):
        town.find(3)
        town.find(4)
    history = town.incident.history
    assert len(history) == 128
    assert history[0].what == "opened"
    assert history[1].what == "omitted"
    # 300 findings: one opens, 299 change the severity; 128 lines hold the first, the count and 126 more.
    assert history[1].args["count"] == 299 - 126


def test_unknown_kind_and_unknown_place_are_told(town: Town) -> None:
    """No plan for a kind: a trouble and nothing else. No such place: the alert is raised all the same."""
    (trouble,) = town.find(2, kind="nonsense")
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.args["kind"]) == ("dispatch.unknown_kind", "nonsense")
    town.find(4, at="nowhere", kind="jam")
    assert (town.incident.place, town.incident.place_name_zh) == ("nowhere", "nowhere")
    assert [b.code for b in town.said if isinstance(b, Trouble)] == [
        "dispatch.unknown_kind",
        "dispatch.unknown_place",
    ]
    town.find(3, at="nowhere", kind="jam")
    assert len([b for b in town.said if isinstance(b, Trouble)]) == 2


def test_a_false_alarm_stays_quiet_until_it_gets_worse_or_starts_anew(town: Town) -> None:
    """A person's word holds for the episode at that severity, not for something worse, nor for a new episode."""
    town.find(2)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    assert town.state == "closed"
    assert town.find(2) == []
    assert town.find(3) == []
    town.find(1)
    assert len(town.incidents) == 2
    assert (town.state, town.incident.severity) == ("open", 1)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    assert town.find(0) == []
    town.find(3, "F-2")
    assert len(town.incidents) == 3


def test_rules_may_change_while_incidents_are_open() -> None:
    """An open incident goes on, also where its kind is no longer in the rules; then the kind is gone."""
    town = Town()
    town.find(2)
    town.desk.rules(domains("r2", without=("flood",)))
    town.find(0)
    town.wait(LINGER_S)
    assert town.state == "closed"
    town.desk.rules(domains("r2", without=("flood",)))
    town.receipt(town.order, "done")
    town.wait(1)
    assert town.stage == "closed"
    town.desk.rules(domains("r2", without=("flood",)))
    (trouble,) = town.find(2, "F-2")
    assert isinstance(trouble, Trouble)


def test_an_incident_of_the_model_survives_json(town: Town) -> None:
    """What is put out goes over the wire and comes back equal."""
    town.find(2)
    row = town.incident
    assert msgspec.json.decode(msgspec.json.encode(row), type=Incident) == row
    assert row.severity == Severity.II
