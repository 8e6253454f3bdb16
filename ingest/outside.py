"""Reports by people and outside warnings: bytes to messages of the feed. Pure, like ``ingest.events``."""

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from ingest.catalogue import Catalogue, cut
from ingest.events import ParsedEvents
from ingest.parse import Limits
from ingest.rows import Form, Notice, Reader, Rejected, Said
from ingest.times import time_us
from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Report
from yiwang.model import Warning as OutsideWarning

TEXT_LIMIT = 2000
FAR_M = 20_000.0
"""A report further than this from every registered place is not of this city."""
LONGEST_D = 366
"""A warning holds for so many days at most: one that never ends would keep its situation open for ever."""
_DEGREE_M = 111_195.0  # of latitude
_reports: Reader[Said] = Reader(Said, "report")
_warnings: Reader[Notice] = Reader(Notice, "warning")

R = TypeVar("R", Said, Notice)
M = TypeVar("M", Report, OutsideWarning)


def parse_reports(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> ParsedEvents[Report]:
    """A body of reports, as JSON array (or one object) or as lines.

    Args, Raises: as ``ingest.parse.parse``.
    """

    def one(row: Said) -> list[tuple[int, Report]]:
        district = _where(row, catalogue)
        report = Report(
            report_id=row.report_id or derive("R", row.by, row.kind, row.time, row.place, row.text),
            kind=row.kind,
            by=row.by,
            t_ns=_time_ns(row.time, "time", received_ns, limits),
            ingest_ns=received_ns,
            place=row.place,
            lon=0.0 if math.isnan(row.lon) else row.lon,
            lat=0.0 if math.isnan(row.lat) else row.lat,
            level=row.level,
            certainty=row.certainty,
            text=row.text,
        )
        return [(district, report)]

    return _each(_reports, payload, form, one)


def parse_warnings(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> ParsedEvents[OutsideWarning]:
    """A body of outside warnings; each goes to every district that it concerns.

    Args, Raises: as ``ingest.parse.parse``.
    """
    events = [*catalogue.domains.kinds]
    events += [event for s in catalogue.domains.situations.values() for event in s.warnings]

    def one(row: Notice) -> list[tuple[int, OutsideWarning]]:
        times = {} if row.cancelled else {"from": row.begins, "until": row.until}
        _texts("warning", {"warning_id": row.warning_id, "event": row.event, **times})
        _texts("warning", {"sender": row.sender, "headline": row.headline_zh + row.headline_en}, needed=False)
        if row.event not in events:
            raise BadInput(
                "warning.unknown_event",
                f"no incident or situation kind listens to {cut(row.event)!r}{did_you_mean(cut(row.event), events)}",
                event=cut(row.event),
            )
        if not row.level and not row.cancelled:
            raise BadInput(
                "warning.field", f"warning {cut(row.warning_id)!r}: level is missing", field="level"
            )
        begins = _us(row.begins, "from") * 1000 if row.begins else received_ns
        until = _us(row.until, "until") * 1000 if row.until else begins + 1
        warning = OutsideWarning(
            warning_id=row.warning_id,
            event=row.event,
            level=row.level or 4,
            t_ns=begins,
            until_ns=until,
            ingest_ns=received_ns,
            areas=tuple(row.areas),
            sender=row.sender,
            headline_zh=row.headline_zh,
            headline_en=row.headline_en,
            cancelled=row.cancelled,
        )
        if warning.until_ns <= warning.t_ns:
            message = f"warning {cut(row.warning_id)!r}: until {row.until} is not after from {row.begins}"
            raise BadInput("warning.time", message, field="until")
        if warning.t_ns > received_ns + round(limits.past_s * 1e9):
            message = (
                f"warning {cut(row.warning_id)!r}: from {row.begins} is more than {limits.past_s:g} s ahead"
            )
            raise BadInput("warning.time", message, field="from")
        longest_ns = LONGEST_D * 86_400 * 10**9
        for field, text, ns in (
            ("from", row.begins, received_ns - warning.t_ns),
            ("until", row.until, warning.until_ns - received_ns),
        ):
            if ns > longest_ns:
                message = (
                    f"warning {cut(row.warning_id)!r}: {field} {cut(text)} is more than {LONGEST_D} days off;"
                    " send it again while it holds"
                )
                raise BadInput("warning.time", message, field=field)
        return [(district, warning) for district in _districts(row, catalogue)]

    return _each(_warnings, payload, form, one)


def _each(
    reader: Reader[R], payload: bytes, form: Form, one: Callable[[R], list[tuple[int, M]]]
) -> ParsedEvents[M]:
    """Every row of a body on its own: one that is wrong does not take its neighbours along."""
    found = reader.read(payload, form)
    parsed: ParsedEvents[M] = ParsedEvents(rejected=found.rejected)
    for i, row in enumerate(found.rows):
        try:
            parsed.events += one(row)
        except BadInput as error:
            parsed.rejected.append(Rejected(row=found.number(i), error=error, raw=found.raw(i)))
        else:
            parsed.rows += 1
    parsed.rejected.sort(key=lambda r: r.row)
    return parsed


def _where(row: Said, catalogue: Catalogue) -> int:
    """The district of a report, after everything but its time was checked."""
    _texts("report", {"kind": row.kind, "by": row.by, "time": row.time})
    _texts("report", {"place": row.place, "text": row.text, "report_id": row.report_id}, needed=False)
    if row.kind not in catalogue.domains.kinds:
        kinds = catalogue.domains.kinds
        raise BadInput(
            "report.unknown_kind",
            f"{cut(row.kind)!r} is no incident kind{did_you_mean(cut(row.kind), kinds)}",
            kind=cut(row.kind),
        )
    if not 0.0 < row.certainty <= 1.0:
        raise BadInput(
            "report.certainty",
            f"certainty is {row.certainty:g}; it is a number above 0 and up to 1",
            field="certainty",
        )
    if row.place:
        place = catalogue.places.get(row.place)
        if place is None:
            message = f"place {cut(row.place)!r} is not registered; send lon and lat in its stead"
            raise BadInput("report.unknown_place", message, place=cut(row.place))
        return place.district
    if not (-180 <= row.lon <= 180 and -90 <= row.lat <= 90):
        message = "neither a registered place nor lon (-180..180) and lat (-90..90), degrees WGS 84"
        raise BadInput("report.place", message, field="place")
    return _nearest(row, catalogue)


def _nearest(row: Said, catalogue: Catalogue) -> int:
    north = (catalogue.place_lat - row.lat) * _DEGREE_M
    east = (catalogue.place_lon - row.lon) * _DEGREE_M * math.cos(math.radians(row.lat))
    apart = np.hypot(north, east)
    if not len(apart) or apart.min() > FAR_M:
        raise BadInput(
            "report.outside",
            f"{row.lat:.4f}, {row.lon:.4f} is not within {FAR_M / 1000:g} km of any registered place;"
            " longitude and latitude may have been swapped",
            lon=row.lon,
            lat=row.lat,
        )
    return int(catalogue.place_district[int(apart.argmin())])


def _districts(row: Notice, catalogue: Catalogue) -> list[int]:
    """The districts that a warning concerns: those named, those of its zones, or all."""
    all_ = sorted(catalogue.versions)
    for district in row.districts:
        if district not in catalogue.versions:
            numbers = ", ".join(map(str, all_))
            raise BadInput(
                "warning.unknown_district",
                f"there is no district {district}; there are {numbers}",
                district=district,
            )
    for area in row.areas:
        if area not in catalogue.zones:
            known = did_you_mean(cut(area), catalogue.zones) if catalogue.zones else ""
            raise BadInput("warning.unknown_area", f"{cut(area)!r} is no zone{known}", area=cut(area))
    asked = sorted(set(row.districts)) or all_
    if not row.areas:
        return asked
    return [d for d in asked if any(d in catalogue.zones[area] for area in row.areas)]


def _texts(noun: str, given: Mapping[str, str], *, needed: bool = True) -> None:
    for name, text in given.items():
        if needed and not text.strip():
            raise BadInput(f"{noun}.field", f"{noun}: {name} is missing", field=name)
        if len(text) > TEXT_LIMIT:
            raise BadInput(
                f"{noun}.field",
                f"{noun}: {name} has {len(text)} characters, at most {TEXT_LIMIT}",
                field=name,
            )


def _us(text: str, field: str) -> int:
    try:
        return time_us(text)
    except BadInput as error:
        details = {k: v for k, v in error.details.items() if k != "field"}
        raise BadInput(error.code, f"{field}: {cut(error.message, 200)}", **details, field=field) from None


def _time_ns(text: str, field: str, received_ns: int, limits: Limits) -> int:
    """When something was seen; people's clocks are read by people, so that a wrong one is a mistake to be mended."""
    t_us = _us(text, field)
    oldest, newest = limits.window_us(received_ns)
    if not oldest <= t_us <= newest:
        off = (t_us * 1000 - received_ns) / 1e9
        message = f"{field} {cut(text)} is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}; send when it was seen"
        raise BadInput("report.time", message, field=field)
    return t_us * 1000
