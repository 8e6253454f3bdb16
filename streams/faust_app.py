"""The one way in which this project uses Faust: settings, where reading begins, life and death of a worker.

Faust brings the consumer group, the agents and their supervision. What it commits to Kafka is for onlookers:
after each assignment reading begins where the *state* says, so a commit that is lost, late or too far can do no
harm. A worker that cannot go on ends with a named error; whoever supervises it starts it again.
"""

import asyncio
import functools
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn, Protocol

import faust
import msgspec
from aiokafka import TopicPartition
from faust.tables import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP

from yiwang import logs
from yiwang.errors import YiwangError
from yiwang.settings import Settings
from yiwang.topics import MAX_MESSAGE_BYTES, Topics

LAST_SNAPSHOT_S = 2.0
LEAVING_S = 0.5
COMMIT_S = 2.0
WAITING_MESSAGES = 256
"""Messages per topic that Faust holds for its agents; some may be of several MB."""
FETCH_WAIT_MS = 20
"""So long the broker may hold a fetch that finds nothing; Faust says 1 500, and that stalls (see ``PromptConsumer``)."""

Position = tuple[str, int]
"""Topic and partition."""

_log = logs.get("worker")


class Role(Protocol):
    """What a worker does with its partitions."""

    async def restore(self, assigned: set[Position]) -> Mapping[Position, int]:
        """Take up what is newly assigned; where reading goes on, for all of it. May be called again at any time.

        ``assigned`` is empty where there are more workers than partitions: nothing to do until another goes.
        """
        ...

    async def release(self, revoked: set[Position]) -> None:
        """Keep the state of what is given up, and forget it."""
        ...

    async def live(self) -> None:
        """Everything that goes on beside the agents; returns never."""
        ...

    async def finish(self) -> None:
        """Keep all state: the process ends."""
        ...


def fail(error: BaseException) -> NoReturn:
    """End the process now, with the error named; states and logs allow it at any moment."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, YiwangError):
        _log.error("worker_failed", code=error.code, reason=error.message)
        sys.stderr.write(f"yiwang: {error}\n")
    else:
        _log.error("worker_failed", code="worker.crashed", reason=repr(error))
        traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    os._exit(2 if isinstance(error, YiwangError) else 1)


def guarded(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """``call``, but whatever it raises ends the process instead of leaving Faust half alive."""

    @functools.wraps(call)
    async def wrapped(*args: Any) -> Any:  # Any: as ``call`` has it
        try:
            return await call(*args)
        except Exception as error:  # noqa: BLE001  a task boundary
            fail(error)

    return wrapped


class NoTables(TableManager):  # type: ignore[misc]  # Faust publishes no types
    """We have no Faust tables, so there are none to wait for (a second, otherwise)."""

    async def on_start(self) -> None:
        """Begin with the assignment at once."""
        await self._update_channels()
        await self.recovery.start()


class _PromptThread(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust publishes no types
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[Any, int]) -> bool:
        """Commit, but not at any price: what is committed is for onlookers, and what hangs here hangs the consumer.

        aiokafka tries for ever when the group's coordinator was restarted under it, and the two workers of Faust's
        queue of calls, of which this call holds one, are all that seeks and fetches have. Faust itself would end the
        app over an error.
        """
        mine = self.assignment()
        told = {TopicPartition(*tp): offset for tp, offset in offsets.items() if tp in mine}
        try:
            async with asyncio.timeout(COMMIT_S):
                await self._ensure_consumer().commit(told)
        except Exception as error:  # noqa: BLE001  whatever the client raises, the state is safe already
            _log.info("commit_left_out", reason=repr(error))
            return False
        return True


class PromptConsumer(Consumer):  # type: ignore[misc]  # Faust publishes no types
    """Never waits long for partitions in which nothing happens.

    aiokafka has one fetch under way per broker, and leaves out partitions whose messages it still holds. When a
    worker was busy for 100 ms, that fetch is for the others alone: of a feed and its quiet commands, for the commands.
    It then stays with the broker for its whole time, and the feed, long taken, is not asked for again until it is back.
    """

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)


def make(settings: Settings, role: str, worker: str, act: Role) -> Any:
    """A Faust app for one role of the run, without agents yet.

    Args:
        settings: of the process.
        role: district or city.
        worker: name for static membership: a restarted worker of that name has its partitions back at once,
            without a rebalance. Empty: an ordinary member.
        act: takes up and gives up partitions.
    """
    topics = Topics(settings.run)

    class App(faust.App):  # type: ignore[misc]  # Faust publishes no types
        def _crash(self, reason: BaseException) -> None:
            fail(reason)

        def _create_directories(self) -> None:
            """None: nothing of ours is kept in files."""

    app = App(
        topics.group(role),
        broker="kafka://" + ";".join(host.strip() for host in settings.kafka.split(",")),
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_group_instance_id=f"{topics.group(role)}.{worker}" if worker else None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        stream_buffer_maxsize=WAITING_MESSAGES,
        stream_wait_empty=False,  # nothing is acknowledged one by one
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_client_id=f"yiwang-{role}",
        logging_config=None,
        TableManager=NoTables,
    )

    class Positioned(PromptConsumer):
        """Begins where the state says, not where the group's commits say."""

        async def perform_seek(self) -> None:
            await super().perform_seek()
            assigned = {(tp.topic, tp.partition) for tp in self.assignment()}
            starts = await guarded(act.restore)(assigned)
            if starts:
                await self.seek_wait({TP(*position): offset for position, offset in starts.items()})

    app.transport.Consumer = Positioned

    async def revoked(_app: Any, revoked: set[Any], **_: Any) -> None:  # Any: Faust's signal
        await guarded(act.release)({(tp.topic, tp.partition) for tp in revoked})

    async def complete(_app: Any, **_: Any) -> None:  # Any: Faust's signal
        # with nothing to read Faust has nothing to seek, so Positioned is not asked
        if not app.consumer.assignment():
            await guarded(act.restore)(set())

    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_rebalance_complete.connect(complete, weak=False)
    return app


async def commit(app: Any, offsets: Mapping[Position, int]) -> None:  # Any: a Faust app
    """Tell Kafka how far the safe state is, for onlookers.

    Left out while the group is being rearranged or left, or when the client cannot: nothing depends on it.
    """
    if not offsets or app.rebalancing or app.should_stop:
        return
    try:
        await app.consumer._commit({TP(*position): offset for position, offset in offsets.items()})
    except Exception as error:  # noqa: BLE001  whatever the client raises, the state is safe already
        _log.info("commit_left_out", reason=repr(error))


async def run(app: Any, act: Role, at_end: Callable[[], None]) -> NoReturn:  # Any: a Faust app
    """Live until SIGTERM or SIGINT, then keep the state, call ``at_end`` and exit 0."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = {asyncio.ensure_future(guarded(act.live)()), asyncio.ensure_future(guarded(app.start)())}
    await stop.wait()
    try:
        async with asyncio.timeout(LAST_SNAPSHOT_S):
            await act.finish()
    except TimeoutError:
        _log.warning("last_snapshot_left_out")
    except Exception as error:  # noqa: BLE001  a task boundary
        fail(error)
    leaving = asyncio.ensure_future(app.stop())
    await asyncio.wait(
        {leaving}, timeout=LEAVING_S
    )  # Faust does not mind being cancelled; the broker notices
    del tasks
    at_end()
    sys.stdout.flush()
    os._exit(0)  # threads of the client library may still wait for a broker that is gone


def ready(**facts: Any) -> None:  # Any: plain JSON values
    """The one line on stdout that says this worker has its partitions and their states."""
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()
