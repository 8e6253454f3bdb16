"""Migrations, queries and database access.

Synchronous entry points (psycopg, for the command line) are exported here; ``sql.pool`` and ``sql.registry``
are asynchronous (asyncpg, for the long-running processes). SQL text lives in files only.
"""

from sql.level import Level, level
from sql.migrating import migrate, pending
from sql.query import query
from sql.runs import drop_readings_before, drop_run, get_run, list_runs, set_run_state

__all__ = [
    "Level",
    "drop_readings_before",
    "drop_run",
    "get_run",
    "level",
    "list_runs",
    "migrate",
    "pending",
    "query",
    "set_run_state",
]
