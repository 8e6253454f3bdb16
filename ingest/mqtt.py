"""Readings from an MQTT broker, acknowledged to it only when Kafka, or the spool, has them.

Quality of service 1 with a session that the broker keeps: what is not acknowledged, it sends again. aiomqtt
acknowledges as soon as it has a message; its paho client underneath can be told not to, and is asked for the
acknowledgement here (the only use of that private attribute).

A topic that sends more than it may (``ingest.limits``) is slowed: of quality 0 its messages are left out and counted,
of quality 1 they wait, unacknowledged, until it may send again. How many the broker lets wait is the broker's affair
(mosquitto: 20 a client), and when it lets no more, all others wait too; so such devices belong on quality 0, or to a
process of their own.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from urllib.parse import unquote, urlsplit

import aiomqtt

from ingest.intake import MQTT, Intake
from ingest.limits import count
from ingest.mapping import Mappings
from ingest.parse import Parsed, check
from ingest.rows import Rejected, Row, Rows
from yiwang import logs
from yiwang.errors import BadInput, Unavailable

_BATCH = 500
_INBOX = 20_000
_HELD = 1000
"""So many messages of topics that send too much wait; then nothing more is read."""
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


def sender(topic: str) -> str:
    """Who is limited: MQTT does not tell who has published, so the first two levels of the topic."""
    return f"{MQTT}:{'/'.join(topic.split('/', 2)[:2])}"


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
        self._held: deque[aiomqtt.Message] = deque()
        self._change = asyncio.Event()

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
            self._held.clear()  # not acknowledged in an earlier session: the broker sends them again
            tasks = [
                asyncio.create_task(work)
                for work in (
                    self._read(client, taken),
                    self._release(taken),
                    self._acknowledge(client, taken),
                )
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()  # raises: none ever returns
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

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
            if batch := self._within_limits(batch):
                taken.put_nowait((batch, await self._take(batch)))
            while len(self._held) >= _HELD:
                self._change.clear()
                await self._change.wait()

    def _within_limits(self, batch: list[aiomqtt.Message]) -> list[aiomqtt.Message]:
        """Those whose topics may send now; the others are left out and counted, or held."""
        limiter = self._intake.limiter
        if not limiter.rates.readings:
            return batch
        now_ns = self._intake.clock.now_ns()
        waiting = {sender(message.topic.value) for message in self._held}
        good: list[aiomqtt.Message] = []
        for message in batch:
            who = sender(message.topic.value)
            if who not in waiting and limiter.wait_s(who, now_ns) == 0.0:
                good.append(message)
                continue
            count(limiter.refused.bodies, who)
            if message.qos:
                waiting.add(who)  # its later ones come behind it
                self._held.append(message)
                self._change.set()
        return good

    async def _release(
        self, taken: "asyncio.Queue[tuple[list[aiomqtt.Message], list[asyncio.Future[None]]]]"
    ) -> None:
        """Take what was held, in order, when its topic may send again."""
        limiter = self._intake.limiter
        while True:
            if not self._held:
                self._change.clear()
                await self._change.wait()
                continue
            now_ns = self._intake.clock.now_ns()
            waits = {s: limiter.wait_s(s, now_ns) for s in {sender(m.topic.value) for m in self._held}}
            ready: dict[str, aiomqtt.Message] = {}  # one each: taking it may use up what there is
            for message in self._held:
                who = sender(message.topic.value)
                if waits[who] == 0.0:
                    ready.setdefault(who, message)
            if not ready:
                await asyncio.sleep(min(1.0, *waits.values()))
                continue
            batch = list(ready.values())
            for message in batch:
                self._held.remove(message)
            taken.put_nowait((batch, await self._take(batch)))
            self._change.set()

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
        self._intake.count(parsed, MQTT)
        letters = self._kept(Counter(t for t, _ in origins), topics, parsed, received_ns)
        if self._intake.limiter.rates.series:
            parsed.batches, _ = self._intake.limiter.thin(parsed.batches, received_ns)
        return await self._intake.take(parsed, MQTT, letters, received_ns)

    def _kept(self, rows: Counter[str], bad_topics: Sequence[str], parsed: Parsed, now_ns: int) -> list[str]:
        """Count what each topic sent; ``parsed`` keeps those bad rows that become letters, with these sources."""
        limiter = self._intake.limiter
        bad, good = Counter(map(sender, bad_topics)), Counter[str]()
        for topic, n in rows.items():
            good[sender(topic)] += n
        keep = {
            who: limiter.took(who, now_ns, good=max(0, good[who] - bad[who]), bad=bad[who])
            for who in {*good, *bad}
        }
        kept: list[tuple[str, Rejected]] = []
        for topic, rejected in zip(bad_topics, parsed.rejected, strict=True):
            if keep[sender(topic)] > 0:
                keep[sender(topic)] -= 1
                kept.append((f"{MQTT}:{topic}", rejected))
        parsed.rejected = [rejected for _, rejected in kept]
        return [source for source, _ in kept]

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
