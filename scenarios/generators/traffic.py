"""Traffic: crashes, breakdowns, rush hours, road works and failing loops on motorway corridors.

Traffic is made by ``corridor`` (a cell-transmission model). What is true comes from the model without noise, run with and
without each incident: an incident begins with the first report that it changed, and is as severe as its longest queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenarios.building import Builder
from scenarios.generators.corridor import (
    STEP_S,
    Field,
    Loops,
    Loss,
    Measured,
    Road,
    affected,
    day_demand,
    measure,
    simulate,
)
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.registry import Text

LON0, LAT0 = 112.71, 23.91
"""Where the corridors lie: beside the invented city, where no real road is copied."""
QUEUE_M = {2: 2_000.0, 1: 8_000.0}
"""Length of queue of levels II and I; a test holds it to the pack."""
FREE_SHARE = 0.55
BACKGROUND_S = 1_800.0
"""Loops are heard for so long before anything happens, so that means and free speeds are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """One direction of a motorway in a scenario.

    Attributes:
        zone: its name in the registry, such as ``G1E``; stations are ``G1E-03``.
        road: with what happens on it.
        loops: where and how it is measured.
        per_lane: a device for each lane; else one a station.
        optional: losses that may be raised but need not be (planned works).
        seed: of demand and noise.
        north_m: where it is drawn.
    """

    zone: str
    road: Road
    loops: Loops
    per_lane: bool = True
    optional: tuple[Loss, ...] = ()
    seed: int = 0
    north_m: float = 0.0


