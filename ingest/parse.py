"""Readings: bytes to columns. Pure: the time of arrival and the catalogue are arguments.

Whole columns are looked up, converted and checked with numpy; only rows that fail are looked at one by one, to
say what is wrong with them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import attrgetter
from typing import Any

import numpy as np

from ingest.catalogue import Catalogue, cut
from ingest.rows import Form, Reader, Rejected, Row, Rows
from ingest.times import NO_TIME, time_us, times_us
from yiwang.columns import F64, I64, Quality, Readings
from yiwang.domains import VIDEO_PREFIX
from yiwang.errors import BadInput

_MICROSECOND = 1000
_CENTURIES_S = 1e10
_NS_RANGE_US = 9_200_000_000_000_000  # what int64 nanoseconds can hold, the years 1678 to 2261
_NOTHING: Mapping[str, int] = {}
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
    return check(_reader.read(payload, form), received_ns, catalogue, limits)


def check(found: Rows[Row], received_ns: int, catalogue: Catalogue, limits: Limits) -> Parsed:
    """Look up, convert and check rows that were read."""
    rows = found.rows
    n = len(rows)
    if n == 0:
        return Parsed(rejected=found.rejected)
    slot, measure = _look_up(rows, catalogue)
    value = np.fromiter(map(attrgetter("value"), rows), np.float64, n)
    quality = np.fromiter(map(attrgetter("quality"), rows), np.uint8, n)
    times = times_us(list(map(attrgetter("time"), rows)))

    known = (slot >= 0) & (measure >= 0)
    if catalogue.measures:
        with np.errstate(over="ignore"):  # it is out of range then
            value = value * catalogue.factor[measure] + catalogue.offset[measure]
        good = known & (value >= catalogue.lo[measure]) & (value <= catalogue.hi[measure])
    else:
        good = known
    bad = np.flatnonzero(~good | (times == NO_TIME)).tolist()
    for i in bad:
        try:
            _explain(rows[i], catalogue, float(value[i]))
            times[i] = time_us(rows[i].time)
        except BadInput as error:
            error = for_device(error, rows[i].device)
            found.rejected.append(Rejected(row=found.number(i), error=error, raw=found.raw(i)))
            good[i] = False
    found.rejected.sort(key=attrgetter("row"))

    parsed = Parsed(rejected=found.rejected, accepted=int(good.sum()))
    oldest, newest = limits.window_us(received_ns)
    wrong = good & ((times < oldest) | (times > newest))
    if wrong.any():
        at = np.flatnonzero(wrong)
        parsed.clocks = clock_faults([rows[i].device for i in at.tolist()], times[at], received_ns)
        quality[wrong] |= np.uint8(Quality.CLOCK)
        times[wrong] = 0
    t_ns = np.where(wrong, received_ns, times * _MICROSECOND)
    _split(parsed, catalogue, good, slot, t_ns, value, quality)
    return parsed


def _look_up(rows: Sequence[Row], catalogue: Catalogue) -> tuple[I64, I64]:
    """Slot and measure of each row, int64 (n,) both, -1 where there is none.

    Most bodies hold one metric in one unit; then devices are looked up in that metric's dictionary alone.
    """
    n, none = len(rows), repeat(-1)
    metrics, units = list(map(attrgetter("metric"), rows)), list(map(attrgetter("unit"), rows))
    if metrics.count(metrics[0]) == units.count(units[0]) == n:  # comparing costs less than hashing
        devices = catalogue.slots.get(metrics[0], _NOTHING)
        slot = np.fromiter(map(devices.get, map(_device, rows), none), np.int64, n)
        return slot, np.full(n, catalogue.measures.get((metrics[0], units[0]), -1))
    by_metric = catalogue.slots.get
    slot = np.fromiter([by_metric(r.metric, _NOTHING).get(r.device, -1) for r in rows], np.int64, n)
    return slot, np.fromiter(map(catalogue.measures.get, zip(metrics, units, strict=True), none), np.int64, n)


def clock_faults(devices: Sequence[str], times: I64, received_ns: int) -> dict[str, ClockFault]:
    """Device to fault, of readings (or events) whose time is outside the limits."""
    counts = Counter(devices)
    ahead = ((times - received_ns // _MICROSECOND) / 1e6).tolist()
    last = dict(zip(devices, ahead, strict=True))
    return {device: ClockFault(n, last[device]) for device, n in counts.items()}


def _split(
    parsed: Parsed, catalogue: Catalogue, good: Any, slot: I64, t_ns: I64, value: F64, quality: Any
) -> None:  # Any: numpy's bool and uint8 arrays
    if not good.all():
        slot, t_ns, value, quality = slot[good], t_ns[good], value[good], quality[good]
    if len(slot) == 0:
        return
    district, series = catalogue.district[slot], catalogue.series[slot]
    if (district == district[0]).all():
        parsed.batches[int(district[0])] = Readings(series=series, t_ns=t_ns, value=value, quality=quality)
        return
    for number in np.unique(district).tolist():
        mine = district == number
        parsed.batches[number] = Readings(
            series=series[mine], t_ns=t_ns[mine], value=value[mine], quality=quality[mine]
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
    if row.device not in catalogue.slots.get(row.metric, _NOTHING):
        raise _unknown_metric(row, catalogue)
    args = {"device": device.id, "metric": row.metric}
    where = f"device {device.id!r}, {row.metric}"
    if (row.metric, row.unit) not in catalogue.measures:
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


def _unknown_metric(row: Row, catalogue: Catalogue) -> BadInput:
    device = catalogue.devices[row.device]
    name = cut(row.metric)
    mine = [s.metric for s in device.series]
    if row.metric not in mine:
        have = ", ".join(m for m in mine if not m.startswith(VIDEO_PREFIX)) or "none"
        why = f"has no metric {name!r}; its metrics: {have}"
    elif row.metric.startswith(VIDEO_PREFIX):
        why = f"sends {name} as an event: POST it to /v1/events"
    else:
        why = f"has the metric {name!r}, but no domain pack knows it"
    return BadInput(
        "reading.unknown_metric", f"device {device.id!r} ({device.kind}) {why}", device=device.id, metric=name
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
