"""Positions on roads: what a vehicle's track becomes before detectors see it. Pure.

A key vehicle sends positions (JT/T 808 message 0x0200: longitude, latitude, speed, course). Detectors see numbers, so each
position becomes three readings of the vehicle: ``vehicle_speed`` km/h; ``vehicle_road_class`` of the road it is on, 0 on
none (a depot, a car park); and, while it moves, ``vehicle_against_deg``, the angle between its course and the direction in
which its carriageway is driven. ``fix`` does this for one position; whoever feeds positions calls it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, radians

import numpy as np

from yiwang.columns import F64

METRES_PER_DEGREE = 111_320.0
MOVING_KMH = 5.0
"""Below, a GNSS course means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carriageway:
    """One direction of a road.

    Attributes:
        id: its name.
        road_class: 1 expressway, 2 main road, 3 other road.
        lon: float64 (k,), degrees, WGS 84, in the direction of traffic. Likewise ``lat``.
        half_m: half its width and a position's error, m.
    """

    id: str
    road_class: int
    lon: F64
    lat: F64
    half_m: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """Where a vehicle is.

    Attributes:
        road: id of the carriageway; empty on none.
        road_class: of it; 0 on none.
        chainage_m: along it; NaN on none.
        against_deg: 0 with traffic to 180 against it; NaN on none or while it stands.
    """

    road: str
    road_class: int
    chainage_m: float
    against_deg: float


def fix(roads: Sequence[Carriageway], lon: float, lat: float, speed_kmh: float, course_deg: float) -> Fix:
    """The carriageway that a position lies on.

    Of several within reach the one whose direction is nearest to the vehicle's course is taken; a vehicle that drives
    against its own carriageway is found where no other is near that goes its way.

    Args:
        roads: of the district.
        lon: degrees, WGS 84. Likewise ``lat``.
        speed_kmh: of the vehicle.
        course_deg: 0 north, 90 east.

    >>> road = Carriageway(id="G1E", road_class=1, lon=np.array([113.0, 113.1]), lat=np.array([23.0, 23.0]))
    >>> with_traffic = fix([road], 113.05, 23.0001, 80.0, 91.0)
    >>> with_traffic.road, round(with_traffic.chainage_m), round(with_traffic.against_deg)
    ('G1E', 5124, 1)
    >>> round(fix([road], 113.05, 23.0001, 60.0, 270.0).against_deg), fix([road], 113.05, 23.01, 0.0, 0.0).road_class
    (180, 0)
    """
    best = Fix(road="", road_class=0, chainage_m=float("nan"), against_deg=float("nan"))
    least = float("inf")
    for road in roads:
        wide = METRES_PER_DEGREE * cos(radians(lat))
        x, y = (road.lon - lon) * wide, (road.lat - lat) * METRES_PER_DEGREE
        dx, dy = np.diff(x), np.diff(y)
        length = np.hypot(dx, dy)
        along = np.clip(-(x[:-1] * dx + y[:-1] * dy) / np.maximum(length, 1e-9) ** 2, 0.0, 1.0)
        away = np.hypot(x[:-1] + along * dx, y[:-1] + along * dy)
        i = int(away.argmin())
        if away[i] > road.half_m:
            continue
        moving = speed_kmh >= MOVING_KMH
        direction = float(np.degrees(np.arctan2(dx[i], dy[i])))
        against = abs((course_deg - direction + 180.0) % 360.0 - 180.0) if moving else float("nan")
        cost = hypot(float(away[i]), against if moving else 0.0)
        if cost < least:
            least = cost
            chainage = float(length[:i].sum() + along[i] * length[i])
            best = Fix(road=road.id, road_class=road.road_class, chainage_m=chainage, against_deg=against)
    return best
