"""Scenario folders: written, read back equal, and refused with every mistake named."""

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scenarios import files, template
from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND, parse_iso
from yiwang.errors import BadInput
from yiwang.model import Acknowledge, Command
from yiwang.registry import Text

START = parse_iso("2026-06-01T00:00:00Z")


def city() -> Scenario:
    """Two districts with all there is: late and doubled readings, NaN, quality, events of every type, overrides."""
    b = Builder(
        "everything",
        Text("一切", "Everything"),
        start_ns=START,
        seed=3,
        duration_s=1800,
        merge_s=60,
        lateness_s=20,
        settle_s=1200,
        overrides=[{"entry": "depth.ladder", "params": {"rung_iii": 12}, "source": "a test"}],
    )
    b.district("900001", Text("甲区", "A"))
    b.district("900002", Text("乙区", "B"))
    b.place(
        "P1", "road", Text("路口", "Junction"), zone="Z1", lon=113.1234567, lat=23.5, closure_depth_cm=25.5
    )
    b.place("P2", "road", zone="Z2", lon=113.2, lat=23.5, district=1)
    b.device("D1", "road_water_level", "P1", mount_height_cm=410)
    b.device("C1", "camera", "P1")
    b.device("R1", "rain_gauge", "P2")
    b.device("D2", "road_water_level", "P2")
    b.unit("U1", "drainage", lon=113.1, lat=23.4)
    t = b.times(30, jitter_s=2)
    depth = np.where(np.arange(len(t)) % 7 == 3, np.nan, 0.1 * np.arange(len(t)))
    arrival = t + b.rng.integers(0, 9 * SECOND, len(t))
    b.readings(
        "D1", "water_depth", t, depth, quality=(np.arange(len(t)) % 3).astype(np.uint8), arrival_ns=arrival
    )
    b.readings("D2", "water_depth", np.repeat(b.times(60), 2), np.ones(60))
    b.readings("R1", "rain_intensity", b.times(60), np.linspace(0, 30, 30))
    b.video("C1", "road_flooding", START + 60 * SECOND, 0.71)
    b.report("road_flooding", START + 90 * SECOND + 1, by="hotline-12345", place="P1", text="路口积水，很深")
    b.warning("heavy_rain", START + 5 * SECOND, START + 900 * SECOND, level=2, areas=("Z2",), district=1)
    action = Acknowledge(incident="I-0")
    t_ns = START + 100 * SECOND
    b.command(1, Command(command_id="c", by="desk", t_ns=t_ns, ingest_ns=t_ns, action=action))
    b.truth(
        "road_flooding", "P1", 3, START + 7, START + 900 * SECOND, within_s=61.5, reaches_ns={3: START + 8}
    )
    b.truth("heavy_rain", "Z2", 4, START + 7, START + 900 * SECOND, within_s=60, district=1, optional=True)
    return b.build()


def same(a: Scenario, b: Scenario) -> None:
    for name in (f.name for f in dataclasses.fields(Scenario)):
        if name not in ("readings", "arrivals"):
            assert getattr(a, name) == getattr(b, name), name
    assert a.arrivals.keys() == b.arrivals.keys()
    for district, readings in a.readings.items():
        for column in ("series", "t_ns", "value", "quality"):
            ours, theirs = getattr(readings, column), getattr(b.readings[district], column)
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs, equal_nan=column == "value"), column
        assert np.array_equal(a.comes_in(district), b.comes_in(district))


@pytest.mark.parametrize("readings", ["readings.parquet", "readings.csv"])
def test_a_saved_scenario_is_read_back_equal(tmp_path: Path, readings: str) -> None:
    """Everything comes back to the last bit: series numbers, order of arrival, NaN, rules version, truth."""
    scenario = city()
    assert scenario.arrivals.keys() == {0}
    files.save(scenario, tmp_path / "copy", readings=readings)
    same(scenario, files.load(str(tmp_path / "copy")))


def test_the_files_say_who_and_not_numbers(tmp_path: Path) -> None:
    """Readings are by device and metric, so a table can be edited without knowing series numbers."""
    files.save(city(), tmp_path / "copy")
    table = pq.read_table(tmp_path / "copy" / "readings.parquet")
    assert table.column_names == ["time", "device", "metric", "value", "quality", "arrival"]
    assert set(table["device"].to_pylist()) == {"D1", "D2", "R1"}


