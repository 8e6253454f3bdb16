"""All that a district's desk knows. Bounded: what is over leaves it, memories have a size."""

from typing import Literal, TypeVar

import msgspec

from dispatch.plans import Plan, SituationPlan
from yiwang.model import (
    Case,
    Finding,
    Incident,
    Order,
    RequestSupport,
    Situation,
    SupportNeeded,
    UnitState,
)
from yiwang.model import (
    Warning as OutsideWarning,
)
from yiwang.registry import Text, Unit

REMEMBERED = 10_000
"""How many command ids, and how many ids of finished objects, are remembered."""

V = TypeVar("V")


class Spot(msgspec.Struct, frozen=True):
    """What an incident needs of a place."""

    zone: str
    name: Text
    lon: float
    lat: float


class Notes(msgspec.Struct, frozen=True):
    """What the desk remembers about a case besides the case itself."""

    escalated: bool = False
    late_ns: int = 0  # the deadline whose passing has been noted
    since: int = 0  # number of orders before the last rework: they no longer count as work done


class Ask(msgspec.Struct, frozen=True):
    """A request for support by this district and what became of it."""

    needed: SupportNeeded
    answer: Literal["", "granted", "refused"] = ""


class Help(msgspec.Struct, frozen=True):
    """Support that this district gives to another: what was asked, its newest order, the units tried."""

    request: RequestSupport
    order: str
    tried: tuple[str, ...]


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What one finding says within an incident, as far as belief and distance go."""

    source: str  # of equal ones only the strongest counts: a device, a person who reports
    kind: str  # sensor, video or report
    device: str
    metric: str
    level: int
    confidence: float  # the finding's own, 0..1
    place: str
    lon: float
    lat: float
    t_ns: int  # newest word


class Doubt(msgspec.Struct, frozen=True, array_like=True):
    """An open health finding: evidence of its device counts less."""

    metric: str  # empty: all metrics of the device
    reason: str
    factor: float  # what the device's evidence is multiplied by


class Trust(msgspec.Struct, frozen=True, array_like=True):
    """People's verdicts on one device's word of one metric, faded to ``t_ns``."""

    right: float
    wrong: float
    t_ns: int


class Told(msgspec.Struct, frozen=True, array_like=True):
    """When, and at which severity, people were last called upon for an incident."""

    t_ns: int
    severity: int


class Site(msgspec.Struct, frozen=True, array_like=True):
    """An open incident that is believed, as its kind of situation sees it."""

    since_ns: int
    severity: int
    place: str


class State(msgspec.Struct, kw_only=True):
    """The desk's state. Every dict is in order of insertion, also after dump and load: outputs depend on it."""

    district: int
    now_ns: int = 0
    rules: str = ""
    plans: dict[str, Plan] = {}
    situation_plans: dict[str, SituationPlan] = {}
    registered: bytes = b""  # the places, where the desk keeps them itself
    roster: dict[str, Unit] = {}
    units: dict[str, UnitState] = {}
    incidents: dict[str, Incident] = {}
    city: dict[
        str, None
    ] = {}  # incidents not closed that are not about sensors: what a fault may throw doubt on
    live: dict[str, dict[str, Claim]] = {}  # incident -> finding -> what it says, of all evidence not over
    past: dict[
        str, dict[str, Claim]
    ] = {}  # incident -> source and metric -> its newest evidence that is over
    found: dict[str, str] = {}  # finding not over -> its incident
    open: dict[str, str] = {}  # ``spot_key`` -> incident not closed; one incident may hold several
    sure: dict[str, dict[str, None]] = {}  # ``spot_key`` of kind and zone -> open incidents that are believed
    told: dict[str, Told] = {}  # incident -> the newest call upon people
    doubts: dict[str, dict[str, Doubt]] = {}  # device -> health finding -> doubt
    trust: dict[str, dict[str, Trust]] = {}  # device -> metric -> verdicts
    verdicts: dict[str, bool] = {}  # incident -> what a person said of it
    merged: dict[str, str] = {}  # incident -> the one it went into
    warnings: dict[str, OutsideWarning] = {}  # outside warnings not over
    in_force: dict[str, None] = {}  # those of them that have begun
    reports: dict[str, Finding] = {}  # findings by people that are not over
    heard: dict[str, int] = {}  # report -> when it was made
    situations: dict[str, Situation] = {}  # open ones
    storms: dict[str, str] = {}  # kind of situation -> the open one
    sites: dict[str, dict[str, Site]] = {}  # kind of situation -> open incident that is believed
    quiet: dict[str, int] = {}  # situation without a site -> since when
    calls: dict[str, list[int]] = {}  # situation -> when people were called upon for single sites of it
    cases: dict[str, Case] = {}
    notes: dict[str, Notes] = {}  # case -> notes
    orders: dict[str, Order] = {}
    asks: dict[str, dict[str, Ask]] = {}  # incident -> support request -> ask
    helps: dict[str, Help] = {}  # support request of another district -> help
    gone: dict[str, str] = {}  # finished object -> its last state
    commands: dict[str, str] = {}  # command -> error code or empty
    dismissed: dict[str, int] = {}  # finding called a false alarm -> severity of the incident then


def spot_key(kind: str, place: str) -> str:
    """The identity of an open episode: one incident at a time for each kind and place (or zone, device)."""
    return f"{kind}\x1f{place}"


def remember(memory: dict[str, V], key: str, value: V) -> None:
    """Keep ``value``; the oldest key leaves when there are more than ``REMEMBERED``."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
