"""Three tables (devices, readings, truth) of anybody's to a scenario; columns stay columns."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scenarios import events, import_notes, truths
from scenarios.folder import DEFAULT_DISTRICT
from scenarios.import_devices import DeviceTable, cells
from scenarios.import_truth import TruthTable
from scenarios.model import Scenario, Truth, registries
from scenarios.naming import EVENT_NAMES
from scenarios.placing import Bad, Placed, place
from scenarios.problems import Problems, suggest
from scenarios.rows import READING_NAMES, Reader, Rows
from scenarios.tables import Names, columns_of
from scenarios.times import iso_ns
from yiwang.clock import SECOND
from yiwang.columns import I64, Readings
from yiwang.domains import VIDEO_PREFIX, Domains, compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import Registry, Rules, Text

MOST_TICKS = 200_000
_GRID_S = (1.0, 5.0, 10.0, 60.0, 300.0, 900.0, 3600.0)
_SAMPLE = 200_000  # readings from which the usual period is taken
_WITHIN_S = 120.0
_FAR_NS = (
    3600 * SECOND
)  # a truth may begin or end so long before or after the readings; further off, its times are wrong
_JITTER = 1.1  # a minute is a minute also where the median is a second less


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What is to be imported, and how.

    Attributes:
        devices: None where ``kind`` is given: then whoever reports is a device.
        renamed: columns, metrics and kinds of the files to ours.
        units: metric to the unit of its values, where the table has no column of units.
        kind: of devices that state none.
        tz: zone of times that name none.
        layout: strptime pattern of times.
        wide: a column a metric.
        tick_s: without, from how often the sensors report.
        within_s: of truths that state no tolerance; without, two readings of the slowest sensors and at least 120 s.
        severity: of truths that state no level, 1..4; 0: they must.
        most_bad: share of rows that may be unusable.
    """

    readings: Path
    devices: Path | None = None
    truth: Path | None = None
    events: Path | None = None
    name: str = "imported"
    title: Text = field(default_factory=lambda: Text("导入", "Imported"))
    renamed: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    tz: str | None = None
    layout: str | None = None
    wide: bool = False
    tick_s: float | None = None
    merge_s: float = 0.0
    within_s: float | None = None
    severity: int = 0
    most_bad: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A scenario and how it came about.

    Attributes:
        rows: of the table of readings (of the wide form: cells with a value).
        used: of them in the scenario.
        bad: why the others are not.
        notes: what was assumed.
    """

    scenario: Scenario
    rows: int
    used: int
    bad: tuple[Bad, ...]
    notes: tuple[str, ...]


def run(tables: Tables) -> Imported:
    """Read, judge and put together.

    Raises:
        BadInput: ``scenario.…`` with file, row and field; ``details["errors"]`` lists everything.
    """
    return _Import(tables).run()


class _Import:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.problems = Problems()
        self.notes: list[str] = []
        self.metrics: tuple[str, ...] = ()

    def run(self) -> Imported:
        tables = self.tables
        domains = compile_rules(load_rules())
        self._options(domains)
        table = DeviceTable(domains, self.problems, kind=tables.kind, renamed=tables.renamed)
        if tables.devices is not None:
            table.read(tables.devices)
        elif not tables.kind:
            raise BadInput("scenario.file", "give --devices FILE, or --kind KIND for devices without a table")
        self.problems.refuse("listed above")
        rows = self._rows(table, domains)
        if tables.devices is None:
            table.named(sorted(set(rows.device.names) - {""}))
        self.problems.refuse("listed above")
        self.notes += [*table.notes, *rows.notes]
        districts = tuple(table.districts.values()) or (DEFAULT_DISTRICT,)
        regs = registries(
            tuple(table.places.values()), tuple(table.devices.values()), (), table.metrics, districts
        )
        placed = place(rows, regs, domains, units=tables.units)
        self._judge_rows(placed)
        self.notes += import_notes.ranges(placed.readings, regs, domains)
        found = self._truth(table, domains, placed)
        truth = tuple(f.truth for f in found)
        played = self._events(domains, regs)
        self._judge_truth(found, _span(placed, (), played))
        self.notes += import_notes.limits(regs, domains)
        named = (tables.readings, tables.devices, tables.truth, tables.events)
        self.notes += import_notes.unmapped(tables.renamed, named, self.metrics)
        self.problems.refuse("listed above")
        start_ns, end_ns = _span(placed, truth, played)
        tick_s = tables.tick_s or _tick_s(placed, (end_ns - start_ns) / SECOND)
        scenario = Scenario(
            name=tables.name,
            title=tables.title,
            start_ns=start_ns,
            end_ns=end_ns,
            settle_s=1800.0 + max((domains.kinds[t.kind].linger_s for t in truth), default=0.0),
            tick_s=tick_s,
            districts=districts,
            registries=regs,
            rules=_rules(table, tick_s),
            base_map={"type": "FeatureCollection", "features": []},
            readings=placed.readings,
            arrivals=placed.arrivals,
            events=played,
            truth=truth,
            merge_s=tables.merge_s,
            notes=tuple(self.notes),
        )
        truths.check(found, regs, compile_rules(scenario.rules), (start_ns, end_ns), self.problems)
        self.problems.refuse("listed above")
        return Imported(
            scenario=scenario, rows=placed.rows, used=placed.used, bad=placed.bad, notes=tuple(self.notes)
        )

    # ---- parts ----

    def _options(self, domains: Domains) -> None:
        for metric, unit in self.tables.units.items():
            known = domains.metrics.get(metric)
            if known is None:
                raise BadInput(
                    "scenario.metric",
                    f"--unit {metric}={unit}: no pack has the metric {metric!r}{suggest(metric, domains.metrics)}",
                    field="unit",
                )
            if unit not in known.units:
                raise BadInput(
                    "scenario.unit",
                    f"--unit {metric}={unit}: {metric} is given in {', '.join(known.units)}",
                    field="unit",
                )

    def _rows(self, table: DeviceTable, domains: Domains) -> Rows:
        """Readings with other people's names of metrics replaced; a lone device or metric need not be named."""
        tables = self.tables
        known = domains.device_kinds.get(tables.kind) if tables.devices is None else None
        kinds = [known.metrics] if known else table.metrics.values()
        measured = sorted({m for of_kind in kinds for m in of_kind if not m.startswith(VIDEO_PREFIX)})
        names = Names(aliases=READING_NAMES, renamed=tables.renamed)
        lone = next(iter(table.devices)) if len(table.devices) == 1 else ""
        if tables.devices is None and "device" not in names.find(columns_of(tables.readings)):
            lone = tables.readings.name.split(".")[0]
            self.notes.append(
                f"{tables.readings.name}: no column is the device, so all is said by one, {lone}; "
                "if there is one, say which with --map THEIRS=device"
            )
        reader = Reader(
            names=names,
            tz=tables.tz,
            layout=tables.layout,
            metrics=frozenset(domains.metrics),
            wide=tables.wide,
            device=lone,
            metric=measured[0] if len(measured) == 1 else "",
        )
        rows = reader.read(tables.readings)
        if not len(rows):
            raise BadInput(
                "scenario.rows",
                f"{tables.readings}: there is no row below its header",
                file=str(tables.readings),
            )
        self.metrics = rows.metric.names
        return replace(rows, metric=rows.metric.renamed(tables.renamed)) if tables.renamed else rows

    def _judge_rows(self, placed: Placed) -> None:
        lost = placed.rows - placed.used
        if placed.used == 0 or lost > self.tables.most_bad * placed.rows:
            share = f"{lost} of {placed.rows} rows cannot be used"
            if placed.used:
                share += f", more than --most-bad {self.tables.most_bad:g} allows"
            file = str(self.tables.readings)
            self.problems.add("scenario.rows", share, file=file)
            for bad in placed.bad:
                self.problems.add(
                    bad.code, bad.message, file=file, line=bad.row, field=bad.field, count=bad.count
                )
            self.problems.refuse("listed above")

    def _judge_truth(self, found: Sequence[truths.Found], span: tuple[int, int]) -> None:
        """A truth that no reading can bear out has wrong times."""
        for one in found:
            begin_ns, end_ns = one.truth.extent_ns
            if end_ns < span[0] - _FAR_NS or begin_ns > span[1] + _FAR_NS:
                self.problems.add(
                    "scenario.time",
                    f"{iso_ns(one.truth.begin_ns)} to {iso_ns(one.truth.end_ns)} is outside the readings, "
                    f"{iso_ns(span[0])} to {iso_ns(span[1])}; is its date or --tz right?",
                    file=one.file,
                    line=one.line,
                    field="begin",
                )

    def _truth(self, table: DeviceTable, domains: Domains, placed: Placed) -> tuple[truths.Found, ...]:
        tables = self.tables
        if tables.truth is None:
            return ()
        within_s = tables.within_s
        if within_s is None:
            slowest_s = max((_period_s(r) for r in placed.readings.values() if len(r) > 1), default=0.0)
            within_s = max(_WITHIN_S, 2 * slowest_s)
        reader = TruthTable(table, domains, self.problems, within_s=within_s, severity=tables.severity)
        return reader.read(tables.truth, renamed=tables.renamed, tz=tables.tz, layout=tables.layout)

    def _events(self, domains: Domains, regs: Mapping[int, Registry]) -> tuple[events.Played, ...]:
        path = self.tables.events
        if path is None:
            return ()
        town = events.Town.of(domains, regs)
        if path.name.endswith((".jsonl", ".ndjson")):
            return events.decode(path.read_bytes(), town, self.problems, file=str(path))
        _, rows = cells(path, Names(aliases=EVENT_NAMES, renamed=self.tables.renamed))
        lines = [(n, {"type": "video"} | dict(row)) for n, row in rows]
        return events.from_lines(lines, town, self.problems, file=str(path))


