"""Files of ``yiwang devices import``, row by row."""

import json

import pytest

from yiwang.device_files import Table, read
from yiwang.device_rows import Found, Known, judge
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import District, Text

DOMAINS = compile_rules(load_rules())
DISTRICTS = "number,code,name\n0,110101,东区\n1,110102,西区\n"
PLACES = "id,kind,district,zone,name,name_en,lon,lat,attr:closure_depth_cm\np1,underpass,0,z,一桥,One,120.1,30.2,27\n"
DEVICES = "id,kind,district,place,name,lon,lat\nd1,underpass_water_level,110101,p1,水位计,120.1,30.2\n"
UNITS = "id,skill,district,name,lon,lat,on_duty\nu1,drainage,0,排水一队,120.1,30.2,是\nu2,grid,1,网格员,120,30,no\n"


def judged(*texts: str) -> Found:
    """The files of these texts, into an empty database with room for two districts."""
    tables = [read(f"{n}.csv", text.encode()) for n, text in enumerate(texts)]
    return judge(tables, Known(2), DOMAINS)


def test_files_may_come_in_any_order() -> None:
    """Districts are judged before places, places before devices."""
    found = judged(UNITS, DEVICES, PLACES, DISTRICTS)
    assert found.problems == []
    assert [d.code for d in found.districts] == ["110101", "110102"]
    assert found.places[0].attributes == {"closure_depth_cm": 27.0}
    assert found.places[0].name == Text("一桥", "One")
    assert [s.metric for s in found.devices[0].series] == list(
        DOMAINS.device_kinds["underpass_water_level"].metrics
    )
    assert [(u.id, u.on_duty) for u in found.units] == [("u1", True), ("u2", False)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_of_chinese_offices_are_read(encoding: str) -> None:
    """UTF-8 with and without byte order mark, and GB18030."""
    table = read("a.csv", DEVICES.encode(encoding))
    assert table.rows[0].fields["name"] == "水位计"
    assert table.kind == "device"


@pytest.mark.parametrize(
    ("row", "field", "code", "words"),
    [
        (
            "d2,underpass_water_levle,0,p1,x,120,30",
            "kind",
            "devices.device_kind",
            "did you mean 'underpass_water_level'",
        ),
        (
            "d2,underpass_water_level,9,p1,x,120,30",
            "district",
            "devices.district",
            "there is no district '9'",
        ),
        ("d2,underpass_water_level,0,p9,x,120,30", "place", "devices.place", "there is no place 'p9'"),
        (
            "d2,underpass_water_level,1,p1,x,120,30",
            "place",
            "devices.place_district",
            "place p1 is in district 0",
        ),
        ("d2,underpass_water_level,0,p1,x,30.2,120.1", "lon", "devices.swapped", "look swapped"),
        ("d2,underpass_water_level,0,p1,x,181,30", "lon", "devices.range", "outside -180 to 180"),
        ("d2,underpass_water_level,0,p1,x,120,nan", "lat", "devices.number", "'nan' is no number"),
        ("d2,underpass_water_level,0,p1,x,120,", "lat", "devices.missing", "lat is empty"),
        (",underpass_water_level,0,p1,x,120,30", "id", "devices.missing", "id is empty"),
        ("d2,underpass_water_level,0,p1,,120,30", "name", "devices.missing", "name is empty"),
        ("d1,underpass_water_level,0,p1,x,120,30", "id", "devices.twice", "stands in row 2 already"),
        ("d2,underpass_water_level,0,p1,x,120,30,9", "", "devices.cells", "more cells than the header"),
    ],
)
def test_a_bad_row_is_reported_and_its_neighbours_are_taken(
    row: str, field: str, code: str, words: str
) -> None:
    """File, row, field, and what would be right; the rows around it are kept."""
    good = "d3,underpass_water_level,0,p1,水位计,120.1,30.2"
    found = judged(DISTRICTS, PLACES, f"{DEVICES}{row}\n{good}\n")
    (problem,) = found.problems
    assert (problem.file, problem.row, problem.field, problem.code) == ("2.csv", 3, field, code)
    assert words in problem.message
    assert [d.id for d in found.devices] == ["d1", "d3"]


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        (UNITS + "u3,drainge,0,x,120,30,\n", "skill", "devices.skill"),
        (UNITS + "u3,gas,0,x,120,30,maybe\n", "on_duty", "devices.on_duty"),
        (DISTRICTS + "2,110103,南区\n", "number", "devices.district_number"),
        (PLACES + "p2,underpass,0,z,x,,120,30,deep\n", "attr:closure_depth_cm", "devices.number"),
    ],
)
def test_units_districts_and_places_are_judged_too(text: str, field: str, code: str) -> None:
    """Each by its own fields."""
    found = judged(DISTRICTS, text) if text != DISTRICTS else judged(text)
    problems = [p for p in found.problems if p.code != "devices.twice"]
    assert [(p.field, p.code) for p in problems] == [(field, code)]


