"""What is registered and how it is measured, ready for quick look-up. Pure: built whole, then only read.

A row of a feed is looked up twice: metric and device give a *slot* with district and series, metric and unit a
*measure* with conversion and range. Looking up is then the same for one row and for columns of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yiwang.columns import F64, I32
from yiwang.domains import VIDEO_PREFIX, Domains
from yiwang.errors import BadInput
from yiwang.registry import Device, Place, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The registry of all districts seen through the domain packs.

    Attributes:
        versions: district to the version of its registry.
        domains: the packs in force.
        devices: by id.
        slots: metric to device to slot; the metrics of cameras' algorithms are not among them.
        district: int32 (slots,).
        series: int32 (slots,), dense within the district.
        measures: (metric, accepted unit) to measure.
        factor: float64 (measures,); value in the metric's unit = value * factor + offset.
        offset: float64 (measures,).
        lo: float64 (measures,), least plausible value in the metric's unit.
        hi: float64 (measures,), greatest plausible value in the metric's unit.
        places: by id.
        place_lon: float64 (places,), degrees.
        place_lat: float64 (places,), degrees.
        place_district: int32 (places,).
        zones: zone to the districts that have places in it.
    """

    versions: Mapping[int, int]
    domains: Domains
    devices: Mapping[str, Device]
    slots: Mapping[str, Mapping[str, int]]
    district: I32
    series: I32
    measures: Mapping[tuple[str, str], int]
    factor: F64
    offset: F64
    lo: F64
    hi: F64
    places: Mapping[str, Place]
    place_lon: F64
    place_lat: F64
    place_district: I32
    zones: Mapping[str, frozenset[int]]

    def device(self, id_: str, *, code: str) -> Device:
        """The device of that id.

        Raises:
            BadInput: ``code`` where nobody has registered it.
        """
        try:
            return self.devices[id_]
        except KeyError:
            raise BadInput(
                code,
                f"device {cut(id_)!r} is not registered; register it with: yiwang devices import",
                device=cut(id_),
            ) from None

    def units_of(self, metric: str) -> str:
        """The units in which a metric may come, for messages; its own first."""
        found = self.domains.metrics[metric]
        return ", ".join([found.unit, *sorted(u for u in found.units if u != found.unit)])


def build(registries: Mapping[int, Registry], domains: Domains) -> Catalogue:
    """The catalogue of these registries (district to its whole registry) under these packs.

    A series whose metric no pack knows any more has no slot: its readings are rejected with that reason.
    """
    measures: dict[tuple[str, str], int] = {}
    table: list[tuple[float, float, float, float]] = []
    for metric in domains.metrics.values():
        if metric.id.startswith(VIDEO_PREFIX):
            continue
        for unit, (factor, offset) in metric.units.items():
            measures[metric.id, unit] = len(table)
            table.append((factor, offset, metric.lo, metric.hi))
    slots: dict[str, dict[str, int]] = {metric: {} for metric, _ in measures}
    place: list[tuple[int, int]] = []
    devices: dict[str, Device] = {}
    for number, registry in registries.items():
        for device in registry.devices:
            devices[device.id] = device
            for series in device.series:
                if series.metric in slots:
                    slots[series.metric][device.id] = len(place)
                    place.append((number, series.number))
    spots = {p.id: p for registry in registries.values() for p in registry.places}
    zones: dict[str, frozenset[int]] = {}
    for spot in spots.values():
        if spot.zone:
            zones[spot.zone] = zones.get(spot.zone, frozenset()) | {spot.district}
    places = np.array(place, np.int32).reshape(-1, 2)
    columns = np.array(table, np.float64).reshape(-1, 4)
    return Catalogue(
        versions={n: r.version for n, r in registries.items()},
        domains=domains,
        devices=devices,
        slots=slots,
        district=np.ascontiguousarray(places[:, 0]),
        series=np.ascontiguousarray(places[:, 1]),
        measures=measures,
        factor=np.ascontiguousarray(columns[:, 0]),
        offset=np.ascontiguousarray(columns[:, 1]),
        lo=np.ascontiguousarray(columns[:, 2]),
        hi=np.ascontiguousarray(columns[:, 3]),
        places=spots,
        place_lon=np.array([p.lon for p in spots.values()], np.float64),
        place_lat=np.array([p.lat for p in spots.values()], np.float64),
        place_district=np.array([p.district for p in spots.values()], np.int32),
        zones=zones,
    )


def cut(text: str, limit: int = 80) -> str:
    """A text from outside, short and encodable, for use in messages."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"
