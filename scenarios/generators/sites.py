"""An afternoon and a night on four building sites.

A crane lifts too much, a gust front passes, dust blows, concrete is poured by night, a pit's wall moves, people go
without helmets and an edge without its guard.

What is ordinary and must raise nothing: jerks at lifting, gusts, a wheel loader's cloud, noise up to the limit by day,
sirens, cameras that see a helmet-less head in a lamp now and then.
"""

import numpy as np

from scenarios.building import Builder
from scenarios.generators.shapes import Course, bursts, daily, hours, sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

HOUR_NS = 3600 * SECOND

LIFT = Course(
    h=(2.0, 2.004, 2.03, 2.034), value=(0, 116, 116, 0)
)  # % of the rated moment, for a minute and a half
GALE = Course(h=(3.0, 3.2, 3.9, 4.3), value=(0, 10.0, 10.0, 0))  # m/s on top
DUST = Course(h=(1.0, 1.05, 2.2, 2.4), value=(0, 1.2, 1.2, 0))  # mg/m³ on top
POURING = Course(h=(8.5, 8.52, 11.2, 11.22), value=(0, 62.0, 62.0, 0))  # dB(A), from 22:30
PIT = Course(h=(4.0, 7.0, 8.0, 9.5), value=(18, 47, 47, 22))  # mm, until the struts press it back
HELMET = (5.5, 5.62)
EDGE = (1.6, 1.9)


def sites(*, start_ns: int, seed: int, duration_s: float, troubled: float = 1.0) -> Scenario:
    """Building sites from ``start_ns`` (14:00 local time is meant) on.

    Args:
        start_ns: event time of its begin.
        seed: of the noise.
        duration_s: length, s; all that happens is over after 13 h.
        troubled: 0: an ordinary afternoon and night, nothing may be raised.
    """
    title = (
        Text("工地之夜", "A night on building sites")
        if troubled
        else Text("工地平稳", "Quiet building sites")
    )
    b = Builder(
        "sites", title, start_ns=start_ns, seed=seed, duration_s=duration_s, tick_s=60.0, settle_s=18000.0
    )
    bad = bool(troubled)
    for k in range(1, 5):
        id_ = f"GD-{k}"
        lon, lat = spot(3 * k)
        b.place(id_, "building_site", Text(f"工地 {k}", f"Site {k}"), zone=f"SITE-{k}", lon=lon, lat=lat)
        _lifting(b, id_, bad)
        _fence(b, id_, bad)
        _cameras(b, id_, bad)
    if bad:
        _truth(b)
    return b.build()


def _at(b: Builder, h: float) -> int:
    return b.start_ns + round(h * HOUR_NS)


def _lifts(b: Builder, t: I64, share: float, worst: float) -> F64:
    """Loads one after another, %: a few minutes each, with a jerk at the begin; none by night."""
    value = np.full(len(t), 4.0)
    now, end = float(t[0]), float(t[-1])
    while now < end:
        length = b.rng.uniform(90, 300) * SECOND
        load = b.rng.uniform(25.0, worst)
        on = (t >= now) & (t < now + length)
        value[on] = load
        first = np.flatnonzero(on)[:1]
        value[first] = load * b.rng.uniform(1.0, 1.25)  # the jerk, one reading long
        now += length / share
    at_work = daily(t, (0, 5.9, 6.0, 19.0, 19.1, 24), (0, 0, 1, 1, 0, 0)) > 0.5
    return np.where(at_work, value, 3.0)


def _lifting(b: Builder, site: str, bad: bool) -> None:
    b.device(f"{site}-TC", "tower_crane", site)
    b.device(f"{site}-SJ", "hoist", site)
    t = b.times(15.0, phase_s=float(b.rng.uniform(0, 14)), missing=0.01)
    h = hours(t, b.start_ns)
    moment = _lifts(b, t, 0.45, 88.0)
    if bad and site == "GD-1":
        moment = np.maximum(moment * (LIFT.at(h) == 0), LIFT.at(h))
    b.readings(f"{site}-TC", "crane_moment", t, sensed(b.rng, moment, 0.6, 0.1))
    b.readings(f"{site}-TC", "crane_load", t, sensed(b.rng, 0.8 * moment, 0.6, 0.1))
    wind = 5.5 + wander(b.rng, t, 0.6, 1800.0) + (GALE.at(h) if bad and site == "GD-2" else 0.0)
    gusty = np.maximum(wind * np.exp(wander(b.rng, t, 0.16, 20.0)), 0.0)
    b.readings(f"{site}-TC", "crane_wind", t, sensed(b.rng, gusty, 0.1, 0.1))
    lean = 0.08 + 0.002 * moment + wander(b.rng, t, 0.01, 600.0)
    b.readings(f"{site}-TC", "crane_tilt", t, sensed(b.rng, lean, 0.01, 0.01))
    b.readings(f"{site}-SJ", "hoist_load", t, sensed(b.rng, _lifts(b, t, 0.5, 85.0), 0.5, 0.1))


