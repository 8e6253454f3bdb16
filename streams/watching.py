"""The watch over what a worker reads: how far the logs are, and whether somebody stands still before them."""

import asyncio
import time
from collections.abc import Callable, Mapping

from streams.log_reader import LogReader
from streams.progress import LOOK_S, Progress
from yiwang import logs
from yiwang.errors import Unavailable

Position = tuple[str, int]

ANSWER_S = 10.0
"""A broker that takes longer to say how far its logs are is as good as away."""

_log = logs.get("watch")


async def ends_or_none(reader: LogReader, partitions: list[Position]) -> dict[Position, int] | None:
    """Next offsets of logs; None, and a line in the log, while the broker is away."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await reader.ends(partitions)
    except (Unavailable, TimeoutError) as error:
        _log.warning("broker_away", reason=str(error) or "no answer")
        return None


async def watch(
    what: str,
    reader: LogReader,
    positions: Callable[[], Mapping[Position, int]],
    told: Callable[[Mapping[Position, int]], None],
    *,
    excused: Callable[[], bool] = lambda: False,
) -> None:
    """Look every ``LOOK_S`` how far each partition is; returns only by an error.

    Args:
        what: names the worker in the error.
        reader: of the ends of the logs, apart from the worker's own consumer: that is what is watched.
        positions: next offset that the worker takes, of each partition it has.
        told: hears the ends.
        excused: whether something that the worker needs is away, so that nobody may expect it to move.

    Raises:
        Conflict: ``streams.stalled``, naming the partition.
    """
    watched: dict[Position, Progress] = {}
    while True:
        await asyncio.sleep(LOOK_S)
        at = dict(positions())
        ends = await ends_or_none(reader, list(at))
        watched = {p: watched.get(p) or Progress(f"{what}, {p[0]}[{p[1]}],") for p in at}
        if ends is not None:
            told(ends)
        if ends is None or excused():
            for progress in watched.values():
                progress.excuse()
            continue
        for position, progress in watched.items():
            progress.look((at[position],), (ends[position],), time.monotonic())
