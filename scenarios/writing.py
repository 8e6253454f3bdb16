"""A scenario written as a folder that ``folder`` reads back equal; columns stay columns."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from scenarios import events, truths
from scenarios.folder import DEFAULT_DISTRICT, EVENTS, MAP, SPEC, TRUTH
from scenarios.model import Scenario
from scenarios.spec import DistrictLine, MadeBy, RulesPart, ScenarioFile
from scenarios.tables import Coded, write
from scenarios.times import iso_ns
from yiwang.columns import I32, I64
from yiwang.device_files import ATTRIBUTE, COLUMNS
from yiwang.domains import load_rules
from yiwang.errors import BadInput
from yiwang.registry import Device, Place, Registry, Unit

MOST_INLINE = 200
"""Truths beyond this stand in a table of their own."""


def save(
    scenario: Scenario, folder: Path, *, made_by: MadeBy | None = None, readings: str = "readings.parquet"
) -> None:
    """Write a scenario as a folder; it is read back with the same readings, events, registry, rules and truth.

    Args:
        scenario: any.
        folder: new or empty.
        made_by: how it was made, for whoever wants to make it again.
        readings: ``readings.parquet``, or ``readings.csv`` for people.

    Raises:
        BadInput: as ``begin``.
    """
    begin(folder)
    inline = len(scenario.truth) <= MOST_INLINE
    rules, notes = _rules(scenario, folder)
    spec = ScenarioFile(
        scenario=scenario.name,
        title=scenario.title,
        start=iso_ns(scenario.start_ns),
        end=iso_ns(scenario.end_ns),
        tick_s=scenario.tick_s,
        settle_s=scenario.settle_s,
        merge_s=scenario.merge_s,
        lateness_s=scenario.rules.lateness_s,
        expect_support=scenario.expect_support,
        districts=_districts(scenario),
        rules=rules,
        made_by=made_by,
        notes=(*scenario.notes, *notes),
        truth=tuple(map(truths.to_line, scenario.truth)) if inline else (),
    )
    (folder / SPEC).write_text(
        yaml.safe_dump(msgspec.to_builtins(spec), allow_unicode=True, sort_keys=False, width=110),
        encoding="utf-8",
    )
    if not inline:
        _write_csv(folder / TRUTH, _truth_rows(scenario))
    regs = scenario.registries.values()
    _write_csv(folder / "places.csv", [_place(p) for r in regs for p in r.places])
    _write_csv(folder / "devices.csv", [_device(d) for r in regs for d in r.devices])
    _write_csv(folder / "units.csv", [_unit(u) for r in regs for u in r.units])
    if scenario.reading_count:
        _readings(scenario, folder / readings)
    if scenario.events:
        (folder / EVENTS).write_bytes(events.encode(scenario.events))
    if scenario.base_map.get("features"):
        (folder / MAP).write_bytes(msgspec.json.encode(scenario.base_map))


def begin(folder: Path) -> None:
    """Make the folder in which a scenario is to stand.

    Raises:
        BadInput: ``scenario.exists`` when it already holds something, ``scenario.folder`` when it cannot be made.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise BadInput("scenario.exists", f"{folder} {what}; name a new folder", folder=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            "scenario.folder", f"{folder} cannot be made: {error.strerror}; name another", folder=str(folder)
        ) from None


def _districts(scenario: Scenario) -> tuple[DistrictLine, ...]:
    if scenario.districts == (DEFAULT_DISTRICT,):
        return ()
    return tuple(DistrictLine(number=d.number, code=d.code, name=d.name) for d in scenario.districts)


def _rules(scenario: Scenario, folder: Path) -> tuple[RulesPart, list[str]]:
    """What the rules have besides the built-in packs; files of the city's go into ``rules/``."""
    rules = scenario.rules
    builtin = {p["file"]: p["body"] for p in load_rules().packs}
    overrides: list[dict[str, Any]] = []  # Any: parsed YAML
    documents, notes = [], []
    for pack in rules.packs:
        if pack["file"] not in builtin:
            documents.append(pack)
        elif pack["body"] != builtin[pack["file"]]:
            notes.append(f"recorded with another release's {pack['file']}; the present one judges it")
    for document in rules.overrides:
        if document["file"] == "given":
            overrides += document["body"]["overrides"]
        else:
            documents.append(document)
    for document in documents:
        (folder / "rules").mkdir(exist_ok=True)
        (folder / "rules" / document["file"]).write_text(
            yaml.safe_dump(document["body"], allow_unicode=True, sort_keys=False), encoding="utf-8"
        )
    names = tuple(f"rules/{d['file']}" for d in documents)
    tick_s = None if rules.tick_s == scenario.tick_s else rules.tick_s
    return RulesPart(files=names, overrides=tuple(overrides), tick_s=tick_s), notes


