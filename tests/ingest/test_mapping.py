"""MQTT topics and payloads to rows, and mapping files."""

import json
from pathlib import Path

import pytest

from ingest.mapping import Mappings, load
from ingest.rows import Rejected, Row
from tests.ingest.town import NOW, NOW_NS
from yiwang.errors import BadInput

FILE = """
mappings:
  - topic: city/+/+
    device: {level: 2}
    metric: {level: 3}
    time: time
  - topic: plain/+
    payload: number
    device: {level: 2}
    metric: {const: water_depth}
    unit: {const: mm}
  - topic: gw/#
    payload: json-array
    device: {path: id}
    metric: {path: m.kind}
    unit: {path: m.unit}
    value: m.v
    time: at
"""


@pytest.fixture
def mappings(tmp_path: Path) -> Mappings:
    path = tmp_path / "mapping.yaml"
    path.write_text(FILE, "utf-8")
    return load(path, limit=1000)


def rows(mappings: Mappings, topic: str, payload: bytes) -> list[Row | str]:
    return [r.error.code if isinstance(r, Rejected) else r for r in mappings.rows(topic, payload, NOW_NS)]


def test_device_and_metric_from_the_topic_and_the_rest_from_an_object(mappings: Mappings) -> None:
    """The form that also holds without a file."""
    payload = json.dumps({"value": 1.5, "unit": "cm", "time": NOW}).encode()
    expected = [Row("WL-1", "water_depth", NOW, 1.5, "cm")]
    assert rows(mappings, "city/WL-1/water_depth", payload) == expected
    assert rows(load(None, limit=1000), "city/WL-1/water_depth", payload) == expected


def test_a_bare_number_gets_its_unit_from_the_mapping_and_the_time_of_arrival(mappings: Mappings) -> None:
    """The simplest devices."""
    assert rows(mappings, "plain/WL-1", b" 12 ") == [
        Row("WL-1", "water_depth", "2026-06-01T12:15:00.000Z", 12.0, "mm")
    ]


def test_an_array_gives_a_row_each_and_one_bad_one_leaves_the_others_alone(mappings: Mappings) -> None:
    """A gateway's message; fields are found by path."""
    good = {"id": "WL-1", "at": NOW, "m": {"kind": "water_depth", "unit": "cm", "v": 2}}
    payload = json.dumps([good, {**good, "m": {"v": "wet"}}, 7, {**good, "m": {"v": float("nan")}}, good])
    found = rows(mappings, "gw/north/1", payload.encode())
    row = Row("WL-1", "water_depth", NOW, 2.0, "cm")
    assert found[0] == found[4] == row
    assert found[1] == "reading.field"
    assert isinstance(found[2], Row)
    assert found[2].device == ""
    assert found[3] == "reading.not_finite"


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("weather/today", b"{}", "mqtt.topic"),
        ("city/WL-1", b"{}", "mqtt.topic"),
        ("city/WL-1/water_depth", b"{", "json.syntax"),
        ("city/WL-1/water_depth", b"\xff\x00", "json.syntax"),
        ("city/WL-1/water_depth", b"[" * 900, "json.syntax"),
        ("city/WL-1/water_depth", b" " * 1001, "mqtt.too_large"),
        ("gw/1", b"{}", "json.shape"),
        ("plain/WL-1", b"wet", "reading.field"),
        ("plain/WL-1", b"nan", "reading.not_finite"),
        ("plain/WL-1", b"", "reading.field"),
    ],
)
def test_a_message_that_cannot_be_read_says_why_and_where(
    mappings: Mappings, topic: str, payload: bytes, code: str
) -> None:
    """The topic is named, the payload kept."""
    (found,) = mappings.rows(topic, payload, NOW_NS)
    assert isinstance(found, Rejected)
    assert (found.error.code, found.raw) == (code, payload)
    assert topic in found.error.message


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (("device: {level: 2}", "device: {level: 4}"), "mqtt.mapping.field", "levels 1 to 3"),
        (("device: {level: 2}", "device: {level: 2, const: a}"), "mqtt.mapping.field", "exactly one"),
        (("device: {level: 2}", "device: {}"), "mqtt.mapping.field", "exactly one"),
        (("unit: {const: mm}", "unit: {path: u}"), "mqtt.mapping.field", "no fields"),
        (("topic: gw/#", "topic: gw/#/a"), "mqtt.mapping.field", "no MQTT topic filter"),
        (("metric: {level: 3}", "metrics: {level: 3}"), "mqtt.mapping.field", "did you mean 'metric'"),
        (("payload: number", "payload: xml"), "mqtt.mapping.field", "xml"),
        (("mappings:", "mappings: ["), "mqtt.mapping.syntax", "mapping.yaml"),
    ],
)
def test_a_mapping_file_with_a_mistake_is_refused_by_field(
    tmp_path: Path, change: tuple[str, str], code: str, says: str
) -> None:
    """At start, before anything is subscribed to."""
    path = tmp_path / "mapping.yaml"
    path.write_text(FILE.replace(*change), "utf-8")
    with pytest.raises(BadInput) as caught:
        load(path, limit=1000)
    assert caught.value.code == code
    assert says in caught.value.message
