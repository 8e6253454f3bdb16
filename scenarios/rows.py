"""Readings out of a table: times, values and who said them as columns; no Python per reading."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scenarios.tables import Coded, Mask, Names, Skipped, Table, columns_of, read
from scenarios.times import Column, column_ns
from yiwang.columns import F64, I64, U8
from yiwang.errors import BadInput

READING_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": (
        "timestamp",
        "ts",
        "t",
        "datetime",
        "date_time",
        "date",
        "event_time",
        "epoch",
        "时间",
        "监测时间",
    ),
    "device": ("device_id", "sensor", "sensor_id", "id", "station", "station_id", "设备", "设备编号"),
    "metric": ("metric_id", "parameter", "variable", "name", "type", "指标"),
    "value": ("reading", "val", "v", "measurement", "数值", "值"),
    "unit": ("units", "uom", "单位"),
    "quality": ("flag", "qc", "质量"),
    "arrival": ("arrived", "received", "ingest_time", "arrival_time", "到达时间"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Readings as they stand in a file, n rows of equal length.

    Attributes:
        t_ns: int64 (n,), event time; 0 where the cell is no time.
        timed: bool (n,), the time is good.
        value: float64 (n,), in the unit of ``unit``; NaN may be a reading.
        valued: bool (n,), the value is a number (or an intended NaN).
        unit: None where the file names none: then the metric's own.
        quality: uint8 (n,).
        arrival_ns: int64 (n,), or None where the file does not say.
        row: int64 (n,), row of the file (its header is 1), for messages.
        skipped: rows with too many or too few cells: where, and as they stand.
        notes: what was taken for what, for people.
    """

    t_ns: I64
    timed: Mask
    device: Coded
    metric: Coded
    value: F64
    valued: Mask
    unit: Coded | None
    quality: U8
    arrival_ns: I64 | None
    row: I64
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    time_wrong: str = ""

    def __len__(self) -> int:
        return len(self.t_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How readings are read out of a file.

    Attributes:
        names: of columns.
        tz: zone of times without one.
        layout: strptime pattern of the times.
        metrics: known metrics; in the wide form the columns of these names are read.
        wide: a column a metric instead of the columns metric and value.
        device: for files without a column of devices: whose readings they are.
        metric: for files without a column of metrics.
        nan_is_reading: a NaN in a column of numbers is a reading (of a faulty device), not a missing one.
    """

    names: Names = field(default_factory=lambda: Names(aliases=READING_NAMES))
    tz: str | None = None
    layout: str | None = None
    metrics: frozenset[str] = frozenset()
    wide: bool = False
    device: str = ""
    metric: str = ""
    nan_is_reading: bool = False

    def read(self, path: Path) -> Rows:
        """All rows of a file.

        Raises:
            BadInput: ``scenario.table``, ``scenario.column``.
        """
        found = self.names.find(columns_of(path))
        table, skipped = read(path, dictionary=[found[c] for c in ("device", "metric", "unit") if c in found])
        measured = self._measured(path, table, found)
        needed = ["time"]
        needed += [] if self.device else ["device"]
        needed += [] if measured or self.metric else ["metric"]
        needed += [] if measured else ["value"]
        missing = [c for c in needed if c not in found]
        if missing:
            raise BadInput(
                "scenario.column",
                f"{path}: no column is {' or '.join(missing)}; there is {', '.join(table.column_names)}; "
                f"say which it is with --map THEIRS={missing[0]}",
                file=str(path),
                field=missing[0],
            )
        if measured:
            return self._melt(table, found, measured, skipped)
        return self._rows(table, found, skipped)

    def _measured(self, path: Path, table: Table, found: dict[str, str]) -> dict[str, str]:
        if not self.wide:
            return {}
        measured = {}
        for theirs in table.column_names:
            ours = self.names.renamed.get(theirs, theirs)
            if ours in self.metrics and theirs not in (found.get("time"), found.get("device")):
                measured[ours] = theirs
        if not measured:
            raise BadInput(
                "scenario.column",
                f"{path}: none of its columns is a metric of the packs; there is "
                f"{', '.join(table.column_names)}; say which it is with --map THEIRS=METRIC",
                file=str(path),
                field="metric",
            )
        return measured

    def _rows(self, table: Table, found: dict[str, str], skipped: list[Skipped]) -> Rows:
        n = table.num_rows
        times = column_ns(table[found["time"]], tz=self.tz, layout=self.layout)
        value, valued = _numbers(table[found["value"]])
        if not self.nan_is_reading:
            valued &= np.isfinite(value)
        arrival = (
            column_ns(table[found["arrival"]], tz=self.tz, layout=self.layout) if "arrival" in found else None
        )
        notes = (f"{found['time']}: {times.how}",) if times.how else ()
        return Rows(
            t_ns=times.t_ns,
            timed=times.good,
            time_wrong=times.wrong,
            device=Coded.of(table[found["device"]]) if "device" in found else Coded.one(self.device, n),
            metric=Coded.of(table[found["metric"]]) if "metric" in found else Coded.one(self.metric, n),
            value=value,
            valued=valued,
            unit=Coded.of(table[found["unit"]]) if "unit" in found else None,
            quality=_quality(table[found["quality"]]) if "quality" in found else np.zeros(n, np.uint8),
            arrival_ns=None if arrival is None else np.where(arrival.good, arrival.t_ns, times.t_ns),
            row=_numbers_of(n, skipped),
            skipped=tuple(skipped),
            notes=notes,
        )

    def _melt(
        self, table: Table, found: dict[str, str], measured: dict[str, str], skipped: list[Skipped]
    ) -> Rows:
        """A column a metric to a row a reading; empty cells are no readings."""
        n = table.num_rows
        times = column_ns(table[found["time"]], tz=self.tz, layout=self.layout)
        device = Coded.of(table[found["device"]]) if "device" in found else Coded.one(self.device, n)
        rows, codes, values, valid = [], [], [], []
        for code, theirs in enumerate(measured.values()):
            column = table[theirs]
            value, valued = _numbers(column)
            there = np.flatnonzero(column.is_valid().to_numpy() & ~(valued & np.isnan(value)))
            rows.append(there)
            codes.append(np.full(len(there), code, np.int32))
            values.append(value[there])
            valid.append(valued[there] & np.isfinite(value[there]))
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")  # as the file's rows follow each other
        row = row[order]
        return Rows(
            t_ns=times.t_ns[row],
            timed=times.good[row],
            time_wrong=times.wrong,
            device=Coded(codes=device.codes[row], names=device.names),
            metric=Coded(codes=np.concatenate(codes)[order], names=tuple(measured)),
            value=np.concatenate(values)[order],
            valued=np.concatenate(valid)[order],
            unit=None,
            quality=np.zeros(len(row), np.uint8),
            arrival_ns=None,
            row=_numbers_of(n, skipped)[row],
            skipped=tuple(skipped),
            notes=(f"{found['time']}: {times.how}",) if times.how else (),
        )


def _numbers(column: Column) -> tuple[F64, Mask]:
    """Values with NaN where the cell is empty or no number, and which are numbers (NaN is one)."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parsed(column)
    else:
        column = column.cast(pa.float64())
    value: F64 = pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False).astype(np.float64)
    return value, column.is_valid().to_numpy(zero_copy_only=False).copy()


def _numbers_of(n: int, skipped: list[Skipped]) -> I64:
    """Rows of the file of ``n`` rows that were read, those that were skipped between them."""
    rows = np.arange(2, n + len(skipped) + 2)
    return np.delete(rows, [row - 2 for row, _ in skipped]) if skipped else rows


def _parsed(texts: Column) -> Column:
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim_whitespace(texts)
        number = pc.match_substring_regex(trimmed, r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|NaN|inf)$")
        kept = pc.if_else(pc.fill_null(number, False), pc.utf8_ltrim(trimmed, "+"), None)
        return pc.cast(kept, pa.float64())


def _quality(column: Column) -> U8:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_string(column.type):
        digits = pc.match_substring_regex(column, r"^\d{1,3}$")
        column = pc.cast(pc.if_else(pc.fill_null(digits, False), column, None), pa.int64())
    bits = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    quality: U8 = (bits & 0xFF).astype(np.uint8)
    return quality
