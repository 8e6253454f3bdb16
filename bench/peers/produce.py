"""JSON readings into a topic, one a message: python produce.py BOOTSTRAP TOPIC READINGS SENSORS.

Every sensor once a second, in an order that is another one each second; one reading in 5 000 is high water.
"""

import random
import sys

from confluent_kafka import Producer

T0_MS = 1_780_000_000_000


def main() -> None:
    """Produce and wait until the broker has everything."""
    bootstrap, topic, readings, sensors = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(1)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
    )
    order = list(range(sensors))
    for n in range(readings):
        at = n % sensors
        if at == 0:
            chance.shuffle(order)
        sensor = b"WL-%07d" % order[at]
        value = (
            5 + chance.gauss(0, 0.3) + (30 if n % 5000 == 4999 else 0)
        )  # now and then there is something to find
        body = b'{"device":"%s","time":%d,"value":%.2f}' % (sensor, T0_MS + 1000 * (n // sensors), value)
        while True:
            try:
                producer.produce(topic, body, key=sensor)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


main()
