"""``yiwang frames``."""

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from yiwang import codec, frames, frames_json
from yiwang.errors import BadInput
from yiwang.settings import load

_HEX = re.compile(rb"[0-9a-fA-F\s]*")


@click.group("frames")
def command() -> None:
    """Look into frames of readings, and make them; docs/reference/frames.md has the format byte by byte."""


@command.command("decode")
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--hex", "as_hex", is_flag=True, help="FILE is text, two hex digits a byte, white space passed over."
)
@click.option("--district", type=click.IntRange(0), help="Straight from the feed: of this district.")
@click.option("--offset", type=click.IntRange(0), help="The first message to read from the feed.")
@click.option(
    "--count", type=click.IntRange(1), default=1, show_default=True, help="So many messages of the feed."
)
@click.option("--run", help="Name of the run (setting run).")
def decode(
    file: IO[bytes] | None,
    as_hex: bool,
    district: int | None,
    offset: int | None,
    count: int,
    run: str | None,
) -> None:
    """Show frames as JSON, one a line.

    FILE (- is standard input) holds a frame, or frames one behind the other. With --district and --offset messages
    are read from the feed instead; each line then has the offset, and the frame, the message, or the error of a frame
    that cannot be read. The exit status is 1 if there was one.
    """
    if (file is None) == (district is None) or (district is None) != (offset is None):
        raise BadInput("frames.which", "say what to decode: FILE, or --district N --offset O")
    if file is not None:
        for found in _of_file(file.read(), as_hex):
            _print(frames_json.as_json(found))
        return
    assert district is not None
    assert offset is not None
    bad = False
    for at, payload in asyncio.run(_of_feed(run, district, offset, count)):
        try:
            if frames.is_frame(payload):
                _print(
                    {"offset": at, "frame": frames_json.as_json(frames.decode(payload, district=district))}
                )
            else:
                codec.decode_feed(payload)
                _print({"offset": at, "message": msgspec.Raw(payload)})
        except BadInput as error:
            bad = True
            _print({"offset": at, "bytes": len(payload), "error": error.as_json()})
    if bad:
        sys.exit(1)


@command.command("encode")
@click.argument("file", type=click.File("rb"))
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write here, not to standard output."
)
@click.option("--hex", "as_hex", is_flag=True, help="Write hex digits, a frame a line.")
def encode(file: IO[bytes], out: Path | None, as_hex: bool) -> None:
    """Make frames of their JSON form.

    FILE (- is standard input) holds one object, an array of objects, or an object a line, as "yiwang frames decode"
    shows them. The frames are written one behind the other.
    """
    made: list[bytes] = []
    for number, text in enumerate(frames_json.objects(file.read())):
        try:
            made.append(frames.encode(frames_json.of_json(text)))
        except BadInput as error:
            raise _at(error, f"frame {number}", frame=number) from None
    data = b"".join(p.hex().encode() + b"\n" for p in made) if as_hex else b"".join(made)
    if out is None:
        click.get_binary_stream("stdout").write(data)
    else:
        try:
            out.write_bytes(data)
        except OSError as error:
            raise BadInput(
                "frames.out", f"{out} cannot be written: {error.strerror}", file=str(out)
            ) from None


def _of_file(data: bytes, as_hex: bool) -> Iterator[frames.Frame]:
    if as_hex:
        digits = b"".join(data.split())
        if not _HEX.fullmatch(data) or len(digits) % 2:
            raise BadInput("frames.hex", "not pairs of hex digits; leave --hex out for the bytes themselves")
        data = bytes.fromhex(digits.decode())
    for number, (at, payload) in enumerate(frames.split(data)):
        try:
            yield frames.decode(payload)
        except BadInput as error:
            raise _at(error, f"frame {number}, at byte {at}", frame=number, byte=at) from None


def _at(error: BadInput, where: str, **place: int) -> BadInput:
    """The same error, saying where in the file."""
    return BadInput(error.code, f"{where}: {error.message}", **error.details, **place)


async def _of_feed(run: str | None, district: int, offset: int, count: int) -> list[tuple[int, bytes]]:
    from aiokafka import TopicPartition

    from yiwang.broker import partition_count, start_consumer
    from yiwang.topics import Topics

    settings = load(run=run)
    topic = Topics(settings.run).feed
    if district >= (have := await partition_count(settings.kafka, topic)):
        raise BadInput("frames.district", f"{topic} has {have} districts, numbered from 0", districts=have)
    consumer = await start_consumer(settings.kafka, client_id="yiwang-frames")
    try:
        partition = TopicPartition(topic, district)
        consumer.assign([partition])
        begin: int = (await consumer.beginning_offsets([partition]))[partition]
        end: int = (await consumer.end_offsets([partition]))[partition]
        if not begin <= offset < end:
            raise BadInput(
                "frames.offset",
                f"district {district} of {topic} has offsets from {begin} on, {end} is the next to come",
                begin=begin,
                end=end,
            )
        consumer.seek(partition, offset)
        found: list[tuple[int, bytes]] = []
        while len(found) < count and (not found or found[-1][0] + 1 < end):
            batch: dict[Any, Any] = await consumer.getmany(timeout_ms=1000)  # Any: aiokafka has no types
            found += [(r.offset, r.value) for records in batch.values() for r in records if r.offset < end]
        return found[:count]
    finally:
        await consumer.stop()


def _print(plain: object) -> None:
    click.echo(msgspec.json.encode(plain))
