"""``yiwang``, but its consumer gives nothing any more from some moment on, without a word: as has been seen in life.

Once only: the file named by YIWANG_TEST_DEAF is made when it happens, and who finds it there hears well.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
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


def _going_deaf(cls: Any, name: str, is_meant: Callable[[Any], bool]) -> None:  # Any: they publish no types
    hears = getattr(cls, name)
    calls: Counter[int] = Counter()
    deaf: set[int] = set()

    async def call(self: Any, *args: Any, **more: Any) -> Any:
        calls[id(self)] += is_meant(self)
        if calls[id(self)] == AFTER and _for_the_first_time():
            deaf.add(id(self))
            _kept.append(self)
        if id(self) in deaf:
            await asyncio.sleep(0.2)
            return {}
        return await hears(self, *args, **more)

    setattr(cls, name, call)


_kept: list[Any] = []  # whoever is deaf, so that nobody else gets its id
if _mark.name.endswith("serve"):
    _going_deaf(aiokafka.AIOKafkaConsumer, "getmany", lambda me: "-feed-" not in me._client._client_id)
else:
    _going_deaf(AIOKafkaConsumerThread, "_fetch_records", lambda _: True)
main()
