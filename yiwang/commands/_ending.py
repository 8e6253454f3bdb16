"""SIGTERM ends an asynchronous main as Ctrl-C does: its task is cancelled, everything is put away in order."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` that hears SIGTERM too.

    A handler that raises, as the supervisor's does, would break the loop wherever it happens to be. What was
    to handle SIGTERM before does so again afterwards.

    Raises:
        KeyboardInterrupt: on SIGINT or SIGTERM, after ``main`` has put everything away.
    """

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)
