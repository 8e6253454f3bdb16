"""Which readings an MQTT message carries: topic and payload to rows, as a YAML file says. Pure.

::

    mappings:
      - topic: city/+/+                 # an MQTT filter; the first mapping that matches counts
        payload: json                   # json: one object; json-array: several; number: just the value
        device: {level: 2}              # from a level of the topic, counted from 1,
        metric: {path: kind}            # or a field of the payload (a.b for b within a),
        unit: {const: cm}               # or always the same
        value: data.depth               # field of the value; not for payload: number
        time: at                        # field of the time; left out: the time of arrival
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from aiomqtt import Topic, Wildcard

from ingest.catalogue import cut
from ingest.rows import Reader, Rejected, Row
from yiwang import yamlfile
from yiwang.clock import iso
from yiwang.errors import BadInput

_ABSENT = object()
_reader: Reader[Row] = Reader(Row, "reading")


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a text comes from; exactly one of the three."""

    level: int | None = None  # of the topic, from 1
    path: str | None = None  # in the payload
    const: str | None = None


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the messages of some topics are read; see the top of this module."""

    topic: str
    payload: Literal["json", "json-array", "number"] = "json"
    device: Source
    metric: Source
    unit: Source = Source(path="unit")
    value: str = "value"
    time: str | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mappings: tuple[Mapping, ...]


DEFAULT = (Mapping(topic="city/+/+", device=Source(level=2), metric=Source(level=3), time="time"),)
"""Without a file: ``city/DEVICE/METRIC`` with ``{"value": 12.5, "unit": "cm", "time": "…"}``."""


class Mappings:
    """All mappings of a city.

    Args:
        mappings: the first whose topic filter matches a message's topic reads it.
        limit: largest payload, bytes.
    """

    def __init__(self, mappings: tuple[Mapping, ...], *, limit: int) -> None:
        self._mappings = [(Wildcard(m.topic), m) for m in mappings]
        self._limit = limit
        self._known: dict[str, Mapping | None] = {}

    def rows(self, topic: str, payload: bytes, received_ns: int) -> Iterator[Row | Rejected]:
        """The rows of a message, and what is wrong with the others."""
        try:
            found = self._find(topic)
            if len(payload) > self._limit:
                raise BadInput(
                    "mqtt.too_large", f"the payload has {len(payload)} bytes, at most {self._limit}"
                )
            objects = _objects(found, payload)
        except BadInput as error:
            yield Rejected(row=0, error=_on(error, topic), raw=payload)
            return
        for number, plain in enumerate(objects):
            try:
                yield _row(found, topic, plain, received_ns)
            except BadInput as error:
                yield Rejected(row=number, error=_on(error, topic), raw=payload)

    def _find(self, topic: str) -> Mapping:
        try:
            found = self._known[topic]
        except KeyError:
            name = Topic(topic)
            found = next((m for wildcard, m in self._mappings if name.matches(wildcard)), None)
            if len(self._known) < 1_000_000:
                self._known[topic] = found
        if found is None:
            filters = ", ".join(m.topic for _, m in self._mappings)
            raise BadInput("mqtt.topic", f"no mapping reads this topic; there are mappings for {filters}")
        return found


def load(path: Path | None, *, limit: int) -> Mappings:
    """The mappings of a file, or the default ones.

    Raises:
        BadInput: ``mqtt.mapping.…`` with file, line and field.
    """
    if path is None:
        return Mappings(DEFAULT, limit=limit)
    mappings = yamlfile.load(path, _File, code="mqtt.mapping").mappings
    for number, mapping in enumerate(mappings):
        for name in ("device", "metric", "unit"):
            wrong = _wrong(mapping, getattr(mapping, name))
            if wrong:
                field = f"mappings[{number}].{name}"
                raise BadInput("mqtt.mapping.field", f"{path}: {field}: {wrong}", file=str(path), field=field)
        try:
            Wildcard(mapping.topic)
        except ValueError:
            field = f"mappings[{number}].topic"
            raise BadInput(
                "mqtt.mapping.field",
                f"{path}: {field}: {mapping.topic!r} is no MQTT topic filter such as city/+/+",
                file=str(path),
                field=field,
            ) from None
    return Mappings(mappings, limit=limit)


def _wrong(mapping: Mapping, source: Source) -> str:
    given = [x for x in (source.level, source.path, source.const) if x is not None]
    if len(given) != 1:
        return "give exactly one of level, path and const"
    if source.level is not None:
        levels = mapping.topic.count("/") + 1
        if source.level < 1 or (source.level > levels and not mapping.topic.endswith("#")):
            return f"the topic {mapping.topic} has levels 1 to {levels}, not {source.level}"
    if source.path is not None and mapping.payload == "number":
        return "a number has no fields; give level or const"
    return ""


def _objects(mapping: Mapping, payload: bytes) -> list[Any]:  # Any: plain JSON values, or bytes of a number
    if mapping.payload == "number":
        return [payload]
    try:
        plain = json.loads(payload)  # takes NaN too; the row's own check names it
    except (ValueError, RecursionError) as error:
        raise BadInput("json.syntax", f"no JSON: {cut(str(error))}, near {cut(str(payload[:40]))}") from None
    if mapping.payload == "json":
        return [plain]
    if not isinstance(plain, list):
        raise BadInput("json.shape", "the payload is no array, which this topic's mapping expects")
    return plain


def _row(mapping: Mapping, topic: str, plain: Any, received_ns: int) -> Row:  # Any: plain JSON values
    """One row; types are checked by the reader of rows, so that messages are the same everywhere."""
    levels = topic.split("/")
    fields: dict[str, Any] = {}
    for name, source in (("device", mapping.device), ("metric", mapping.metric), ("unit", mapping.unit)):
        found: Any = _ABSENT
        if source.const is not None:
            found = source.const
        elif source.level is not None:
            found = levels[source.level - 1] if source.level <= len(levels) else _ABSENT
        elif source.path is not None:
            found = _at(plain, source.path)
        if found is not _ABSENT:
            fields[name] = found
    fields["time"] = iso(received_ns) if mapping.time is None else _at(plain, mapping.time)
    fields["value"] = _number(plain) if mapping.payload == "number" else _at(plain, mapping.value)
    return _reader.one(json.dumps({k: v for k, v in fields.items() if v is not _ABSENT}).encode())


def _at(plain: Any, path: str) -> Any:  # Any: plain JSON values
    for step in path.split("."):
        if not isinstance(plain, dict) or step not in plain:
            return _ABSENT
        plain = plain[step]
    return plain


def _number(payload: bytes) -> float | str:
    """The number, or the text for the reader to complain about."""
    text = payload.decode("utf-8", "replace").strip()
    try:
        return float(text)
    except ValueError:
        return text


def _on(error: BadInput, topic: str) -> BadInput:
    """The same error, naming the topic."""
    return BadInput(
        error.code, f"topic {cut(topic)!r}: {cut(error.message, 300)}", **error.details, topic=cut(topic)
    )
