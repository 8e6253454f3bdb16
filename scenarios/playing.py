"""From a scenario to the messages of a feed: pure, in order, and cut as one likes.

The order is what makes a replay repeatable: before a tick of time t stand all readings and events that have come
in by t. How the readings between two ticks are cut into frames is free.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scenarios.model import Event, Scenario
from yiwang.clock import SECOND
from yiwang.columns import I64, Readings
from yiwang.model import RegistryChange, RulesChange, Tick


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to put on a district's feed when the scenario's time is ``t_ns``."""

    t_ns: int
    district: int
    content: Readings | Tick | Event | RulesChange | RegistryChange


def opening(scenario: Scenario) -> Iterator[Item]:
    """The first messages of every district's feed: the rules, then what is registered."""
    for district, registry in scenario.registries.items():
        yield Item(scenario.start_ns, district, RulesChange(rules=scenario.rules))
        yield Item(scenario.start_ns, district, RegistryChange(registry=registry))


def feed(
    scenario: Scenario, *, cut_rows: int = 5000, cut_s: float = 3600.0, ticks: bool = True
) -> Iterator[Item]:
    """All that follows the opening, in the order in which it comes in.

    Args:
        cut_rows: most readings in one frame.
        cut_s: longest stretch of time in one frame; an item's time is that of its newest arrival.
        ticks: put a tick into every district at each ``tick_s``; without, readings and events alone (then
            somebody else ticks).
    """
    cut = _Cut(cut_rows, round(cut_s * SECOND))
    return heapq.merge(
        *(_district(scenario, n, cut, ticks) for n in sorted(scenario.registries)),
        key=lambda item: (item.t_ns, item.district),
    )


@dataclass(frozen=True, slots=True)
class _Cut:
    rows: int
    span_ns: int


def _district(scenario: Scenario, district: int, cut: _Cut, ticks: bool) -> Iterator[Item]:
    readings, comes_in = scenario.readings[district], scenario.comes_in(district)
    events = [(t, e) for t, d, e in scenario.events if d == district]
    row, event = 0, 0
    for tick_ns in tick_times(scenario):
        while event < len(events) and events[event][0] <= tick_ns:
            t_ns, content = events[event]
            upto = int(np.searchsorted(comes_in, t_ns, side="right"))
            yield from _frames(readings, comes_in, row, upto, district, cut)
            row, event = max(row, upto), event + 1
            yield Item(t_ns, district, content)
        upto = int(np.searchsorted(comes_in, tick_ns, side="right"))
        yield from _frames(readings, comes_in, row, upto, district, cut)
        row = max(row, upto)
        if ticks:
            yield Item(tick_ns, district, Tick(t_ns=tick_ns))


def tick_times(scenario: Scenario) -> Iterator[int]:
    """Event times of the ticks, ns: a grid of ``tick_s``, without the stretches in which nothing is recorded.

    A stretch of more than an hour in which nothing comes in is passed over, ``settle_s`` after its begin: time
    limits run out in the settling, and years of silence between recorded floods cost nothing.
    """
    step = round(scenario.tick_s * SECOND)
    settle = round(scenario.settle_s * SECOND)
    events = np.array([t for t, _, _ in scenario.events], np.int64)
    times = np.unique(np.concatenate([events, *(scenario.comes_in(d) for d in scenario.readings)]))
    if len(times) == 0:
        times = np.array([scenario.start_ns, scenario.end_ns], np.int64)
    gaps = np.flatnonzero(np.diff(times) > max(3600 * SECOND, 2 * settle))
    starts = np.concatenate((times[:1], times[gaps + 1]))
    ends = np.concatenate((times[gaps], [max(int(times[-1]), scenario.end_ns)])) + settle
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield from range(start - start % step + step, end - end % step + step + 1, step)


def _frames(
    readings: Readings, comes_in: I64, row: int, upto: int, district: int, cut: _Cut
) -> Iterator[Item]:
    while row < upto:
        in_span = int(np.searchsorted(comes_in[row:upto], comes_in[row] + cut.span_ns, side="right"))
        part = slice(row, row + min(cut.rows, in_span))
        yield Item(
            int(comes_in[part.stop - 1]),
            district,
            Readings(
                series=readings.series[part],
                t_ns=readings.t_ns[part],
                value=readings.value[part],
                quality=readings.quality[part],
            ),
        )
        row = part.stop
