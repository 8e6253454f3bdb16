"""Dead letters through the same way again, with the registry and the packs of now."""

from collections.abc import Sequence
from typing import Any

from ingest.catalogue import Catalogue, build
from ingest.deadletters import RAW_LIMIT
from ingest.events import ParsedEvents
from ingest.feeder import Feeder
from ingest.intake import MQTT, PARSERS
from ingest.mapping import Mappings, load
from ingest.parse import Limits, Parsed, check
from ingest.rows import Rejected, Row, Rows
from sql import registry
from sql.pool import coded, connect
from yiwang.broker import start_producer
from yiwang.clock import SystemClock
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.model import DeadLetter
from yiwang.settings import Settings
from yiwang.topics import Topics


def again(
    letter: DeadLetter, catalogue: Catalogue, mappings: Mappings, limits: Limits
) -> Parsed | ParsedEvents[Any]:
    """What becomes of a letter now. Its times are judged by the moment at which it first came in.

    Raises:
        BadInput: what is still wrong with all of it; ``deadletter.cut`` or ``deadletter.source`` where it cannot
            be sent again at all.
    """
    if len(letter.raw) >= RAW_LIMIT:
        raise BadInput(
            "deadletter.cut", f"only the first {RAW_LIMIT} bytes were kept; the sender must send it again"
        )
    if letter.source in PARSERS:
        return PARSERS[letter.source](letter.raw, letter.ingest_ns, catalogue, limits)
    kind, _, topic = letter.source.partition(":")
    if kind == MQTT and topic:
        rows: list[Row] = []
        rejected: list[Rejected] = []
        for row in mappings.rows(topic, letter.raw, letter.ingest_ns):
            if isinstance(row, Rejected):
                rejected.append(row)
            else:
                rows.append(row)
        raws = [letter.raw] * len(rows)
        found = Rows(body=letter.raw, form="array", rows=rows, raws=raws, rejected=rejected)
        return check(found, letter.ingest_ns, catalogue, limits)
    raise BadInput(
        "deadletter.source",
        f"letters from {letter.source!r} did not come in by ingest and cannot be sent again",
        source=letter.source,
    )


async def replay(
    settings: Settings, letters: Sequence[DeadLetter]
) -> dict[str, Any]:  # Any: plain JSON values
    """Send letters again; what is accepted is in Kafka on return.

    Returns:
        ``{"letters", "accepted", "rejected": [{"id", "code", "message"}]}``.

    Raises:
        Unavailable: ``kafka.unavailable``, ``database.…``
    """
    topics, clock = Topics(settings.run), SystemClock()
    dsn = settings.database.get_secret_value()
    mappings = load(settings.mqtt_mapping, limit=settings.body_limit)
    limits = Limits(future_s=settings.future_limit_s, past_s=settings.past_limit_s)
    async with coded(dsn):
        connection = await connect(dsn, topics.schema)
        try:
            registries = await registry.load(connection)
        finally:
            await connection.close()
    catalogue = build(registries, compile_rules(load_rules(settings.domains)))
    accepted, rejected = 0, []
    producer = await start_producer(settings.kafka, client_id="yiwang-deadletters")
    try:
        async with Feeder(
            producer, topics, clock=clock, frame_ms=settings.frame_ms, frame_rows=settings.frame_rows
        ) as feeder:
            for letter in letters:
                try:
                    parsed = again(letter, catalogue, mappings, limits)
                except BadInput as error:
                    rejected.append({"id": letter.id, "code": error.code, "message": error.message})
                    continue
                now_ns = clock.now_ns()
                if isinstance(parsed, ParsedEvents):
                    for district, event in parsed.events:
                        await feeder.message(district, event, ingest_ns=now_ns)
                else:
                    for district, batch in parsed.batches.items():
                        await feeder.readings(district, batch, ingest_ns=now_ns)
                accepted += parsed.accepted
                rejected += [
                    {"id": letter.id, "code": r.error.code, "message": r.error.message}
                    for r in parsed.rejected
                ]
    finally:
        await producer.stop()
    return {"letters": len(letters), "accepted": accepted, "rejected": rejected}
