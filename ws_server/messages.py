"""What goes over the live socket, both ways (docs/reference/live-socket.md)."""

from typing import Annotated, Any, Literal

import msgspec

from yiwang.errors import BadInput, YiwangError
from yiwang.model import Action, Body

MAX_MESSAGE_BYTES = 64 * 1024
MAX_WATCHED = 2000
MAX_DRAWN = 200

Id = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Took = Annotated[float, msgspec.Meta(ge=0, le=3_600_000)]
CommandId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello", tag_field="do"):
    """Take a post; ``at`` and ``epoch`` are those of an earlier session that is to go on."""

    id: Id
    post: str
    at: dict[str, int] | None = None
    epoch: str = ""


class CommandRequest(msgspec.Struct, frozen=True, kw_only=True, tag="command", tag_field="do"):
    """Decide something. ``t_ms`` is when the person did it, where the message had to wait for a network."""

    id: Id
    command_id: CommandId
    action: Action
    t_ms: float | None = None


class Watch(msgspec.Struct, frozen=True, kw_only=True, tag="watch", tag_field="do"):
    """From now on send the values of these series (district, number); replaces the earlier wish."""

    id: Id
    series: Annotated[list[tuple[int, int]], msgspec.Meta(max_length=MAX_WATCHED)]


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag="ping", tag_field="do"):
    """Measure the way there and back, and the clocks' difference."""

    id: Id
    sent_ms: float


class Drawn(msgspec.Struct, frozen=True, kw_only=True, tag="drawn", tag_field="do"):
    """How long it took from ingest to the painted frame (district, ms), by the gateway's clock, since the last such message."""

    id: Id
    took: Annotated[list[tuple[int, Took]], msgspec.Meta(min_length=1, max_length=MAX_DRAWN)]


Request = Hello | CommandRequest | Watch | Ping | Drawn


class _Head(msgspec.Struct):
    id: Id


_request: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_head = msgspec.json.Decoder(_Head)
_encoder = msgspec.json.Encoder()


def decode_request(text: str | bytes) -> Request:
    """A client's message.

    Raises:
        BadInput: ``message.invalid`` naming the field; ``details["re"]`` is its id where one could be read.
    """
    try:
        return _request.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        try:
            re = _head.decode(text).id
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            re = None
        raise BadInput("message.invalid", f"not a message of the live socket: {error}", re=re) from None


def encode(message: Any) -> bytes:  # Any: whatever msgspec can write
    """A message as JSON; not-a-number becomes null."""
    return _encoder.encode(message)


def ok(re: int, **more: Any) -> bytes:  # Any: plain JSON values
    """The answer to a request that was done."""
    return encode({"re": re, "ok": True, **more})


def refused(re: int | None, error: YiwangError) -> bytes:
    """The answer to a request that was not done."""
    return encode({"re": re, "ok": False, "error": error.as_json()})


# ---- what a client reads: one struct for all kinds, since only ``type`` (or ``re``) tells them apart ----


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``{"re": …}``."""

    re: int | None
    ok: bool
    error: dict[str, Any] | None = None  # Any: plain JSON values
    epoch: str = ""
    resumed: bool = False
    accepted: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot", tag_field="type"):
    """All that the post may see, as of ``at``."""

    at: dict[str, int]
    epoch: str
    now_ms: float
    objects: tuple[Body, ...]
    values: tuple[tuple[int, int, float, float | None, int], ...]


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", tag_field="type"):
    """One changed object."""

    at: tuple[int, int]
    body: Body
    ingest_ms: float | None
    agent_ms: float | None
    gateway_ms: float


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="type"):
    """What became of a command of this post."""

    at: tuple[int, int]
    body: Body
    ingest_ms: float | None
    agent_ms: float | None
    gateway_ms: float


class Values(msgspec.Struct, frozen=True, kw_only=True, tag="values", tag_field="type"):
    """Newest values of watched series."""

    rows: tuple[tuple[int, int, float, float | None, int], ...]
    ingest_ms: float | None
    gateway_ms: float


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """How fresh a district is: newest tick (event time), newest frame (wall clock of ingest)."""

    event_ms: float | None
    ingest_ms: float | None


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag="beat", tag_field="type"):
    """Every two seconds: the gateway lives, how fresh what it shows is, and up to where all was sent."""

    now_ms: float
    event_ms: float | None
    feeds: dict[str, Feed]
    kafka: bool
    database: bool
    ready: bool
    at: dict[str, int] | None = None


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag="pong", tag_field="type"):
    """The answer to a ping."""

    sent_ms: float
    now_ms: float


Push = Snapshot | Delta | Result | Values | Beat | Pong
PushType = Literal["snapshot", "delta", "result", "values", "beat", "pong"]

_push: msgspec.json.Decoder[Push] = msgspec.json.Decoder(Push)
_answer = msgspec.json.Decoder(Answer)


def decode_push(text: str | bytes) -> Push | Answer:
    """A gateway's message.

    Raises:
        BadInput: ``message.invalid``.
    """
    raw = text.encode() if isinstance(text, str) else text
    try:
        return _answer.decode(raw) if raw.startswith(b'{"re"') else _push.decode(raw)
    except msgspec.MsgspecError as error:
        raise BadInput("message.invalid", f"not a message of a gateway: {error}") from None
