"""Rows read as columns of bytes mean what the JSON parser says they mean, or are left to it."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest import bulk as bulks
from ingest.parse import Parsed, by_rows, in_bulk
from ingest.rows import Form
from tests.ingest.town import LIMITS, NOW_NS, array, catalogue, lines, row
from yiwang.errors import BadInput

CATALOGUE = catalogue()


def picture(parsed: Parsed) -> Any:
    """All that a body became, to the bit."""
    batches = {
        district: [c.tobytes() for c in (b.series, b.t_ns, b.value, b.quality)]
        for district, b in parsed.batches.items()
    }
    rejected = [(r.as_json(), r.raw) for r in parsed.rejected]
    clocks = {d: c.as_json("reading.clock", d) for d, c in parsed.clocks.items()}
    return parsed.accepted, batches, rejected, clocks


def agree(body: bytes, form: Form) -> bool:
    """Whether the body is read in columns; then it must be read as row by row."""
    bulk = in_bulk(body, NOW_NS, CATALOGUE, LIMITS, form=form)
    if bulk is None:
        return False
    assert picture(bulk) == picture(by_rows(body, NOW_NS, CATALOGUE, LIMITS, form=form))
    return True


def value(i: int) -> float:
    return round(i * 7919 % 4001 / 8 - 30, i % 4)


def usual(n: int, **changed: Any) -> list[dict[str, Any]]:
    """Rows as a site of two districts sends them."""
    return [
        row(
            device=("WL-1", "WL-2", "WL-9")[i % 3],
            time=f"2026-06-01T20:14:{i % 60:02d}.{i % 1000:03d}+08:00",
            value=abs(value(i)),
            **changed,
        )
        for i in range(n)
    ]


def of_widths(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with fractions of a second only where there are any, metrics mixed, ids of all widths."""
    metrics = [("water_depth", "cm"), ("rain_intensity", "mm/min"), ("water_depth", "m")]
    return [
        r
        | {"time": f"2026-06-01T12:14:{i % 60:02d}" + (f".{i % 10}Z" if i % 7 else "Z"), "value": 1 + i % 3}
        | dict(zip(("metric", "unit"), metrics[i % 3], strict=True))
        | {"device": ("WL-2", "WL-2", "WL-9")[i % 3]}
        for i, r in enumerate(rows)
    ]


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize(
    "rows",
    [
        usual(200),
        usual(200, quality=1),
        usual(200, seq=17, note="plain", battery=3.71, ok=True),
        of_widths(usual(200)),
        [{k: r[k] for k in ("value", "unit", "time", "device", "metric")} for r in usual(200)],
        [r | {"value": 10 ** (i % 4) / 7} for i, r in enumerate(usual(200))],
        [r | {"time": f"2026-06-01T20:{i % 15:02d}:07.123456+08:00"} for i, r in enumerate(usual(200))],
        [r | {"time": "2020-06-01T20:14:07+08:00"} if i % 3 else r for i, r in enumerate(usual(200))],
    ],
)
@pytest.mark.parametrize(
    "write",
    [msgspec.json.encode, lambda r: json.dumps(r).encode(), lambda r: json.dumps(r, indent=None).encode()],
)
def test_what_senders_usually_write_is_read_in_columns(
    rows: list[dict[str, Any]], form: Form, write: Callable[[Any], bytes]
) -> None:
    """Any order of fields, more fields, spaces, districts, metrics, widths and fractions mixed; lines and arrays."""
    texts = [write(r) for r in rows]
    body = b"[" + b", ".join(texts) + b"]\n" if form == "array" else b"\n".join(texts)
    assert agree(body, form)


WRONG: list[bytes] = [
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":null,"unit":"cm"}',
    b'{"device":"WL-404","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":1.5,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:61.000+08:00","value":1.5,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":1e400,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":1e1,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":-0.0,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":99999.5,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":1.5,"unit":"ell"}',
    b'{"device":"WL-1","metric":"no_such","time":"2026-06-01T20:14:07.000+08:00","value":1.5,"unit":"cm"}',
    b'{"device":"WL-1","metric":"water_depth","time":"yesterday","value":1.5,"unit":"cm"}',
    b'{"device":"\xd6\xd0","metric":"water_depth","time":"2026-06-01T20:14:07.000+08:00","value":1,"unit":"cm"}',
    b'{"unit":"cm","value":3,"time":"2026-06-01T20:14:07.000+08:00","metric":"water_depth","device":"WL-2"}',
    b'{"device":"WL-1","device":"WL-2","metric":"water_depth","time":"2026-06-01T20:14:07Z","value":3,"unit":"cm"}',
    b'{"x":{"y":[1,2]},"device":"WL-2","metric":"water_depth","time":"2026-06-01T20:14:07Z","value":3,"unit":"cm"}',
    b'{"value":NaN}',
    b'{"value":"12"}',
    b"{}",
    b"12",
    b"",
    b"}",
    b'"{"',
]


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("places", [(0,), (5,), (99,), (0, 5, 6, 98)])
def test_a_row_that_is_not_like_the_others_is_judged_by_itself(
    wrong: bytes, places: tuple[int, ...], form: Form
) -> None:
    """First, last or between the others: same reason, same place, same bytes as row by row."""
    texts = [msgspec.json.encode(r) for r in usual(100)]
    for place in places:
        texts[place] = wrong
    body = b"[" + b",".join(texts) + b"]" if form == "array" else b"\n".join(texts)
    agree(body, form)


