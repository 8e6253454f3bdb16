"""The job that engines are compared on, for our own: rules with three entries, and a city of water gauges.

Ladder with hysteresis, rate of rise and stuck value for each sensor; the same job in plain Python is
``bench/peers/job.py``. All other entries of the shipped packs are left out, so that nothing else is computed.
"""

from msgspec.structs import replace

from yiwang.domains import load_rules
from yiwang.domains.load import parse
from yiwang.registry import Device, Place, Registry, Rules, Series, Text, Unit

METRIC, KIND = "water_depth", "road_water_level"
AT_A_PLACE = 100
"""Devices at a place; twenty places are a catchment."""
PACK = """\
domain: job
name: {zh: 基准任务, en: Benchmark job}
detectors:
  job.ladder:
    use: ladder
    version: 1
    metric: water_depth
    kind: road_flooding
    source: "as in bench/peers/job.py"
    params: {rung_i: 60, rung_ii: 40, rung_iii: 27, rung_iv: 15, hysteresis: 2, hold_s: 120}
  job.rise:
    use: rise
    version: 1
    metric: water_depth
    kind: water_logging_forecast
    source: "as in bench/peers/job.py: 0.05 cm/s, memory 60 s; every reading is followed, however low"
    params: {rung_i: 60, rung_ii: 40, rung_iii: 27, rung_iv: 15, from_value: null, min_rate: 3, lead_s: 600,
             smooth_s: 60, gap_s: 1800, hold_s: 120, silence_s: 3600}
  job.still:
    use: still
    version: 1
    metric: water_depth
    kind: sensor_fault
    source: "as in bench/peers/job.py"
    params: {still_s: 3600, still_band: 0, idle: null, level: 4}
"""


def rules() -> Rules:
    """The shipped packs without their detectors, and the three entries of the job."""
    shipped = load_rules()
    packs = tuple({**p, "body": {**p["body"], "detectors": {}}} for p in shipped.packs)
    return replace(shipped, version="bench-job", packs=(*packs, parse(PACK.encode(), "job.yaml")))


def registry(n: int, district: int = 0) -> Registry:
    """A district of ``n`` water gauges with one series each, numbered from 0, and a few crews.

    Gauges are counted through all districts, each of ``n``: the first of district 2 is ``WL-`` and 2 n.
    """
    places = tuple(
        Place(
            id=f"D{district}-P{i:05d}",
            district=district,
            zone=f"D{district}-Z{i // 20:04d}",
            kind="road",
            name=Text(f"点位{i}", f"Place {i}"),
            lon=113.2 + 0.001 * (i % 100),
            lat=23.1 + 0.001 * (i // 100),
        )
        for i in range(-(-n // AT_A_PLACE))
    )
    devices = tuple(
        Device(
            id=f"WL-{district * n + i:07d}",
            district=district,
            kind=KIND,
            place=places[i // AT_A_PLACE].id,
            name=Text(f"水位计{i}", f"Gauge {i}"),
            lon=113.2 + 0.001 * (i // AT_A_PLACE % 100),
            lat=23.1 + 0.001 * (i // AT_A_PLACE // 100),
            series=(Series(number=i, metric=METRIC),),
        )
        for i in range(n)
    )
    units = tuple(
        Unit(
            id=f"D{district}-U{i}",
            district=district,
            name=Text(f"抢险队{i}", f"Crew {i}"),
            skill="drainage",
            lon=113.2,
            lat=23.1,
        )
        for i in range(4)
    )
    return Registry(version=1, places=places, devices=devices, units=units)
