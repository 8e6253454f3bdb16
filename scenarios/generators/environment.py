"""A day and a half of air, water and noise: sand from the north, haze, acid in a brook, a black river, a noisy night.

What is ordinary and must raise nothing: rush hours, fireworks at one station, a probe that is cleaned, algae at noon,
low oxygen before dawn, mud after rain, sirens, horns, works by day. Nothing is taken from detectors: what is true is
worked out from the courses by the definitions of the standards (clock hours, means of 24 h, Leq of an hour).
"""

import math
from collections.abc import Callable

import numpy as np

from scenarios.building import Builder
from scenarios.generators.shapes import (
    Course,
    bursts,
    daily,
    glitches,
    hours,
    sensed,
    spot,
    wander,
)
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

HOUR_NS = 3600 * SECOND
ZONES = {"AIR-N": ("AQ-1", "AQ-2", "AQ-3"), "AIR-S": ("AQ-4", "AQ-5")}
NOISE_CLASS = {"NM-1": 2, "NM-2": 3, "NM-3": 1, "NM-4": 4, "NM-5": 2, "NM-6": 4}

SAND = Course(h=(9.0, 10.5, 11.5, 14.1, 15.6, 17.6), value=(0, 500, 850, 850, 300, 0))  # PM10 on top, µg/m³
HAZE = Course(h=(2.0, 8.0, 23.5, 28.0), value=(0, 180, 180, 0))  # PM2.5 on top
ACID = Course(h=(5.0, 6.0, 9.0, 11.0), value=(7.4, 4.55, 4.55, 7.4))
AMMONIA = Course(h=(12.0, 14.0, 19.0, 22.0), value=(0.4, 11.0, 11.0, 0.4))
BLACK = Course(h=(15.0, 19.0, 27.0, 30.0), value=(5.0, 0.55, 0.55, 5.0))
LOUD_BY_NIGHT = Course(h=(16.5, 16.6, 20.0, 20.1), value=(0, 61.5, 61.5, 0))  # dB(A), from 22:30
LOUD_BY_DAY = Course(h=(25.0, 25.05, 29.0, 29.05), value=(0, 83.5, 83.5, 0))  # pile driving, 07:00 on


def environment(*, start_ns: int, seed: int, duration_s: float, troubled: float = 1.0) -> Scenario:
    """Air, water and noise from ``start_ns`` (06:00 local time is meant) on.

    Args:
        start_ns: event time of its begin.
        seed: of the noise.
        duration_s: length, s; all that happens is over after 46 h.
        troubled: 0: an ordinary day, nothing may be raised.
    """
    title = (
        Text("生态环境三十六小时", "Air, water and noise")
        if troubled
        else Text("环境平稳", "Quiet air and water")
    )
    b = Builder(
        "environment",
        title,
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=60.0,
        settle_s=18000.0,
    )
    bad = bool(troubled)
    _air(b, bad)
    _water(b, bad)
    _noise(b, bad)
    return b.build()


def _air(b: Builder, bad: bool) -> None:
    number = 0
    for zone, stations in ZONES.items():
        # weather of the zone, which its stations share
        grid = np.arange(b.start_ns, b.end_ns, 600 * SECOND)
        air = wander(b.rng, grid, 0.25, 6 * 3600.0)
        for station in stations:
            lon, lat = spot(number)
            number += 1
            b.place(
                station,
                "air_station",
                Text(f"空气站 {station}", f"Air station {station}"),
                zone=zone,
                lon=lon,
                lat=lat,
            )
            b.device(station, "air_station", station)
            t = b.times(300.0, phase_s=float(b.rng.uniform(0, 60)), jitter_s=4.0, missing=0.02)
            stir = np.exp(np.interp(t, grid, air) + wander(b.rng, t, 0.1, 1800.0))
            for metric, value in _gases(b, t, stir).items():
                if metric == "pm25" and zone == "AIR-S":
                    value += _haze(b, t) if bad else 0.0
                    value += 380.0 * bursts(b.rng, t, 0.02, 900.0)  # fireworks near one station
                if metric == "pm10" and zone == "AIR-N" and bad:
                    value += SAND.at(hours(t, b.start_ns)) * np.exp(wander(b.rng, t, 0.03, 1200.0))
                step = 0.01 if metric == "co" else 1.0
                b.readings(
                    station,
                    metric,
                    t,
                    np.maximum(sensed(b.rng, value, 0.02 * float(np.median(value)), step), 0),
                )
    if bad:
        pm10 = lambda t: 62.0 + SAND.at(hours(t, b.start_ns))  # noqa: E731  base as in _gases
        _air_truth(b, "AIR-N", [(pm10, 1, {4: 600.0, 3: 1000.0}), (pm10, 24, {4: 250.0, 3: 350.0, 2: 420.0})])
        pm25 = lambda t: 38.0 + HAZE.at(hours(t, b.start_ns))  # noqa: E731
        _air_truth(b, "AIR-S", [(pm25, 24, {4: 115.0, 3: 150.0, 2: 250.0})])


