"""Our frames and our machine in Quix Streams: python quix_frames.py BOOTSTRAP RUN OUT READINGS FOLDER; see bench/_bare.py."""

import sys

from quixstreams import Application, message_context

from bench._bare import Bare


def main() -> None:
    """Run until the meter ends the process."""
    bootstrap, run, out, readings, folder = sys.argv[1:6]
    bare = Bare(int(readings))
    app = Application(
        bootstrap,
        consumer_group=f"quix-frames-{run}",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
        consumer_extra_config={"fetch.message.max.bytes": 8 << 20, "max.partition.fetch.bytes": 8 << 20},
    )

    def work(payload: bytes) -> list[bytes]:
        context = message_context()
        return bare.work(context.partition, [(context.offset, payload)])

    feed = app.dataframe(app.topic(f"{run}.feed", value_deserializer="bytes", key_deserializer="bytes"))
    feed.apply(work, expand=True).to_topic(app.topic(out, value_serializer="bytes"), key=lambda _: b"")
    app.run()


main()
