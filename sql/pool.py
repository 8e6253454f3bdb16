"""Asynchronous connections (asyncpg) for the long-running processes, with our errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from sql.errors import DRIVER_ERRORS, translated

CONNECT_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0

# asyncpg raises ValueError for a URL it cannot read.
_CONNECT_ERRORS = (*DRIVER_ERRORS, ValueError)


async def pool(dsn: str, schema: str, size: int) -> asyncpg.Pool:
    """A pool of at most ``size`` connections whose unqualified names are those of ``schema``.

    jsonb comes and goes as text. The caller closes the pool. Wrap work on it in ``coded``.

    Raises:
        YiwangError: ``database.…``.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=_server_settings(schema),
        )
    except _CONNECT_ERRORS as error:
        raise await asyncio.to_thread(translated, error, dsn) from error


async def connect(dsn: str, schema: str) -> asyncpg.Connection:
    """One connection as ``pool`` makes them; the caller closes it.

    Raises:
        YiwangError: ``database.…``.
    """
    try:
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=_server_settings(schema),
        )
    except _CONNECT_ERRORS as error:
        raise await asyncio.to_thread(translated, error, dsn) from error


@asynccontextmanager
async def coded(dsn: str) -> AsyncIterator[None]:
    """Work with a connection inside; what the driver raises leaves as ``database.…``."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translated(error, dsn) from error


def _server_settings(schema: str) -> dict[str, str]:
    return {"search_path": f'"{schema}", public', "application_name": "yiwang"}
