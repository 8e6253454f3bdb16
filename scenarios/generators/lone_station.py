"""Stations without neighbours, heard every five minutes over many days: what a city often has."""

import numpy as np

from scenarios.building import Builder
from scenarios.generators.corridor import STEP_S, Loops, Loss, Road, day_demand
from scenarios.generators.traffic import Corridor, lay
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text

DAY_S = 86_400.0


def lone_stations(
    *, start_ns: int, seed: int, duration_s: float = 10 * DAY_S, every_s: float = 300.0, rush: float = 600.0
) -> Scenario:
    """Two stations on two roads, each with its rush-hour queue of every working day and three crashes from day 4 on.

    Args:
        start_ns: event time of the first second, midnight before a Monday.
        seed: of demand, noise and crashes.
        duration_s: length.
        every_s: reporting interval.
        rush: demand at the crest of a rush hour above the day's, veh/h and lane.
    """
    b = Builder(
        "lone_stations",
        Text("孤立断面，五分钟数据", "Lone stations, five-minute data"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=300.0,
        settle_s=3600.0,
    )
    steps = int((b.end_ns - b.start_ns) / SECOND / STEP_S)
    t_s = (np.arange(steps, dtype=np.float64) + 1.0) * STEP_S
    for k, zone in enumerate(("R1", "R2")):
        losses = []
        for n in range(3):  # by day, when there is traffic, outside the rush hours
            day = 4 + 2 * n + k % 2
            hour = float(b.rng.choice([10.5, 11.5, 13.0, 14.5])) + float(b.rng.uniform(0, 0.9))
            begin_s = day * DAY_S + hour * 3600.0
            losses.append(Loss(at_m=1_500.0, begin_s=begin_s, end_s=begin_s + 1_500.0, left=0.35))
        demand = day_demand(
            t_s, night=120.0, day=1_200.0, peaks=((7.9, 0.7, rush), (17.8, 0.9, rush)), seed=seed + 50 * k
        )
        weekend = (t_s // DAY_S % 7) >= 5
        demand = np.where(weekend, 0.72 * demand, demand)
        road = Road(length_m=3_000.0, bottleneck_m=2_200.0, bottleneck_left=0.83, losses=tuple(losses))
        loops = Loops(at_m=(1_150.0,), every_s=every_s, dead_lane=0.0)
        lay(b, Corridor(zone=zone, road=road, loops=loops, per_lane=False, seed=seed + 50 * k), demand)
    return b.build()
