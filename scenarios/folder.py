"""A scenario's folder: ``scenario.yaml`` and the tables beside it, read and checked as a whole."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec

from scenarios import events, faults, truths
from scenarios.model import Scenario, Truth, registries
from scenarios.placing import place
from scenarios.problems import Problems, suggest
from scenarios.rows import Reader
from scenarios.spec import ScenarioFile, TruthLine
from scenarios.tables import is_table
from scenarios.times import iso_ns, parse_ns
from streams.machine_rules import Rulebook
from yiwang import yamlfile
from yiwang.columns import I64, Readings
from yiwang.device_files import Table
from yiwang.device_files import read as read_devices
from yiwang.device_rows import Found, Known, judge
from yiwang.domains import Domains, compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import District, Registry, Rules, Text

SPEC = "scenario.yaml"
EVENTS = "events.jsonl"
TRUTH = "truth.csv"
MAP = "map.geojson"
DEVICE_TABLES = {"places.csv": "place", "devices.csv": "device", "units.csv": "unit"}
READINGS = ("readings.parquet", "readings.csv", "readings.csv.gz")
DEFAULT_DISTRICT = District(number=0, code="900001", name=Text("演示区", "Demo district"))
_KNOWN = (SPEC, EVENTS, TRUTH, MAP, *DEVICE_TABLES, *READINGS)


class FolderReader:
    """Reads one folder; what is wrong goes to ``problems`` and the rest is read all the same."""

    def __init__(self, spec_file: Path, problems: Problems) -> None:
        self.file, self.folder, self.problems = spec_file, spec_file.parent, problems
        self.lines: dict[str, int] = {}

    def spec(self) -> ScenarioFile | None:
        """``scenario.yaml`` with what is right in it; None where it cannot be read at all."""
        try:
            spec, self.lines, wrong = yamlfile.load_all(self.file, ScenarioFile, code="scenario")
        except BadInput as error:
            self._refused(error)
            return None
        for one in wrong:
            self._refused(one)
        if "scenario" not in self.lines:
            self.wrong("scenario", "must be given: the scenario's name")
        elif not spec.scenario.strip() or set(spec.scenario) & set("/\\\n\t"):
            self.wrong("scenario", f"{spec.scenario!r} is no name: files are called by it, so no / and no \\")
        if "title" not in self.lines:
            self.wrong("title", "must be given, such as {zh: 暴雨, en: Cloudburst}")
        ways = [f for f in ("generator", "of") if f in self.lines]
        if len(ways) > 1:
            self.wrong("of", "give either generator or of")
        for field in ("tick_s", "duration_s"):
            if field in self.lines and getattr(spec, field) <= 0:
                self.wrong(field, f"{getattr(spec, field):g} must be above 0")
        for field in ("settle_s", "merge_s", "lateness_s"):
            if getattr(spec, field) < 0:
                self.wrong(field, f"{getattr(spec, field):g} must be 0 or more")
        return spec

    def wrong(self, field: str, message: str, *, code: str = "scenario.field") -> None:
        """Note a mistake in ``scenario.yaml``."""
        line = self.lines.get(field) or self.lines.get(field.partition(".")[0], 1)
        self.problems.add(code, message, file=str(self.file), line=line, field=field)

    def _refused(self, error: BadInput) -> None:
        """A refusal of ``yamlfile``: its message begins with the place, which the list shows anyway."""
        line = error.details.get("line", 0)
        field = str(error.details.get("field", ""))
        message = error.message.removeprefix(f"{self.file}:{line}: ").removeprefix(f"{field}: ")
        self.problems.add(error.code, message, file=str(self.file), line=int(line), field=field)

    def time(self, field: str, text: str) -> int:
        """A time of ``scenario.yaml``; 0, and noted, where it is none."""
        if not text:
            self.wrong(field, "must be given, such as 2026-06-01T20:15:00+08:00")
            return 0
        try:
            return parse_ns(text)
        except BadInput as error:
            self.wrong(field, error.message)
            return 0

    def recorded(self, spec: ScenarioFile) -> Scenario | None:
        """The scenario of the tables beside ``scenario.yaml``, faults laid over it; None if it cannot be made."""
        self._files()
        span = self.time("start", spec.start), self.time("end", spec.end)
        if span[0] and span[1] and span[1] <= span[0]:
            self.wrong("end", f"{iso_ns(span[1])} is not after the start, {iso_ns(span[0])}")
        rules = self._rules(spec)
        districts = self._districts(spec)
        if rules is None:
            return None
        domains = compile_rules(rules)
        regs = self._registered(districts, domains)
        readings, arrivals = self._readings(regs, domains, span)
        played = self._events(events.Town.of(domains, regs), span)
        scenario = Scenario(
            name=spec.scenario,
            title=spec.title,
            start_ns=span[0],
            end_ns=span[1],
            settle_s=spec.settle_s,
            tick_s=spec.tick_s,
            districts=districts,
            registries=regs,
            rules=rules,
            base_map=self._map(),
            readings=readings,
            arrivals=arrivals,
            events=played,
            truth=self._truth(spec, regs, domains, span),
            merge_s=spec.merge_s,
            expect_support=spec.expect_support,
            notes=spec.notes,
        )
        return self.with_faults(scenario, spec)

    def with_faults(self, scenario: Scenario, spec: ScenarioFile) -> Scenario:
        """The scenario with the faults that the file asks for."""
        if spec.faults is None:
            return scenario
        before = len(self.problems)
        faults.check(spec.faults, scenario, self.problems, file=str(self.file))
        return faults.inject(scenario, spec.faults) if len(self.problems) == before else scenario

    # ---- parts ----

    def _files(self) -> None:
        """A table whose name nobody knows is most likely a typing error."""
        for path in sorted(self.folder.iterdir()):
            if path.name not in _KNOWN and (is_table(path) or path.suffix in (".jsonl", ".geojson")):
                self.problems.add(
                    "scenario.file", f"no such file belongs here{suggest(path.name, _KNOWN)}", file=str(path)
                )

    def _rules(self, spec: ScenarioFile) -> Rules | None:
        paths = [self.folder / name for name in spec.rules.files]
        try:
            rules = load_rules(
                extra=paths,
                overrides=spec.rules.overrides,
                lateness_s=spec.lateness_s,
                tick_s=spec.rules.tick_s or spec.tick_s,
            )
            Rulebook(rules)  # the detectors' own parameters
        except BadInput as error:
            for message in error.details.get("errors", [error.message]):
                self._rule_wrong(str(message), error)
            return None
        return rules

    def _rule_wrong(self, message: str, error: BadInput) -> None:
        """Overrides that stand in ``scenario.yaml`` are there called ``given``."""
        found = re.match(r"given[^ ]*: (overrides[^: ]*)", message)
        if found is None:
            file = str(error.details.get("file", self.file))
            line = int(error.details.get("line", 0) or 0)
            self.problems.add("scenario.rules", message, file=file, line=line, field="rules")
            return
        path = f"rules.{found[1]}"
        while path not in self.lines:
            path = path.rpartition(".")[0]
        self.wrong(path, message.partition(": ")[2].removeprefix(f"{found[1]}: "), code="scenario.rules")

    def _districts(self, spec: ScenarioFile) -> tuple[District, ...]:
        found = tuple(District(number=d.number, code=d.code, name=d.name) for d in spec.districts)
        if [d.number for d in found] != list(range(len(found))):
            self.wrong("districts", "numbers must be 0, 1, 2 … in order")
        return found or (DEFAULT_DISTRICT,)

    def _registered(self, districts: tuple[District, ...], domains: Domains) -> dict[int, Registry]:
        tables: list[Table] = []
        for name, kind in DEVICE_TABLES.items():
            path = self.folder / name
            if path.is_file():
                try:
                    tables.append(read_devices(str(path), path.read_bytes(), kind))
                except BadInput as error:
                    self.problems.add(_ours(error.code), error.message, file=str(path))
            elif kind == "device":
                self.problems.add("scenario.file", "is missing: who reports must be given", file=str(path))
        known = Known(len(districts), {d.number: d for d in districts})
        found: Found = judge(tables, known, domains)
        for p in found.problems:
            self.problems.add(_ours(p.code), p.message, file=p.file, line=p.row, field=p.field)
        metrics = {k: kind.metrics for k, kind in domains.device_kinds.items()}
        return registries(tuple(found.places), tuple(found.devices), tuple(found.units), metrics, districts)

    def _readings(
        self, regs: dict[int, Registry], domains: Domains, span: tuple[int, int]
    ) -> tuple[dict[int, Readings], dict[int, I64]]:
        paths = [self.folder / name for name in READINGS if (self.folder / name).is_file()]
        if len(paths) > 1:
            self.problems.add("scenario.file", f"there is {paths[1].name} too; keep one", file=str(paths[0]))
        if not paths:
            return {n: Readings.of([]) for n in regs}, {}
        file = str(paths[0])
        try:
            rows = Reader(nan_is_reading=True).read(paths[0])
        except BadInput as error:
            self.problems.error(error, file=file)
            return {n: Readings.of([]) for n in regs}, {}
        placed = place(rows, regs, domains)
        for bad in placed.bad:
            self.problems.add(
                bad.code, bad.message, file=file, line=bad.row, field=bad.field, count=bad.count
            )
        times = rows.t_ns[rows.timed] if rows.arrival_ns is None else rows.arrival_ns[rows.timed]
        outside = (times < span[0]) | (times > span[1])
        if all(span) and outside.any():
            at = int(outside.argmax())
            self.problems.add(
                "scenario.time",
                f"{iso_ns(int(times[at]))} is outside the scenario, {iso_ns(span[0])} to {iso_ns(span[1])}",
                file=file,
                line=int(rows.row[rows.timed][at]),
                field="time",
                count=int(outside.sum()),
            )
        return placed.readings, placed.arrivals

    def _events(self, town: events.Town, span: tuple[int, int]) -> tuple[events.Played, ...]:
        path = self.folder / EVENTS
        if not path.is_file():
            return ()
        return events.decode(
            path.read_bytes(), town, self.problems, file=str(path), span=span if all(span) else None
        )

    def _truth(
        self, spec: ScenarioFile, regs: dict[int, Registry], domains: Domains, span: tuple[int, int]
    ) -> tuple[Truth, ...]:
        lines = [(line, at) for at, line in self._inline(spec)]
        file = str(self.file)
        path = self.folder / TRUTH
        if path.is_file():
            if lines:
                self.wrong("truth", f"there is {TRUTH} too; keep one of them")
            lines, file = truths.read_csv(path.read_bytes(), self.problems, file=str(path)), str(path)
        found = []
        for number, (line, at) in enumerate(lines, 1):
            truth = truths.from_line(line, number, self.problems, file=file, at=at)
            if truth is not None:
                found.append(truths.Found(truth, file, at))
        if all(span):
            truths.check(found, regs, domains, span, self.problems)
        return tuple(f.truth for f in found)

    def _inline(self, spec: ScenarioFile) -> list[tuple[int, TruthLine]]:
        """Lines of truth with where they stand; those that are wrong have been left out of ``spec``."""
        starts = sorted(
            line for path, line in self.lines.items() if path.startswith("truth.") and path.count(".") == 1
        )
        bad = {
            max((s for s in starts if s <= p.line), default=0)
            for p in self.problems
            if p.file == str(self.file) and p.field.startswith("truth")
        }
        return list(zip([s for s in starts if s not in bad], spec.truth, strict=False))

    def _map(self) -> dict[str, object]:
        path = self.folder / MAP
        empty: dict[str, object] = {"type": "FeatureCollection", "features": []}
        if not path.is_file():
            return empty
        try:
            found = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        except msgspec.MsgspecError as error:
            self.problems.add("scenario.file", f"no GeoJSON: {error}", file=str(path))
            return empty
        if found.get("type") != "FeatureCollection":
            self.problems.add("scenario.file", "no GeoJSON FeatureCollection", file=str(path))
            return empty
        return found


def _ours(code: str) -> str:
    """The code of a device table's row, as a scenario has it."""
    return f"scenario.{code.partition('.')[2]}"


def rebased(scenario: Scenario, spec: ScenarioFile) -> Scenario:
    """A scenario by reference under the name and title of the file that refers to it."""
    return replace(
        scenario, name=spec.scenario, title=spec.title, notes=(*scenario.notes, *spec.notes, f"of: {spec.of}")
    )
