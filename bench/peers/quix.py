"""The job in Quix Streams, one JSON reading a message, state in its own store: python quix.py BOOTSTRAP TOPIC OUT TOTAL FOLDER."""

import sys

from job import Meter, start, step
from quixstreams import Application, State


def main() -> None:
    """Run until the meter ends the process."""
    bootstrap, source, out, total, folder = sys.argv[1:6]
    meter = Meter(int(total))
    app = Application(
        bootstrap,
        consumer_group=f"quix-{source}",
        auto_offset_reset="earliest",
        auto_create_topics=True,
        use_changelog_topics=False,
        state_dir=folder,
        loglevel="ERROR",
    )

    def work(reading: dict, state: State) -> list[dict]:
        mine = state.get("s") or start()
        found = step(mine, reading["device"], reading["time"], reading["value"])
        state.set("s", mine)
        meter.count(1, len(found))
        return found

    readings = app.dataframe(app.topic(source, value_deserializer="json"))
    readings.apply(work, stateful=True, expand=True).to_topic(app.topic(out, value_serializer="json"))
    app.run()


main()