def test_one_bad_row_does_not_send_the_body_the_slow_way() -> None:
    """Those that are JSON by themselves are picked out."""
    texts = [msgspec.json.encode(r) for r in usual(100)]
    for i in (7, 50):
        texts[i] = WRONG[i % 3]
    assert agree(b"[" + b",".join(texts) + b"]", "array")
    assert agree(b"\r\n".join(texts) + b"\r\n", "lines")


BODIES: list[tuple[bytes, Form]] = [
    (array(*usual(40)), "array"),
    (lines(*usual(40)), "lines"),
    (array(*of_widths(usual(40))), "array"),
    (lines(*usual(40, quality=1, note="x", seq=-1.5)), "lines"),
    (b"[" + b" ,\n ".join(json.dumps(r).encode() for r in usual(40)) + b" ] ", "array"),
    (array(*usual(40)), "lines"),
    (lines(*usual(40)), "array"),
]
PIECES = st.sampled_from(
    [
        b'"',
        b"\\",
        b"{",
        b"}",
        b",",
        b":",
        b"\n",
        b" ",
        b"0",
        b"-",
        b".",
        b"e",
        b"\x00",
        b"\xff",
        b'","',
        b"},{",
        b"[",
        b"]",
        b'"device":"WL-2",',
        b'"value":1,',
        b"null",
        b"NaN",
        b"1e3",
        "深".encode(),
        b"\t",
        b"\\u0031",
        b"9" * 30,
    ]
)


LETTERS = st.sampled_from([bytes([c]) for c in b"0123456789abceZT+-.:, WL"])
DAMAGE = st.tuples(st.integers(0, 1 << 16), st.just(1), LETTERS) | st.tuples(
    st.integers(0, 1 << 16), st.integers(0, 12), PIECES | st.binary(max_size=3)
)


@given(st.sampled_from(BODIES), st.lists(DAMAGE, min_size=1, max_size=4))
@example(BODIES[0], [(9, 0, b"\x00")])
@example(BODIES[1], [(200, 1, b"\n")])
def test_damaged_bodies_are_never_read_differently(
    given_body: tuple[bytes, Form], damages: list[tuple[int, int, bytes]]
) -> None:
    """Bytes changed, put in or taken out anywhere: either the columns agree with the JSON parser or they decline."""
    body, form = given_body
    for place, gone, put in damages:
        at = place % len(body)
        body = body[:at] + put + body[at + gone :]
    try:
        agree(body, form)
    except BadInput:  # of row by row: nothing of it is JSON, so nothing of it may fit
        assert in_bulk(body, NOW_NS, CATALOGUE, LIMITS, form=form) is None


NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(-1000, 1000).map(lambda v: f"{v:.3f}")
    | st.integers(-(10**18), 10**18).map(str)
    | st.text("0123456789.-eE+", min_size=1, max_size=20)
)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_numbers_are_those_of_the_parser_to_the_last_bit(odd: list[str]) -> None:
    """Long, short, negative, with and without a fraction, and what only looks like a number."""
    rows = usual(32, unit="cm")
    texts = [msgspec.json.encode(r) for r in rows]
    for i, number in enumerate(odd):
        texts[4 + i] = texts[4 + i].replace(
            f'"value":{rows[4 + i]["value"]}'.encode(), f'"value":{number}'.encode()
        )
    body = b"[" + b",".join(texts) + b"]"
    try:
        agree(body, "array")
    except BadInput:
        assert in_bulk(body, NOW_NS, CATALOGUE, LIMITS) is None


def test_rows_of_a_bulk_are_found_where_they_stand() -> None:
    """Places of rows and the widths of values that vary."""
    body = array(*usual(50))
    bulk = bulks.read(body, "array")
    assert bulk is not None
    assert bulk.fits.all()
    assert [bulk.piece(i, "array") for i in range(50)] == [msgspec.json.encode(r) for r in usual(50)]
    widths = np.array([len(msgspec.json.encode(r["value"])) for r in usual(50)])
    assert np.array_equal(bulk.columns["value"].width, widths)
