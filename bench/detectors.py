"""What each detector costs a reading, and all that apply to one metric together.

    python -m bench detectors [--quick] [--json] [--only NAME]

For each registered detector: the entry of the packs that uses it, its values in force, ``series`` series that are
calm but for a few, batches of ``batch`` readings of different series in random order. Printed are nanoseconds a
reading of ``step`` (processor time of the fastest of some passes, since whatever else runs can only add), and of ``tick`` nanoseconds a
series, for detectors that tick. The goal is 100 ns a reading over 100 000 series in batches of 20 000, and 1000 ns for
all that apply to one metric.
"""

import argparse
import json
import math
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

import detectors.registry
from detectors.protocol import Layout, is_joint, roles_of, specs
from yiwang.clock import SECOND
from yiwang.columns import F64, Round
from yiwang.domains import Domains, Entry, compile_rules, load_rules
from yiwang.registry import Device, Place, Text

SIZES = ((100_000, 20_000), (1_000, 500), (1_000_000, 100_000))
T0 = 1_780_000_000 * SECOND
BUSY = 0.01
"""Share of the series whose values now and then leave the calm."""
PER_PLACE, PER_ZONE = 4, 100


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one entry cost."""

    detector: str
    entry: str
    metric: str
    step_ns: float
    tick_ns: float | None
    tick_ms: float | None
    findings: int


def made(domains: Domains, entry: Entry, metric: str, n: int) -> Any:  # Any: a detector of any state
    """The entry's detector for ``n`` series, with its values for a device without attributes of its own."""
    kind = detectors.registry.get(entry.use)
    attributes = {
        p.attribute: _usual(specs(kind)[name][0].lo, specs(kind)[name][0].hi, domains, metric)
        for name, p in entry.params.items()
        if p.of in ("place", "device") and math.isnan(p.value) and not specs(kind)[name][0].absent
    }
    device = Device(
        id="d", district=0, kind="", place="p", name=Text(""), lon=0, lat=0, series=(), attributes=attributes
    )
    place = Place(id="p", district=0, zone="z", kind="", name=Text(""), lon=0, lat=0, attributes=attributes)
    values = domains.params(entry, device, place, metric)
    columns = {name: np.full(n, value.value) for name, value in values.items()}
    more = {"layout": layout(n, len(roles_of(kind)))} if is_joint(kind) else {}
    return kind(**columns, **more)


def _usual(lo: float, hi: float, domains: Domains, metric: str) -> float:
    known = domains.metrics[metric]
    return min(max((known.lo + known.hi) / 2, lo), hi)