def _gases(b: Builder, t: I64, stir: F64) -> dict[str, F64]:
    rush = daily(t, (0, 5, 8, 12, 18, 21), (0.7, 0.6, 1.4, 0.9, 1.5, 1.0))
    sun = daily(t, (0, 6, 9, 14, 19, 22), (0.25, 0.2, 0.5, 1.6, 0.6, 0.3))
    return {
        "pm25": 38.0 * stir,
        "pm10": 62.0 * stir,
        "so2": 9.0 * stir,
        "no2": 40.0 * rush * stir,
        "co": 0.7 * rush * stir,
        "o3": 85.0 * sun / np.sqrt(stir),
    }


def _haze(b: Builder, t: I64) -> F64:
    return HAZE.at(hours(t, b.start_ns)) * np.exp(wander(b.rng, t, 0.04, 3600.0))


def _air_truth(
    b: Builder, zone: str, judged: list[tuple[Callable[[I64], F64], int, dict[int, float]]]
) -> None:
    """One pollution of a zone: from the first clock hour whose sliding mean is at a limit to the last."""
    fine = np.arange(b.start_ns // HOUR_NS * HOUR_NS, b.end_ns + HOUR_NS, 60 * SECOND)
    reached: dict[int, int] = {}
    ends: list[int] = []
    for curve, window, limits in judged:
        value = np.where(fine >= b.start_ns, curve(fine), np.nan)
        hourly = value[: len(value) // 60 * 60].reshape(-1, 60).mean(axis=1)
        for i in range(math.ceil(0.75 * window), len(hourly) + 1):
            part = hourly[max(0, i - window) : i]
            part = part[np.isfinite(part)]
            if len(part) < 0.75 * window:
                continue
            moment = int(fine[0]) + i * HOUR_NS
            for level, limit in limits.items():
                if part.mean() >= limit:
                    reached[level] = min(reached.get(level, moment), moment)
                    ends.append(moment)
    b.truth(
        "air_pollution",
        zone,
        min(reached),
        min(reached.values()),
        max(ends),
        within_s=3900.0,
        reaches_ns=reached,
    )


def _water(b: Builder, bad: bool) -> None:
    for i in range(1, 7):
        station = f"WQ-{i}"
        lon, lat = spot(20 + i)
        b.place(
            station,
            "river",
            Text(f"水质站 {station}", f"Water station {station}"),
            zone=f"RV-{(i + 1) // 2}",
            lon=lon,
            lat=lat,
        )
        b.device(station, "water_quality_station", station)
        t = b.times(900.0, phase_s=float(b.rng.uniform(0, 600)), jitter_s=5.0, missing=0.02)
        h = hours(t, b.start_ns)
        algae = daily(t, (0, 6, 10, 15, 19, 22), (-0.5, -1.0, 0.4, 1.0, 0.4, -0.2))
        ph = 7.4 + (0.65 if i == 4 else 0.15) * algae + wander(b.rng, t, 0.05, 7200.0)
        oxygen = 6.0 + (2.2 if i == 4 else 1.0) * algae + wander(b.rng, t, 0.3, 7200.0)
        ammonia = np.maximum(0.45 + wander(b.rng, t, 0.1, 10800.0), 0.05)
        mud = 18.0 * np.exp(wander(b.rng, t, 0.2, 21600.0))
        for begin in b.rng.uniform(0, 46, b.rng.poisson(1.4)):
            # rain: mud within two hours, clear again in half a day
            mud += 320.0 * np.clip((h - begin) / 2.0, 0, 1) * np.exp(-np.maximum(h - begin - 2.0, 0) / 5.0)
        salt = 420.0 * np.exp(wander(b.rng, t, 0.03, 72000.0))
        if bad and i == 1:
            ph = ACID.at(h) + wander(b.rng, t, 0.03, 7200.0)
        if bad and i == 2:
            ammonia = AMMONIA.at(h) * np.exp(wander(b.rng, t, 0.02, 7200.0))
        if bad and i == 3:
            oxygen = np.maximum(BLACK.at(h) + wander(b.rng, t, 0.03, 7200.0), 0.0)
        cleaned = bursts(b.rng, t, 0.04, 1000.0)  # the probe is out of the water for a reading or two
        ph, oxygen = np.where(cleaned > 0, 5.4, ph), np.where(cleaned > 0, oxygen + 2.9, oxygen)
        b.readings(station, "water_ph", t, sensed(b.rng, ph, 0.02, 0.01))
        b.readings(station, "dissolved_oxygen", t, np.maximum(sensed(b.rng, oxygen, 0.05, 0.01), 0))
        b.readings(
            station,
            "ammonia_nitrogen",
            t,
            np.maximum(glitches(b.rng, sensed(b.rng, ammonia, 0.02, 0.01), 0.003, 9.0), 0),
        )
        b.readings(station, "turbidity", t, np.maximum(sensed(b.rng, mud, 0.5, 0.1), 0))
        b.readings(station, "conductivity", t, sensed(b.rng, salt, 2.0, 1.0))
    if bad:
        _water_truth(b, "WQ-1", ACID, {4: 6.0, 3: 5.0}, falling=True, within_s=3600.0)
        _water_truth(b, "WQ-2", AMMONIA, {4: 2.0, 3: 8.0}, falling=False, within_s=3600.0)
        _water_truth(b, "WQ-3", BLACK, {4: 2.0, 3: 1.0}, falling=True, within_s=5400.0)


def _water_truth(
    b: Builder, place: str, course: Course, limits: dict[int, float], *, falling: bool, within_s: float
) -> None:
    reached = {
        level: b.start_ns + round(course.first(x, falling=falling) * HOUR_NS) for level, x in limits.items()
    }
    end = b.start_ns + round(course.last(limits[4], falling=falling) * HOUR_NS)
    b.truth(
        "water_pollution",
        place,
        min(reached),
        min(reached.values()),
        end,
        within_s=within_s,
        reaches_ns=reached,
    )


def _noise(b: Builder, bad: bool) -> None:
    for i, (meter, of_class) in enumerate(NOISE_CLASS.items()):
        lon, lat = spot(40 + i)
        b.place(
            meter,
            "street",
            Text(f"噪声点 {meter}", f"Noise point {meter}"),
            zone=f"NZ-{i // 2}",
            lon=lon,
            lat=lat,
            noise_class=of_class,
        )
        b.device(meter, "noise_meter", meter)
        t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.01)
        h = hours(t, b.start_ns)
        base = {1: 48.0, 2: 52.0, 3: 57.0, 4: 63.0}[of_class]
        level = (
            base
            + daily(t, (0, 4, 7, 9, 18, 21, 22, 23), (-8, -10, -2, 1, 1, -2, -6, -8))
            + wander(b.rng, t, 1.2, 900.0)
        )
        for loud, per_hour, length_s in ((82.0, 0.1, 60.0), (76.0, 0.25, 40.0), (74.0, 0.03, 300.0)):
            level = _both(
                level, loud * bursts(b.rng, t, per_hour, length_s)
            )  # sirens, horns, a dog or a parade
        if bad and meter == "NM-1":
            level = _both(level, LOUD_BY_NIGHT.at(h))
        if bad and meter == "NM-2":
            level = _both(level, LOUD_BY_DAY.at(h))
        b.readings(meter, "noise_level", t, sensed(b.rng, level, 0.8, 0.1))
    if bad:
        # Leq of an hour less its loudest twenty minutes is at the limit once the loud part is so much longer
        for meter, course, loud, limit, worst in (
            ("NM-1", LOUD_BY_NIGHT, 61.5, 55.0, 4),
            ("NM-2", LOUD_BY_DAY, 83.5, 70.0, 3),
        ):
            share = 10 ** ((limit - loud) / 10)
            begin = course.h[1] + 1 / 3 + share * 2 / 3
            reached = {
                4: b.start_ns + round((begin - 0.1) * HOUR_NS)
            }  # what else is heard makes it a little earlier
            if worst == 3:
                reached[3] = b.start_ns + round(
                    (course.h[1] + 1 / 3 + 10 ** ((80.0 - loud) / 10) * 2 / 3 - 0.1) * HOUR_NS
                )
            b.truth(
                "noise_nuisance",
                meter,
                worst,
                reached[4],
                b.start_ns + round(course.h[2] * HOUR_NS),
                within_s=1500.0,
                reaches_ns=reached,
            )


def _both(a: F64, c: F64) -> F64:
    """Two sources together, dB."""
    return 10.0 * np.log10(10 ** (a / 10) + 10 ** (c / 10))
