"""Crowds on promenades: a published model of how a queue forms at a bottleneck, and evenings made with it.

The model is the cell transmission model (C. F. Daganzo, Transportation Research B 28 (1994) 269-287) for people on
foot: what leaves a cell is the least of what it can send, what the next can take, and what fits through the narrowest
place between. Speed over density is U. Weidmann's (Transporttechnik der Fussgänger, IVT 90, ETH Zürich 1993):
``v = 1.34 (1 - exp(-1.913 (1/r - 1/r_max)))`` m/s, with r_max = 7.1 persons/m2, Fruin's critical density of standing
people (domain.md E3), instead of his 5.4, since what is to be found lies beyond that.
"""

from dataclasses import dataclass

import numpy as np

from scenarios.building import Builder
from scenarios.generators.safety import quantised
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.registry import Text

FREE_MS = 1.34
GAMMA = 1.913
JAM = 7.1
CELL_M = 20.0
STEP_S = 5.0
"""Time step; nobody walks further than a cell in it."""
RUNGS = {4: 2.0, 3: 3.5, 2: 4.5, 1: 5.5}
"""Levels of density (domain.md E3) that the truth is judged by; a test holds them to the pack."""
COUNTER_SHARE = 30.0
"""Counter-flow, %, that makes a crowd one level worse."""


def flow(density: F64) -> F64:
    """People a second and metre of width at a density, persons/m2."""
    r = np.clip(density, 1e-6, JAM)
    people: F64 = r * FREE_MS * (1 - np.exp(-GAMMA * (1 / r - 1 / JAM)))
    return people


_GRID = np.linspace(0.01, JAM, 2000)
BEST = float(_GRID[flow(_GRID).argmax()])
"""Density at which most people pass."""
MOST = float(flow(np.array([BEST]))[0])


def promenade(demand: F64, narrow: F64, at: int, cells: int) -> F64:
    """Densities of a promenade, float64 (steps, cells), persons/m2.

    Args:
        demand: float64 (steps,), people a second and metre who want in at cell 0.
        narrow: float64 (steps,), share of the full capacity that passes from cell ``at`` to the next.
        at: the cell before the bottleneck.
        cells: how many there are.
    """
    density = np.zeros(cells)
    found = np.empty((len(demand), cells))
    outside = 0.0  # people a metre who wait to come in
    for step in range(len(demand)):
        sends = np.where(density < BEST, flow(density), MOST)
        takes = np.where(density > BEST, flow(density), MOST)
        through = np.minimum(sends[:-1], takes[1:])
        through[at] = min(through[at], narrow[step] * MOST)
        enters = min(outside / STEP_S + demand[step], takes[0])
        outside += (demand[step] - enters) * STEP_S
        density = density + STEP_S / CELL_M * (
            np.concatenate(([enters], through)) - np.concatenate((through, sends[-1:]))
        )
        found[step] = density
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """What happens on one promenade: more people than a stair takes, between two moments; or a crowd that stands."""

    zone: str
    dense: float  # persons/m2 in the queue; below level IV: nothing happens
    begin_s: float
    lasts_s: float
    counter: bool = False  # whether people come against it meanwhile
    standing: bool = False  # a crowd at a stage: comes slowly, stands still