def test_more_truths_than_a_page_stand_in_a_table(tmp_path: Path) -> None:
    """``truth.csv`` holds the same as the inline list."""
    scenario = city()
    many = tuple(
        msgspec.structs.replace(
            scenario.truth[1],
            id=f"t{k}",
            begin_ns=START + k * SECOND,
            end_ns=START + k * SECOND + 10,
            episode_ns=(START, START + 1000 * SECOND),
            also=("P1",),
            reaches_ns={"3": START + k * SECOND + 1},
        )
        for k in range(300)
    )
    scenario = dataclasses.replace(scenario, truth=many)
    files.save(scenario, tmp_path / "copy")
    assert (tmp_path / "copy" / "truth.csv").is_file()
    assert files.load(str(tmp_path / "copy")).truth == many


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The template: a right scenario to make wrong."""
    template.new("mine", tmp_path / "mine")
    return tmp_path / "mine"


def test_the_template_passes_the_check(folder: Path) -> None:
    """What ``new`` writes is right, and has something to find."""
    scenario, problems = files.check(str(folder))
    assert list(problems) == []
    assert scenario is not None
    assert len(scenario.truth) == 1
    assert scenario.reading_count == 180


def test_gzipped_readings_and_rows_in_any_order(folder: Path) -> None:
    """``readings.csv.gz`` is read as well; unsorted rows come sorted by time."""
    before = files.load(str(folder))
    lines = (folder / "readings.csv").read_text().splitlines()
    (folder / "readings.csv").unlink()
    (folder / "readings.csv.gz").write_bytes(gzip.compress("\n".join([lines[0], *lines[:0:-1]]).encode()))
    after = files.load(str(folder))
    for column in ("series", "t_ns", "value"):
        a, b = getattr(before.readings[0], column), getattr(after.readings[0], column)
        assert sorted(zip(before.readings[0].t_ns, a, strict=True)) == sorted(
            zip(after.readings[0].t_ns, b, strict=True)
        )
    assert (np.diff(after.readings[0].t_ns) >= 0).all()


Change = Callable[[Path], None]


def edit(file: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


def append(file: str, text: str) -> Change:
    def change(folder: Path) -> None:
        with (folder / file).open("a", encoding="utf-8") as handle:
            handle.write(text)

    return change


SECOND_TRUTH = """  - id: {id}
    kind: {kind}
    place: {place}
    severity: 3
    begin: {begin}
    end: {end}
    within_s: 60
