"""Truth as it stands in files: read, held against what is registered, and written."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from scenarios.model import Scenario, Truth
from scenarios.problems import Problems, suggest
from scenarios.spec import SEVERITIES, TruthLine
from scenarios.times import iso_ns, parse_ns
from yiwang.domains import Domains
from yiwang.errors import BadInput
from yiwang.registry import Registry

COLUMNS = (
    "id",
    "kind",
    "district",
    "place",
    "severity",
    "begin",
    "end",
    "within_s",
    "reaches_4",
    "reaches_3",
    "reaches_2",
    "reaches_1",
    "episode_begin",
    "episode_end",
    "also",
    "optional",
    "reasons",
)
_NEEDED = ("kind", "place", "severity", "begin", "end", "within_s")
_YES = {"true", "yes", "1", "是"}
Where = tuple[str, int]
"""File and line of a truth."""


@dataclass(frozen=True, slots=True)
class Found:
    """A truth and where it stands."""

    truth: Truth
    file: str
    line: int


def from_line(line: TruthLine, number: int, problems: Problems, *, file: str, at: int) -> Truth | None:
    """A line with its times parsed; None, and noted, where one of them is none.

    Args:
        line: as it stands.
        number: its place in the list, from 1; part of its id where it has none.
        problems: takes what is wrong.
        file: for messages.
        at: line or row.
    """
    before = len(problems)

    def time(field: str, text: str) -> int:
        try:
            return parse_ns(text)
        except BadInput as error:
            problems.add("scenario.time", error.message, file=file, line=at, field=field)
            return 0

    truth = Truth(
        id=line.id or f"{line.kind}@{line.place}@{number}",
        kind=line.kind,
        district=line.district,
        place=line.place,
        severity=line.severity,
        begin_ns=time("begin", line.begin),
        end_ns=time("end", line.end),
        within_s=line.within_s,
        reaches_ns={level: time(f"reaches.{level}", text) for level, text in line.reaches.items()},
        episode_ns=(
            (time("episode", line.episode[0]), time("episode", line.episode[1])) if line.episode else None
        ),
        also=line.also,
        optional=line.optional,
        reasons=line.reasons,
    )
    return truth if len(problems) == before else None


def to_line(truth: Truth) -> TruthLine:
    """A truth as it stands in a file; times exact."""
    return TruthLine(
        id=truth.id,
        kind=truth.kind,
        district=truth.district,
        place=truth.place,
        severity=truth.severity,  # type: ignore[arg-type]  # 1..4 by construction
        begin=iso_ns(truth.begin_ns),
        end=iso_ns(truth.end_ns),
        within_s=truth.within_s,
        reaches={level: iso_ns(t) for level, t in truth.reaches_ns.items()},  # type: ignore[misc]
        episode=(iso_ns(truth.episode_ns[0]), iso_ns(truth.episode_ns[1])) if truth.episode_ns else None,
        also=truth.also,
        optional=truth.optional,
        reasons=truth.reasons,
    )


def read_csv(content: bytes, problems: Problems, *, file: str) -> list[tuple[TruthLine, int]]:
    """Rows of ``truth.csv`` with their row numbers; lists within a cell are parted by blanks."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        problems.add("scenario.table", f"cannot be read as CSV in UTF-8: {error}", file=file)
        return []
    header = [c.strip() for c in rows[0]] if rows else []
    for name in header:
        if name not in COLUMNS:
            problems.add(
                "scenario.column", f"unknown column{suggest(name, COLUMNS)}", file=file, line=1, field=name
            )
    missing = [c for c in _NEEDED if c not in header]
    if missing:
        problems.add(
            "scenario.column", f"column {', '.join(missing)} is missing", file=file, line=1, field=missing[0]
        )
        return []
    lines = []
    for number, cells in enumerate(rows[1:], 2):
        if not any(c.strip() for c in cells):
            continue
        row = {k: v.strip() for k, v in zip(header, cells, strict=False) if v.strip()}
        line = line_of(row, number, problems, file=file)
        if line is not None:
            lines.append((line, number))
    return lines


def line_of(row: Mapping[str, str], number: int, problems: Problems, *, file: str) -> TruthLine | None:
    """A row of texts, by the names in ``COLUMNS``; None, and noted, where a cell is wrong."""
    body: dict[str, Any] = {k: row[k] for k in ("id", "kind", "place", "begin", "end") if k in row}
    level = row.get("severity", "")
    before = len(problems)

    def wrong(field: str, message: str) -> None:
        problems.add("scenario.truth", message, file=file, line=number, field=field)

    for name in _NEEDED:
        if not row.get(name):
            wrong(name, "must be given")
    if level and level.strip() not in SEVERITIES:
        wrong("severity", f"{level!r} is no level: give 1 to 4, I to IV, or red, orange, yellow, blue")
    body["severity"] = SEVERITIES.get(level.strip(), 4)
    body["reaches"] = {k[-1]: v for k, v in row.items() if k.startswith("reaches_")}
    if "episode_begin" in row or "episode_end" in row:
        body["episode"] = [
            row.get("episode_begin", body.get("begin")),
            row.get("episode_end", body.get("end")),
        ]
    body |= {k: row[k].split() for k in ("also", "reasons") if k in row}
    body["optional"] = row.get("optional", "").lower() in _YES
    for name, kind in (("district", int), ("within_s", float)):
        if name in row:
            try:
                body[name] = kind(row[name])
            except ValueError:
                wrong(name, f"{row[name]!r} is no number")
    if len(problems) > before:
        return None
    try:
        return msgspec.convert(body, TruthLine, strict=False)
    except msgspec.ValidationError as error:
        wrong("", str(error))
        return None


