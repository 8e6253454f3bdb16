"""Three tables of anybody's to a scenario."""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from scenarios import files, rows
from scenarios.importing import Imported, Tables, run
from yiwang.clock import SECOND, parse_iso
from yiwang.errors import BadInput
from yiwang.model import VideoEvent

NOON = parse_iso("2026-06-01T12:00:00Z")

DEVICES = """\
Sensor,type,site,catchment,longitude,latitude,closure_depth_cm
A,road_water_level,S1,Z1,113.1,23.1,25
B,road_water_level,S1,Z1,113.1,23.1,25
G,rain_gauge,S2,Z1,113.2,23.1,
"""
READINGS = """\
ts;sensor;parameter;reading;uom
2026-06-01 20:00:00;A;water_depth;10;mm
2026-06-01 20:01:00;A;water_depth;0.3;m
2026-06-01 20:00:30;B;water_depth;7;cm
2026-06-01 20:00:30;G;rain_intensity;0.5;mm/min
2026-06-01 20:00:30;G;rain_intensity;0.5;mm/min
"""
TRUTH = """\
event,sensor,start,stop,level
road_flooding,A,2026-06-01 20:01:00,2026-06-01 20:01:00,II
heavy_rain,G,2026-06-01T12:00:30Z,2026-06-01T12:01:00Z,蓝
"""


def tables(
    folder: Path, *, devices: str = DEVICES, readings: str = READINGS, truth: str = "", **more: Any
) -> Tables:
    (folder / "devices.csv").write_text(devices, encoding="utf-8")
    (folder / "readings.csv").write_text(readings, encoding="utf-8")
    (folder / "truth.csv").write_text(truth, encoding="utf-8")
    more = {"tz": "+08:00"} | more
    return Tables(
        devices=folder / "devices.csv",
        readings=folder / "readings.csv",
        truth=folder / "truth.csv" if truth else None,
        **more,
    )


