"""A scenario in memory: what is registered, what the sensors say, and what is true."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from yiwang.columns import I64, Readings
from yiwang.model import Command, Report, VideoEvent, Warning  # noqa: A004  CAP's word
from yiwang.registry import Device, District, Place, Registry, Rules, Series, Text, Unit

Event = VideoEvent | Report | Warning | Command
"""What comes singly."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that really happened and must be raised as one incident.

    Attributes:
        place: id of the place, or of the zone where the kind is judged by zone.
        severity: the most severe level it reaches, 1..4.
        begin_ns: first moment at which its lowest level holds.
        end_ns: last moment at which it holds.
        within_s: it must be raised no later than this after ``begin_ns``.
        reaches_ns: for each level (as text) the first moment at which it holds.
        episode_ns: first and last trace of it, where that is longer than begin to end (a flood's wet time).
        also: other places (or zones) at which the same thing may be raised as well.
        optional: it may be raised or not: neither missed nor false.
        reasons: of a sensor fault, the reason codes that name it; empty: any.
    """

    id: str
    kind: str
    district: int
    place: str
    severity: int
    begin_ns: int
    end_ns: int
    within_s: float
    reaches_ns: dict[str, int] = {}
    episode_ns: tuple[int, int] | None = None
    also: tuple[str, ...] = ()
    optional: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def extent_ns(self) -> tuple[int, int]:
        """From the first to the last trace of it."""
        return self.episode_ns or (self.begin_ns, self.end_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything a run needs.

    Attributes:
        readings: per district, in order of arrival; series numbers are those of ``registries``.
        arrivals: per district, int64 (n,) sorted, when each reading comes in; a district without has readings
            that come in at their event time, sorted by it.
        events: video events, reports, warnings and recorded commands with their district, sorted by time.
        end_ns: end of the feed; ticks go on for ``settle_s`` of event time after it.
        tick_s: spacing of ticks in event time.
        merge_s: truths of one place closer than this may be found as one incident.
        expect_support: whether the city agent must have sent a neighbour's crew.
    """

    name: str
    title: Text
    start_ns: int
    end_ns: int
    settle_s: float
    tick_s: float
    districts: tuple[District, ...]
    registries: dict[int, Registry]
    rules: Rules
    base_map: dict[str, Any]  # Any: GeoJSON
    readings: dict[int, Readings]
    arrivals: dict[int, I64] = field(default_factory=dict)
    events: tuple[tuple[int, int, Event], ...] = ()
    truth: tuple[Truth, ...] = ()
    merge_s: float = 0.0
    expect_support: bool = False
    notes: tuple[str, ...] = field(default=())

    def comes_in(self, district: int) -> I64:
        """When each of a district's readings comes in: int64 (n,), sorted."""
        return self.arrivals.get(district, self.readings[district].t_ns)

    @property
    def reading_count(self) -> int:
        """Readings of all districts."""
        return sum(len(r) for r in self.readings.values())


def registries(
    places: tuple[Place, ...],
    devices: tuple[Device, ...],
    units: tuple[Unit, ...],
    metrics_of: dict[str, tuple[str, ...]],
    districts: tuple[District, ...],
) -> dict[int, Registry]:
    """Per district, with dense series numbers in the order of the devices and of their kind's metrics.

    Args:
        metrics_of: device kind to its metrics, as the domain packs have them.
    """
    result = {}
    for district in districts:
        number, numbered = 0, []
        for device in devices:
            if device.district != district.number:
                continue
            metrics = metrics_of[device.kind]
            series = tuple(Series(number=number + k, metric=m) for k, m in enumerate(metrics))
            number += len(metrics)
            numbered.append(msgspec.structs.replace(device, series=series))
        result[district.number] = Registry(
            version=1,
            places=tuple(p for p in places if p.district == district.number),
            devices=tuple(numbered),
            units=tuple(u for u in units if u.district == district.number),
        )
    return result
