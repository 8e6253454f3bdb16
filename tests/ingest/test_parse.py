"""Readings from bytes: every kind of bad input, and good rows beside it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.parse import Parsed, parse
from ingest.rows import MAX_ROWS, Form
from tests.ingest.town import LIMITS, NOW, NOW_NS, array, catalogue, lines, row
from yiwang.columns import Quality
from yiwang.errors import BadInput

CATALOGUE = catalogue()


def take(body: bytes, form: Form = "array") -> Parsed:
    return parse(body, NOW_NS, CATALOGUE, LIMITS, form=form)


def codes(parsed: Parsed) -> list[tuple[int, str]]:
    return [(r.row, r.error.code) for r in parsed.rejected]


@pytest.mark.parametrize(("make", "form"), [(array, "array"), (lines, "lines")])
def test_good_rows_become_columns_per_district_in_the_order_of_the_body(make: Any, form: Form) -> None:
    """Series numbers of the district, nanoseconds, the metric's own unit."""
    parsed = take(
        make(
            row(value=1),
            row(device="WL-9", value=3, unit="mm"),
            row(device="WL-2", value=2, time="2026-06-01T12:14:59.5Z", quality=1),
            row(device="WL-2", metric="rain_intensity", value=1.5, unit="mm/min"),
        ),
        form,
    )
    assert (parsed.accepted, parsed.rejected, parsed.clocks) == (4, [], {})
    zero, one = parsed.batches[0], parsed.batches[1]
    assert zero.series.tolist() == [0, 1, 2]
    assert zero.t_ns.tolist() == [NOW_NS, NOW_NS - 500_000_000, NOW_NS]
    assert zero.value.tolist() == [1.0, 2.0, 90.0]
    assert zero.quality.tolist() == [0, Quality.SUSPECT, 0]
    assert one.value.tolist() == pytest.approx([0.3])
    dtypes = [str(column.dtype) for column in (zero.series, zero.t_ns, zero.value, zero.quality)]
    assert dtypes == ["int32", "int64", "float64", "uint8"]


BAD: list[tuple[str, Any, str]] = [
    ("reading.field", row(device=...), "device is missing"),
    ("reading.field", row(metric=...), "metric is missing"),
    ("reading.field", row(time=...), "time is missing"),
    ("reading.field", row(value=...), "value is missing"),
    ("reading.field", row(value="12"), "the text '12'; it must be a number"),
    ("reading.field", row(value=None), "value is null"),
    ("reading.field", row(value=True), "value is true"),
    ("reading.field", row(device=7), "device is a number"),
    ("reading.field", row(time=1_780_000_000), "time is a number"),
    ("reading.field", row(quality=9), "0 (good)"),
    ("reading.field", 17, "a row is an object"),
    ("reading.field", [1, 2], "not an array"),
    ("reading.unknown_device", row(device="WL-404"), "yiwang devices import"),
    ("reading.unknown_metric", row(metric="water_dept"), "its metrics: water_depth"),
    ("reading.unknown_metric", row(device="CAM-1", metric="video_road_flooding"), "/v1/events"),
    ("reading.unit_missing", row(unit=...), "write one of cm, in, m, mm"),
    ("reading.unit_missing", row(unit=""), "write one of cm"),
    ("reading.unit_unknown", row(unit="furlong"), "'furlong'"),
    ("reading.not_finite", row(value="NaN"), "finite number"),
    ("reading.not_finite", row(value="-Infinity"), "finite number"),
    ("reading.not_finite", row(value="inf"), "finite number"),
    ("reading.not_finite", row(value=10**400), "finite number"),
    ("reading.out_of_range", row(value=5000), "outside -5 … 1000 cm"),
    ("reading.out_of_range", row(value=99, unit="m"), "99 m = 9900 cm"),
    ("reading.out_of_range", row(value=1e307, unit="m"), "outside"),
    ("time.format", row(time="yesterday"), "'yesterday'"),
    ("time.zone", row(time="2026-06-01T20:15:00"), "names no zone"),
    ("time.zone", row(time="2026-06-01T20:15:00+99:00"), "'+99:00'"),
]


