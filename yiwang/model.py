"""The messages of the system: what goes into a district (feed, commands) and what comes out (outputs).

Every output body is the whole present state of its object, so that taking it twice changes nothing.
All ``*_ns`` are event time in ns UTC unless the name says ingest.
"""

from enum import IntEnum
from typing import Any, Literal

import msgspec

from yiwang.registry import Registry, Rules


class Severity(IntEnum):
    """Level of an alert, the four of the emergency-response law: I red, II orange, III yellow, IV blue."""

    I = 1  # noqa: E741  the law's own name
    II = 2
    III = 3
    IV = 4


# ---- feed: besides frames (yiwang.frames), single JSON messages with a "type" ----


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag="tick", tag_field="type"):
    """Event time has reached ``t_ns``; everything up to it that comes in time is before it in the feed."""

    t_ns: int


class VideoEvent(msgspec.Struct, frozen=True, kw_only=True, tag="video", tag_field="type"):
    """One sighting by a camera's algorithm (domain.md E8)."""

    event_id: str
    device: str
    event_class: str  # a class of a domain pack, such as road_flooding
    confidence: float  # 0..1
    t_ns: int
    ingest_ns: int
    image_url: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, tag="report", tag_field="type"):
    """What a person says has happened: a hotline call (12345), a patrol, a grid worker."""

    report_id: str
    kind: str  # incident kind
    by: str  # who reports, such as hotline-12345 or the worker's post; reports by one and the same are one source
    t_ns: int
    ingest_ns: int
    place: str = ""  # a registered place, or empty: then the nearest one counts
    lon: float = 0.0
    lat: float = 0.0
    level: int = 3
    certainty: float = 0.5  # 0..1
    text: str = ""


class Warning(msgspec.Struct, frozen=True, kw_only=True, tag="warning", tag_field="type"):  # noqa: A001  CAP's word
    """An outside warning (预警), as of the weather service; a newer one of the same id replaces it."""

    warning_id: str
    event: str  # an incident kind or a situation kind
    level: int  # 1 red .. 4 blue
    t_ns: int
    until_ns: int
    ingest_ns: int
    areas: tuple[str, ...] = ()  # zones; empty: the whole district
    sender: str = ""
    headline_zh: str = ""
    headline_en: str = ""
    cancelled: bool = False


class RegistryChange(msgspec.Struct, frozen=True, kw_only=True, tag="registry", tag_field="type"):
    """Places, devices or units were added or changed."""

    registry: Registry


class RulesChange(msgspec.Struct, frozen=True, kw_only=True, tag="rules", tag_field="type"):
    """The domain packs or overrides in force changed."""

    rules: Rules


# ---- commands: from people and from the city agent ----

Receipt = Literal[
    "sent",
    "delivered",
    "seen",
    "accepted",
    "en_route",
    "on_scene",
    "done",
    "declined",
    "verified",
    "cancelled",
]


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge", tag_field="do"):
    """Somebody at a desk has taken note of an incident (确认)."""

    incident: str


class SendReceipt(msgspec.Struct, frozen=True, kw_only=True, tag="receipt", tag_field="do"):
    """A unit reports how far it is with an order."""

    order: str
    receipt: Receipt
    note: str = ""


class Dispatch(msgspec.Struct, frozen=True, kw_only=True, tag="dispatch", tag_field="do"):
    """A desk sends a unit to an incident (派遣); opens a case where there is none."""

    incident: str
    unit: str


class CloseCase(msgspec.Struct, frozen=True, kw_only=True, tag="close_case", tag_field="do"):
    """A desk has verified the result (核查) and closes the case (结案)."""

    case: str
    result: Literal["pass", "false_alarm"] = "pass"
    note: str = ""


class RequestSupport(msgspec.Struct, frozen=True, kw_only=True, tag="request_support", tag_field="do"):
    """The city asks this district for a crew to help at a neighbour's incident."""

    request: str  # id of the SupportNeeded
    from_district: int
    incident: str
    incident_kind: str
    severity: int
    place_name_zh: str
    place_name_en: str
    skill: str
    lon: float
    lat: float


class SupportAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="support_answer", tag_field="do"):
    """The city tells the asking district who comes, or that nobody can."""

    request: str
    incident: str
    granted: bool
    by_district: int = -1
    unit: str = ""
    unit_name_zh: str = ""
    unit_name_en: str = ""
    order: str = ""


class ConfirmIncident(msgspec.Struct, frozen=True, kw_only=True, tag="confirm_incident", tag_field="do"):
    """A desk, or a unit on the scene, says the incident is real (核实)."""

    incident: str


class DismissIncident(msgspec.Struct, frozen=True, kw_only=True, tag="dismiss_incident", tag_field="do"):
    """A desk says that an incident without a case is a false alarm."""

    incident: str
    note: str = ""


