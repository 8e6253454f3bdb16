"""The job in Bytewax, one JSON reading a message, with its own state: python bytewax_flow.py BOOTSTRAP TOPIC OUT TOTAL."""

import json
import sys

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from job import Meter, start, step


def main() -> None:
    """Run until the meter ends the process."""
    bootstrap, source, out, total = sys.argv[1:5]
    meter = Meter(int(total))
    flow = Dataflow("job")

    def parse(message: KafkaSourceMessage) -> tuple[str, dict]:
        reading = orjson.loads(message.value)
        return reading["device"], reading

    def work(state: list | None, reading: dict) -> tuple[list, list[dict]]:
        mine = state or start()
        found = step(mine, reading["device"], reading["time"], reading["value"])
        meter.count(1, len(found))
        return mine, found

    messages = op.input("in", flow, KafkaSource([bootstrap], [source], tail=True, batch_size=5000))
    found = op.stateful_flat_map("job", op.map("parse", messages, parse), work)
    letters = op.map("pack", found, lambda kv: KafkaSinkMessage(kv[0].encode(), json.dumps(kv[1]).encode()))
    op.output("out", letters, KafkaSink([bootstrap], out))
    run_main(flow)


main()
