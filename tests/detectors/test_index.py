"""The traffic performance index."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.index import Index, area_index, performance_index
from tests.detectors.feeding import MINUTE, round_of
from tests.detectors.roads import layout

AREA = {
    "free_kmh": 60.0,
    "length_m": 500.0,
    "heavy": 8.0,
    "fresh_s": 300.0,
    "confirm_s": 120.0,
    "hold_s": 120.0,
    "level": 4.0,
}


@pytest.mark.parametrize(
    ("ratio", "index"), [(1.0, 0), (1.2, 2), (1.5, 4), (1.8, 6), (2.1, 8), (2.7, 10), (9.0, 10), (0.7, 0)]
)
def test_the_scale_is_that_of_travel_time(ratio: float, index: float) -> None:
    """domain.md D2: a loss of 0.2, 0.5, 0.8 and 1.1 of the free travel time divides the grades."""
    assert performance_index(np.array([ratio]))[0] == pytest.approx(index)


def test_longer_links_weigh_more_and_one_blocked_link_is_no_area() -> None:
    """Travel times are summed; a link counts at most three times its free one."""
    zone = np.zeros(2, np.int32)
    free, length = np.array([60.0, 60.0]), np.array([3000.0, 1000.0])
    assert area_index(np.array([60.0, 30.0]), free, length, zone, 1)[0] < 3
    assert area_index(np.array([30.0, 60.0]), free, length, zone, 1)[0] > 5
    blocked = area_index(np.array([60.0, 0.0]), free, length, zone, 1)
    assert blocked[0] == pytest.approx(4.0)


def test_less_than_half_measured_says_nothing() -> None:
    """NaN, and faster than free is not better than free."""
    zone = np.array([0, 0, 1], np.int32)
    found = area_index(
        np.array([np.nan, 20.0, 80.0]), np.full(3, 60.0), np.array([900.0, 100.0, 1.0]), zone, 2
    )
    assert np.isnan(found[0])
    assert found[1] == 0


def drive(detector: Index, rows: list[tuple[float, ...]]) -> list[tuple[float, int]]:
    """A row of speeds a minute, and a tick: (minute, level)."""
    state = detector.start(len(rows[0]))
    said = []
    for minute, row in enumerate(rows):
        detector.step(state, round_of(*((s, minute, v, 0) for s, v in enumerate(row))))
        said += [(float(minute), int(x)) for x in detector.tick(state, minute * MINUTE).level]
    return said


def test_an_area_is_found_when_it_has_been_heavy_for_a_while() -> None:
    """And over when it has been a step better for a while."""
    area = Index(**AREA, layout=layout((0.0, 1.0, 2.0), 1, (0,)))
    jam, fair = (20.0, 22.0, 25.0), (50.0, 55.0, 48.0)
    assert drive(area, [fair, jam, jam, fair, jam, jam, jam, fair, fair, fair]) == [(6, 4), (9, 0)]


def test_free_speed_is_learned_where_it_is_not_registered() -> None:
    """From the faster hours."""
    area = Index(**{**AREA, "free_kmh": np.nan}, layout=layout((0.0,), 1, (0,)))
    rows = [(60.0,)] * 60 + [(20.0,)] * 5
    assert drive(area, rows) == [(62, 4)]


def test_what_was_said_of_a_series_that_leads_no_zone_any_more_is_over() -> None:
    """A link registered before it is moved into its zone: the new first series speaks from then on."""
    apart = replace(layout((0.0, 1.0, 2.0), 1, (0,)), zone=np.array([0, 0, 1], np.int32))
    area, moved = (
        Index(**AREA, layout=one) for one in (apart, replace(apart, zone=np.array([0, 1, 1], np.int32)))
    )
    state = area.start(3)
    said = []
    for minute in range(8):
        area = moved if minute == 4 else area
        area.step(state, round_of(*((s, minute, 20.0, 0) for s in range(3))))
        found = area.tick(state, minute * MINUTE)
        said += [(minute, *row) for row in zip(found.series.tolist(), found.level.tolist(), strict=True)]
    assert said == [(2, 0, 4), (2, 2, 4), (4, 2, 0), (6, 1, 4)]
    assert np.isnan(state.index[2])


def test_the_index_is_published() -> None:
    """The gauge has it in the row of the zone's first series."""
    area = Index(**AREA, layout=layout((0.0, 1.0), 1, (0,)))
    state = area.start(2)
    area.step(state, round_of((0, 0, 40.0, 0), (1, 0, 40.0, 0)))
    area.tick(state, 0)
    index, heavy = area.gauge(state)
    assert index[0] == pytest.approx(4.0)
    assert heavy[0] == 8
    assert np.isnan(index[1])
    assert len(Index(**AREA).tick(Index(**AREA).start(0), 0)) == 0
