"""Rows of such tables to registry objects, each row judged on its own; pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from yiwang.device_files import ATTRIBUTE, KINDS, Row, Table
from yiwang.domains import Domains
from yiwang.domains.reader import did_you_mean
from yiwang.registry import Device, District, Place, Registry, Series, Text, Unit

_YES = {"true", "yes", "y", "1", "是", ""}
_NO = {"false", "no", "n", "0", "否"}
_SKILLS = {"grid"}  # a grid worker has no speciality; every other skill comes from the packs
# China lies between 73 and 135 degrees east and between 3 and 54 degrees north: no value is both.
_CHINA_LON = (73.0, 136.0)
_CHINA_LAT = (3.0, 54.0)


class _Wrong(Exception):
    """A field of a row is wrong; becomes a ``Problem``."""

    def __init__(self, field_name: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field_name, self.code, self.message = field_name, code, message


class Problem(msgspec.Struct, frozen=True):
    """Why a row was not imported: where, and what would be right."""

    file: str
    row: int
    field: str
    code: str
    message: str


@dataclass(slots=True)
class Known:
    """What is there already: in the database, and in rows taken so far.

    Attributes:
        partitions: how many districts the run has room for.
    """

    partitions: int
    districts: dict[int, District] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, partitions: int, districts: list[District], registries: Mapping[int, Registry]) -> "Known":
        """What the database holds."""
        known = cls(partitions, {d.number: d for d in districts})
        for number, registry in registries.items():
            known.places.update(dict.fromkeys((p.id for p in registry.places), number))
            known.devices.update(dict.fromkeys((d.id for d in registry.devices), number))
            known.units.update(dict.fromkeys((u.id for u in registry.units), number))
        return known


@dataclass(slots=True)
class Found:
    """What the files hold: the good rows as objects, and the problems of the others."""

    districts: list[District] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    layers: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # Any: GeoJSON
    problems: list[Problem] = field(default_factory=list)


def judge(tables: list[Table], known: Known, domains: Domains) -> Found:
    """Judge every row of all files; good ones are kept whatever their neighbours are.

    Districts are judged first, then places, devices and units, so that files may come in any order.

    Args:
        tables: the files.
        known: what is there already; good rows are added to it.
        domains: the packs in force: device kinds with their metrics, skills.
    """
    found = Found()
    judgement = _Judgement(known, domains)
    for table in sorted(tables, key=lambda t: KINDS.index(t.kind)):
        if table.geojson is not None:
            layer = table.file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
            found.layers[layer] = table.geojson
            continue
        judgement.seen = {}
        for row in table.rows:
            try:
                judgement.take(table.kind, row, found)
            except _Wrong as wrong:
                found.problems.append(
                    Problem(table.file, row.number, wrong.field_name, wrong.code, wrong.message)
                )
    return found


class _Judgement:
    def __init__(self, known: Known, domains: Domains) -> None:
        self.known = known
        self.domains = domains
        self.seen: dict[str, int] = {}  # id or number of each good row of this file to its row
        self.name = ""  # id or number of the row being judged
        kinds = domains.kinds.values()
        self.skills = (_SKILLS | {k.skill for k in kinds} | {k.support_skill for k in kinds}) - {""}

    def take(self, kind: str, row: Row, found: Found) -> None:
        """Add the row's object to what was found.

        Raises:
            _Wrong: the first field that is wrong.
        """
        if "\0more" in row.fields:
            raise _Wrong(
                "", "devices.cells", "the row has more cells than the header; quote commas within a cell"
            )
        {
            "district": self._district,
            "place": self._place,
            "device": self._device,
            "unit": self._unit,
        }[kind](row, found)
        self.seen[self.name] = row.number

    def _district(self, row: Row, found: Found) -> None:
        text = _needed(row, "number")
        if not text.isascii() or not text.isdigit() or int(text) >= self.known.partitions:
            raise _Wrong(
                "number",
                "devices.district_number",
                f"{text!r} is no district of this run; it has 0 to {self.known.partitions - 1}"
                " (more with: yiwang migrate --districts N)",
            )
        self._once(row, "number", text)
        district = District(number=int(text), code=_needed(row, "code"), name=_text(row))
        self.known.districts[district.number] = district
        found.districts.append(district)

    def _place(self, row: Row, found: Found) -> None:
        name = self._id(row)
        lon, lat = _position(row)
        place = Place(
            id=name,
            district=self._home(row, name, self.known.places),
            zone=row.fields.get("zone", "") or name,  # a place without neighbours is a zone of its own
            kind=_needed(row, "kind"),
            name=_text(row),
            lon=lon,
            lat=lat,
            attributes=_attributes(row),
        )
        self.known.places[name] = place.district
        found.places.append(place)

    def _device(self, row: Row, found: Found) -> None:
        name = self._id(row)
        kind = self.domains.device_kinds.get(_needed(row, "kind"))
        if kind is None:
            told = did_you_mean(row.fields["kind"], self.domains.device_kinds)
            raise _Wrong(
                "kind", "devices.device_kind", f"no pack has device kind {row.fields['kind']!r}{told}"
            )
        district = self._home(row, name, self.known.devices)
        place = _needed(row, "place")
        if place not in self.known.places:
            raise _Wrong(
                "place", "devices.place", f"there is no place {place!r}{_near(place, self.known.places)}"
            )
        if self.known.places[place] != district:
            raise _Wrong(
                "place",
                "devices.place_district",
                f"place {place} is in district {self.known.places[place]}, the device in {district}",
            )
        lon, lat = _position(row)
        device = Device(
            id=name,
            district=district,
            kind=kind.id,
            place=place,
            name=_text(row),
            lon=lon,
            lat=lat,
            series=tuple(Series(number=-1, metric=m) for m in kind.metrics),
            attributes=_attributes(row),
        )
        self.known.devices[name] = district
        found.devices.append(device)

    def _unit(self, row: Row, found: Found) -> None:
        name = self._id(row)
        skill = _needed(row, "skill")
        if skill not in self.skills:
            raise _Wrong(
                "skill",
                "devices.skill",
                f"no pack asks for skill {skill!r}{did_you_mean(skill, self.skills)}",
            )
        on_duty = row.fields.get("on_duty", "").lower()
        if on_duty not in _YES | _NO:
            raise _Wrong("on_duty", "devices.on_duty", f"{on_duty!r} is neither true nor false")
        lon, lat = _position(row)
        unit = Unit(
            id=name,
            district=self._home(row, name, self.known.units),
            name=_text(row),
            skill=skill,
            lon=lon,
            lat=lat,
            on_duty=on_duty in _YES,
        )
        self.known.units[name] = unit.district
        found.units.append(unit)

    def _id(self, row: Row) -> str:
        name = _needed(row, "id")
        if len(name) > 200 or not name.isprintable():
            raise _Wrong("id", "devices.id", "an id has at most 200 printable characters")
        self._once(row, "id", name)
        return name

    def _once(self, row: Row, column: str, name: str) -> None:
        if name in self.seen:
            raise _Wrong(
                column, "devices.twice", f"{name} stands in row {self.seen[name]} already; that one counts"
            )
        self.name = name

    def _home(self, row: Row, name: str, known: Mapping[str, int]) -> int:
        """The district's number, given by number or code; it stays the same for ever."""
        text = _needed(row, "district")
        by_name = {str(n): n for n in self.known.districts}
        by_name |= {d.code: n for n, d in self.known.districts.items()}
        if text not in by_name:
            have = ", ".join(f"{n} ({d.code})" for n, d in sorted(self.known.districts.items()))
            raise _Wrong(
                "district",
                "devices.district",
                f"there is no district {text!r}; there is {have or 'none: import districts first'}",
            )
        district = by_name[text]
        if known.get(name, district) != district:
            raise _Wrong(
                "district",
                "devices.moved",
                f"{name} belongs to district {known[name]} with all that was recorded of it;"
                f" register it in {district} under a new id",
            )
        return district


