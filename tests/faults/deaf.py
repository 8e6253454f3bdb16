"""``yiwang``, but its consumer gives nothing any more from some moment on, without a word: as has been seen in life.

Once only: the file named by YIWANG_TEST_DEAF is made when it happens, and who finds it there hears well.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import aiokafka
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from yiwang.cli import main

AFTER = 100
"""So many calls go well, so that the worker has got going."""

_mark = Path(os.environ["YIWANG_TEST_DEAF"])


def _for_the_first_time() -> bool:
    try:
        _mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _going_deaf(cls: Any, name: str, nothing: Any) -> None:  # Any: the client libraries publish no types
    hears = getattr(cls, name)
    calls = 0
    deaf = False

    async def call(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal calls, deaf
        calls += 1
        if calls == AFTER and _for_the_first_time():
            deaf = True
        if deaf:
            await asyncio.sleep(0.2)
            return nothing
        return await hears(self, *args, **more)

    setattr(cls, name, call)


_going_deaf(AIOKafkaConsumerThread, "_fetch_records", {})
if _mark.name.endswith("serve"):  # the others read stretches of logs in this way
    _going_deaf(aiokafka.AIOKafkaConsumer, "getmany", {})
main()
