"""Objects, posts and hubs to test with."""

import json
from collections import Counter
from typing import Any

from ws_server.city import City
from ws_server.hub import Hub
from ws_server.posts import Post, posts_of
from ws_server.session import Session
from ws_server.stages import Stages
from ws_server.store import Store
from ws_server.view import Change, LiveView
from ws_server.watching import Watching
from yiwang.clock import SECOND, ManualClock
from yiwang.domains import load_rules
from yiwang.model import Body, Case, CommandResult, Finding, Incident, Order, Output, Situation, UnitState
from yiwang.registry import District, Registry, Text, Unit
from yiwang.runs import Run
from yiwang.topics import Topics

T0 = 1_780_000_000 * SECOND


def incident(key: str = "I-1", rev: int = 1, **given: Any) -> Incident:
    fields: dict[str, Any] = {
        "district": 0,
        "domain": "flooding",
        "kind": "road_flooding",
        "place": "UP-1",
        "place_name_zh": "学院路下穿",
        "place_name_en": "Xueyuan Road underpass",
        "lon": 112.6,
        "lat": 23.9,
        "state": "open",
        "severity": 2,
        "peak": 2,
        "opened_ns": T0,
        "updated_ns": T0 + rev,
    }
    return Incident(id=key, rev=rev, **{**fields, **given})


def situation(key: str = "T-1", rev: int = 1, **given: Any) -> Situation:
    fields: dict[str, Any] = {
        "district": 0,
        "kind": "storm",
        "state": "open",
        "severity": 2,
        "peak": 2,
        "opened_ns": T0,
        "updated_ns": T0 + rev,
        "incidents": ("I-1",),
        "sites": 1,
    }
    return Situation(id=key, rev=rev, **{**fields, **given})


def case(key: str = "C-1", rev: int = 1, **given: Any) -> Case:
    fields: dict[str, Any] = {
        "district": 0,
        "incident": "I-1",
        "category": "flooding",
        "severity": 2,
        "stage": "accepted",
        "opened_ns": T0,
        "updated_ns": T0 + rev,
        "deadline_ns": None,
    }
    return Case(id=key, rev=rev, **{**fields, **given})


def order(key: str = "O-1", rev: int = 1, **given: Any) -> Order:
    fields: dict[str, Any] = {
        "district": 0,
        "case": "C-1",
        "incident": "I-1",
        "incident_kind": "road_flooding",
        "severity": 2,
        "unit": "U-1",
        "place_name_zh": "学院路下穿",
        "place_name_en": "Xueyuan Road underpass",
        "lon": 112.6,
        "lat": 23.9,
        "state": "sent",
        "sent_ns": T0,
        "updated_ns": T0 + rev,
        "deadline_ns": None,
    }
    return Order(id=key, rev=rev, **{**fields, **given})


def unit_state(key: str = "U-1", rev: int = 1) -> UnitState:
    return UnitState(id=key, rev=rev, district=0, on_duty=True, order="", t_ns=T0)


def finding() -> Finding:
    return Finding(
        id="F-1",
        detector="depth.ladder",
        version="1",
        domain="flooding",
        kind="road_flooding",
        series=0,
        device="WL-1",
        metric="water_depth",
        place="UP-1",
        level=2,
        since_ns=T0,
        t_ns=T0,
        value=30.0,
        limit=27.0,
        reason="above",
    )


def result(key: str, by: str) -> CommandResult:
    return CommandResult(command_id=key, by=by, ok=True, t_ns=T0)


DISTRICTS = tuple(
    District(number=n, code=f"90010{n}", name=Text(zh, en))
    for n, zh, en in ((0, "云溪区", "Yunxi"), (1, "澄湖区", "Chenghu"))
)
UNITS = {
    n: Registry(
        version=1,
        units=tuple(
            Unit(id=key, district=n, name=Text(key), skill="drainage", lon=112.6, lat=23.9) for key in keys
        ),
    )
    for n, keys in ((0, ("U-1", "U-2")), (1, ("U-3",)))
}
POSTS: dict[str, Post] = posts_of(DISTRICTS, UNITS)


class Saying:
    """Puts bodies into a view as one district would, with rising offsets."""

    def __init__(self, view: LiveView, number: int = 0) -> None:
        self.view, self.number, self.next = view, number, 0

    def says(self, body: Body, *, feed: int = 0) -> Change | None:
        offset, self.next = self.next, self.next + 1
        return self.view.apply(
            self.number,
            offset,
            Output(n=offset, feed=feed, commands=0, body=body),
            ingest_ns=T0,
            agent_ns=T0 + 1,
            gateway_ns=T0 + 2,
        )


class Stage:
    """A ready view of two districts with sessions that are told everything."""

    def __init__(self, **limits: int) -> None:
        self.view = LiveView(**limits)
        self.view.epoch = "test.1"
        self.districts = [Saying(self.view, n) for n in (0, 1)]
        for d in self.districts:
            self.view.begin(d.number, 0)
        self.view.ready = True
        self.watching = Watching(self.view.values)
        self.counts: Counter[str] = Counter()
        self.stages = Stages()
        self.sessions: list[Session] = []

    def session(self, **limits: int) -> Session:
        session = Session(
            self.view,
            self.watching,
            POSTS.get,
            ticks="player",
            counts=self.counts,
            stages=self.stages,
            **limits,
        )
        self.sessions.append(session)
        return session

    def says(self, body: Body, *, district: int = 0, feed: int = 0) -> None:
        change = self.districts[district].says(body, feed=feed)
        if change is not None:
            for session in self.sessions:
                session.publish(change)


def sent(session: Session, now_ns: int = T0) -> list[dict[str, Any]]:
    """Everything the session wants to send now, decoded."""
    out = []
    while some := session.to_send(now_ns):
        out += [json.loads(m) for m in some]
    return out


def say(session: Session, now_ns: int = T0, **message: Any) -> list[Any]:
    """A client's message; the effects."""
    return session.receive(json.dumps(message), now_ns)


def of(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of one type."""
    return [m for m in messages if m.get("type") == kind]


def hub(*, clock: ManualClock | None = None) -> Hub:
    """A hub of two districts that is ready, with no service behind it."""
    made = Hub(
        bootstrap="127.0.0.1:1",
        topics=Topics("test"),
        store=Store("postgresql://nobody@127.0.0.1:1/none", "test", "run_test"),
        built_in=load_rules(),
        clock=clock or ManualClock(T0),
    )
    made.run = Run(name="test", kind="demo", ticks="player", districts=2, created_ns=1)
    made.view.epoch = "test.1"
    made.city = City(districts=DISTRICTS, posts=POSTS)
    for n in (0, 1):
        made.view.begin(n, 0)
    made.open_doors()
    return made


def output(offset: int, body: Body) -> Output:
    return Output(n=offset, feed=offset, commands=0, body=body)
