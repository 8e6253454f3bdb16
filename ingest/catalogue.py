"""What is registered and how it is measured, ready for quick look-up. Pure: built whole, then only read.

A row of a feed is looked up in steps, each the same for one row and for columns of them: the device's id gives its
*device* (where its series begin, and its group), metric and group the *slot* with the series, metric and unit a
*measure* with conversion and range. A *group* is all devices of one district and kind that have the same metrics.
A million devices of up to 16 bytes of id take about 36 MB.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingest import index
from ingest.digits import Mask
from ingest.index import Index
from yiwang.columns import F64, I32, I64
from yiwang.domains import VIDEO_PREFIX, Domains
from yiwang.errors import BadInput
from yiwang.registry import Place, Registry

_START = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Devices that have district, kind and metrics in common.

    Attributes:
        metrics: in the order of the series' numbers, those of cameras' algorithms too.
        dense: whether their numbers follow each other in each device (else a metric was added later).
    """

    district: int
    kind: str
    metrics: tuple[str, ...]
    dense: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A registered device."""

    id: str
    group: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The devices of one district, packed.

    Attributes:
        version: of the district's registry.
        ids: one behind the other, with NUL between.
        devices: how many.
        group: int32 (devices,), place in ``groups``.
        start: int32 (devices,), its first series, or where its series begin in ``series`` where they are not dense.
        groups: of this district.
        series: int32 (m,), of the devices whose series are not dense.
    """

    version: int
    ids: bytes
    devices: int
    group: I32
    start: I32
    groups: tuple[Group, ...]
    series: I32


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The registry of all districts seen through the domain packs.

    Attributes:
        versions: district to the version of its registry.
        domains: the packs in force.
        devices: how many are registered.
        readable: how many series readings may be sent for.
        index: id to device: its group times 2^32, plus its first series, or where they begin in ``series``.
        groups: all of them.
        district: int32 (groups,).
        scattered: bool (groups,), whether series are to be looked up in ``series``; None where none are.
        metrics: metric to its column; the metrics of cameras' algorithms are not among them.
        place: int16 (metrics, groups), which series of a device the metric is, -1 where it has none.
        series: int32 (m,), those of the groups that are scattered.
        units: unit to its column.
        measure: int32 (metrics, units), the measure, -1 where the metric does not come in that unit.
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
    devices: int
    readable: int
    index: Index
    groups: Sequence[Group]
    district: I32
    scattered: Mask | None
    metrics: Mapping[str, int]
    place: np.ndarray[tuple[int, int], np.dtype[np.int16]]
    series: I32
    units: Mapping[str, int]
    measure: I32
    factor: F64
    offset: F64
    lo: F64
    hi: F64
    places: Mapping[str, Place]
    place_lon: F64
    place_lat: F64
    place_district: I32
    zones: Mapping[str, frozenset[int]]

    def find(self, id_: str) -> Known | None:
        """The device of that id, if there is one."""
        at = self.index.one(id_)
        return None if at < 0 else Known(id=id_, group=self.groups[at >> 32])

    def device(self, id_: str, *, code: str) -> Known:
        """The device of that id.

        Raises:
            BadInput: ``code`` where nobody has registered it.
        """
        found = self.find(id_)
        if found is None:
            raise BadInput(
                code,
                f"device {cut(id_)!r} is not registered; register it with: yiwang devices import",
                device=cut(id_),
            )
        return found

    def takes(self, id_: str, metric: str) -> bool:
        """Whether readings of that metric may be sent for that device."""
        at, column = self.index.one(id_), self.metrics.get(metric, -1)
        return at >= 0 and column >= 0 and bool(self.place[column, at >> 32] >= 0)

    def slots(self, device: I64, metric: I64 | int) -> tuple[I32, I32]:
        """Series of devices found in ``index``, -1 where there is none, and their districts; int32 (n,) both.

        Args:
            device: int64 (n,), -1 for none.
            metric: column of each or of all, -1 for none.
        """
        group = device >> 32
        place = self.place[metric, group]
        series = (device & _START) + place
        if self.scattered is not None:
            at = np.flatnonzero(self.scattered[group] & (device >= 0) & (place >= 0))
            series[at] = self.series[series[at]]
        known = (device >= 0) & (place >= 0)
        if not isinstance(metric, int):
            known &= metric >= 0
        if not known.all():
            series[~known] = -1
        return series.astype(np.int32), self.district[group]

    def units_of(self, metric: str) -> str:
        """The units in which a metric may come, for messages; its own first."""
        found = self.domains.metrics[metric]
        return ", ".join([found.unit, *sorted(u for u in found.units if u != found.unit)])