"""


def truth(**changes: str) -> Change:
    values = {
        "id": "again",
        "kind": "road_flooding",
        "place": "RD-1",
        "begin": "2026-06-12T20:30:00+08:00",
        "end": "2026-06-12T20:40:00+08:00",
    }
    return append("scenario.yaml", SECOND_TRUTH.format(**{**values, **changes}))


WRONG: list[tuple[str, Change, str, str, int, str, str]] = [
    # what, change, code, file, line, field, said
    ("field", edit("scenario.yaml", "merge_s:", "merge:"), "scenario.field", "scenario.yaml", 14, "merge", "merge_s"),
    ("type", edit("scenario.yaml", "tick_s: 1 ", "tick_s: one "), "scenario.field", "scenario.yaml", 12, "tick_s", "float"),
    ("no zone", edit("scenario.yaml", "start: 2026-06-12T20:00:00+08:00", "start: 2026-06-12T20:00:00"), "scenario.field", "scenario.yaml", 9, "start", "zone"),
    ("ends first", edit("scenario.yaml", "end: 2026-06-12T21:30", "end: 2026-06-12T19:30"), "scenario.field", "scenario.yaml", 10, "end", "not after the start"),
    ("yaml", edit("scenario.yaml", "truth:", "truth: ["), "scenario.syntax", "scenario.yaml", 0, "", "YAML"),
    ("rule", edit("scenario.yaml", "rung_iii", "rung_3"), "scenario.rules", "scenario.yaml", 22, "rules.overrides.0.params.rung_3", "rung_i"),
    ("rules file", edit("scenario.yaml", "  overrides:", "  files: [none.yaml]\n  overrides:"), "scenario.rules", "none.yaml", 0, "rules", "no file"),
    ("truth kind", truth(kind="road_floding"), "scenario.truth", "scenario.yaml", 45, "kind", "'road_flooding'"),
    ("truth place", truth(place="RD-2"), "scenario.truth", "scenario.yaml", 45, "place", "'RD-1'"),
    ("truth order", truth(end="2026-06-12T20:29:00+08:00"), "scenario.truth", "scenario.yaml", 45, "end", "before the begin"),
    ("truth outside", truth(begin="2026-06-12T19:30:00+08:00"), "scenario.truth", "scenario.yaml", 45, "begin", "outside the scenario"),
    ("truth time", truth(begin="noon"), "scenario.time", "scenario.yaml", 45, "begin", "no ISO 8601"),
    ("overlap", truth(place="UP-1"), "scenario.overlap", "scenario.yaml", 45, "begin", "make them one"),
    ("truth twice", truth(id="flood"), "scenario.twice", "scenario.yaml", 45, "id", "stands in"),
    ("severity", edit("scenario.yaml", "severity: 3", "severity: 2"), "scenario.truth", "scenario.yaml", 37, "severity", "most severe of reaches is 3"),
    ("level", edit("scenario.yaml", "severity: 3", "severity: 5"), "scenario.field", "scenario.yaml", 40, "truth[0].severity", "5"),
    ("level order", edit("scenario.yaml", '"3": 2026-06-12T20:32', '"3": 2026-06-12T20:24'), "scenario.truth", "scenario.yaml", 37, "reaches", "before the milder"),
    ("fault", append("scenario.yaml", "faults: {late: [{share: 2, by_s: [0, 1]}]}\n"), "scenario.fault", "scenario.yaml", 0, "faults.late.0.share", "0 to 1"),
    ("fault device", append("scenario.yaml", "faults: {clock: [{by_s: 9, devices: [WL-9]}]}\n"), "scenario.fault", "scenario.yaml", 0, "faults.clock.0.devices", "WL-9"),
    ("device kind", edit("devices.csv", "road_water_level", "road_water_levl"), "scenario.device_kind", "devices.csv", 3, "kind", "'road_water_level'"),
    ("device place", edit("devices.csv", "0,RD-1,路口水", "0,RD-3,路口水"), "scenario.place", "devices.csv", 3, "place", "'RD-1'"),
    ("device twice", append("devices.csv", "WL-1,camera,0,RD-1,x,x,112,23\n"), "scenario.twice", "devices.csv", 5, "id", "row 2"),
    ("position", edit("places.csv", "112.66,23.95", "23.95,112.66"), "scenario.swapped", "places.csv", 2, "lon", "swapped"),
    ("skill", edit("units.csv", "drainage,0", "drains,0"), "scenario.skill", "units.csv", 2, "skill", "'drainage'"),
    ("unknown device", edit("readings.csv", "T20:05:00+08:00,WL-1", "T20:05:00+08:00,WL-7"), "scenario.device", "readings.csv", 12, "device", "did you mean"),
    ("unknown metric", edit("readings.csv", "T20:05:00+08:00,WL-1,water_depth", "T20:05:00+08:00,WL-1,water_deep"), "scenario.metric", "readings.csv", 12, "metric", "'water_depth'"),
    ("other's metric", edit("readings.csv", "T20:05:00+08:00,WL-1,water_depth", "T20:05:00+08:00,WL-1,gas_lel"), "scenario.metric", "readings.csv", 12, "metric", "it has water_depth"),
    ("unit", edit("readings.csv", "WL-1,water_depth,0,cm", "WL-1,water_depth,0,kg"), "scenario.unit", "readings.csv", 2, "unit", "cm, mm, m, in"),
    ("no time", edit("readings.csv", "2026-06-12T20:05:00+08:00,WL-1", "five,WL-1"), "scenario.time", "readings.csv", 12, "time", "no time"),
    ("no value", edit("readings.csv", "T20:05:00+08:00,WL-1,water_depth,0,", "T20:05:00+08:00,WL-1,water_depth,dry,"), "scenario.value", "readings.csv", 12, "value", "no number"),
    ("reading outside", edit("readings.csv", "12T20:05:00+08:00,WL-1", "13T20:05:00+08:00,WL-1"), "scenario.time", "readings.csv", 12, "time", "outside the scenario"),
    ("cells", edit("readings.csv", "T20:05:00+08:00,WL-1,", "T20:05:00+08:00,"), "scenario.cells", "readings.csv", 12, "", "number of cells"),
    ("column", edit("readings.csv", "device,metric", "who,metric"), "scenario.column", "readings.csv", 0, "device", "who"),
    ("event type", edit("events.jsonl", '"video"', '"vidio"'), "scenario.event", "events.jsonl", 1, "type", "'video'"),
    ("event device", edit("events.jsonl", "CAM-1", "CAM-2"), "scenario.event", "events.jsonl", 1, "device", "'CAM-1'"),
    ("event class", edit("events.jsonl", "road_flooding", "road_floods"), "scenario.event", "events.jsonl", 1, "event_class", "'road_flooding'"),
    ("event field", edit("events.jsonl", '"confidence"', '"confidense"'), "scenario.event", "events.jsonl", 1, "confidense", "'confidence'"),
    ("event time", edit("events.jsonl", "12T20:20", "13T20:20"), "scenario.event", "events.jsonl", 1, "time", "outside"),
    ("event json", edit("events.jsonl", "{", "["), "scenario.event", "events.jsonl", 1, "", "no JSON"),
    ("file", lambda f: (f / "event.jsonl").write_text("{}"), "scenario.file", "event.jsonl", 0, "", "'events.jsonl'"),  # type: ignore[list-item, return-value]
    ("no devices", lambda f: (f / "devices.csv").unlink(), "scenario.file", "devices.csv", 0, "", "missing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code", "file", "line", "field", "said"),
    [case[1:] for case in WRONG],
    ids=[case[0] for case in WRONG],
)
def test_each_mistake_is_named_with_its_place(
    folder: Path, change: Change, code: str, file: str, line: int, field: str, said: str
) -> None:
    """File, line or row, field, stable code, and what would be right."""
    change(folder)
    _, problems = files.check(str(folder))
    mine = [p for p in problems if p.code == code and p.file.endswith(file)]
    assert mine, list(map(str, problems))
    assert any(p.field == field and said in p.message for p in mine), list(map(str, mine))
    assert not line or line in {p.line for p in mine}, list(map(str, mine))
    with pytest.raises(BadInput) as caught:
        files.load(str(folder))
    assert caught.value.code.startswith("scenario.")


def test_all_mistakes_are_listed_at_once(folder: Path) -> None:
    """One wrong file does not hide the next."""
    for change in (
        edit("scenario.yaml", "settle_s: 2700", "settle_s: long"),
        truth(kind="flud"),
        edit("devices.csv", "camera", "camra"),
        edit("readings.csv", "T20:05:00+08:00,WL-1", "T20:05:00+08:00,WL-7"),
        edit("events.jsonl", "0.3", "high"),
    ):
        change(folder)
    _, problems = files.check(str(folder))
    assert {Path(p.file).name for p in problems} == {
        "scenario.yaml", "devices.csv", "readings.csv", "events.jsonl"
    }  # fmt: skip
    with pytest.raises(BadInput, match="more; yiwang scenario check") as caught:
        files.load(str(folder))
    assert len(caught.value.details["errors"]) == len(problems)


def test_a_generator_is_checked_before_it_is_called(tmp_path: Path) -> None:
    """Wrong names of generators and parameters are told with what there is."""
    spec = "scenario: x\ntitle: {zh: x}\nstart: 2026-01-01T00:00:00Z\nduration_s: 60\n"
    for text, field, said in (
        ("generator: nigth\n", "generator", "'night'"),
        ("generator: night\nparams: {rain: 3}\n", "params.rain", "no parameter 'rain'"),
        ("generator: night\nof: quiet\n", "of", "either"),
    ):
        (tmp_path / "scenario.yaml").write_text(spec + text)
        _, problems = files.check(str(tmp_path))
        assert [(p.field, said in p.message) for p in problems] == [(field, True)]


def test_parquet_of_somebody_else_is_read(folder: Path) -> None:
    """Plain strings, milliseconds and another order of columns do as well as our own form."""
    before = files.load(str(folder))
    r = before.readings[0]
    names = {s.number: d.id for d in before.registries[0].devices for s in d.series}
    (folder / "readings.csv").unlink()
    table = {
        "value": pa.array(r.value.astype(np.float32)),
        "metric": ["water_depth"] * len(r),
        "device": [names[n] for n in r.series.tolist()],
        "time": pa.array(r.t_ns // 10**6, pa.timestamp("ms", tz="UTC")),
    }
    pq.write_table(pa.table(table), folder / "readings.parquet")
    after = files.load(str(folder)).readings[0]
    assert np.array_equal(after.t_ns, r.t_ns)
    assert np.array_equal(after.series, r.series)
