"""A drainage network by EPA SWMM: rain, runoff, pipes and ponding by the simulator that drainage offices use.

Needs the extra ``yiwang[sim]`` (``pyswmm``). A tree of pipes is drawn by the seed: a trunk along a road with a
subcatchment at each junction, and underpasses as storage nodes that fill when the pipe surcharges. The storm is a
Chicago hyetograph (Keifer & Chu 1957): intensity by a rainstorm formula of the city, peak at ``r`` of its duration. The
depths of the storage nodes, every model minute, are what the sensors see; truth comes from them, before noise.
"""

import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.generators import hydrology
from scenarios.generators.floods import CLOSURE_CM, Town
from scenarios.model import Scenario
from yiwang.columns import F64
from yiwang.errors import BadInput
from yiwang.registry import Text

A, C, B, N = 11.0, 0.86, 9.0, 0.68
"""i = 167 A (1 + C lg T) / (t + B)^N litres a second and hectare: the form of Chinese city formulae; numbers P."""
SITES = 6
SUMP_M = 2.0
"""From the invert of a storage node to the road over it, m."""
STEP_S = 30.0
"""Of the report; the model itself steps by 5 s."""


def chicago(years: float, minutes: float, r: float, step_min: float = 5.0) -> F64:
    """Chicago design storm.

    Args:
        years: return period.
        minutes: duration.
        r: position of the peak, 0..1.
        step_min: of the hyetograph.

    Returns:
        float64 (n,), mm/h in each step.
    """
    a = 167.0 * A * (1.0 + C * np.log10(years)) * 0.006 * 60.0  # L/(s ha) to mm/h
    edges = np.arange(0.0, minutes + step_min, step_min)
    away = np.abs(edges - r * minutes) / np.where(edges <= r * minutes, r, 1.0 - r)
    # rain between the peak and a moment t away from it: the depth of the storm of that duration, shared by r
    depth = a * away / (away + B) ** N / 60.0
    share = np.where(edges <= r * minutes, -r, 1.0 - r)
    rate: F64 = np.diff(depth * share) * 60.0 / step_min
    return rate


def swmm_storm(
    *, start_ns: int, seed: int, duration_s: float = 14_400.0, years: float = 20.0, peak: float = 0.4
) -> Scenario:
    """A design storm over a small network with six underpasses and low spots.

    Raises:
        BadInput: ``scenario.extra`` when pyswmm is not installed.
    """
    swmm = _swmm()
    town = Town("swmm_storm", Text("设计暴雨（SWMM）", "Design storm (SWMM)"), start_ns, seed, duration_s)
    rng = town.rng
    for _ in range(30):
        storm = chicago(years * float(rng.uniform(0.8, 1.25)), 120.0, peak)
        depths = _run(swmm, storm, duration_s, rng)
        rungs = (5.0, 15.0, CLOSURE_CM, 50.0)
        flooded = [d for d in depths if d.max() > 5.0]
        if 2 <= len(flooded) < SITES and all(hydrology.clear_of(d, rungs, 1.5) for d in depths):
            break
    else:
        raise ValueError("no network of this seed gives floods of clear levels")
    steps = np.arange(len(town.t_s)) * hydrology.STEP_S
    rain = storm[np.minimum((np.maximum(steps - 1200.0, 0.0) / 300.0).astype(np.int64), len(storm) - 1)]
    rain = np.where((steps >= 1200.0) & (steps < 1200.0 + 300.0 * len(storm)), rain, 0.0)
    town.measured_rain("CA-1", rain, "rain_gauge")
    for k, depth in enumerate(depths, 1):
        place = f"{'UP' if k % 2 else 'RD'}-{k:02d}"
        town.place(
            place,
            "underpass" if k % 2 else "road",
            "CA-1",
            Text(f"{k} 号积水点", f"Low spot {k}"),
            closure_depth_cm=CLOSURE_CM,
        )
        town.flood(place, depth, CLOSURE_CM)
        town.level(f"WL-{k:02d}", place, depth)
    town.b.notes.append("made by EPA SWMM through pyswmm; the network is drawn by the seed")
    return town.b.build()


def _swmm() -> Any:  # Any: pyswmm publishes no types
    try:
        return import_module("pyswmm")
    except ImportError as error:
        raise BadInput(
            "scenario.extra",
            "this generator needs pyswmm: install the extra, pip install 'yiwang[sim]'",
            extra="sim",
        ) from error


