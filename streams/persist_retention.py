"""Retention: readings and roll-ups of the living city are dropped in whole days (weeks) when they are old enough.

Where the server can do it by itself (TimescaleDB Community) it is told so; everywhere else persist does it, once an
hour, over a connection of its own. Runs that are replays keep everything until they are dropped as a whole.
"""

import asyncio
from datetime import date, timedelta

from streams.persist_store import Store
from yiwang import logs
from yiwang.clock import Clock, to_datetime
from yiwang.errors import YiwangError
from yiwang.settings import Settings
from yiwang.topics import LIVE, Topics

EVERY_S = 3600.0
_AGAIN_S = 60.0  # after a failure

_log = logs.get("persist")


async def retain_for_ever(settings: Settings, clock: Clock) -> None:
    """Drop what is old now and every hour; ends at once where there is nothing to do, or the server does it."""
    if settings.run != LIVE:
        return
    store = Store(settings.database.get_secret_value(), Topics(settings.run).schema, clock)
    try:
        while True:
            try:
                if await retain(store, clock, settings.keep_readings_days, settings.keep_minutes_days):
                    return
                wait_s = EVERY_S
            except YiwangError as error:
                _log.warning("retention_failed", code=error.code, message=error.message)
                wait_s = _AGAIN_S
            await asyncio.sleep(wait_s)
    finally:
        await store.close()


async def retain(store: Store, clock: Clock, readings_days: int, minutes_days: int) -> bool:
    """Drop what is old now.

    Args:
        store: the database.
        clock: wall clock: what is old is told by it.
        readings_days: whole days (UTC) before today that readings are kept; 0: for ever.
        minutes_days: the same for roll-ups.

    Returns:
        Whether nothing needs to be done any more: everything is kept for ever, or the server drops it by itself.

    Raises:
        YiwangError: ``database.…``.
    """
    if await store.policies(readings_days, minutes_days):
        return True
    if not readings_days and not minutes_days:
        return True
    today = to_datetime(clock.now_ns()).date()
    dropped = await store.retain(_before(today, readings_days), _before(today, minutes_days))
    if dropped:
        _log.info("dropped", partitions=dropped, readings_days=readings_days, minutes_days=minutes_days)
    return False


def _before(today: date, days: int) -> date | None:
    return today - timedelta(days=days) if days else None
