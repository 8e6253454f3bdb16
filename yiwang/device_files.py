"""Tables of what is registered (``yiwang devices import``, scenarios): CSV and GeoJSON to rows of fields; pure."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.errors import BadInput

KINDS = ("district", "map", "place", "device", "unit")  # the order in which they depend on each other
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "district": ("number", "code", "name", "name_en"),
    "place": ("id", "kind", "district", "zone", "name", "name_en", "lon", "lat"),
    "device": ("id", "kind", "district", "place", "name", "name_en", "lon", "lat"),
    "unit": ("id", "skill", "district", "name", "name_en", "lon", "lat", "on_duty"),
}
OPTIONAL = {"name_en", "zone", "on_duty"}
ATTRIBUTE = "attr:"
_TELLING = {"code": "district", "zone": "place", "skill": "unit", "place": "device"}


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    Attributes:
        number: line of the CSV file (the header is line 1), or number of the GeoJSON feature from 1.
        fields: column to text, without blanks around it.
    """

    number: int
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file. ``geojson`` is set, and ``rows`` empty, where it is a layer of the base map."""

    file: str
    kind: str
    rows: list[Row]
    geojson: Mapping[str, Any] | None = None  # Any: GeoJSON as it came
    ignored: list[str] = field(default_factory=list)


def read(file: str, content: bytes, kind: str | None = None) -> Table:
    """Read a file; what is wrong with single rows is found later.

    Args:
        file: its name, for messages and to tell GeoJSON from CSV.
        content: UTF-8 with or without byte order mark, or GB18030.
        kind: of ``KINDS``; told from the columns where it is None.

    Raises:
        BadInput: ``devices.encoding``, ``devices.empty``, ``devices.columns``, ``devices.geojson`` or
            ``devices.kind`` for a file that cannot be used as a whole.
    """
    text = _decoded(file, content)
    if not text.strip():
        raise BadInput("devices.empty", f"{file}: the file is empty", file=file)
    if file.lower().endswith((".geojson", ".json")):
        return _geojson(file, text, kind)
    return _csv(file, text, kind)


def _decoded(file: str, content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput(
        "devices.encoding", f"{file}: neither UTF-8 nor GB18030; save it as one of them", file=file
    )


def _csv(file: str, text: str, kind: str | None) -> Table:
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    try:
        header = [name.strip() for name in next(reader)]
        kind = kind or _told(file, set(header))
        ignored = _check_columns(file, kind, header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                values = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
                fields = dict(zip(header, values, strict=False))
                if len(cells) > len(header):
                    fields["\0more"] = str(len(cells))
                rows.append(Row(reader.line_num, fields))
    except csv.Error as error:
        raise BadInput(
            "devices.csv", f"{file}, line {reader.line_num}: not readable as CSV: {error}", file=file
        ) from error
    if not rows:
        raise BadInput("devices.empty", f"{file}: there is no row below the header", file=file)
    return Table(file, kind, rows, ignored=ignored)


def _check_columns(file: str, kind: str, header: list[str]) -> list[str]:
    if kind not in COLUMNS:
        raise BadInput("devices.kind", f"{file}: a layer of the map is a GeoJSON file, not CSV", file=file)
    missing = [c for c in COLUMNS[kind] if c not in header and c not in OPTIONAL]
    twice = sorted({c for c in header if header.count(c) > 1})
    if missing or twice:
        what = (
            f"column {', '.join(missing)} is missing"
            if missing
            else f"column {', '.join(twice)} occurs twice"
        )
        have = ",".join(COLUMNS[kind]) + ("" if kind in {"district", "unit"} else "[,attr:NAME…]")
        raise BadInput("devices.columns", f"{file}: {what}; a {kind} file has {have}", file=file)
    return [c for c in header if c not in COLUMNS[kind] and not c.startswith(ATTRIBUTE)]


def _geojson(file: str, text: str, kind: str | None) -> Table:
    try:
        document = json.loads(text)
        features = document["features"]
        if document["type"] != "FeatureCollection" or not isinstance(features, list):
            raise TypeError
    except json.JSONDecodeError as error:
        raise BadInput(
            "devices.geojson", f"{file}, line {error.lineno}: not JSON: {error.msg}", file=file
        ) from error
    except (KeyError, TypeError):
        raise BadInput("devices.geojson", f"{file}: not a GeoJSON FeatureCollection", file=file) from None
    if not features:
        raise BadInput("devices.empty", f"{file}: there is no feature", file=file)
    rows = [_feature(n, feature) for n, feature in enumerate(features, 1)]
    names = {name for row in rows for name in row.fields}
    kind = kind or ("map" if "layer" in names else _told(file, names))
    if kind == "map":
        for row in rows:
            if not row.fields.get("layer"):
                raise BadInput(
                    "devices.geojson", f"{file}, feature {row.number}: property layer is missing", file=file
                )
        return Table(file, kind, [], geojson=document)
    ignored = sorted(names - set(COLUMNS[kind]) - {n for n in names if n.startswith(ATTRIBUTE)})
    return Table(file, kind, rows, ignored=ignored)


def _feature(number: int, feature: object) -> Row:
    """A feature as a row; a geometry that is no point leaves lon and lat out, which the row's check reports."""
    if not isinstance(feature, dict):
        return Row(number, {})
    properties = feature.get("properties")
    fields = {k: _plain(v) for k, v in properties.items()} if isinstance(properties, dict) else {}
    geometry = feature.get("geometry")
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        position = geometry.get("coordinates")
        if isinstance(position, list) and len(position) >= 2:
            fields["lon"], fields["lat"] = _plain(position[0]), _plain(position[1])
    return Row(number, fields)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _told(file: str, columns: set[str]) -> str:
    for column, kind in _TELLING.items():
        if column in columns:
            return kind
    raise BadInput(
        "devices.kind",
        f"{file}: its columns do not tell what it holds; say --kind {'|'.join(KINDS)}",
        file=file,
    )
