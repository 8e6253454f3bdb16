"""What a district consists of: places, devices with their series, units (people and crews).

Positions are WGS 84 / CGCS2000 degrees. Texts are in Chinese and English.
"""

from typing import Any

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A name in both languages."""

    zh: str
    en: str = ""


class District(msgspec.Struct, frozen=True, kw_only=True):
    """A district (区县): unit of order and scale. ``number`` is its partition."""

    number: int
    code: str  # GB/T 2260 style, invented in the demo
    name: Text


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place (点位): an underpass, a road link, a valve chamber. What an incident is "at".

    ``attributes`` are numbers that thresholds may refer to, such as ``closure_depth_cm``.
    """

    id: str
    district: int
    zone: str  # catchment, corridor, block of grid cells: the unit of joint meaning
    kind: str  # underpass | road | corridor_link | valve_chamber | crossing | station | area
    name: Text
    lon: float
    lat: float
    attributes: dict[str, float] = {}


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one device, dense within its district."""

    number: int
    metric: str


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor or a camera."""

    id: str
    district: int
    kind: str  # a device kind of a domain pack
    place: str
    name: Text
    lon: float
    lat: float
    series: tuple[Series, ...]
    attributes: dict[str, float] = {}


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A grid worker or crew that can be sent (网格员, 处置队伍)."""

    id: str
    district: int
    name: Text
    skill: str  # drainage | traffic | gas | grid | fire
    lon: float
    lat: float
    on_duty: bool = True


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything registered in one district, or a change to it (then only what changed)."""

    version: int
    places: tuple[Place, ...] = ()
    devices: tuple[Device, ...] = ()
    units: tuple[Unit, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The domain packs in force and what the city overrides; ``version`` is derived from the content."""

    version: str
    packs: tuple[dict[str, Any], ...]  # Any: parsed YAML, validated by yiwang.domains
    overrides: tuple[dict[str, Any], ...] = ()  # Any: parsed YAML, validated by yiwang.domains
    lateness_s: float = 10.0  # how long ticks wait for late readings
    tick_s: float = 1.0  # grid of event time on which detectors tick
