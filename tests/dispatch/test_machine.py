"""Whatever comes, in whatever order, the desk keeps its laws."""

from collections import Counter
from typing import Any, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from dispatch.city import CityDesk
from dispatch.desk import Desk
from dispatch.orders import LIVE
from tests.dispatch.town import LINGER_S, PLACES, STORM, UNITS, S, domains, finding, place, unit
from yiwang.model import (
    Acknowledge,
    Body,
    Case,
    CloseCase,
    Command,
    CommandResult,
    ConfirmIncident,
    DismissIncident,
    Dispatch,
    Finding,
    Incident,
    MergeIncidents,
    Order,
    Receipt,
    Report,
    RequestSupport,
    SendReceipt,
    Situation,
    SplitIncident,
    SupportAnswer,
    SupportNeeded,
    SupportOffer,
    Trouble,
    UnitState,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Registry

RANKS: tuple[type, ...] = (Finding, Incident, Situation, Case, Order, UnitState, object, CommandResult)
OBJECTS = Incident | Situation | Case | Order | UnitState
SUPPORT = (SupportNeeded, SupportOffer, Trouble)
NEARBY = (place("d", "", 113.002), place("e", "ring", 113.004))
"""200 m from a, and from each other: near_m of a leak is 300 m."""
KINDS = ["flood", "flood", "jam", "gas", "smell", "rain", "leak", "leak", "pool", "pool", "pool", "nonsense"]
DEVICES = st.sampled_from(["d0", "d1", "d2", "d3"])
STANDINGS = ["candidate", "confirmed", "corroborated", "verified"]
PEOPLE = st.sampled_from(["desk-0", "desk-city", "city", "pump1", "pump2", "tow1"])


def rank(body: Body) -> int:
    return 6 if isinstance(body, SUPPORT) else RANKS.index(type(body))


Row = tuple[str, str, str, str, float]
"""Id, place, kind, device, confidence of a finding."""


class DeskMachine(RuleBasedStateMachine):
    """A desk beside one that is dumped and loaded before every call; both must say the same."""

    findings = Bundle("findings")

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.twin = Desk(0), Desk(0)
        for desk in (self.desk, self.twin):
            desk.rules(domains())
        self.now_s = 0.0
        self.seen: dict[str, Any] = {}
        self.n = 0
        self.results: Counter[str] = Counter()
        self.commands = 0
        self.closings: Counter[str] = Counter()
        self.heard: set[str] = set()

    # ---- hearing both desks, and the laws of what they say ----

    def hear(self, call: str, *args: Any) -> list[Body]:
        self.twin = Desk.load(self.twin.dump(), domains())
        bodies: list[Body] = getattr(self.desk, call)(*args)
        assert bodies == getattr(self.twin, call)(*args), "dump and load change nothing"
        assert self.desk.dump() == self.twin.dump()
        assert [rank(b) for b in bodies] == sorted(rank(b) for b in bodies), "in order of kind"
        objects = [b for b in bodies if isinstance(b, OBJECTS)]
        assert len({b.id for b in objects}) == len(objects), "each object once"
        for row in objects:
            self.check(row)
        for body in bodies:
            if isinstance(body, SupportNeeded):
                assert body.id not in self.seen, "asked once"
                self.seen[body.id] = body
        return bodies

    def check(self, body: OBJECTS) -> None:
        old = self.seen.get(body.id)
        assert body.rev == (1 if old is None else old.rev + 1), "revisions rise by one"
        if isinstance(body, Incident):
            assert 1 <= body.peak <= body.severity <= 4
            assert old is None or old.state != "closed", "closed is closed"
            self.closings[body.id] += body.state == "closed"
            assert self.closings[body.id] <= 1
            assert (body.closed_ns is not None) == (body.state == "closed")
            self.believe(body, old)
        elif isinstance(body, Situation):
            assert 1 <= body.peak <= body.severity <= 4
            assert old is None or old.state != "closed", "closed is closed"
            assert (body.closed_ns is not None) == (body.state == "closed")
            assert len(body.incidents) <= body.sites
            assert all(self.seen[i].situation == body.id for i in body.incidents)
        elif isinstance(body, Case):
            assert (body.closed_ns is not None) == (body.stage == "closed") == bool(body.result)
        elif isinstance(body, Order):
            assert body.receipts[-1].what in {body.state, "overdue"}
            assert body.deadline_ns is None or body.state in LIVE
        if not isinstance(body, UnitState) and old is not None:
            assert body.updated_ns >= old.updated_ns
        self.seen[body.id] = body

    def believe(self, body: Incident, old: Incident | None) -> None:
        """Laws of what an incident says about how far it is believed."""
        live = [e.level for e in body.evidence if e.level and e.source != "warning"]
        if body.state == "open":
            assert body.severity in live, "as severe as some evidence"
            assert body.standing != "candidate" or min(live) == body.severity, "a candidate as the worst"
        assert body.state != "cleared" or (not live and body.cleared_ns is not None)
        assert 0 < body.confidence < 1
        assert (body.confirmed_ns is None) == (body.standing == "candidate")
        assert body.confirmed_ns is None or body.confirmed_ns >= body.opened_ns
        assert body.annunciated_ns is None or body.standing != "candidate" or body.split_from
        assert old is None or STANDINGS.index(body.standing) >= STANDINGS.index(old.standing), "never falls"
        assert bool(body.merged_into) == (
            body.state == "closed" and body.history[-1].args.get("reason") == "merged"
        )
        if old is None or body.history[-1] != old.history[-1]:
            steps = [s.what for s in body.history]
            assert steps[0] == "opened"
            assert steps.count("closed") == (body.state == "closed")

    def all(self, kind: type) -> list[Any]:
        return [b for b in self.seen.values() if isinstance(b, kind)]

    def pick(self, kind: type, i: int) -> str:
        """An id seen before (the newest ones are likelier), or one that never was."""
        ids = [b.id for b in self.all(kind)][-6:]
        return ids[i] if i < len(ids) else "none"

    # ---- what comes in ----

    @initialize()
    def register(self) -> None:
        self.hear("registry", Registry(version=1, places=PLACES + NEARBY, units=UNITS))

    @rule(
        target=findings,
        level=st.integers(1, 4),
        at=st.sampled_from(["a", "b", "c", "d", "e", "x"]),
        kind=st.sampled_from(KINDS),
        device=DEVICES,
        confidence=st.sampled_from([0.2, 0.5, 0.9, 1.0]),
    )
    def starts(self, level: int, at: str, kind: str, device: str, confidence: float) -> Row:
        self.n += 1
        row = (f"F-{self.n}", at, kind, device, confidence)
        self.finds(level, row)
        return row

    @rule(target=findings, device=DEVICES, reason=st.sampled_from(["fault.stuck", "fault.silent"]))
    def breaks(self, device: str, reason: str) -> Row:
        self.n += 1
        row = (f"F-{self.n}", "a", "fault", device, 0.9)
        self.finds(3, row, reason=reason)
        return row

    @rule(what=findings, level=st.integers(1, 4))
    def changes(self, what: Row, level: int) -> None:
        self.finds(level, what)

    @rule(target=findings, what=consumes(findings))
    def ends(self, what: Row) -> Any:
        self.finds(0, what)
        return multiple()

    def finds(self, level: int, row: Row, **changes: Any) -> None:
        id_, at, kind, device, confidence = row
        f = finding(
            level,
            id_,
            self.now_s,
            at,
            kind,
            value=float(level),
            device=device,
            confidence=confidence,
            source="video" if confidence == 0.5 else "sensor",
            metric=f"m{confidence}",
            **changes,
        )
        self.hear("finding", f, round(self.now_s * S))

    @rule(
        n=st.integers(0, 9),
        kind=st.sampled_from(KINDS),
        by=st.sampled_from(["", "p", "q"]),
        at=st.sampled_from(["a", "", "x"]),
        level=st.integers(1, 4),
    )
    def reports(self, n: int, kind: str, by: str, at: str, level: int) -> None:
        r = Report(
            report_id=f"R-{n}",
            kind=kind,
            by=by,
            t_ns=round(self.now_s * S),
            ingest_ns=0,
            place=at,
            lon=113.003,
            lat=23.0,
            level=level,
        )
        for body in self.hear("report", r, round(self.now_s * S)):
            if isinstance(body, Finding):
                assert body.id not in self.heard, "heard once"
                self.heard.add(body.id)

    @rule(
        n=st.integers(0, 2),
        level=st.integers(1, 4),
        event=st.sampled_from(["storm", "rainstorm", "flood", "pool", "x"]),
        areas=st.sampled_from([(), ("ring",)]),
        begins_s=st.sampled_from([0.0, 100.0]),
        lasts_s=st.sampled_from([50.0, 1000.0]),
        cancelled=st.booleans(),
    )
    def warns(
        self,
        n: int,
        level: int,
        event: str,
        areas: tuple[str, ...],
        begins_s: float,
        lasts_s: float,
        *,
        cancelled: bool,
    ) -> None:
        t_ns = round((self.now_s + begins_s) * S)
        w = OutsideWarning(
            warning_id=f"W-{n}",
            event=event,
            level=level,
            t_ns=t_ns,
            until_ns=t_ns + round(lasts_s * S),
            ingest_ns=0,
            areas=areas,
            cancelled=cancelled,
        )
        self.hear("warning", w, round(self.now_s * S))

    @rule(seconds=st.sampled_from([0.0, 1.0, 60.0, 121.0, 601.0, 4000.0]))
    def ticks(self, seconds: float) -> None:
        self.now_s += seconds
        self.hear("tick", round(self.now_s * S))

    @rule(name=st.sampled_from(["pump1", "pump2", "new"]), on_duty=st.booleans())
    def duty(self, name: str, on_duty: bool) -> None:
        self.hear("registry", Registry(version=2, units=(unit(name, "drainage", 113.3, on_duty=on_duty),)))

    @rule(without=st.sampled_from([(), ("flood",), ("jam", "gas")]))
    def new_rules(self, without: tuple[str, ...]) -> None:
        for desk in (self.desk, self.twin):
            desk.rules(domains("r2", without=without))
            desk.rules(domains())

    @rule(i=st.integers(0, 6), by=PEOPLE)
    def acknowledges(self, i: int, by: str) -> None:
        self.orders(Acknowledge(incident=self.pick(Incident, i)), by)

    @rule(i=st.integers(0, 6), receipt=st.sampled_from(get_args(Receipt)), own=st.booleans(), by=PEOPLE)
    def receives(self, i: int, receipt: Receipt, own: bool, by: str) -> None:
        id_ = self.pick(Order, i)
        order = self.seen.get(id_)
        self.orders(
            SendReceipt(order=id_, receipt=receipt),
            order.unit if own and isinstance(order, Order) else by,
        )

    @rule(i=st.integers(0, 6), name=st.sampled_from(["pump1", "pump2", "tow1", "gas1", "new", "none"]))
    def dispatches(self, i: int, name: str) -> None:
        self.orders(Dispatch(incident=self.pick(Incident, i), unit=name), "desk-0")

    @rule(i=st.integers(0, 6), result=st.sampled_from(["pass", "false_alarm"]), by=PEOPLE)
    def closes(self, i: int, result: Any, by: str) -> None:
        self.orders(CloseCase(case=self.pick(Case, i), result=result), by)

    @rule(i=st.integers(0, 6), by=PEOPLE)
    def confirms(self, i: int, by: str) -> None:
        self.orders(ConfirmIncident(incident=self.pick(Incident, i)), by)

    @rule(i=st.integers(0, 6))
    def dismisses(self, i: int) -> None:
        self.orders(DismissIncident(incident=self.pick(Incident, i)), "desk-0")

    @rule(i=st.integers(0, 6), j=st.integers(0, 6))
    def merges(self, i: int, j: int) -> None:
        self.orders(MergeIncidents(incident=self.pick(Incident, i), into=self.pick(Incident, j)), "desk-0")

    @rule(i=st.integers(0, 6))
    def merges_like_ones(self, i: int) -> None:
        one = self.seen.get(self.pick(Incident, i))
        if one:
            others = [b.id for b in self.all(Incident) if b.kind == one.kind and b.state != "closed"]
            self.orders(MergeIncidents(incident=one.id, into=others[-1] if others else "none"), "desk-0")

    @rule(i=st.integers(0, 6), n=st.integers(0, 3))
    def splits(self, i: int, n: int) -> None:
        row = self.seen.get(self.pick(Incident, i))
        live = [e.finding for e in row.evidence if e.level and e.source != "warning"] if row else []
        self.orders(SplitIncident(incident=row.id if row else "none", findings=tuple(live[:n])), "desk-0")

    @rule(i=st.integers(0, 6), by=PEOPLE)
    def acknowledges_situations(self, i: int, by: str) -> None:
        self.orders(Acknowledge(incident=self.pick(Situation, i)), by)

    @rule(n=st.integers(0, 3), skill=st.sampled_from(["drainage", "gas"]))
    def is_asked(self, n: int, skill: str) -> None:
        request = RequestSupport(
            request=f"S-far{n}",
            from_district=1,
            incident=f"I-far{n}",
            incident_kind="flood",
            severity=1,
            place_name_zh="远",
            place_name_en="far",
            skill=skill,
            lon=113.5,
            lat=23.0,
        )
        self.orders(request, "city")

    @rule(i=st.integers(0, 6), granted=st.booleans())
    def is_answered(self, i: int, granted: bool) -> None:
        asked = self.seen.get(self.pick(SupportNeeded, i))
        incident = asked.incident if asked else "none"
        request = asked.id if asked else "none"
        name = "远队" if granted else ""
        self.orders(
            SupportAnswer(request=request, incident=incident, granted=granted, unit_name_zh=name), "city"
        )

    def orders(self, action: Any, by: str) -> None:
        self.commands += 1
        c = Command(
            command_id=f"c{self.commands}", by=by, t_ns=round(self.now_s * S), ingest_ns=0, action=action
        )
        for repeat in (False, True):
            bodies = self.hear("command", c, round(self.now_s * S))
            results = [b for b in bodies if isinstance(b, CommandResult)]
            (result,) = results
            assert bodies[-1] is result
            assert result.command_id == c.command_id
            assert len(bodies) == 1 or (result.ok and not repeat), "refused or repeated: no other body"
            assert (result.code == "command.repeat") == repeat
            assert result.ok == (not result.code or repeat)

    # ---- laws of the whole ----

    @invariant()
    def one_open_incident_for_each_kind_and_place(self) -> None:
        """But for those that a person split."""
        keys = [(b.kind, b.place) for b in self.all(Incident) if b.state != "closed" and not b.split_from]
        assert len(keys) == len(set(keys))

    @invariant()
    def one_situation_of_a_kind_is_open(self) -> None:
        assert sum(b.state == "open" for b in self.all(Situation)) <= 1

    @invariant()
    def what_is_merged_is_in_what_it_went_into(self) -> None:
        for b in self.all(Incident):
            if b.merged_into:
                assert b.id in self.seen[b.merged_into].merged_from

    @invariant()
    def a_unit_has_one_live_order_at_most_and_knows_it(self) -> None:
        live = [b for b in self.all(Order) if b.state in LIVE]
        assert len({b.unit for b in live}) == len(live)
        assert {b.id: b.order for b in self.all(UnitState) if b.order} == {b.unit: b.id for b in live}

    @invariant()
    def a_case_has_the_stage_of_its_orders(self) -> None:
        for case in self.all(Case):
            states = [self.seen[o].state for o in case.orders]
            live = [s for s in states if s in LIVE]
            assert self.seen[case.incident].case == case.id
            assert not (case.stage in {"checking", "closed"} and live)
            assert case.stage != "closed" or "done" not in states

    def teardown(self) -> None:
        """Nothing is kept of what is over: cases closed, help ended, time gone by, only open incidents remain."""
        for case in self.all(Case):
            self.orders(CloseCase(case=case.id, result="false_alarm"), "desk-0")
        for order in self.all(Order):
            self.orders(SendReceipt(order=order.id, receipt="cancelled"), "desk-0")
        for later_s in (LINGER_S, 2 * LINGER_S, 2 * LINGER_S + STORM.linger_s + 2000):
            self.hear("tick", round((self.now_s + later_s) * S))
        state = self.desk._state
        incidents = state.incidents.values()
        kept = set(state.incidents)
        assert kept == {i.id for i in self.all(Incident) if i.state != "closed"}
        assert kept == set(state.live)
        assert set(state.open.values()) <= kept
        assert kept - set(state.open.values()) <= {i.id for i in incidents if i.split_from or i.merged_from}
        assert set(state.cases) == set(state.notes) == {i.case for i in incidents if i.case}
        assert set(state.orders) == {order for case in state.cases.values() for order in case.orders}
        assert not state.helps
        assert set(state.asks) <= kept
        assert set(state.found.values()) <= kept
        assert {f for live in state.live.values() for f in live} == set(state.found)
        for table in (state.past, state.told, state.verdicts):
            assert set(table) <= kept
        assert {i for sure in state.sure.values() for i in sure} <= kept
        believed = {i.id for i in incidents if i.state == "open" and i.standing != "candidate"}
        assert {i for sites in state.sites.values() for i in sites} == {
            i for i in believed if state.incidents[i].kind == "pool"
        }
        assert set(state.storms.values()) == set(state.situations)
        assert set(state.calls) | set(state.quiet) <= set(state.situations)
        assert not state.reports
        assert not state.warnings
        assert not state.in_force
        assert {h for doubts in state.doubts.values() for h in doubts} <= set(state.found)


TestDeskMachine = pytest.mark.slow(DeskMachine.TestCase)
TestDeskMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)


def test_the_city_ends_every_search() -> None:
    """With everybody refusing, one request leads to one question a district and one answer."""
    city = CityDesk((0, 1, 2, 3))
    needed = SupportNeeded(
        id="S-1",
        district=2,
        incident="I",
        incident_kind="flood",
        severity=1,
        place_name_zh="",
        place_name_en="",
        skill="drainage",
        lon=0.0,
        lat=0.0,
        t_ns=0,
    )
    queue = city.output(2, needed, 0)
    went: list[tuple[int, str]] = []
    while queue:
        to, command = queue.pop(0)
        went.append((to, type(command.action).__name__))
        refusal = SupportOffer(request="S-1", district=to, for_district=2, incident="I", granted=False)
        queue += city.output(to, refusal, 0)
    assert went == [
        (0, "RequestSupport"),
        (1, "RequestSupport"),
        (3, "RequestSupport"),
        (2, "SupportAnswer"),
    ]
