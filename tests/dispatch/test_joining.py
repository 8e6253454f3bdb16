"""Incidents that become one, and one that becomes two."""

import pytest

from dispatch.city import CityDesk
from tests.dispatch.town import LINGER_S, S, Town, place, words
from yiwang.model import (
    Acknowledge,
    CloseCase,
    CommandResult,
    ConfirmIncident,
    DismissIncident,
    Incident,
    MergeIncidents,
    SendReceipt,
    SplitIncident,
    SupportAnswer,
    SupportOffer,
)

# About 200 m apart on one street: near_m of a leak is 300 m.
STREET = tuple(place(f"s{n}", "", 113.5 + n * 0.00195) for n in range(6))


@pytest.fixture
def town() -> Town:
    made = Town()
    made.places(*STREET)
    return made


def two_leaks(town: Town) -> tuple[str, str]:
    """At both ends of 600 m of street, the second more severe."""
    town.find(3, "F-0", at="s0", kind="leak")
    town.wait(1)
    town.find(2, "F-3", at="s3", kind="leak")
    first, second = town.incidents
    return first, second


def test_evidence_close_by_is_of_the_same_incident(town: Town) -> None:
    """Within near_m of any of its evidence, also where that is over but lingers; further off is another incident."""
    town.find(3, "F-0", at="s0", kind="leak")
    town.find(3, "F-1", at="s1", kind="leak")
    assert len(town.incidents) == 1
    town.find(0, "F-1", at="s1", kind="leak")
    town.find(3, "F-2", at="s2", kind="leak")
    assert len(town.incidents) == 1
    town.find(3, "F-4", at="s4", kind="leak")
    assert len(town.incidents) == 2
    town.find(3, "F-9", at="s1", kind="smell")
    assert len(town.incidents) == 3


def test_a_kind_without_near_m_goes_by_place_alone(town: Town) -> None:
    """Two puddles 200 m apart are two."""
    town.find(3, at="s0")
    town.find(3, "F-2", at="s1")
    assert len(town.incidents) == 2


def test_a_place_that_nobody_knows_is_near_nothing(town: Town) -> None:
    """Without coordinates the place's name alone joins."""
    town.find(3, at="x", kind="leak")
    town.find(3, "F-2", at="y", kind="leak")
    town.find(3, "F-3", at="x", kind="leak")
    assert [len(i.evidence) for i in town.incidents.values()] == [2, 1]


def test_a_finding_between_two_incidents_makes_them_one(town: Town) -> None:
    """The one opened first goes on and takes evidence, case and crews; the trace stands in both."""
    first, second = two_leaks(town)
    case, order = town.incidents[second].case, town.order.id
    assert case
    town.find(4, "F-1", at="s1", kind="leak")
    assert len(town.incidents) == 2
    town.wait(1)
    town.find(4, "F-2", at="s2", kind="leak")
    gone, kept = town.incidents[second], town.incidents[first]
    assert (gone.state, gone.merged_into, gone.case) == ("closed", first, "")
    assert (words(gone)[-1], gone.history[-1].args) == ("closed", {"reason": "merged", "into": first})
    assert (kept.state, kept.merged_from, kept.severity, kept.case) == ("open", (second,), 2, case)
    assert (town.cases[case].incident, town.orders[order].incident) == (first, first)
    assert [e.finding for e in kept.evidence] == ["F-0", "F-1", "F-3", "F-2"]
    merged = next(s for s in kept.history if s.what == "merged")
    assert (merged.args["incident"], merged.args["finding"]) == (second, "F-2")
    town.find(1, "F-3", at="s3", kind="leak")
    assert town.incidents[first].severity == 1
    town.find(3, "F-5", at="s3", kind="leak", device="other")
    assert len(town.incidents) == 2


def test_merging_by_command(town: Town) -> None:
    """A desk says that two are one; again it is done already, and the gone one names where it went."""
    first, second = two_leaks(town)
    merge = MergeIncidents(incident=first, into=second)
    assert town.do(merge).ok
    assert town.incidents[second].merged_from == (first,)
    assert words(town.incidents[second])[-2:] == ["merged", "corroborated"]
    assert town.incidents[second].history[-2].by == "desk-0"
    assert len(town.command(merge)) == 1
    refused = town.do(Acknowledge(incident=first))
    assert (refused.code, refused.args["into"]) == ("incident.merged", second)
    assert town.do(MergeIncidents(incident=second, into=second)).code == "incident.same"
    assert town.do(MergeIncidents(incident=second, into="I-x")).code == "incident.unknown"
    town.find(3, "F-9", kind="smell")
    assert town.do(MergeIncidents(incident=town.incident.id, into=second)).code == "incident.kinds"


