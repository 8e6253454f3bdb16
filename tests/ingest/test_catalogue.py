"""The registry as arrays, against the registry itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import index
from ingest.catalogue import build, join, pack
from tests.ingest.town import DOMAINS, REGISTRIES, catalogue, device
from yiwang.registry import Registry


def keys(ids: list[bytes], words: int) -> np.ndarray:
    """Ids as columns have them."""
    return np.array(ids, f"S{8 * words}").view(np.uint64).reshape(len(ids), words)


plain = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)


@given(
    st.sets(plain | st.integers(0, 10**6).map("WL-{:07d}".format), max_size=80), st.lists(plain, max_size=20)
)
def test_every_id_is_found_and_no_other(registered: set[str], others: list[str]) -> None:
    """As a column of bytes, as texts and one by one, whatever the ids are."""
    ids = sorted(registered)
    numbers = np.arange(len(ids)) * 5 + 2
    table = index.build([i.encode() for i in ids], numbers)
    asked = [*ids, *others, *ids, "", "WL-", "x" * 100, "x\0"]
    expected = [numbers[ids.index(i)] if i in registered else -1 for i in asked]
    assert table.texts(asked).tolist() == expected
    assert [table.one(i) for i in asked] == expected
    fits = [
        i
        for i in asked
        if len(i.encode()) <= 8 * table.words and i.encode() not in table.odd and "\0" not in i
    ]
    found = table.column(keys([i.encode() for i in fits], table.words)) if fits else np.empty(0)
    assert found.tolist() == [numbers[ids.index(i)] if i in registered else -1 for i in fits]


def test_many_ids_are_told_apart() -> None:
    """Fifty thousand that differ in a figure, with and without neighbours that are not registered."""
    ids = [b"GZ-%06d" % i for i in range(0, 100_000, 2)]
    table = index.build(ids, np.arange(len(ids)))
    asked = np.array([b"GZ-%06d" % i for i in range(100_000)], "S16").view(np.uint64).reshape(-1, 2)
    found = table.column(np.ascontiguousarray(asked[:, : table.words]))
    assert (found[::2] == np.arange(50_000)).all()
    assert (found[1::2] == -1).all()


@pytest.mark.parametrize("id_", ['a"b', "a\\b", "a\nb", "x" * 41, "水" * 20])
def test_ids_that_json_writes_otherwise_are_found_one_by_one(id_: str) -> None:
    """Quotes, backslashes, line ends, and longer ids than columns take."""
    table = index.build([id_.encode(), b"WL-1"], np.array([7, 8]))
    assert table.texts([id_, "WL-1", id_[:-1]]).tolist() == [7, 8, -1]


def test_series_that_do_not_follow_each_other_are_found() -> None:
    """A metric that was added to a device later has a number far from its first."""
    metrics = ["water_depth", "rain_intensity"]
    registries = {
        0: Registry(
            version=1,
            devices=(
                device("A", 0, "road_water_level", zip((0, 9), metrics, strict=True)),
                device("B", 0, "road_water_level", zip((1, 2), metrics, strict=True)),
                device("C", 0, "road_water_level", []),
            ),
        ),
        3: Registry(
            version=1, devices=(device("D", 3, "road_water_level", zip((4, 1), metrics, strict=True)),)
        ),
    }
    found = build(registries, DOMAINS)
    at = found.index.texts(["A", "B", "C", "D", "E"])
    for metric, series in zip(metrics, [[0, 1, -1, 4, -1], [9, 2, -1, 1, -1]], strict=True):
        for column in (found.metrics[metric], np.full(5, found.metrics[metric])):
            numbers, districts = found.slots(at, column)
            assert numbers.tolist() == series
            assert districts[numbers >= 0].tolist() == [
                d for d, s in zip([0, 0, 0, 3, 0], series, strict=True) if s >= 0
            ]
    assert found.slots(at, -1 * np.ones(5, np.int64))[0].tolist() == [-1] * 5
    assert (found.devices, found.readable) == (4, 6)


def test_a_catalogue_of_parts_is_that_of_the_whole() -> None:
    """A district that has changed is packed again, the others are taken as they were."""
    parts = {number: pack(number, registry) for number, registry in REGISTRIES.items()}
    changed = Registry(
        version=9,
        devices=(*REGISTRIES[1].devices, device("NEW", 1, "road_water_level", [(1, "water_depth")])),
    )
    found = join(parts | {1: pack(1, changed)}, [], DOMAINS)
    assert found.versions == {0: 1, 1: 9}
    assert found.takes("NEW", "water_depth")
    assert found.takes("WL-2", "rain_intensity")
    assert found.devices == catalogue().devices + 1
    assert replace(found, devices=0).find("CAM-1") == catalogue().find("CAM-1")


def test_an_empty_city_has_nothing() -> None:
    """No district, or no device in any."""
    for registries in ({}, {0: Registry(version=1)}):
        empty = build(registries, DOMAINS)
        assert (empty.devices, empty.readable) == (0, 0)
        assert not empty.takes("WL-1", "water_depth")
        assert empty.slots(empty.index.texts(["a", "b"]), 0)[0].tolist() == [-1, -1]
