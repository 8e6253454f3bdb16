"""Importer: a river whose sensor faults experts have labelled, as a scenario.

One CSV with ``Timestamp`` (d/m/Y H:M, local time of Queensland, UTC+10), ``Level`` (m), ``Cond`` (µS/cm), ``Tur`` (NTU), and
for each ``label_…`` (0, 1) and ``type_…`` (A to L, 0 good): the columns of the R package oddwater (Leigh et al. 2019,
Science of the Total Environment 664; Talagala et al. 2019, Water Resources Research).

Each quantity becomes a device of its own at one place, so that faults are told apart by series. Truth:

* each stretch of equal type is a ``sensor_fault`` of its device: of types A, D, F, H and J it must be named, any other may
  be, and a gap may be called offline. It must be named within ``NAMED_S`` of its begin (a shift is known for one only after several readings) or until
  it ends.
* high water: the station has no ladder of its own in the data, so one is made of its first two weeks. With m their
  median and r the rise of their highest good value over m (at least ``LEAST_RISE_M``), the station's attention level is m +
  0.5 r, its warning level m + r: as high as anything yet seen. Guarantee and record follow at 1.25 and 1.5 r. What
  reaches the attention level later is true, unless it is labelled a fault.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path

import numpy as np

from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.errors import BadInput
from yiwang.registry import Text

COLUMNS = {
    "Level": ("river_level", "river_level_gauge", Text("水位计", "Level gauge")),
    "Cond": ("conductivity", "conductivity_meter", Text("电导率仪", "Conductivity meter")),
    "Tur": ("turbidity", "turbidity_meter", Text("浊度仪", "Turbidity meter")),
}
"""Column to metric, kind of device and its name."""
ZONE = timezone(timedelta(hours=10))
MUST = frozenset("ADFHJ")
"""Types of faults that must be named."""
NAMED_S = 8 * 3600.0
HOUR_NS = 3600 * SECOND
EARLY_NS = 14 * 24 * HOUR_NS
LEAST_RISE_M = 0.5
PEAKS_S = 2 * 86_400.0
"""Peaks closer than this are one flood."""
MERGE_S = 30 * 86_400.0
"""Stretches of one sensor closer than this may be named as one: a fault goes on through a gap of weeks."""
GAP = 4.0
"""A gap of so many usual intervals may be called offline."""
OVERRIDES = (
    {
        "kind": "sensor_fault",
        "set": {"linger_s": 43_200.0},
        "source": "readings by the hour: what is said of one fault in half a day is one matter",
    },
)
LADDER = {4: 0.5, 3: 1.0, 2: 1.25, 1: 1.5}
"""Severity to height over the median, in early rises."""
_TIMES = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One column: times ns (n,), values (n,) with NaN where there is none, and the type of fault of each ("0" good)."""

    t_ns: I64
    value: F64
    type: list[str]


def is_file(path: Path) -> bool:
    """Whether this is such a file, or a folder with one."""
    return _file(path) is not None


def _file(path: Path) -> Path | None:
    if path.is_dir():
        return next((f for f in sorted(path.glob("*.csv")) if is_file(f)), None)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    with path.open(encoding="utf-8-sig", newline="") as handle:
        head = set(next(csv.reader(handle), []))
    wanted = {"Timestamp", *(f"{p}{c}" for c in COLUMNS for p in ("", "label_", "type_"))}
    return path if wanted <= head else None


def load(path: Path) -> Scenario:
    """The scenario of the file, or of the first such file of the folder.

    Raises:
        BadInput: ``rivers.file`` when there is none or it is empty, ``rivers.row`` naming file, line and column.
    """
    file = _file(path)
    if file is None:
        raise BadInput(
            "rivers.file",
            f"{path} must be or hold a CSV with Timestamp, Level, Cond, Tur, label_… and type_…",
            path=str(path),
        )
    columns = _read(file)
    start_ns = min(int(s.t_ns[0]) for s in columns.values())
    end_ns = max(int(s.t_ns[-1]) for s in columns.values())
    b = Builder(
        file.stem,
        Text(f"河流 {file.stem}（标注了传感器故障）", f"River {file.stem}, sensor faults labelled"),
        start_ns=start_ns - start_ns % HOUR_NS,
        seed=0,
        duration_s=(end_ns - start_ns + start_ns % HOUR_NS) / SECOND,
        tick_s=3600.0,
        settle_s=7200.0,
        overrides=OVERRIDES,
        merge_s=MERGE_S,
    )
    b.district("river", Text("河流（录播）", "River (recorded)"))
    ladder = _ladder(columns["Level"])
    b.place(
        "station",
        "river",
        Text(file.stem, file.stem),
        zone="river",
        lon=149.0,
        lat=-21.1,
        attention_level_m=ladder[4],
        warning_level_m=ladder[3],
        guarantee_level_m=ladder[2],
        record_level_m=ladder[1],
    )
    for column, (metric, kind, name) in COLUMNS.items():
        series = columns[column]
        b.device(column.lower(), kind, "station", name=name)
        some = np.isfinite(series.value)
        b.readings(column.lower(), metric, series.t_ns[some], series.value[some])
        _faults(b, column.lower(), series)
    _floods(b, columns["Level"], ladder)
    return b.build()


