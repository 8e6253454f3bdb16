"""A small town for the tests of dispatch: two places in one zone, one elsewhere, crews, and short words."""

import itertools
from typing import Any

from dispatch.desk import Desk
from yiwang.domains import Category, Domains, IncidentKind, SituationKind
from yiwang.model import (
    Action,
    Body,
    Case,
    Command,
    CommandResult,
    Finding,
    Incident,
    Order,
    Report,
    SendReceipt,
    Severity,
    Situation,
    SupportNeeded,
    SupportOffer,
    UnitState,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Place, Registry, Text, Unit

S = 1_000_000_000
LINGER_S = 600
ACCEPT_S, ARRIVE_S, HANDLE_S, CHECK_S = 120, 900, 3600, 1800


def kind(name: str, **changes: Any) -> IncidentKind:
    fields: dict[str, Any] = {
        "id": name,
        "domain": "test",
        "name": Text(name),
        "by": "place",
        "linger_s": LINGER_S,
        "case_at": Severity.II,
        "category": "urgent",
        "skill": "drainage",
        "support_skill": "",
        "next_step": Text("看"),
    }
    return IncidentKind(**{**fields, **changes})


STORM = SituationKind(
    id="storm",
    domain="test",
    name=Text("暴雨"),
    sites=3,
    window_s=600,
    linger_s=300,
    warnings=("storm", "rainstorm"),
    warning_at=2,
    many={2: 5},
    calls=2,
    calls_s=600,
    next_step=Text("看"),
    source="test",
)


def domains(version: str = "r1", *, without: tuple[str, ...] = ()) -> Domains:
    kinds = (
        kind("flood", support_skill="drainage"),
        kind("jam", by="zone", skill="traffic"),
        kind("rain", case_at=None, category="", skill=""),
        kind("smell", skill="", category=""),
        kind("gas", skill="gas", support_skill="fire"),
        kind("leak", near_m=300.0, support_skill="drainage"),
        kind("pool", situation="storm", neighbours=0.45),
        kind("siren", by="district", skill="", category=""),
        kind(
            "fault",
            by="device",
            nature="health",
            case_at=None,
            category="",
            skill="",
            device_wide=("fault.silent",),
            doubts={"fault.minor": 0.1},
            refutes=("fault.spike",),
        ),
    )
    urgent = Category(
        id="urgent",
        domain="test",
        name=Text("紧急"),
        accept_s=ACCEPT_S,
        arrive_s=ARRIVE_S,
        handle_s=HANDLE_S,
        check_s=CHECK_S,
        source="test",
    )
    return Domains(
        version=version,
        packs={},
        metrics={},
        device_kinds={},
        detectors=(),
        kinds={k.id: k for k in kinds if k.id not in without},
        categories={"urgent": urgent},
        video={},
        reasons={},
        overrides={},
        situations={"storm": STORM},
    )


def place(name: str, zone: str, lon: float, lat: float = 23.0) -> Place:
    return Place(
        id=name, district=0, zone=zone, kind="road", name=Text(f"{name}路", name.upper()), lon=lon, lat=lat
    )


def unit(name: str, skill: str, lon: float, *, on_duty: bool = True, district: int = 0) -> Unit:
    return Unit(
        id=name,
        district=district,
        name=Text(f"{name}队", name),
        skill=skill,
        lon=lon,
        lat=23.0,
        on_duty=on_duty,
    )


PLACES = (place("a", "ring", 113.0), place("b", "ring", 113.1), place("c", "", 113.2))
UNITS = (
    unit("pump1", "drainage", 113.01),
    unit("pump2", "drainage", 113.02),
    unit("tow1", "traffic", 113.0),
    unit("gas1", "gas", 113.0),
)


def finding(
    level: int, id_: str = "F-1", t_s: float = 0.0, at: str = "a", kind: str = "flood", **changes: Any
) -> Finding:
    fields: dict[str, Any] = {
        "id": id_,
        "detector": "depth.ladder",
        "version": "r1",
        "domain": "test",
        "kind": kind,
        "series": 3,
        "device": f"dev-{id_}",
        "metric": "water_depth",
        "place": at,
        "level": level,
        "since_ns": 0,
        "t_ns": round(t_s * S),
        "value": 30.0,
        "limit": 27.0,
        "reason": "depth.above",
    }
    return Finding(**{**fields, **changes})


class Town:
    """A desk and what it has said: the newest state of each object, and every body in order."""

    def __init__(self, units: tuple[Unit, ...] = UNITS, district: int = 0) -> None:
        self.desk = Desk(district)
        self.desk.rules(domains())
        self.said: list[Body] = []
        self.incidents: dict[str, Incident] = {}
        self.cases: dict[str, Case] = {}
        self.orders: dict[str, Order] = {}
        self.units: dict[str, UnitState] = {}
        self.situations: dict[str, Situation] = {}
        self.now_s = 0.0
        self._ids = itertools.count()
        self.hear(self.desk.registry(Registry(version=1, places=PLACES, units=units)))

    def hear(self, bodies: list[Body]) -> list[Body]:
        self.said.extend(bodies)
        for body in bodies:
            match body:
                case Incident():
                    self.incidents[body.id] = body
                case Case():
                    self.cases[body.id] = body
                case Order():
                    self.orders[body.id] = body
                case UnitState():
                    self.units[body.id] = body
                case Situation():
                    self.situations[body.id] = body
        return bodies

    def find(self, level: int, id_: str = "F-1", **changes: Any) -> list[Body]:
        f = finding(level, id_, **{"t_s": self.now_s, **changes})
        return self.hear(self.desk.finding(f, round(self.now_s * S)))

    def fault(self, level: int, id_: str = "H-1", *, device: str, **changes: Any) -> list[Body]:
        """A health finding on a device of the town."""
        fields: dict[str, Any] = {"kind": "fault", "reason": "fault.stuck", "confidence": 1.0, "at": "a"}
        return self.find(level, id_, device=device, **{**fields, **changes})

    def report(self, id_: str = "R-1", **changes: Any) -> list[Body]:
        fields: dict[str, Any] = {
            "report_id": id_,
            "kind": "flood",
            "by": "12345",
            "t_ns": round(self.now_s * S),
            "ingest_ns": 0,
            "place": "a",
        }
        return self.hear(self.desk.report(Report(**{**fields, **changes}), round(self.now_s * S)))

    def warn(self, id_: str = "W-1", until_s: float = 10_000, **changes: Any) -> list[Body]:
        fields: dict[str, Any] = {
            "warning_id": id_,
            "event": "rainstorm",
            "level": 2,
            "t_ns": round(self.now_s * S),
            "until_ns": round(until_s * S),
            "ingest_ns": 0,
        }
        return self.hear(self.desk.warning(OutsideWarning(**{**fields, **changes}), round(self.now_s * S)))

    def places(self, *places: Place) -> None:
        """Register more places."""
        self.hear(self.desk.registry(Registry(version=2, places=places)))

    def wait(self, seconds: float) -> list[Body]:
        self.now_s += seconds
        return self.hear(self.desk.tick(round(self.now_s * S)))

    def command(self, action: Action, by: str = "desk-0", id_: str = "", t_s: float = 0.0) -> list[Body]:
        c = Command(
            command_id=id_ or f"c{next(self._ids)}", by=by, t_ns=round(t_s * S), ingest_ns=0, action=action
        )
        return self.hear(self.desk.command(c, round(self.now_s * S)))

    def do(self, action: Action, by: str = "desk-0") -> CommandResult:
        """A command and its result."""
        result = self.command(action, by)[-1]
        assert isinstance(result, CommandResult)
        return result

    def receipt(self, order: Order, receipt: Any, by: str = "") -> CommandResult:
        return self.do(SendReceipt(order=order.id, receipt=receipt), by or order.unit)

    @property
    def incident(self) -> Incident:
        """The newest incident."""
        return list(self.incidents.values())[-1]

    @property
    def standing(self) -> str:
        """The newest incident's standing, as plain text: a type checker believes that a call changes nothing."""
        return self.incident.standing

    @property
    def situation(self) -> Situation:
        """The newest situation."""
        return list(self.situations.values())[-1]

    @property
    def case(self) -> Case:
        """The newest case."""
        return list(self.cases.values())[-1]

    @property
    def stage(self) -> str:
        """The newest case's stage, as plain text: a type checker believes that a call changes nothing."""
        return self.case.stage

    @property
    def state(self) -> str:
        """The newest incident's state, as plain text for the same reason."""
        return self.incident.state

    @property
    def order(self) -> Order:
        """The newest order."""
        return list(self.orders.values())[-1]

    @property
    def asked(self) -> list[SupportNeeded]:
        return [b for b in self.said if isinstance(b, SupportNeeded)]

    @property
    def offers(self) -> list[SupportOffer]:
        return [b for b in self.said if isinstance(b, SupportOffer)]


def words(thing: Incident | Case | Situation) -> list[str]:
    """The codes of a history."""
    return [step.what for step in thing.history]
