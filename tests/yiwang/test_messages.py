"""Frames, codecs, times and ids: what travels comes back as it was, and what is damaged is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiwang import codec, frames
from yiwang.clock import SECOND, ManualClock, ScaledClock, iso, parse_iso
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Acknowledge, Command, DeadLetter, Output, Tick, UnitState
from yiwang.topics import Topics

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=True, allow_infinity=True),
        st.integers(0, 255),
    ),
    max_size=50,
)


@given(rows=ROWS, district=st.integers(0, 65535), ingest_ns=st.integers(-(2**63), 2**63 - 1))
def test_a_frame_comes_back_to_the_last_bit(
    rows: list[tuple[int, int, float, int]], district: int, ingest_ns: int
) -> None:
    """Encode and decode change nothing, NaN's bits included; the arrays cannot be written to."""
    frame = frames.Frame(district=district, ingest_ns=ingest_ns, readings=Readings.of(rows))
    payload = frames.encode(frame)
    assert frames.is_frame(payload)
    back = frames.decode(payload)
    assert (back.district, back.ingest_ns) == (district, ingest_ns)
    for column in ("series", "t_ns", "value", "quality"):
        sent, got = getattr(frame.readings, column), getattr(back.readings, column)
        assert sent.tobytes() == got.tobytes()
        assert not got.flags.writeable
    assert frames.encode(back) == payload


@given(data=st.data())
def test_a_damaged_frame_is_refused(data: st.DataObject) -> None:
    """Any changed byte, and any other length, is found."""
    rows = [(1, 2, 3.5, 0), (4, 5, 6.5, 1)]
    payload = bytearray(frames.encode(frames.Frame(district=1, ingest_ns=7, readings=Readings.of(rows))))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadInput, match="frame"):
        frames.decode(bytes(payload))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "frame.length"),
        (b"YWF1", "frame.length"),
        (b"YWF2" + bytes(40), "frame.version"),
        (b"YWF1" + bytes(4) + struct.pack("<HHIq", 0, 0, 2**31, 0), "frame.length"),
    ],
)
def test_what_is_no_frame_is_refused_with_a_code(payload: bytes, code: str) -> None:
    """Too short, another version, an absurd count."""
    with pytest.raises(BadInput) as caught:
        frames.decode(payload)
    assert caught.value.code == code


def test_messages_come_back_and_equal_ones_give_equal_bytes() -> None:
    """JSON with sorted maps; every message names its type."""
    command = Command(command_id="c", by="desk-0", t_ns=1, ingest_ns=2, action=Acknowledge(incident="I-1"))
    assert codec.decode_command(codec.encode(command)) == command
    assert codec.decode_feed(codec.encode(command)) == command
    assert codec.decode_feed(codec.encode(Tick(t_ns=5))) == Tick(t_ns=5)
    body = UnitState(id="U", rev=1, district=0, on_duty=True, order="", t_ns=3)
    output = Output(n=0, feed=1, commands=2, body=body)
    assert codec.decode_output(codec.encode(output)) == output
    dead = DeadLetter(
        id="D", code="x", message="y", source="http", ingest_ns=1, args={"b": 1, "a": 2}, raw=b"\xff\0"
    )
    swapped = DeadLetter(
        id="D", code="x", message="y", source="http", ingest_ns=1, args={"a": 2, "b": 1}, raw=b"\xff\0"
    )
    assert codec.encode(dead) == codec.encode(swapped)
    assert codec.decode_dead_letter(codec.encode(dead)) == dead


@given(payload=st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_bad_input(payload: bytes) -> None:
    """What comes over the log can never break a reader."""
    for decode in (codec.decode_feed, codec.decode_command, codec.decode_output, codec.decode_dead_letter):
        try:
            decode(payload)
        except BadInput as error:
            assert error.code.endswith(".message")  # noqa: PT017  either outcome is right
    with pytest.raises(BadInput):
        frames.decode(payload)


@given(t_ms=st.integers(0, 4_000_000_000_000))
def test_times_are_written_and_read_alike(t_ms: int) -> None:
    """ISO 8601 with milliseconds, whatever the zone."""
    assert parse_iso(iso(t_ms * 10**6)) == t_ms * 10**6
    assert parse_iso(iso(t_ms * 10**6).replace("Z", "+00:00")) == t_ms * 10**6


@pytest.mark.parametrize(
    ("text", "code"),
    [("2026-06-12T20:00:00", "time.zone"), ("yesterday", "time.format"), ("", "time.format")],
)
def test_a_time_without_zone_or_sense_is_refused(text: str, code: str) -> None:
    """Nobody guesses."""
    with pytest.raises(BadInput) as caught:
        parse_iso(text)
    assert caught.value.code == code


def test_a_scaled_clock_runs_faster() -> None:
    """A minute in a second at speed 60."""
    base = ManualClock(100 * SECOND)
    clock = ScaledClock(base=base, base_ns=100 * SECOND, event_ns=0, speed=60.0)
    base.advance(1.0)
    assert clock.now_ns() == 60 * SECOND
    with pytest.raises(ValueError, match="back"):
        base.advance(-1.0)


def test_ids_follow_from_content() -> None:
    """The same parts give the same id everywhere, and parts do not run into each other."""
    assert derive("F", "a", 1) == derive("F", "a", "1") == "F-" + derive("F", "a", 1)[2:]
    assert derive("F", "ab", "c") != derive("F", "a", "bc")
    assert derive("I", "depth.ladder", 1) == "I-" + derive("F", "depth.ladder", 1)[2:]


@pytest.mark.parametrize("name", ["", "Live", "-a", "a" * 41, "a.b", "a b", "九"])
def test_a_run_name_that_would_break_a_topic_or_schema_is_refused(name: str) -> None:
    """Lower-case letters, digits and hyphens."""
    with pytest.raises(BadInput, match="run name"):
        Topics(name)


def test_runs_share_nothing() -> None:
    """Topics, schema and groups of two runs are all different."""
    a, b = Topics("live"), Topics("replay-1")
    names = lambda t: {*t.partitions(2), t.schema, t.group("district")}  # noqa: E731
    assert names(a).isdisjoint(names(b))
    assert a.partitions(3)[a.feed] == a.partitions(3)[a.commands] == 3


def test_joining_readings_keeps_their_order() -> None:
    """One batch of several, nothing in it changed."""
    a, b = Readings.of([(1, 1, 1.0, 0)]), Readings.of([(0, 2, 2.0, 1), (1, 3, 3.0, 0)])
    joined = Readings.join([a, b])
    assert joined.series.tolist() == [1, 0, 1]
    assert np.array_equal(joined.value, [1.0, 2.0, 3.0])
    assert len(Readings.join([])) == 0