def _run(swmm: Any, storm: F64, duration_s: float, rng: np.random.Generator) -> list[F64]:  # Any: as above
    """Depth of each storage node at the model's steps of ``hydrology``: float64 (n,) each, cm."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.inp"
        file.write_text(_network(storm, duration_s, rng), encoding="utf-8")
        names = [f"UP{k}" for k in range(1, SITES + 1)]
        t_s: list[float] = []
        depth: list[list[float]] = [[] for _ in names]
        before = Path.cwd()
        os.chdir(folder)  # the engine writes beside its input and knows no other way
        try:
            with swmm.Simulation(str(file)) as simulation:
                nodes = swmm.Nodes(simulation)
                simulation.step_advance(int(STEP_S))
                begin = simulation.start_time
                for _ in simulation:
                    t_s.append((simulation.current_time - begin).total_seconds())
                    for k, name in enumerate(names):
                        depth[k].append(max(0.0, nodes[name].depth - SUMP_M) * 100.0)
        finally:
            os.chdir(before)
    clock = hydrology.clock(duration_s)
    return [np.interp(clock, [0.0, *t_s], [0.0, *d]) for d in depth]


def _network(storm: F64, duration_s: float, rng: np.random.Generator) -> str:
    """The input file of a trunk with ``SITES`` subcatchments, junctions and storage nodes."""
    hours, minutes = divmod(round(duration_s / 60.0), 60)
    days, hours = divmod(hours, 24)
    lines = [
        "[OPTIONS]",
        "FLOW_UNITS CMS",
        "INFILTRATION HORTON",
        "FLOW_ROUTING DYNWAVE",
        "START_DATE 06/12/2026",
        "START_TIME 00:00:00",
        "REPORT_START_DATE 06/12/2026",
        "REPORT_START_TIME 00:00:00",
        f"END_DATE 06/{12 + days}/2026",
        f"END_TIME {hours:02d}:{minutes:02d}:00",
        "WET_STEP 00:01:00",
        "DRY_STEP 00:05:00",
        "ROUTING_STEP 5",
        "REPORT_STEP 00:01:00",
        "ALLOW_PONDING YES",
        "",
        "[RAINGAGES]",
        "RG INTENSITY 0:05 1.0 TIMESERIES STORM",
        "",
        "[SUBCATCHMENTS]",
    ]
    hectares = rng.uniform(1.0, 5.0, SITES)
    sealed = rng.uniform(60, 90, SITES)
    lines += [
        f"S{k} RG UP{k} {hectares[k - 1]:.2f} {sealed[k - 1]:.0f} {rng.uniform(80, 200):.0f} {rng.uniform(0.3, 1.5):.2f} 0"
        for k in range(1, SITES + 1)
    ]
    lines += ["", "[SUBAREAS]"]
    lines += [f"S{k} 0.013 0.2 1.5 4 25 OUTLET" for k in range(1, SITES + 1)]
    lines += ["", "[INFILTRATION]"]
    lines += [f"S{k} 60 6 4 7 0" for k in range(1, SITES + 1)]
    lines += ["", "[STORAGE]"]
    for k in range(1, SITES + 1):
        lines.append(f"UP{k} {10.0 - 0.4 * k:.2f} {SUMP_M + 3.0:.1f} 0 TABULAR SAG{k} 0 0")
    lines += ["", "[CURVES]"]
    for k in range(1, SITES + 1):  # a narrow chamber below the road, the sag above it
        area = float(rng.uniform(150, 900))
        lines += [
            f"SAG{k} STORAGE 0 4",
            f"SAG{k} {SUMP_M:.1f} 4",
            f"SAG{k} {SUMP_M + 0.05:.2f} {area:.0f}",
            f"SAG{k} 5 {3 * area:.0f}",
        ]
    lines += ["", "[OUTFALLS]", "OUT 6.0 FREE NO", "", "[CONDUITS]"]
    for k in range(1, SITES + 1):
        to = f"UP{k + 1}" if k < SITES else "OUT"
        lines.append(f"C{k} UP{k} {to} {rng.uniform(90, 220):.0f} 0.013 0 0 0 0")
    lines += ["", "[XSECTIONS]"]
    flow = 0.0
    for k in range(1, SITES + 1):
        flow += float(hectares[k - 1])
        diameter = 0.42 * (flow * float(rng.uniform(0.7, 1.5))) ** 0.375  # about a storm of a year or two
        lines.append(f"C{k} CIRCULAR {diameter:.2f} 0 0 0 1")
    lines += ["", "[TIMESERIES]", "STORM 0:00 0", "STORM 0:15 0"]
    for i, rate in enumerate(storm.tolist()):
        hour, minute = divmod(20 + 5 * i, 60)
        lines.append(f"STORM {hour}:{minute:02d} {rate:.2f}")
    hour, minute = divmod(20 + 5 * len(storm), 60)
    lines += [f"STORM {hour}:{minute:02d} 0", "", "[REPORT]", "INPUT NO", "CONTROLS NO", ""]
    return "\n".join(lines)