def crowd_surge(*, start_ns: int, seed: int, duration_s: float = 14_400.0, surges: int = 5) -> Scenario:
    """An evening on the waterfront: promenades that fill behind a stair, a stage, and some that are only busy.

    Args:
        start_ns: first second.
        seed: of everything.
        duration_s: length.
        surges: promenades on which a level is reached, of the sorts in turn; two more stay busy and harmless.
    """
    b = Builder(
        "crowd_surge",
        Text("滨江人群聚集", "Crowds at the waterfront"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=5.0,
        settle_s=600.0,
    )
    # in the middle between two levels, so that neither noise nor a cell more decides which it is
    sorts = (
        (4.0, False, False),
        (5.0, False, False),
        (6.2, False, False),
        (2.75, False, True),
        (4.0, True, False),
    )
    for i in range(surges):
        dense, counter, standing = sorts[i % len(sorts)]
        add_promenade(
            b,
            Surge(
                zone=f"WF-{i + 1}",
                dense=dense + b.rng.uniform(-0.1, 0.1),
                begin_s=b.rng.uniform(0.15, 0.45) * duration_s,
                lasts_s=b.rng.uniform(1500, 2700),
                counter=counter,
                standing=standing,
            ),
            i,
        )
    for i in range(surges, surges + 2):
        busy = Surge(
            zone=f"WF-{i + 1}", dense=0.0, begin_s=b.rng.uniform(0.2, 0.6) * duration_s, lasts_s=2400.0
        )
        add_promenade(b, busy, i)
    return b.build()


def add_promenade(b: Builder, surge: Surge, i: int, *, cells: int = 14, period_s: float = 10.0) -> None:
    """A promenade with a counter in each cell: places, readings and truth."""
    duration_s = (b.end_ns - b.start_ns) / SECOND
    grid_s = np.arange(0.0, duration_s + STEP_S, STEP_S)
    density, at = _densities(b, surge, grid_s, cells)
    against = _against(surge, grid_s)
    for c in range(cells):
        place = f"{surge.zone}-C{c + 1:02d}"
        lon, lat = 113.26 + 0.01 * i, 23.105 + c * CELL_M / 111_320.0
        name = Text(f"滨江步道{i + 1}段{c + 1}号点", f"Waterfront {i + 1}, point {c + 1}")
        b.place(place, "promenade", name, zone=surge.zone, lon=lon, lat=lat)
        b.device(f"{place}-D", "crowd_counter", place)
        t_ns = b.times(period_s, phase_s=b.rng.uniform(0, period_s), jitter_s=0.3, missing=0.01)
        t_s = (t_ns - b.start_ns) / SECOND
        true = np.interp(t_s, grid_s, density[:, c])
        counted = np.maximum(
            true * (1 + b.rng.normal(0, 0.04, len(t_s))) + b.rng.normal(0, 0.03, len(t_s)), 0.0
        )
        b.readings(f"{place}-D", "crowd_density", t_ns, quantised(counted, 0.01))
        walked = 60 * np.interp(counted, _GRID, flow(_GRID)) * np.exp(b.rng.normal(0, 0.05, len(t_s)))
        b.readings(f"{place}-D", "crowd_flow", t_ns, quantised(walked, 0.1))
        share = np.interp(t_s, grid_s, against) + b.rng.normal(0, 3, len(t_s))
        b.readings(f"{place}-D", "crowd_counterflow", t_ns, quantised(np.clip(share, 0, 50), 0.1))
    _truth(b, surge, density, against, grid_s, at)


def _densities(b: Builder, surge: Surge, t_s: F64, cells: int) -> tuple[F64, int]:
    """Noise-free densities (steps, cells), and the cell before the stair."""
    at = int(b.rng.integers(cells // 2, cells - 2))
    swell = np.exp(-(((t_s - surge.begin_s - surge.lasts_s / 2) / 3600.0) ** 2))
    if surge.standing:
        ramp = np.clip((t_s - surge.begin_s) / 900, 0, 1) * np.clip(
            (surge.begin_s + surge.lasts_s + 900 - t_s) / 900, 0, 1
        )
        near = np.exp(-(((np.arange(cells) - at) / 2.0) ** 2))
        return 0.3 + np.outer(ramp, near) * (surge.dense - 0.3), at
    base = (0.25 + 0.25 * swell) * MOST
    if not surge.dense:
        return promenade(1.15 * base, np.ones(len(t_s)), at, cells), at
    share = float(flow(np.array([surge.dense]))[0] / MOST)
    inside = (t_s >= surge.begin_s) & (t_s < surge.begin_s + surge.lasts_s)
    # so many come that the queue grows by about a cell a minute and stays on the promenade
    growth = CELL_M / 60.0 * (surge.dense - 1.0)
    demand = np.where(
        inside, np.minimum(share * MOST + growth * b.rng.uniform(0.5, 0.9), 0.9 * MOST), base * 0.6
    )
    ramp = np.clip((t_s - surge.begin_s) / 300, 0, 1)
    demand = np.where(inside, base * 0.6 + ramp * (demand - base * 0.6), demand)
    return promenade(demand, np.where(inside, share, 1.0), at, cells), at


def _against(surge: Surge, t_s: F64) -> F64:
    """Share of people against the main direction, %."""
    usual = np.full(len(t_s), 8.0)
    if not surge.counter:
        return usual
    begin = surge.begin_s + 0.4 * surge.lasts_s
    return usual + 34.0 * np.clip((t_s - begin) / 60, 0, 1) * np.clip((begin + 600 - t_s) / 60, 0, 1)


def _truth(b: Builder, surge: Surge, density: F64, against: F64, t_s: F64, at: int) -> None:
    """One crowd a promenade: its level is that of its densest cell, one worse while many go against it."""
    level = np.full(density.shape, 5)
    for n, rung in sorted(RUNGS.items(), reverse=True):
        level[density >= rung] = n
    mixed = (against[:, None] >= COUNTER_SHARE) & (level < 5)
    level = np.where(mixed, np.maximum(level - 1, 1), level)
    worst = level.min(axis=1)
    rows = np.flatnonzero(worst < 5)
    if not len(rows):
        return
    cells = np.flatnonzero((level < 5).any(axis=0))
    home = int(density.max(axis=0).argmax())
    first = {n: int(np.flatnonzero(worst <= n)[0]) for n in range(int(worst.min()), 5)}
    b.truth(
        "crowd_danger",
        f"{surge.zone}-C{home + 1:02d}",
        int(worst.min()),
        b.start_ns + round(float(t_s[rows[0]]) * SECOND),
        b.start_ns + round(float(t_s[rows[-1]]) * SECOND),
        within_s=90.0,
        reaches_ns={n: b.start_ns + round(float(t_s[i]) * SECOND) for n, i in first.items()},
        also=tuple(f"{surge.zone}-C{c + 1:02d}" for c in cells.tolist() if c != home),
    )
