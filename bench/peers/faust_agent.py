"""The job in a plain Faust agent, one JSON reading a message, state in a dict: python faust_agent.py BOOTSTRAP TOPIC OUT TOTAL FOLDER."""

import asyncio
import sys
from typing import Any

import faust

from bench.peers.job import Meter, start, step


async def main() -> None:
    """Run until the meter ends the process."""
    bootstrap, source, out, total, folder = sys.argv[1:6]
    meter = Meter(int(total))
    app = faust.App(
        f"faust-{source}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        datadir=folder,
        logging_config=None,
        loghandlers=[],
    )
    findings = app.topic(out, value_serializer="json")
    states: dict[str, list[Any]] = {}

    async def work(stream: Any) -> None:
        async for reading in stream:
            sensor = reading["device"]
            mine = states.get(sensor)
            if mine is None:
                mine = states[sensor] = start()
            found = step(mine, sensor, reading["time"], reading["value"])
            for one in found:
                await findings.send(key=sensor, value=one)
            meter.count(1, len(found))

    app.agent(app.topic(source, value_serializer="json"), name="job")(work)
    await app.start()
    await asyncio.Event().wait()


asyncio.run(main())
