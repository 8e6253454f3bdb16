"""Readings: bytes to columns. Pure: the time of arrival and the catalogue are arguments.

Rows that are all written alike, as a sender's are, become columns without an object a row; others are read by the
JSON parser first. Whole columns are looked up, converted and checked with numpy; only rows that fail are looked at
one by one, to say what is wrong with them.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import attrgetter
from typing import Any

import numpy as np

from ingest import bulk as bulks
from ingest import fields
from ingest.catalogue import Catalogue, Known, cut
from ingest.digits import Mask
from ingest.rows import Form, Reader, Rejected, Row, Rows
from ingest.times import NO_TIME, time_us, times_us
from yiwang.columns import F64, I32, I64, U8, Quality, Readings
from yiwang.domains import VIDEO_PREFIX
from yiwang.errors import BadInput

_MICROSECOND = 1000
_CENTURIES_S = 1e10
_NS_RANGE_US = 9_200_000_000_000_000  # what int64 nanoseconds can hold, the years 1678 to 2261
_BULK = 16_384  # bytes; in smaller bodies rows are read one by one in less time
_device = attrgetter("device")
_reader: Reader[Row] = Reader(Row, "reading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How wrong a device's clock may be.

    Attributes:
        future_s: a time further ahead of arrival is a clock fault.
        past_s: a time further behind arrival is one.
    """

    future_s: float
    past_s: float

    def window_us(self, received_ns: int) -> tuple[int, int]:
        """Oldest and newest believable time, microseconds."""
        now = received_ns // _MICROSECOND
        return (
            max(now - round(min(self.past_s, _CENTURIES_S) * 1_000_000), -_NS_RANGE_US),
            min(now + round(min(self.future_s, _CENTURIES_S) * 1_000_000), _NS_RANGE_US),
        )


@dataclass(slots=True)
class ClockFault:
    """A device whose clock is wrong, with its readings of one body.

    Attributes:
        count: readings stamped with the time of arrival instead.
        ahead_s: of the last of them, seconds ahead of arrival; negative: behind.
    """

    count: int
    ahead_s: float

    def as_json(self, code: str, device: str) -> dict[str, Any]:  # Any: plain JSON values
        """The form of a warning in an answer."""
        return {
            "code": code,
            "message": f"device {device!r}: its clock is {abs(self.ahead_s):.0f} s"
            f" {'ahead' if self.ahead_s > 0 else 'behind'}{_hint(self.ahead_s)}; {self.count} taken with the"
            " time of arrival and marked",
            "args": {"device": device, "count": self.count, "ahead_s": self.ahead_s},
        }


@dataclass(slots=True, kw_only=True)
class Parsed:
    """What became of a body.

    Attributes:
        batches: district to readings, in the order of the body.
        accepted: rows in ``batches``.
        rejected: rows that are not, by their place in the body.
        clocks: device to its clock fault; those readings are accepted.
    """

    batches: dict[int, Readings] = field(default_factory=dict)
    accepted: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    clocks: dict[str, ClockFault] = field(default_factory=dict)


