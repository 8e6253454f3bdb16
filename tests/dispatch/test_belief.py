"""How far incidents are believed."""

from dataclasses import replace

import pytest

from dispatch import belief
from dispatch.belief import CAP, HALF_NS, PRIOR, faith
from dispatch.desk import Desk
from dispatch.plans import plans_of
from dispatch.state import Claim, State, Trust
from tests.dispatch.town import LINGER_S, S, Town, domains, kind, words
from yiwang.domains import Domains
from yiwang.model import Acknowledge, CloseCase, ConfirmIncident, DismissIncident, Trouble

PLAN = plans_of(domains())["flood"]


@pytest.fixture
def town() -> Town:
    return Town()


def claim(source: str, confidence: float, level: int = 3, **changes: object) -> Claim:
    fields = {
        "kind": "sensor",
        "device": source,
        "metric": "m",
        "place": "a",
        "lon": 0.0,
        "lat": 0.0,
        "t_ns": 0,
    }
    return Claim(**{"source": source, "confidence": confidence, "level": level, **fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([claim("a", 0.9)], 0.9),
        ([claim("a", 1.0)], CAP),
        ([claim("a", 0.9), claim("b", 0.6)], 1 - 0.1 * 0.4),
        ([claim("a", 0.6), claim("a", 0.9)], 0.9),  # one device is one source
        ([claim("a", 0.6), claim("b", 0.6), claim("c", 0.6)], 1 - 0.4**3),
        ([claim("a", 0.0)], 0.001),
        ([claim(str(i), 0.99) for i in range(9)], 0.999),
    ],
)
def test_independent_sources_are_pooled(claims: list[Claim], expected: float) -> None:
    """All are wrong only if each is: 1 - prod(1 - p), of each source the strongest; never quite 0 or 1."""
    state = State(district=0)
    state.live["I"] = {str(i): c for i, c in enumerate(claims)}
    assert belief.believed(state, PLAN, "I", "", 0).confidence == pytest.approx(expected, abs=1e-4)


def test_calibration_is_platt_scaling_of_the_pooled_odds() -> None:
    """Slope and shift are the kind's own; slope 0.5 takes 0.9 (odds 9) to 0.75 (odds 3)."""
    plan = plans_of(Domains(**{**_fields(domains()), "kinds": {"flood": kind("flood", slope=0.5)}}))["flood"]
    state = State(district=0)
    state.live["I"] = {"F": claim("a", 0.9)}
    assert belief.believed(state, plan, "I", "", 0).confidence == 0.75


def _fields(d: Domains) -> dict[str, object]:
    return {name: getattr(d, name) for name in d.__slots__}


def test_a_healthy_gauge_confirms_alone_and_at_once(town: Town) -> None:
    """The first reading above the limit is an incident, with a case where its level asks for one."""
    town.find(2, t_s=7, confidence=0.9)
    row = town.incident
    assert (row.standing, row.confidence, row.confirmed_ns, row.sources) == (
        "confirmed",
        0.9,
        7 * S,
        ("sensor",),
    )
    assert row.annunciated_ns == 7 * S
    assert words(row) == ["opened", "case_opened", "order_sent"]
    assert (row.history[0].args["standing"], row.history[0].args["confidence"]) == ("confirmed", 0.9)


def test_a_faint_sighting_is_a_candidate_that_calls_nobody_and_expires(town: Town) -> None:
    """Below the kind's confirm_at: shown, no case, nobody called; it goes with its evidence."""
    town.find(1, confidence=0.5, source="video")
    row = town.incident
    assert (row.standing, row.confirmed_ns, row.annunciated_ns, row.case) == ("candidate", None, None, "")
    assert not town.orders
    town.find(0, source="video")
    town.wait(LINGER_S)
    assert (town.state, town.incident.history[-1].args["reason"]) == ("closed", "unconfirmed")