class Packer:
    """Packs the devices of a district, a few or many at a time."""

    def __init__(self, district: int) -> None:
        self._district = district
        self._ids: list[str] = []
        self._groups: dict[tuple[str, tuple[str, ...], bool], int] = {}
        self._group: list[int] = []
        self._start: list[int] = []
        self._series: list[int] = []
        self._ready: list[tuple[bytes, I32, I32]] = []

    def add(self, id_: str, kind: str, metrics: Sequence[str], numbers: Sequence[int]) -> None:
        """One device with its series."""
        count = len(numbers)
        dense = count < 2 or list(numbers) == list(range(numbers[0], numbers[0] + count))
        self._ids.append(id_)
        self._group.append(self._groups.setdefault((kind, tuple(metrics), dense), len(self._groups)))
        if dense:
            self._start.append(numbers[0] if numbers else 0)
        else:
            self._start.append(len(self._series))
            self._series.extend(numbers)
        if len(self._ids) == 10_000:
            self._pack()

    def part(self, version: int) -> Part:
        """All that was added."""
        self._pack()
        group = np.concatenate([g for _, g, _ in self._ready])
        return Part(
            version=version,
            ids=b"\0".join(ids for ids, _, _ in self._ready if ids),
            devices=len(group),
            group=group,
            start=np.concatenate([s for _, _, s in self._ready]),
            groups=tuple(
                Group(district=self._district, kind=k, metrics=m, dense=d) for k, m, d in self._groups
            ),
            series=np.array(self._series, np.int32),
        )

    def _pack(self) -> None:
        ids = "\0".join(self._ids).encode()
        self._ready.append((ids, np.array(self._group, np.int32), np.array(self._start, np.int32)))
        self._ids, self._group, self._start = [], [], []


def pack(district: int, registry: Registry) -> Part:
    """The devices of a district."""
    packer = Packer(district)
    for device in registry.devices:
        packer.add(
            device.id, device.kind, [s.metric for s in device.series], [s.number for s in device.series]
        )
    return packer.part(registry.version)


def build(registries: Mapping[int, Registry], domains: Domains) -> Catalogue:
    """The catalogue of these registries (district to its whole registry) under these packs."""
    parts = {number: pack(number, registry) for number, registry in registries.items()}
    return join(parts, [p for registry in registries.values() for p in registry.places], domains)


def join(parts: Mapping[int, Part], places: Iterable[Place], domains: Domains) -> Catalogue:
    """The catalogue of these districts under these packs.

    A series whose metric no pack knows any more has no slot: its readings are rejected with that reason.
    """
    columns = {m: i for i, m in enumerate(m for m in domains.metrics if not m.startswith(VIDEO_PREFIX))}
    units = {u: i for i, u in enumerate(dict.fromkeys(u for m in columns for u in domains.metrics[m].units))}
    measure = np.full((max(1, len(columns)), max(1, len(units))), -1, np.int32)
    table: list[tuple[float, float, float, float]] = []
    for name, column in columns.items():
        metric = domains.metrics[name]
        for unit, (factor, offset) in metric.units.items():
            measure[column, units[unit]] = len(table)
            table.append((factor, offset, metric.lo, metric.hi))
    if not table:
        table.append((1.0, 0.0, np.inf, -np.inf))
    measures = np.array(table, np.float64)

    all_ = list(parts.values())
    groups = [group for part in all_ for group in part.groups]
    place = np.full((max(1, len(columns)), max(1, len(groups))), -1, np.int16)
    for row, group in enumerate(groups):
        for at, name in enumerate(group.metrics):
            if name in columns:
                place[columns[name], row] = at
    group_of = _stacked([part.group for part in all_], [len(part.groups) for part in all_])
    scattered = np.array([not g.dense for g in groups], bool)
    begins = np.repeat(np.cumsum([0, *(len(p.series) for p in all_)])[:-1], [p.devices for p in all_])
    start = np.concatenate([np.empty(0, np.int64), *(part.start for part in all_)])
    if scattered.any():
        start += np.where(scattered[group_of], begins, 0)
    ids = [i for part in all_ if part.devices for i in part.ids.split(b"\0")]
    spots = {p.id: p for p in places}
    zones: dict[str, frozenset[int]] = {}
    for spot in spots.values():
        if spot.zone:
            zones[spot.zone] = zones.get(spot.zone, frozenset()) | {spot.district}
    return Catalogue(
        versions={n: part.version for n, part in parts.items()},
        domains=domains,
        devices=len(ids),
        readable=int((place >= 0).sum(0)[group_of].sum()),
        index=index.build(ids, (group_of << 32) + start.astype(np.int64)),
        groups=groups,
        district=np.array([g.district for g in groups] or [0], np.int32),
        scattered=scattered if scattered.any() else None,
        metrics=columns,
        place=place,
        series=np.concatenate([np.empty(0, np.int32), *(part.series for part in all_)]),
        units=units,
        measure=measure,
        factor=np.ascontiguousarray(measures[:, 0]),
        offset=np.ascontiguousarray(measures[:, 1]),
        lo=np.ascontiguousarray(measures[:, 2]),
        hi=np.ascontiguousarray(measures[:, 3]),
        places=spots,
        place_lon=np.array([p.lon for p in spots.values()], np.float64),
        place_lat=np.array([p.lat for p in spots.values()], np.float64),
        place_district=np.array([p.district for p in spots.values()], np.int32),
        zones=zones,
    )


def _stacked(columns: Sequence[I32], sizes: Sequence[int]) -> I64:
    """Numbers of several tables as numbers of the tables one behind the other, int64."""
    begins = np.cumsum([0, *sizes])
    parts = [column.astype(np.int64) + begin for column, begin in zip(columns, begins.tolist(), strict=False)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def cut(text: str, limit: int = 80) -> str:
    """A text from outside, short and encodable, for use in messages."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"