def test_both_with_a_case(town: Town) -> None:
    """The crews go over to the case that stays; the other is closed as merged."""
    town.find(2, "F-0", at="s0", kind="leak")
    town.find(2, "F-3", at="s3", kind="leak")
    first, second = town.incidents.values()
    one, two = town.orders.values()
    town.receipt(two, "en_route")
    assert town.do(MergeIncidents(incident=second.id, into=first.id)).ok
    kept, gone = town.cases[first.case], town.cases[second.case]
    assert (gone.stage, gone.result, gone.orders) == ("closed", "merged", ())
    assert kept.orders == (one.id, two.id)
    assert kept.stage == "handling"
    assert (town.orders[two.id].case, town.orders[two.id].incident) == (kept.id, first.id)
    assert town.receipt(two, "done").ok
    assert town.receipt(one, "done").ok
    assert town.cases[kept.id].stage == "checking"


@pytest.mark.parametrize("stage", ["checking", "closed"])
def test_live_crews_wake_a_case_that_was_done(town: Town, stage: str) -> None:
    """The case that stays is reworked where the other's crew is still at it."""
    town.find(2, "F-0", at="s0", kind="leak")
    town.find(2, "F-3", at="s3", kind="leak")
    first, second = town.incidents.values()
    one, two = town.orders.values()
    town.receipt(one, "done")
    if stage == "closed":
        town.do(CloseCase(case=first.case))
    assert town.cases[first.case].stage == stage
    town.do(MergeIncidents(incident=second.id, into=first.id))
    assert town.cases[first.case].stage == "dispatched"
    town.receipt(two, "done")
    assert town.cases[first.case].stage == "checking"


def test_a_done_crew_of_a_merged_case_is_verified_with_it(town: Town) -> None:
    """Where both are over, nothing is left open."""
    town.find(2, "F-0", at="s0", kind="leak")
    town.find(2, "F-3", at="s3", kind="leak")
    first, second = town.incidents.values()
    one, two = town.orders.values()
    town.receipt(one, "done")
    town.do(CloseCase(case=first.case))
    town.receipt(two, "done")
    town.do(MergeIncidents(incident=second.id, into=first.id))
    assert town.cases[first.case].stage == "closed"
    assert [town.orders[o.id].state for o in (one, two)] == ["verified", "verified"]


def test_standing_and_openness_are_inherited(town: Town) -> None:
    """A candidate that takes in a confirmed one is confirmed; a cleared one that takes in an open one is open."""
    town.find(3, "F-0", at="s0", kind="leak", confidence=0.4)
    town.find(0, "F-0", at="s0", kind="leak")
    town.find(3, "F-3", at="s3", kind="leak")
    first, second = town.incidents.values()
    assert (town.incidents[first.id].standing, town.incidents[first.id].state) == ("candidate", "cleared")
    town.do(MergeIncidents(incident=second.id, into=first.id))
    kept = town.incidents[first.id]
    assert (kept.standing, kept.state, kept.confirmed_ns) == ("corroborated", "open", second.confirmed_ns)


def test_two_cleared_ones_linger_from_the_later(town: Town) -> None:
    """And close once, together."""
    two_leaks(town)
    first, second = town.incidents
    town.find(0, "F-0", at="s0", kind="leak")
    town.wait(100)
    town.find(0, "F-3", at="s3", kind="leak")
    town.do(MergeIncidents(incident=second, into=first))
    assert town.incidents[first].cleared_ns == 101 * S
    town.wait(LINGER_S - 1)
    assert town.incidents[first].state == "cleared"
    town.wait(1)
    assert town.incidents[first].state == "closed"