def test_a_second_source_confirms_and_corroborates(town: Town) -> None:
    """0.5 and 0.6 together are 0.8; from then on the incident is worked on, its peak counted."""
    town.find(1, confidence=0.5, source="video", t_s=1)
    town.find(2, "F-2", confidence=0.6, t_s=3)
    row = town.incident
    assert (row.standing, row.confidence, row.sources) == ("corroborated", 0.8, ("sensor", "video"))
    assert (row.confirmed_ns, row.annunciated_ns) == (3 * S, 3 * S)
    assert words(row)[:3] == ["opened", "evidence", "corroborated"]
    assert (row.severity, row.peak, bool(row.case)) == (1, 1, True)


def test_evidence_that_is_over_counts_as_long_as_its_kind_lingers(town: Town) -> None:
    """Two faint sightings a minute apart are two; an hour apart within a standing incident they are not."""
    town.find(3, confidence=0.5)
    town.find(0)
    town.wait(60)
    town.find(3, "F-2", confidence=0.5)
    assert town.incident.confidence == 0.75
    town.find(3, "F-3", confidence=0.1)
    town.wait(3600)
    town.find(0, "F-2")
    town.wait(LINGER_S + 1)
    town.find(2, "F-3", confidence=0.1)
    assert (town.incident.confidence, town.standing) == (0.1, "corroborated")


def test_a_sensor_known_to_be_at_fault_is_a_candidate_and_no_more(town: Town) -> None:
    """Stuck at flood level: no case, nobody called, the evidence says why; it stays in sight."""
    town.fault(3, device="g1")
    assert town.standing == "confirmed"
    town.find(1, device="g1", confidence=0.9)
    row = town.incident
    assert (row.standing, row.confidence, row.case) == ("candidate", 0.45, "")
    assert (row.evidence[0].doubt, row.evidence[0].confidence) == ("fault.stuck", 0.45)
    assert row.annunciated_ns is None


def test_the_flood_is_confirmed_when_the_fault_is_withdrawn(town: Town) -> None:
    """What looked like a jump goes on: the health finding ends, and the evidence counts in full."""
    town.fault(3, device="g1", reason="fault.jump")
    town.find(1, device="g1", confidence=0.9)
    flood = town.incident.id
    town.wait(60)
    town.fault(0, device="g1")
    row = town.incidents[flood]
    assert (row.standing, row.confidence, row.confirmed_ns) == ("confirmed", 0.9, 60 * S)
    assert words(row)[:3] == ["opened", "trusted", "confirmed"]
    assert (row.history[1].args["from"], row.history[1].args["to"]) == (0.45, 0.9)
    assert row.case
    assert row.annunciated_ns == 60 * S


def test_what_was_said_because_of_a_spike_counts_next_to_nothing_and_what_comes_after_in_full(
    town: Town,
) -> None:
    """A car under the beam: the next reading is back, the doubt ends as a spike, and nobody is called; a real flood is."""
    town.fault(4, device="g1", reason="fault.jump")
    town.find(1, device="g1", confidence=0.9)
    flood = town.incident.id
    town.wait(60)
    town.find(3, "F-9", at="b", device="g2", confidence=0.9)
    town.fault(0, device="g1", reason="fault.spike")
    assert town.incident.confidence == 0.9
    assert (town.incidents[flood].standing, town.incidents[flood].confidence) == ("candidate", 0.045)
    town.wait(60)
    town.find(2, device="g1", confidence=0.9)
    row = town.incidents[flood]
    assert (row.standing, row.confidence, row.severity) == ("confirmed", 0.9, 2)