@pytest.mark.parametrize(("code", "bad", "says"), BAD, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(BAD)])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_bad_row_is_named_and_its_neighbours_are_kept(code: str, bad: Any, says: str, form: Form) -> None:
    """One code, a message that names the device and what is right, the raw row; the others are taken."""
    body = (
        json.dumps([row(), bad, row(device="WL-9")])
        if form == "array"
        else "\n".join(map(json.dumps, [row(), bad, row(device="WL-9")]))
    ).encode()
    parsed = take(body, form)
    assert codes(parsed) == [(1, code)]
    error = parsed.rejected[0].error
    assert says in error.message
    if isinstance(bad, dict) and isinstance(bad.get("device"), str):
        assert bad["device"] in error.message
        assert error.details["device"] == bad["device"]
    assert json.loads(parsed.rejected[0].raw) == bad
    assert parsed.accepted == 2
    assert sorted(parsed.batches) == [0, 1]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_bare_nan_or_infinity_is_no_json_but_named_for_what_it_is(literal: str) -> None:
    """Python's json writes them; the row is rejected as not finite, the rest of the array lives."""
    bad = json.dumps(row(device="WL-2")).replace("12.5", literal)
    body = f"[{json.dumps(row())}, {bad}, {json.dumps(row())}]".encode()
    parsed = take(body)
    assert codes(parsed) == [(1, "reading.not_finite")]
    assert parsed.accepted == 2


@pytest.mark.parametrize(
    "broken",
    [
        '{"device": "WL-1", "metric": ',
        '{"device": "WL-1", "metric": "water_depth',
        '{"device": "WL-1" "metric": "water_depth"}',
        '{device: "WL-1"}',
        '{"device": "\\ud800"}',
        '{"a": [1, 2}',
        "{",
        "{}}",
    ],
)
def test_a_row_that_is_no_json_leaves_its_neighbours_alone(broken: str) -> None:
    """A missing brace, quote or colon costs one row, not the array."""
    good = json.dumps(row(note="{[", extra={"a": {"b": 1}}))
    parsed = take(f"[{good}, {broken}, {good},{good}]".encode())
    assert parsed.accepted == 3
    assert {c for _, c in codes(parsed)} <= {"json.syntax", "reading.field"}
    assert parsed.rejected


def test_a_body_that_was_cut_off_keeps_what_is_whole_and_says_so() -> None:
    """Rows before the cut are taken, the cut is reported with its position."""
    body = array(row(), row(), row())
    for end in (len(body) - 1, len(body) - 10):
        parsed = take(body[:end])
        assert parsed.accepted == (3 if end == len(body) - 1 else 2)
        assert [r.error.code for r in parsed.rejected] == ["json.syntax"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json.syntax"),
        (b"hello", "json.syntax"),
        (b"[{]", "json.syntax"),
        (b'"text"', "json.shape"),
        (b"12", "json.shape"),
        (b"[" * 100_000, "json.syntax"),
        (b"{" * 100_000, "json.syntax"),
        (b"[" + b"1," * MAX_ROWS + b"1]", "body.rows"),
        (b"\xff\xfe[\x00", "json.syntax"),
    ],
)
def test_a_body_of_which_nothing_can_be_used_is_refused_whole(body: bytes, code: str) -> None:
    """With a code, and for broken JSON the position."""
    with pytest.raises(BadInput) as caught:
        take(body)
    assert caught.value.code == code
    if code == "json.syntax":
        assert 0 <= caught.value.details["position"] <= len(body)


def test_bytes_that_are_no_utf8_cost_one_row_and_the_position_is_right() -> None:
    """GBK text from an old logger, for one."""
    bad = b'{"device": "\xd6\xd0"}'
    parsed = take(b"[" + json.dumps(row()).encode() + b"," + bad + b"]")
    assert parsed.accepted == 1
    assert codes(parsed) == [(1, "json.syntax")]
    assert parsed.rejected[0].error.details["position"] == 12