class MergeIncidents(msgspec.Struct, frozen=True, kw_only=True, tag="merge_incidents", tag_field="do"):
    """A desk says that two incidents are one: ``incident`` goes into ``into``."""

    incident: str
    into: str


class SplitIncident(msgspec.Struct, frozen=True, kw_only=True, tag="split_incident", tag_field="do"):
    """A desk says that some of an incident's findings are an incident of their own."""

    incident: str
    findings: tuple[str, ...]


Action = (
    Acknowledge
    | SendReceipt
    | Dispatch
    | CloseCase
    | RequestSupport
    | SupportAnswer
    | ConfirmIncident
    | DismissIncident
    | MergeIncidents
    | SplitIncident
)


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command", tag_field="type"):
    """A person's (or the city's) decision, on the commands topic; in a replay also inside the feed.

    ``seen_feed`` is the feed position of the newest output the sender had seen: the machine applies the
    command only after it, so that a command never meets a state older than the one it was decided on.
    """

    command_id: str  # made by the sender; a repeat has no effect
    by: str  # post or unit id
    t_ns: int
    ingest_ns: int
    action: Action
    seen_feed: int = 0


FeedMessage = Tick | VideoEvent | Report | Warning | RegistryChange | RulesChange | Command

# ---- outputs ----


class Finding(msgspec.Struct, frozen=True, kw_only=True, tag="finding", tag_field="type"):
    """What one detector says of one series over one episode; repeated with a new level as it changes.

    ``level`` 1..4, or 0 when the episode is over. ``numbers`` holds what the sentence of ``reason`` needs.
    """

    id: str
    detector: str  # id of the entry in the pack, such as depth.ladder
    version: str  # rules version
    domain: str
    kind: str  # incident kind
    series: int
    device: str
    metric: str
    place: str
    level: int
    since_ns: int
    t_ns: int
    value: float
    limit: float
    reason: str
    source: Literal["sensor", "video", "report", "warning"] = "sensor"
    numbers: dict[str, float] = {}
    image_url: str = ""
    text: str = ""  # what a person said, of a report
    confidence: float = 1.0  # 0..1: how often what is said in this way is so, while the sensor is in order


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A finding inside an incident, newest state."""

    finding: str
    device: str
    metric: str
    source: str
    level: int
    peak: int  # most severe level so far
    since_ns: int
    t_ns: int
    value: float
    limit: float
    reason: str
    numbers: dict[str, float] = {}
    series: int = -1
    place: str = ""
    text: str = ""  # what a person said, of a report; headline of a warning
    confidence: float = 1.0  # what it counts now, doubts taken off
    doubt: str = ""  # reason of the health finding that lowers it


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an incident's or order's history."""

    t_ns: int
    what: (
        str  # code: opened, severity, acknowledged, case_opened, order_sent, support_asked, cleared, closed …
    )
    by: str = ""
    args: dict[str, Any] = {}  # Any: plain JSON values for the sentence of ``what``


Standing = Literal["candidate", "confirmed", "corroborated", "verified"]
"""待核, 已确认, 多源印证, 人工核实: below the kind's ``confirm_at``; above it; by two independent sources; by a person."""


class Incident(msgspec.Struct, frozen=True, kw_only=True, tag="incident", tag_field="type"):
    """An incident (事件): evidence of one kind that belongs together in space over one open episode."""

    id: str
    rev: int  # rises with every change; the higher one wins
    district: int
    domain: str
    kind: str
    place: str  # place id, or zone id where the kind is judged by zone
    place_name_zh: str
    place_name_en: str
    lon: float
    lat: float
    state: Literal["open", "cleared", "closed"]
    severity: int  # now
    peak: int  # most severe so far
    opened_ns: int
    updated_ns: int
    cleared_ns: int | None = None  # all evidence is over since
    closed_ns: int | None = None
    acknowledged_by: str = ""
    acknowledged_ns: int | None = None
    evidence: tuple[Evidence, ...] = ()
    history: tuple[Step, ...] = ()
    rules: str = ""  # rules version at opening
    case: str = ""
    support: str = ""  # name of a neighbour's crew that comes to help
    zone: str = ""
    confidence: float = 1.0  # 0..1, calibrated: how often incidents like this are real
    standing: Standing = "confirmed"
    confirmed_ns: int | None = None  # since when it is no mere candidate
    sources: tuple[str, ...] = ()  # unlike sources among its evidence: sensor, video, report, warning
    situation: str = ""  # the situation it is part of
    annunciated_ns: int | None = (
        None  # when people were first called upon; None: not yet, or by its situation
    )
    merged_into: str = ""
    merged_from: tuple[str, ...] = ()
    split_from: str = ""


