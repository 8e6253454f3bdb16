"""Carries a scenario through real processes on real services, for tests; what came of it is returned whole."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiokafka

from ingest.feeder import Feeder
from scenarios.model import Scenario
from scenarios.player import Player
from scenarios.running import Stored, collect, prepare, wait_until_through
from yiwang import codec
from yiwang.broker import start_consumer, start_producer
from yiwang.clock import SECOND, SystemClock
from yiwang.columns import Readings
from yiwang.commands._processes import Services, start_all, stream_children
from yiwang.embedded.supervise import Supervisor
from yiwang.fencing import Fence
from yiwang.model import Body
from yiwang.runs import Run

Chaos = Callable[[Supervisor, Run], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run put out (repeats after a crash left out) and stored."""

    bodies: dict[int, list[Body]]
    stored: Stored
    sent: int


def part(scenario: Scenario, from_s: float, to_s: float) -> Scenario:
    """A stretch of a scenario, without its truth."""
    begin, end = (scenario.start_ns + round(s * SECOND) for s in (from_s, to_s))

    def cut(r: Readings) -> Readings:
        keep = (r.t_ns >= begin) & (r.t_ns < end)
        return Readings(
            series=r.series[keep], t_ns=r.t_ns[keep], value=r.value[keep], quality=r.quality[keep]
        )

    return dataclasses.replace(
        scenario,
        name="stretch",
        start_ns=begin,
        end_ns=end,
        settle_s=5.0,
        readings={n: cut(r) for n, r in scenario.readings.items()},
        events=tuple(e for e in scenario.events if begin <= e[0] < end),
        truth=(),
    )


def carry(
    scenario: Scenario,
    name: str,
    *,
    bootstrap: str,
    dsn: str,
    folder: Path,
    workers: int = 1,
    frame_rows: int = 5000,
    speed: float = 0.0,
    chaos: Chaos | None = None,
) -> Outcome:
    """Prepare a run, start its workers, play, disturb it with ``chaos`` meanwhile, and collect."""
    run = Run(
        name=name,
        kind="replay",
        ticks="player",
        districts=len(scenario.districts),
        scenario=scenario.name,
        speed=speed,
    )
    asyncio.run(prepare(run, scenario, bootstrap=bootstrap, dsn=dsn))
    where = Services(kafka=bootstrap, database=dsn, folder=folder)
    failures: list[BaseException] = []
    with Supervisor(folder, max_restarts=1000) as supervisor:
        start_all(supervisor, stream_children(where, run=run.name, workers=workers))

        def disturb() -> None:
            try:
                if chaos is not None:
                    chaos(supervisor, run)
            except BaseException as error:  # noqa: BLE001  told to the test's own thread
                failures.append(error)

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        sent = asyncio.run(_play(run, scenario, bootstrap, frame_rows, speed))
        disturbing.join()
        if failures:
            raise failures[0]
        asyncio.run(wait_until_through(run, bootstrap=bootstrap, dsn=dsn))
        bodies = asyncio.run(_outputs(run, bootstrap))
    return Outcome(bodies=bodies, stored=asyncio.run(collect(run, dsn=dsn)), sent=sent)


async def _play(run: Run, scenario: Scenario, bootstrap: str, frame_rows: int, speed: float) -> int:
    producer = await start_producer(bootstrap, client_id=f"test-player-{run.name}")
    try:
        async with Feeder(
            producer, run.topics, clock=SystemClock(), frame_ms=20, frame_rows=frame_rows
        ) as feeder:
            player = Player(scenario, feeder, SystemClock(), speed=speed, cut_rows=frame_rows)
            await player.open()
            await player.play()
    finally:
        await producer.stop()
    return player.progress.readings


async def _outputs(run: Run, bootstrap: str) -> dict[int, list[Body]]:
    """Every output once, by its number; a repeat must say the same as the first."""
    consumer = await start_consumer(bootstrap, client_id=f"test-reader-{run.name}")
    try:
        partitions = [aiokafka.TopicPartition(run.topics.outputs, p) for p in range(run.districts)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        seen: dict[int, dict[int, Body]] = {p: {} for p in range(run.districts)}
        for partition in partitions:
            fence = Fence()
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=1000)
                for message in batch.get(partition, []):
                    if not fence.counts(message.value, message.headers):
                        continue
                    output = codec.decode_output(message.value)
                    first = seen[partition.partition].setdefault(output.n, output.body)
                    assert first == output.body, f"output {output.n} was said twice, and differently"
    finally:
        await consumer.stop()
    for outputs in seen.values():
        assert sorted(outputs) == list(range(len(outputs))), "an output is missing"
    return {p: [outputs[n] for n in sorted(outputs)] for p, outputs in seen.items()}
