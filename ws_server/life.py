"""What keeps a hub going: its tasks, each of which waits with back-off for what is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from ws_server.city import city_of
from ws_server.hub import Hub
from ws_server.intake import keep_feed, keep_outputs
from yiwang import logs
from yiwang.broker import start_producer, unavailable
from yiwang.errors import BadInput, YiwangError

BEAT_S = 2.0
SILENT_LOOKS = 7
"""A consumer that has given nothing for so many looks, though outputs wait, has fallen silent: that happens."""
CITY_POLL_S = 10.0
CITY_SHARE = 5  # after reading the city, nothing for so many times as long
LONGEST_WAIT_S = 5.0

_log = logs.get("gateway")


async def live(hub: Hub) -> None:
    """Run until cancelled; only a mistake in the program ends it."""
    try:
        async with asyncio.TaskGroup() as group:
            for name, work in (
                ("city", keep_city),
                ("outputs", keep_outputs),
                ("feed", keep_feed),
                ("producer", keep_producer),
            ):
                group.create_task(again(hub, name, work))
            group.create_task(keep_beating(hub))
    finally:
        hub.store.close()


async def again(hub: Hub, name: str, work: Callable[[Hub], Awaitable[None]]) -> None:
    """Do ``work`` for ever, with back-off after an error, which is shown as a problem until it is over."""
    wait_s = 0.1
    while True:
        try:
            await work(hub)
        except (YiwangError, KafkaError, OSError) as error:
            known = error if isinstance(error, YiwangError) else unavailable(hub.bootstrap, error)
            was_well = name not in hub.problems
            hub.problem(name, known)
            wait_s = 0.2 if was_well else min(2 * wait_s, LONGEST_WAIT_S)
        await asyncio.sleep(wait_s)


async def keep_city(hub: Hub) -> None:
    """Registry, map and rules: read at the start and when they have changed; looked for at notices and now and then."""
    await hub.find_run()
    listener = await hub.store.listen(hub.city_changed.set)
    known = ""
    try:
        while not listener.is_closed():
            hub.city_changed.clear()
            version = await hub.store.city_version()
            began = time.monotonic()
            if version != known:
                await _reload_city(hub)
                known = version
            hub.well("city")
            # a large city is imported in many pieces, each with its notice
            await asyncio.sleep(CITY_SHARE * (time.monotonic() - began))
            try:
                async with asyncio.timeout(CITY_POLL_S):
                    await hub.city_changed.wait()
            except TimeoutError:
                pass  # a notice may have been lost
    finally:
        listener.terminate()


async def _reload_city(hub: Hub) -> None:
    tables = await hub.store.city()
    try:
        city = await asyncio.to_thread(city_of, tables, hub.built_in)
    except BadInput as error:
        hub.problem("rules", error)
        return
    hub.well("rules")
    hub.city = city
    _log.info("city_loaded", version=city.version, posts=len(city.posts), whole=city.points is None)


async def keep_producer(hub: Hub) -> None:
    """A producer for commands; once started it finds the broker again by itself."""
    hub.producer = await start_producer(hub.bootstrap, client_id="yiwang-gateway", linger_ms=0)
    hub.well("producer")
    try:
        await asyncio.Event().wait()
    finally:
        producer, hub.producer = hub.producer, None
        await producer.stop()


async def keep_beating(hub: Hub) -> None:
    """Every two seconds look after Kafka and tell every screen how things are."""
    while True:
        await _look_at_kafka(hub)
        hub.beat()
        await asyncio.sleep(BEAT_S)


async def _look_at_kafka(hub: Hub) -> None:
    """Consumers fall silent when the broker is away; asking for the ends tells."""
    consumer = hub.consumer
    if consumer is None:
        return
    try:
        async with asyncio.timeout(BEAT_S / 2):
            ends = await consumer.end_offsets(list(consumer.assignment()))
    except (KafkaError, OSError, TimeoutError) as error:
        hub.problem("broker", unavailable(hub.bootstrap, error))
        return
    at, before = hub.view.at, hub.seen_at
    hub.lag = {part.partition: max(0, end - 1 - at[part.partition]) for part, end in ends.items()}
    hub.seen_at = at
    hub.still = hub.still + 1 if at == before and any(hub.lag.values()) else 0
    if hub.still >= SILENT_LOOKS:
        hub.still = 0
        hub.counts["silences"] += 1
        hub.silent.set()  # it gets a new connection, see keep_outputs
    hub.well("broker")