def _fence(b: Builder, site: str, bad: bool) -> None:
    b.device(f"{site}-YC", "site_dust_monitor", site)
    b.device(f"{site}-ZS", "site_noise_meter", site)
    b.device(f"{site}-JK", "pit_monitor", site)
    t = b.times(60.0, phase_s=float(b.rng.uniform(0, 59)), missing=0.01)
    h = hours(t, b.start_ns)
    at_work = daily(t, (0, 5.9, 6.2, 18.8, 19.2, 24), (0, 0, 1, 1, 0, 0))
    dust = (0.09 + 0.12 * at_work) * np.exp(wander(b.rng, t, 0.35, 900.0))
    dust += 2.5 * bursts(b.rng, t, 0.5, 100.0) * at_work  # a loader passes
    dust += DUST.at(h) * np.exp(wander(b.rng, t, 0.05, 600.0)) if bad and site == "GD-3" else 0.0
    b.readings(f"{site}-YC", "site_dust", t, np.maximum(sensed(b.rng, dust, 0.005, 0.001), 0))
    level = 45.0 + 20.5 * at_work + wander(b.rng, t, 1.3, 900.0)
    level = _both(level, 80.0 * bursts(b.rng, t, 0.12, 30.0))  # a siren
    level = _both(level, 79.0 * bursts(b.rng, t, 0.6, 59.0) * at_work)  # a saw
    if bad and site == "GD-1":
        level = _both(level, POURING.at(h))
    b.readings(f"{site}-ZS", "noise_level", t, sensed(b.rng, level, 0.7, 0.1))
    t = b.times(600.0, phase_s=float(b.rng.uniform(0, 599)), missing=0.01)
    moved = PIT.at(hours(t, b.start_ns)) if bad and site == "GD-2" else np.full(len(t), 16.0)
    b.readings(
        f"{site}-JK", "pit_displacement", t, sensed(b.rng, moved + wander(b.rng, t, 0.3, 7200.0), 0.2, 0.1)
    )


def _cameras(b: Builder, site: str, bad: bool) -> None:
    camera = f"{site}-CAM"
    b.device(camera, "camera", site)
    for event_class, per_hour in (("no_helmet", 2.0), ("edge_unguarded", 1.0), ("under_the_hook", 0.5)):
        span_h = (b.end_ns - b.start_ns) / HOUR_NS
        for _ in range(b.rng.poisson(per_hour * span_h)):  # seen wrongly, once
            b.video(camera, event_class, _at(b, b.rng.uniform(0, span_h)), round(float(b.rng.beta(5, 4)), 3))
    if bad and site == "GD-4":
        for h in np.arange(HELMET[0], HELMET[1], 12 / 3600):
            b.video(camera, "no_helmet", _at(b, h), round(float(b.rng.uniform(0.74, 0.96)), 3))
        for h in np.arange(EDGE[0], EDGE[1], 60 / 3600):
            b.video(camera, "edge_unguarded", _at(b, h), round(float(b.rng.uniform(0.74, 0.96)), 3))


def _both(a: F64, c: F64) -> F64:
    """Two sources together, dB."""
    return 10.0 * np.log10(10 ** (a / 10) + 10 ** (c / 10))


def _truth(b: Builder) -> None:
    reached = {3: _at(b, LIFT.first(100.0)), 2: _at(b, LIFT.first(110.0))}
    b.truth(
        "lifting_danger", "GD-1", 2, reached[3], _at(b, LIFT.last(100.0)), within_s=60.0, reaches_ns=reached
    )
    begin = _at(b, GALE.first(8.3))  # mean of two minutes at 13.8 m/s
    b.truth("lifting_danger", "GD-2", 3, begin, _at(b, GALE.last(8.3)), within_s=900.0, reaches_ns={3: begin})
    # mean of a quarter of an hour at 1 mg/m³, as far as it is within the cloud
    begin = _at(b, DUST.h[1] + 0.25 * (1.0 - 0.2) / 1.2)
    b.truth("site_dust", "GD-3", 4, begin, _at(b, DUST.h[2]), within_s=600.0, reaches_ns={4: begin})
    # Leq of twenty minutes less the loudest eight at 58 dB(A)
    begin = _at(b, POURING.h[1] + 8 / 60 + 0.2 * 10 ** ((58 - 62) / 10))
    b.truth("site_noise", "GD-1", 4, begin, _at(b, POURING.h[2]), within_s=900.0, reaches_ns={4: begin})
    reached = {4: _at(b, PIT.first(30.0)), 3: _at(b, PIT.first(40.0))}
    b.truth("pit_danger", "GD-2", 3, reached[4], _at(b, PIT.last(30.0)), within_s=2400.0, reaches_ns=reached)
    b.truth("site_violation", "GD-4", 4, _at(b, HELMET[0]), _at(b, HELMET[1]), within_s=60.0)
    b.truth("site_violation", "GD-4", 4, _at(b, EDGE[0]), _at(b, EDGE[1]), within_s=240.0)
