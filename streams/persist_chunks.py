"""Keeps the chunks of the database as long as is good for what is stored (``reading_fit`` of the migrations).

Every series writes to a leaf of its own of a chunk's index. While these fit into the server's memory that is quick; those
of a day of a million series do not, and storing then falls behind within minutes.
"""

import asyncio
from collections.abc import Callable

from streams.persist_store import Store
from yiwang import logs
from yiwang.clock import Clock
from yiwang.errors import YiwangError
from yiwang.settings import Settings
from yiwang.topics import Topics

EVERY_S = 30.0

_log = logs.get("persist")


async def fit_for_ever(
    settings: Settings, clock: Clock, now_us: Callable[[], int], every_s: float = EVERY_S
) -> None:
    """Look again and again, over a connection of its own.

    Args:
        settings: database, run.
        clock: for the store.
        now_us: how far the districts are, event time, microseconds UTC; 0: nothing has come yet.
        every_s: between two looks.
    """
    store = Store(settings.database.get_secret_value(), Topics(settings.run).schema, clock)
    try:
        while True:
            await asyncio.sleep(every_s)
            if not (newest_us := now_us()):
                continue
            try:
                if await store.fit(newest_us):
                    _log.info("chunks_fitted")
            except YiwangError as error:
                _log.warning("chunks_not_fitted", code=error.code, message=error.message)
    finally:
        await store.close()
