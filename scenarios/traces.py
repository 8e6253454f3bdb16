"""Looks at the statistics of detectors while a scenario is played, for its plots.

Only detectors that can say their statistic and threshold (``gauge``) are looked at, on some of the ticks.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from scenarios.model import Scenario
from streams.machine import DistrictMachine
from yiwang.clock import SECOND
from yiwang.columns import F64, I64

SAMPLES = 800
ROWS = 2000
"""Of an entry with more series than this, the first ones are looked at."""

_F32 = npt.NDArray[np.float32]


class Traces:
    """A probe for ``directly.play``: gives ``look`` to it, and is asked ``of`` a series afterwards."""

    def __init__(self, scenario: Scenario, *, samples: int = SAMPLES) -> None:
        step_ns = round(scenario.tick_s * SECOND)
        ticks = max(1, (scenario.end_ns - scenario.start_ns) // step_ns)
        self._every_ns = max(1, ticks // samples) * step_ns
        self._next: dict[int, int] = defaultdict(int)
        self._kept: dict[tuple[int, str], list[tuple[int, _F32, _F32]]] = defaultdict(list)
        self._rows: dict[tuple[int, str], dict[int, int]] = {}

    def look(self, t_ns: int, district: int, machine: DistrictMachine) -> None:
        """Note where every gauge of a district's machine stands, if it is time again."""
        if t_ns < self._next[district]:
            return
        self._next[district] = t_ns + self._every_ns
        for lane in machine.watch.lanes:
            gauge = getattr(lane.detector, "gauge", None)
            if gauge is None or len(lane.series) == 0:
                continue
            statistic, threshold = gauge(lane.state)
            key = district, lane.entry.id
            self._rows[key] = {series: row for row, series in enumerate(lane.series[:ROWS])}
            self._kept[key].append((t_ns, _short(statistic), _short(threshold)))

    def of(self, district: int, series: int) -> dict[str, tuple[I64, F64, F64]]:
        """Entry id to times, statistic and threshold of a series; entries that never had one are left out."""
        found = {}
        for (where, entry), kept in self._kept.items():
            row = self._rows[where, entry].get(series)
            if where != district or row is None:
                continue
            rows = [(t, s[row], h[row]) for t, s, h in kept if row < len(s)]
            statistic = np.array([s for _, s, _ in rows], np.float64)
            if np.isfinite(statistic).any():
                times = np.array([t for t, _, _ in rows], np.int64)
                found[entry] = times, statistic, np.array([h for _, _, h in rows], np.float64)
        return found


def _short(values: Any) -> _F32:  # Any: float64 (n,), or a number for all
    return np.atleast_1d(np.asarray(values, np.float32))[:ROWS].copy()