Stage = Literal["accepted", "dispatched", "handling", "checking", "closed"]
"""立案, 派遣, 处置, 核查, 结案 (GB/T 30428; domain.md A2)."""


class Case(msgspec.Struct, frozen=True, kw_only=True, tag="case", tag_field="type"):
    """A case (案卷): what is done about an incident, by stages with deadlines."""

    id: str
    rev: int
    district: int
    incident: str
    category: str
    severity: int
    stage: Stage
    opened_ns: int
    updated_ns: int
    deadline_ns: int | None
    closed_ns: int | None = None
    result: str = ""
    orders: tuple[str, ...] = ()
    history: tuple[Step, ...] = ()


class Order(msgspec.Struct, frozen=True, kw_only=True, tag="order", tag_field="type"):
    """An order (任务单) to one unit, with a receipt for each step and a deadline for the next."""

    id: str
    rev: int
    district: int  # whose unit is sent
    case: str  # empty for support to a neighbour
    incident: str
    incident_kind: str
    severity: int
    unit: str
    place_name_zh: str
    place_name_en: str
    lon: float
    lat: float
    state: Receipt
    sent_ns: int
    updated_ns: int
    deadline_ns: int | None
    overdue: bool = False
    offer: int = 1  # 1 for the first unit asked, 2 for the next …
    for_district: int = -1  # >= 0: support to that district
    distance_m: float = 0.0
    receipts: tuple[Step, ...] = ()


class UnitState(msgspec.Struct, frozen=True, kw_only=True, tag="unit", tag_field="type"):
    """Whether a unit is free."""

    id: str
    rev: int
    district: int
    on_duty: bool
    order: str  # empty: free
    t_ns: int


class Situation(msgspec.Struct, frozen=True, kw_only=True, tag="situation", tag_field="type"):
    """A situation (态势): many incidents with one cause, such as a storm over a district, told as one."""

    id: str
    rev: int
    district: int
    kind: str  # of the packs' situations
    state: Literal["open", "closed"]
    severity: int  # now: that of its most severe incident, or of its warning
    peak: int
    opened_ns: int
    updated_ns: int
    closed_ns: int | None = None
    zones: tuple[str, ...] = ()
    sites: int = 0  # incidents so far
    incidents: tuple[str, ...] = ()  # those not over, in order of appearance
    warning: str = ""  # the outside warning in force
    acknowledged_by: str = ""
    acknowledged_ns: int | None = None
    annunciated_ns: int | None = None  # newest
    history: tuple[Step, ...] = ()


class SupportNeeded(msgspec.Struct, frozen=True, kw_only=True, tag="support_needed", tag_field="type"):
    """The district has no (more) crew of that skill for this incident; the city agent finds one elsewhere."""

    id: str
    district: int
    incident: str
    incident_kind: str
    severity: int
    place_name_zh: str
    place_name_en: str
    skill: str
    lon: float
    lat: float
    t_ns: int


class SupportOffer(msgspec.Struct, frozen=True, kw_only=True, tag="support_offer", tag_field="type"):
    """What a district answers to ``RequestSupport``."""

    request: str
    district: int  # who answers
    for_district: int
    incident: str
    granted: bool
    unit: str = ""
    unit_name_zh: str = ""
    unit_name_en: str = ""
    order: str = ""
    t_ns: int = 0


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="type"):
    """What became of a command; one for every command, also a refused or repeated one."""

    command_id: str
    by: str
    ok: bool
    t_ns: int
    code: str = ""  # error code when not ok
    message: str = ""
    args: dict[str, Any] = {}  # Any: plain JSON values


class Trouble(msgspec.Struct, frozen=True, kw_only=True, tag="trouble", tag_field="type"):
    """Something the district machine could not use or had to take out; never silent.

    ``code``: feed.unknown_series, feed.unknown_device, feed.late, detector.failed, feed.message …
    """

    code: str
    t_ns: int
    count: int = 1
    args: dict[str, Any] = {}  # Any: plain JSON values


Body = (
    Finding
    | Incident
    | Situation
    | Case
    | Order
    | UnitState
    | SupportNeeded
    | SupportOffer
    | CommandResult
    | Trouble
)


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a district put out, with the place in the log it came from.

    ``feed`` and ``commands`` are the next offsets of the two partitions after the message that caused it:
    for a ``CommandResult``, ``feed`` is exactly where between the feed's messages the command took effect.
    """

    n: int  # rises by one per output of a district
    feed: int
    commands: int
    body: Body


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be used, kept with its reason."""

    id: str
    code: str
    message: str
    source: str  # http, mqtt:TOPIC, player, feed …
    ingest_ns: int
    args: dict[str, Any] = {}  # Any: plain JSON values
    raw: bytes = b""  # what came in, base64 in JSON, cut at 64 KiB
