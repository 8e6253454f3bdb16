"""``yiwang frames``: bytes to JSON and back, and what it says of what is wrong."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from yiwang import frames, frames_json
from yiwang.broker import ensure_topics, start_producer
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.commands.frames import command
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.errors import BadInput
from yiwang.frames import Frame
from yiwang.model import Tick
from yiwang.topics import Topics

T = 1_780_320_000_000_000_000
FRAME = Frame(district=1, ingest_ns=T, readings=Readings.of([(3, T, 12.5, 0), (4, T + 1, 13.0, 2)]))
PAYLOAD = frames.encode(FRAME)


def invoke(*arguments: str, given: bytes = b"", env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=given, env=env)


def refused(*arguments: str, given: bytes = b"") -> BadInput:
    """The error of a command that must fail."""
    result = invoke(*arguments, given=given)
    assert isinstance(result.exception, BadInput), result.output
    return result.exception


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2**31 - 1),
            st.integers(-(2**55), 2**62),
            st.floats(allow_nan=False, allow_infinity=True),
            st.integers(0, 255),
        ),
        max_size=20,
    ),
    district=st.integers(0, 65535),
    ingest_ns=st.integers(-(2**63), 2**63 - 1),
)
def test_json_and_back_is_the_same_frame(
    rows: list[tuple[int, int, float, int]], district: int, ingest_ns: int
) -> None:
    """To the last bit, whatever the numbers; infinities as texts."""
    payload = frames.encode(Frame(district=district, ingest_ns=ingest_ns, readings=Readings.of(rows)))
    text = json.dumps(frames_json.as_json(frames.decode(payload)), allow_nan=False)
    assert frames.encode(frames_json.of_json(text.encode())) == payload


def test_decoded_frames_are_shown_one_a_line_and_encode_takes_them() -> None:
    """Two frames one behind the other come back as the same bytes."""
    shown = invoke("decode", "-", given=PAYLOAD + PAYLOAD)
    lines = shown.output.splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0]) == {
        "version": 1,
        "district": 1,
        "ingest_ns": T,
        "readings": [
            {"series": 3, "t_ns": T, "time": "2026-06-01T13:20:00.000Z", "value": 12.5, "quality": 0},
            {"series": 4, "t_ns": T + 1, "time": "2026-06-01T13:20:00.000Z", "value": 13.0, "quality": 2},
        ],
    }
    assert invoke("encode", "-", given=shown.output.encode()).stdout_bytes == PAYLOAD + PAYLOAD
    array = b"[" + b",".join(line.encode() for line in lines) + b"]"
    assert invoke("encode", "-", given=array).stdout_bytes == PAYLOAD + PAYLOAD


def test_what_a_person_writes_is_enough(tmp_path: Path) -> None:
    """Times as people write them, quality left out; hex on the way out and in; a file to write to."""
    given = b'{"district": 2, "ingest_ns": 0, "readings": [{"series": 7, "time": "2026-06-01T21:20:00+08:00", "value": 1}]}'
    out = tmp_path / "frame.hex"
    assert invoke("encode", "-", "--hex", "-o", str(out), given=given).exit_code == 0
    shown = json.loads(invoke("decode", str(out), "--hex").output)
    assert shown["readings"] == [
        {"series": 7, "t_ns": T, "time": "2026-06-01T13:20:00.000Z", "value": 1.0, "quality": 0}
    ]
    assert refused("encode", "-", "-o", str(tmp_path / "no" / "file"), given=given).code == "frames.out"


def test_a_value_that_is_no_number_is_shown_and_can_be_made() -> None:
    """So that a producer can test what becomes of it."""
    frame = Frame(
        district=0, ingest_ns=0, readings=Readings.of([(1, T, float("nan"), 0), (2, T, float("-inf"), 0)])
    )
    shown = invoke("decode", "-", given=frames.encode(frame)).output
    assert [r["value"] for r in json.loads(shown)["readings"]] == ["NaN", "-Infinity"]
    back = frames.decode(invoke("encode", "-", given=shown.encode()).stdout_bytes)
    assert np.isnan(back.readings.value[0])
    assert back.readings.value[1] == -np.inf


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (PAYLOAD[:10], "frame.length", "at least 24 bytes, this one 10"),
        (PAYLOAD[:-1], "frame.length", "2 readings has 66 bytes, this one 65: it was cut"),
        (PAYLOAD[:-1] + b"\x07", "frame.checksum", "CRC-32 does not match"),
        (b"YWF2" + PAYLOAD[4:], "frame.version", "b'YWF1'"),
        (PAYLOAD + b"rubbish that is long enough", "frame.version", "frame 1, at byte 66"),
        (b"YWF1" + bytes(8) + b"\xff\xff\xff\x7f" + bytes(8), "frame.length", "at most 200000"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(given: bytes, code: str, says: str) -> None:
    """Number of the frame, byte, and what would be right."""
    error = refused("decode", "-", given=given)
    assert error.code == code
    assert says in error.message
    assert "at byte" in error.message


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"district": 70000}, "frame.json", "district"),
        ({"version": 2}, "frame.json", "version"),
        ({"colour": "red"}, "frame.json", "colour"),
        ({"readings": [{"series": 1, "value": 1.0}]}, "frame.json", "reading 0 (series 1) has no time"),
        ({"readings": [{"series": 1, "t_ns": T, "value": "much"}]}, "frame.json", "value"),
        ({"readings": [{"series": 2**31, "t_ns": T, "value": 1}]}, "frame.json", "series"),
        ({"readings": [{"series": 1, "t_ns": T, "value": 1, "quality": 256}]}, "frame.json", "quality"),
        ({"readings": [{"series": 1, "time": "today", "value": 1}]}, "time.format", "today"),
        ({"readings": [{"series": 1, "time": "2026-06-01T21:20:00", "value": 1}]}, "time.zone", "+08:00"),
        (
            {"readings": [{"series": 1, "t_ns": T, "time": "2026-06-01T21:20:01+08:00", "value": 1}]},
            "frame.json",
            "give one, or the same",
        ),
    ],
)
def test_what_is_wrong_with_json_is_said(given: dict[str, Any], code: str, says: str) -> None:
    """The frame, the field, what would be right."""
    right = {"district": 1, "ingest_ns": 0, "readings": []}
    text = json.dumps(right) + "\n" + json.dumps(right | given)
    error = refused("encode", "-", given=text.encode())
    assert error.code == code
    assert says in error.message
    assert error.message.startswith("frame 1: ")


def test_other_mistakes_of_the_caller_have_codes() -> None:
    """Nothing or two things to decode, no hex, no JSON at all, more readings than a frame has."""
    assert refused("decode").code == "frames.which"
    assert refused("decode", "--district", "1").code == "frames.which"
    assert refused("decode", "-", "--hex", given=b"59 5").code == "frames.hex"
    assert refused("encode", "-", given=b"hello").code == "frame.json"
    assert refused("encode", "-", given=b'"hello"').code == "frame.json"
    with pytest.raises(BadInput, match="at most 200000"):
        frames.pack(0, 0, [Readings.of([(1, 1, 1.0, 0)])] * 200_001)
    with pytest.raises(BadInput, match="0 to 65535"):
        frames.pack(65536, 0, [])


@pytest.mark.kafka
def test_messages_straight_from_the_feed(kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames, single messages and what cannot be read, by district and offset; a wrong place is named."""
    topics = Topics(f"t{uuid.uuid4().hex[:10]}")
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("YIWANG_RUN", topics.run)

    async def fill() -> None:
        await ensure_topics(kafka.bootstrap, topics, 2)
        producer = await start_producer(kafka.bootstrap, client_id="test")
        other = frames.pack(0, 0, [FRAME.readings])
        for payload in (PAYLOAD, encode(Tick(t_ns=T)), PAYLOAD[:-1], other):
            await producer.send_and_wait(topics.feed, payload, partition=1)
        await producer.stop()

    asyncio.run(fill())
    result = invoke("decode", "--district", "1", "--offset", "0", "--count", "9")
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert lines[0] == {"offset": 0, "frame": frames_json.as_json(FRAME)}
    assert lines[1] == {"offset": 1, "message": {"type": "tick", "t_ns": T}}
    assert [line["error"]["code"] for line in lines[2:]] == ["frame.length", "frame.district"]
    assert invoke("decode", "--district", "1", "--offset", "1").exit_code == 0
    assert refused("decode", "--district", "1", "--offset", "4").details == {"begin": 0, "end": 4}
    assert refused("decode", "--district", "0", "--offset", "0").code == "frames.offset"
    assert refused("decode", "--district", "2", "--offset", "0").code == "frames.district"