def layout(n: int, roles: int) -> Layout:
    """Devices with a series a role, four to a place, a hundred series to a zone, places 500 m apart in a corridor."""
    row = np.arange(n)
    zone = row // PER_ZONE
    place = row // (PER_PLACE * roles)
    return Layout(
        role=(row % roles).astype(np.int8),
        device=(row // roles).astype(np.int32),
        place=place.astype(np.int32),
        zone=zone.astype(np.int32),
        metric=(row % roles).astype(np.int32),
        x_m=place * 500.0,
        y_m=np.zeros(n),
        at_m=(place % 25) * 500.0,
        live=np.ones(n, np.bool_),
    )


def calm(domains: Domains, metric: str, detector: Any, n: int) -> tuple[float, float]:  # Any: any detector
    """The usual value and spread of a metric: of some shares of its range the one at which least is said."""
    known = domains.metrics[metric]
    spread = known.attributes.get("noise", 0.0) or 0.002 * (known.hi - known.lo)
    least, best = math.inf, known.lo
    for share in (0.02, 0.5, 0.9, 0.2):
        usual = known.lo + share * (known.hi - known.lo) if share != 0.02 else max(known.lo, 0.0) + 2 * spread
        said = 0
        state = detector.start(n)
        chance = np.random.default_rng(1)
        for b in range(24):  # four hours: delays and averaging times have run out by then
            t_ns = np.full(n, T0 + b * 600 * SECOND)
            value = usual + chance.normal(0, spread, n)
            r = Round(
                series=np.arange(n, dtype=np.int32), t_ns=t_ns, value=value, quality=np.zeros(n, np.uint8)
            )
            said += len(detector.step(state, r)) + len(detector.tick(state, int(t_ns[0])))
        if said < least:
            least, best = said, usual
    return best, spread


def rounds(usual: float, spread: float, series: int, batch: int, period_s: float, count: int) -> list[Round]:
    """Batches of different series, first every series once; each series is read about every ``period_s``."""
    chance = np.random.default_rng(2)
    busy = chance.random(series) < BUSY
    apart_ns = max(1, round(period_s * batch / series * SECOND))
    found = []
    first = chance.permutation(series)
    for b in range(-(-series // batch) + count):
        all_once = first[b * batch : (b + 1) * batch]
        s = (all_once if len(all_once) == batch else chance.permutation(series)[:batch]).astype(np.int32)
        value: F64 = usual + chance.normal(0, spread, batch)
        value = np.where(busy[s] & (chance.random(batch) < 0.5), value + 40 * spread, value)
        t_ns = np.full(batch, T0 + b * apart_ns) + np.arange(batch)
        found.append(Round(series=s, t_ns=t_ns, value=value, quality=np.zeros(batch, np.uint8)))
    return found


def measure(domains: Domains, entry: Entry, metric: str, series: int, batch: int, passes: int) -> Cost:
    """One entry on one metric."""
    small = made(domains, entry, metric, 200)
    usual, spread = calm(domains, metric, small, 200)
    detector = made(domains, entry, metric, series)
    state = detector.start(series)
    work = rounds(usual, spread, series, batch, domains.metrics[metric].period_s or 60.0, passes)
    for r in work[:-passes]:  # memory that was never touched would be measured too
        detector.step(state, r)
    fastest, said = math.inf, 0
    for r in work[-passes:]:
        begun = time.thread_time()
        found = detector.step(state, r)
        fastest = min(fastest, time.thread_time() - begun)
        said += len(found)
    tick_ns = tick_ms = None
    if type(detector).tick is not _quiet():
        ticks = []
        for k in range(3):
            begun = time.thread_time()
            said += len(detector.tick(state, int(work[-1].t_ns[-1]) + (k + 1) * 60 * SECOND))
            ticks.append(time.thread_time() - begun)
        tick_ms = min(ticks) * 1e3
        tick_ns = min(ticks) / series * 1e9
    return Cost(
        detector=entry.use,
        entry=entry.id,
        metric=metric,
        step_ns=fastest / batch * 1e9,
        tick_ns=tick_ns,
        tick_ms=tick_ms,
        findings=said,
    )


def _quiet() -> Any:  # Any: a function
    from detectors.protocol import Quiet

    return Quiet.tick


def first_metric(entry: Entry, domains: Domains) -> str:
    """What the entry is measured on: its own metric, or the first it watches."""
    return (
        entry.metric
        if entry.metric in domains.metrics
        else next(m for m, how in entry.watches.items() if not how.role)
    )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="only 100 000 series, few passes")
    options.add_argument("--json", action="store_true", help="only the JSON line")
    options.add_argument("--only", help="one detector")
    given = options.parse_args()
    domains = compile_rules(load_rules())
    entries: dict[str, Entry] = {}
    for entry in domains.detectors:
        entries.setdefault(entry.use, entry)
    known = [n for n in detectors.registry.all_detectors() if given.only in (None, n)]
    passes = 6 if given.quick else 30
    result: dict[str, Any] = {
        "detectors": {},
        "metrics": {},
        "unused": [n for n in known if n not in entries],
    }
    for series, batch in SIZES[: 1 if given.quick else None]:
        label = f"{series}/{batch}"
        if not given.json:
            print(f"{label:>16} {'':24} step ns   tick ns/series   tick ms  findings")
        for name in known:
            if name not in entries:
                continue
            cost = measure(
                domains, entries[name], first_metric(entries[name], domains), series, batch, passes
            )
            result["detectors"].setdefault(name, {})[label] = {
                "step_ns": round(cost.step_ns, 1),
                "tick_ns_per_series": None if cost.tick_ns is None else round(cost.tick_ns, 2),
                "tick_ms": None if cost.tick_ms is None else round(cost.tick_ms, 2),
            }
            if not given.json:
                tick = "" if cost.tick_ns is None else f"{cost.tick_ns:16.2f} {cost.tick_ms:9.2f}"
                print(f"{name:>16} {cost.entry:24} {cost.step_ns:7.1f} {tick:26} {cost.findings}")
    if not given.only:
        result["metrics"] = together(domains, passes, say=not given.json)
    print(json.dumps(result))


def together(domains: Domains, passes: int, *, say: bool) -> dict[str, Any]:  # Any: plain JSON
    """Every entry that applies to a metric, one after the other over the same readings, for the busiest metrics."""
    applying: dict[str, list[Entry]] = defaultdict(list)
    for entry in domains.detectors:
        for metric, how in entry.watches.items():
            if not how.role:
                applying[metric].append(entry)
    series, batch = SIZES[0]
    found = {}
    busiest = sorted(applying, key=lambda m: (-len(applying[m]), m))[:3]
    for metric in dict.fromkeys([*busiest, "water_depth", "link_speed", "gas_lel"]):
        costs = [measure(domains, e, metric, series, batch, passes) for e in applying[metric]]
        whole = sum(c.step_ns for c in costs)
        found[metric] = {
            "entries": len(costs),
            "step_ns": round(whole, 1),
            "each": {c.entry: round(c.step_ns, 1) for c in costs},
        }
        if say:
            print(f"{metric}: {len(costs)} entries together {whole:.0f} ns a reading")
    return found


if __name__ == "__main__":
    main()
