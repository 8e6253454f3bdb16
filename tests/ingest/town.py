"""A small registered town for the tests of ingest."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ingest.catalogue import Catalogue, build
from ingest.parse import Limits
from yiwang import frames
from yiwang.domains import compile_rules, load_rules
from yiwang.registry import Device, Place, Registry, Series, Text

NOW_NS = 1_780_316_100_000_000_000  # 2026-06-01T20:15:00+08:00
NOW = "2026-06-01T20:15:00+08:00"
LIMITS = Limits(future_s=60.0, past_s=30 * 86400.0)


def device(id_: str, district: int, kind: str, series: Iterable[tuple[int, str]]) -> Device:
    return Device(
        id=id_,
        district=district,
        kind=kind,
        place="P",
        name=Text("点", id_),
        lon=104.0,
        lat=30.0,
        series=tuple(Series(number=n, metric=m) for n, m in series),
    )


def place(id_: str, district: int, zone: str, lon: float) -> Place:
    return Place(id=id_, district=district, zone=zone, kind="road", name=Text("点", id_), lon=lon, lat=30.0)


REGISTRIES = {
    0: Registry(
        version=1,
        places=(place("P-1", 0, "CA-01", 104.0), place("P-2", 0, "CA-02", 104.05)),
        devices=(
            device("WL-1", 0, "underpass_water_level", [(0, "water_depth")]),
            device("WL-2", 0, "underpass_water_level", [(1, "water_depth"), (2, "rain_intensity")]),
            device("CAM-1", 0, "road_camera", [(3, "video_road_flooding"), (4, "video_traffic_crash")]),
        ),
    ),
    1: Registry(
        version=4,
        places=(place("P-9", 1, "CA-02", 104.5), place("P-8", 1, "", 104.6)),
        devices=(device("WL-9", 1, "road_water_level", [(0, "water_depth")]),),
    ),
}
DOMAINS = compile_rules(load_rules())


def catalogue() -> Catalogue:
    return build(REGISTRIES, DOMAINS)


def row(**changed: Any) -> dict[str, Any]:
    """A good reading with some fields changed; ``...`` takes one out."""
    good = {"device": "WL-1", "metric": "water_depth", "time": NOW, "value": 12.5, "unit": "cm"}
    return {k: v for k, v in (good | changed).items() if v is not ...}


def event(**changed: Any) -> dict[str, Any]:
    """A good video event with some fields changed; ``...`` takes one out."""
    good = {"device": "CAM-1", "class": "road_flooding", "time": NOW, "confidence": 0.9}
    return {k: v for k, v in (good | changed).items() if v is not ...}


def report(**changed: Any) -> dict[str, Any]:
    """A good report with some fields changed; ``...`` takes one out."""
    good = {"kind": "road_flooding", "by": "12345", "time": NOW, "place": "P-1"}
    return {k: v for k, v in (good | changed).items() if v is not ...}


def warning(**changed: Any) -> dict[str, Any]:
    """A good outside warning with some fields changed; ``...`` takes one out."""
    good = {
        "warning_id": "W-1",
        "event": "rainstorm",
        "level": 2,
        "from": NOW,
        "until": "2026-06-02T02:15:00+08:00",
    }
    return {k: v for k, v in (good | changed).items() if v is not ...}


def array(*rows: Any) -> bytes:
    return msgspec.json.encode(rows)


def lines(*rows: Any) -> bytes:
    return b"\n".join(msgspec.json.encode(r) for r in rows)


def batch_values(payload: bytes) -> list[float]:
    """The values in a frame."""
    values: list[float] = frames.decode(payload).readings.value.tolist()
    return values