def said(imported: Imported) -> list[tuple[str, str, float, int]]:
    """Device, metric, value and seconds after noon of every reading, in order."""
    result = []
    for number, registry in imported.scenario.registries.items():
        r = imported.scenario.readings[number]
        names = {s.number: (d.id, s.metric) for d in registry.devices for s in d.series}
        result += [
            (*names[s], round(v, 9), (t - NOON) // SECOND)
            for s, t, v in zip(r.series.tolist(), r.t_ns.tolist(), r.value.tolist(), strict=True)
        ]
    return result


def test_other_peoples_names_units_and_times(tmp_path: Path) -> None:
    """Aliases of columns, local time, units and an order that is none become ours; duplicates are kept."""
    imported = run(tables(tmp_path, truth=TRUTH))
    assert said(imported) == [
        ("A", "water_depth", 1.0, 0),
        ("B", "water_depth", 7.0, 30),
        ("G", "rain_intensity", 30.0, 30),
        ("G", "rain_intensity", 30.0, 30),
        ("A", "water_depth", 30.0, 60),
    ]
    assert (imported.rows, imported.used, imported.bad) == (5, 5, ())
    registry = imported.scenario.registries[0]
    assert {p.id: (p.zone, p.attributes) for p in registry.places} == {
        "S1": ("Z1", {"closure_depth_cm": 25.0}),
        "S2": ("Z1", {}),
    }
    assert [
        (t.kind, t.place, t.severity, (t.begin_ns - NOON) // SECOND, t.within_s)
        for t in imported.scenario.truth
    ] == [
        ("heavy_rain", "Z1", 4, 30, 120.0),
        ("road_flooding", "S1", 2, 60, 120.0),
    ]


def test_what_is_imported_is_saved_and_passes_the_check(tmp_path: Path) -> None:
    """An imported scenario is one like any other."""
    imported = run(tables(tmp_path, truth=TRUTH))
    files.save(imported.scenario, tmp_path / "out")
    scenario, problems = files.check(str(tmp_path / "out"))
    assert list(problems) == []
    assert scenario is not None
    assert scenario.truth == imported.scenario.truth
    assert scenario.registries == imported.scenario.registries


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_suffixes(tmp_path: Path, suffix: str) -> None:
    """CSV, gzipped CSV and Parquet hold the same."""
    given = tables(tmp_path)
    want = said(run(given))
    table = pacsv.read_csv(given.readings, parse_options=pacsv.ParseOptions(delimiter=";"))
    path = tmp_path / f"r.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path)
    elif suffix == "csv.gz":
        path.write_bytes(gzip.compress(given.readings.read_bytes()))
    else:
        path.write_bytes(given.readings.read_bytes())
    assert said(run(tables(tmp_path, readings=READINGS))) == want
    devices = tmp_path / "devices.csv"
    assert said(run(Tables(devices=devices, readings=path, tz="+08:00"))) == want


def test_chinese_encodings(tmp_path: Path) -> None:
    """A table in GB18030 with Chinese headings is read."""
    (tmp_path / "d.csv").write_bytes("编号,设备类型,名称\n一号,road_water_level,人民路\n".encode("gb18030"))
    (tmp_path / "r.csv").write_bytes("时间,设备,数值\n2026-06-01T12:00:00Z,一号,3\n".encode("gb18030"))
    imported = run(Tables(devices=tmp_path / "d.csv", readings=tmp_path / "r.csv"))
    assert said(imported) == [("一号", "water_depth", 3.0, 0)]
    assert imported.scenario.registries[0].places[0].name.zh == "人民路"


def test_the_wide_form(tmp_path: Path) -> None:
    """A column a metric; empty cells are no readings; one device needs no column; unlike kinds get one of their own."""
    given = tables(
        tmp_path,
        devices="id,metrics\nX,water_depth rain_intensity\n",
        readings="Timestamp,Level,rain_intensity\n1/6/2026 20:00,5,\n1/6/2026 20:01,6,2.5\n",
        wide=True,
        layout="%d/%m/%Y %H:%M",
        renamed={"Level": "water_depth"},
        units={"water_depth": "mm"},
    )
    imported = run(given)
    assert said(imported) == [
        ("X", "water_depth", 0.5, 0),
        ("X", "water_depth", 0.6, 60),
        ("X", "rain_intensity", 2.5, 60),
    ]
    files.save(imported.scenario, tmp_path / "out")
    scenario, problems = files.check(str(tmp_path / "out"))
    assert list(problems) == []
    assert scenario is not None
    assert [s.metric for s in scenario.registries[0].devices[0].series] == ["water_depth", "rain_intensity"]


def test_arrival_decides_the_order_where_it_is_known(tmp_path: Path) -> None:
    """With a column ``arrival`` readings stand in the order in which they came in."""
    readings = "time,device,metric,value,arrival\n" + "".join(
        f"2026-06-01T12:00:{s:02d}Z,A,water_depth,{s},2026-06-01T12:01:{a:02d}Z\n"
        for s, a in ((0, 9), (1, 3), (2, 5))
    )
    scenario = run(tables(tmp_path, readings=readings)).scenario
    assert scenario.readings[0].value.tolist() == [1.0, 2.0, 0.0]
    assert ((scenario.arrivals[0] - NOON) // SECOND).tolist() == [63, 65, 69]


def test_devices_may_be_known_by_their_readings_alone(tmp_path: Path) -> None:
    """Without a table of devices a kind for all is enough; each is a place of its own."""
    (tmp_path / "r.csv").write_text("time,device,value\n2026-06-01T12:00:00Z,A,1\n2026-06-01T12:00:00Z,B,2\n")
    with pytest.raises(BadInput, match="column is metric"):
        run(Tables(readings=tmp_path / "r.csv", kind="traffic_station"))
    (tmp_path / "r.csv").write_text(
        "time,device,metric,value\n2026-06-01T12:00:00Z,A,water_depth,1\n2026-06-01T12:00:00Z,B,water_depth,2\n"
    )
    scenario = run(Tables(readings=tmp_path / "r.csv", kind="road_water_level")).scenario
    assert [(d.id, d.place) for d in scenario.registries[0].devices] == [("A", "A"), ("B", "B")]


def test_a_lone_series_needs_neither_device_nor_metric(tmp_path: Path) -> None:
    """Time and value, and truth of begin and end, are enough where a kind of one metric is named; it is told."""
    (tmp_path / "loop-7.csv").write_text("timestamp,value\n2026-06-01 12:00:00,60\n2026-06-01 12:05:00,12\n")
    (tmp_path / "truth.csv").write_text(
        "kind,begin,end\ntraffic_incident,2026-06-01 12:05:00,2026-06-01 12:05:00\n"
    )
    given = Tables(
        readings=tmp_path / "loop-7.csv",
        truth=tmp_path / "truth.csv",
        kind="speed_loop",
        tz="UTC",
        severity=3,
    )
    imported = run(given)
    assert said(imported) == [("loop-7", "traffic_speed", 60.0, 0), ("loop-7", "traffic_speed", 12.0, 300)]
    assert [t.place for t in imported.scenario.truth] == ["loop-7"]
    assert any("all is said by one, loop-7" in n for n in imported.notes)


def test_tolerance_follows_the_interval_of_the_sensors(tmp_path: Path) -> None:
    """Who reports every five minutes cannot be heard within two: without --within it is two readings."""
    rows = "".join(f"2026-06-01T12:{m:02d}:00Z,A,water_depth,1\n" for m in range(0, 60, 5))
    truth = "kind,device,begin,end,level\nroad_flooding,A,2026-06-01T12:10:00Z,2026-06-01T12:30:00Z,4\n"
    given = tables(tmp_path, readings="time,device,metric,value\n" + rows, truth=truth)
    assert [t.within_s for t in run(given).scenario.truth] == [600.0]
    assert [t.within_s for t in run(replace(given, within_s=90.0)).scenario.truth] == [90.0]


def test_attributes_that_no_threshold_names_are_taken_too(tmp_path: Path) -> None:
    """The position along a corridor and the height of a sonar are columns of devices like any other attribute."""
    devices = "id,kind,chainage_m,mount_height_cm\nA,traffic_station,900,\nB,sonar_water_level,,450\n"
    readings = "time,device,metric,value\n2026-06-01T12:00:00Z,A,traffic_speed,60\n2026-06-01T12:00:00Z,B,water_distance,450\n"
    imported = run(tables(tmp_path, devices=devices, readings=readings))
    places = {p.id: p.attributes for p in imported.scenario.registries[0].places}
    assert places == {"A": {"chainage_m": 900.0}, "B": {"mount_height_cm": 450.0}}
    assert not [n for n in imported.notes if "not used" in n or "mount_height_cm" in n]


def test_series_that_nothing_can_judge_are_named(tmp_path: Path) -> None:
    """A river without its levels and a sonar without its height are imported, and it is told what they need."""
    devices = "id,kind\nR,river_level_gauge\nB,sonar_water_level\n"
    readings = "time,device,metric,value\n2026-06-01T12:00:00Z,R,river_level,2\n2026-06-01T12:00:00Z,B,water_distance,450\n"
    notes = " | ".join(run(tables(tmp_path, devices=devices, readings=readings)).notes)
    assert (
        "river_level of R has no limit, so no river_high or water_logging_forecast comes of its height"
        in notes
    )
    assert "warning_level_m" in notes
    assert "water_distance of B says nothing without mount_height_cm" in notes
    with_levels = "id,kind,warning_level_m\nR,river_level_gauge,3\n"
    one = "time,device,metric,value\n2026-06-01T12:00:00Z,R,river_level,2\n"
    assert not [n for n in run(tables(tmp_path, devices=with_levels, readings=one)).notes if "limit" in n]


def test_a_misspelt_name_to_map_is_told(tmp_path: Path) -> None:
    """--map of what no table has does nothing, and says so; of a column, a kind or a metric it is used."""
    renamed = {"tiem": "time", "depth": "water_depth", "gauge": "road_water_level", "flood": "road_flooding"}
    devices, truth = DEVICES.replace("road_water_level", "gauge"), TRUTH.replace("road_flooding", "flood")
    readings = READINGS.replace("water_depth", "depth")
    notes = run(tables(tmp_path, devices=devices, readings=readings, truth=truth, renamed=renamed)).notes
    assert [n for n in notes if "--map" in n] == [
        "--map tiem=time: no column, metric or kind is called 'tiem'"
    ]


def test_video_events_as_a_table(tmp_path: Path) -> None:
    """Sightings come from CSV as well as from events.jsonl."""
    given = tables(tmp_path, devices=DEVICES + "C,camera,S2,Z1,113.2,23.1,\n")
    (tmp_path / "e.csv").write_text(
        "timestamp,camera,label,score\n2026-06-01T12:00:10Z,C,road_flooding,0.8\n"
    )
    events = run(
        Tables(devices=given.devices, readings=given.readings, tz="+08:00", events=tmp_path / "e.csv")
    )
    ((t_ns, district, content),) = events.scenario.events
    assert (t_ns, district) == (NOON + 10 * SECOND, 0)
    assert isinstance(content, VideoEvent)
    assert (content.device, content.event_class, content.confidence) == ("C", "road_flooding", 0.8)


BAD_ROWS = [
    ("time", "soon;A;water_depth;1;cm"),
    ("value", "2026-06-01 20:02:00;A;water_depth;wet;cm"),
    ("value", "2026-06-01 20:02:00;A;water_depth;;cm"),
    ("device", "2026-06-01 20:02:00;AA;water_depth;1;cm"),
    ("metric", "2026-06-01 20:02:00;A;water_dept;1;cm"),
    ("metric", "2026-06-01 20:02:00;A;rain_intensity;1;mm/h"),
    ("unit", "2026-06-01 20:02:00;A;water_depth;1;yard"),
    ("cells", "2026-06-01 20:02:00;A;water_depth"),
]


@pytest.mark.parametrize(("what", "row"), BAD_ROWS)
def test_rows_that_cannot_be_used_are_counted_by_reason(tmp_path: Path, what: str, row: str) -> None:
    """Each has its reason and row; above a small share the whole table is refused."""
    given = tables(tmp_path, readings=READINGS + row + "\n")
    with pytest.raises(BadInput, match="1 of 6 rows") as caught:
        run(given)
    assert caught.value.code == "scenario.rows"
    imported = run(tables(tmp_path, readings=READINGS + row + "\n", most_bad=0.2))
    assert [(b.code, b.row, b.count) for b in imported.bad] == [(f"scenario.{what}", 7, 1)]
    assert (imported.rows, imported.used) == (6, 5)


@pytest.mark.parametrize(
    ("changed", "code", "said_"),
    [
        ({"devices": DEVICES.replace("rain_gauge", "rain_gage")}, "scenario.device", "'rain_gauge'"),
        ({"devices": DEVICES.replace("Sensor", "who")}, "scenario.column", "--map THEIRS=id"),
        ({"devices": DEVICES.replace("113.2", "east")}, "scenario.device", "no degree"),
        ({"devices": DEVICES.replace("B,road", "A,road")}, "scenario.twice", "twice"),
        ({"readings": READINGS.replace("ts;", "moment;")}, "scenario.column", "--map THEIRS=time"),
        ({"tz": None}, "scenario.rows", "5 of 5"),
        ({"tz": "Mars"}, "scenario.tz", "Mars"),
        ({"truth": TRUTH.replace("road_flooding", "flood")}, "scenario.truth", "'flood'"),
        ({"truth": TRUTH.replace("flooding,A", "flooding,Q")}, "scenario.truth", "no device 'Q'"),
        ({"truth": TRUTH.replace("II", "V")}, "scenario.truth", "no level"),
        ({"truth": TRUTH.replace("20:01:00,II", "19:01:00,II")}, "scenario.truth", "before the begin"),
        ({"truth": TRUTH + "road_flooding,B,2026-06-01 20:00:59,2026-06-01 20:01:30,II\n"}, "scenario.overlap", "make them one"),
        ({"truth": TRUTH.replace("start", "when")}, "scenario.column", "begin"),
        ({"units": {"water_depth": "yard"}}, "scenario.unit", "cm, mm, m, in"),
        ({"units": {"depth": "cm"}}, "scenario.metric", "depth"),
        ({"kind": "x", "devices": "id\nA\n"}, "scenario.device", "--kind"),
        ({"readings": ""}, "scenario.table", "empty"),
        ({"readings": READINGS.splitlines()[0] + "\n"}, "scenario.rows", "no row below its header"),
        ({"truth": TRUTH.replace("2026-06-01 20", "2027-06-01 20")}, "scenario.time", "truth.csv:2: begin: 2027-"),
        ({"truth": TRUTH + TRUTH.splitlines()[1] + "\n"}, "scenario.overlap", "truth.csv:4: begin"),
    ],
)  # fmt: skip
def test_refusals_say_what_is_wrong(tmp_path: Path, changed: dict[str, Any], code: str, said_: str) -> None:
    """Stable codes and a sentence with the remedy."""
    with pytest.raises(BadInput) as caught:
        run(tables(tmp_path, **{"truth": TRUTH, **changed}))
    assert caught.value.code == code
    assert said_ in " ".join([caught.value.message, *caught.value.details.get("errors", [])])


def test_a_wrong_unit_is_suspected(tmp_path: Path) -> None:
    """Values far outside the metric's range are kept, since broken sensors say such things, and remarked upon."""
    readings = "time,device,metric,value\n" + "".join(
        f"2026-06-01T12:00:{s:02d}Z,A,water_depth,{3000 + s}\n" for s in range(9)
    )
    imported = run(tables(tmp_path, readings=readings))
    assert imported.used == 9
    assert any("--unit water_depth=" in note for note in imported.notes)


def test_a_year_of_hours_is_not_ticked_by_the_second(tmp_path: Path) -> None:
    """Ticks follow how often the sensors report."""
    lines = [f"{NOON // SECOND + 3600 * h},A,water_depth,1" for h in range(5000)]
    imported = run(tables(tmp_path, readings="time,device,metric,value\n" + "\n".join(lines) + "\n"))
    assert imported.scenario.tick_s == 3600.0
    assert imported.scenario.rules.tick_s == 3600.0


def test_a_million_rows_are_read_as_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done in Python row by row: the cells are never turned into Python objects."""
    n, devices = 1_000_000, 500
    step = np.repeat(np.arange(n // devices), devices)
    stamps = NOON // 10**6 + step.astype(np.int64) * 60_000
    who = np.tile(np.arange(devices), n // devices)
    names = pa.array([f"W{k}" for k in range(devices)])
    table = pa.table(
        {
            "time": pa.array(stamps, pa.timestamp("ms", tz="UTC")).cast(pa.string()),
            "device": names.take(pa.array(who)),
            "metric": pa.array(["water_depth"] * n),
            "value": pa.array(who / 100.0),
        }
    )
    pacsv.write_csv(table, tmp_path / "r.csv")
    (tmp_path / "d.csv").write_text(
        "id,kind\n" + "".join(f"W{k},road_water_level\n" for k in range(devices)), encoding="utf-8"
    )
    turned: list[int] = []
    coded = rows.Coded.of.__func__  # type: ignore[attr-defined]

    def watched(cls: type[rows.Coded], column: Any) -> rows.Coded:
        found: rows.Coded = coded(cls, column)
        turned.append(len(found.names))
        return found

    monkeypatch.setattr(rows.Coded, "of", classmethod(watched))
    imported = run(Tables(devices=tmp_path / "d.csv", readings=tmp_path / "r.csv"))
    assert imported.used == n
    assert sorted(turned) == [1, devices]  # the only cells Python sees are the different names
    r = imported.scenario.readings[0]
    assert (r.series.dtype, r.t_ns.dtype, r.value.dtype) == (np.int32, np.int64, np.float64)
    assert np.array_equal(r.series, who)
    assert np.array_equal(r.t_ns, stamps * 10**6)
