"""Our frames and our machine without Faust: what the numpy step does by itself, in whatever reads the topic.

``python -m bench._bare BOOTSTRAP RUN OUT READINGS`` is that in bare aiokafka; ``bench/peers/quix_frames.py`` in
Quix Streams. Neither keeps its state, so neither could go on after a crash.
"""

import asyncio
import sys

from bench.peers.job import Meter
from streams.machine import DistrictMachine
from streams.partition import Partition
from yiwang import frames

DISTRICTS = 4


class Bare:
    """The districts' machines by partition; the meter runs from the first frame on."""

    def __init__(self, readings: int) -> None:
        self.meter = Meter(readings)
        self.parts = {p: Partition(DistrictMachine(p)) for p in range(DISTRICTS)}

    def work(self, district: int, messages: list[tuple[int, bytes]]) -> list[bytes]:
        """Take messages of a feed (offset, payload); returns outputs to be sent."""
        part = self.parts[district]
        outputs: list[bytes] = []
        rows = 0
        for offset, payload in messages:
            n = (len(payload) - frames.HEAD_BYTES) // frames.ROW_BYTES if frames.is_frame(payload) else 0
            if n and not self.meter.seen:
                self.meter.count(0, 0)  # the clock starts before the first frame
            part.take_feed(offset, payload, 0)
            rows += n
        done = part.work()
        outputs += [e.payload for e in done.emissions if e.payload is not None]
        if rows:
            self.meter.count(rows, len(outputs))
        return outputs


async def main() -> None:
    """Read the feed from its beginning until the meter ends the process."""
    from aiokafka import AIOKafkaProducer, TopicPartition

    from yiwang.broker import start_consumer

    bootstrap, run, out, readings = sys.argv[1:5]
    bare = Bare(int(readings))
    consumer = await start_consumer(bootstrap, client_id="bench-bare")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    partitions = [TopicPartition(f"{run}.feed", p) for p in range(DISTRICTS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    while True:
        for partition, batch in (await consumer.getmany(timeout_ms=500)).items():
            messages = [(m.offset, m.value) for m in batch]
            for output in bare.work(partition.partition, messages):
                await producer.send(out, output)


if __name__ == "__main__":
    asyncio.run(main())
