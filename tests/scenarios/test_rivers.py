"""The labelled river: read, and judged: the cyclone raised, no level of it doubted, every fault named."""

from datetime import datetime
from pathlib import Path

import pytest

from scenarios import directly, files, rivers
from scenarios.scoring import score
from yiwang.clock import SECOND
from yiwang.errors import BadInput
from yiwang.model import Finding, Incident

RIVERS = Path(__file__).parents[3] / "shared" / "data" / "rivers"
HEAD = "Timestamp,Level,Cond,Tur,label_Level,label_Cond,label_Tur,type_Level,type_Cond,type_Tur\n"
GOOD = "0,0,0,0,0,0\n"
CYCLONE = datetime(2017, 3, 29, 12, tzinfo=rivers.ZONE).timestamp() * SECOND


def written(tmp_path: Path, *rows: str) -> Path:
    """A small file of such a river."""
    file = tmp_path / "brook.csv"
    file.write_text(HEAD + "".join(rows), encoding="utf-8")
    return file


def test_a_file_is_known_by_its_columns(tmp_path: Path) -> None:
    """Or its folder; another table is none."""
    file = written(tmp_path, "12/03/2017 0:42,14.1,196,1.0," + GOOD)
    assert rivers.is_file(file)
    assert rivers.is_file(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert not rivers.is_file(other)
    assert not rivers.is_file(other / "none.csv")
    with pytest.raises(BadInput) as caught:
        rivers.load(other)
    assert caught.value.code == "rivers.file"


def test_times_are_local_and_missing_values_are_no_readings(tmp_path: Path) -> None:
    """UTC+10; NA and empty fields; a row that is not newer than the one before is left out."""
    scenario = rivers.load(
        written(
            tmp_path,
            "12/03/2017 0:42,14.1,NA,1.0," + GOOD,
            "12/03/2017 1:42,14.1,196,," + GOOD,
            "12/03/2017 1:42,99,99,99," + GOOD,
        )
    )
    readings = scenario.readings[0]
    assert sorted(readings.value.tolist()) == [1.0, 14.1, 14.1, 196.0]
    assert (
        int(readings.t_ns[0]) == round(datetime(2017, 3, 12, 0, 42, tzinfo=rivers.ZONE).timestamp()) * SECOND
    )


def test_each_stretch_is_a_truth_and_what_need_not_be_named_is_optional(tmp_path: Path) -> None:
    """D and J must be named, L and gaps may be."""
    rows = [f"12/03/2017 {h}:00,14.1,196,1.0," + GOOD for h in range(6)]
    rows += ["12/03/2017 6:00,14.1,300,1.0,0,1,0,0,D,0\n", "12/03/2017 7:00,14.1,301,9.0,0,1,1,0,L,J\n"]
    rows += ["12/03/2017 20:00,14.1,196,1.0," + GOOD]
    truth = rivers.load(written(tmp_path, *rows)).truth
    labelled = [t for t in truth if t.severity == 4]
    assert {(t.place, t.optional) for t in labelled} == {("cond", False), ("cond", True), ("tur", False)}
    assert sum(t.severity == 3 for t in truth) == 3  # the gap, of each device


def test_high_water_is_held_against_the_first_two_weeks(tmp_path: Path) -> None:
    """Median 10, highest 12: attention at 11; a labelled spike of level is no flood."""
    level = [10.0] * 300 + [12.0] * 3 + [10.0] * 60 + [11.5] * 5 + [10.0] * 5 + [30.0] + [10.0] * 3
    rows = []
    for i, value in enumerate(level):
        day, hour = divmod(i, 24)
        fault = "1,0,0,A,0,0\n" if value == 30 else GOOD
        rows.append(f"{day + 1:02d}/03/2017 {hour}:00,{value},196,1.0,{fault}")
    floods = [t for t in rivers.load(written(tmp_path, *rows)).truth if t.kind == "river_high"]
    assert [t.severity for t in floods] == [3, 4]


@pytest.mark.parametrize(
    ("row", "column"),
    [("yesterday,14,196,1," + GOOD, "Timestamp"), ("12/03/2017 0:42,14,much,1," + GOOD, "Cond")],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, column: str) -> None:
    """File, line and column."""
    with pytest.raises(BadInput) as caught:
        rivers.load(written(tmp_path, "12/03/2017 0:42,14.1,196,1.0," + GOOD, row))
    assert caught.value.code == "rivers.row"
    assert caught.value.details["line"] == 3
    assert caught.value.details["column"] == column


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Nothing can be said of no rows."""
    with pytest.raises(BadInput) as caught:
        rivers.load(written(tmp_path))
    assert caught.value.code == "rivers.file"


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(
    not RIVERS.is_dir(), reason="the labelled river is not beside this checkout (../shared/data)"
)
def test_the_cyclone_is_raised_and_every_fault_named() -> None:
    """A, D, F, H, J all named; no level of a flood doubted; at most one false notice a month and sensor."""
    scenario = files.load(str(RIVERS))
    bodies = directly.bodies(scenario)[0]
    incidents = list({b.id: b for b in bodies if isinstance(b, Incident)}.values())
    result = score(scenario, incidents)
    assert (result.missed, result.split, result.merged) == (0, 0, ())
    faults = [t for t in scenario.truth if t.kind == "sensor_fault" and not t.optional]
    assert len(faults) == 20
    cyclone = [i for i in incidents if i.kind == "river_high" and i.opened_ns < CYCLONE < (i.cleared_ns or 0)]
    assert [(i.peak, i.standing) for i in cyclone] == [(1, "confirmed")]

    floods = [t for t in scenario.truth if t.kind == "river_high"]
    of_level = [
        b for b in bodies if isinstance(b, Finding) and b.kind == "sensor_fault" and b.device == "level"
    ]
    for flood in floods:
        assert not [f for f in of_level if flood.begin_ns <= f.t_ns and f.since_ns <= flood.end_ns]

    months = (scenario.end_ns - scenario.start_ns) / SECOND / 86_400 / 30.44
    false = [i for i in incidents if i.id in result.false and i.kind == "sensor_fault"]
    for device in ("level", "cond", "tur"):
        assert sum(i.place == device for i in false) <= months