def test_a_crew_promised_to_a_merged_incident_comes_to_the_other(town: Town) -> None:
    """The city answers under the old name; a false alarm of the whole calls the neighbour's crew off."""
    city = CityDesk((0, 1))
    first, second = two_leaks(town)
    town.find(1, "F-3", at="s3", kind="leak")
    (asked,) = town.asked
    ((_, request),) = city.output(0, asked, 0)
    town.do(MergeIncidents(incident=second, into=first))
    offer = SupportOffer(
        request=asked.id, district=1, for_district=0, incident=second, granted=True, order="O-far"
    )
    ((_, answer),) = city.output(1, offer, 0)
    assert isinstance(answer.action, SupportAnswer)
    result = town.hear(town.desk.command(answer, 0))[-1]
    assert isinstance(result, CommandResult)
    assert result.ok
    assert words(town.incidents[first])[-1] == "support_granted"
    town.do(CloseCase(case=town.incidents[first].case, result="false_alarm"))
    ((district, called),) = city.output(0, town.incidents[first], 0)
    assert (district, called.action) == (
        1,
        SendReceipt(order="O-far", receipt="cancelled", note="false_alarm"),
    )
    assert request.by == "city"


def test_what_the_other_had_is_kept(town: Town) -> None:
    """Verified stays verified; the crew a neighbour promised comes; a case without crews is closed as merged."""
    town.find(2, "F-0", at="s0", kind="smell")
    town.find(2, "F-3", at="s3", kind="smell")
    first, second = town.incidents.values()
    town.do(ConfirmIncident(incident=second.id))
    town.do(MergeIncidents(incident=second.id, into=first.id))
    assert town.incidents[first.id].standing == "verified"
    assert (town.cases[second.case].result, town.cases[first.case].orders) == ("merged", ())
    assert "crews_taken" not in words(town.cases[first.case])
    town.find(1, "F-9", at="s0", kind="leak")
    town.find(1, "F-8", at="s4", kind="leak")
    one, other = list(town.incidents)[-2:]
    asked = next(a for a in town.asked if a.incident == other)
    answer = SupportAnswer(request=asked.id, incident=other, granted=True, unit="far1", unit_name_zh="远队")
    assert town.do(answer, "city").ok
    town.do(MergeIncidents(incident=other, into=one))
    assert town.incidents[one].support == "远队"


def test_evidence_in_both_is_shown_once_and_the_newest_that_is_over_counts(town: Town) -> None:
    """A warning that stands in both, and a device that spoke in both."""
    town.warn()
    for n in (3, 0):
        town.find(3, f"F-{n}", at=f"s{n}", kind="pool", device="both", t_s=n)
        town.find(0, f"F-{n}", at=f"s{n}", kind="pool", device="both", t_s=n)
    second, first = town.incidents
    town.do(MergeIncidents(incident=second, into=first))
    assert [e.source for e in town.incidents[first].evidence].count("warning") == 1
    assert [c.t_ns for c in town.desk._state.past[first].values()] == [3 * S]
    town.find(3, "F-5", at="s5", kind="pool", device="both", t_s=1)
    town.find(0, "F-5", at="s5", kind="pool", device="both", t_s=1)
    third = town.incident.id
    town.do(MergeIncidents(incident=third, into=first))
    assert [c.t_ns for c in town.desk._state.past[first].values()] == [3 * S]


def test_evidence_over_for_long_is_near_nothing_but_keeps_its_place(town: Town) -> None:
    """At its own place the incident goes on; next to that a new one begins."""
    town.find(3, "F-0", at="s0", kind="leak")
    town.find(3, "F-1", at="s1", kind="leak")
    town.find(0, "F-1", at="s1", kind="leak")
    town.wait(LINGER_S + 1)
    town.find(3, "F-2", at="s2", kind="leak")
    assert len(town.incidents) == 2
    first, second = town.incidents
    town.find(0, "F-2", at="s2", kind="leak")
    town.wait(LINGER_S)
    assert town.incidents[second].state == "closed"
    town.places(place("s1", "", 113.6))  # moved away: near nothing, but still the incident's
    town.find(3, "F-3", at="s1", kind="leak")
    assert "F-3" in {e.finding for e in town.incidents[first].evidence}


