"""The producer with a spool: a broker that comes and goes, a process that is killed, in virtual time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.spool import Key, Record, Spool
from ingest.spooling import Spooling
from tests.ingest.virtual_time import run
from yiwang.errors import Unavailable

TOPIC = "live.feed"
AFTER_S = 1.0


@dataclass
class Broker:
    """What an idempotent producer and its broker do: in order, once, and for ever if need be.

    ``take`` messages a partition fit into the producer; then ``send`` waits.
    """

    take: int = 3
    ack_s: float = 0.01
    up: bool = True
    log: dict[int, list[bytes]] = field(default_factory=dict)
    pending: dict[int, deque[tuple[bytes, "asyncio.Future[Any]"]]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    refuse: Exception | None = None
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        assert topic == TOPIC
        assert headers == [("ingest", b"1")]
        queue = self.pending.setdefault(partition, deque())
        async with self.changed:
            await self.changed.wait_for(lambda: len(queue) < self.take)
        if self.refuse:
            raise self.refuse
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        queue.append((value, future))
        return future

    async def live(self) -> None:
        """Append and acknowledge."""
        while True:
            await asyncio.sleep(self.ack_s)
            if self.up:
                for partition in self.pending:
                    self.append(partition, 1)
                async with self.changed:
                    self.changed.notify_all()

    def append(self, partition: int, count: int, *, answer: bool = True) -> None:
        log = self.log.setdefault(partition, [])
        for _ in range(min(count, len(self.pending[partition]))):
            value, future = self.pending[partition].popleft()
            log.append(value)
            if answer and not future.done():
                future.set_result(SimpleNamespace(offset=len(log) - 1))

    def die(self, chance: Random) -> None:
        """The process that holds the producer is killed: some of what was on its way arrived, unanswered."""
        for partition, queue in self.pending.items():
            if self.up:
                self.append(partition, chance.randint(0, len(queue)), answer=False)
        self.pending.clear()

    async def known(
        self, topic: str, partition: int, offset: int, first: Record
    ) -> AsyncIterator[tuple[int, bytes]]:
        assert topic == TOPIC
        del first
        self.asked.append((partition, offset))
        while not self.up:  # noqa: ASYNC110  time is virtual
            await asyncio.sleep(0.1)
        for at, value in enumerate(self.log.get(partition, [])):
            if at >= offset:
                yield at, value


async def at_once(work: Callable[[], Any]) -> Any:
    """The disk costs no time, but a turn of the loop."""
    await asyncio.sleep(0)
    return work()


class City:
    """A process with its producer, and what it has promised."""

    def __init__(
        self, folder: Path, *, limit: int = 10**9, chance: Random | None = None, **broker: Any
    ) -> None:
        self.folder, self.limit = folder, limit
        self.chance = chance or Random(0)
        self.broker = Broker(**broker)
        self.promised: dict[int, list[bytes]] = {}
        self.refused: list[bytes] = []
        self.number = 0
        self._pumps: dict[int, asyncio.Task[None]] = {}
        self._inbox: dict[int, asyncio.Queue[bytes]] = {}

    async def start(self) -> None:
        self.spool = Spool(self.folder / "live", limit_bytes=self.limit).open()
        self.spooling = Spooling(self.broker, self.spool, log=self.broker, after_s=AFTER_S, in_thread=at_once)
        self._life = asyncio.create_task(self.broker.live())
        await self.spooling.start()

    def send(self, partition: int = 0) -> bytes:
        """Like the feeder: one after another in each partition."""
        value = b"%d" % self.number
        self.number += 1
        if partition not in self._pumps:
            self._inbox[partition] = asyncio.Queue()
            self._pumps[partition] = asyncio.create_task(self._pump(partition))
        self._inbox[partition].put_nowait(value)
        return value

    async def _pump(self, partition: int) -> None:
        while True:
            value = await self._inbox[partition].get()
            try:
                future = await self.spooling.send(
                    TOPIC, value, partition=partition, headers=[("ingest", b"1")]
                )
            except Unavailable:
                self.refused.append(value)
                continue
            future.add_done_callback(lambda f, p=partition, v=value: self._answered(p, v, f))  # type: ignore[misc]

    def _answered(self, partition: int, value: bytes, future: "asyncio.Future[Any]") -> None:
        if future.cancelled() or future.exception():
            self.refused.append(value)
        else:
            self.promised.setdefault(partition, []).append(value)

    async def kill(self) -> None:
        """Signal 9: no flush, no farewell; only the files are left."""
        tasks = [*self._pumps.values(), self._life, self.spooling._writer]
        tasks += [lane.drain for lane in self.spooling._lanes.values()]
        for task in tasks:
            if task:
                task.cancel()
        await asyncio.gather(*(t for t in tasks if t), return_exceptions=True)
        assert self.spooling._looker
        self.spooling._looker.cancel()
        self.spooling.fatal.cancel()
        self.broker.die(self.chance)
        self._pumps.clear()
        self.spool.close()

    async def end(self) -> None:
        """In good order, with Kafka there."""
        self.broker.up = True
        while any(not q.empty() for q in self._inbox.values()) or any(self.broker.pending.values()):  # noqa: ASYNC110  time is virtual
            await asyncio.sleep(0.1)
        await self.spooling.empty()
        await asyncio.sleep(1.0)
        await self.spooling.close()
        for task in (*self._pumps.values(), self._life):
            task.cancel()
        await asyncio.gather(*self._pumps.values(), self._life, return_exceptions=True)

    def check(self) -> None:
        """All that was promised is in the log, in order, and nothing is there twice."""
        for partition, promised in self.promised.items():
            log = self.broker.log.get(partition, [])
            assert len(set(log)) == len(log), "doubled"
            assert set(promised) <= set(log), "lost"
            assert [int(v) for v in log] == sorted(int(v) for v in log), "out of order"


def test_while_kafka_answers_nothing_touches_the_disk(tmp_path: Path) -> None:
    """The spool is there for an outage only."""

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        for _ in range(50):
            city.send()
            await asyncio.sleep(0.02)
        assert city.spooling.totals.kept == 0
        assert city.spool.bytes == 0
        await city.end()
        city.check()
        assert len(city.promised[0]) == 50

    run(main())


def test_an_outage_is_answered_from_disk_and_made_up_in_order(tmp_path: Path) -> None:
    """What was under way and what comes is answered within a second and a bit; then Kafka gets it, in order, once."""

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        city.send()
        await asyncio.sleep(0.1)
        city.broker.up = False
        for _ in range(20):
            city.send()
            await asyncio.sleep(0.3)
        await asyncio.sleep(AFTER_S * 1.5)
        assert len(city.promised[0]) == 21
        state = city.spooling.as_json()
        assert (state["away"], state["messages"], state["outages"]) == (["live.feed[0]"], 20, 1)
        assert state["bytes"] > 0
        city.broker.up = True
        city.send()
        await city.spooling.empty()
        assert (city.spooling.away, city.spool.bytes, city.spool.waiting) == ([], 0, 0)
        kept = city.spooling.totals.kept
        city.send()
        await city.end()
        assert city.spooling.totals.kept == kept  # straight again
        assert len(city.broker.log[0]) == 23
        city.check()

    run(main())


def test_partitions_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """One partition without a leader: the others go straight."""

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        lost = city.broker.pending.setdefault(1, deque())
        original = city.broker.append
        city.broker.append = lambda p, n, **k: None if p == 1 else original(p, n, **k)  # type: ignore[method-assign]
        for _ in range(10):
            city.send(0)
            city.send(1)
            await asyncio.sleep(0.5)
        assert city.spooling.away == [(TOPIC, 1)]
        assert len(city.broker.log[0]) >= 9
        assert len(lost) == 3
        assert len(city.promised[1]) >= 9
        city.broker.append = original  # type: ignore[method-assign]
        await city.end()
        city.check()

    run(main())


def test_a_full_spool_is_said_and_nothing_overtakes(tmp_path: Path) -> None:
    """Beyond the limit ingest.spool_full; what was answered arrives, in order."""

    async def main() -> None:
        city = City(tmp_path, limit=500)
        await city.start()
        city.broker.up = False
        for _ in range(40):
            city.send()
            await asyncio.sleep(0.1)
        with pytest.raises(Unavailable) as caught:
            await city.spooling.send(TOPIC, b"x" * 400, partition=0, headers=[])
        assert caught.value.code == "ingest.spool_full"
        assert city.refused
        assert city.spool.bytes <= 500
        assert city.spooling.totals.refused == len(city.refused) + 1
        await city.end()
        city.check()

    run(main())


def test_what_an_earlier_process_left_is_sent_before_anything_new_and_not_twice(tmp_path: Path) -> None:
    """Killed in an outage, and once more while making up for it: the log is asked from where ours ended."""

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        for _ in range(5):
            city.send()
            await asyncio.sleep(0.05)
        city.broker.up = False
        for _ in range(8):
            city.send()
            await asyncio.sleep(0.3)
        await asyncio.sleep(2.0)
        assert len(city.promised[0]) == 13
        city.broker.up = True
        await asyncio.sleep(0.025)  # a few have arrived, and one or two more unanswered
        await city.kill()
        before = len(city.broker.log[0])
        assert 5 < before < 13
        await city.start()
        city.send()
        await city.end()
        assert city.broker.asked[0][0] == 0
        assert city.broker.asked[0][1] >= 5
        assert len(city.broker.log[0]) == 14
        city.check()

    run(main())


def test_an_error_of_a_message_goes_to_its_caller(tmp_path: Path) -> None:
    """It is not Kafka that is away then, and nothing is kept."""

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        city.broker.refuse = ValueError("message too large")
        with pytest.raises(ValueError, match="too large"):
            await city.spooling.send(TOPIC, b"1", partition=0, headers=[("ingest", b"1")])
        city.broker.refuse = None
        assert city.spooling.away == []
        city.send()
        await city.end()
        assert city.spooling.totals.kept == 0

    run(main())


def test_a_producer_that_can_never_send_again_ends_the_process(tmp_path: Path) -> None:
    """What it gave up stays in the spool for the next one."""
    from aiokafka.errors import OutOfOrderSequenceNumber

    async def main() -> None:
        city = City(tmp_path)
        await city.start()
        city.broker.up = False
        for _ in range(3):
            city.send()
        await asyncio.sleep(2.0)
        assert len(city.promised[0]) == 3
        for _, future in city.broker.pending[0]:
            future.set_exception(OutOfOrderSequenceNumber())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="start ingest again") as caught:
            await city.spooling.fatal
        assert caught.value.code == "kafka.producer"
        city.broker.pending.clear()
        await city.kill()
        await city.start()
        await city.end()
        city.check()
        assert len(city.broker.log[0]) == 3

    run(main())


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["send"] * 8 + ["down", "up", "up", "kill"]),
            st.integers(0, 2),
            st.sampled_from([0.0, 0.0, 0.02, 0.3, 1.5]),
        ),
        max_size=60,
    ),
    take=st.integers(1, 4),
    limit=st.sampled_from([10**9, 10**9, 300]),
    seed=st.integers(0, 10**6),
)
def test_outages_and_kills_in_any_order_lose_double_and_reorder_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int, float]],
    take: int,
    limit: int,
    seed: int,
) -> None:
    """What was answered is in the log once, in the order of its partition."""

    async def main() -> None:
        city = City(tmp_path_factory.mktemp("city"), limit=limit, chance=Random(seed), take=take)
        await city.start()
        for what, partition, pause_s in steps:
            match what:
                case "send":
                    city.send(partition)
                case "up" | "down":
                    city.broker.up = what == "up"
                case _:
                    await city.kill()
                    await city.start()
            await asyncio.sleep(pause_s)
        await city.end()
        city.check()
        assert city.spool.waiting == 0

    run(main())


def test_keys_are_topic_and_partition() -> None:
    """So the dead letters have a queue of their own."""
    key: Key = ("live.deadletters", 0)
    assert Spool(Path("nowhere"), limit_bytes=1).queue(key).key == key
