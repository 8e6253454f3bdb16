"""Bytes to rows: JSON arrays, a lone object, or a line each, with one bad row never taking its neighbours along.

Three ways, each slower and more patient than the one before: everything at once, row by row, and picking up
whatever still reads as an object when the JSON around it is broken.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from ingest.catalogue import cut
from yiwang.errors import BadInput

MAX_ROWS = 200_000
_MAX_BROKEN = 1000  # so many broken pieces, and the rest of the body is not looked at any more
_MAX_NESTED = 4  # objects within a row (fields that nobody reads) that a broken body may have
_RAW = 64 * 1024
_OPENING = re.compile(rb"\{")
_POSITION = re.compile(r"\(byte (\d+)\)")
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})
_FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Form = Literal["array", "lines"]


class Row(msgspec.Struct, gc=False):
    """A reading as it comes in. A field that is missing has a value that no field has otherwise."""

    device: str = ""
    metric: str = ""
    time: str = ""
    value: float = math.nan  # JSON itself has no NaN
    unit: str = ""
    quality: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


class Event(msgspec.Struct, gc=False, rename={"event_class": "class"}):
    """A sighting by a camera as it comes in."""

    device: str = ""
    event_class: str = ""
    confidence: float = math.nan
    time: str = ""
    event_id: str = ""
    image_url: str = ""


class Said(msgspec.Struct, gc=False):
    """A report by a person as it comes in."""

    kind: str = ""
    by: str = ""
    time: str = ""
    place: str = ""
    lon: float = math.nan
    lat: float = math.nan
    level: Annotated[int, msgspec.Meta(ge=1, le=4)] = 3
    certainty: float = 0.5
    text: str = ""
    report_id: str = ""


class Notice(msgspec.Struct, rename={"begins": "from"}):
    """An outside warning as it comes in."""

    warning_id: str = ""
    event: str = ""
    level: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0  # 0: left out
    begins: str = ""
    until: str = ""
    areas: list[str] = []
    districts: list[int] = []
    sender: str = ""
    headline_zh: str = ""
    headline_en: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that cannot be used.

    Attributes:
        row: its index in the body, from 0; empty lines do not count.
        error: what is wrong with it.
        raw: the row itself, cut at 64 KiB.
    """

    row: int
    error: BadInput
    raw: bytes

    def as_json(self) -> dict[str, Any]:  # Any: plain JSON values
        """The form of an answer."""
        return {"row": self.row, **self.error.as_json()}


T = TypeVar("T", Row, Event, Said, Notice)


@dataclass(slots=True, kw_only=True)
class Rows(Generic[T]):
    """What could be read of a body.

    Attributes:
        rows: in the order of the body.
        index: of each row in the body; None where it is its position in ``rows``.
        rejected: what could not be read.
    """

    body: bytes
    form: Form
    rows: list[T]
    index: list[int] | None = None
    raws: list[bytes] | None = None
    rejected: list[Rejected] = field(default_factory=list)

    def raw(self, i: int) -> bytes:
        """The bytes of ``rows[i]``, cut at 64 KiB."""
        if self.raws is None:
            self.raws = [raw for _, raw in _pieces(self.body, self.form)]
            if len(self.raws) != len(self.rows):  # lines that hold two rows, or rows over two lines
                self.raws = [msgspec.json.encode(row) for row in self.rows]
        return self.raws[i][:_RAW]

    def number(self, i: int) -> int:
        """Where ``rows[i]`` stood in the body."""
        return i if self.index is None else self.index[i]


