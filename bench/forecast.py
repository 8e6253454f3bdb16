"""How good the forecast of water on streets is, half an hour ahead, against persistence.

    python -m bench forecast [--seeds 3] [--fit] [--floodnet FOLDER]

The detector of the entry ``depth.forecast`` runs over FloodNet's recorded floods (without rain) and over flood
scenarios (with rain), learning as it goes, as it would live. Every minute its forecast is held against the depth read
30 min later, between two readings on the line through them. Counted are the minutes with water under the sensor; ``with_onset``
counts the half hour before the first water too, in which without rain nothing can be known. Persistence says that the
depth stays.

``--fit`` prints common weights fitted on FloodNet and other seeds of the scenarios, and what they reach on FloodNet's
sensors left out of the fit. The last line is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from detectors.rounds import NEVER, cut
from detectors.waterlogging import Waterlogging
from detectors.waterlogging_course import FEATURES, SCALE, features
from scenarios import floodnet
from scenarios.generators import generator
from scenarios.model import Scenario
from scenarios.playing import tick_times
from streams.machine_lanes import Lane
from yiwang.book import Book
from yiwang.clock import SECOND, parse_iso
from yiwang.columns import F64, Round
from yiwang.domains import compile_rules

FLOODNET = Path(__file__).parents[2] / "shared" / "data" / "floodnet"
START_NS = parse_iso("2026-06-12T14:00:00+08:00")
SCENARIOS = {
    "cloudburst": 14_400.0,
    "underpass": 12_600.0,
    "pump_failure": 21_600.0,
    "burst_main": 14_400.0,
    "tide": 43_200.0,
}
FLOOD_CM = 10.0
"""What the network itself calls a flood: 4 inches."""
GRID_NS = 60 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was forecast and what came; one row a site and minute of flood.

    Attributes:
        site: int64 (n,), number of the site within the run.
        now: float64 (n,), depth, cm. Likewise ``ahead``, forecast; ``error``, the error stated; ``came``, 30 min later.
        duration: float64 (n,), forecast minutes until the water is gone; ``lasted``: how long it did, NaN not known.
        peak: float64 (n,), greatest depth of the wet time the minute belongs to.
        x: float64 (n, 10), the features.
    """

    site: np.ndarray[Any, np.dtype[np.int64]]
    now: F64
    ahead: F64
    error: F64
    came: F64
    duration: F64
    lasted: F64
    peak: F64
    x: F64


def lane_of(scenario: Scenario, district: int, params: Mapping[str, float]) -> Lane:
    """The forecast's lane as the district machine has it."""
    domains = compile_rules(scenario.rules)
    entry = next(e for e in domains.detectors if e.id == "depth.forecast")
    if params:
        entry = replace(
            entry,
            params={
                n: replace(p, value=params[n], of="") if n in params else p for n, p in entry.params.items()
            },
        )
    lane, book = Lane(entry), Book()
    book.apply(scenario.registries[district])
    lane.assign(book, domains)
    return lane


def course(scenario: Scenario, params: Mapping[str, float] | None = None) -> Course:
    """Run the forecast over all districts of a scenario."""
    return join(_district(scenario, n, params or {}) for n in scenario.registries)


def join(parts: Iterable[Course]) -> Course:
    """Several courses as one; sites stay apart."""
    listed = list(parts)
    offset, columns = 0, []
    for part in listed:
        columns.append(replace(part, site=part.site + offset))
        offset += 1 + int(part.site.max(initial=-1))
    return Course(**{f.name: np.concatenate([getattr(c, f.name) for c in columns]) for f in fields(Course)})


