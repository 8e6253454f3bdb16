"""A whole week of a small city of slow sensors in which nothing happens: whatever is raised is false.

Ordinary life is all there: two showers that leave puddles, rush hours and a weekend, cooking, sun on tanks and bridges,
algae in a river, pumps that start, loaders and sirens near building sites, cameras that err now and then, readings
that are missing or out by one step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from scenarios.building import Builder
from scenarios.generators.shapes import bursts, daily, hours, sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

Life = Callable[[Builder, I64, int], F64]
"""What is really so at these moments for the k-th device: float64 (n,), in the metric's unit."""

_WEEKDAY_NS = 86_400 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A metric: what is so, and what the sensor makes of it."""

    metric: str
    life: Life
    noise: float
    resolution: float
    least: float = -np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Devices of one kind.

    Attributes:
        zones: they are spread over so many.
        period_s: of the reports.
    """

    kind: str
    place: str
    name: Text
    count: int
    says: tuple[Said, ...]
    zones: int = 1
    period_s: float = 300.0
    of_place: dict[str, float] = field(default_factory=dict)
    of_device: dict[str, float] = field(default_factory=dict)


def quiet_week(
    *, start_ns: int, seed: int, duration_s: float = 604_800.0, cameras: int = 6, wrong_per_day: float = 3.0
) -> Scenario:
    """The week.

    Args:
        start_ns: first second; a Monday at midnight is meant.
        seed: of everything.
        duration_s: length.
        cameras: with algorithms that see what is not there.
        wrong_per_day: sightings by mistake, each camera and day.
    """
    b = Builder(
        "quiet_week",
        Text("平静的一周", "A quiet week"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=300.0,
        settle_s=600.0,  # longer, and the end of the scenario would look like sensors falling silent
        lateness_s=30.0,
    )
    number = 0
    for fleet in FLEETS:
        for k in range(fleet.count):
            _device(b, fleet, k, number)
            number += 1
    _cameras(b, cameras, wrong_per_day, number)
    return b.build()


def _device(b: Builder, fleet: Fleet, k: int, number: int) -> None:
    id_ = f"{fleet.kind}-{k + 1:02d}"
    lon, lat = spot(number, step_m=900.0)
    zone = f"{fleet.kind}-Z{k % fleet.zones + 1}"
    name = Text(f"{fleet.name.zh}{k + 1}", f"{fleet.name.en} {k + 1}")
    b.place(f"{id_}-P", fleet.place, name, zone=zone, lon=lon, lat=lat, **fleet.of_place)  # type: ignore[arg-type]  # attributes only
    b.device(id_, fleet.kind, f"{id_}-P", **fleet.of_device)  # type: ignore[arg-type]
    t = b.times(
        fleet.period_s,
        phase_s=float(b.rng.uniform(0, fleet.period_s * 0.9)),
        jitter_s=fleet.period_s * 0.01,
        missing=0.004,
    )
    for said in fleet.says:
        value = sensed(b.rng, said.life(b, t, k), said.noise, said.resolution)
        b.readings(id_, said.metric, t, np.round(np.maximum(value, said.least), 6).astype(np.float64))


def _cameras(b: Builder, count: int, wrong_per_day: float, number: int) -> None:
    """A sighting now and then, by itself and not sure of itself."""
    days = (b.end_ns - b.start_ns) / _WEEKDAY_NS
    classes = ("road_flooding", "illegal_parking", "fire", "smoke", "traffic_crash")
    for k in range(count):
        id_ = f"camera-{k + 1:02d}"
        lon, lat = spot(number + k, step_m=900.0)
        b.place(
            f"{id_}-P",
            "crossing",
            Text(f"路口{k + 1}", f"Crossing {k + 1}"),
            zone=f"XR-{k}",
            lon=lon,
            lat=lat,
        )
        b.device(id_, "camera", f"{id_}-P")
        moments = np.sort(b.rng.uniform(0, 1, b.rng.poisson(wrong_per_day * days)))
        kept = (
            moments[np.concatenate(([True], np.diff(moments) * days * 86_400 > 1_800))]
            if len(moments)
            else moments
        )
        for share in kept.tolist():
            seen = classes[int(b.rng.integers(len(classes)))]
            moment = b.start_ns + round(share * (b.end_ns - b.start_ns))
            b.video(id_, seen, moment, round(float(np.clip(b.rng.beta(5, 5), 0.2, 0.72)), 3))


# ---- what is so ----


def _weekend(t: I64) -> F64:
    """1 on the last two days of seven, else 0; days are local."""
    day = (t // SECOND + 8 * 3600) // 86_400  # 1970-01-01 was a Thursday
    return (((day + 3) % 7) >= 5).astype(np.float64)


def _shower(b: Builder, t: I64) -> F64:
    """Rain, mm/h: an hour on the second afternoon, a night of drizzle on the fifth."""
    h = hours(t, b.start_ns)
    return 9.0 * np.exp(-(((h - 39.5) / 0.4) ** 2)) + 2.2 * np.exp(-(((h - 99.0) / 2.5) ** 4))


def _rain(b: Builder, t: I64, k: int) -> F64:
    rain = _shower(b, t - k * 300 * SECOND)
    return np.where(rain < 0.1, 0.0, rain)


def _puddle(b: Builder, t: I64, k: int) -> F64:
    """Rain of the last two hours stands at some corners, to 3 cm at most."""
    back = sum(_shower(b, t - m * 60 * SECOND) for m in range(0, 120, 10)) / 12.0
    zero = 0.15 * ((k * 7) % 5 - 2)  # each gauge's own
    return zero + (0.35 + 0.05 * (k % 4)) * np.minimum(back, 5.0)


def _river(b: Builder, t: I64, k: int) -> F64:
    h = hours(t, b.start_ns)
    wave = 0.12 * np.exp(-(((h - 46.0) / 5.0) ** 2)) + 0.08 * np.exp(-(((h - 106.0) / 8.0) ** 2))
    return 2.1 + 0.3 * k + wave + wander(b.rng, t, 0.015, 43_200.0)


def _speed(b: Builder, t: I64, k: int) -> F64:
    """Two rush hours on weekdays, slow and never standing."""
    week = daily(t, (0, 6, 7.5, 9, 12, 16.5, 18, 19.5, 22), (1, 0.98, 0.74, 0.84, 0.9, 0.86, 0.72, 0.9, 1))
    end = daily(t, (0, 8, 11, 16, 20, 23), (1, 0.98, 0.9, 0.86, 0.92, 1))
    return (74.0 + k) * np.where(_weekend(t) > 0, end, week) + wander(b.rng, t, 1.5, 1_800.0)


def _cooking(b: Builder, t: I64, k: int) -> F64:
    meals = daily(
        t, (0, 5.5, 7, 8.5, 11, 12, 13.5, 17, 18.5, 20.5), (0, 0, 0.7, 0.1, 0.5, 1, 0.1, 0.6, 1, 0.1)
    )
    return (
        0.8
        + (1.0 + 0.4 * (k % 5)) * meals * np.exp(wander(b.rng, t, 0.4, 900.0))
        + wander(b.rng, t, 0.1, 7_200.0)
    )


def _garage(b: Builder, t: I64, k: int) -> F64:
    rush = daily(t, (0, 6, 8.2, 10, 16, 18.2, 21), (0.1, 0.2, 1, 0.3, 0.3, 1, 0.2))
    return 2.0 + (5.0 + k) * rush * (1 - 0.5 * _weekend(t)) + wander(b.rng, t, 0.5, 1_800.0)


def _leakage(b: Builder, t: I64, k: int) -> F64:
    load = daily(t, (0, 6, 9, 13, 19, 23), (0.2, 0.3, 0.9, 0.8, 1.0, 0.4))
    return 70.0 + 12.0 * k + 50.0 * load + wander(b.rng, t, 4.0, 3_600.0)


def _air(base: float, h: tuple[float, ...], share: tuple[float, ...]) -> Life:
    def life(b: Builder, t: I64, k: int) -> F64:
        return base * (1 + 0.1 * k) * daily(t, h, share) * np.exp(wander(b.rng, t, 0.2, 21_600.0))

    return life


_RUSH = ((0.0, 5.0, 8.0, 12.0, 18.0, 21.0), (0.7, 0.6, 1.3, 0.9, 1.4, 1.0))
_SUN = ((0.0, 6.0, 9.0, 14.0, 19.0, 22.0), (0.35, 0.3, 0.5, 1.4, 0.6, 0.4))
_EVEN = ((0.0, 12.0), (1.0, 1.0))


def _around(mean: float, by_sun: float, wandering: float, tau_s: float, each: float = 0.0) -> Life:
    """Something that follows the sun a little and wanders a little."""

    def life(b: Builder, t: I64, k: int) -> F64:
        sun = daily(t, (0, 6, 10, 15, 20), (-0.6, -1.0, 0.2, 1.0, 0.2))
        return mean + each * k + by_sun * sun + wander(b.rng, t, wandering, tau_s)

    return life


def _demand(t: I64) -> F64:
    return daily(t, (0, 3, 5.5, 7.3, 9, 12, 15, 19, 22), (0.35, 0.25, 0.3, 1.0, 0.8, 0.75, 0.6, 0.95, 0.6))


def _water_main(b: Builder, t: I64, k: int) -> F64:
    return 0.36 - 0.015 * k - 0.06 * _demand(t) + wander(b.rng, t, 0.002, 1_800.0)


def _gas_main(b: Builder, t: I64, k: int) -> F64:
    cooking = daily(
        t, (0, 5, 6.5, 7.5, 9, 11, 12, 13.5, 17, 18.5, 20), (0, 0, 1, 1, 0.2, 0.8, 1, 0.2, 0.7, 1, 0.2)
    )
    return 350.0 - 4.0 * k - 15.0 * cooking + wander(b.rng, t, 1.5, 1_800.0)


def _mains(b: Builder, t: I64, k: int) -> F64:
    return 227.0 - 5.0 * _demand(t) + wander(b.rng, t, 1.2, 1_800.0)


def _bridge(b: Builder, t: I64, k: int) -> F64:
    sag = _around(6.0, 1.5, 0.25, 900.0, 0.5)(b, t, k)
    return np.maximum(sag, bursts(b.rng, t, 0.5, 299.0) * b.rng.uniform(8.0, 15.0, len(t)))


def _tank(b: Builder, t: I64, k: int) -> F64:
    """Filled and drawn from by day, slowly; at rest by night."""
    h = hours(t, b.start_ns)
    work = np.clip((h % 24.0 - 8.0) / 8.0, 0.0, 1.0)
    day = np.floor(h / 24.0)
    return np.where(day % 2 == 0, 45.0 + 5.0 * k + 12.0 * work, 57.0 + 5.0 * k - 12.0 * work)


def _dust(b: Builder, t: I64, k: int) -> F64:
    work = daily(t, (0, 5.9, 6.2, 18.8, 19.2, 24), (0, 0, 1, 1, 0, 0))
    return (0.08 + 0.1 * work) * np.exp(wander(b.rng, t, 0.3, 1_800.0))


def _noise(b: Builder, t: I64, k: int) -> F64:
    """A street of class 4a: by day well below 70 dB(A), by night below 55."""
    street = daily(t, (0, 4, 6, 8, 18, 21, 22.5), (46, 44, 52, 60, 61, 56, 48))
    return street + wander(b.rng, t, 0.8, 1_800.0)


FLEETS = (
    Fleet(kind="road_water_level", place="road", name=Text("积水点", "Low spot"), count=10, zones=3,
          of_place={"closure_depth_cm": 27.0},
          says=(Said(metric="water_depth", life=_puddle, noise=0.12, resolution=0.1),)),
    Fleet(kind="sonar_water_level", place="road", name=Text("超声波点", "Sonar spot"), count=2, zones=1,
          of_place={"closure_depth_cm": 27.0}, of_device={"mount_height_cm": 420.0},
          says=(Said(metric="water_distance", life=lambda b, t, k: 420.0 - _puddle(b, t, k), noise=0.15, resolution=0.1),)),
    Fleet(kind="rain_gauge", place="station", name=Text("雨量站", "Rain station"), count=3, zones=3,
          says=(Said(metric="rain_intensity", life=_rain, noise=0.0, resolution=0.1, least=0.0),)),
    Fleet(kind="river_level_gauge", place="river", name=Text("水位站", "River station"), count=1,
          says=(Said(metric="river_level", life=_river, noise=0.002, resolution=0.001),)),
    Fleet(kind="speed_radar", place="corridor_link", name=Text("快速路段", "Expressway link"), count=6, zones=2,
          of_place={"road_class": 1.0},
          says=(Said(metric="link_speed", life=_speed, noise=1.0, resolution=0.1),)),
    Fleet(kind="gas_detector", place="kitchen", name=Text("餐馆厨房", "Restaurant kitchen"), count=10, zones=4,
          says=(Said(metric="gas_lel", life=_cooking, noise=0.2, resolution=0.1, least=0.0),)),
    Fleet(kind="co_detector", place="garage", name=Text("地下车库", "Garage"), count=2,
          says=(Said(metric="co_ppm", life=_garage, noise=0.5, resolution=1.0, least=0.0),)),
    Fleet(kind="electrical_fire_monitor", place="building", name=Text("配电箱", "Switchboard"), count=2,
          says=(Said(metric="residual_current", life=_leakage, noise=3.0, resolution=1.0, least=0.0),)),
    Fleet(kind="air_station", place="station", name=Text("空气站", "Air station"), count=2,
          says=(
              Said(metric="pm25", life=_air(32.0, *_EVEN), noise=0.8, resolution=1.0, least=0.0),
              Said(metric="pm10", life=_air(55.0, *_EVEN), noise=1.2, resolution=1.0, least=0.0),
              Said(metric="so2", life=_air(9.0, *_EVEN), noise=0.6, resolution=1.0, least=0.0),
              Said(metric="no2", life=_air(36.0, *_RUSH), noise=1.0, resolution=1.0, least=0.0),
              Said(metric="co", life=_air(0.7, *_RUSH), noise=0.02, resolution=0.01, least=0.0),
              Said(metric="o3", life=_air(80.0, *_SUN), noise=1.5, resolution=1.0, least=0.0),
          )),
    Fleet(kind="water_quality_station", place="river", name=Text("水质站", "Water station"), count=1, period_s=900.0,
          says=(
              Said(metric="water_ph", life=_around(7.4, 0.12, 0.04, 7_200.0), noise=0.02, resolution=0.01),
              Said(metric="dissolved_oxygen", life=_around(6.8, 0.8, 0.2, 7_200.0), noise=0.05, resolution=0.01),
              Said(metric="ammonia_nitrogen", life=_around(0.45, 0.03, 0.05, 10_800.0), noise=0.02, resolution=0.01, least=0.02),
              Said(metric="turbidity", life=_around(14.0, 0.6, 1.0, 43_200.0), noise=0.15, resolution=0.1, least=0.5),
              Said(metric="conductivity", life=_around(420.0, 2.0, 4.0, 86_400.0), noise=0.6, resolution=1.0),
          )),
    Fleet(kind="noise_meter", place="street", name=Text("噪声点", "Noise point"), count=2, zones=2,
          of_place={"noise_class": 4.0},
          says=(Said(metric="noise_level", life=_noise, noise=0.6, resolution=0.1),)),
    Fleet(kind="water_pressure_gauge", place="pipe", name=Text("供水测压点", "Water main gauge"), count=4,
          says=(Said(metric="water_pressure", life=_water_main, noise=0.001, resolution=0.001),)),
    Fleet(kind="gas_pressure_gauge", place="pipe", name=Text("燃气测压点", "Gas main gauge"), count=3,
          of_device={"high_kpa": 440.0, "shutoff_kpa": 480.0},
          says=(Said(metric="gas_pressure", life=_gas_main, noise=0.6, resolution=0.1),)),
    Fleet(kind="power_monitor", place="pump_station", name=Text("泵站", "Pump station"), count=2, zones=2,
          says=(Said(metric="supply_voltage", life=_mains, noise=0.4, resolution=0.1),)),
    Fleet(kind="bridge_monitor", place="bridge", name=Text("桥", "Bridge"), count=2,
          of_device={"deflection_warn_mm": 30.0, "deflection_limit_mm": 40.0},
          says=(
              Said(metric="deflection", life=_bridge, noise=0.05, resolution=0.01),
              Said(metric="structure_tilt", life=_around(0.0, 0.012, 0.002, 3_600.0), noise=0.002, resolution=0.001),
          )),
    Fleet(kind="tank_monitor", place="tank", name=Text("储罐", "Tank"), count=2,
          of_device={"pressure_high_mpa": 1.5, "relief_mpa": 1.77},
          says=(
              Said(metric="tank_level", life=_tank, noise=0.03, resolution=0.01),
              Said(metric="tank_pressure", life=_around(0.95, 0.05, 0.004, 3_600.0), noise=0.002, resolution=0.001),
              Said(metric="tank_temperature", life=_around(28.0, 4.0, 0.3, 3_600.0), noise=0.1, resolution=0.1),
          )),
    Fleet(kind="site_dust_monitor", place="building_site", name=Text("工地扬尘", "Site dust"), count=2, zones=2,
          says=(Said(metric="site_dust", life=_dust, noise=0.005, resolution=0.001, least=0.001),)),
)  # fmt: skip