# ---- tables of few rows ----


def _place(p: Place) -> dict[str, Any]:  # Any: cells
    return {"id": p.id, "kind": p.kind, "district": p.district, "zone": p.zone} | _named(p)


def _device(d: Device) -> dict[str, Any]:
    return {"id": d.id, "kind": d.kind, "district": d.district, "place": d.place} | _named(d)


def _unit(u: Unit) -> dict[str, Any]:
    row = {"id": u.id, "skill": u.skill, "district": u.district} | _named(u)
    return row | {"on_duty": "true" if u.on_duty else "false"}


def _named(thing: Place | Device | Unit) -> dict[str, Any]:
    attributes = {} if isinstance(thing, Unit) else thing.attributes
    return {
        "name": thing.name.zh or thing.id,
        "name_en": thing.name.en,
        "lon": thing.lon,
        "lat": thing.lat,
        **{f"{ATTRIBUTE}{name}": value for name, value in attributes.items()},
    }


def _truth_rows(scenario: Scenario) -> list[dict[str, Any]]:
    rows = []
    for line in map(truths.to_line, scenario.truth):
        row = {c: getattr(line, c, "") for c in truths.COLUMNS}
        row |= {f"reaches_{level}": text for level, text in line.reaches.items()}
        row["episode_begin"], row["episode_end"] = line.episode or ("", "")
        row |= {c: " ".join(getattr(line, c)) for c in ("also", "reasons")}
        row["optional"] = "true" if line.optional else ""
        rows.append(row)
    return rows


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    kind = {"places.csv": "place", "devices.csv": "device", "units.csv": "unit"}.get(path.name)
    header = list(COLUMNS[kind]) if kind else list(truths.COLUMNS)
    header += sorted({c for row in rows for c in row} - set(header))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# ---- readings ----


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Series numbers of all districts, put one behind the other, to device and metric."""

    first: dict[int, int]
    device: I32
    metric: I32
    devices: tuple[str, ...]
    metrics: tuple[str, ...]

    @classmethod
    def of(cls, registries: Mapping[int, Registry]) -> "_Names":
        metrics: dict[str, int] = {}
        devices: list[str] = []
        first, rows, size = {}, [], 0
        for number, registry in registries.items():
            first[number] = size
            for device in registry.devices:
                rows += [
                    (size + s.number, len(devices), metrics.setdefault(s.metric, len(metrics)))
                    for s in device.series
                ]
                devices.append(device.id)
            size = 1 + max((r[0] for r in rows), default=size - 1)
        device_of, metric_of = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        for at, device_code, metric_code in rows:
            device_of[at], metric_of[at] = device_code, metric_code
        return cls(
            first=first,
            device=device_of,
            metric=metric_of,
            devices=tuple(devices),
            metrics=tuple(metrics),
        )


def _readings(scenario: Scenario, path: Path) -> None:
    names = _Names.of(scenario.registries)
    districts = scenario.registries
    series = np.concatenate(
        [scenario.readings[n].series.astype(np.int64) + names.first[n] for n in districts]
    )
    comes_in = _joined(scenario.comes_in(n) for n in districts)
    order = _by_series(series, comes_in)
    series = series[order]
    write(
        path,
        t_ns=_joined(scenario.readings[n].t_ns for n in districts)[order],
        device=Coded(codes=names.device[series], names=names.devices),
        metric=Coded(codes=names.metric[series], names=names.metrics),
        value=_joined(scenario.readings[n].value for n in districts)[order],
        quality=_joined(scenario.readings[n].quality for n in districts)[order],
        arrival_ns=comes_in[order] if scenario.arrivals else None,
    )


def _joined(parts: Iterable[np.ndarray[Any, Any]]) -> Any:  # Any: arrays of one dtype
    return np.concatenate(list(parts))


def _by_series(series: I64, comes_in: I64) -> I64 | slice:
    """Series by series, which packs to a fraction, where the reader's sorting brings back the very order."""
    same_moment = comes_in[1:] == comes_in[:-1]
    if (series[1:] < series[:-1])[same_moment].any():
        return slice(None)
    order: I64 = np.argsort(series, kind="stable")
    return order