def _read(file: Path) -> dict[str, Series]:
    times: list[int] = []
    values: dict[str, list[float]] = {c: [] for c in COLUMNS}
    types: dict[str, list[str]] = {c: [] for c in COLUMNS}
    with file.open(encoding="utf-8-sig", newline="") as handle:
        for line, row in enumerate(csv.DictReader(handle), 2):
            column = "Timestamp"
            try:
                times.append(_time(row["Timestamp"]))
                for column in COLUMNS:
                    text = row[column].strip()
                    values[column].append(float(text) if text not in ("", "NA") else np.nan)
                    types[column].append(row[f"type_{column}"].strip() or "0")
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise BadInput(
                    "rivers.row",
                    f"{file.name}:{line}: {column}: {error}",
                    file=file.name,
                    line=line,
                    column=column,
                ) from error
    if not times:
        raise BadInput("rivers.file", f"{file.name} holds no rows", path=str(file))
    t_ns = np.array(times, np.int64)
    # a clock was set back once: of rows that are not newer than all before them the first counts
    keep = np.flatnonzero(t_ns > np.concatenate(([-1], np.maximum.accumulate(t_ns)[:-1])))
    return {
        c: Series(t_ns=t_ns[keep], value=np.array(values[c])[keep], type=[types[c][i] for i in keep.tolist()])
        for c in COLUMNS
    }


def _time(text: str) -> int:
    for form in _TIMES:
        try:
            return round(datetime.strptime(text.strip(), form).replace(tzinfo=ZONE).timestamp()) * SECOND
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no time such as 29/03/2017 6:12")


def stretches(series: Series) -> Iterator[tuple[str, int, int]]:
    """(type, first row, last row) of each run of rows of one type that is not good."""
    rows = [i for i in range(len(series.type)) if np.isfinite(series.value[i])]
    for kind, group in groupby(rows, key=lambda i: series.type[i]):
        found = list(group)
        if kind != "0":
            yield kind, found[0], found[-1]


def _faults(b: Builder, device: str, series: Series) -> None:
    for kind, first, last in stretches(series):
        b.truth(
            "sensor_fault",
            device,
            4,
            int(series.t_ns[first]),
            int(series.t_ns[last]),
            within_s=max(NAMED_S, (int(series.t_ns[last]) - int(series.t_ns[first])) / SECOND),
            optional=kind not in MUST,
        )
    good = series.t_ns[np.isfinite(series.value)]
    interval = float(np.median(np.diff(good))) if len(good) > 1 else 0.0
    for k in np.flatnonzero(np.diff(good) > GAP * interval).tolist():
        b.truth("sensor_fault", device, 3, int(good[k]), int(good[k + 1]), within_s=0.0, optional=True)


def _ladder(level: Series) -> dict[int, float]:
    """Severity to level, m, from the good values of the first two weeks."""
    good = np.isfinite(level.value) & (np.array(level.type) == "0")
    early = level.value[good & (level.t_ns < level.t_ns[0] + EARLY_NS)]
    if len(early) == 0:
        raise BadInput("rivers.file", "there is no good Level in the first two weeks")
    base = float(np.median(early))
    rise = max(float(early.max()) - base, LEAST_RISE_M)
    return {severity: round(base + share * rise, 2) for severity, share in LADDER.items()}


def _floods(b: Builder, level: Series, ladder: dict[int, float]) -> None:
    """High water: stretches at or above the attention level; peaks less than ``PEAKS_S`` apart are one."""
    good = np.isfinite(level.value) & (np.array(level.type) == "0")
    t_ns, value = level.t_ns[good], level.value[good]
    high = np.flatnonzero(value >= ladder[4])
    breaks = np.flatnonzero(np.diff(t_ns[high]) >= PEAKS_S * SECOND)
    for rows in np.split(high, breaks + 1):
        if len(rows) == 0:
            continue
        reaches = {
            severity: int(t_ns[rows[value[rows] >= limit][0]])
            for severity, limit in ladder.items()
            if (value[rows] >= limit).any()
        }
        b.truth(
            "river_high",
            "station",
            min(reaches),
            reaches[4],
            int(t_ns[rows[-1]]),
            within_s=3600.0,
            reaches_ns=reaches,
        )
