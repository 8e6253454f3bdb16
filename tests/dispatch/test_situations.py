"""A storm is one situation with many sites."""

from dataclasses import replace

import pytest

from dispatch.situations import SITES
from tests.dispatch.town import LINGER_S, STORM, S, Town, domains, place, words
from yiwang.model import Acknowledge, ConfirmIncident, Incident, Situation

POOLS = tuple(place(f"p{n}", f"z{n % 7}", 113.0 + n * 0.01) for n in range(400))


@pytest.fixture
def town() -> Town:
    made = Town()
    made.places(*POOLS)
    return made


def flood(town: Town, n: int, level: int = 3, **changes: object) -> Incident:
    """Site ``n`` is flooded."""
    town.find(level, f"P-{n}", at=f"p{n}", kind="pool", **{"confidence": 0.9, **changes})
    return next(i for i in town.incidents.values() if i.place == f"p{n}")


def calls(town: Town) -> list[tuple[str, int]]:
    """(id, when) of every time people were called upon."""
    found: dict[tuple[str, int], None] = {}
    for body in town.said:
        if isinstance(body, Incident | Situation) and body.annunciated_ns is not None:
            found[body.id, body.annunciated_ns] = None
        if isinstance(body, Incident):
            for s in body.history:
                if s.what == "severity" and s.args["unacknowledged"]:
                    found[body.id, s.t_ns] = None
    return list(found)


def test_three_sites_in_time_are_a_situation(town: Town) -> None:
    """Two are told singly, the third opens the situation, which takes all three in."""
    first, second = flood(town, 1), flood(town, 2)
    assert (first.situation, first.annunciated_ns, town.situations) == ("", 0, {})
    town.wait(STORM.window_s)
    third = flood(town, 3)
    s = town.situation
    assert (s.kind, s.state, s.severity, s.peak, s.sites) == ("storm", "open", 3, 3, 3)
    assert s.incidents == (first.id, second.id, third.id)
    assert s.zones == ("z1", "z2", "z3")
    assert (third.situation, third.annunciated_ns) == (s.id, None)
    assert town.incidents[first.id].situation == s.id
    assert s.annunciated_ns == round(STORM.window_s * S)
    assert words(s) == ["opened", "site", "site", "site"]
    assert words(town.incidents[first.id])[-1] == "joined"


def test_sites_too_far_apart_in_time_are_single_incidents(town: Town) -> None:
    """The third comes a second after the window."""
    flood(town, 1)
    town.wait(1)
    flood(town, 2)
    town.wait(STORM.window_s)
    flood(town, 3)
    assert not town.situations


def test_candidates_and_other_kinds_do_not_count(town: Town) -> None:
    """Until they are confirmed."""
    for n in (1, 2):
        flood(town, n)
    third = flood(town, 3, confidence=0.3, source="video")
    town.find(3, "G-1", kind="smell")
    assert not town.situations
    town.do(ConfirmIncident(incident=third.id))
    assert town.situation.sites == 3


def test_a_warning_in_force_and_one_site_are_enough(town: Town) -> None:
    """An orange warning opens it with the first site, a yellow one does not; the warning's id is in it."""
    town.warn("W-3", level=3)
    flood(town, 1)
    assert not town.situations
    town.warn("W-2", level=2, event="storm")
    s = town.situation
    assert (s.sites, s.warning, s.severity) == (1, "W-2", 2)
    town.warn("W-2", cancelled=True)
    assert town.situation.warning == "W-3"
    town.warn("W-3", cancelled=True)
    assert (town.situation.warning, town.situation.severity, town.situation.peak) == ("", 3, 2)


def test_a_warning_with_nothing_happening_opens_nothing(town: Town) -> None:
    """A forecast alone is no situation."""
    town.warn(level=1)
    town.wait(60)
    assert not town.situations


def test_it_is_as_severe_as_its_worst_site_or_their_number(town: Town) -> None:
    """Five sites make it II, a site at I makes it I; when they ease it does too, and its peak stays."""
    for n in range(4):
        flood(town, n)
    shown = [town.situation.severity]
    flood(town, 4)
    shown.append(town.situation.severity)
    flood(town, 2, 1)
    shown.append(town.situation.severity)
    flood(town, 2, 4)
    shown.append(town.situation.severity)
    for n in range(5):
        flood(town, n, 0)
    shown.append(town.situation.severity)
    assert shown == [3, 2, 1, 2, 3]
    assert town.situation.peak == 1


def test_it_closes_when_all_is_over_for_long(town: Town) -> None:
    """Not while a site is open or a warning is in force; afterwards the next storm is another situation."""
    for n in range(3):
        flood(town, n)
    for n in range(3):
        flood(town, n, 0)
    town.wait(STORM.linger_s - 1)
    flood(town, 7)
    assert town.situation.sites == 4
    flood(town, 7, 0)
    town.warn(until_s=5000, level=4)
    town.wait(STORM.linger_s)
    assert town.situation.state == "open"
    town.wait(5000 - town.now_s)
    s = town.situation
    assert (s.state, s.closed_ns, s.incidents) == ("closed", 5000 * S, ())
    for n in range(3):
        flood(town, n, device="new")
    assert len(town.situations) == 2
    assert town.situation.state == "open"


