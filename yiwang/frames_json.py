"""The JSON form of frames, for people and for producers that are not ours: to read one, and to test oneself.

One frame is one object::

    {"version": 1, "district": 1, "ingest_ns": 1780320000000000000, "readings": [
      {"series": 3, "t_ns": 1780320000000000000, "time": "2026-06-01T13:20:00.000Z", "value": 12.5, "quality": 0}]}

``t_ns`` is the time to the nanosecond; ``time`` the same for people, enough by itself where milliseconds are. JSON has
no NaN and no infinity: such a value stands as the text ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``, so that a wrong frame
can be shown, and made for a test.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from yiwang.clock import iso, parse_iso
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.frames import Frame

_MS = 1_000_000
_NO_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_I64 = msgspec.Meta(ge=-(2**63), le=2**63 - 1)


class _Reading(msgspec.Struct, forbid_unknown_fields=True):
    series: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
    value: float | Literal["NaN", "Infinity", "-Infinity"]
    t_ns: Annotated[int, _I64] | None = None
    time: str | None = None
    quality: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0


class _Frame(msgspec.Struct, forbid_unknown_fields=True):
    district: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    ingest_ns: Annotated[int, _I64]
    readings: list[_Reading]
    version: Literal[1] = 1


_one = msgspec.json.Decoder(_Frame)


def as_json(frame: Frame) -> dict[str, Any]:  # Any: plain JSON values
    """A frame as a JSON object; ``of_json`` gives the same frame back, to the last bit of every finite value."""
    r = frame.readings
    rows = zip(r.series.tolist(), r.t_ns.tolist(), r.value.tolist(), r.quality.tolist(), strict=True)
    return {
        "version": 1,
        "district": frame.district,
        "ingest_ns": frame.ingest_ns,
        "readings": [
            {
                "series": s,
                "t_ns": t,
                "time": iso(t),
                "value": v if math.isfinite(v) else _name(v),
                "quality": q,
            }
            for s, t, v, q in rows
        ],
    }


def of_json(text: bytes) -> Frame:
    """A frame of a JSON object.

    Raises:
        BadInput: ``frame.json`` naming the field and what would be right, ``time.…``
    """
    try:
        found = _one.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            "frame.json",
            f"not the JSON form of a frame: {error}; right is"
            ' {"district": 1, "ingest_ns": 0, "readings": [{"series": 3, "t_ns": 0, "value": 12.5}]}',
        ) from None
    rows = [
        (r.series, _time(n, r), r.value if isinstance(r.value, float) else _NO_NUMBERS[r.value], r.quality)
        for n, r in enumerate(found.readings)
    ]
    return Frame(district=found.district, ingest_ns=found.ingest_ns, readings=Readings.of(rows))


def objects(text: bytes) -> Iterator[bytes]:
    """The objects of a file: one object, an array of them, or one a line.

    Raises:
        BadInput: ``frame.json`` where it is none of the three.
    """
    try:
        whole = msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        yield from (line for line in text.splitlines() if line.strip())
        return
    first = bytes(whole).lstrip()[:1]
    if first == b"[":
        yield from map(bytes, msgspec.json.decode(text, type=list[msgspec.Raw]))
    elif first == b"{":
        yield text
    else:
        raise BadInput("frame.json", "neither an object, an array of objects, nor an object a line")


def _name(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _time(number: int, reading: _Reading) -> int:
    where = f"reading {number} (series {reading.series})"
    if reading.time is None:
        if reading.t_ns is None:
            raise BadInput("frame.json", f"{where} has no time; give t_ns, or time", row=number)
        return reading.t_ns
    told = parse_iso(reading.time)
    if reading.t_ns is None:
        return told
    if abs(told - reading.t_ns) >= _MS:
        raise BadInput(
            "frame.json",
            f"{where}: t_ns is {iso(reading.t_ns)}, time says {reading.time}; give one, or the same",
            row=number,
        )
    return reading.t_ns