def _district(scenario: Scenario, district: int, params: Mapping[str, float]) -> Course:
    lane = lane_of(scenario, district, params)
    detector, state = lane.detector, lane.state
    assert isinstance(detector, Waterlogging)
    readings = scenario.readings[district]
    order = np.argsort(readings.t_ns, kind="stable")
    rows = lane.rows(readings.series[order])
    order, rows = order[rows >= 0], rows[rows >= 0]
    t_ns, value = readings.t_ns[order], lane.seen(rows, readings.value[order])
    sites = detector.sites
    drain, runoff = detector.own["drain_mm_h"], detector.runoff
    newest, done = np.full(len(lane.series), NEVER), 0
    kept: list[tuple[int, F64, F64, F64, F64, F64]] = []
    for tick_ns in sorted({t - t % GRID_NS for t in tick_times(scenario)}):
        upto = int(np.searchsorted(t_ns, tick_ns, side="right"))
        part = slice(done, upto)
        for i in cut(rows[part], t_ns[part], newest)[1]:
            at = i + done
            newest[rows[at]] = t_ns[at]
            quality = np.zeros(len(at), np.uint8)
            detector.step(state, Round(series=rows[at], t_ns=t_ns[at], value=value[at], quality=quality))
        done = upto
        detector.tick(state, tick_ns)
        f = detector.forecast(state)
        if np.nanmax(np.maximum(f.depth_cm, f.ahead_cm), initial=0.0) > 0:
            told = detector.rain_known(state, tick_ns)
            x = features(state, sites, drain, runoff, told, tick_ns)
            kept.append((tick_ns, f.depth_cm, f.ahead_cm, f.error_cm, f.duration_min, x))
    return _held(detector, rows, t_ns, value, kept)


def _held(
    detector: Waterlogging,
    rows: np.ndarray[Any, Any],
    t_ns: np.ndarray[Any, Any],
    value: F64,
    kept: list[tuple[int, F64, F64, F64, F64, F64]],
) -> Course:
    """Each site's forecasts against what was read later."""
    ticks = np.array([k[0] for k in kept], np.int64)
    now, ahead, error, duration = (np.stack([k[c] for k in kept]) for c in (1, 2, 3, 4))
    x = np.stack([k[5] for k in kept])
    parts: list[Course] = []
    for site, row in enumerate(detector.sites.tolist()):
        own = rows == row
        t, v = t_ns[own], np.maximum(value[own], 0.0)
        lead_ns = round(float(detector.own["lead_s"][site]) * 1e9)
        then = ticks + lead_ns
        came = np.interp((then - t[0]) / 1e9, (t - t[0]) / 1e9, v)
        ok = np.isfinite(ahead[:, site]) & (then <= t[-1]) & ((now[:, site] > 0) | (came > 0))
        dry = np.concatenate((t[v < detector.own["over_cm"][site]], [np.iinfo(np.int64).max]))
        ends = dry[np.searchsorted(dry, ticks)]
        lasted = np.where(ends < np.iinfo(np.int64).max, (ends - ticks) / 6e10, np.nan)
        begins = np.concatenate(([t[0]], dry))[np.searchsorted(dry, ticks)]
        peak = (
            np.array(
                [
                    v[(t >= a) & (t <= b)].max(initial=0.0)
                    for a, b in zip(begins.tolist(), ends.tolist(), strict=True)
                ]
            )
            if ok.any()
            else np.zeros(len(ticks))
        )
        parts.append(
            Course(
                site=np.full(int(ok.sum()), 0),
                now=now[ok, site],
                ahead=ahead[ok, site],
                error=error[ok, site],
                came=came[ok],
                duration=duration[ok, site],
                lasted=lasted[ok],
                peak=peak[ok],
                x=x[ok, site],
            )
        )
    numbered = [replace(part, site=part.site + k) for k, part in enumerate(parts)]
    return Course(**{f.name: np.concatenate([getattr(c, f.name) for c in numbered]) for f in fields(Course)})


def figures(c: Course) -> dict[str, float]:
    """Mean absolute errors, cm, and what they say."""
    missed, stays = np.abs(c.ahead - c.came), np.abs(c.now - c.came)
    with_onset = 1.0 - float(missed.mean() / stays.mean())
    on = c.now > 0
    c = Course(**{f.name: getattr(c, f.name)[on] for f in fields(c)})
    missed, stays = missed[on], stays[on]
    big = c.peak >= FLOOD_CM
    wet = (c.now >= 1.0) & np.isfinite(c.lasted)
    return {
        "minutes": len(c.now),
        "mae_cm": round(float(missed.mean()), 2),
        "persistence_cm": round(float(stays.mean()), 2),
        "better": round(1.0 - float(missed.mean() / stays.mean()), 3),
        "better_10cm": round(1.0 - float(missed[big].mean() / stays[big].mean()), 3)
        if big.any()
        else float("nan"),
        "with_onset": round(with_onset, 3),
        "p80_cm": round(float(np.quantile(missed, 0.8)), 2),
        "within_stated": round(float((missed <= c.error).mean()), 3),
        "duration_off_min": round(float(np.median(np.abs(c.duration - c.lasted)[wet])), 1)
        if wet.any()
        else float("nan"),
    }