def test_a_rejected_row_does_not_take_the_id() -> None:
    """The mended copy further down counts."""
    found = judged(DISTRICTS, PLACES, DEVICES.replace("120.1,30.2", "500,30") + DEVICES.split("\n")[1])
    assert [p.code for p in found.problems] == ["devices.range"]
    assert [d.id for d in found.devices] == ["d1"]


def test_a_device_never_changes_its_district() -> None:
    """What was recorded of it belongs to the old one."""
    known = Known(
        2, {n: District(number=n, code=str(n), name=Text("x")) for n in (0, 1)}, {"p1": 1}, {"d1": 0}
    )
    text = DEVICES.replace("110101", "1")
    (problem,) = judge([read("d.csv", text.encode())], known, DOMAINS).problems
    assert (problem.field, problem.code) == ("district", "devices.moved")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "devices.empty"),
        ("a.csv", b"\xef\xbb\xbf \n", "devices.empty"),
        ("a.csv", b"id,kind,district,place,name,lon,lat\n", "devices.empty"),
        ("a.csv", b"id,kind,district,place,name,lon\nd,k,0,p,n,1\n", "devices.columns"),
        ("a.csv", b"a,b\n1,2\n", "devices.kind"),
        ("a.csv", b"\xff\xff\xff", "devices.encoding"),
        ("a.csv", b'id,kind,district,place,name,lon,lat\n"d,k\n', "devices.csv"),
        ("a.geojson", b"{", "devices.geojson"),
        ("a.geojson", b'{"type": "Feature"}', "devices.geojson"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "devices.empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_of_its_own(name: str, content: bytes, code: str) -> None:
    """The file is named and nothing of it is taken."""
    with pytest.raises(BadInput, match=name.replace(".", r"\.")) as caught:
        read(name, content)
    assert caught.value.code == code


def _collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _point(lon: float, lat: float, **properties: object) -> dict[str, object]:
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_geojson_has_the_same_names_as_properties() -> None:
    """Position from the point; numbers may be numbers; what is no column is ignored and named."""
    content = _collection(
        _point(
            120.1,
            30.2,
            id="p1",
            kind="underpass",
            district=0,
            zone="z",
            name="桥",
            owner="x",
            **{"attr:depth": 2},
        )
    )
    table = read("p.geojson", content)
    found = judge([read("d.csv", DISTRICTS.encode()), table], Known(2), DOMAINS)
    assert found.problems == []
    assert (found.places[0].lon, found.places[0].lat, found.places[0].attributes) == (
        120.1,
        30.2,
        {"depth": 2.0},
    )
    assert table.ignored == ["owner"]


def test_a_feature_that_is_no_point_is_a_bad_row() -> None:
    """It has no position of its own."""
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    properties = {"id": "p1", "kind": "road", "district": "0", "zone": "z", "name": "路"}
    feature = {"type": "Feature", "geometry": line, "properties": properties}
    found = judge(
        [read("d.csv", DISTRICTS.encode()), read("p.geojson", _collection(feature))], Known(2), DOMAINS
    )
    assert [(p.row, p.field, p.code) for p in found.problems] == [(1, "lon", "devices.missing")]


def test_features_with_a_layer_are_a_layer_of_the_map() -> None:
    """It is kept as it came, under the file's name."""
    content = _collection(_point(120, 30, layer="park", name_zh="公园"))
    table: Table = read("maps/parks.geojson", content)
    found = judge([table], Known(2), DOMAINS)
    assert found.layers == {"parks": json.loads(content)}
