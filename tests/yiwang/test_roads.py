"""Positions on roads."""

import math

import numpy as np
import pytest

from yiwang.roads import Carriageway, fix

EAST = Carriageway(id="E", road_class=1, lon=np.array([113.0, 113.1]), lat=np.array([23.0, 23.0]))
WEST = Carriageway(id="W", road_class=1, lon=np.array([113.1, 113.0]), lat=np.array([23.0003, 23.0003]))


@pytest.mark.parametrize(
    ("lat", "course", "road", "against"),
    [(23.0, 88.0, "E", 2), (23.0003, 271.0, "W", 1), (23.00015, 90.0, "E", 0), (23.00015, 270.0, "W", 0)],
)
def test_a_vehicle_is_on_the_carriageway_that_goes_its_way(
    lat: float, course: float, road: str, against: float
) -> None:
    """Between the two the course decides."""
    found = fix([EAST, WEST], 113.05, lat, 80.0, course)
    assert (found.road, round(found.against_deg)) == (road, against)


def test_against_traffic_where_no_other_carriageway_is_near() -> None:
    """180 degrees on a road of one direction."""
    assert fix([EAST], 113.05, 23.0, 60.0, 270.0).against_deg == pytest.approx(180)


def test_a_course_at_rest_means_nothing() -> None:
    """NaN; the road is known all the same."""
    found = fix([EAST], 113.05, 23.0001, 0.4, 271.0)
    assert (found.road, found.road_class) == ("E", 1)
    assert math.isnan(found.against_deg)


def test_a_depot_is_no_road() -> None:
    """Class 0, without chainage."""
    found = fix([EAST, WEST], 113.05, 23.01, 0.0, 0.0)
    assert (found.road, found.road_class) == ("", 0)
    assert math.isnan(found.chainage_m)


def test_chainage_runs_with_traffic_round_bends() -> None:
    """Along a polyline, metres from its beginning."""
    bend = Carriageway(
        id="B", road_class=2, lon=np.array([113.0, 113.0, 113.02]), lat=np.array([23.0, 23.01, 23.01])
    )
    found = fix([bend], 113.01, 23.01, 40.0, 90.0)
    assert found.chainage_m == pytest.approx(0.01 * 111_320 * (1 + math.cos(math.radians(23.01))), rel=1e-3)