@pytest.mark.parametrize("support", ["neighbour", "video", "report", "warning", "person"])
def test_a_doubted_flood_is_confirmed_by_whatever_supports_it(town: Town, support: str) -> None:
    """A doubted gauge is never discarded: another gauge, a camera, a person or the weather service confirms it."""
    town.fault(3, device="g1", confidence=0.9)
    town.find(1, device="g1", confidence=0.9, kind="pool")
    pool = town.incident.id
    assert town.incidents[pool].standing == "candidate"
    match support:
        case "neighbour":
            town.find(3, "F-2", at="b", kind="pool", confidence=0.9)
        case "video":
            town.find(3, "F-2", kind="pool", confidence=0.6, source="video", metric="video_pool")
        case "report":
            town.report(kind="pool", certainty=0.5)
        case "warning":
            town.warn(level=3)
        case _:
            town.do(ConfirmIncident(incident=pool))
    assert town.incidents[pool].standing == ("verified" if support == "person" else "confirmed")
    assert (town.incidents[pool].severity, bool(town.incidents[pool].case)) == (1, True)


def test_a_neighbour_speaks_under_the_rules_in_force(town: Town) -> None:
    """Rules by which it speaks for nobody, and then again those by which it does, forget and find it."""
    town.find(3, "F-2", at="b", kind="pool", confidence=0.9)
    before = town.desk.dump()
    deaf = domains("r2")
    town.desk.rules(replace(deaf, kinds={**deaf.kinds, "pool": replace(deaf.kinds["pool"], neighbours=0.0)}))
    town.fault(3, device="g1", confidence=0.9)
    town.find(1, device="g1", confidence=0.9, kind="pool")
    assert town.standing == "candidate"
    town.desk.rules(domains("r1"))
    town.find(1, device="g1", confidence=0.9, kind="pool", value=31.0)
    assert town.standing == "confirmed"
    same = Desk.load(before, domains("r1"))
    assert same.dump() == before


def test_a_fault_found_later_lowers_the_confidence_and_its_end_raises_it(town: Town) -> None:
    """The standing stays: what was confirmed is for a person to dismiss; both changes stand in the history."""
    town.find(2, device="g1", confidence=0.9)
    flood = town.incident.id
    town.fault(3, device="g1")
    row = town.incidents[flood]
    assert (row.confidence, row.standing, row.evidence[0].doubt) == (0.45, "confirmed", "fault.stuck")
    town.fault(0, device="g1")
    row = town.incidents[flood]
    assert (row.confidence, row.standing, row.evidence[0].doubt) == (0.9, "confirmed", "")
    assert words(row)[-2:] == ["doubted", "trusted"]


def test_doubt_is_of_the_metric_or_of_the_whole_device_and_as_strong_as_its_reason(town: Town) -> None:
    """A fault of another metric says nothing; silence concerns all; a minor one takes little away."""
    town.find(2, device="g1", confidence=0.9)
    flood = town.incident.id
    town.fault(3, device="g1", metric="battery")
    assert town.incidents[flood].confidence == 0.9
    town.fault(3, "H-2", device="g1", metric="battery", reason="fault.silent", confidence=0.5)
    assert town.incidents[flood].confidence == pytest.approx(0.9 * 0.75)
    town.fault(0, "H-2", device="g1")
    town.fault(3, "H-3", device="g1", reason="fault.minor")
    assert town.incidents[flood].confidence == pytest.approx(0.81)


def test_a_doubted_level_does_not_make_a_believed_incident_worse(town: Town) -> None:
    """A healthy gauge says IV, a stuck one I: IV, until the stuck one is trusted again."""
    town.fault(3, device="g1")
    town.find(4, confidence=0.9)
    flood = town.incident.id
    town.find(1, "F-2", device="g1", confidence=0.9)
    assert town.incidents[flood].severity == 4
    town.fault(0, device="g1")
    row = town.incidents[flood]
    assert (row.severity, row.peak) == (1, 1)
    assert row.case


def test_two_doubted_gauges_together_are_believed(town: Town) -> None:
    """Both jumped at once: that is what a cloudburst does. 1 - (1 - 0.55 * 0.9) ** 2 is above 0.7."""
    for n in (1, 2):
        town.fault(3, f"H-{n}", device=f"g{n}", confidence=0.9)
    town.find(1, device="g1", confidence=0.9)
    town.find(2, "F-2", device="g2", confidence=0.9)
    row = town.incident
    assert (row.standing, row.severity) == ("confirmed", 1)


