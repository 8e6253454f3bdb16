"""Somebody's table of devices to places and devices, with what is missing made up sensibly."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from scenarios.folder import DEFAULT_DISTRICT
from scenarios.naming import DEVICE_NAMES, Kinds, attributes
from scenarios.problems import Problems, suggest
from scenarios.tables import Names, read
from yiwang.device_files import ATTRIBUTE
from yiwang.domains import Domains
from yiwang.registry import Device, District, Place, Text

Row = Mapping[str, str]
Cells = Sequence[tuple[int, Row]]
"""Row numbers (the header is 1) with the cells that are not empty, by our names."""

_LON0, _LAT0, _STEP = (
    112.62,
    23.98,
    0.01,
)  # where nobody says: a grid of a kilometre, where the demo's city is
_PER_LINE = 50


def cells(path: Path, names: Names, *, code: str = "scenario.table") -> tuple[list[str], Cells]:
    """A table of few rows as texts: its columns by our names where they are known, and its rows.

    Raises:
        BadInput: ``scenario.table``.
    """
    table, _ = read(path, code=code)
    theirs = {t: ours for ours, t in names.find(table.column_names).items()}
    columns = [theirs.get(c, c.strip()) for c in table.column_names]
    rows = []
    for number, values in enumerate(zip(*(c.to_pylist() for c in table.columns), strict=True), 2):
        row = {c: _text(v) for c, v in zip(columns, values, strict=True) if v is not None and _text(v)}
        if row:
            rows.append((number, row))
    return columns, rows


def _text(value: Any) -> str:  # Any: a cell of any type
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


class DeviceTable:
    """Reads devices, their places and districts.

    A device without a place stands at one of its own, named like it; without a zone in the one zone ``Z``; without
    a position on a grid. Attributes (``attr:closure_depth_cm``, or a column named like an attribute of the packs)
    are known of the device and, where all devices there agree, of its place.

    Args:
        domains: the packs.
        kind: of devices that state neither kind nor metrics.
        renamed: other people's kinds and metrics to ours.
        problems: takes what is wrong.
    """

    def __init__(
        self,
        domains: Domains,
        problems: Problems,
        *,
        kind: str = "",
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.domains, self.problems, self.kind = domains, problems, kind
        self.renamed = renamed or {}
        self.kinds = Kinds(domains)
        self.districts: dict[str, District] = {}
        self.places: dict[str, Place] = {}
        self.devices: dict[str, Device] = {}
        self.metrics: dict[str, tuple[str, ...]] = {}
        self.notes: list[str] = []
        self._known = attributes(domains)

    def read(self, path: Path) -> None:
        """All rows of a table.

        Raises:
            BadInput: ``scenario.table``.
        """
        columns, rows = cells(path, Names(aliases=DEVICE_NAMES, renamed=self.renamed))
        if "id" not in columns:
            self.problems.add(
                "scenario.column",
                f"no column is the device's id; there is {', '.join(columns)}; say which it is with --map THEIRS=id",
                file=str(path),
                line=1,
                field="id",
            )
            return
        used = {*DEVICE_NAMES, *self._known, *(c for c in columns if c.startswith(ATTRIBUTE))}
        ignored = [c for c in columns if c not in used]
        if ignored:
            self.notes.append(f"{path.name}: columns not used: {', '.join(ignored)}")
        for number, row in rows:
            self._device(row, str(path), number)
        self._share_attributes()

    def named(self, ids: Sequence[str]) -> None:
        """Devices of which only the ids are known, from the readings; all are of the one kind."""
        for number, id_ in enumerate(ids, 2):
            self._device({"id": id_}, "readings", number)

    def _device(self, row: Row, file: str, number: int) -> None:
        def wrong(field: str, message: str, code: str = "scenario.device") -> None:
            self.problems.add(code, message, file=file, line=number, field=field)

        id_ = row.get("id", "")
        if not id_:
            wrong("id", "is empty")
            return
        if id_ in self.devices:
            wrong("id", f"{id_} stands there twice", "scenario.twice")
            return
        kind = self._kind(row, wrong)
        if kind is None:
            return
        district = self._district(row.get("district", ""))
        position = self._position(row, wrong)
        place = row.get("place", id_)
        if place not in self.places:
            self.places[place] = Place(
                id=place,
                district=district.number,
                zone=row.get("zone", "Z" if len(self.districts) == 1 else f"Z{district.number}"),
                kind="site",
                name=Text(row.get("name", place), row.get("name_en", "")),
                lon=position[0],
                lat=position[1],
            )
        elif self.places[place].district != district.number:
            wrong("district", f"place {place} is in another district", "scenario.place")
            return
        self.devices[id_] = Device(
            id=id_,
            district=district.number,
            kind=kind,
            place=place,
            name=Text(row.get("name", id_), row.get("name_en", "")),
            lon=position[0],
            lat=position[1],
            series=(),
            attributes=self._attributes(row, wrong),
        )

    def _kind(self, row: Row, wrong: Any) -> str | None:  # Any: a function of field and message
        listed = row.get("metrics", "")
        stated = self.renamed.get(row.get("kind", ""), row.get("kind", ""))
        known = self.domains.device_kinds
        if stated in known:
            self.metrics.setdefault(stated, known[stated].metrics)
            return stated
        if listed:
            names = [self.renamed.get(m, m) for m in listed.replace(",", " ").replace(";", " ").split()]
            for name in names:
                if name not in self.domains.metrics:
                    wrong("metrics", f"no pack has the metric {name!r}{suggest(name, self.domains.metrics)}")
                    return None
            kind = self.kinds.of(names)
            self.metrics[kind] = known[kind].metrics if kind in known else self.kinds.made[kind]
            return kind
        if stated and not self.kind:
            wrong("kind", f"no pack has the device kind {stated!r}{suggest(stated, known)}")
            return None
        if not self.kind:
            wrong("kind", "must be given (or the metrics, or --kind for all)")
            return None
        if self.kind not in known:
            wrong("kind", f"--kind: no pack has the device kind {self.kind!r}{suggest(self.kind, known)}")
            return None
        self.metrics.setdefault(self.kind, known[self.kind].metrics)
        return self.kind

    def _district(self, text: str) -> District:
        """By code; districts are numbered in the order in which they appear."""
        if text not in self.districts:
            number = len(self.districts)
            if text:
                self.districts[text] = District(number=number, code=text, name=Text(text))
            else:
                code = DEFAULT_DISTRICT.code
                self.districts[text] = District(number=number, code=code, name=DEFAULT_DISTRICT.name)
        return self.districts[text]

    def _position(self, row: Row, wrong: Any) -> tuple[float, float]:
        at = len(self.places)
        made_up = _LON0 + _STEP * (at % _PER_LINE), _LAT0 - _STEP * (at // _PER_LINE)
        position = []
        for column, limit, default in (("lon", 180.0, made_up[0]), ("lat", 90.0, made_up[1])):
            text = row.get(column, "")
            value = _float(text) if text else default
            if not abs(value) <= limit:
                wrong(column, f"{text!r} is no degree from -{limit:g} to {limit:g}")
                value = default
            position.append(round(value, 7))
        return position[0], position[1]

    def _attributes(self, row: Row, wrong: Any) -> dict[str, float]:
        found = {}
        for column, text in row.items():
            name = column.removeprefix(ATTRIBUTE)
            if column.startswith(ATTRIBUTE) or (name in self._known and column not in DEVICE_NAMES):
                value = _float(text)
                if math.isfinite(value):
                    found[name] = value
                else:
                    wrong(column, f"{text!r} is no number")
        return found

    def _share_attributes(self) -> None:
        """What all devices of a place say is true of the place."""
        at: dict[str, list[dict[str, float]]] = {}
        for device in self.devices.values():
            at.setdefault(device.place, []).append(device.attributes)
        for place, stated in at.items():
            names = {n for one in stated for n in one}
            agreed = {
                n: values.pop()
                for n in sorted(names)
                if len(values := {one[n] for one in stated if n in one}) == 1
            }
            self.places[place] = msgspec.structs.replace(self.places[place], attributes=agreed)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
