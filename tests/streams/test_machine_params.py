"""Parameters by column: for every series the same as when its device is asked for alone."""

import math
from random import Random

import numpy as np
import pytest

from streams.machine_params import params, spread_out, transform
from yiwang.book import Book
from yiwang.domains import Domains, Entry, compile_rules, load_rules
from yiwang.registry import Device, Place, Registry, Series, Text

OVERRIDES = [
    {"entry": "depth.ladder", "params": {"rung_iv": 6.0}},
    {"entry": "depth.ladder", "zone": "z1", "params": {"rung_iv": 7.0, "hysteresis": 3.0}},
    {"entry": "depth.ladder", "zone": "p9", "params": {"rung_iv": 99.0}},
    {"entry": "depth.ladder", "place": "p2", "params": {"rung_i": 70.0}},
    {"entry": "depth.ladder", "device": "d5", "params": {"rung_i": 80.0, "rung_iv": 9.0}},
    {"entry": "depth.rise", "place": "nowhere", "params": {"lead_s": 60.0}},
]


def town(seed: int, domains: Domains) -> Registry:
    """Devices of all kinds, with and without the attributes that packs ask for; one place nobody registered."""
    chance = Random(seed)
    asked = {
        (p.of, p.attribute)
        for e in domains.detectors
        for p in (*e.params.values(), *(h.offset for h in e.watches.values() if h.offset))
        if p.of in ("place", "device")
    }

    def given(of: str) -> dict[str, float]:
        return {
            name: chance.choice([1.0, 2.0, 3.0, 22.5])
            for o, name in sorted(asked)
            if o == of and chance.random() < 0.5
        }

    places = tuple(
        Place(
            id=f"p{i}",
            district=0,
            zone=f"z{i % 3}",
            kind="road",
            name=Text(""),
            lon=120.0,
            lat=30.0,
            attributes=given("place"),
        )
        for i in range(6)
    )
    devices, number = [], 0
    for i, kind in enumerate([k for k in domains.device_kinds.values() for _ in range(3)]):
        series = tuple(Series(number=number + k, metric=m) for k, m in enumerate(kind.metrics))
        number += len(series)
        devices.append(
            Device(
                id=f"d{i}",
                district=0,
                kind=kind.id,
                place=chance.choice([*(p.id for p in places), "p9"]),
                name=Text(""),
                lon=120.0,
                lat=30.0,
                series=series,
                attributes=given("device"),
            )
        )
    return Registry(version=1, places=places, devices=tuple(devices))


def same(a: float, b: float) -> bool:
    """Absent ones are equal."""
    return a == b or (math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize("seed", range(3))
def test_columns_say_what_each_device_is_told(seed: int) -> None:
    """All shipped entries and overrides of every rank, over all kinds of devices."""
    domains = compile_rules(load_rules(overrides=OVERRIDES))
    registry, book = town(seed, domains), Book()
    book.apply(registry)
    places = {p.id: p for p in registry.places}
    compared = 0
    for entry in domains.detectors:
        mine = _watched(entry, registry)
        series = np.array([n for n, _, _ in mine], np.int32)
        if len(series) == 0:
            continue
        columns = {n: spread_out(v, len(series)) for n, v in params(domains, entry, book, series).items()}
        scale, offset = (spread_out(v, len(series)) for v in transform(entry, book, series))
        for row, (_, device, metric) in enumerate(mine):
            place = places.get(device.place)
            alone = domains.params(entry, device, place, entry.watches[metric].metric)
            assert list(columns) == list(alone)
            for name, resolved in alone.items():
                assert same(columns[name][row], resolved.value), (entry.id, device.id, name)
                compared += 1
            expected = domains.transform(entry, device, place, metric)
            assert same(scale[row], expected[0])
            assert same(offset[row], expected[1]), (entry.id, device.id)
    assert compared > 10_000


def test_what_is_the_same_everywhere_is_one_number() -> None:
    """A million series need no million thresholds."""
    domains = compile_rules(load_rules())
    registry, book = town(1, domains), Book()
    book.apply(registry)
    entry = next(e for e in domains.detectors if e.id == "depth.ladder")
    series = np.array([n for n, _, _ in _watched(entry, registry)], np.int32)
    assert isinstance(params(domains, entry, book, series)["rung_iv"], float)


def _watched(entry: Entry, registry: Registry) -> list[tuple[int, Device, str]]:
    return [
        (s.number, d, s.metric) for d in registry.devices for s in d.series if entry.reads(d.kind, s.metric)
    ]
