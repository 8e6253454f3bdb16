"""Readings a second through the district machine, what it costs over the bare detectors, and memory a series.

    python -m bench machine [--entries job|shipped|ID,…] [--mixed] [--series N,…] [--batch N,…] [--order O]
                            [--districts N] [--quick] [--json]

No broker, no frames: cutting into rounds, all lanes, findings, incidents. ``job`` is the three-entry job of
``throughput``, ``shipped`` all packs; ids take some of the shipped entries. Every series reports once a second, in the
order of series (``sensor``) or each second in another (``random``); one reading in 200 000 is high water. ``--mixed``
has road and gas sensors too, in equal parts. ``--batch`` is how many readings are put in at once. The time is
processor time, of the best of several stretches; bare detectors get the very same rounds. ``bytes a series`` is
what the process grew by, state, registry and parameters together.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from bench import _jobs
from bench._engine import pieces
from bench._stack import last_line, machine, show
from detectors.rounds import NEVER, deal
from streams.machine import DistrictMachine
from streams.machine_parts import Parts
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.domains import compile_rules, load_rules
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.registry import Registry, Rules, Series

T0 = 1_780_000_020 * SECOND
HIGH = 200_000
ORDERS = ("sensor", "random")
STRETCHES = 6
MIXED = ("water_depth", "link_speed", "gas_lel")
CALM = {"water_depth": 5.0, "link_speed": 60.0, "gas_lel": 1.0}


@dataclass(frozen=True, slots=True)
class Cost:
    """Nanoseconds a reading: the machine, cutting alone, the bare detectors; and outputs said."""

    machine: float
    cutting: float
    bare: float
    outputs: int


def main() -> None:
    """Measure, print the tables and the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", default="job", help="job, shipped, or ids of shipped entries")
    parser.add_argument("--mixed", action="store_true", help="water, road and gas in equal parts")
    parser.add_argument("--series", default="1000,10000,100000,250000", help="a district")
    parser.add_argument("--batch", default="20000,100000")
    parser.add_argument("--order", choices=(*ORDERS, "both"), default="both")
    parser.add_argument("--districts", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="1 000 and 250 000 series, fewer readings")
    parser.add_argument("--json", action="store_true", help="the last line only")
    given = parser.parse_args()
    sizes = [1000, 250_000] if given.quick else [int(n) for n in given.series.split(",")]
    batches = [int(n) for n in given.batch.split(",")]
    orders = ORDERS if given.order == "both" else (given.order,)
    rules = rules_of(given.entries)
    readings = 1_500_000 if given.quick else 4_000_000
    table: list[tuple[object, ...]] = []
    sized: list[tuple[object, ...]] = []
    found: list[dict[str, object]] = []
    for series in sizes:
        before = resident_mb()
        cities, registering_s = registered(rules, series, given.districts, mixed=given.mixed)
        for batch in batches:
            for order in orders:
                cost = measure(cities, series, batch, order, readings, mixed=given.mixed)
                table.append(
                    (
                        f"{series:,}",
                        batch,
                        order,
                        round(1e9 / cost.machine),
                        *(round(x) for x in (cost.machine, cost.cutting, cost.bare)),
                        cost.outputs,
                    )
                )
                found.append(
                    {
                        "series": series,
                        "batch": batch,
                        "order": order,
                        "per_s": round(1e9 / cost.machine),
                        "ns": round(cost.machine),
                        "cutting_ns": round(cost.cutting),
                        "bare_ns": round(cost.bare),
                    }
                )
        grown = (resident_mb() - before) * 2**20 / (series * given.districts)
        began_s = time.process_time()
        change(cities[0])
        change_ms = (time.process_time() - began_s) * 1e3
        data = cities[0].dump()
        began_s = time.process_time()
        DistrictMachine.load(data)
        load_s = time.process_time() - began_s
        sized.append(
            (
                f"{series:,}",
                f"{registering_s:.2f}",
                f"{change_ms:.1f}",
                f"{load_s:.2f}",
                len(data) // series,
                round(grown),
            )
        )
        found.append(
            {
                "series": series,
                "registering_s": round(registering_s, 2),
                "change_ms": round(change_ms, 1),
                "load_s": round(load_s, 2),
                "bytes_a_series": round(grown),
            }
        )
        del cities
    if not given.json:
        head = ("batch", "order", "readings/s", "ns", "cutting ns", "bare ns", "outputs")
        show(f"Entries: {given.entries}, districts: {given.districts}", ("series", *head), table)
        kept = ("registering s", "one changed ms", "loading s", "dumped bytes a series", "bytes a series")
        show("A district", ("series", *kept), sized)
    last_line(
        {"machine": machine(), "entries": given.entries, "memory_mb": round(resident_mb()), "runs": found}
    )


def rules_of(entries: str) -> Rules:
    """The rules of a measurement."""
    if entries == "job":
        return _jobs.rules()
    shipped = load_rules()
    if entries == "shipped":
        return shipped
    ids = entries.split(",")
    known = {entry.id for entry in compile_rules(shipped).detectors}
    if unknown := sorted(set(ids) - known):
        raise SystemExit(f"--entries: {', '.join(unknown)}: no such entry in the shipped packs")
    packs = []
    for pack in shipped.packs:
        listed = pack["body"].get("detectors", {})
        kept = {k: v for k, v in listed.items() if k in ids}
        packs.append({**pack, "body": {**pack["body"], "detectors": kept}})
    return replace(shipped, version="bench", packs=tuple(packs))


