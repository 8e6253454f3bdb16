"""Importer: the published street floods of FloodNet NYC as a scenario.

Sensors report every 60 s round each flood; the recorded depth profile is laid in: its own readings at their
own times, straight lines between them. Outside the floods a sensor reads 0. Years of silence between floods
are left out (``full`` puts them in). ``raw`` plays nothing but what was recorded: the profiles' own readings at
their own irregular times, one to five minutes apart with gaps of hours, and silence between the floods. Source: NYC Open Data aq7i-eu5q and kb2e-tjy3; Silverman et al. 2022,
doi 10.1016/j.watres.2022.118648. Times in the files are GMT, depths inches.
"""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenarios.model import Scenario, Truth, registries
from yiwang.clock import SECOND, parse_iso
from yiwang.columns import F64, I64, Readings
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import Device, District, Place, Text

CM_PER_INCH = 2.54
PERIOD_S = 60
AROUND_S = 2 * 3600  # quiet readings before and after each flood
MERGE_S = 1800.0  # floods of one sensor closer than this may be one incident
LEVELS_CM = {4: None, 3: 10.0, 2: 30.0, 1: 60.0}  # the network's own 4, 12 and 24 inches, rounded to cm
OVERRIDES = (
    {
        "entry": "depth.ladder",
        "params": {
            "rung_iv": None,
            "rung_iii": LEVELS_CM[3],
            "rung_ii": LEVELS_CM[2],
            "rung_i": LEVELS_CM[1],
            # A flood is over when the street has been dry (below 1 cm) for three quarters of an hour. Recorded
            # floods fall dry for up to 41 min in their midst; no two of one sensor are closer than 82 min.
            "hysteresis": 9.0,
            "hold_s": 2700.0,
        },
        "source": "FloodNet's thresholds of 4, 12 and 24 inches; dry time from the recorded floods themselves",
    },
    {"kind": "road_flooding", "set": {"linger_s": 300.0}, "source": "the dry time above is the waiting"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """One recorded flood: profile times in ns and depths in cm."""

    sensor: str
    t_ns: I64
    depth_cm: F64


def is_folder(folder: Path) -> bool:
    """Whether this folder holds FloodNet's files."""
    return folder.is_dir() and bool(list(folder.glob("flood-events*.csv")))


def load(folder: Path, *, full: bool = False, raw: bool = False) -> Scenario:
    """The scenario of all floods in ``folder``.

    Args:
        folder: with both files.
        full: also the years of silence between the floods.
        raw: only the readings that were recorded, at their own times.

    Raises:
        BadInput: ``floodnet.files`` when a file is missing or empty, ``floodnet.row`` naming file, line, column.
    """
    events_file = next(iter(sorted(folder.glob("flood-events*.csv"))), None)
    metadata_file = folder / "sensor-metadata.csv"
    if events_file is None or not metadata_file.is_file():
        raise BadInput(
            "floodnet.files",
            f"{folder} must hold flood-events….csv and sensor-metadata.csv",
            folder=str(folder),
        )
    floods = _floods(events_file)
    places, devices = _sensors(metadata_file, sorted({f.sensor for f in floods}))
    rules = load_rules(overrides=OVERRIDES, tick_s=float(PERIOD_S))
    domains = compile_rules(rules)
    districts = (District(number=0, code="nyc", name=Text("纽约（录播）", "New York (recorded)")),)
    regs = registries(places, devices, (), {k: s.metrics for k, s in domains.device_kinds.items()}, districts)
    series = {d.id: next(s.number for s in d.series if s.metric == "water_depth") for d in regs[0].devices}
    readings = _recorded(floods, series) if raw else _readings(floods, series, full=full)
    return Scenario(
        name="floodnet",
        title=Text("FloodNet 纽约街道积水 2020–2022", "FloodNet street floods 2020-2022"),
        start_ns=int(readings.t_ns[0]),
        end_ns=int(readings.t_ns[-1]),
        settle_s=3600.0,
        tick_s=float(PERIOD_S),
        districts=districts,
        registries=regs,
        rules=rules,
        base_map={"type": "FeatureCollection", "features": []},
        readings={0: readings},
        truth=(
            *(t for f in floods for t in _truth(f, raw=raw)),
            *(_silence(d.id, readings) for d in devices if raw),
        ),
        merge_s=MERGE_S,
    )


def _floods(file: Path) -> list[Flood]:
    floods = []
    with file.open(encoding="utf-8-sig", newline="") as handle:
        for line, row in enumerate(csv.DictReader(handle), 2):
            try:
                start_ns = parse_iso(row["flood_start_time"] + "+00:00")
                depth = np.array(json.loads(row["flood_profile_depth_inches"]), np.float64) * CM_PER_INCH
                seconds = np.array(json.loads(row["flood_profile_time_secs"]), np.int64)
                if len(depth) != len(seconds) or len(depth) == 0:
                    raise ValueError(f"{len(depth)} depths and {len(seconds)} times")
            except (KeyError, TypeError, ValueError, BadInput) as error:
                raise BadInput(
                    "floodnet.row", f"{file.name}:{line}: {error}", file=file.name, line=line
                ) from error
            # One profile repeats a time stamp: the deeper reading of a moment counts.
            times, at = np.unique(seconds, return_inverse=True)
            deepest = np.zeros(len(times))
            np.maximum.at(deepest, at, depth)
            floods.append(Flood(sensor=row["sensor_id"], t_ns=start_ns + times * SECOND, depth_cm=deepest))
    if not floods:
        raise BadInput("floodnet.files", f"{file.name} holds no floods", file=file.name)
    return floods


def _sensors(file: Path, wanted: list[str]) -> tuple[tuple[Place, ...], tuple[Device, ...]]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        known = {row["sensor_id"]: row for row in csv.DictReader(handle)}
    places, devices = [], []
    for id_ in wanted:
        if id_ not in known:
            raise BadInput("floodnet.row", f"{file.name}: no sensor {id_}", file=file.name, sensor=id_)
        row = known[id_]
        lon, lat = float(row["longitude"]), float(row["latitude"])
        name = Text(row["sensor_name"], row["sensor_name"])
        places.append(
            Place(id=id_, district=0, zone=row["borough"], kind="road", name=name, lon=lon, lat=lat)
        )
        devices.append(
            Device(
                id=id_,
                district=0,
                kind="road_water_level",
                place=id_,
                name=name,
                lon=lon,
                lat=lat,
                series=(),
            )
        )
    return tuple(places), tuple(devices)


def _recorded(floods: list[Flood], series: dict[str, int]) -> Readings:
    """The profiles as they are."""
    s = np.concatenate([np.full(len(f.t_ns), series[f.sensor], np.int32) for f in floods])
    t = np.concatenate([f.t_ns for f in floods])
    v = np.concatenate([f.depth_cm for f in floods])
    order = np.argsort(t, kind="stable")
    return Readings(series=s[order], t_ns=t[order], value=v[order], quality=np.zeros(len(s), np.uint8))


def _readings(floods: list[Flood], series: dict[str, int], *, full: bool) -> Readings:
    """All sensors at 60 s inside the windows round the floods (or always), each with its own floods laid in."""
    windows = _windows(floods, full=full)
    grid = np.concatenate([np.arange(a, b, PERIOD_S * SECOND) for a, b in windows])
    mine: dict[str, list[Flood]] = defaultdict(list)
    for flood in floods:
        mine[flood.sensor].append(flood)
    s_parts, t_parts, v_parts = [], [], []
    for sensor, number in series.items():
        own = np.concatenate([f.t_ns for f in mine[sensor]])
        t = np.unique(np.concatenate((grid, own)))
        v = np.zeros(len(t))
        for flood in mine[sensor]:
            inside = slice(*np.searchsorted(t, (flood.t_ns[0], flood.t_ns[-1] + 1)))
            v[inside] = np.maximum(v[inside], np.interp(t[inside], flood.t_ns, flood.depth_cm))
        s_parts.append(np.full(len(t), number, np.int32))
        t_parts.append(t)
        v_parts.append(v)
    s, t, v = np.concatenate(s_parts), np.concatenate(t_parts), np.concatenate(v_parts)
    order = np.argsort(t, kind="stable")
    return Readings(series=s[order], t_ns=t[order], value=v[order], quality=np.zeros(len(s), np.uint8))


def _windows(floods: list[Flood], *, full: bool) -> list[tuple[int, int]]:
    minute = PERIOD_S * SECOND
    spans = sorted((int(f.t_ns[0]) - AROUND_S * SECOND, int(f.t_ns[-1]) + AROUND_S * SECOND) for f in floods)
    merged: list[tuple[int, int]] = []
    for begin, end in spans:
        begin -= begin % minute
        if merged and (begin <= merged[-1][1] or full):
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _truth(flood: Flood, *, raw: bool) -> list[Truth]:
    limit = LEVELS_CM[3]
    assert limit is not None
    above = np.flatnonzero(flood.depth_cm >= limit)
    if len(above) == 0:
        return []
    reaches = {
        str(level): _first(flood, depth) if raw else _crossing(flood, depth)
        for level, depth in LEVELS_CM.items()
        if depth is not None and flood.depth_cm.max() >= depth
    }
    return [
        Truth(
            id=f"{flood.sensor}@{int(flood.t_ns[0]) // SECOND}",
            kind="road_flooding",
            district=0,
            place=flood.sensor,
            severity=min(int(level) for level in reaches),
            begin_ns=reaches["3"],
            end_ns=int(flood.t_ns[above[-1]]),
            within_s=float(PERIOD_S),
            reaches_ns=reaches,
            episode_ns=(int(flood.t_ns[0]), int(flood.t_ns[-1])),
        )
    ]


def _silence(sensor: str, readings: Readings) -> Truth:
    """Nothing is recorded between the floods: that a sensor is called silent is right, and need not be."""
    return Truth(
        id=f"{sensor}@silent",
        kind="sensor_fault",
        district=0,
        place=sensor,
        severity=3,
        begin_ns=int(readings.t_ns[0]),
        end_ns=int(readings.t_ns[-1]),
        within_s=float(PERIOD_S),
        optional=True,
    )


def _first(flood: Flood, depth_cm: float) -> int:
    """First reading of at least ``depth_cm``, ns."""
    return int(flood.t_ns[np.argmax(flood.depth_cm >= depth_cm)])


def _crossing(flood: Flood, depth_cm: float) -> int:
    """Moment at which the line through the profile first is at ``depth_cm``, ns."""
    k = int(np.argmax(flood.depth_cm >= depth_cm))
    if k == 0:
        return int(flood.t_ns[0])
    t0, t1 = int(flood.t_ns[k - 1]), int(flood.t_ns[k])
    v0, v1 = float(flood.depth_cm[k - 1]), float(flood.depth_cm[k])
    return t0 + int((t1 - t0) * (depth_cm - v0) / (v1 - v0))
