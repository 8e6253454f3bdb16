"""Synchronous connections (psycopg) with our errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sql.errors import DRIVER_ERRORS, translated

CONNECT_TIMEOUT_S = 10


@contextmanager
def connect(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode whose queries take ``$1`` … ``$n``; closed at the end.

    Raises:
        YiwangError: ``database.…``, for what the block raises of psycopg's errors too.
    """
    try:
        with psycopg.connect(
            dsn,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="yiwang",
        ) as connection:
            yield connection
    except DRIVER_ERRORS as error:
        raise translated(error, dsn) from error
