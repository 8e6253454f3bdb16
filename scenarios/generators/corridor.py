"""A motorway corridor in numbers: a cell-transmission model and the loops that look at it. Pure numpy.

The road is cut into cells of ``free_ms * STEP_S`` metres. A cell sends what it holds at free speed up to its
capacity, and takes what its backward waves leave room for; what flows is the lesser of the two (Daganzo 1994, "The
cell transmission model", Transportation Research B 28, 269-287). On top of it:

- a queue discharges less than capacity (capacity drop, 5-15 %: Hall & Agyemang-Duah 1991);
- an incident takes away a share of a cell's capacity for a time (HCM table of remaining capacity: three lanes, one
  blocked: 0.49 left, two blocked: 0.17, accident on the shoulder: 0.83; GK);
- a bottleneck (lane drop, merge) is a cell of less capacity, and fluctuates, which sends stop-and-go waves upstream;
- loops count whole vehicles, measure mean speeds of few vehicles, differ from lane to lane, quantise, and fail.

What is true (who was affected when) is taken from the noise-free model, run with and without the incident.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64

STEP_S = 5.0
"""One step of the model, s; a cell is as long as free traffic goes in it."""
JAM_VEH_PER_KM = 140.0
"""Per lane; 130-150 is usual. GK."""
VEHICLE_M = 6.5
"""Length of a vehicle and a loop together, for occupancy; GK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Capacity taken away somewhere for a time.

    Attributes:
        at_m: position.
        begin_s: from the start.
        end_s: from the start.
        left: share of capacity that is left, 0..1.
    """

    at_m: float
    begin_s: float
    end_s: float
    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """The corridor.

    Attributes:
        length_m: modelled, upstream end is 0.
        lanes: number of lanes.
        free_kmh: free speed.
        capacity_veh_per_h: of a lane.
        drop: share by which a queue discharges less than capacity.
        bottleneck_m: where the recurrent bottleneck is; NaN: none.
        bottleneck_left: its share of capacity.
        bottleneck_noise: standard deviation of its capacity, share; fluctuates over some minutes.
        losses: incidents and road works.
    """

    length_m: float = 12_000.0
    lanes: int = 3
    free_kmh: float = 100.0
    capacity_veh_per_h: float = 2_100.0
    drop: float = 0.08
    bottleneck_m: float = float("nan")
    bottleneck_left: float = 0.85
    bottleneck_noise: float = 0.05
    losses: tuple[Loss, ...] = ()

    @property
    def cell_m(self) -> float:
        """Length of a cell."""
        return self.free_kmh / 3.6 * STEP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What the model gives: per step and cell.

    Attributes:
        t_s: float64 (T,), end of each step.
        x_m: float64 (C,), middle of each cell.
        flow: float64 (T, C), veh/h and lane, out of the cell.
        density: float64 (T, C), veh/km and lane.
        speed: float64 (T, C), km/h; free speed where there is nobody.
    """

    t_s: F64
    x_m: F64
    flow: F64
    density: F64
    speed: F64


