"""Key vehicles on a motorway and in a depot: stops, a wrong-way drive, speeding, among ordinary days of driving."""

from collections.abc import Sequence

import numpy as np

from scenarios.building import Builder
from scenarios.generators.traffic import LAT0, position
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.registry import Text
from yiwang.roads import METRES_PER_DEGREE, Carriageway, fix

LENGTH_M = 30_000.0
DEPOT_M = 600.0
"""How far north of the road the depot lies."""
PERIOD_S = 10.0
GNSS_M = 6.0
Course = Sequence[tuple[float, float]]
"""Points (second, km/h) between which a vehicle's speed goes evenly; negative: against traffic."""


def key_vehicles(
    *, start_ns: int, seed: int, duration_s: float = 7_200.0, ordinary: float = 12.0
) -> Scenario:
    """Lorries with dangerous goods on a motorway of 30 km.

    Args:
        start_ns: event time of the first second.
        seed: of positions, speeds and GNSS errors.
        duration_s: length.
        ordinary: how many others drive, queue in stop-and-go, or stand in the depot without any fault.
    """
    b = Builder(
        "key_vehicles",
        Text("重点车辆", "Key vehicles"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=5.0,
        settle_s=900.0,
    )
    lon, lat = position(0.0, DEPOT_M)
    b.place("DEPOT", "area", Text("危化品停车场", "Depot"), zone="G5", lon=lon, lat=lat)
    east, west = (
        Carriageway(id=name, road_class=1, lon=np.array(ends[0]), lat=np.array(ends[1]))
        for name, ends in (
            ("G5E", tuple(zip(position(0.0, 0.0), position(LENGTH_M, 0.0), strict=True))),
            ("G5W", tuple(zip(position(LENGTH_M, 60.0), position(0.0, 60.0), strict=True))),
        )
    )
    stop_s, wrong_s, fast_s = (float(b.rng.uniform(1200, 3600)) for _ in range(3))
    _drive(
        b,
        "KV-STOP",
        [(0, 78), (stop_s, 78), (stop_s + 20, 0), (stop_s + 900, 0), (stop_s + 940, 75)],
        [east, west],
    )
    _drive(
        b,
        "KV-WRONG",
        [(0, 70), (wrong_s, 70), (wrong_s + 30, -40), (wrong_s + 240, -40), (wrong_s + 270, 60)],
        [east],
    )
    _drive(
        b,
        "KV-FAST",
        [(0, 76), (fast_s, 76), (fast_s + 30, 104), (fast_s + 600, 104), (fast_s + 640, 78)],
        [east, west],
    )
    stopped = stop_s + 20 * (1 - 3 / 78)
    _true(b, "vehicle_stopped", "KV-STOP", 3, stopped, stop_s + 900, within_s=180.0)
    _true(b, "vehicle_wrong_way", "KV-WRONG", 2, wrong_s + 30 * 85 / 110, wrong_s + 250, within_s=60.0)
    _true(b, "vehicle_overspeed", "KV-FAST", 4, fast_s + 30 * 12 / 28, fast_s + 615, within_s=90.0)
    for k in range(int(ordinary)):
        name = f"KV-{k + 1:03d}"
        match k % 4:
            case 0:  # in the depot all day
                _drive(b, name, [(0, 0)], [east, west], aside_m=DEPOT_M)
            case 1:  # stop and go: never two minutes at rest
                at = float(b.rng.uniform(1000, 4000))
                waves = [
                    (at + 90 * i + (60 if odd else 0), 0 if odd else 25) for i in range(12) for odd in (0, 1)
                ]
                _drive(b, name, [(0, 75), (at - 30, 75), *waves, (at + 1200, 70)], [east, west])
            case _:
                kmh = float(b.rng.uniform(62, 84))
                _drive(b, name, [(0, kmh), (3600, kmh + 2), (duration_s, kmh)], [east, west])
    return b.build()


def _drive(
    b: Builder, name: str, course: Course, roads: Sequence[Carriageway], *, aside_m: float = 0.0
) -> None:
    """A vehicle's positions, made into readings."""
    b.device(name, "key_vehicle", "DEPOT", name=Text(f"危货车 {name}", f"Tanker {name}"))
    t_ns = b.times(PERIOD_S, jitter_s=1.0)
    t_s = (t_ns - b.start_ns) / SECOND
    points = np.array(course, np.float64)
    fine = np.arange(0.0, t_s[-1] + 1.0)
    kmh = np.interp(fine, points[:, 0], points[:, 1]) * np.exp(b.rng.normal(0, 0.004, len(fine)))
    along = np.cumsum(kmh / 3.6) % (0.9 * LENGTH_M)
    speed: F64 = np.interp(t_s, fine, kmh)
    east_m = np.interp(t_s, fine, along) + b.rng.normal(0, GNSS_M, len(t_s))
    north_m = aside_m + b.rng.normal(0, GNSS_M, len(t_s))
    said_kmh = np.maximum(0.0, np.abs(speed) + b.rng.normal(0, 0.4, len(t_s)))
    course_deg = np.where(speed >= 0, 90.0, 270.0) + b.rng.normal(0, 4.0, len(t_s))
    lon0, lat0 = position(0.0, 0.0)
    wide = METRES_PER_DEGREE * np.cos(np.radians(LAT0))
    fixes = [
        fix(roads, lon0 + x / wide, lat0 + y / METRES_PER_DEGREE, v, c)
        for x, y, v, c in zip(
            east_m.tolist(), north_m.tolist(), said_kmh.tolist(), course_deg.tolist(), strict=True
        )
    ]
    against = np.array([f.against_deg for f in fixes], np.float64)
    turned = np.isfinite(against)
    b.readings(name, "vehicle_speed", t_ns, np.asarray(np.round(said_kmh, 1), np.float64))
    b.readings(name, "vehicle_road_class", t_ns, np.array([f.road_class for f in fixes], np.float64))
    b.readings(name, "vehicle_against_deg", t_ns[turned], np.asarray(np.round(against[turned]), np.float64))


def _true(
    b: Builder, kind: str, vehicle: str, severity: int, begin_s: float, end_s: float, *, within_s: float
) -> None:
    begin, end = (b.start_ns + round(s * SECOND) for s in (begin_s, end_s))
    b.truth(kind, vehicle, severity, begin, end, within_s=within_s)