def stations(length_m: float, spacing_m: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Chainages about so far apart, m; real ones are never even."""
    at = np.arange(600.0, length_m - 300.0, spacing_m)
    return tuple(np.round(at + rng.uniform(-0.12, 0.12, len(at)) * spacing_m).tolist())


def lay(b: Builder, c: Corridor, demand: F64) -> Field:
    """Put a corridor, its readings and its truth into a scenario.

    Args:
        b: the scenario; it begins with the first step of ``demand``.
        c: the corridor.
        demand: float64 (T,), veh/h and lane, a value each step of the model.

    Returns:
        What the model gave.
    """
    model = simulate(c.road, demand, c.seed)
    seen = measure(c.road, model, c.loops, c.seed + 1)
    register(b, c)
    for i in range(len(c.loops.at_m)):
        speak(b, c, i, seen)
    _dead(b, c, seen)
    for loss in c.road.losses:
        without = replace(c.road, losses=tuple(x for x in c.road.losses if x is not loss))
        calm = simulate(without, demand, c.seed)
        _truth(b, c, loss, model, calm, measure(without, calm, c.loops, c.seed + 1), seen)
    return model


def register(b: Builder, c: Corridor) -> None:
    """The stations of a corridor and their devices."""
    for i, at_m in enumerate(c.loops.at_m):
        lon, lat = position(at_m, c.north_m)
        b.place(
            station(c, i),
            "corridor_link",
            Text(f"{c.zone} 桩号 K{at_m / 1000:.1f}", f"{c.zone} at km {at_m / 1000:.1f}"),
            zone=c.zone,
            lon=lon,
            lat=lat,
            chainage_m=at_m,
            road_class=1.0,
        )
        for device in devices(c, i):
            b.device(device, "lane_detector" if c.per_lane else "traffic_station", station(c, i))


def position(at_m: float, north_m: float) -> tuple[float, float]:
    """Of a chainage: (lon, lat) in degrees; corridors run east."""
    return round(LON0 + at_m / (111_320.0 * np.cos(np.radians(LAT0))), 6), round(
        LAT0 + north_m / 111_320.0, 6
    )


def station(c: Corridor, i: int) -> str:
    """Id of a station."""
    return f"{c.zone}-{i + 1:02d}"


def devices(c: Corridor, i: int) -> list[str]:
    """Ids of its devices."""
    return (
        [f"{station(c, i)}-L{k + 1}" for k in range(c.road.lanes)] if c.per_lane else [f"{station(c, i)}-S"]
    )


def speak(b: Builder, c: Corridor, i: int, seen: Measured, keep: F64 | None = None) -> None:
    """Readings of a station; ``keep`` float64 (M,) 1 where its reports come through."""
    lag_s = b.rng.uniform(0.0, 3.0)
    t_ns = b.start_ns + np.round((seen.t_s + lag_s + b.rng.uniform(0, 0.4, len(seen.t_s))) * SECOND).astype(
        np.int64
    )
    flow, occupancy, speed = seen.flow[:, i], seen.occupancy[:, i], seen.speed[:, i]
    if not c.per_lane:
        heard = np.isfinite(flow).sum(axis=1)
        vehicles = np.where(np.isfinite(speed), flow, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.nansum(np.nan_to_num(speed) * vehicles, axis=1) / vehicles.sum(axis=1)
            share = np.nansum(occupancy, axis=1) / heard
            total = np.nansum(flow, axis=1) / heard * c.road.lanes
        flow, occupancy, speed = total[:, None], np.round(share, 1)[:, None], np.round(mean)[:, None]
    for k, device in enumerate(devices(c, i)):
        for metric, value in (
            ("traffic_speed", speed[:, k]),
            ("traffic_occupancy", occupancy[:, k]),
            ("traffic_flow", flow[:, k]),
        ):
            said = np.isfinite(value) & (t_ns < b.end_ns) & (True if keep is None else keep > 0)
            b.readings(device, metric, t_ns[said], np.round(value[said], 1))


def _dead(b: Builder, c: Corridor, seen: Measured) -> None:
    """Lanes that are silent from the beginning may be named as faulty."""
    for i in range(len(c.loops.at_m)):
        for k, device in enumerate(devices(c, i)):
            if not np.isfinite(seen.flow[:, i, k] if c.per_lane else seen.flow[:, i]).any():
                b.truth("sensor_fault", device, 3, b.start_ns, b.end_ns, within_s=7200.0, optional=True)


def _truth(
    b: Builder, c: Corridor, loss: Loss, model: Field, calm: Field, unseen: Measured, seen: Measured
) -> None:
    """What an incident did: nothing where nobody was slowed."""
    changed = affected(seen, unseen, c.road.free_kmh).any(axis=1)
    if not changed.any():
        return
    begin_s = float(seen.t_s[int(changed.argmax())])
    queue_m = queue_of(c.road, loss, model, calm)
    severity = min((level for level, least in QUEUE_M.items() if queue_m.max() >= least), default=3)
    reaches = {3: begin_s} | {
        level: max(begin_s, float(model.t_s[int((queue_m >= least).argmax())]))
        for level, least in QUEUE_M.items()
        if queue_m.max() >= least
    }
    near = sorted(range(len(c.loops.at_m)), key=lambda i: abs(c.loops.at_m[i] - loss.at_m))
    upstream = [i for i in near if c.loops.at_m[i] <= loss.at_m]
    place = station(c, upstream[0] if upstream else near[0])
    around = [i for i in near if -4_000.0 <= c.loops.at_m[i] - loss.at_m <= 1_500.0]
    b.truth(
        "traffic_incident",
        place,
        severity,
        b.start_ns + round(begin_s * SECOND),
        b.start_ns + round(loss.end_s * SECOND),
        within_s=240.0 + c.loops.every_s,
        reaches_ns={level: b.start_ns + round(s * SECOND) for level, s in reaches.items()},
        also=tuple(station(c, i) for i in around if station(c, i) != place),
        optional=loss in c.optional,
    )


def queue_of(road: Road, loss: Loss, model: Field, calm: Field) -> F64:
    """Length of the queue that an incident makes, m: float64 (T,)."""
    slow = (model.speed < FREE_SHARE * road.free_kmh) & (calm.speed - model.speed > 0.2 * road.free_kmh)
    upstream = model.x_m <= loss.at_m + road.cell_m
    return np.asarray((slow & upstream).sum(axis=1) * road.cell_m, np.float64)


def weekday(b: Builder, *, seed: int, first_hour: float, day: float, rush: float, peaks: bool = True) -> F64:
    """Demand of a working day from ``first_hour`` local time on, veh/h and lane, a value each step."""
    steps = int((b.end_ns - b.start_ns) / SECOND / STEP_S)
    t_s = first_hour * 3600.0 + (np.arange(steps, dtype=np.float64) + 1.0) * STEP_S
    crests: Sequence[tuple[float, float, float]] = ((7.9, 0.8, rush), (17.8, 1.0, rush)) if peaks else ()
    return day_demand(t_s, night=150.0, day=day, peaks=crests, seed=seed)


def crash(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 14_400.0,
    spacing_m: float = 500.0,
    every_s: float = 60.0,
    left: float = 0.17,
    demand_veh_h: float = 1_150.0,
    second: float = 1.0,
) -> Scenario:
    """Two lanes of three blocked for 45 minutes, kilometres of queue; a quiet second carriageway with a smaller crash.

    Args:
        start_ns: event time of the first second, about 10 in the morning.
        seed: of positions, demand and noise.
        duration_s: length.
        spacing_m: of the stations.
        every_s: reporting interval.
        left: share of capacity that the crash leaves.
        demand_veh_h: per lane.
        second: 1 for a second crash on the same carriageway, 9 km upstream of the first, a quarter of an hour later.
    """
    b = Builder(
        "traffic_crash",
        Text("高速公路追尾，排队五公里", "Crash on a motorway, five kilometres of queue"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        settle_s=1800.0,
        tick_s=10.0,
    )
    at_m = 11_000.0 + float(b.rng.uniform(-800, 800))
    begin_s = BACKGROUND_S + float(b.rng.uniform(0, 1200))
    losses = [Loss(at_m=at_m, begin_s=begin_s, end_s=begin_s + 2700.0, left=left)]
    if second:
        losses.append(Loss(at_m=at_m - 9_000.0, begin_s=begin_s + 900.0, end_s=begin_s + 2100.0, left=0.35))
    east = Corridor(
        zone="G1E",
        road=Road(length_m=16_000.0, losses=tuple(losses)),
        loops=Loops(at_m=stations(16_000.0, spacing_m, b.rng), every_s=every_s),
        seed=seed,
    )
    west = Corridor(
        zone="G1W",
        road=Road(
            length_m=10_000.0,
            losses=(Loss(at_m=6_200.0, begin_s=begin_s + 3000.0, end_s=begin_s + 4800.0, left=0.45),),
        ),
        loops=Loops(at_m=stations(10_000.0, spacing_m, b.rng), every_s=every_s),
        per_lane=False,
        seed=seed + 50,
        north_m=4_000.0,
    )
    lay(b, east, weekday(b, seed=seed, first_hour=10.0, day=demand_veh_h, rush=0.0, peaks=False))
    lay(b, west, weekday(b, seed=seed + 50, first_hour=10.0, day=1_350.0, rush=0.0, peaks=False))
    return b.build()


def breakdown(
    *, start_ns: int, seed: int, duration_s: float = 10_800.0, spacing_m: float = 500.0, every_s: float = 60.0
) -> Scenario:
    """A lorry on the shoulder that slows nobody, and one that blocks a lane for a quarter of an hour: a short queue."""
    b = Builder(
        "traffic_breakdown",
        Text("车辆抛锚，短时排队", "Breakdowns, a short queue"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        settle_s=1800.0,
        tick_s=10.0,
    )
    shoulder_s = BACKGROUND_S + float(b.rng.uniform(0, 900))
    lane_s = shoulder_s + 3000.0
    losses = (
        Loss(at_m=3_000.0, begin_s=shoulder_s, end_s=shoulder_s + 2400.0, left=0.97),
        Loss(at_m=7_000.0 + float(b.rng.uniform(-600, 600)), begin_s=lane_s, end_s=lane_s + 840.0, left=0.45),
    )
    c = Corridor(
        zone="G1E",
        road=Road(length_m=10_000.0, losses=losses),
        loops=Loops(at_m=stations(10_000.0, spacing_m, b.rng), every_s=every_s),
        seed=seed,
    )
    lay(b, c, weekday(b, seed=seed, first_hour=13.0, day=1_250.0, rush=0.0, peaks=False))
    return b.build()


def rush_hour(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 43_200.0,
    spacing_m: float = 600.0,
    every_s: float = 60.0,
    bottleneck: float = 0.82,
    hidden: float = 0.0,
) -> Scenario:
    """Morning and evening queues at two bottlenecks, as on any day: no incident.

    Args:
        start_ns: event time of the first second, 6 in the morning; later with ``hidden`` crashes.
        seed: of demand and noise.
        duration_s: length.
        spacing_m: of the stations.
        every_s: reporting interval.
        bottleneck: share of capacity at the bottlenecks.
        hidden: 1 for a crash upstream of the queue in the middle of the evening rush.
    """
    b = Builder(
        "traffic_rush_crash" if hidden else "traffic_rush",
        Text("早晚高峰中的事故", "A crash in the rush hour")
        if hidden
        else Text("早晚高峰，无事件", "Rush hours without incident"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        settle_s=1800.0,
        tick_s=10.0,
    )
    crash_s = 10.9 * 3600.0
    losses = (Loss(at_m=3_300.0, begin_s=crash_s, end_s=crash_s + 1500.0, left=0.4),) if hidden else ()
    for k, zone in enumerate(("G1E", "G1W")):
        c = Corridor(
            zone=zone,
            road=Road(
                length_m=12_000.0,
                bottleneck_m=9_500.0 - 1_000.0 * k,
                bottleneck_left=bottleneck + 0.04 * k,
                losses=losses if k == 0 else (),
            ),
            loops=Loops(at_m=stations(12_000.0, spacing_m, b.rng), every_s=every_s),
            per_lane=False,
            seed=seed + 50 * k,
            north_m=4_000.0 * k,
        )
        lay(b, c, weekday(b, seed=seed + 50 * k, first_hour=6.0, day=1_150.0, rush=650.0))
    return b.build()


def road_works(*, start_ns: int, seed: int, duration_s: float = 21_600.0) -> Scenario:
    """One lane closed by plan for four hours: the queue may be raised, but nobody need be called."""
    b = Builder(
        "traffic_works",
        Text("计划占道施工", "Planned road works"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        settle_s=1800.0,
        tick_s=10.0,
    )
    works = Loss(at_m=6_000.0, begin_s=3_600.0, end_s=18_000.0, left=0.62)
    c = Corridor(
        zone="G1E",
        road=Road(length_m=10_000.0, losses=(works,)),
        loops=Loops(at_m=stations(10_000.0, 500.0, b.rng)),
        per_lane=False,
        optional=(works,),
        seed=seed,
    )
    lay(b, c, weekday(b, seed=seed, first_hour=9.0, day=1_480.0, rush=0.0, peaks=False))
    return b.build()


def outage(*, start_ns: int, seed: int, duration_s: float = 21_600.0) -> Scenario:
    """Stations that fall silent, say zero or stand still in the middle of a rush-hour queue: no incident."""
    b = Builder(
        "traffic_outage",
        Text("高峰期检测器故障", "Failing loops in the rush hour"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        settle_s=1800.0,
        tick_s=10.0,
    )
    c = Corridor(
        zone="G1E",
        road=Road(length_m=12_000.0, bottleneck_m=9_500.0, bottleneck_left=0.82),
        loops=Loops(at_m=stations(12_000.0, 600.0, b.rng), dead_lane=0.06, missing=0.03),
        seed=seed,
    )
    demand = weekday(b, seed=seed, first_hour=5.5, day=1_150.0, rush=650.0)
    seen = measure(c.road, simulate(c.road, demand, seed), c.loops, seed + 1)
    register(b, c)
    rush = (seen.t_s > 2.6 * 3600) & (seen.t_s < 3.4 * 3600)
    last = int(np.flatnonzero(np.asarray(c.loops.at_m) < 9_500.0)[-1])  # the station at the head of the queue
    faulty = {last: "silent", last - 2: "zero", last - 4: "still", last - 5: "silent", last + 1: "zero"}
    for i in range(len(c.loops.at_m)):
        fault = faulty.get(i, "")
        keep = np.where(rush, 0.0, 1.0) if fault == "silent" else None
        if fault in ("zero", "still"):
            begin = int(rush.argmax())
            alive = np.isfinite(seen.flow[:, i]).any(axis=0)  # a dead lane says no zeros either
            for column in (seen.flow, seen.occupancy, seen.speed):
                stuck = column[begin - 1, i].copy()
                column[rush, i] = np.where(alive, 0.0 if fault == "zero" else stuck, np.nan)
        speak(b, c, i, seen, keep)
        for device in devices(c, i) if fault else ():
            times = b.start_ns + np.round(seen.t_s[rush][[0, -1]] * SECOND).astype(np.int64)
            b.truth("sensor_fault", device, 3, int(times[0]), int(times[1]), within_s=7200.0, optional=True)
    _dead(b, c, seen)
    return b.build()
