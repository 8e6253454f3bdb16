"""Scenario files: what is read, what is refused and how it is said."""

from pathlib import Path

import numpy as np
import pytest

from scenarios import files, floodnet, template
from scenarios.city import generate
from yiwang.errors import BadInput

FLOODNET = Path(__file__).parents[3] / "shared" / "data" / "floodnet"


def test_the_city_is_the_same_for_the_same_seed() -> None:
    """Equal seeds give equal cities, other seeds others."""
    assert generate(7) == generate(7)
    assert generate(7) != generate(8)


def test_every_device_stands_at_a_place_of_its_district() -> None:
    """Nothing in the city hangs in the air."""
    city = generate()
    places = {p.id: p for p in city.places}
    assert len({d.id for d in city.devices}) == len(city.devices)
    assert all(places[d.place].district == d.district for d in city.devices)


def test_a_saved_scenario_is_read_back(tmp_path: Path) -> None:
    """Save and load give the same readings, events, registry, rules and truth."""
    night = files.load("night")
    files.save(night, tmp_path / "copy")
    back = files.load(str(tmp_path / "copy"))
    assert back.registries == night.registries
    assert back.rules == night.rules
    assert back.events == night.events
    for district, readings in night.readings.items():
        for column in ("series", "t_ns", "value", "quality"):
            assert np.array_equal(getattr(back.readings[district], column), getattr(readings, column))
    assert [(t.id, t.begin_ns // 10**6, t.severity) for t in back.truth] == [
        (t.id, t.begin_ns // 10**6, t.severity) for t in night.truth
    ]


def test_saving_over_something_is_refused(tmp_path: Path) -> None:
    """A folder that holds something is left alone."""
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BadInput, match="not empty") as caught:
        files.save(files.load("quiet"), tmp_path)
    assert caught.value.code == "scenario.exists"


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("seed:", "sead:"), 6, "did you mean 'seed'"),
        (("generator: night", "generator: nite"), 5, "generator"),
        (("zh:", "zw:"), 4, "title"),
        (("duration_s: 4500", "duration_s: soon"), 8, "duration_s"),
        (("scenario: night", "scenario: [night"), 3, "YAML"),
    ],
)
def test_a_typo_is_named_with_file_line_and_field(
    tmp_path: Path, change: tuple[str, str], line: int, says: str
) -> None:
    """A wrong scenario file is refused with the place of the mistake."""
    text = files.library()["night"].read_text(encoding="utf-8")
    assert change[0] in text
    file = tmp_path / "scenario.yaml"
    file.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        files.load(str(tmp_path))
    assert "scenario.yaml" in caught.value.message
    assert says in caught.value.message
    if "YAML" not in says:
        assert caught.value.details["line"] == line


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    """Nobody guesses a time zone."""
    text = files.library()["night"].read_text(encoding="utf-8").replace("+08:00", "")
    (tmp_path / "scenario.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="names no zone"):
        files.load(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nigth", r"did you mean 'night'\?.*yiwang scenario list"),
        ("empty", r"'empty' is a folder without scenario\.yaml"),
        ("out/none", r"neither in the library nor there as a file or folder"),
    ],
)
def test_an_unknown_scenario_is_told_by_one_sentence(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what is wrong with that name and where the known ones are listed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=sentence) as caught:
        files.load(name)
    assert caught.value.code == "scenario.unknown"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Below a file there can be no folder; a file in the way is no folder that is not empty."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be made"):
        template.new("x", tmp_path / "file" / "below")
    with pytest.raises(BadInput, match="is a file; name a new folder"):
        files.save(files.load("quiet"), tmp_path / "file")


@pytest.mark.shared
@pytest.mark.skipif(
    not FLOODNET.is_dir(), reason="recorded floods are not beside this checkout (../shared/data)"
)
def test_the_recorded_floods_are_read_whole() -> None:
    """All 202 floods at 13 sensors; 140 of them reach 10 cm, 9 reach 60 cm; no reading is lost."""
    scenario = files.load(str(FLOODNET))
    assert len(scenario.registries[0].devices) == 13
    assert len(scenario.truth) == 140
    assert sum(t.severity == 1 for t in scenario.truth) == 9
    deepest = max(float(r.value.max()) for r in scenario.readings.values())
    assert deepest == pytest.approx(40.87 * floodnet.CM_PER_INCH)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('"2021-01-01T00:00:00.000","[1, 2]","[0]"', "floodnet.row"),
        ('"yesterday","[1]","[0]"', "floodnet.row"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, cell: str, code: str) -> None:
    """The importer names file and line of what it cannot read."""
    (tmp_path / "flood-events.csv").write_text(
        "sensor_id,flood_start_time,flood_profile_depth_inches,flood_profile_time_secs\n" + f'"s",{cell}\n'
    )
    (tmp_path / "sensor-metadata.csv").write_text("sensor_id,sensor_name,longitude,latitude,borough\n")
    with pytest.raises(BadInput, match=r"flood-events.csv:2") as caught:
        files.load(str(tmp_path))
    assert caught.value.code == code


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    """No floods is no scenario."""
    (tmp_path / "flood-events.csv").write_text("sensor_id,flood_start_time\n")
    (tmp_path / "sensor-metadata.csv").write_text("sensor_id\n")
    with pytest.raises(BadInput, match="no floods"):
        files.load(str(tmp_path))
