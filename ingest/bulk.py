"""A body's readings as columns of bytes, without taking its rows apart one by one. Pure.

Senders write all their rows alike. The first row is read by the JSON parser; it says which field stands where.
Then every row must be the same to the byte but for the values of the fields, and must end where the next one
begins. So no byte of a row that *fits* is unseen, and a fitting row means what the JSON parser would say it means;
about a row that does not fit nothing is said here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from ingest.digits import NUMBER, Mask, Text, find, words
from ingest.rows import MAX_ROWS, Form, Row
from yiwang.columns import I64

TEXT = 48
"""Bytes looked at for a text, its closing quote included."""
_NEAR = 24  # bytes looked at first
_FRONT = 32
_LONGEST_ROW = 2000
_SENDERS = 256
_TILE = 16  # rows compared in one stride of numpy's inner loop, which costs as much to begin as ten words
_QUOTE = ord('"')
_FIELD = re.compile(
    rb'\s*"([^"\\]*)"\s*:\s*(?:"(?P<text>[^"\\]*)"|(?P<number>-?[0-9][0-9.eE+-]*)|true|false|null)\s*([,}])'
)
_SPACE = b" \t\r\n"
_row = msgspec.json.Decoder(Row)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

Kind = Literal["text", "number"]


@dataclass(frozen=True, slots=True)
class Field:
    """A value in a row whose bytes may differ from row to row.

    Attributes:
        name: of the field.
        kind: text or number.
        before: what stands in front of it, back to the value before it.
        raw: its bytes in the first row, without quotes.
    """

    name: str
    kind: Kind
    before: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """How a sender writes a row.

    Attributes:
        fields: in the order of the row; a text's quotes belong to what is around it.
        after: what stands behind the last one, up to the next row.
        row: the first one, read.
    """

    fields: tuple[Field, ...]
    after: bytes
    row: Row


@dataclass(slots=True, eq=False)
class Column:
    """Where the values of a field stand.

    Attributes:
        at: int64 (n,), place of the first byte in ``Bulk.text.raw``.
        width: int64 (n,), bytes; an int where all are as wide.
    """

    at: I64
    width: I64 | int


@dataclass(slots=True, eq=False)
class Bulk:
    """The rows of a body.

    Attributes:
        layout: of the first row.
        text: the rows with room around them.
        starts: int64 (n,), place of each row's ``{``.
        fits: bool (n,), whether a row is as the first; the columns mean nothing for others.
        between: what stands between two rows.
        end: place behind the last row and what would stand between it and a next one.
        columns: by field; no metric or unit where it is that of the first row in all rows that fit.
    """

    layout: Layout
    text: Text
    starts: I64
    fits: Mask
    between: bytes
    end: int
    columns: dict[str, Column] = field(default_factory=dict)

    def piece(self, i: int, form: Form) -> bytes | None:
        """Row ``i`` by itself, None where it does not stand between the others in the usual way."""
        end = int(self.starts[i + 1]) if i + 1 < len(self.starts) else self.end
        raw = self.text.raw[int(self.starts[i]) : end]
        if form == "array":
            raw = raw.rstrip(_SPACE)
            return raw[:-1].rstrip(_SPACE) if raw.endswith(b",") else None
        line = raw.removesuffix(self.between)
        return None if line == raw or b"\n" in line or b"\r" in line else line


def read(body: bytes, form: Form) -> Bulk | None:
    """The rows of a body, None where its rows are not alike or not in any usual form."""
    if b"\\" in body or b"\0" in body:
        return None
    begin = body.find(b"{")
    layout, between = _layout(body, begin, form) if begin >= 0 else (None, b"")
    if layout is None:
        return None
    if form == "array":
        last = len(body.rstrip(_SPACE)) - 1
        if body[:begin].strip(_SPACE) != b"[" or body[last : last + 1] != b"]":
            return None
    elif body[:begin].strip(b"\r\n"):
        return None
    else:
        last = len(body)
    end = len(body[:last].rstrip(_SPACE if form == "array" else b"\r\n"))  # behind the last row
    room = bytes(sum(max(TEXT, NUMBER, len(f.before)) for f in layout.fields) + len(layout.after) + 256)
    text = Text(b"".join((bytes(_FRONT), body[begin:end], between, room)))
    starts = np.flatnonzero(text.bytes == ord("{"))
    if len(starts) > MAX_ROWS:
        return None
    behind = _FRONT + end - begin + len(between)
    bulk = Bulk(layout, text, starts, np.ones(len(starts), bool), between, behind)
    return bulk if _walk(bulk) else None


def _layout(body: bytes, begin: int, form: Form) -> tuple[Layout | None, bytes]:
    """How the first row is written, and what stands between it and the next."""
    at = begin + 1
    done = begin  # up to here it is in a field
    fields: list[Field] = []
    names = []
    while found := _FIELD.match(body, at, begin + _LONGEST_ROW):
        names.append(found[1])
        for kind in ("text", "number"):
            if found[kind] is not None:
                before = body[done : found.start(kind)]
                fields.append(Field(found[1].decode("ascii", "replace"), kind, before, found[kind]))
                done = found.end(kind)
        at = found.end()
        if found[4] == b"}":
            break
    else:
        return None, b""
    kinds = {f.name: f.kind for f in fields}
    if len(set(names)) < len(names) or _USUAL.items() - kinds.items() or kinds.get("quality") == "text":
        return None, b""
    try:
        row = _row.decode(body[begin:at])
        _object.decode(body[begin:at])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, b""
    follows = body.find(b"{", at)
    between = body[at:follows] if follows >= 0 else (b"," if form == "array" else b"\n")
    if between.strip(b" \t") not in _BETWEEN if form == "array" else between not in _LINES:
        return None, b""
    return Layout(tuple(fields), body[done:at] + between, row), between


_USUAL: dict[str, Kind] = {
    "device": "text", "metric": "text", "time": "text", "value": "number", "unit": "text"
}  # fmt: skip
_WORDS = ("metric", "unit")
_BETWEEN = (b",", b",\n", b",\r\n", b"\n,")
_LINES = (b"\n", b"\r\n")


def _walk(bulk: Bulk) -> bool:
    """Go through all rows side by side, field by field, and compare everything between the values.

    A text is taken to be as wide as in the first row (metric and unit: to be the same) until too many rows say
    otherwise; then its closing quote is looked for in each row.

    Returns:
        Whether most rows fit; else nothing is said of any.
    """
    fields = bulk.layout.fields
    kind = tuple(f.before for f in fields)
    sought = _learnt.get(kind) or frozenset(i for i, f in enumerate(fields) if f.kind == "number")
    blamed = _step(bulk, sought)
    while blamed >= 0:
        sought |= {blamed}
        blamed = _step(bulk, sought)
        if len(_learnt) >= _SENDERS:
            _learnt.clear()
        _learnt[kind] = sought
    return bool(np.count_nonzero(bulk.fits) * 8 >= len(bulk.fits) * 7)


_learnt: dict[tuple[bytes, ...], frozenset[int]] = {}
"""Which fields differ in width, by how a sender writes: only where to begin, the next body may show otherwise."""


def _step(bulk: Bulk, sought: frozenset[int]) -> int:
    """Walk once, looking for the ends of the fields ``sought``; the field that must be sought too, or -1."""
    fields = bulk.layout.fields
    bulk.fits, bulk.columns = np.ones(len(bulk.starts), bool), {}
    at, begin = bulk.starts, 0
    while True:
        literal, mask, texts, stop = _run(fields, begin, sought, bulk.layout.after)
        fits, wrong = _compare(bulk, at, literal, mask)
        if fits is not None:
            bulk.fits &= fits
            if np.count_nonzero(bulk.fits) * 16 < len(fits) * 15:
                blamed = [i for i, offset in texts.items() if offset <= wrong or begin > max(sought)]
                if blamed:
                    return blamed[-1]
        for i, offset in texts.items():
            if fields[i].name not in _WORDS:
                bulk.columns[fields[i].name] = Column(at + offset, len(fields[i].raw))
        at = at + len(literal)
        if stop == len(fields):
            break
        part, begin = fields[stop], stop + 1
        most = TEXT if part.kind == "text" else NUMBER
        if stop == max(sought):  # what follows is equally long in all rows: the next row says where this ends
            behind = sum(len(f.before) + len(f.raw) for f in fields[begin:]) + len(bulk.layout.after)
            width = np.append(bulk.starts[1:], bulk.end) - behind - at
            if width.min() < 0 or width.max() > most:
                bulk.fits &= (width >= 0) & (width <= most)
                width = np.clip(width, 0, most)
        else:
            after = fields[begin].before if begin < len(fields) else bulk.layout.after
            width = find(words(bulk.text.window(at, _NEAR)), after[0])
            if width.max() == _NEAR:
                width = find(words(bulk.text.window(at, most)), after[0])
        bulk.columns[part.name] = Column(at, width)
        at = at + width
    bulk.fits[:-1] &= at[:-1] == bulk.starts[1:]
    bulk.fits[-1] &= at[-1] == bulk.end
    return -1


def _run(
    fields: Sequence[Field], begin: int, sought: frozenset[int], after: bytes
) -> tuple[bytes, bytes, dict[int, int], int]:
    """The stretch from a field on that is equally long in all rows.

    Returns:
        Its bytes, which of them are compared, the offsets of the texts in it, and the field that ends it.
    """
    literal, mask = bytearray(), bytearray()
    texts: dict[int, int] = {}
    for i in range(begin, len(fields)):
        part = fields[i]
        literal += part.before
        mask += b"\xff" * len(part.before)
        if i in sought:
            return bytes(literal), bytes(mask), texts, i
        texts[i] = len(literal)
        literal += part.raw
        mask += (b"\xff" if part.name in _WORDS else b"\0") * len(part.raw)
    return bytes(literal + after), bytes(mask + b"\xff" * len(after)), texts, len(fields)


def _compare(bulk: Bulk, at: I64, literal: bytes, mask: bytes) -> tuple[Mask | None, int]:
    """Which rows are so from ``at`` on (None: all), and the offset of the first byte that is not in some row."""
    size = len(literal) + -len(literal) % 8
    wanted = np.frombuffer(literal.ljust(size, b"\0") * _TILE, np.uint64)
    compared = np.frombuffer(mask.ljust(size, b"\0") * _TILE, np.uint64)
    rows = words(bulk.text.window(at, size))
    whole = len(rows) // _TILE * _TILE
    for some, k in ((rows[:whole].reshape(-1, len(wanted)), len(wanted)), (rows[whole:], size // 8)):
        some ^= wanted[:k]
        some &= compared[:k]
    if not rows.max():
        return None, 0
    differs = np.bitwise_or.reduce(rows, axis=0)
    return np.bitwise_or.reduce(rows, axis=1) == 0, int(np.flatnonzero(differs.view(np.uint8))[0])