def simulate(road: Road, demand_veh_per_h: F64, seed: int) -> Field:
    """Run the model.

    Args:
        road: the corridor.
        demand_veh_per_h: float64 (T,), per lane, wanting to enter in each step; who cannot waits outside.
        seed: of the bottleneck's fluctuations; equal seeds give equal fluctuations with and without incidents.
    """
    rng = np.random.default_rng(seed)
    steps, cells = len(demand_veh_per_h), round(road.length_m / road.cell_m)
    x_m = (np.arange(cells, dtype=np.float64) + 0.5) * road.cell_m
    dt_h, dx_km = STEP_S / 3600.0, road.cell_m / 1000.0
    critical = road.capacity_veh_per_h / road.free_kmh
    wave_kmh = road.capacity_veh_per_h / (JAM_VEH_PER_KM - critical)
    left = np.ones((steps, cells))
    t_s = (np.arange(steps, dtype=np.float64) + 1.0) * STEP_S
    if np.isfinite(road.bottleneck_m):
        at = int(np.argmin(np.abs(x_m - road.bottleneck_m)))
        wobble = slow_noise(rng, steps, 180.0, STEP_S)
        left[:, at] = np.clip(road.bottleneck_left * (1 + road.bottleneck_noise * wobble), 0.3, 1.0)
    for loss in road.losses:
        at = int(np.argmin(np.abs(x_m - loss.at_m)))
        during = (t_s > loss.begin_s) & (t_s <= loss.end_s)
        left[during, at] = np.minimum(left[during, at], loss.left)
    k = np.full(cells, demand_veh_per_h[0] / road.free_kmh)
    waiting = 0.0
    flow, density = np.empty((steps, cells)), np.empty((steps, cells))
    for step in range(steps):
        top = road.capacity_veh_per_h * left[step]
        send = np.minimum(
            k * road.free_kmh, top * (1 - road.drop * np.clip(k / critical - 1.4, 0.0, 0.6) / 0.6)
        )
        take = np.minimum(top, wave_kmh * (JAM_VEH_PER_KM - k))
        inside = np.minimum(send[:-1], take[1:])
        wanted = demand_veh_per_h[step] + waiting / dt_h
        entering = min(wanted, float(take[0]))
        waiting = (wanted - entering) * dt_h
        out = np.append(inside, send[-1])
        k = k + (np.concatenate(([entering], inside)) - out) * dt_h / dx_km
        flow[step], density[step] = out, k
    speed = np.where(density > 0.5, np.minimum(road.free_kmh, flow / np.maximum(density, 0.5)), road.free_kmh)
    return Field(t_s=t_s, x_m=x_m, flow=flow, density=density, speed=speed)


def slow_noise(rng: np.random.Generator, steps: int, tau_s: float, step_s: float) -> F64:
    """Gaussian noise of unit variance that forgets over ``tau_s``: float64 (steps,)."""
    keep = float(np.exp(-step_s / tau_s))
    kicks = rng.normal(0, np.sqrt(1 - keep * keep), steps)
    out, now = np.empty(steps), float(rng.normal())
    for i, kick in enumerate(kicks.tolist()):
        now = keep * now + kick
        out[i] = now
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Where the detectors are and how they measure.

    Attributes:
        at_m: positions of the stations.
        every_s: aggregation and reporting interval.
        missing: share of reports that never come.
        dead_lane: share of lanes that are silent all the time.
    """

    at_m: tuple[float, ...]
    every_s: float = 60.0
    missing: float = 0.01
    dead_lane: float = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the loops say; NaN where they say nothing.

    Attributes:
        t_s: float64 (M,), end of each interval.
        flow: float64 (M, S, lanes), veh/h.
        occupancy: float64 (M, S, lanes), %.
        speed: float64 (M, S, lanes), km/h; NaN also where nobody passed.
        true_speed: float64 (M, S), km/h, of the model, without noise.
    """

    t_s: F64
    flow: F64
    occupancy: F64
    speed: F64
    true_speed: F64 = field(repr=False)


