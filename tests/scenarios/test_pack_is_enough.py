"""A new kind of sensor or incident that a detector there is can judge needs a YAML file and not a line of Python."""

from pathlib import Path

import numpy as np

import detectors.registry
from scenarios import directly
from scenarios.building import Builder
from yiwang.clock import SECOND
from yiwang.domains import compile_rules, load_rules
from yiwang.registry import Text

BEGIN = 1_782_000_000 * SECOND

COLD_STORES = """
domain: cold_stores
name: {zh: 冷库, en: Cold stores}
metrics:
  store_temperature:
    name: {zh: 库温, en: Temperature}
    unit: "°C"
    range: [-60, 60]
    period_s: 60
    attributes: {spoils: -12, still_s: 7200, still_band: 0.01}
    source: "a test"
  store_temperature_f:
    name: {zh: 库温（华氏）, en: Temperature in °F}
    unit: "°F"
    range: [-80, 140]
    period_s: 60
    reads_as: {metric: store_temperature, scale: 0.5555556, offset: {device: offset_c, default: -17.7777778}}
    source: "a test"
  door_open:
    name: {zh: 库门, en: Door}
    unit: "1"
    range: [0, 1]
    period_s: 60
    health: false
    source: "a test"
device_kinds:
  store_probe: {name: {zh: 库温计, en: Probe}, metrics: [store_temperature, door_open], icon: cold}
  old_probe: {name: {zh: 旧库温计, en: Old probe}, metrics: [store_temperature_f], icon: cold}
kinds:
  store_warm:
    name: {zh: 冷库升温, en: Warm cold store}
    by: place
    situation: power_cut
    linger_s: 600
    case_at: II
    category: cold_store
    skill: market
    next_step: {zh: "通知库主", en: "Tell the owner"}
  door_left_open:
    name: {zh: 库门未关, en: Door left open}
    by: device
    linger_s: 600
    case_at: null
    category: cold_store
    skill: market
    next_step: {zh: "通知库主", en: "Tell the owner"}
situations:
  power_cut:
    name: {zh: 片区停电, en: Power cut}
    sites: 2
    window_s: 3600
    linger_s: 600
    next_step: {zh: "联系供电", en: "Call the grid company"}
    source: "a test"
categories:
  cold_store: {name: {zh: 冷库, en: Cold store}, accept_s: 60, arrive_s: 900, handle_s: 900, check_s: 900, source: "a test"}
detectors:
  store.ladder:
    use: ladder
    version: 1
    metric: store_temperature
    kind: store_warm
    params: {rung_iii: {metric: spoils, default: null}, hysteresis: 1, hold_s: 300}
  store.door:
    use: proviso
    version: 1
    metric: store_temperature
    also: {while: door_open}
    kind: door_left_open
    every_s: 60
    params: {above: -17, while_lo: 1, fresh_s: 180, confirm_s: 300, hold_s: 60, level: 4}
"""

FALLBACK = """
domain: own_watch
name: {zh: 自选监视, en: Own watch}
detectors:
  voltage.unusual:
    use: seasonal
    version: 1
    metric: supply_voltage
    kind: unusual_value
    every_s: 900
    params: {return_days: 40}
"""


def _town(tmp_path: Path, pack: str, duration_s: float, tick_s: float) -> Builder:
    """An empty scenario of a city that has this pack beside those in the box."""
    (tmp_path / "own.yaml").write_text(pack, encoding="utf-8")
    b = Builder("own", Text("", "own"), start_ns=BEGIN, seed=1, duration_s=duration_s, tick_s=tick_s)
    b.rules = load_rules(tmp_path, tick_s=tick_s)
    b.domains = compile_rules(b.rules)
    detectors.registry.check(b.domains)
    return b


def test_attributes_transforms_roles_and_situations_are_data(tmp_path: Path) -> None:
    """A limit from the metric, an old probe in °F, a second metric of the same device, two stores that are one power cut."""
    b = _town(tmp_path, COLD_STORES, 7200.0, 60.0)
    for place in ("S1", "S2", "S3"):
        b.place(place, "cold_store", zone="Z1", lon=113.0, lat=23.0)
    b.device("P1", "store_probe", "S1")
    b.device("P2", "old_probe", "S2")
    b.device("P3", "store_probe", "S3")
    t = b.times(60.0)
    warming = np.interp(np.arange(len(t)), [20, 60], [-20.0, -8.0]) + 0.01 * (np.arange(len(t)) % 3)
    b.readings("P1", "store_temperature", t, warming)
    b.readings("P1", "door_open", t, np.zeros(len(t)))
    b.readings("P2", "store_temperature_f", t, warming * 9 / 5 + 32)
    b.readings("P3", "store_temperature", t, np.where(np.arange(len(t)) % 2, -15.0, -15.5))
    b.readings("P3", "door_open", t, (np.arange(len(t)) >= 30).astype(np.float64))
    played = directly.play(b.build())
    found = {(i.kind, i.place): i for i in played.incidents if i.domain == "cold_stores"}
    assert set(found) == {("store_warm", "S1"), ("store_warm", "S2"), ("door_left_open", "P3")}
    reached = (
        BEGIN + 47 * 60 * SECOND
    )  # 8 of 12 degrees up, 40 minutes from the twentieth on: the first reading at -12
    assert found["store_warm", "S1"].opened_ns == reached
    assert found["store_warm", "S2"].opened_ns == reached
    assert found["store_warm", "S2"].evidence[0].metric == "store_temperature"
    assert found["store_warm", "S1"].severity == 3 or found["store_warm", "S1"].peak == 3
    assert BEGIN + 34 * 60 * SECOND <= found["door_left_open", "P3"].opened_ns <= BEGIN + 37 * 60 * SECOND
    cut = [s for s in played.situations if s.kind == "power_cut"]
    assert [s.sites for s in cut] == [2]


def test_the_fallback_is_switched_on_for_a_metric_by_an_entry(tmp_path: Path) -> None:
    """Without it a voltage that is within its limits but unlike itself says nothing; with it, it is one unusual value."""
    days = 13

    def town(pack: str, folder: Path) -> Builder:
        folder.mkdir()
        b = _town(folder, pack, days * 86400.0, 900.0)
        b.place("S1", "pump_station", zone="Z1", lon=113.0, lat=23.0)
        b.device("V1", "power_monitor", "S1")
        t = b.times(900.0)
        h = (t - BEGIN) / (3600 * SECOND)
        value = 224 + 4 * np.sin(h * np.pi / 12) + b.rng.normal(0, 0.5, len(t))
        value[(h > 24 * 11.4) & (h < 24 * 11.6)] -= 15.0
        b.readings("V1", "supply_voltage", t, np.round(value, 1))
        return b

    played = directly.play(town(FALLBACK, tmp_path / "on").build())
    assert [(i.kind, i.place, i.peak, i.confirmed_ns is not None) for i in played.incidents] == [
        ("unusual_value", "V1", 4, True)
    ]
    assert played.incidents[0].evidence[0].reason in ("seasonal.low", "seasonal.usual")
    h = (played.incidents[0].opened_ns - BEGIN) / (86400 * SECOND)
    assert 11.4 < h < 11.45
    without = FALLBACK[: FALLBACK.index("detectors:")]
    assert directly.play(town(without, tmp_path / "off").build()).incidents == ()
