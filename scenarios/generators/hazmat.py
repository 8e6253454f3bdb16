"""A shift at a tank farm: one tank runs over, one breaks, one is heated by its neighbour, a vessel loses its pressure.

What is ordinary and must raise nothing: filling and emptying, waves and false echoes of the radar, sun on the roof,
spraying, a cloudburst that stands in the dikes.
"""

import numpy as np

from scenarios.building import Builder
from scenarios.generators.shapes import Course, daily, glitches, hours, sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text

HOUR_NS = 3600 * SECOND
TANKS = 12

OVER = Course(h=(1.0, 3.0, 3.5, 4.5), value=(60, 94, 94, 70))  # %, filled too far
BROKEN = Course(h=(5.0, 5.25, 7.0), value=(72, 52, 30))  # %, a flange gives way
POOL = Course(h=(5.02, 5.4, 7.5, 8.5), value=(0, 35, 35, 0))  # cm in its dike, pumped out
VAPOUR = Course(h=(5.05, 5.15, 6.6, 6.9), value=(0, 42, 42, 0))  # %LEL beside it
HEATED = Course(h=(2.0, 3.2, 4.5, 6.5), value=(31, 56, 56, 33))  # °C
PRESSED = Course(h=(0.6, 1.2, 1.8, 4.6), value=(0.9, 1.62, 1.62, 0.95))  # MPa
VENTED = Course(h=(6.2, 6.28, 8.0), value=(0.95, 0.77, 0.76))  # MPa, a seal blows


def hazmat(*, start_ns: int, seed: int, duration_s: float, troubled: float = 1.0) -> Scenario:
    """A tank farm from ``start_ns`` (10:00 local time is meant) on.

    Args:
        start_ns: event time of its begin.
        seed: of the noise.
        duration_s: length, s; all that happens is over after 10 h.
        troubled: 0: an ordinary shift, nothing may be raised.
    """
    title = (
        Text("罐区一班", "A shift at the tank farm") if troubled else Text("罐区平稳", "A quiet tank farm")
    )
    b = Builder(
        "hazmat", title, start_ns=start_ns, seed=seed, duration_s=duration_s, tick_s=60.0, settle_s=10800.0
    )
    bad = bool(troubled)
    rain = b.rng.uniform(6.0, 7.0)
    for k in range(1, TANKS + 1):
        _tank(b, k, bad, rain)
    if bad:
        _truth(b)
    return b.build()


def _tank(b: Builder, k: int, bad: bool, rain: float) -> None:
    id_ = f"TK-{k:02}"
    lon, lat = spot(k, step_m=120.0)
    b.place(id_, "tank", Text(f"{k} 号储罐", f"Tank {k}"), zone=f"TF-{(k + 3) // 4}", lon=lon, lat=lat)
    b.device(f"{id_}-M", "tank_monitor", id_, pressure_high_mpa=1.5, relief_mpa=1.77)
    b.device(f"{id_}-D", "dike_sensor", id_)
    b.device(f"{id_}-G", "tank_farm_gas_detector", id_)
    t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), jitter_s=1.0, missing=0.01)
    h = hours(t, b.start_ns)
    # transfers: the level goes up or down at up to 0.33 % a minute, then rests
    knots = np.cumsum(b.rng.uniform(0.6, 3.0, 4))
    rates = b.rng.permutation([-b.rng.uniform(8.0, 20.0), b.rng.uniform(8.0, 18.0)])  # % an hour
    level = 50.0 + sum(
        r * (np.clip(h, k0, min(k1, k0 + 1.5)) - k0)
        for r, k0, k1 in zip(rates, knots[::2], knots[1::2], strict=True)
    )
    sun = daily(t, (6, 10, 14, 18, 22), (-1, 0, 1, 0.3, -0.6))
    warm = 30.0 + 5.0 * sun + wander(b.rng, t, 0.3, 1800.0)
    spray = 0.08 * ((h > knots[1]) & (h < knots[1] + 0.7)) * np.clip((h - knots[1]) / 0.7, 0, 1)
    pressure = 0.95 + 0.06 * sun - spray + wander(b.rng, t, 0.006, 1200.0)
    dike = 5.0 * np.clip((h - rain) / 0.8, 0, 1)
    lel = 1.0 + wander(b.rng, t, 0.4, 1800.0)
    if bad and k == 3:
        level = OVER.at(h)
    if bad and k == 5:
        level, dike, lel = BROKEN.at(h), dike + POOL.at(h), lel + VAPOUR.at(h)
    if bad and k == 7:
        warm = HEATED.at(h) + wander(b.rng, t, 0.2, 1800.0)
    if bad and k == 8:
        pressure = PRESSED.at(h) + wander(b.rng, t, 0.004, 1200.0)
    if bad and k == 11:
        pressure = VENTED.at(h) + wander(b.rng, t, 0.004, 1200.0)
    level = glitches(b.rng, sensed(b.rng, level, 0.05, 0.01), 0.001, 101.0)
    level = glitches(b.rng, level, 0.001, 2.0)
    b.readings(f"{id_}-M", "tank_level", t, level)
    b.readings(f"{id_}-M", "tank_pressure", t, sensed(b.rng, pressure, 0.002, 0.001))
    b.readings(f"{id_}-M", "tank_temperature", t, sensed(b.rng, warm, 0.1, 0.1))
    b.readings(f"{id_}-D", "dike_liquid", t, np.maximum(sensed(b.rng, dike, 0.1, 0.1), 0))
    b.readings(f"{id_}-G", "gas_lel", t, np.maximum(sensed(b.rng, lel, 0.3, 0.1), 0))


def _truth(b: Builder) -> None:
    def at(h: float) -> int:
        return b.start_ns + round(h * HOUR_NS)

    reached = {3: at(OVER.first(85.0)), 2: at(OVER.first(90.0))}
    b.truth("tank_danger", "TK-03", 2, reached[3], at(OVER.last(85.0)), within_s=240.0, reaches_ns=reached)
    # the flange gives way: the dike has 3 cm more, and 10 cm more, than before
    begin = at(POOL.first(3.0))
    reached = {3: begin, 2: at(POOL.first(10.0))}
    b.truth("hazmat_leak", "TK-05", 2, begin, at(POOL.last(3.0)), within_s=300.0, reaches_ns=reached)
    begin = at(VAPOUR.first(25.0))
    b.truth("gas_leak", "TK-05", 2, begin, at(VAPOUR.last(25.0)), within_s=180.0, reaches_ns={2: begin})
    reached = {4: at(HEATED.first(40.0)), 3: at(HEATED.first(50.0))}
    b.truth("tank_danger", "TK-07", 3, reached[4], at(HEATED.last(40.0)), within_s=300.0, reaches_ns=reached)
    begin = at(PRESSED.first(1.5))
    b.truth("tank_danger", "TK-08", 3, begin, at(PRESSED.last(1.5)), within_s=240.0, reaches_ns={3: begin})
    begin = at(VENTED.first(0.85, falling=True))
    b.truth("hazmat_leak", "TK-11", 3, begin, b.end_ns, within_s=420.0, reaches_ns={3: begin})