class Reader(Generic[T]):
    """Reads bodies of one kind of row.

    Args:
        type_: ``Row``, ``Event``, ``Said`` or ``Notice``.
        noun: for error codes: ``reading``, ``event``, ``report`` or ``warning``.
    """

    def __init__(self, type_: type[T], noun: str) -> None:
        self._noun = noun
        self._all: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(list[type_])  # type: ignore[valid-type]
        self._one: msgspec.json.Decoder[T] = msgspec.json.Decoder(type_)

    def read(self, body: bytes, form: Form) -> Rows[T]:
        """Rows of a body and what is wrong with the others.

        Raises:
            BadInput: ``json.syntax`` when nothing in it can be read as JSON, ``json.shape`` when it is JSON but
                neither an array nor an object, ``body.rows`` when it has too many rows.
        """
        try:
            rows = self._all.decode(body) if form == "array" else self._one.decode_lines(body)
        except _FAILURES:
            return self._patiently(body, form)
        _check_count(len(rows))
        return Rows(body=body, form=form, rows=rows)

    def _patiently(self, body: bytes, form: Form) -> Rows[T]:
        found: Rows[T] = Rows(body=body, form=form, rows=[], index=[], raws=[])
        broken: BadInput | None = None
        try:
            pieces = _pieces(body, form)
        except _FAILURES as error:
            syntax = _syntax(body, error)
            pieces = list(_pick_up(body))
            if not any(good for good, _ in pieces):
                raise syntax from None
            broken = syntax
        _check_count(len(pieces))
        for number, (good, raw) in enumerate(pieces):
            try:
                if not good:
                    raise _syntax(raw, None)
                row = self.one(raw)
            except BadInput as error:
                found.rejected.append(Rejected(row=number, error=error, raw=raw[:_RAW]))
            else:
                found.rows.append(row)
                found.index.append(number)  # type: ignore[union-attr]
                found.raws.append(raw)  # type: ignore[union-attr]
        blamed = {r.error.code for r in found.rejected}
        if broken and "json.syntax" not in blamed and not (blamed and body.rstrip().endswith(b"]")):
            # Cut off, or rubbish between good rows: no row to blame, yet the sender must know.
            found.rejected.append(Rejected(row=len(pieces), error=broken, raw=body[:_RAW]))
        return found

    def one(self, raw: bytes) -> T:
        """A single row.

        Raises:
            BadInput: what is wrong with it.
        """
        try:
            return self._one.decode(raw)
        except _FAILURES as error:
            raise self._why(raw, error) from None

    def take(self, raw: bytes, number: int, into: Rows[T]) -> bool:
        """Add a row of a body, or what is wrong with it; False, and nothing added, where it is no JSON at all."""
        try:
            into.rows.append(self._one.decode(raw))
        except _FAILURES as error:
            try:
                msgspec.json.decode(raw, type=msgspec.Raw)
            except _FAILURES:
                return False
            into.rejected.append(Rejected(row=number, error=self._why(raw, error), raw=raw[:_RAW]))
            return True
        into.index.append(number)  # type: ignore[union-attr]
        into.raws.append(raw)  # type: ignore[union-attr]
        return True

    def _why(self, raw: bytes, error: Exception) -> BadInput:
        """What is wrong with a row that is an object, or not even JSON."""
        try:
            plain = json.loads(raw)  # also takes NaN, Infinity and -Infinity
        except (ValueError, RecursionError):
            return _syntax(raw, error)
        if not isinstance(plain, dict):
            return BadInput(
                f"{self._noun}.field",
                f"a row is an object such as {_EXAMPLES[self._noun]}, not {_kind(plain)}",
                field="",
            )
        key = _NAMES[self._noun]
        name = cut(plain[key]) if isinstance(plain.get(key), str) else "?"
        who = f"{key.removesuffix('_id')} {name!r}"
        for field_, value in plain.items():
            if field_ in _NUMBERS and _not_finite(value):
                return BadInput(
                    f"{self._noun}.not_finite",
                    f"{who}: {field_} is {str(value)[:20]}; send a finite number,"
                    " or nothing while there is no value",
                    **{key: name, "field": field_},
                )
        for field_, wanted in _FIELDS[self._noun].items():
            if field_ in plain and not _fits(plain[field_], wanted):
                return BadInput(
                    f"{self._noun}.field",
                    f"{who}: {field_} is {_kind(plain[field_])}; it must be {wanted}",
                    **{key: name, "field": field_},
                )
        return _syntax(raw, error)


_NAMES = {"reading": "device", "event": "device", "report": "report_id", "warning": "warning_id"}
"""The field by which a row is called in messages."""
_NUMBERS = frozenset({"value", "confidence", "lon", "lat", "certainty"})
_FIELDS = {
    "reading": {
        "device": "a text",
        "metric": "a text",
        "time": "a text",
        "value": "a number",
        "unit": "a text",
        "quality": "0 (good), 1 (suspect), 2 (wrong clock) or 3 (both)",
    },
    "event": {
        "device": "a text",
        "class": "a text",
        "confidence": "a number",
        "time": "a text",
        "event_id": "a text",
        "image_url": "a text",
    },
    "report": {
        "kind": "a text",
        "by": "a text",
        "time": "a text",
        "place": "a text",
        "lon": "a number",
        "lat": "a number",
        "level": "1, 2, 3 or 4",
        "certainty": "a number",
        "text": "a text",
        "report_id": "a text",
    },
    "warning": {
        "warning_id": "a text",
        "event": "a text",
        "level": "1 (red), 2 (orange), 3 (yellow) or 4 (blue)",
        "from": "a text",
        "until": "a text",
        "areas": "an array of texts",
        "districts": "an array of numbers of districts",
        "sender": "a text",
        "headline_zh": "a text",
        "headline_en": "a text",
        "cancelled": "true or false",
    },
}
_EXAMPLES = {
    "reading": '{"device": "WL-1", "metric": "water_depth", "time": "2026-06-01T20:15:00+08:00",'
    ' "value": 12.5, "unit": "cm"}',
    "event": '{"device": "CAM-1", "class": "road_flooding", "time": "2026-06-01T20:15:00+08:00",'
    ' "confidence": 0.9}',
    "report": '{"kind": "road_flooding", "by": "12345", "time": "2026-06-01T20:15:00+08:00", "place": "UP-003"}',
    "warning": '{"warning_id": "W-1", "event": "rainstorm", "level": 2, "from": "2026-06-01T20:15:00+08:00",'
    ' "until": "2026-06-02T02:15:00+08:00"}',
}