def test_two_doubted_gauges_overrule_a_healthy_one(town: Town) -> None:
    """What each says is too little against it, what both say is believed."""
    for n in (1, 2):
        town.fault(3, f"H-{n}", device=f"g{n}", confidence=0.9)
    town.find(4, "F-0", confidence=0.9)
    town.find(1, "F-1", device="g1", confidence=0.9)
    shown = [town.incident.severity]
    town.find(2, "F-2", device="g2", confidence=0.9)
    assert [*shown, town.incident.severity] == [4, 2]


def test_of_one_source_the_strongest_evidence_that_is_over_counts(town: Town) -> None:
    """A second, fainter sighting by the same camera takes nothing away."""
    town.find(3, confidence=0.6, device="cam")
    town.find(0, device="cam")
    town.find(3, "F-2", confidence=0.3, device="cam")
    town.find(0, "F-2", device="cam")
    town.find(3, "F-3", confidence=0.5, device="g1")
    assert town.incident.confidence == 0.8


def test_health_matters_call_nobody_at_the_desk_and_can_be_dismissed(town: Town) -> None:
    """They are work for maintenance; a person who finds the sensor in order takes the doubt away."""
    town.fault(3, device="g1")
    fault = town.incident
    assert (fault.standing, fault.place, fault.annunciated_ns) == ("confirmed", "g1", None)
    town.find(2, device="g1", confidence=0.9)
    flood = town.incident.id
    assert town.do(DismissIncident(incident=fault.id)).ok
    assert (town.incidents[flood].confidence, town.incidents[flood].standing) == (0.9, "confirmed")
    town.fault(3, device="g1", t_s=5)
    assert town.incidents[flood].confidence == 0.9


def test_false_alarms_teach_and_true_ones_too() -> None:
    """Each false alarm takes a little; after three running a device confirms nothing alone any more."""
    shown = []
    town = Town()
    for n in range(4):
        town.find(2, f"F-{n}", device="cam", confidence=0.9)
        shown.append((town.incident.confidence, town.standing))
        if town.standing == "candidate":
            break
        assert town.do(CloseCase(case=town.case.id, result="false_alarm")).ok
        town.find(0, f"F-{n}", device="cam")
    assert [c for c, _ in shown] == pytest.approx(
        [0.9 * PRIOR / (PRIOR + n) for n in range(len(shown))], abs=1e-4
    )
    assert shown[-1][1] == "candidate"
    assert town.do(ConfirmIncident(incident=town.incident.id)).ok
    town.find(0, f"F-{len(shown) - 1}", device="cam")
    town.wait(LINGER_S)
    town.find(2, "F-9", device="cam", confidence=0.9)
    assert town.incident.confidence == pytest.approx(
        0.9 * (PRIOR + 1) / (PRIOR + 1 + len(shown) - 1), abs=1e-4
    )


def test_verdicts_fade(town: Town) -> None:
    """After the half-life one false alarm counts half."""
    assert faith(Trust(0.0, 1.0, 0), HALF_NS) == pytest.approx(PRIOR / (PRIOR + 0.5), abs=1e-6)
    assert faith(Trust(3.0, 1.0, 0), 0) == pytest.approx((PRIOR + 3) / (PRIOR + 4), abs=1e-6)
    assert faith(None, 0) == 1.0
    town.find(2)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    town.wait(HALF_NS / S)
    town.find(2, "F-2", device="dev-F-1", confidence=0.9)
    assert town.incident.confidence == pytest.approx(0.9 * PRIOR / (PRIOR + 0.5), abs=1e-4)


def test_a_verdict_is_counted_once_and_can_be_taken_back(town: Town) -> None:
    """Confirmed, confirmed again, then a false alarm after all: the device is charged with one false alarm."""
    town.find(2, device="g1")
    for _ in range(2):
        town.do(ConfirmIncident(incident=town.incident.id))
    trust = town.desk._state.trust["g1"]["water_depth"]
    assert (trust.right, trust.wrong) == (1.0, 0.0)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    trust = town.desk._state.trust["g1"]["water_depth"]
    assert (trust.right, trust.wrong) == (0.0, 1.0)