def _needed(row: Row, column: str) -> str:
    value = row.fields.get(column, "")
    if not value:
        raise _Wrong(column, "devices.missing", f"{column} is empty")
    return value


def _text(row: Row) -> Text:
    return Text(zh=_needed(row, "name"), en=row.fields.get("name_en", ""))


def _number(row: Row, column: str) -> float:
    value = _needed(row, column)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Wrong(column, "devices.number", f"{value!r} is no number")
    return number


def _position(row: Row) -> tuple[float, float]:
    lon, lat = _number(row, "lon"), _number(row, "lat")
    if _CHINA_LAT[0] <= lon <= _CHINA_LAT[1] and _CHINA_LON[0] <= lat <= _CHINA_LON[1]:
        raise _Wrong(
            "lon",
            "devices.swapped",
            f"lon {lon:g}, lat {lat:g} look swapped: China lies at lon 73 to 135, lat 3 to 54",
        )
    for column, value, limit in (("lon", lon, 180.0), ("lat", lat, 90.0)):
        if abs(value) > limit:
            raise _Wrong(
                column,
                "devices.range",
                f"{column} {value:g} is outside -{limit:g} to {limit:g} degrees (WGS 84 / CGCS2000)",
            )
    return lon, lat


def _attributes(row: Row) -> dict[str, float]:
    return {
        column.removeprefix(ATTRIBUTE): _number(row, column)
        for column, value in row.fields.items()
        if column.startswith(ATTRIBUTE) and value
    }


def _near(name: str, known: Collection[str]) -> str:
    told = did_you_mean(name, known)
    return told if len(known) <= 20 or told.startswith("; did") else "; import the place first"
