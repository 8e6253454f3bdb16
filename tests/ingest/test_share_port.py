"""Two ingest processes on one port, with many connections at once."""

import asyncio
import json
import signal
from collections import Counter

import aiohttp
import pytest

from tests.ingest.test_service import JSON, Town, now
from tests.ingest.town import row
from yiwang import metrics
from yiwang.commands._pages import Page, fetch
from yiwang.embedded.kafka import EmbeddedKafka

pytestmark = pytest.mark.slow

LINES, BODIES, ROWS = 32, 6, 10
STEP = 1 / 8  # values are told apart, and are the same in binary


class Shared(Town):
    """A town whose processes show metrics, each on a port of its own, and keep their data together."""

    @property
    def environment(self) -> dict[str, str]:
        """Settings of our processes."""
        return {**super().environment, "YIWANG_METRICS_PORT": "0", "YIWANG_DATA": self.data}


class Crowd:
    """Connections that send one body after another; what got no answer is not sent again.

    Attributes:
        answered: values answered with 202.
        unanswered: those of requests whose connection broke.
        halfway: set when half of a round is answered.
    """

    def __init__(self, address: str) -> None:
        self.answered: list[float] = []
        self.unanswered: list[float] = []
        self.halfway = asyncio.Event()
        self._url = f"http://{address}/v1/readings"
        self._n = 0

    async def round(self) -> None:
        """Every connection has so many bodies answered."""
        self.halfway.clear()
        half = len(self.answered) + LINES * BODIES * ROWS // 2
        async with (
            asyncio.timeout(120),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=JSON) as session,
        ):
            await asyncio.gather(*(self._line(session, half) for _ in range(LINES)))

    async def _line(self, session: aiohttp.ClientSession, half: int) -> None:
        for _ in range(BODIES):
            while not await self._post(session):
                pass
            if len(self.answered) >= half:
                self.halfway.set()

    async def _post(self, session: aiohttp.ClientSession) -> bool:
        values = [STEP * (self._n + i) for i in range(ROWS)]
        self._n += ROWS
        body = json.dumps([row(value=v, time=now()) for v in values])
        try:
            async with session.post(self._url, data=body) as answer:
                said = await answer.json()
                assert (answer.status, said["accepted"]) == (202, ROWS), said
        except aiohttp.ClientError:
            self.unanswered += values
            return False
        self.answered += values
        return True


def readings(address: str) -> float:
    """What a process says it has brought into Kafka."""
    page = fetch(address, timeout_s=10.0)
    assert isinstance(page, Page), page
    return page.total(metrics.INGEST_READINGS) or 0.0


async def test_many_connections_on_a_shared_port(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Both processes get some; what was answered is in Kafka once, also when one is killed in the midst of it."""
    town = await asyncio.to_thread(Shared, kafka.bootstrap, pg_dsn, "shared-by-many")
    with town.process("--share-port") as (_, one):
        port = one["http"].rpartition(":")[2]
        with town.process("--share-port", "--port", port) as (doomed, two):
            crowd = Crowd(one["http"])
            await crowd.round()
            shares = [await asyncio.to_thread(readings, line["metrics"]) for line in (one, two)]
            assert min(shares) > 0
            assert sum(shares) == len(crowd.answered) == LINES * BODIES * ROWS
            assert crowd.unanswered == []

            going = asyncio.create_task(crowd.round())
            await crowd.halfway.wait()
            doomed.send_signal(signal.SIGKILL)
            await asyncio.to_thread(doomed.wait)
            await going
            assert await asyncio.to_thread(readings, one["metrics"]) > shares[0]
            before = len(crowd.answered)
            await crowd.round()  # by the other alone
            assert len(crowd.answered) == before + LINES * BODIES * ROWS
    feed = await town._feed()
    found = Counter(feed[0])
    assert [v for v in crowd.answered if found[v] != 1] == []
    assert [v for v in crowd.unanswered if found[v] > 1] == []
    assert found.keys() <= {*crowd.answered, *crowd.unanswered}
