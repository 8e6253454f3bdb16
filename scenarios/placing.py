"""Rows of a table to the readings of districts: names looked up, units converted, order made; whole columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from scenarios.problems import suggest
from scenarios.rows import Rows
from scenarios.tables import Coded, Mask
from yiwang.columns import F64, I32, I64, U8, Readings
from yiwang.domains import Domains
from yiwang.registry import Registry

_NAMED = 20  # unknown names that are listed one by one
_NO_DEVICE, _NO_METRIC = -1, -2

Say = Callable[[str], str]
SayRow = Callable[[int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """Rows that cannot be used, for one reason.

    Attributes:
        row: the first of them, as in the file (its header is 1).
    """

    code: str
    field: str
    message: str
    row: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What became of a table.

    Attributes:
        readings: per district, in order of arrival.
        arrivals: of the districts whose readings do not all come in at their own time.
        bad: what could not be used.
        used: rows that are in ``readings``.
        rows: rows of the file.
    """

    readings: dict[int, Readings]
    arrivals: dict[int, I64]
    bad: tuple[Bad, ...]
    used: int
    rows: int


def place(
    rows: Rows,
    registries: Mapping[int, Registry],
    domains: Domains,
    *,
    units: Mapping[str, str] | None = None,
) -> Placed:
    """Sort the good rows into their districts, in order of arrival, or of time where nothing is said of arrival.

    Rows of one moment keep the order of the file. Duplicates are kept.

    Args:
        rows: of the file.
        registries: who is there.
        domains: the packs, for units.
        units: metric to the unit of its values where the row itself names none.
    """
    series, district = _looked_up(rows, registries)
    factor, offset, convertible = _conversions(rows, domains, units or {})
    good = rows.timed & rows.valued & (series >= 0) & convertible
    value = rows.value if factor is None else rows.value * factor + offset
    bad = _Bad(rows, registries, domains, units or {})
    bad.look(series, convertible)
    readings, arrivals = {}, {}
    several = len(registries) > 1
    for number in registries:
        mine = good & (district == number) if several else good
        everything = bool(mine.all())
        at = slice(None) if everything else np.flatnonzero(mine)
        t_ns = rows.t_ns[at]
        comes_in = t_ns if rows.arrival_ns is None else rows.arrival_ns[at]
        readings[number], arrival_ns = in_order(
            series=series[at], t_ns=t_ns, value=value[at], quality=rows.quality[at], comes_in=comes_in
        )
        if arrival_ns is not None:
            arrivals[number] = arrival_ns
    return Placed(
        readings=readings,
        arrivals=arrivals,
        bad=tuple(bad.found),
        used=int(good.sum()),
        rows=len(rows) + len(rows.skipped),
    )


def in_order(
    *, series: I32, t_ns: I64, value: F64, quality: U8, comes_in: I64
) -> tuple[Readings, I64 | None]:
    """Columns in order of arrival, stable, and the arrivals where they are not simply the times."""
    if len(comes_in) and not (comes_in[1:] >= comes_in[:-1]).all():
        order = np.argsort(comes_in, kind="stable")
        series, t_ns, value, quality = series[order], t_ns[order], value[order], quality[order]
        comes_in = comes_in[order]
    readings = Readings(
        series=np.ascontiguousarray(series, np.int32), t_ns=t_ns, value=value, quality=quality
    )
    return readings, None if np.array_equal(comes_in, t_ns) else comes_in


def _looked_up(rows: Rows, registries: Mapping[int, Registry]) -> tuple[I32, I32]:
    """Series number and district of every row; a negative series says why there is none."""
    codes = {name: k for k, name in enumerate(rows.device.names)}
    metric_codes = {name: k for k, name in enumerate(rows.metric.names)}
    table = np.full((len(codes) + 1, len(metric_codes) + 1), _NO_DEVICE, np.int32)  # last: the empty cell
    district = np.zeros(len(codes) + 1, np.int32)
    for number, registry in registries.items():
        for device in registry.devices:
            at = codes.get(device.id)
            if at is None:
                continue
            table[at] = _NO_METRIC
            district[at] = number
            for series in device.series:
                column = metric_codes.get(series.metric)
                if column is not None:
                    table[at, column] = series.number
    flat = rows.device.codes.astype(np.int64)
    flat[flat < 0] = len(codes)
    column_of = np.where(rows.metric.codes < 0, len(metric_codes), rows.metric.codes)
    return table.reshape(-1)[flat * table.shape[1] + column_of], district[rows.device.codes]


