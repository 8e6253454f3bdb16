"""``events.jsonl``: video events, reports, warnings and recorded commands, a JSON object a line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from scenarios.model import Event
from scenarios.problems import Problems, suggest
from scenarios.times import iso_ns, parse_ns
from yiwang.domains import Domains
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Command, Report, VideoEvent, Warning  # noqa: A004  CAP's word
from yiwang.registry import Registry

Line = Mapping[str, Any]  # Any: JSON
Played = tuple[int, int, Event]
"""When it comes in, district, content."""

TYPES: Mapping[str, type[VideoEvent | Report | Warning | Command]] = {
    "video": VideoEvent,
    "report": Report,
    "warning": Warning,
    "command": Command,
}
_ALIASES = {"class": "event_class", "until": "until_ns"}
_OURS = {"t_ns", "ingest_ns", "until_ns"}
_FRAME = {"type", "time", "arrival", "district", "class", "until"}


def encode(events: Iterable[Played]) -> bytes:
    """Events as lines; times as ISO 8601, exact."""
    lines = []
    for comes_in, district, content in events:
        body = msgspec.to_builtins(content)
        line = {"time": iso_ns(content.t_ns), "district": district, "type": body.pop("type")}
        if comes_in != content.t_ns:
            line["arrival"] = iso_ns(comes_in)
        if isinstance(content, Warning):
            line["until"] = iso_ns(content.until_ns)
        defaults = {f.name: f.default for f in msgspec.structs.fields(type(content))}
        line |= {k: v for k, v in body.items() if k not in _OURS and v != _plain(defaults.get(k))}
        lines.append(msgspec.json.encode(line))
    return b"".join(line + b"\n" for line in lines)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Town:
    """What events may speak of.

    Attributes:
        domains: the packs in force.
        districts: numbers there are.
        devices: id to district.
        places: id to district.
        zones: of all places.
    """

    domains: Domains
    districts: frozenset[int]
    devices: Mapping[str, int]
    places: Mapping[str, int]
    zones: frozenset[str]

    @classmethod
    def of(cls, domains: Domains, registries: Mapping[int, Registry]) -> "Town":
        """From what is registered."""
        return cls(
            domains,
            frozenset(registries),
            {d.id: n for n, r in registries.items() for d in r.devices},
            {p.id: n for n, r in registries.items() for p in r.places},
            frozenset(p.zone for r in registries.values() for p in r.places),
        )


def decode(
    content: bytes, town: Town, problems: Problems, *, file: str, span: tuple[int, int] | None = None
) -> tuple[Played, ...]:
    """Lines to events, sorted by when they come in; each line that is wrong is noted and left out.

    Args:
        span: first and last moment of the scenario; what lies outside would never be played.
    """
    lines: list[tuple[int, Line]] = []
    for number, text in enumerate(content.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.add("scenario.event", f"no JSON: {error}", file=file, line=number)
            continue
        if not isinstance(line, dict):
            problems.add("scenario.event", "must be a JSON object", file=file, line=number)
            continue
        lines.append((number, line))
    return from_lines(lines, town, problems, file=file, span=span)


def from_lines(
    lines: Iterable[tuple[int, Line]],
    town: Town,
    problems: Problems,
    *,
    file: str,
    span: tuple[int, int] | None = None,
) -> tuple[Played, ...]:
    """As ``decode``, from numbered objects; cells of a CSV table may be texts throughout."""
    found: list[Played] = []
    ids: dict[str, int] = {}
    for number, line in lines:
        try:
            event = _Reading(town, line).event(span)
        except _Wrong as wrong:
            problems.add(wrong.code, wrong.message, file=file, line=number, field=wrong.field)
            continue
        id_ = str(getattr(event[2], _id_field(event[2])))
        if id_ in ids:
            problems.add(
                "scenario.twice",
                f"{id_} stands in line {ids[id_]} already",
                file=file,
                line=number,
                field=_id_field(event[2]),
            )
            continue
        ids[id_] = number
        found.append(event)
    return tuple(sorted(found, key=lambda e: (e[0], e[1])))


def _id_field(content: Event) -> str:
    match content:
        case VideoEvent():
            return "event_id"
        case Report():
            return "report_id"
        case Warning():
            return "warning_id"
        case Command():
            return "command_id"


class _Wrong(Exception):
    def __init__(self, field: str, message: str, code: str = "scenario.event") -> None:
        super().__init__(message)
        self.field, self.message, self.code = field, message, code


class _Reading:
    """One line."""

    def __init__(self, town: Town, line: Line) -> None:
        self.town, self.line = town, line

    def event(self, span: tuple[int, int] | None) -> Played:
        kind = str(self.line.get("type", ""))
        if kind not in TYPES:
            raise _Wrong("type", f"{kind!r} is no type of event{suggest(kind, TYPES)}")
        type_ = TYPES[kind]
        t_ns = self._time("time")
        comes_in = self._time("arrival") if self.line.get("arrival") else t_ns
        if span is not None and not span[0] <= comes_in <= span[1]:
            raise _Wrong("time", f"{iso_ns(comes_in)} is outside {iso_ns(span[0])} to {iso_ns(span[1])}")
        fields = {f.name for f in msgspec.structs.fields(type_)}
        body: dict[str, Any] = {}
        for name, value in self.line.items():
            ours = _ALIASES.get(name, name)
            if ours not in fields | _FRAME:
                raise _Wrong(name, f"unknown field{suggest(name, (fields - _OURS) | _FRAME)}")
            if name not in _FRAME or name == "class":
                body[ours] = value
        body |= {"type": kind, "t_ns": t_ns, "ingest_ns": comes_in}
        if type_ is Warning:
            body["until_ns"] = self._time("until")
        body |= self._id(kind, body, t_ns)
        try:
            content: Event = msgspec.convert(body, type_, strict=False)
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$")
            field = place.strip(".`") or message.partition("`")[2].partition("`")[0]
            raise _Wrong(field, message[0].lower() + message[1:]) from None
        return comes_in, self._district(content), content

    def _time(self, name: str) -> int:
        text = self.line.get(name)
        if not isinstance(text, str) or not text:
            raise _Wrong(name, f"{name} must be given, such as 2026-06-01T20:15:00+08:00")
        try:
            return parse_ns(text)
        except BadInput as error:
            raise _Wrong(name, error.message) from None

    @staticmethod
    def _id(kind: str, body: Mapping[str, Any], t_ns: int) -> dict[str, str]:
        """Ids that nobody has given, from the content, as the builder makes them."""
        if kind == "video" and "event_id" not in body:
            return {"event_id": derive("V", str(body.get("device")), str(body.get("event_class")), t_ns)}
        if kind == "report" and "report_id" not in body:
            parts = (str(body.get(k, "")) for k in ("kind", "by", "place"))
            return {"report_id": derive("R", *parts, t_ns)}
        if kind == "warning" and "warning_id" not in body:
            return {"warning_id": derive("W", str(body.get("event")), str(body.get("areas", "")), t_ns)}
        return {}

    def _district(self, content: Event) -> int:
        """Where it belongs: to its device or place, else as stated."""
        town = self.town
        stated = self._stated()
        match content:
            case VideoEvent(device=device, event_class=event_class):
                if device not in town.devices:
                    raise _Wrong("device", f"there is no device {device!r}{suggest(device, town.devices)}")
                if event_class not in town.domains.video:
                    raise _Wrong(
                        "event_class",
                        f"no pack has the class {event_class!r}{suggest(event_class, town.domains.video)}",
                    )
                return town.devices[device]
            case Report(kind=kind, place=place):
                if kind not in town.domains.kinds:
                    raise _Wrong(
                        "kind", f"no pack has the incident kind {kind!r}{suggest(kind, town.domains.kinds)}"
                    )
                if place and place not in town.places:
                    raise _Wrong("place", f"there is no place {place!r}{suggest(place, town.places)}")
                return town.places.get(place, stated)
            case Warning(event=event, areas=areas, t_ns=t_ns, until_ns=until_ns):
                outside = {w for s in town.domains.situations.values() for w in s.warnings}
                known = {*town.domains.kinds, *town.domains.situations, *outside}
                if event not in known:
                    raise _Wrong(
                        "event", f"no pack has the kind or situation {event!r}{suggest(event, known)}"
                    )
                for area in set(areas) - town.zones:
                    raise _Wrong("areas", f"there is no zone {area!r}{suggest(area, town.zones)}")
                if until_ns <= t_ns:
                    raise _Wrong("until", "it ends before it begins")
                return stated
            case Command():
                return stated

    def _stated(self) -> int:
        value = self.line.get("district") or 0
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if number not in self.town.districts:
            there = ", ".join(str(n) for n in sorted(self.town.districts))
            raise _Wrong("district", f"there is no district {value!r}; there is {there}")
        return number
