"""Where the devices of a large city are."""

import struct

import numpy as np
import pytest

from ws_server.points import DevicePoints
from yiwang.errors import YiwangError

HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)


def copied(rows: list[tuple[float, float, int]]) -> bytes:
    """As PostgreSQL writes it."""
    body = b"".join(struct.pack(">hififih", 3, 4, lon, 4, lat, 2, kind) for lon, lat, kind in rows)
    return HEAD + body + b"\xff\xff"


def test_a_rectangle_gives_what_is_in_it() -> None:
    """Kind, place, and how many there are."""
    points = DevicePoints.of_copy(copied([(113.0, 23.0, 1), (113.5, 23.5, 2), (114.0, 23.0, 1)]), ("a", "b"))
    assert points.inside(113.4, 23.0, 113.6, 24.0, 10) == ([("b", 113.5, 23.5)], 1)
    found, total = points.inside(113.0, 23.0, 114.0, 24.0, 10)
    assert (sorted(found), total) == ([("a", 113.0, 23.0), ("a", 114.0, 23.0), ("b", 113.5, 23.5)], 3)
    assert points.inside(0.0, 0.0, 1.0, 1.0, 10) == ([], 0)


def test_of_too_many_an_even_sample_is_shown() -> None:
    """Not the first corner of the city: each quarter gives about its part, and always the same devices."""
    rows = [(100 + n % 100 / 100, 20 + n // 100 / 100, 1) for n in range(10_000)]
    points = DevicePoints.of_copy(copied(rows), ("a",))
    shown, total = points.inside(100.0, 20.0, 101.0, 21.0, 400)
    assert (len(shown), total) == (400, 10_000)
    west = sum(lon < 100.5 for _, lon, _ in shown)
    south = sum(lat < 20.5 for _, _, lat in shown)
    assert 150 < west < 250
    assert 150 < south < 250
    assert points.inside(100.0, 20.0, 101.0, 21.0, 400)[0] == shown


def test_a_city_without_devices_is_no_mistake() -> None:
    """Nothing is copied, nothing is found."""
    points = DevicePoints.of_copy(copied([]), ())
    assert (len(points), points.inside(-180, -90, 180, 90, 5)) == (0, ([], 0))


@pytest.mark.parametrize("data", [b"", HEAD + b"xy", copied([(1.0, 1.0, 1)])[:-3], HEAD + bytes(26)])
def test_what_is_no_copy_is_refused(data: bytes) -> None:
    """A database that answers something else must not become a map."""
    with pytest.raises(YiwangError) as refused:
        DevicePoints.of_copy(data, ("a",))
    assert refused.value.code == "registry.copy"


def test_a_million_devices_take_little_memory() -> None:
    """Ten bytes each."""
    points = DevicePoints.of_copy(copied([(1.0, 1.0, 1)] * 1000), ("a",))
    assert sum(np.asarray(a).nbytes for a in (points.lon, points.lat, points.kind)) == 10_000