def fit(c: Course, keep: np.ndarray[Any, Any], prior: F64 | None = None, ridge: float = 30.0) -> F64:
    """Weights of least absolute error on some rows, by reweighted least squares; drawn towards ``prior``."""
    x, y = c.x[keep], (c.came - c.now)[keep]
    w = np.zeros(FEATURES) if prior is None else prior
    towards = w.copy()
    pull = ridge * np.diag(SCALE**2)
    for _ in range(25):
        weight = 1.0 / (np.abs(x @ w - y) + 0.3)
        a = (x * weight[:, None]).T @ x + pull
        w = np.linalg.solve(a, (x * weight[:, None]).T @ y + pull @ towards)
    return w


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3, help="of each scenario")
    parser.add_argument("--fit", action="store_true", help="fit the common weights")
    parser.add_argument("--floodnet", type=Path, default=FLOODNET)
    args = parser.parse_args()
    there = floodnet.is_folder(args.floodnet)
    recorded = floodnet.load(args.floodnet) if there else None
    if args.fit:
        return _fit(recorded, args.seeds)
    table: dict[str, dict[str, float]] = {}
    if recorded is not None:
        table["floodnet"] = figures(course(recorded))
    else:
        print(f"FloodNet is not at {args.floodnet}: left out", file=sys.stderr)
    every: list[Course] = []
    for name, duration_s in SCENARIOS.items():
        runs = [course(made(name, seed, duration_s)) for seed in range(1, args.seeds + 1)]
        every += runs
        table[name] = figures(join(runs))
    table["scenarios"] = figures(join(every))
    columns = list(next(iter(table.values())))
    print(f"{'':14s}" + "".join(f"{c:>18s}" for c in columns))
    for name, row in table.items():
        print(f"{name:14s}" + "".join(f"{row[c]:18g}" for c in columns))
    print(json.dumps({"lead_min": 30, "forecast": table}))
    return 0


def made(name: str, seed: int, duration_s: float) -> Scenario:
    """A scenario of a seed."""
    return generator(name)(start_ns=START_NS, seed=seed, duration_s=duration_s)


def _fit(recorded: Scenario | None, seeds: int) -> int:
    """The weights by the depth alone, on FloodNet; those by the rain, on scenarios with seeds from 101 on."""
    nothing = {f"{of}_{i}": 0.0 for of in ("trend", "rain") for i in range(FEATURES)} | {"spread": 0.0}
    rainy = join(
        course(made(name, 100 + seed, SCENARIOS[name]), nothing)
        for name in ("cloudburst", "underpass")
        for seed in range(1, seeds + 1)
    )
    weights = {"rain": fit(rainy, rainy.now > 0)}
    if recorded is not None:
        dry = course(recorded, nothing)
        for fold in range(5):
            held = (dry.site % 5 == fold) & (dry.now > 0)
            w = fit(dry, ~held & (dry.now > 0))
            error = np.abs(np.maximum(dry.now + dry.x @ w, 0.0) - dry.came)[held].mean()
            stays = np.abs(dry.now - dry.came)[held].mean()
            print(
                f"sensors left out {fold}: {error:.2f} cm, persistence {stays:.2f} cm, {1 - error / stays:.3f} better"
            )
        weights["trend"] = fit(dry, dry.now > 0)
    for of, w in weights.items():
        for i, value in enumerate(w.tolist()):
            print(f"      {of}_{i}: {value:.3g}")
    print(json.dumps({of: [round(v, 4) for v in w.tolist()] for of, w in weights.items()}))
    return 0
