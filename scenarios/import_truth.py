"""Somebody's table of what is true: kind, place or device, begin, end, level, tolerance."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from scenarios import truths
from scenarios.import_devices import DeviceTable, Row, cells
from scenarios.naming import TRUTH_NAMES
from scenarios.problems import Problems, suggest
from scenarios.tables import Names
from scenarios.times import column_ns, iso_ns
from yiwang.domains import Domains


class TruthTable:
    """Reads truths against imported devices.

    A truth is at a place, or at the place of a device; where its kind is judged by zone or district, in the zone or
    district of that place. Where there is but one device, rows need not name it.

    Args:
        table: devices and places.
        within_s: tolerance of rows that state none, seconds.
        severity: level of rows that state none; 0: they must.
    """

    def __init__(
        self, table: DeviceTable, domains: Domains, problems: Problems, *, within_s: float, severity: int
    ) -> None:
        self.table, self.domains, self.problems = table, domains, problems
        self.within_s, self.severity = within_s, severity
        self.district_of = {d.code: d.number for d in table.districts.values()}

    def read(
        self, path: Path, *, renamed: Mapping[str, str], tz: str | None, layout: str | None
    ) -> tuple[truths.Found, ...]:
        """All rows with where they stand; those that are wrong are noted and left out.

        Raises:
            BadInput: ``scenario.table``, ``scenario.tz``.
        """
        file = str(path)
        columns, rows = cells(path, Names(aliases=TRUTH_NAMES, renamed=renamed))
        missing = [c for c in ("kind", "begin", "end") if c not in columns]
        lone = len(self.table.devices) == 1
        missing += [] if lone or {"place", "device"} & set(columns) else ["place or device"]
        if missing:
            self.problems.add(
                "scenario.column",
                f"no column is {', '.join(missing)}; there is {', '.join(columns)}; say which it is with --map",
                file=file,
                line=1,
                field=missing[0],
            )
            return ()
        times = {}
        for name in [c for c in columns if c in ("begin", "end", "episode_begin", "episode_end")]:
            column = column_ns(
                pa.array([row.get(name) for _, row in rows], pa.string()), tz=tz, layout=layout
            )
            for k, (number, row) in enumerate(rows):
                if column.good[k]:
                    times[number, name] = iso_ns(int(column.t_ns[k]))
                elif row.get(name):
                    self.problems.add(
                        "scenario.time", f"{row[name]!r} {column.wrong}", file=file, line=number, field=name
                    )
                    times[number, name] = ""
        found = []
        for k, (number, row) in enumerate(rows, 1):
            stamps = {name: text for (at, name), text in times.items() if at == number}
            if "" in stamps.values():
                continue
            if lone and not {"place", "device"} & set(row):
                row = {**row, "device": next(iter(self.table.devices))}
            cells_ = self._cells({**row, **stamps}, renamed, number, file)
            line = truths.line_of(cells_, number, self.problems, file=file) if cells_ else None
            truth = truths.from_line(line, k, self.problems, file=file, at=number) if line else None
            if truth is not None:
                found.append(truths.Found(truth, file, number))
        return tuple(sorted(found, key=lambda f: (f.truth.begin_ns, f.truth.id)))

    def _cells(self, row: Row, renamed: Mapping[str, str], number: int, file: str) -> dict[str, str]:
        """The row as our own ``truth.csv`` has it; empty, and noted, where it speaks of nothing known."""
        kind_name = renamed.get(row.get("kind", ""), row.get("kind", ""))
        kind = self.domains.kinds.get(kind_name)

        def wrong(field: str, message: str) -> dict[str, str]:
            self.problems.add("scenario.truth", message, file=file, line=number, field=field)
            return {}

        if kind is None:
            return wrong(
                "kind", f"no pack has the incident kind {kind_name!r}{suggest(kind_name, self.domains.kinds)}"
            )
        result = {c: row[c] for c in truths.COLUMNS if c in row} | {"kind": kind_name}
        result.setdefault("within_s", f"{self.within_s:g}")
        if self.severity:
            result.setdefault("severity", str(self.severity))
        stated = row.get("district", "")
        result["district"] = str(self.district_of.get(stated, stated or 0))
        if "device" in row:
            device = self.table.devices.get(row["device"])
            if device is None:
                return wrong(
                    "device",
                    f"there is no device {row['device']!r}{suggest(row['device'], self.table.devices)}",
                )
            result["district"] = str(device.district)
            result["place"] = device.id if kind.by == "device" else device.place
        place = self.table.places.get(result.get("place", ""))
        if place is not None:
            result["district"] = str(place.district)
            if kind.by == "zone":
                result["place"] = place.zone
        if kind.by == "district":
            codes = {n: c for c, n in self.district_of.items()}
            result["place"] = codes.get(int(result["district"]), result.get("place", ""))
        return result