def check(
    found: Sequence[Found],
    registries: Mapping[int, Registry],
    domains: Domains,
    span: tuple[int, int],
    problems: Problems,
) -> None:
    """Hold truths against the packs, what is registered, the time range and each other."""
    judge = _Judge(registries, domains, span, problems)
    ids: dict[str, Found] = {}
    for one in found:
        judge.look(one)
        if one.truth.id in ids:
            other = ids[one.truth.id]
            problems.add(
                "scenario.twice",
                f"{one.truth.id} stands in {other.file}{':' + str(other.line) if other.line else ''} already",
                file=one.file,
                line=one.line,
                field="id",
            )
        ids.setdefault(one.truth.id, one)
    judge.overlaps(found)


def located(scenario: Scenario) -> list[Found]:
    """The truths of a scenario that was not read from files, under its name."""
    return [Found(t, f"{scenario.name}, truth {t.id}", 0) for t in scenario.truth]


class _Judge:
    def __init__(
        self,
        registries: Mapping[int, Registry],
        domains: Domains,
        span: tuple[int, int],
        problems: Problems,
    ) -> None:
        self.domains, self.span, self.problems = domains, span, problems
        self.districts = set(registries)
        self.names: dict[str, dict[int, set[str]]] = {
            "place": {n: {p.id for p in r.places} for n, r in registries.items()},
            "zone": {n: {p.zone for p in r.places} for n, r in registries.items()},
            "device": {n: {d.id for d in r.devices} for n, r in registries.items()},
        }

    def look(self, found: Found) -> None:
        truth = found.truth

        def wrong(field: str, message: str) -> None:
            self.problems.add("scenario.truth", message, file=found.file, line=found.line, field=field)

        kind = self.domains.kinds.get(truth.kind)
        if kind is None:
            wrong(
                "kind",
                f"no pack has the incident kind {truth.kind!r}{suggest(truth.kind, self.domains.kinds)}",
            )
        if truth.district not in self.districts:
            there = ", ".join(str(n) for n in sorted(self.districts))
            wrong("district", f"there is no district {truth.district}; there is {there}")
        elif kind is not None and kind.by in self.names:
            known = set(self.names[kind.by][truth.district])
            if kind.by == "zone":  # a place stands for its zone
                known |= self.names["place"][truth.district]
            for field, name in (("place", truth.place), *(("also", a) for a in truth.also)):
                if name not in known:
                    how = f"{truth.kind} is judged by {kind.by}, and" if kind.by != "place" else ""
                    wrong(field, f"{how} there is no {kind.by} {name!r}{suggest(name, known)}".strip())
        if truth.end_ns < truth.begin_ns:
            wrong("end", f"{iso_ns(truth.end_ns)} is before the begin, {iso_ns(truth.begin_ns)}")
        for field, t_ns in (("begin", truth.begin_ns), ("end", truth.end_ns)):
            if not self.span[0] <= t_ns <= self.span[1]:
                wrong(
                    field,
                    f"{iso_ns(t_ns)} is outside the scenario, {iso_ns(self.span[0])} to {iso_ns(self.span[1])}",
                )
        if truth.within_s < 0:
            wrong("within_s", f"{truth.within_s:g} must be 0 or more seconds")
        self._reaches(truth, wrong)
        extent = truth.episode_ns
        if extent and not extent[0] <= truth.begin_ns <= truth.end_ns <= extent[1]:
            wrong("episode", "must begin no later and end no earlier than the truth itself")

    @staticmethod
    def _reaches(truth: Truth, wrong: Any) -> None:  # Any: a function of field and message
        levels = sorted(((int(level), t) for level, t in truth.reaches_ns.items()), reverse=True)
        for (milder, t), (worse, later) in pairwise(levels):
            if later < t:
                wrong("reaches", f"level {worse} comes before the milder level {milder}")
        for level, t in levels:
            if not truth.begin_ns <= t <= max(truth.begin_ns, truth.end_ns):
                wrong("reaches", f"level {level} at {iso_ns(t)} is outside begin to end")
        if levels and levels[-1][0] != truth.severity:
            wrong("severity", f"is {truth.severity}, but the most severe of reaches is {levels[-1][0]}")

    def overlaps(self, found: Iterable[Found]) -> None:
        """Two truths of one kind at one place at one time could not be told apart."""
        by_spot: dict[tuple[str, int, str], list[Found]] = {}
        for one in found:
            if not one.truth.optional:
                spot = (one.truth.kind, one.truth.district, one.truth.place)
                by_spot.setdefault(spot, []).append(one)
        for together in by_spot.values():
            together.sort(key=lambda f: f.truth.begin_ns)
            for a, b in pairwise(together):
                if b.truth.begin_ns < max(a.truth.end_ns, a.truth.begin_ns + 1):
                    self.problems.add(
                        "scenario.overlap",
                        f"{b.truth.id} begins {iso_ns(b.truth.begin_ns)}, before {a.truth.id} of the same kind at "
                        f"the same place ends, {iso_ns(a.truth.end_ns)}; make them one",
                        file=b.file,
                        line=b.line,
                        field="begin",
                    )
