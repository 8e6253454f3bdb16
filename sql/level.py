"""Which of the three SQL levels a database has."""

from enum import StrEnum
from typing import Any

import psycopg

from sql.connect import connect
from sql.query import query


class Level(StrEnum):
    """Levels in rising order; a higher one can all the lower ones can, but ``PLAIN`` stores differently."""

    PLAIN = "plain"
    TIMESCALE_APACHE = "timescale_apache"
    TIMESCALE_COMMUNITY = "timescale_community"


def level(dsn: str) -> Level:
    """The level of a database: plain PostgreSQL, or TimescaleDB of the Apache or Community edition.

    Raises:
        YiwangError: ``database.…``.
    """
    with connect(dsn) as connection:
        return level_of(connection)


def level_of(connection: psycopg.Connection[Any]) -> Level:
    """The level, over a connection that is open."""
    row = connection.execute(query("database/level")).fetchone()
    return of_facts(*(row or (None, None)))


def of_facts(version: str | None, license_name: str | None) -> Level:
    """The level by what ``database/level`` returned."""
    if version is None:
        return Level.PLAIN
    return Level.TIMESCALE_COMMUNITY if license_name == "timescale" else Level.TIMESCALE_APACHE