def _conversions(rows: Rows, domains: Domains, units: Mapping[str, str]) -> tuple[F64 | None, F64, Mask]:
    """Factor and offset of every row (None: nothing to convert), and whether its unit is known."""
    n = len(rows)
    unit_names = rows.unit.names if rows.unit else ()
    size = len(unit_names) + 1
    factor = np.ones((len(rows.metric.names) + 1, size))
    offset = np.zeros_like(factor)
    for m, metric in enumerate(rows.metric.names):
        known = domains.metrics[metric].units if metric in domains.metrics else {}
        for u, unit in enumerate((*unit_names, "")):
            stated = unit or units.get(metric, "")
            factor[m, u], offset[m, u] = known.get(stated, (np.nan, 0.0)) if stated else (1.0, 0.0)
    if rows.unit is None:
        if (factor == 1.0).all() and not offset.any():
            return None, np.zeros(0), np.ones(n, np.bool_)
        of_row = factor[rows.metric.codes, 0]
        return of_row, offset[rows.metric.codes, 0], ~np.isnan(of_row)
    of_row = factor[rows.metric.codes, rows.unit.codes]
    return of_row, offset[rows.metric.codes, rows.unit.codes], ~np.isnan(of_row)


class _Bad:
    """Says of rows that cannot be used why, with the first of each kind."""

    def __init__(
        self, rows: Rows, registries: Mapping[int, Registry], domains: Domains, units: Mapping[str, str]
    ) -> None:
        self.rows, self.registries, self.domains, self.units = rows, registries, domains, units
        self.found: list[Bad] = []

    def look(self, series: I32, convertible: Mask) -> None:
        rows = self.rows
        if rows.skipped:
            at, text = rows.skipped[0]
            self._add("cells", "", f"wrong number of cells: {text!r}", at, len(rows.skipped))
        self._rows(~rows.timed, "time", "time", lambda at: rows.time_wrong)
        self._rows(
            rows.timed & ~rows.valued, "value", "value", lambda at: "the value is missing or is no number"
        )
        usable = rows.timed & rows.valued
        unknown = usable & (series == _NO_DEVICE)
        devices = [d.id for r in self.registries.values() for d in r.devices]
        self._named(
            unknown,
            rows.device,
            "device",
            lambda name: (
                f"there is no device {name!r}{suggest(name, devices)}" if name else "device is empty"
            ),
        )
        self._metrics(usable & (series == _NO_METRIC))
        self._units(usable & (series >= 0) & ~convertible)

    def _metrics(self, mask: Mask) -> None:
        known = self.domains.metrics
        has = {d.id: [s.metric for s in d.series] for r in self.registries.values() for d in r.devices}

        def say(name: str) -> str:
            if not name:
                return "metric is empty"
            if name not in known:
                return f"no pack has the metric {name!r}{suggest(name, known)}"
            at = np.flatnonzero(mask & (self.rows.metric.codes == self.rows.metric.names.index(name)))[0]
            device = self.rows.device.names[self.rows.device.codes[at]]
            return f"device {device!r} has no metric {name!r}; it has {', '.join(has[device])}"

        self._named(mask, self.rows.metric, "metric", say)

    def _units(self, mask: Mask) -> None:
        if not mask.any():
            return
        metric = self.rows.metric
        for code in np.unique(metric.codes[mask]).tolist():
            name = metric.names[code]
            mine = mask & (metric.codes == code)
            known = self.domains.metrics[name].units

            def say(unit: str, name: str = name, known: Mapping[str, object] = known) -> str:
                stated = unit or self.units.get(name, "")
                return f"{name} has no unit {stated!r}; it is given in {', '.join(known)}"

            if self.rows.unit is None:
                self._rows(mine, "unit", "unit", lambda at, say=say: say(""))  # type: ignore[misc]
            else:
                self._named(mine, self.rows.unit, "unit", say)

    def _named(self, mask: Mask, column: Coded, what: str, say: Say) -> None:
        """One entry a name, for the first of them."""
        if not mask.any():
            return
        codes, first, counts = np.unique(column.codes[mask], return_index=True, return_counts=True)
        rows = self.rows.row[np.flatnonzero(mask)[first]]
        order = np.argsort(rows)
        for k in order[:_NAMED].tolist():
            name = "" if codes[k] < 0 else column.names[codes[k]]
            self._add(what, what, say(name), int(rows[k]), int(counts[k]))
        rest = order[_NAMED:]
        if len(rest):
            self._add(
                what, what, f"and {len(rest)} more unknown names", int(rows[rest[0]]), int(counts[rest].sum())
            )

    def _rows(self, mask: Mask, what: str, field: str, say: SayRow) -> None:
        if mask.any():
            at = int(np.argmax(mask))
            self._add(what, field, say(at), int(self.rows.row[at]), int(mask.sum()))

    def _add(self, what: str, field: str, message: str, row: int, count: int) -> None:
        self.found.append(Bad(code=f"scenario.{what}", field=field, message=message, row=row, count=count))
