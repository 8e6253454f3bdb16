"""A storm over a whole district: dozens of streets flooded at once, and everything else that goes wrong in such a night.

Made for the question whether one seat can lead it: many sites with one cause, a gas leak and a fire among them, a road
that gets stuck, cameras, callers, a warning, and gauges that break. The floods are those of ``hydrology``; truth comes
from its curves, before any sensor's noise.
"""

from dataclasses import dataclass

import numpy as np

from scenarios.building import Builder
from scenarios.generators import hydrology as hydro
from scenarios.generators.safety import Leak, add_gas, add_sites
from scenarios.generators.shapes import sensed, spot, wander
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.registry import Text

RUNGS_CM = {4: 5.0, 3: 15.0, 2: 27.0, 1: 50.0}
"""As the pack's default and the closure depth of these places."""
PEAKS_CM = {4: (8.5, 12.5), 3: (18.5, 23.5), 2: (31.0, 46.0), 1: (55.0, 75.0)}
SHARES = {4: 0.30, 3: 0.35, 2: 0.25, 1: 0.10}
APART_S = 3000.0  # two floods of a site closer than linger and hold together are one
PERIOD_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A low spot with its true depth at each step of the model, cm."""

    id: str
    zone: str
    depth: F64
    camera: bool


def mixed_storm_night(
    *, start_ns: int, seed: int, duration_s: float = 18_000.0, sites: int = 64, flooded: int = 38
) -> Scenario:
    """The night.

    Args:
        start_ns: first second, best in the evening.
        seed: of everything.
        duration_s: length; the last street is dry after about four hours.
        sites: low spots with a gauge.
        flooded: of them that flood.
    """
    b = Builder(
        "mixed_storm_night",
        Text("全区暴雨夜", "A storm over the whole district"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=10.0,
        settle_s=600.0,
        merge_s=APART_S,
    )
    t_s = hydro.clock(duration_s)
    zones = [f"CA-{k + 1:02d}" for k in range(max(1, sites // 6))]
    rains = {zone: _rain(b, t_s) for zone in zones}
    for k, zone in enumerate(zones):
        _gauge_of_rain(b, k, zone, rains[zone])
    town = _town(b, zones, rains, sites, flooded, t_s)
    broken = _broken(b, town)
    for site in town:
        _water(b, site, broken.get(site.id, ""))
        _truth(b, site)
    _seen_and_told(b, town)
    _gas(b)
    _fire(b, duration_s)
    _traffic(b, duration_s)
    b.warning(
        "rainstorm",
        start_ns + 600 * SECOND,
        b.end_ns,
        level=2,
        headline=Text("暴雨橙色预警", "Rainstorm, orange"),
    )
    return b.build()


def _rain(b: Builder, t_s: F64) -> F64:
    """The storm as one catchment has it: two showers that reach every one a little earlier or later."""
    while True:
        rain = hydro.rainfall(
            [
                hydro.Cell(
                    begin_min=b.rng.uniform(8, 25), peak_min=b.rng.uniform(28, 40), mm_h=b.rng.uniform(58, 90)
                ),
                hydro.Cell(
                    begin_min=b.rng.uniform(75, 95),
                    peak_min=b.rng.uniform(15, 25),
                    mm_h=b.rng.uniform(25, 42),
                ),
            ],
            t_s,
        )
        hour, three = hydro.sums(rain, 1.0), hydro.sums(rain, 3.0)
        # levels must not hang on the gauge's noise
        if (
            hydro.clear_of(rain, (50,), 5)
            and hydro.clear_of(hour, (50,), 4)
            and hydro.clear_of(three, (50, 100), 5)
        ):
            return rain


def _gauge_of_rain(b: Builder, k: int, zone: str, rain: F64) -> None:
    id_ = f"RS-{k + 1:02d}"
    lon, lat = spot(k, step_m=2_100.0)
    b.place(id_, "station", Text(f"{zone} 雨量站", f"Rain station {zone}"), zone=zone, lon=lon, lat=lat)
    b.device(f"{id_}-R", "rain_gauge", id_)
    t = b.times(PERIOD_S, phase_s=float(b.rng.uniform(0, 59)), jitter_s=1.0, missing=0.005)
    value = hydro.sampled(rain, (t - b.start_ns) / SECOND) * (1 + b.rng.normal(0, 0.03, len(t)))
    b.readings(f"{id_}-R", "rain_intensity", t, np.maximum(np.round(value, 1), 0.0))
    hour, three, six = (hydro.sums(rain, h) for h in (1.0, 3.0, 6.0))
    found = hydro.reached(
        {
            4: np.maximum(rain - 20, hour - 20),
            3: np.maximum.reduce([rain - 50, hour - 50, six - 50]),
            2: three - 50,
            1: three - 100,
        }
    )
    b.truth(
        "heavy_rain",
        zone,
        found.severity,
        _at(b, found.begin),
        _at(b, found.end),
        within_s=240.0,
        reaches_ns={level: _at(b, step) for level, step in found.first.items()},
    )


def _at(b: Builder, step: int) -> int:
    return min(b.start_ns + round(step * hydro.STEP_S * SECOND), b.end_ns)


def _town(
    b: Builder, zones: list[str], rains: dict[str, F64], sites: int, flooded: int, t_s: F64
) -> list[Site]:
    levels = b.rng.choice(list(SHARES), flooded, p=list(SHARES.values())).tolist()
    hot = dict(zip(b.rng.choice(sites, flooded, replace=False).tolist(), levels, strict=True))
    town = []
    for k in range(sites):
        zone = zones[k % len(zones)]
        pond = hydro.Pond(
            gain=1.0, drain_mm_h=float(b.rng.uniform(26, 38)), lag_min=float(b.rng.uniform(4, 9))
        )
        shape = hydro.ponding(pond, rains[zone])
        most = float(b.rng.uniform(*PEAKS_CM[hot[k]])) if k in hot else float(b.rng.uniform(0.3, 3.2))
        depth = shape * (most / max(float(shape.max()), 1e-6))  # a pond of one shape is as deep as its gain
        site = Site(id=f"RD-{k + 1:02d}", zone=zone, depth=depth, camera=k % 4 == 0)
        lon, lat = spot(100 + k, step_m=650.0)
        b.place(
            site.id,
            "road",
            Text(f"积水点 {k + 1}", f"Low spot {k + 1}"),
            zone=zone,
            lon=lon,
            lat=lat,
            closure_depth_cm=RUNGS_CM[2],
        )
        b.device(f"{site.id}-W", "road_water_level", site.id)
        if site.camera:
            b.device(f"{site.id}-C", "camera", site.id)
        town.append(site)
    b.unit("DRAIN-1", "drainage", lon=113.32, lat=23.11, name=Text("排涝一队", "Drainage crew 1"))
    b.unit("DRAIN-2", "drainage", lon=113.35, lat=23.13, name=Text("排涝二队", "Drainage crew 2"))
    return town


def _broken(b: Builder, town: list[Site]) -> dict[str, str]:
    """Gauges at dry places that fall silent or cry out: of different catchments, so that it is no outage."""
    dry = [s for s in town if s.depth.max() < RUNGS_CM[4]]
    one_a_zone = {s.zone: s.id for s in dry}
    chosen = list(one_a_zone.values())[:4]
    return dict(zip(chosen, ("silent", "spikes", "silent", "spikes"), strict=False))


def _water(b: Builder, site: Site, fault: str) -> None:
    t = b.times(PERIOD_S, phase_s=float(b.rng.uniform(0, 59)), jitter_s=2.0, missing=0.01)
    value = hydro.gauge(hydro.sampled(site.depth, (t - b.start_ns) / SECOND), b.rng)
    device = f"{site.id}-W"
    if fault == "silent":
        stop = b.start_ns + round(b.rng.uniform(2000, 5000) * SECOND)
        kept = t < stop
        t, value = t[kept], value[kept]
        b.truth(
            "sensor_fault", device, 3, int(t[-1]), b.end_ns, within_s=1_080.0, reasons=("silence.offline",)
        )
    if fault == "spikes":
        at = np.sort(b.rng.choice(len(t) // 3, 2, replace=False) * 3 + 1)
        value[at] = b.rng.uniform(60, 90, 2)
        b.truth("sensor_fault", device, 4, int(t[at[0]]), b.end_ns, within_s=600.0, optional=True)
    b.readings(device, "water_depth", t, value)


def _truth(b: Builder, site: Site) -> None:
    for episode in hydro.episodes(site.depth, RUNGS_CM, APART_S):
        wet = np.flatnonzero(site.depth > 0.5)
        b.truth(
            "road_flooding",
            site.id,
            episode.severity,
            _at(b, episode.begin),
            _at(b, episode.end),
            within_s=2 * PERIOD_S + 10.0,  # one reading may be missing
            reaches_ns={level: _at(b, step) for level, step in episode.first.items()},
            episode_ns=(_at(b, min(int(wet[0]), episode.begin)), _at(b, max(int(wet[-1]), episode.end))),
        )


def _seen_and_told(b: Builder, town: list[Site]) -> None:
    """Cameras see deep water most of the time; people call about what they stand in; one call is wrong."""
    for site in town:
        steps = np.flatnonzero(site.depth >= 15.0)
        if site.camera and len(steps):
            for step in range(int(steps[0]) + 6, int(steps[-1]), 6):
                if b.rng.random() < 0.7:
                    b.video(
                        f"{site.id}-C",
                        "road_flooding",
                        _at(b, step),
                        round(float(b.rng.uniform(0.62, 0.95)), 3),
                    )
        elif site.camera:
            for _ in range(b.rng.poisson(1.0)):  # wet asphalt
                moment = b.start_ns + round(b.rng.uniform(0, 0.9) * (b.end_ns - b.start_ns))
                b.video(f"{site.id}-C", "road_flooding", moment, round(float(b.rng.uniform(0.3, 0.58)), 3))
        if len(steps) and b.rng.random() < 0.4:
            moment = _at(b, int(b.rng.choice(steps)))
            b.report(
                "road_flooding",
                moment,
                by="hotline-12345",
                place=site.id,
                level=3,
                certainty=round(float(b.rng.uniform(0.5, 0.8)), 2),
                text="路面积水，车辆熄火",
            )
    dry = next(s for s in town if s.depth.max() < 2.0)
    b.report(
        "road_flooding",
        b.start_ns + 4_000 * SECOND,
        by="hotline-12345",
        place=dry.id,
        certainty=0.3,
        text="好像有点积水",
    )


def _gas(b: Builder) -> None:
    sites = add_sites(b)
    chamber = next(s for s, kind in sites.items() if kind == "valve_chamber")
    begin = float(b.rng.uniform(3_000, 5_000))
    leak = Leak(
        metric="gas_lel", end=37.0, begin_s=begin, stop_s=begin + 3_600.0, rate=1 / 300.0, aired=1 / 300.0
    )
    add_gas(b, sites, period_s=PERIOD_S, leaks={chamber: leak})


def _fire(b: Builder, duration_s: float) -> None:
    """A shop burns; a camera across the street sees it."""
    lon, lat = spot(42)
    b.place("SHOP-1", "building", Text("沿街商铺", "Shop"), zone="BL-9", lon=lon, lat=lat)
    b.device("SHOP-1-C", "camera", "SHOP-1")
    begin = float(b.rng.uniform(0.4, 0.6)) * duration_s
    seen = np.arange(begin, begin + 900.0, 5.0)
    for second in seen[b.rng.random(len(seen)) < 0.85].tolist():
        moment = b.start_ns + round(second * SECOND)
        b.video("SHOP-1-C", "fire", moment, round(float(b.rng.uniform(0.78, 0.96)), 3))
    first, last = (b.start_ns + round(s * SECOND) for s in (begin, begin + 900.0))
    b.truth("fire", "SHOP-1", 2, first, last, within_s=60.0)


def _traffic(b: Builder, duration_s: float) -> None:
    """Four links of an arterial, slow in the rain; on one the traffic stands for three quarters of an hour."""
    stuck_s = float(b.rng.uniform(0.3, 0.4)) * duration_s
    for k in range(4):
        id_ = f"LK-{k + 1:02d}"
        lon, lat = spot(200 + k, step_m=500.0)
        b.place(
            id_,
            "corridor_link",
            Text(f"主干路 K{k}", f"Arterial K{k}"),
            zone="ART",
            lon=lon,
            lat=lat,
            road_class=2,
        )
        b.device(f"{id_}-S", "speed_radar", id_)
        t = b.times(PERIOD_S, phase_s=float(b.rng.uniform(0, 59)), jitter_s=1.0, missing=0.01)
        true = _speed(t, b.start_ns, stuck_s if k == 1 else None)
        b.readings(
            f"{id_}-S",
            "link_speed",
            t,
            np.maximum(sensed(b.rng, true + wander(b.rng, t, 1.0, 300.0), 0.8, 0.1), 1),
        )
    fine = b.start_ns + np.arange(0, round(duration_s)) * SECOND
    true = _speed(fine, b.start_ns, stuck_s)
    found = hydro.reached({4: 20.0 - true, 3: 15.0 - true})
    grade = next(e for e in b.domains.detectors if e.id == "speed.grade")  # slow links are of its kind
    b.truth(
        grade.kind,
        "ART" if b.domains.kinds[grade.kind].by == "zone" else "LK-02",
        3,
        int(fine[found.begin]),
        int(fine[found.end]),
        within_s=330.0,  # the grade is confirmed for two minutes, and a reading may be missing
        reaches_ns={level: int(fine[step]) for level, step in found.first.items()},
    )
    # one link of four stands: whoever says so of the whole arterial is not wrong
    b.truth(
        "area_congestion",
        "ART",
        4,
        int(fine[found.begin]),
        int(fine[found.end]),
        within_s=600.0,
        optional=True,
    )


def _speed(t: I64, start_ns: int, stuck_s: float | None) -> F64:
    """Speed of a link of class 2, km/h: free until it rains, slow afterwards, standing where it is stuck."""
    s = (t - start_ns) / SECOND
    free: F64 = np.interp(s, [0, 1_500, 2_700, 9_000], [52, 50, 40, 48])
    if stuck_s is None:
        return free
    return free * np.interp(
        s, [stuck_s, stuck_s + 240, stuck_s + 2_700, stuck_s + 3_300], [1.0, 0.2, 0.2, 1.0]
    )
