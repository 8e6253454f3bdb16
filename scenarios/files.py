"""Scenarios on disk, and how a name on the command line becomes one.

A scenario is a folder with ``scenario.yaml``. Either that file names a ``generator``, or it stands beside
``registry.json`` (districts, registries, rules, base map), ``readings.npz`` (columns district, series, t_ns,
value, quality) and ``events.json`` (video events and recorded commands).
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import yaml

from scenarios import floodnet, night
from scenarios.model import Scenario, Truth
from yiwang import yamlfile
from yiwang.clock import iso, parse_iso
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.model import Command, VideoEvent
from yiwang.registry import District, Registry, Rules, Text


class TruthLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A truth as it stands in the file, times in ISO 8601 with a zone."""

    id: str
    kind: str
    district: int
    place: str
    severity: Literal[1, 2, 3, 4]
    begin: str
    end: str
    within_s: float
    reaches: dict[str, str] = {}
    episode: tuple[str, str] | None = None


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``scenario.yaml``."""

    scenario: str
    title: Text
    start: str
    generator: Literal["night", "quiet"] | None = None
    seed: int = 0
    duration_s: float = 0.0
    end: str | None = None
    settle_s: float = 900.0
    tick_s: float = 1.0
    merge_s: float = 0.0
    expect_support: bool = False
    truth: tuple[TruthLine, ...] = ()


class _Registered(msgspec.Struct, frozen=True, kw_only=True):
    districts: tuple[District, ...]
    registries: dict[int, Registry]
    rules: Rules
    base_map: dict[str, Any]  # Any: GeoJSON


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    t_ns: int
    district: int
    content: VideoEvent | Command


def library() -> dict[str, Path]:
    """Built-in scenarios by name."""
    folder = Path(str(files("scenarios"))) / "library"
    return {p.stem: p for p in sorted(folder.glob("*.yaml"))}


def load(source: str, *, start_ns: int | None = None, full: bool = False) -> Scenario:
    """The scenario that ``source`` names: a built-in one, a file or folder of ours, or a folder of FloodNet's.

    Args:
        source: as given on the command line.
        start_ns: moves a generated scenario to this begin.
        full: for FloodNet, also the silence between the floods.

    Raises:
        BadInput: ``scenario.unknown``, ``scenario.field`` (file, line, field), or the importer's own.
    """
    path = library().get(source, Path(source))
    if path.is_dir() and floodnet.is_folder(path):
        return floodnet.load(path, full=full)
    if path.is_dir():
        path /= "scenario.yaml"
    if not path.is_file():
        raise BadInput(
            "scenario.unknown",
            f"{source!r} is no scenario: give one of {', '.join(library())}, a folder with scenario.yaml, "
            "or a folder of FloodNet data",
            source=source,
        )
    return _load_file(path, start_ns)


def _load_file(path: Path, start_ns: int | None) -> Scenario:
    spec = yamlfile.load(path, ScenarioFile, code="scenario")
    begin_ns = _time(path, "start", spec.start) if start_ns is None else start_ns
    if spec.generator is not None:
        if spec.duration_s <= 0:
            raise BadInput(
                "scenario.field", f"{path}: duration_s must be above 0", file=str(path), field="duration_s"
            )
        make = {"night": night.night, "quiet": night.quiet}[spec.generator]
        return make(start_ns=begin_ns, seed=spec.seed, duration_s=spec.duration_s)
    return _load_recorded(path, spec, begin_ns)


def _time(path: Path, field: str, text: str) -> int:
    try:
        return parse_iso(text)
    except BadInput as error:
        raise BadInput(
            "scenario.field", f"{path}: {field}: {error.message}", file=str(path), field=field
        ) from None


def _load_recorded(path: Path, spec: ScenarioFile, begin_ns: int) -> Scenario:
    folder = path.parent
    try:
        registered = msgspec.json.decode((folder / "registry.json").read_bytes(), type=_Registered)
        events = msgspec.json.decode((folder / "events.json").read_bytes(), type=tuple[_Event, ...])
        with np.load(folder / "readings.npz", allow_pickle=False) as table:
            columns = {name: table[name] for name in ("district", "series", "t_ns", "value", "quality")}
    except (OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise BadInput("scenario.tables", f"{folder}: {error}", folder=str(folder)) from error
    if spec.end is None:
        raise BadInput(
            "scenario.field", f"{path}: a recorded scenario needs 'end'", file=str(path), field="end"
        )
    readings = {}
    for district in registered.registries:
        mine = columns["district"] == district
        readings[district] = Readings(
            series=columns["series"][mine],
            t_ns=columns["t_ns"][mine],
            value=columns["value"][mine],
            quality=columns["quality"][mine],
        )
    return Scenario(
        name=spec.scenario,
        title=spec.title,
        start_ns=begin_ns,
        end_ns=_time(path, "end", spec.end),
        settle_s=spec.settle_s,
        tick_s=spec.tick_s,
        districts=registered.districts,
        registries=registered.registries,
        rules=registered.rules,
        base_map=registered.base_map,
        readings=readings,
        events=tuple((e.t_ns, e.district, e.content) for e in events),
        truth=tuple(_truth(path, line) for line in spec.truth),
        merge_s=spec.merge_s,
        expect_support=spec.expect_support,
    )


def _truth(path: Path, line: TruthLine) -> Truth:
    where = f"truth {line.id}"
    begin_ns, end_ns = _time(path, f"{where}: begin", line.begin), _time(path, f"{where}: end", line.end)
    if end_ns < begin_ns:
        raise BadInput(
            "scenario.field", f"{path}: {where}: it ends before it begins", file=str(path), field="truth.end"
        )
    return Truth(
        id=line.id,
        kind=line.kind,
        district=line.district,
        place=line.place,
        severity=line.severity,
        begin_ns=begin_ns,
        end_ns=end_ns,
        within_s=line.within_s,
        reaches_ns={level: _time(path, f"{where}: reaches", t) for level, t in line.reaches.items()},
        episode_ns=(
            (
                _time(path, f"{where}: episode", line.episode[0]),
                _time(path, f"{where}: episode", line.episode[1]),
            )
            if line.episode
            else None
        ),
    )


def save(scenario: Scenario, folder: Path) -> None:
    """Write a scenario as a folder that ``load`` reads back equal, to the millisecond in its truth.

    Raises:
        BadInput: ``scenario.exists`` when the folder already holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadInput("scenario.exists", f"{folder} is not empty; name a new folder", folder=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    spec = ScenarioFile(
        scenario=scenario.name,
        title=scenario.title,
        start=iso(scenario.start_ns),
        end=iso(scenario.end_ns),
        settle_s=scenario.settle_s,
        tick_s=scenario.tick_s,
        merge_s=scenario.merge_s,
        expect_support=scenario.expect_support,
        truth=tuple(
            TruthLine(
                id=t.id,
                kind=t.kind,
                district=t.district,
                place=t.place,
                severity=t.severity,  # type: ignore[arg-type]  # 1..4 by construction
                begin=iso(t.begin_ns),
                end=iso(t.end_ns),
                within_s=t.within_s,
                reaches={level: iso(t_ns) for level, t_ns in t.reaches_ns.items()},
                episode=(iso(t.episode_ns[0]), iso(t.episode_ns[1])) if t.episode_ns else None,
            )
            for t in scenario.truth
        ),
    )
    (folder / "scenario.yaml").write_text(
        yaml.safe_dump(msgspec.to_builtins(spec), allow_unicode=True, sort_keys=False), encoding="utf-8"
    )
    (folder / "registry.json").write_bytes(
        msgspec.json.encode(
            _Registered(
                districts=scenario.districts,
                registries=scenario.registries,
                rules=scenario.rules,
                base_map=scenario.base_map,
            )
        )
    )
    (folder / "events.json").write_bytes(
        msgspec.json.encode([_Event(t_ns=t, district=d, content=c) for t, d, c in scenario.events])
    )
    parts = scenario.readings.items()
    np.savez_compressed(
        folder / "readings.npz",
        district=np.concatenate([np.full(len(r), n, np.int16) for n, r in parts]),
        series=np.concatenate([r.series for _, r in parts]),
        t_ns=np.concatenate([r.t_ns for _, r in parts]),
        value=np.concatenate([r.value for _, r in parts]),
        quality=np.concatenate([r.quality for _, r in parts]),
    )