def parse(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> Parsed:
    """A body of readings, as JSON array (or one object) or as lines.

    Args:
        payload: the body, unpacked.
        received_ns: wall clock when it came in.
        catalogue: what is registered.
        limits: for clock faults.
        form: ``array`` or ``lines`` (NDJSON).

    Raises:
        BadInput: ``json.syntax``, ``json.shape`` or ``body.rows`` where nothing of it can be used.
    """
    parsed = in_bulk(payload, received_ns, catalogue, limits, form=form) if len(payload) >= _BULK else None
    return parsed or by_rows(payload, received_ns, catalogue, limits, form=form)


def by_rows(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> Parsed:
    """``parse`` by the JSON parser alone: what decides about every body that is not of the usual kind.

    Args, Raises: as ``parse``.
    """
    return check(_reader.read(payload, form), received_ns, catalogue, limits)


def check(found: Rows[Row], received_ns: int, catalogue: Catalogue, limits: Limits) -> Parsed:
    """Look up, convert and check rows that were read."""
    if not found.rows:
        return Parsed(rejected=found.rejected)
    columns = _judged(found, catalogue)
    return _finished(columns, found.rejected, received_ns, limits)


@dataclass(slots=True, eq=False)
class _Columns:
    """Rows looked up and converted, n of each; what is not ``good`` means nothing.

    Attributes:
        series: int32 (n,), within the district.
        district: int32 (n,).
        t_us: int64 (n,), as the device says.
        value: float64 (n,), in the metric's unit.
        quality: uint8 (n,).
        good: bool (n,), whether the reading can be used.
        names: ids of the devices of these rows.
    """

    series: I32
    district: I32
    t_us: I64
    value: F64
    quality: U8
    good: Mask
    names: Callable[[I64], list[str]]


def _converted(
    catalogue: Catalogue, device: I64, metric: I64 | int, unit: I64 | int, value: F64
) -> tuple[I32, I32, F64, Mask]:
    """Series, district, value in the metric's unit, and whether there is such a series and value."""
    series, district = catalogue.slots(device, metric)
    measure = catalogue.measure[metric, unit]
    with np.errstate(over="ignore"):  # it is out of range then
        value = value * catalogue.factor[measure] + catalogue.offset[measure]
    good: Mask = (series >= 0) & (value >= catalogue.lo[measure]) & (value <= catalogue.hi[measure])
    if isinstance(metric, int) and isinstance(unit, int):
        if metric < 0 or unit < 0 or measure < 0:
            good[:] = False
    else:
        good &= (np.asarray(metric) >= 0) & (np.asarray(unit) >= 0) & (measure >= 0)
    return series, district, value, good


def _judged(found: Rows[Row], catalogue: Catalogue) -> _Columns:
    """Rows as columns; what is wrong with those that are not good is added to ``found.rejected``."""
    rows = found.rows
    n = len(rows)
    device = catalogue.index.texts(list(map(_device, rows)))
    metric = _codes(list(map(attrgetter("metric"), rows)), catalogue.metrics)
    unit = _codes(list(map(attrgetter("unit"), rows)), catalogue.units)
    value = np.fromiter(map(attrgetter("value"), rows), np.float64, n)
    quality = np.fromiter(map(attrgetter("quality"), rows), np.uint8, n)
    times = times_us(list(map(attrgetter("time"), rows)))
    series, district, value, good = _converted(catalogue, device, metric, unit, value)
    for i in np.flatnonzero(~good | (times == NO_TIME)).tolist():
        try:
            _explain(rows[i], catalogue, float(value[i]))
            times[i] = time_us(rows[i].time)
        except BadInput as error:
            error = for_device(error, rows[i].device)
            found.rejected.append(Rejected(row=found.number(i), error=error, raw=found.raw(i)))
            good[i] = False
    return _Columns(
        series, district, times, value, quality, good, lambda at: [rows[i].device for i in at.tolist()]
    )


def _codes(texts: list[str], known: Mapping[str, int]) -> I64 | int:
    """Texts as what they are known by, -1 where they are not; one for all where they are the same."""
    if texts.count(texts[0]) == len(texts):  # comparing costs less than hashing
        return known.get(texts[0], -1)
    return np.fromiter(map(known.get, texts, repeat(-1)), np.int64, len(texts))


def in_bulk(
    payload: bytes, received_ns: int, catalogue: Catalogue, limits: Limits, *, form: Form = "array"
) -> Parsed | None:
    """What ``by_rows`` gives, for rows that are all written alike; None where they are not, or many are wrong.

    Rows that do not fit, or are not good, are read one by one as any other.
    """
    bulk = bulks.read(payload, form)
    if bulk is None:
        return None
    found = fields.read(bulk, catalogue.index.words, catalogue.metrics, catalogue.units)
    device = catalogue.index.column(found.device)
    series, district, value, good = _converted(catalogue, device, found.metric, found.unit, found.value)
    good &= found.fits & (found.t_us != NO_TIME)
    columns = _Columns(
        series, district, found.t_us, value, found.quality, good, lambda at: fields.texts(bulk, "device", at)
    )
    odd = np.flatnonzero(~good)
    if len(odd) == 0:
        return _finished(columns, [], received_ns, limits)
    if len(odd) * 8 > len(good):
        return None
    single = Rows[Row](body=payload, form=form, rows=[], index=[], raws=[])
    for i in odd.tolist():
        raw = bulk.piece(i, form)
        if raw is None or not _reader.take(raw, i, single):
            return None
    if single.rows:
        _mend(columns, single, catalogue)
    return _finished(columns, single.rejected, received_ns, limits)


def _mend(columns: _Columns, single: Rows[Row], catalogue: Catalogue) -> None:
    """Put rows that were read one by one into their places."""
    more = _judged(single, catalogue)
    at = np.array(single.index)
    for name in ("series", "district", "t_us", "value", "quality", "good"):
        getattr(columns, name)[at] = getattr(more, name)
    names, extra = columns.names, {i: row.device for i, row in zip(at.tolist(), single.rows, strict=True)}

    def both(asked: I64) -> list[str]:
        usual = iter(names(asked[~np.isin(asked, at)]))
        return [extra[i] if i in extra else next(usual) for i in asked.tolist()]

    columns.names = both


def _finished(columns: _Columns, rejected: list[Rejected], received_ns: int, limits: Limits) -> Parsed:
    """Mend what clocks say, and cut by district."""
    good, times, quality = columns.good, columns.t_us, columns.quality
    rejected.sort(key=attrgetter("row"))
    parsed = Parsed(rejected=rejected, accepted=int(np.count_nonzero(good)))
    oldest, newest = limits.window_us(received_ns)
    wrong = (times < oldest) | (times > newest)
    t_ns = times * _MICROSECOND
    if wrong.any():
        wrong &= good
        at = np.flatnonzero(wrong)
        parsed.clocks = clock_faults(columns.names(at), times[at], received_ns)
        quality[wrong] |= np.uint8(Quality.CLOCK)
        t_ns[wrong] = received_ns
    whole = Readings(series=columns.series, t_ns=t_ns, value=columns.value, quality=quality)
    if parsed.accepted:
        parsed.batches = _split(whole, columns.district, None if parsed.accepted == len(good) else good)
    return parsed


def clock_faults(devices: Sequence[str], times: I64, received_ns: int) -> dict[str, ClockFault]:
    """Device to fault, of readings (or events) whose time is outside the limits."""
    counts = Counter(devices)
    ahead = ((times - received_ns // _MICROSECOND) / 1e6).tolist()
    last = dict(zip(devices, ahead, strict=True))
    return {device: ClockFault(n, last[device]) for device, n in counts.items()}


def _split(readings: Readings, district: I32, good: Mask | None) -> dict[int, Readings]:
    """District to its readings, in the order of the body."""
    if good is not None:
        district = district[good]
    if (district == district[0]).all():
        return {int(district[0]): readings if good is None else _some(readings, np.flatnonzero(good))}
    order = np.argsort(district.astype(np.int16), kind="stable")  # a radix sort
    numbers = np.bincount(district)
    if good is not None:
        order = np.flatnonzero(good)[order]
    sorted_, end = _some(readings, order), 0
    parts = {}
    for number in np.flatnonzero(numbers).tolist():
        begin, end = end, end + int(numbers[number])
        parts[number] = _some(sorted_, slice(begin, end))
    return parts


def _some(readings: Readings, at: I64 | slice) -> Readings:
    return Readings(
        series=readings.series[at],
        t_ns=readings.t_ns[at],
        value=readings.value[at],
        quality=readings.quality[at],
    )


def _explain(row: Row, catalogue: Catalogue, value: float) -> None:
    """Raise what is wrong with a row besides its time; ``value`` is in the metric's unit."""
    for name in ("device", "metric", "time"):
        if not getattr(row, name):
            raise BadInput(
                "reading.field",
                f"device {cut(row.device) or '?'!r}: {name} is missing",
                device=cut(row.device),
                field=name,
            )
    device = catalogue.device(row.device, code="reading.unknown_device")
    if not catalogue.takes(row.device, row.metric):
        raise _unknown_metric(row, device)
    args = {"device": device.id, "metric": row.metric}
    where = f"device {device.id!r}, {row.metric}"
    if row.unit not in catalogue.domains.metrics[row.metric].units:
        accepted = catalogue.units_of(row.metric)
        if not row.unit:
            raise BadInput(
                "reading.unit_missing",
                f"{where}: unit is missing; write one of {accepted}",
                **args,
                units=accepted,
            )
        raise BadInput(
            "reading.unit_unknown",
            f"{where}: unit {cut(row.unit, 20)!r} is not known; write one of {accepted}",
            **args,
            unit=cut(row.unit, 20),
            units=accepted,
        )
    if math.isnan(row.value):
        raise BadInput("reading.field", f"{where}: value is missing", **args, field="value")
    metric = catalogue.domains.metrics[row.metric]
    if not metric.lo <= value <= metric.hi:
        given = f"{row.value:g} {row.unit}" + (
            f" = {value:g} {metric.unit}" if row.unit != metric.unit else ""
        )
        raise BadInput(
            "reading.out_of_range",
            f"{where}: {given} is outside {metric.lo:g} … {metric.hi:g} {metric.unit}",
            **args,
            value=value,
            lo=metric.lo,
            hi=metric.hi,
            unit=metric.unit,
        )


def _unknown_metric(row: Row, device: Known) -> BadInput:
    name = cut(row.metric)
    mine = device.group.metrics
    if row.metric not in mine:
        have = ", ".join(m for m in mine if not m.startswith(VIDEO_PREFIX)) or "none"
        why = f"has no metric {name!r}; its metrics: {have}"
    elif row.metric.startswith(VIDEO_PREFIX):
        why = f"sends {name} as an event: POST it to /v1/events"
    else:
        why = f"has the metric {name!r}, but no domain pack knows it"
    return BadInput(
        "reading.unknown_metric",
        f"device {device.id!r} ({device.group.kind}) {why}",
        device=device.id,
        metric=name,
    )


def for_device(error: BadInput, device: str) -> BadInput:
    """The same error, naming the device where it does not yet."""
    if "device" in error.details:
        return error
    return BadInput(
        error.code,
        f"device {cut(device)!r}: {cut(error.message, 200)}",
        **_short(error.details),
        device=cut(device),
    )


def _short(details: dict[str, Any]) -> dict[str, Any]:  # Any: plain JSON values
    return {k: cut(v) if isinstance(v, str) else v for k, v in details.items()}


def _hint(ahead_s: float) -> str:
    hours = ahead_s / 3600
    if 0.4 < abs(hours) <= 14.1 and abs(hours * 2 - round(hours * 2)) < 1 / 30:
        return f" (just {abs(round(hours * 2) / 2):g} h: is its local time sent with another zone?)"
    return ""
