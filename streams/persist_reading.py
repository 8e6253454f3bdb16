"""Messages of the log as persist understands them; pure."""

from dataclasses import dataclass, field

from streams import persist_outputs
from yiwang import codec, frames, logs
from yiwang.clock import Clock
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.registry import Rules
from yiwang.topics import Topics


@dataclass(slots=True)
class Message:
    """What is in a message.

    Attributes:
        frame: its bytes, its stamp of ingest (ns) and its readings, when it is a frame.
        tick_ns: when it is a tick of the district, event time; else 0.
        rules: when it is a change of rules.
        registered: series with their metrics, when it is a change of the registry.
        statements: what stores it.
        is_unreadable: it is stored as a dead letter.
    """

    frame: tuple[bytes, int, Readings] | None = None
    tick_ns: int = 0
    rules: Rules | None = None
    registered: dict[int, str] = field(default_factory=dict)
    statements: list[persist_outputs.Statement] = field(default_factory=list)
    is_unreadable: bool = False


def read(topics: Topics, topic: str, partition: int, offset: int, payload: bytes, clock: Clock) -> Message:
    """A message; one nobody can read, or with a time no calendar has, is a dead letter and stops no neighbour.

    Args:
        topics: of the run.
        topic: where it stands.
        partition: where it stands.
        offset: where it stands.
        payload: its value.
        clock: for the stamp of a dead letter.
    """
    try:
        if topic == topics.feed:
            if frames.is_frame(payload):
                frame = frames.decode(payload, district=partition)
                return Message(frame=(payload, frame.ingest_ns, frame.readings))
            message = codec.decode_feed(payload)
            found = Message(statements=persist_outputs.of_feed(partition, message))
            if isinstance(message, Tick):
                found.tick_ns = message.t_ns
            elif isinstance(message, RulesChange):
                found.rules = message.rules
            elif isinstance(message, RegistryChange):
                devices = message.registry.devices
                found.registered = {s.number: s.metric for d in devices for s in d.series}
            return found
        if topic == topics.outputs:
            output = codec.decode_output(payload)
            return Message(statements=persist_outputs.of_output(partition, output))
        return Message(statements=persist_outputs.of_dead_letter(codec.decode_dead_letter(payload)))
    except (BadInput, OverflowError, ValueError) as error:
        code, text = (
            (error.code, error.message) if isinstance(error, BadInput) else ("persist.value", str(error))
        )
        logs.get("persist").warning("unreadable", topic=topic, partition=partition, offset=offset, code=code)
        letter = persist_outputs.unreadable(
            code, text, topic=topic, partition=partition, offset=offset, ns=clock.now_ns(), raw=payload
        )
        return Message(statements=persist_outputs.of_dead_letter(letter), is_unreadable=True)
