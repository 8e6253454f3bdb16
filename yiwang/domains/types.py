"""What the domain packs say, compiled: frozen, checked, ready to be asked.

Made by ``yiwang.domains.compile_rules``; everything that runs may trust it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from yiwang.model import Severity
from yiwang.registry import Device, Place, Text

VIDEO_PREFIX = "video_"
"""A camera's class of events is a metric too: this prefix and the class; its value is the confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A domain pack: one field of the city's work."""

    id: str
    name: Text
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is stored of a metric's readings. Minute roll-ups are made of all of them in any case.

    Attributes:
        what: ``raw``: every reading; ``changes``: only those that tell something new; ``rollup``: none.
        delta: for ``changes``: how much a reading differs from the one stored last, in the metric's unit.
        every_s: for ``changes``: after so many seconds one is stored anyway.
        origin: file and line; empty where nothing is said.
    """

    what: Literal["raw", "changes", "rollup"] = "raw"
    delta: float = 0.0
    every_s: float = 0.0
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Something that is measured.

    Attributes:
        unit: the one unit in which its values are kept.
        lo: least plausible value, in ``unit``.
        hi: greatest plausible value, in ``unit``.
        period_s: how often a device usually reports, seconds; 0 where it reports only when there is news.
        units: accepted unit to (factor, offset): own value = value * factor + offset. Holds ``unit`` itself.
        source: where range, period and conversions were taken from.
        attributes: numbers that parameters may refer to (``{metric: jump}``), such as its largest credible jump.
        health: whether entries over ``all`` metrics read it.
        reads_as: another metric this one is a measure of: entries on that one read it too, transformed.
        keep: what is stored of its readings.
    """

    id: str
    domain: str
    name: Text
    unit: str
    lo: float
    hi: float
    period_s: float
    units: Mapping[str, tuple[float, float]]
    source: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    health: bool = True
    reads_as: "ReadsAs | None" = None
    keep: Keep = Keep()

    def attribute(self, name: str) -> float | None:
        """An attribute, or one of the numbers every metric has: ``period_s``, ``lo``, ``hi``."""
        own = {"period_s": self.period_s, "lo": self.lo, "hi": self.hi}
        return own.get(name, self.attributes.get(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadsAs:
    """How a metric measures another: other = own * ``scale`` + ``offset`` (of the device or place)."""

    metric: str
    scale: float
    offset: "Param"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """A kind of sensor or camera, with the metrics each such device has, in order."""

    id: str
    domain: str
    name: Text
    metrics: tuple[str, ...]
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter's value as a pack or an override states it.

    Attributes:
        value: the number; NaN is "absent" (``null`` in YAML). Where ``of`` is given, the default.
        of: ``place``, ``device`` or ``metric`` where the value comes from an attribute of it, else empty.
        attribute: name of that attribute.
        table: where not empty, the attribute is looked up here (key is the attribute as ``%g``).
        origin: file and line.
        source: where the number was taken from: a standard, a measurement, ``GK`` or our own proposal.
    """

    value: float
    of: Literal["", "place", "device", "metric"] = ""
    attribute: str = ""
    table: Mapping[str, float] | None = None
    origin: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A parameter's value in force for one device, and where it came from.

    ``origin`` is ``flooding.yaml:41``, ``override city.yaml:7`` or ``place.closure_depth_cm``.
    """

    value: float
    origin: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """How an entry reads the series of one metric.

    Attributes:
        metric: what the finding is then said of: the metric itself, or the one it reads as.
        role: the detector's role for it; empty for the first.
        scale: what the detector sees is value * scale + offset.
        offset: see ``scale``; None for 0.
    """

    metric: str
    role: str = ""
    scale: float = 1.0
    offset: Param | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One use of a detector in a pack: which metrics it watches and what kind of incident it speaks of.

    Attributes:
        id: such as ``depth.ladder``.
        version: rises when the meaning of its findings changes; part of finding ids.
        use: name of the detector.
        metric: what it watches, for people: a metric, several, or ``all``.
        watches: metric of a series to how it is read.
        source: how the evidence came about, as in ``Finding.source``.
        device_kinds: only series of these kinds; empty: all that have the metric.
        params: as the pack states them.
        origin: file and line.
        every_s: it ticks on multiples of this only; 0: on every grid point.
        reliability: 0..1, how often its findings are right while the sensor is in order.
    """

    id: str
    version: int
    domain: str
    use: str
    metric: str
    kind: str
    source: Literal["sensor", "video"]
    device_kinds: tuple[str, ...]
    params: Mapping[str, Param]
    origin: str
    watches: Mapping[str, Reads]
    every_s: float = 0.0
    reliability: float = 0.9

    def reads(self, device_kind: str, metric: str) -> bool:
        """Whether it watches that metric of devices of that kind; of further roles the kind does not matter."""
        how = self.watches.get(metric)
        return how is not None and bool(how.role or not self.device_kinds or device_kind in self.device_kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentKind:
    """A kind of incident.

    Attributes:
        by: findings at one place, in one zone, of one device or in the district belong together.
        linger_s: how long after all evidence is over new evidence still belongs to it; then it is closed.
        case_at: from this severity on a case is opened; ``None``: never by itself.
        category: of that case.
        skill: of the unit that is sent.
        support_skill: of the crew a neighbour is asked for.
        next_step: what the person at the desk does first.
        nature: ``health`` speaks of sensors and never of the city, ``warning`` of what is to come.
        confirm_at: confidence from which an incident is confirmed; below it is a candidate.
        situation: the situation its incidents can be part of; empty: none.
        near_m: evidence within so many metres of an open incident of the kind belongs to it; 0: only by ``by``.
        neighbours: 0..1, how far a confirmed incident of the kind in a zone speaks for another one there.
        slope: of the calibration: logit(shown confidence) = slope * logit(pooled) + shift.
        shift: see ``slope``.
        doubt: 0..1, for ``health``: how much of its device's evidence a certain finding of this kind takes away.
        doubts: for ``health``: reason to its own ``doubt`` where that is another.
        device_wide: for ``health``: reasons that throw doubt on all metrics of the device, not only on their own.
        refutes: for ``health``: reasons with which a fault ends because its readings are known to have been false.
    """

    id: str
    domain: str
    name: Text
    by: Literal["place", "zone", "device", "district"]
    linger_s: float
    case_at: Severity | None
    category: str
    skill: str
    support_skill: str
    next_step: Text
    nature: Literal["incident", "health", "warning"] = "incident"
    confirm_at: float = 0.7
    situation: str = ""
    near_m: float = 0.0
    neighbours: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    doubt: float = 0.5
    doubts: Mapping[str, float] = field(default_factory=dict)
    device_wide: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationKind:
    """A kind of situation: many incidents with one cause, told as one.

    Attributes:
        sites: it opens once so many incidents of its kinds are confirmed ...
        window_s: ... within this time; or with the first one where an outside warning is in force.
        linger_s: it closes this long after the last of its incidents is over and no warning is in force.
        warnings: events of outside warnings that belong to it, its own id first.
        warning_at: least level (1 red .. 4 blue) of a warning that opens it with one site; 0: none does.
        many: severity to the number of open sites from which it is at least that severe.
        calls: how many of its incidents at level I call upon people one by one within ``calls_s``.
        calls_s: see ``calls``; the rest are told by the situation.
        next_step: what the person at the desk does first.
    """

    id: str
    domain: str
    name: Text
    sites: int
    window_s: float
    linger_s: float
    warnings: tuple[str, ...]
    warning_at: int
    many: Mapping[int, int]
    calls: int
    calls_s: float
    next_step: Text
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A case category (小类) with its time limits, seconds, and where they come from."""

    id: str
    domain: str
    name: Text
    accept_s: float
    arrive_s: float
    handle_s: float
    check_s: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoClass:
    """A class of events that cameras report."""

    id: str
    domain: str
    name: Text
    metric: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A city's own values for what ``entries`` do at a zone, a place or a device."""

    entries: frozenset[str]
    zone: str
    place: str
    device: str
    params: Mapping[str, Param]

    @property
    def rank(self) -> int:
        """The narrower wins: 3 a device, 2 a place, 1 a zone, 0 everywhere."""
        return 3 if self.device else 2 if self.place else 1 if self.zone else 0

    def applies(self, device: Device, place: Place | None) -> bool:
        """Whether it speaks of this device at this place."""
        return (
            (not self.device or self.device == device.id)
            and (not self.place or self.place == device.place)
            and (not self.zone or (place is not None and self.zone == place.zone))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """All packs in force with the city's overrides. Maps are in the order of the files."""

    version: str
    packs: Mapping[str, Pack]
    metrics: Mapping[str, Metric]
    device_kinds: Mapping[str, DeviceKind]
    detectors: tuple[Entry, ...]
    kinds: Mapping[str, IncidentKind]
    categories: Mapping[str, Category]
    video: Mapping[str, VideoClass]
    reasons: Mapping[str, Text]
    overrides: Mapping[str, tuple[Override, ...]]
    """Entry id to its overrides, the ones that win last."""
    situations: Mapping[str, SituationKind] = field(default_factory=dict)

    def params(
        self, entry: Entry, device: Device, place: Place | None = None, metric: str = ""
    ) -> dict[str, Resolved]:
        """The parameters of ``entry`` in force for ``device``, each with its origin.

        Args:
            entry: one of ``detectors``.
            device: whose series is judged.
            place: where it stands; ``None`` where it is not (yet) known: then its attributes are absent.
            metric: of the series; empty: the entry's own.

        Returns:
            Parameter name to value, in the pack's order. An absent value is NaN.
        """
        stated = dict(entry.params)
        for override in self.overrides.get(entry.id, ()):
            if override.applies(device, place):
                stated.update({n: p for n, p in override.params.items() if n in stated})
        of = self.metrics.get(metric or entry.metric)
        return {name: _resolve(param, device, place, of) for name, param in stated.items()}

    def transform(
        self, entry: Entry, device: Device, place: Place | None, metric: str
    ) -> tuple[float, float]:
        """(scale, offset) of what the entry sees of that series; a NaN offset makes every reading NaN."""
        how = entry.watches[metric]
        offset = 0.0 if how.offset is None else _resolve(how.offset, device, place, None).value
        return how.scale, offset

    def to_json(self) -> dict[str, Any]:  # Any: plain JSON values
        """Names, units, kinds, reasons, categories, device kinds and video classes, for screens."""
        return {
            "version": self.version,
            "packs": {i: {"name": _text(p.name)} for i, p in self.packs.items()},
            "metrics": {
                i: {
                    "domain": m.domain,
                    "name": _text(m.name),
                    "unit": m.unit,
                    "lo": m.lo,
                    "hi": m.hi,
                    "period_s": m.period_s,
                    "units": {u: list(c) for u, c in m.units.items()},
                }
                for i, m in self.metrics.items()
            },
            "device_kinds": {
                i: {"domain": d.domain, "name": _text(d.name), "metrics": list(d.metrics), "icon": d.icon}
                for i, d in self.device_kinds.items()
            },
            "kinds": {
                i: {
                    "domain": k.domain,
                    "name": _text(k.name),
                    "by": k.by,
                    "linger_s": k.linger_s,
                    "case_at": None if k.case_at is None else int(k.case_at),
                    "category": k.category,
                    "skill": k.skill,
                    "support_skill": k.support_skill,
                    "next_step": _text(k.next_step),
                    "nature": k.nature,
                    "confirm_at": k.confirm_at,
                    "situation": k.situation,
                    "near_m": k.near_m,
                }
                for i, k in self.kinds.items()
            },
            "situations": {
                i: {
                    "domain": s.domain,
                    "name": _text(s.name),
                    "sites": s.sites,
                    "window_s": s.window_s,
                    "next_step": _text(s.next_step),
                }
                for i, s in self.situations.items()
            },
            "categories": {
                i: {
                    "name": _text(c.name),
                    "accept_s": c.accept_s,
                    "arrive_s": c.arrive_s,
                    "handle_s": c.handle_s,
                    "check_s": c.check_s,
                    "source": c.source,
                }
                for i, c in self.categories.items()
            },
            "video": {
                i: {"domain": v.domain, "name": _text(v.name), "metric": v.metric, "kind": v.kind}
                for i, v in self.video.items()
            },
            "reasons": {i: _text(t) for i, t in self.reasons.items()},
            "detectors": [
                {
                    "id": e.id,
                    "version": e.version,
                    "domain": e.domain,
                    "use": e.use,
                    "metric": e.metric,
                    "kind": e.kind,
                    "source": e.source,
                    "reliability": e.reliability,
                }
                for e in self.detectors
            ],
        }


def _resolve(param: Param, device: Device, place: Place | None, metric: Metric | None) -> Resolved:
    given: float | None
    match param.of:
        case "device":
            given = device.attributes.get(param.attribute)
        case "place":
            given = place.attributes.get(param.attribute) if place else None
        case "metric":
            given = metric.attribute(param.attribute) if metric else None
        case _:
            given = None
    if given is None or not math.isfinite(given):
        return Resolved(value=param.value, origin=param.origin, source=param.source)
    if param.table is None:
        source = param.source if metric and param.of == "metric" else f"registered with the {param.of}"
        return Resolved(value=given, origin=f"{param.of}.{param.attribute}", source=source)
    value = param.table.get(f"{given:g}", param.value)
    return Resolved(
        value=value, origin=f"{param.origin} by {param.of}.{param.attribute}={given:g}", source=param.source
    )


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