def _span(placed: Placed, truth: Sequence[Truth], played: Sequence[events.Played]) -> tuple[int, int]:
    """From the first to the last of everything, in whole seconds."""
    moments = [t for e in truth for t in (e.begin_ns, e.end_ns, *e.extent_ns)]
    moments += [t for t, _, _ in played]
    for number, readings in placed.readings.items():
        for column in (readings.t_ns, placed.arrivals.get(number, readings.t_ns)):
            if len(column):
                moments += [int(column.min()), int(column.max())]
    first, last = min(moments), max(moments)
    return first - first % SECOND, last + -last % SECOND


def _tick_s(placed: Placed, span_s: float) -> float:
    """As often as the sensors report, and not so often that a year takes hours to play."""
    usual_s = min((_period_s(r) for r in placed.readings.values() if len(r) > 1), default=1.0)
    fits = [g for g in _GRID_S if g <= max(usual_s * _JITTER, _GRID_S[0])]
    affordable = [g for g in _GRID_S if span_s / g <= MOST_TICKS]
    return max(fits[-1], affordable[0] if affordable else _GRID_S[-1])


def _period_s(readings: Readings) -> float:
    """Median time between two readings of a series, seconds, from the first ones."""
    series, t_ns = readings.series[:_SAMPLE], readings.t_ns[:_SAMPLE]
    order = np.argsort(series, kind="stable")
    same = series[order][1:] == series[order][:-1]
    steps: I64 = np.diff(t_ns[order])[same]
    steps = steps[steps > 0]
    return float(np.median(steps)) / SECOND if len(steps) else 1.0


def _rules(table: DeviceTable, tick_s: float) -> Rules:
    """The packs, with one more where devices measure what no kind of the packs does."""
    if not table.kinds.made:
        return load_rules(tick_s=tick_s)
    with tempfile.TemporaryDirectory(prefix="yiwang-import-") as folder:
        path = Path(folder) / "imported.yaml"
        body: dict[str, Any] = table.kinds.pack()  # Any: parsed YAML
        path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return load_rules(extra=[path], tick_s=tick_s)
