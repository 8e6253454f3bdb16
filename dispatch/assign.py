"""Whom to send: the nearest free unit on duty with the skill."""

from collections.abc import Collection
from math import asin, cos, radians, sin, sqrt

from dispatch.state import State
from yiwang.registry import Unit

EARTH_M = 6_371_008.8
"""Mean radius of the earth, metres (IUGG)."""


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance (haversine), metres, to a tenth.

    The rounding keeps the choice of a unit the same on machines whose sine differs in the last bit.

    >>> distance_m(113.0, 23.0, 113.0, 24.0)
    111195.1
    """
    phi1, phi2 = radians(lat1), radians(lat2)
    half = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin(radians(lon2 - lon1) / 2) ** 2
    return round(2 * EARTH_M * asin(min(1.0, sqrt(half))), 1)


def nearest(
    state: State, skill: str, lon: float, lat: float, tried: Collection[str] = ()
) -> tuple[Unit, float] | None:
    """The nearest unit that is on duty, free, has the skill and was not tried, and its distance in metres.

    Equal distances are decided by the id.
    """
    free = [
        (distance_m(lon, lat, unit.lon, unit.lat), unit.id)
        for unit in state.roster.values()
        if unit.skill == skill and unit.on_duty and not state.units[unit.id].order and unit.id not in tried
    ]
    if not free:
        return None
    distance, id_ = min(free)
    return state.roster[id_], distance
