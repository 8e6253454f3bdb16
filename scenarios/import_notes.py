"""What an import tells people beside its errors: limits nobody gave, units that look wrong, names nothing has."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from scenarios.import_devices import cells
from scenarios.tables import Names, columns_of, is_table
from yiwang.columns import Readings
from yiwang.domains import Domains
from yiwang.registry import Registry

_OUT_OF_RANGE = 0.2  # a share beyond which the unit is most likely another one
_RUNG = "rung_"  # parameters of this name are the limits of an entry
_MOST_SHOWN = 3


def ranges(readings: Mapping[int, Readings], regs: Mapping[int, Registry], domains: Domains) -> list[str]:
    """Values that cannot be: kept, since broken sensors say such things, but many of them are a wrong unit."""
    notes = []
    for number, registry in regs.items():
        r = readings[number]
        size = 1 + max((s.number for d in registry.devices for s in d.series), default=-1)
        metrics: dict[str, list[int]] = defaultdict(list)
        for device in registry.devices:
            for s in device.series:
                metrics[s.metric].append(s.number)
        for metric, numbers in metrics.items():
            of_metric = np.zeros(size, np.bool_)
            of_metric[numbers] = True
            value = r.value[of_metric[r.series]]
            known = domains.metrics[metric]
            if len(value) and np.mean((value < known.lo) | (value > known.hi)) > _OUT_OF_RANGE:
                notes.append(
                    f"{metric}: over a fifth of the values is outside {known.lo:g} to {known.hi:g} {known.unit}; "
                    f"if they are in another unit, say --unit {metric}=UNIT ({', '.join(known.units)})"
                )
    return notes


def limits(regs: Mapping[int, Registry], domains: Domains) -> list[str]:
    """Series that an entry watches but can say nothing of, since no limit (or no zero of the sensor) is registered."""
    silent: dict[tuple[str, tuple[str, ...]], tuple[dict[str, None], dict[str, None]]] = {}  # kinds, devices
    blind: dict[tuple[str, str], dict[str, None]] = {}
    for registry in regs.values():
        places = {p.id: p for p in registry.places}
        for device in registry.devices:
            place = places.get(device.place)
            for entry in domains.detectors:
                for metric in {s.metric for s in device.series} & set(entry.watches):
                    how = entry.watches[metric]
                    if how.role or not entry.reads(device.kind, metric):
                        continue
                    if how.offset is not None and np.isnan(
                        domains.transform(entry, device, place, metric)[1]
                    ):
                        blind.setdefault((metric, how.offset.attribute), {})[device.id] = None
                    values = domains.params(entry, device, place, how.metric)
                    rungs = {n: p.value for n, p in values.items() if n.startswith(_RUNG)}
                    asked = tuple(
                        p.attribute for n, p in entry.params.items() if n in rungs and p.attribute and p.of
                    )
                    if asked and all(map(np.isnan, rungs.values())):
                        kinds, ids = silent.setdefault((metric, tuple(sorted(set(asked)))), ({}, {}))
                        kinds[entry.kind] = ids[device.id] = None
    notes = [
        f"{metric} of {_few(ids)} has no limit, so no {' or '.join(kinds)} comes of its height; give one as a column "
        f"of the devices: {', '.join(asked)}"
        for (metric, asked), (kinds, ids) in silent.items()
    ]
    return notes + [
        f"{metric} of {_few(ids)} says nothing without {attribute}; give it as a column of the devices"
        for (metric, attribute), ids in blind.items()
    ]


def unmapped(renamed: Mapping[str, str], files: Iterable[Path | None], metrics: Iterable[str]) -> list[str]:
    """Names given with --map that no column, kind or metric has; most likely misspelt.

    Args:
        renamed: theirs to ours.
        files: all tables; of the first, the readings, only the columns are looked at.
        metrics: of the readings, as they stand there.
    """
    left = set(renamed) - set(metrics)
    for k, path in enumerate(files):
        if not left or path is None or not is_table(path):
            continue
        left -= set(columns_of(path))
        if left and k:
            left -= {
                text for _, row in cells(path, Names())[1] for cell in row.values() for text in _words(cell)
            }
    return [
        f"--map {name}={renamed[name]}: no column, metric or kind is called {name!r}" for name in sorted(left)
    ]


def _words(cell: str) -> set[str]:
    return {cell, *cell.replace(",", " ").replace(";", " ").split()}


def _few(ids: Iterable[str]) -> str:
    shown = list(ids)
    more = len(shown) - _MOST_SHOWN
    return ", ".join(shown[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