def test_the_incident_of_a_second_storm_at_the_same_site_joins_the_second(town: Town) -> None:
    """An incident that outlives its situation can be part of the next."""
    for n in range(3):
        flood(town, n)
    first = town.situation.id
    for n in range(3):
        town.find(0, f"P-{n}", at=f"p{n}", kind="pool")
    assert town.desk._state.quiet[first] == 0
    flood(town, 1)
    assert town.desk._state.quiet == {}
    assert town.incidents[town.situation.incidents[1]].state == "open"


def test_a_storm_that_comes_back_to_the_same_incidents_is_another(town: Town) -> None:
    """The situation closed while its incidents lingered; they reopen, and open a situation with an id of its own."""
    for n in range(3):
        flood(town, n)
    for n in range(3):
        flood(town, n, 0)
    town.wait(STORM.linger_s)
    first = town.situation
    assert first.state == "closed"
    for n in range(3):
        flood(town, n)
    assert town.situation.state == "open"
    assert town.situation.id != first.id
    assert len(town.incidents) == 3
    assert {i.situation for i in town.incidents.values()} == {town.situation.id}


def test_acknowledging_a_situation(town: Town) -> None:
    """By its id; worse than ever needs a person's eye again, swinging does not."""
    for n in range(3):
        flood(town, n)
    assert town.do(Acknowledge(incident=town.situation.id)).ok
    assert len(town.command(Acknowledge(incident=town.situation.id), "desk-1")) == 1
    assert town.situation.acknowledged_by == "desk-0"
    town.wait(60)
    flood(town, 0, 2)
    assert (town.situation.acknowledged_by, town.situation.annunciated_ns) == ("", 60 * S)
    town.do(Acknowledge(incident=town.situation.id))
    for _ in range(5):
        town.wait(300)
        flood(town, 0, 3)
        flood(town, 0, 2)
    assert (town.situation.acknowledged_by, town.situation.annunciated_ns) == ("desk-0", 60 * S)


def test_a_site_at_level_one_is_told_singly_but_not_too_many_at_once(town: Town) -> None:
    """Two within ten minutes (the pack's ``calls``); the next ones when there is room, if they still need it."""
    for n in range(3):
        flood(town, n)
    for n in (4, 5, 6, 7):
        flood(town, n, 1)
    told = [i.place for i in town.incidents.values() if i.severity == 1 and i.annunciated_ns is not None]
    assert told == ["p4", "p5"]
    town.do(Acknowledge(incident=next(i.id for i in town.incidents.values() if i.place == "p6")))
    town.wait(STORM.calls_s)
    told = [i.place for i in town.incidents.values() if i.severity == 1 and i.annunciated_ns is not None]
    assert told == ["p4", "p5", "p7"]


def test_a_storm_of_300_sites_calls_at_most_ten_times_in_ten_minutes(town: Town) -> None:
    """300 sites in 20 min, a tenth of them at level I, all swinging and acknowledged at once by an eager desk."""
    for n in range(300):
        town.wait(4)
        flood(town, n, 1 if n % 10 == 9 else 2 + n % 3)
        if n > 20:
            flood(town, n - 20, 2 + (n + 1) % 3)
            flood(town, n - 20, 2 + n % 3)
        for i in list(town.incidents.values())[-3:]:
            if i.annunciated_ns is not None and not i.acknowledged_by:
                town.do(Acknowledge(incident=i.id))
    assert len(town.situations) == 1
    assert (town.situation.sites, town.situation.severity) == (300, 1)
    moments = sorted(t for _, t in calls(town))
    busiest = max(sum(0 <= t - start < 600 * S for t in moments) for start in moments)
    assert 3 <= busiest <= 10
    assert len(town.situation.history) == 128
    assert len(town.situation.incidents) == 300 <= SITES


def test_rules_may_change_while_a_situation_is_open(town: Town) -> None:
    """Its kind may leave the rules: it goes on under its old plan and closes."""
    for n in range(3):
        flood(town, n)
    without = domains("r2", without=("pool",))
    town.desk.rules(type(without)(**{n: getattr(without, n) for n in without.__slots__ if n != "situations"}))
    for n in range(3):
        flood(town, n, 0)
    town.wait(STORM.linger_s)
    assert town.situation.state == "closed"
    town.wait(LINGER_S)
    assert {i.state for i in town.incidents.values()} == {"closed"}


def test_rules_under_which_a_kind_is_no_part_of_it_end_the_situation(town: Town) -> None:
    """Its sites are single incidents from then on; it closes in time, and the desk goes on."""
    for n in range(3):
        flood(town, n)
    now = domains("r2")
    town.desk.rules(replace(now, kinds={**now.kinds, "pool": replace(now.kinds["pool"], situation="")}))
    for n in range(3):
        flood(town, n, 0)
    town.wait(LINGER_S)
    town.wait(LINGER_S)
    assert town.situation.state == "closed"
    assert {i.state for i in town.incidents.values()} == {"closed"}
    town.desk.rules(domains("r3"))
    for n in range(3):
        flood(town, n, device="new")
    assert town.situation.state == "open"
    assert town.situation.sites == 3
