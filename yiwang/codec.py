"""Messages to bytes and back. Frames have their own codec in ``yiwang.frames``."""

import msgspec

from yiwang.errors import BadInput
from yiwang.model import Command, DeadLetter, FeedMessage, Output

_feed: msgspec.json.Decoder[FeedMessage] = msgspec.json.Decoder(FeedMessage)
_command = msgspec.json.Decoder(Command)
_output = msgspec.json.Decoder(Output)
_dead = msgspec.json.Decoder(DeadLetter)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(message: FeedMessage | Output | DeadLetter) -> bytes:
    """Any message but a frame, as JSON with sorted maps: equal messages give equal bytes."""
    return _encoder.encode(message)


def decode_feed(payload: bytes) -> FeedMessage:
    """A feed message that is not a frame.

    Raises:
        BadInput: ``feed.message`` with the field that is wrong.
    """
    try:
        return _feed.decode(payload)
    except msgspec.MsgspecError as error:
        raise BadInput("feed.message", f"not a feed message: {error}") from error


def decode_command(payload: bytes) -> Command:
    """A message of the commands topic.

    Raises:
        BadInput: ``command.message`` with the field that is wrong.
    """
    try:
        return _command.decode(payload)
    except msgspec.MsgspecError as error:
        raise BadInput("command.message", f"not a command: {error}") from error


def decode_output(payload: bytes) -> Output:
    """A message of the outputs topic.

    Raises:
        BadInput: ``output.message`` with the field that is wrong.
    """
    try:
        return _output.decode(payload)
    except msgspec.MsgspecError as error:
        raise BadInput("output.message", f"not an output: {error}") from error


def decode_dead_letter(payload: bytes) -> DeadLetter:
    """A message of the dead-letter topic.

    Raises:
        BadInput: ``deadletter.message``.
    """
    try:
        return _dead.decode(payload)
    except msgspec.MsgspecError as error:
        raise BadInput("deadletter.message", f"not a dead letter: {error}") from error