def _check_commas(body: bytes) -> None:
    """Refuse a body before it is taken apart into millions of pieces."""
    if body.count(b",") > 10 * MAX_ROWS:
        _check_count(body.count(b",") // 5)


def _check_count(n: int) -> None:
    if n > MAX_ROWS:
        raise BadInput(
            "body.rows", f"the body has {n} rows or so; send at most {MAX_ROWS} at once", limit=MAX_ROWS
        )


def _pieces(body: bytes, form: Form) -> list[tuple[bool, bytes]]:
    """The rows as they stand in a body of which at least the frame is right."""
    if form == "lines":
        return [(True, line) for line in body.splitlines() if line.strip()]
    _check_commas(body)
    whole = msgspec.json.decode(body, type=msgspec.Raw)
    first = body.lstrip()[:1]
    if first == b"{":
        return [(True, body)]
    if first != b"[":
        raise BadInput(
            "json.shape", "the body is neither an array of rows nor a row", near=cut(str(body[:30]))
        )
    return [(True, bytes(raw)) for raw in msgspec.json.decode(whole, type=list[msgspec.Raw])]


def _pick_up(body: bytes) -> Iterator[tuple[bool, bytes]]:
    """Pieces of a broken array: (whether it reads as a row, bytes).

    Cuts before every ``{`` and joins a few pieces again where only together they are an object.
    """
    starts = [m.start() for m in islice(_OPENING.finditer(body), 2 * MAX_ROWS)]
    ends = [*starts[1:], len(body)]
    broken = i = 0
    while i < len(starts):
        if broken == _MAX_BROKEN:
            yield False, body[starts[i] :]
            return
        for j in range(i, min(i + _MAX_NESTED, len(starts))):
            piece = body[starts[i] : ends[j]]
            piece = piece[: piece.rfind(b"}") + 1]
            if _is_json(piece):
                yield True, piece
                i = j + 1
                break
        else:
            broken += 1
            yield False, body[starts[i] : ends[i]].rstrip(b" \t\r\n,")
            i += 1


def _is_json(piece: bytes) -> bool:
    try:
        json.loads(piece)
    except (ValueError, RecursionError):
        return False
    return True


def _syntax(body: bytes, error: Exception | None) -> BadInput:
    if error is None:
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except _FAILURES as again:
            error = again
    if isinstance(error, RecursionError):
        position = 0
    elif isinstance(error, UnicodeDecodeError):  # its own position is within one text
        position = len(body) - len(body.lstrip(bytes(range(128))))
    else:
        found = _POSITION.search(str(error))
        position = int(found[1]) if found else len(body)
    what = str(error).removeprefix("JSON is malformed: ").split(" (byte")[0]
    near = cut(body[max(0, position - 20) : position + 20].decode("utf-8", "replace"))
    return BadInput(
        "json.syntax",
        f"no JSON at byte {position}: {what}, near {near!r}",
        position=position,
        near=near,
    )


def _not_finite(value: object) -> bool:
    if isinstance(value, (int, float)):
        return not abs(value) < 1e308  # so that a conversion of units cannot overflow either
    return isinstance(value, str) and value.strip().lstrip("+-").lower() in _NOT_FINITE


def _fits(value: object, wanted: str) -> bool:
    if wanted == "a text":
        return isinstance(value, str)
    if wanted == "a number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted == "true or false":
        return isinstance(value, bool)
    if wanted.startswith("an array"):
        inner = "a text" if wanted == "an array of texts" else "0"
        return isinstance(value, list) and all(_fits(one, inner) for one in value)
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return wanted == "0" or str(value) in wanted


def _kind(value: object) -> str:
    """How a wrong value is called in a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {cut(value, 30)!r}"
    if isinstance(value, (int, float)):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"
