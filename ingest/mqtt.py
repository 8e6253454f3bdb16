"""Readings from an MQTT broker, acknowledged to it only when Kafka has them.

Quality of service 1 with a session that the broker keeps: what is not acknowledged, it sends again. aiomqtt
acknowledges as soon as it has a message; its paho client underneath can be told not to, and is asked for the
acknowledgement here (the only use of that private attribute).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from urllib.parse import unquote, urlsplit

import aiomqtt

from ingest.intake import MQTT, Intake
from ingest.mapping import Mappings
from ingest.parse import check
from ingest.rows import Rejected, Row, Rows
from yiwang import logs
from yiwang.errors import BadInput, Unavailable

_BATCH = 500
_INBOX = 20_000
_FIRST_WAIT_S, _LAST_WAIT_S = 0.5, 30.0
_log = logs.get("mqtt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an MQTT broker is and who we are there."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address(url: str) -> Address:
    """``mqtt[s]://[user:password@]host[:port]``.

    Raises:
        BadInput: ``mqtt.url``; the message never holds the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if (
        parts.scheme not in ("mqtt", "mqtts")
        or not parts.hostname
        or port == 0
        or parts.path not in ("", "/")
    ):
        raise BadInput(
            "mqtt.url", "the MQTT address is none such as mqtt://user:password@host:1883 or mqtts://host:8883"
        )
    tls = parts.scheme == "mqtts"
    return Address(
        host=parts.hostname,
        port=port or (8883 if tls else 1883),
        tls=tls,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Bounded for messages that may be lost; the broker itself bounds the others, by waiting for us."""

    def __init__(self, intake: Intake, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._intake = intake

    def put_nowait(self, item: aiomqtt.Message) -> None:
        if item.qos == 0 and self.qsize() >= _INBOX:
            self._intake.counters.dropped += 1
            return
        super().put_nowait(item)


class MqttFeed:
    """One connection to a broker, renewed for ever.

    Args:
        where: the broker.
        topics: filters to subscribe to.
        mappings: how messages are read.
        intake: with a feeder of its own that waits for Kafka as long as it takes: the broker's limit of messages
            under way then holds the devices back, and nothing need be sent twice.
        client_id: under which the broker keeps what we have not acknowledged; of this process alone.
    """

    def __init__(
        self, where: Address, topics: Sequence[str], mappings: Mappings, intake: Intake, *, client_id: str
    ) -> None:
        self._where = where
        self._topics = topics
        self._mappings = mappings
        self._intake = intake
        self._client_id = client_id
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; connect again, with a growing wait, whenever the broker goes away."""
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                await self._session()
            except aiomqtt.MqttError as error:
                _log.warning("mqtt.unavailable", broker=str(self._where), reason=str(error), wait_s=wait_s)
            except Unavailable as error:
                _log.warning(error.code, reason=error.message, wait_s=wait_s)
            if self.connected.is_set():
                wait_s = _FIRST_WAIT_S
                self.connected.clear()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LAST_WAIT_S)

    async def _session(self) -> None:
        """From connecting to disconnecting.

        Raises:
            MqttError: the broker is away, or went away.
            Unavailable: ``kafka.unavailable``; leaving makes the broker send again what is not acknowledged.
        """
        client = aiomqtt.Client(
            self._where.host,
            self._where.port,
            username=self._where.user,
            password=self._where.password,
            tls_params=aiomqtt.TLSParameters() if self._where.tls else None,
            identifier=self._client_id,
            clean_session=False,
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", partial(_Inbox, self._intake)),
        )
        client._client.manual_ack_set(True)  # before connecting: the broker may have messages ready
        taken: asyncio.Queue[tuple[list[aiomqtt.Message], list[asyncio.Future[None]]]] = asyncio.Queue()
        async with client:
            for topic in self._topics:
                granted = await client.subscribe(topic, qos=1)
                _log.info("mqtt.subscribed", topic=topic, granted=str(granted))
            _log.info("mqtt.connected", broker=str(self._where))
            self.connected.set()
            reading = asyncio.create_task(self._read(client, taken))
            acknowledging = asyncio.create_task(self._acknowledge(client, taken))
            try:
                await asyncio.wait((reading, acknowledging), return_when=asyncio.FIRST_COMPLETED)
                for task in (reading, acknowledging):
                    if task.done():
                        task.result()  # raises: neither ever returns
            finally:
                for task in (reading, acknowledging):
                    task.cancel()
                await asyncio.gather(reading, acknowledging, return_exceptions=True)

    async def _read(
        self,
        client: aiomqtt.Client,
        taken: "asyncio.Queue[tuple[list[aiomqtt.Message], list[asyncio.Future[None]]]]",
    ) -> None:
        """Take what has arrived, all at once, and hand it over."""
        while True:
            batch = [await anext(client.messages)]
            while len(client.messages) and len(batch) < _BATCH:
                batch.append(await anext(client.messages))
            taken.put_nowait((batch, await self._take(batch)))

    async def _take(self, batch: Sequence[aiomqtt.Message]) -> "list[asyncio.Future[None]]":
        received_ns = self._intake.clock.now_ns()
        rows: list[Row] = []
        origins: list[tuple[str, bytes]] = []
        unread: list[tuple[str, Rejected]] = []
        for message in batch:
            topic, payload = message.topic.value, bytes(message.payload)
            for row in self._mappings.rows(topic, payload, received_ns):
                if isinstance(row, Rejected):
                    unread.append((topic, row))
                else:
                    rows.append(row)
                    origins.append((topic, payload))
        found = Rows(
            body=b"", form="array", rows=rows, index=list(range(len(rows))), raws=[p for _, p in origins]
        )
        parsed = check(found, received_ns, self._intake.catalogue(), self._intake.limits)
        topics = [origins[r.row][0] for r in parsed.rejected] + [topic for topic, _ in unread]
        parsed.rejected.extend(replace(r, row=n) for n, (_, r) in enumerate(unread, len(rows)))
        futures = await self._intake.take(parsed, MQTT, [f"{MQTT}:{t}" for t in topics], received_ns)
        self._intake.count(parsed, MQTT)
        return futures

    async def _acknowledge(
        self,
        client: aiomqtt.Client,
        taken: "asyncio.Queue[tuple[list[aiomqtt.Message], list[asyncio.Future[None]]]]",
    ) -> None:
        """Tell the broker, in the order of arrival, what Kafka has."""
        while True:
            batch, futures = await taken.get()
            await asyncio.gather(*futures)
            for message in batch:
                if message.qos == 1:
                    client._client.ack(message.mid, message.qos)