def test_splitting_by_command(town: Town) -> None:
    """Chosen findings become an incident of their own, with its own place, level and case; the same split again is it."""
    town.find(2, "F-0", at="s0", kind="leak")
    town.find(3, "F-1", at="s1", kind="leak")
    town.find(2, "F-2", at="s2", kind="leak")
    old = town.incident.id
    split = SplitIncident(incident=old, findings=("F-2", "F-1"))
    result = town.do(split)
    new = town.incidents[result.args["incident"]]
    assert (new.split_from, new.place, new.severity, new.state) == (old, "s2", 2, "open")
    assert (new.standing, [e.finding for e in new.evidence]) == ("corroborated", ["F-1", "F-2"])
    assert new.case not in ("", town.incidents[old].case)
    assert [e.finding for e in town.incidents[old].evidence] == ["F-0"]
    assert next(s for s in town.incidents[old].history if s.what == "split").args["incident"] == new.id
    assert town.do(split).args["incident"] == new.id
    town.find(0, "F-2", at="s2", kind="leak")
    assert town.incidents[new.id].severity == 3
    # What comes at the split-off places is the new incident's, and nothing joins the two again by itself.
    town.find(3, "F-5", at="s2", kind="leak", device="d5")
    town.find(3, "F-6", at="s0", kind="leak", device="d6")
    assert "F-5" in {e.finding for e in town.incidents[new.id].evidence}
    assert "F-6" in {e.finding for e in town.incidents[old].evidence}
    assert len(town.incidents) == 2
    assert town.do(MergeIncidents(incident=new.id, into=old)).ok
    assert town.incidents[old].merged_from == (new.id,)


def test_what_a_candidate_takes_in_calls_nobody_a_second_time(town: Town) -> None:
    """The older one goes on, though nobody believed it; who took note of the other has taken note of it."""
    town.find(3, "F-0", at="s0", kind="leak", confidence=0.3, device="c0")
    old = town.incident.id
    town.wait(10)
    town.find(3, "F-3", at="s3", kind="leak", confidence=0.95, device="g3")
    seen = town.incident
    assert seen.id != old
    assert town.do(Acknowledge(incident=seen.id)).ok
    town.wait(10)
    assert town.do(MergeIncidents(incident=seen.id, into=old)).ok
    row = town.incidents[old]
    assert (row.standing, row.annunciated_ns) == ("corroborated", 10 * S)
    assert (row.acknowledged_by, row.severity) == ("desk-0", 3)


def test_what_was_merged_back_can_be_split_off_again(town: Town) -> None:
    """The second time it is a new incident: the first is part of another for good."""
    town.find(3, "F-0", kind="jam", at="a")
    town.find(3, "F-1", kind="jam", at="b")
    old = town.incident.id
    split = SplitIncident(incident=old, findings=("F-1",))
    first = town.do(split).args["incident"]
    assert town.do(MergeIncidents(incident=first, into=old)).ok
    second = town.do(split).args["incident"]
    assert second != first
    assert town.incidents[second].state == "open"
    assert [e.finding for e in town.incidents[old].evidence] == ["F-0"]


def test_what_cannot_be_split(town: Town) -> None:
    """Findings that are not live there, none at all, or all of them."""
    town.find(3, "F-0", at="s0", kind="leak")
    town.find(3, "F-1", at="s1", kind="leak")
    row = town.incident.id
    for findings, code in (
        (("F-9",), "finding.unknown"),
        ((), "finding.unknown"),
        (("F-0", "F-1"), "incident.nothing_left"),
    ):
        assert town.do(SplitIncident(incident=row, findings=findings)).code == code
    assert town.do(SplitIncident(incident="I-9", findings=("F-0",))).code == "incident.unknown"
    assert len(town.incidents) == 1


def test_two_of_one_place_split(town: Town) -> None:
    """They share the place; what comes there later goes to the first."""
    town.find(3)
    town.find(3, "F-2")
    old = town.incident.id
    new = town.do(SplitIncident(incident=old, findings=("F-2",))).args["incident"]
    assert (town.incidents[new].place, town.incidents[old].place) == ("a", "a")
    town.find(3, "F-3")
    assert "F-3" in {e.finding for e in town.incidents[old].evidence}
    town.find(0, "F-2")
    town.wait(LINGER_S)
    assert (town.incidents[new].state, town.incidents[old].state) == ("closed", "open")


def test_a_zone_splits_too(town: Town) -> None:
    """Of a corridor's incident a part becomes one of its own; it keeps the zone as its place."""
    town.find(3, kind="jam")
    town.find(3, "F-2", at="b", kind="jam")
    old = town.incident.id
    new = town.incidents[town.do(SplitIncident(incident=old, findings=("F-2",))).args["incident"]]
    assert (new.place, new.place_name_en, new.lon) == ("ring", "B", 113.1)


def test_merged_away_is_not_dismissed(town: Town) -> None:
    """Its findings live on in the other."""
    first, second = two_leaks(town)
    town.do(MergeIncidents(incident=second, into=first))
    assert town.do(DismissIncident(incident=second)).code == "incident.merged"
    closed = [b for b in town.said if isinstance(b, Incident) and b.id == second and b.state == "closed"]
    assert len(closed) == 1