def test_a_sensor_known_to_be_at_fault_is_not_blamed(town: Town) -> None:
    """Its repair must not leave it distrusted; the others are charged."""
    town.fault(3, device="g1")
    town.find(2, device="g1")
    town.find(2, "F-2", device="g2", confidence=0.6)
    town.do(CloseCase(case=town.case.id, result="false_alarm"))
    assert list(town.desk._state.trust) == ["g2"]


def test_a_person_verifies(town: Town) -> None:
    """ConfirmIncident: verified and worked on, acknowledged by who said so; again changes nothing."""
    town.find(2, confidence=0.3)
    assert town.do(ConfirmIncident(incident=town.incident.id)).ok
    row = town.incident
    assert (row.standing, row.confidence, row.acknowledged_by) == ("verified", CAP, "desk-0")
    assert row.case
    town.find(2, "F-2", at="b")
    town.do(Acknowledge(incident=town.incident.id), "desk-1")
    town.do(ConfirmIncident(incident=town.incident.id))
    assert town.incident.acknowledged_by == "desk-1"
    town.incidents[row.id] = town.incidents.pop(row.id)
    assert len(town.command(ConfirmIncident(incident=row.id))) == 1
    town.find(3, confidence=0.2)
    assert (town.standing, town.incident.confidence) == ("verified", CAP)


def test_a_unit_confirms_only_what_it_has_seen(town: Town) -> None:
    """On its way it may not; on the scene it may; others may not."""
    town.find(2)
    confirm = ConfirmIncident(incident=town.incident.id)
    assert town.do(confirm, "pump1").code == "command.not_allowed"
    town.receipt(town.order, "on_scene")
    assert town.do(confirm, "pump2").code == "command.not_allowed"
    assert town.do(confirm, "pump1").ok
    assert town.standing == "verified"


def test_dismissing_is_for_incidents_without_a_case(town: Town) -> None:
    """A false alarm ends it and mutes its evidence; with a case, the case is to be closed."""
    town.find(3)
    assert town.do(DismissIncident(incident=town.incident.id, note="洒水车")).ok
    assert (town.state, town.incident.history[-1].args) == (
        "closed",
        {"reason": "false_alarm", "note": "洒水车"},
    )
    assert town.find(3) == []
    town.find(2, "F-2")
    assert town.do(DismissIncident(incident=town.incident.id)).code == "incident.has_case"
    assert town.do(DismissIncident(incident="I-none")).code == "incident.unknown"


def test_a_case_passed_by_a_person_verifies_and_one_closed_by_the_sensors_does_not(town: Town) -> None:
    """Only people's verdicts teach."""
    town.find(2)
    town.receipt(town.order, "done")
    town.do(CloseCase(case=town.case.id))
    assert town.standing == "verified"
    assert town.desk._state.trust["dev-F-1"]["water_depth"].right == 1.0
    town.find(0)
    town.wait(LINGER_S)
    town.find(2, "F-2")
    town.receipt(town.order, "done")
    town.find(0, "F-2")
    town.wait(1)
    assert (town.stage, town.standing) == ("closed", "confirmed")
    assert list(town.desk._state.trust) == ["dev-F-1"]


def test_a_rule_that_goes_takes_the_doubt_along_only_when_the_finding_ends(town: Town) -> None:
    """The health kind may leave the rules while its incident is open; its end is still understood."""
    town.fault(3, device="g1")
    town.desk.rules(domains("r2", without=("fault",)))
    town.find(2, device="g1", confidence=0.9)
    assert town.standing == "candidate"
    assert not any(isinstance(b, Trouble) for b in town.fault(0, device="g1"))
    assert town.standing == "confirmed"
