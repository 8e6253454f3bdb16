"""Readings a second through the district machine, and what it costs over the bare detectors.

    python bench/machine.py [--series 100000] [--batch 20000]

Prints one JSON line. The bare detectors get the very same rounds, already cut to their rows.
"""

import argparse
import json
import time

import numpy as np

from detectors.rounds import NEVER, cut
from streams import machine_codec
from streams.blocks import Image
from streams.machine import DistrictMachine
from yiwang.clock import SECOND
from yiwang.columns import Readings, Round
from yiwang.domains import compile_rules, load_rules
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.registry import Device, Place, Registry, Series, Text

T0 = 1_780_000_000 * SECOND
BATCHES = 60


def registry(series: int) -> Registry:
    """Water, road and gas sensors in equal parts, a hundred to a place."""
    kinds = compile_rules(load_rules()).device_kinds.values()
    metrics = ("water_depth", "link_speed", "gas_lel")
    kind_of = {m: next(k.id for k in kinds if m in k.metrics) for m in metrics}
    places = tuple(
        Place(id=f"p{i}", district=0, zone=f"z{i}", kind="area", name=Text("", ""), lon=120, lat=30)
        for i in range(1 + series // 100)
    )
    devices = tuple(
        Device(
            id=f"s{i}",
            district=0,
            kind=kind_of[metrics[i % 3]],
            place=f"p{i // 100}",
            name=Text("", ""),
            lon=120,
            lat=30,
            series=(Series(number=i, metric=metrics[i % 3]),),
        )
        for i in range(series)
    )
    return Registry(version=1, places=places, devices=devices)


def batches(series: int, rows: int) -> list[Readings]:
    """Calm readings in random order, now and then a series twice in a batch."""
    chance = np.random.default_rng(1)
    made = []
    for b in range(BATCHES):
        s = chance.integers(0, series, rows).astype(np.int32)
        value = np.where(s % 3 == 1, 60.0, 1.0) + chance.normal(0, 0.3, rows)
        t_ns = np.full(rows, T0 + (b + 1) * SECOND) + np.arange(rows)
        made.append(Readings(series=s, t_ns=t_ns, value=value, quality=np.zeros(rows, np.uint8)))
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=20_000)
    given = parser.parse_args()
    machine = DistrictMachine(0)
    machine.message(RulesChange(rules=load_rules()))
    began = time.perf_counter()
    machine.message(RegistryChange(registry=registry(given.series)))
    registering_s = time.perf_counter() - began
    machine.message(Tick(t_ns=T0))
    work = batches(given.series, given.batch)

    lanes = machine.watch.lanes
    states = [lane.detector.start(given.series) for lane in lanes]
    newest = np.full(given.series, NEVER)
    bare_s = cut_s = 0.0
    for batch in work:
        began = time.perf_counter()
        rounds = cut(batch.series, batch.t_ns, newest)[1]
        for order in rounds:
            newest[batch.series[order]] = batch.t_ns[order]
        cut_s += time.perf_counter() - began
        parts = []
        for order in rounds:
            for lane, state in zip(lanes, states, strict=True):
                rows = lane.rows(batch.series[order])
                mine = rows >= 0
                if mine.any():
                    at = order[mine]
                    r = Round(
                        series=rows[mine],
                        t_ns=batch.t_ns[at],
                        value=batch.value[at],
                        quality=batch.quality[at],
                    )
                    parts.append((lane.detector, state, r))
        began = time.perf_counter()
        for detector, state, r in parts:
            detector.step(state, r)
        bare_s += time.perf_counter() - began

    began = time.perf_counter()
    said = sum(len(machine.readings(batch)) for batch in work)
    machine_s = time.perf_counter() - began
    camera, image = machine_codec.Camera(), Image()
    pauses = []
    for _ in range(5):
        began = time.perf_counter()
        image.take(camera.columns(machine))
        camera.freeze(machine)
        pauses.append(time.perf_counter() - began)
    began = time.perf_counter()
    data = machine.dump()
    dump_s = time.perf_counter() - began
    began = time.perf_counter()
    DistrictMachine.load(data)
    load_s = time.perf_counter() - began
    readings = given.batch * len(work)
    print(
        json.dumps(
            {
                "series": given.series,
                "batch": given.batch,
                "readings_per_s": round(readings / machine_s),
                "outputs": said,
                "ns_per_reading": {
                    "machine": round(machine_s / readings * 1e9),
                    "cutting": round(cut_s / readings * 1e9),
                    "bare_detectors": round(bare_s / readings * 1e9),
                },
                "machine_over_bare": round(machine_s / (bare_s + cut_s), 2),
                "registering_s": round(registering_s, 2),
                "snapshot": {
                    "bytes": len(data),
                    "pause_ms": round(min(pauses) * 1e3, 1),
                    "dump_ms": round(dump_s * 1e3, 1),
                    "load_s": round(load_s, 2),
                },
            }
        )
    )


if __name__ == "__main__":
    main()