def registered(
    rules: Rules, series: int, districts: int, *, mixed: bool
) -> tuple[list[DistrictMachine], float]:
    """Districts with so many series each, registered in messages of some thousands; seconds for one district."""
    cities, took_s = [], 0.0
    for district in range(districts):
        city = DistrictMachine(district)
        city.message(RulesChange(rules=rules))
        registry = _jobs.registry(series, district)
        if mixed:
            registry = _mixed(registry)
        began_s = time.process_time()
        for piece in pieces(registry):
            city.message(RegistryChange(registry=piece))
        took_s += time.process_time() - began_s
        city.message(Tick(t_ns=T0))
        cities.append(city)
    return cities, took_s / districts


def _mixed(registry: Registry) -> Registry:
    kinds = compile_rules(load_rules()).device_kinds.values()
    kind_of = {m: next(k.id for k in kinds if m in k.metrics) for m in MIXED}
    devices = []
    for i, device in enumerate(registry.devices):
        metric = MIXED[i % 3]
        own = (Series(number=device.series[0].number, metric=metric),)
        devices.append(replace(device, kind=kind_of[metric], series=own))
    return replace(registry, devices=tuple(devices))


def change(city: DistrictMachine) -> None:
    """One device is put elsewhere."""
    book = city.watch.book
    device = book.devices.at(book.devices.rows // 2)
    moved = replace(device, place=next(iter(book.places)))
    city.message(RegistryChange(registry=Registry(version=2, devices=(moved,))))


def seconds(series: int, batch: int, order: str, begin: int, *, mixed: bool) -> Iterator[Readings]:
    """Readings without end, from the second ``begin`` on, in batches; a batch may hold several seconds."""
    chance = np.random.default_rng(begin)
    calm = np.array([CALM[MIXED[i % 3] if mixed else "water_depth"] for i in range(3)])
    waiting: list[Readings] = []
    rows = told = 0
    for second in range(begin, 10**9):
        own = chance.permutation(series) if order == "random" else np.arange(series)
        value = np.round(calm[own % 3] + chance.normal(0, 0.3, series), 2)
        value[(-told) % HIGH :: HIGH] += 30
        told += series
        t_ns = T0 + second * SECOND + np.sort(chance.integers(0, SECOND, series))
        waiting.append(
            Readings(series=own.astype(np.int32), t_ns=t_ns, value=value, quality=np.zeros(series, np.uint8))
        )
        rows += series
        if rows < batch:
            continue
        joined, rows = Readings.join(waiting), 0
        waiting = []
        for at in range(0, len(joined), batch):
            cut = slice(at, at + batch)
            yield Readings(
                series=joined.series[cut],
                t_ns=joined.t_ns[cut],
                value=joined.value[cut],
                quality=joined.quality[cut],
            )


def measure(
    cities: list[DistrictMachine], series: int, batch: int, order: str, readings: int, *, mixed: bool
) -> Cost:
    """Cost of some readings, after as many again as one stretch to begin with; districts in turn."""
    begin = int((max(int(city.watch.newest.max()) for city in cities) - T0) // SECOND) + 2 if cities else 1
    begin = max(begin, 1)
    feeds = [seconds(series, batch, order, begin, mixed=mixed) for _ in cities]
    stretch: list[float] = []
    cutting: list[float] = []
    bare: list[float] = []
    outputs = 0
    states = [[lane.detector.start(len(lane.series)) for lane in city.watch.lanes] for city in cities]
    newest = [np.full(series, NEVER) for _ in cities]
    for n in range(STRETCHES + 1):
        work: list[tuple[int, Readings]] = []
        rows = 0
        while rows < readings // STRETCHES:
            for at, feed in enumerate(feeds):
                work.append((at, next(feed)))
                rows += len(work[-1][1])
        began_s = time.process_time()
        said = sum(len(cities[at].readings(readings_)) for at, readings_ in work)
        took_s = time.process_time() - began_s
        cut_s = bare_s = 0.0
        for at, readings_ in work:
            began_s = time.process_time()
            dealt = deal(readings_.series, readings_.t_ns, newest[at])
            parts = Parts(readings_, dealt, None)
            newest[at][parts.series] = parts.t_ns
            given = [
                (lane, state, [r for r, _ in parts.of(lane).rounds()])
                for lane, state in zip(cities[at].watch.lanes, states[at], strict=True)
                if len(lane.series)
            ]
            cut_s += time.process_time() - began_s
            began_s = time.process_time()
            for lane, state, rounds in given:
                for r in rounds:
                    lane.detector.step(state, r)
            bare_s += time.process_time() - began_s
        if n == 0:
            continue  # states are touched for the first time
        outputs += said
        for costs, took in ((stretch, took_s), (cutting, cut_s), (bare, bare_s)):
            costs.append(took / rows * 1e9)
    return Cost(min(stretch), min(cutting), min(bare), outputs)


def resident_mb() -> float:
    """Memory of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