def measure(road: Road, model: Field, loops: Loops, seed: int) -> Measured:
    """Look at the model with loops."""
    rng = np.random.default_rng(seed)
    per = max(1, round(loops.every_s / STEP_S))
    count = len(model.t_s) // per
    at = np.array([int(np.argmin(np.abs(model.x_m - x))) for x in loops.at_m])
    stations, lanes = len(at), road.lanes

    def means(column: F64) -> F64:
        return np.asarray(column[: count * per, at].reshape(count, per, stations).mean(axis=1))

    flow, density = means(model.flow), np.maximum(means(model.density), 1e-3)
    speed = np.minimum(road.free_kmh, flow / density)
    speed = np.where(flow < 1.0, np.where(density > 20, 0.0, road.free_kmh), speed)
    critical = road.capacity_veh_per_h / road.free_kmh
    usual = 1.0 - 0.12 * np.clip(density / critical, 0, 1) ** 2  # free speed falls a little before capacity
    jammed = np.clip((density - critical) / critical, 0, 1)
    wave = np.stack([slow_noise(rng, count, 120.0, loops.every_s) for _ in range(stations)], axis=1)
    station_speed = speed * usual * np.exp(0.18 * jammed * wave)
    # the fast lane carries more when it is full, the lorries' lane is slower until all are slow
    order = np.linspace(1.0, -1.0, lanes) if lanes > 1 else np.zeros(1)
    busy = np.clip(density / critical, 0, 1)[..., None]
    share = 1.0 + order * (0.35 * busy - 0.25) * (1 - jammed[..., None])
    lane_kmh = station_speed[..., None] * (1 + 0.11 * order * (1 - 0.8 * jammed[..., None]))
    vehicles = rng.poisson(np.maximum(flow[..., None] * share, 0.0) * loops.every_s / 3600.0)
    spread = (9.0 - 4.0 * jammed[..., None]) / np.sqrt(np.maximum(vehicles, 1))
    kmh = np.maximum(2.0, lane_kmh + rng.normal(0, 1, lane_kmh.shape) * spread)
    bias = rng.normal(1.0, 0.06, (1, stations, lanes))
    seen_density = np.where(vehicles > 0, vehicles * 3600.0 / loops.every_s / kmh, 0.0)
    standing = (density[..., None] > 60) & (vehicles == 0)
    occupancy = np.where(standing, 92.0, np.clip(seen_density * VEHICLE_M / 10.0 * bias, 0, 96))
    occupancy = np.round(occupancy + np.abs(rng.normal(0, 0.2, occupancy.shape)), 1)
    out_flow = vehicles * 3600.0 / loops.every_s
    out_speed = np.where(vehicles > 0, np.round(kmh), np.nan)
    gone = np.broadcast_to(rng.random((1, stations, lanes)) < loops.dead_lane, out_flow.shape) | (
        rng.random(out_flow.shape) < loops.missing
    )
    return Measured(
        t_s=(np.arange(count, dtype=np.float64) + 1.0) * per * STEP_S,
        flow=np.where(gone, np.nan, out_flow),
        occupancy=np.where(gone, np.nan, occupancy),
        speed=np.where(gone, np.nan, out_speed),
        true_speed=speed,
    )


def day_demand(
    t_s: F64, *, night: float, day: float, peaks: Sequence[tuple[float, float, float]], seed: int
) -> F64:
    """Demand over the day, veh/h and lane.

    Args:
        t_s: float64 (T,), seconds since local midnight, may run over several days.
        night: at its least, around 3:30.
        day: between the peaks.
        peaks: hour, width in hours (standard deviation), height above ``day``.
        seed: of the small differences between days and minutes.
    """
    rng = np.random.default_rng(seed)
    hour = (t_s / 3600.0) % 24.0
    base = night + (day - night) / (1 + np.exp(-(hour - 6.3) * 1.6)) / (1 + np.exp((hour - 21.5) * 1.1))
    for at, width, height in peaks:
        base = base + height * np.exp(-0.5 * ((hour - at) / width) ** 2)
    step_s = float(t_s[1] - t_s[0])
    return np.asarray(np.maximum(20.0, base * (1 + 0.03 * slow_noise(rng, len(t_s), 900.0, step_s))))


def affected(with_loss: Measured, without: Measured, free_kmh: float) -> NDArray[np.bool_]:
    """Which reports an incident changed: bool (M, S), at least 30 % of free speed slower than without it."""
    return np.asarray(without.true_speed - with_loss.true_speed > 0.3 * free_kmh)


def without_losses(road: Road, kept: Sequence[Loss] = ()) -> Road:
    """The same road on which only ``kept`` happen."""
    return replace(road, losses=tuple(kept))