def test_a_lone_object_is_a_body_of_one_row() -> None:
    """What curl users send first."""
    assert take(json.dumps(row()).encode()).accepted == 1


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("2026-06-01T20:16:01+08:00", "61 s ahead"),
        ("2026-06-01T20:15:00Z", "just 8 h: is its local time sent with another zone?"),
        ("2016-06-01T20:15:00+08:00", "behind"),
        ("9999-12-31T23:59:59Z", "ahead"),
        ("0001-01-01T00:00:00+08:00", "behind"),
        ("20160601T201500+0800", "behind"),
    ],
)
def test_a_wrong_clock_is_named_and_its_readings_are_kept_with_the_time_of_arrival(
    time: str, says: str
) -> None:
    """Future and ten years past: accepted, stamped, marked, counted per device; the neighbour is not touched."""
    parsed = take(array(row(time=time), row(device="WL-2"), row(time=time, quality=1)))
    assert (parsed.accepted, parsed.rejected) == (3, [])
    assert parsed.batches[0].t_ns.tolist() == [NOW_NS] * 3
    assert parsed.batches[0].quality.tolist() == [2, 0, 3]
    assert list(parsed.clocks) == ["WL-1"]
    warning = parsed.clocks["WL-1"].as_json("reading.clock", "WL-1")
    assert warning["args"]["count"] == 2
    assert says in warning["message"]


def test_the_edges_of_the_window_are_believed() -> None:
    """Just 60 s ahead and just 30 days back are taken as they are."""
    parsed = take(array(row(time="2026-06-01T20:16:00+08:00"), row(time="2026-05-02T20:15:00+08:00")))
    assert parsed.clocks == {}
    assert (parsed.batches[0].t_ns - NOW_NS).tolist() == [60_000_000_000, -30 * 86_400_000_000_000]


def test_messages_cut_what_came_from_outside() -> None:
    """A device id of a megabyte does not come back in the answer."""
    parsed = take(array(row(device="x" * 1_000_000), row(time="9" * 1_000_000)))
    assert all(len(json.dumps(r.as_json())) < 1000 for r in parsed.rejected)
    assert all(len(r.raw) == 64 * 1024 for r in parsed.rejected)


@given(st.binary(max_size=200), st.sampled_from(["array", "lines"]))
@example(b'{"value":1} {"value":2}', "lines")
@example(b'{\n"value":1}\n', "lines")
def test_no_bytes_raise_anything_but_bad_input(body: bytes, form: Form) -> None:
    """Fuzz: any bytes are taken, rejected by row or refused with a code."""
    try:
        parsed = take(body, form)
    except BadInput as error:
        json.dumps(error.as_json())
    else:
        json.dumps([r.as_json() for r in parsed.rejected])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["device", "metric", "time", "value", "unit", "quality", "other"])
BAD_ROWS = JSON | st.dictionaries(FIELDS, JSON | st.sampled_from(["WL-1", "water_depth", NOW, "cm"]))
GOOD = [row(device=d, value=v) for d in ("WL-1", "WL-9") for v in (0, 3.5)]


@given(
    st.lists(st.tuples(st.booleans(), BAD_ROWS, st.sampled_from(GOOD)), max_size=12),
    st.sampled_from(["array", "lines"]),
)
def test_good_rows_always_survive_bad_neighbours(mix: list[tuple[bool, Any, Any]], form: Form) -> None:
    """Whatever JSON (with NaN) stands beside them, every good row is accepted and every bad one is counted."""
    rows = [good if is_good else bad for is_good, bad, good in mix]
    rows.append(GOOD[0])
    texts = [json.dumps(r) for r in rows]
    parsed = take((f"[{','.join(texts)}]" if form == "array" else "\n".join(texts)).encode(), form)
    good = sum(is_good for is_good, _, _ in mix) + 1
    assert parsed.accepted >= good
    rejected = {r.row for r in parsed.rejected}
    assert sum(len(b) for b in parsed.batches.values()) == parsed.accepted
    if "NaN" not in str(texts) and "Infinity" not in str(texts):
        assert parsed.accepted + len(rejected) == len(rows)
        assert not rejected & {i for i, (is_good, _, _) in enumerate(mix) if is_good}


@given(st.lists(st.tuples(st.sampled_from(GOOD), st.text(max_size=12)), max_size=6))
def test_good_rows_survive_any_rubbish_between_them(mix: list[tuple[Any, str]]) -> None:
    """Text without braces or quotes between the rows of an array costs no row."""
    body = "[" + "".join(
        json.dumps(good) + "".join(c for c in junk if c not in '{}"\\') + "," for good, junk in mix
    )
    try:
        assert take(body.encode("utf-8", "replace")).accepted == len(mix)
    except BadInput:
        assert not mix
