"""The loader of queries: one statement a file under ``sql/queries``."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"
HOT = "-- hot"


@cache
def query(name: str) -> str:
    """The text of a query with ``$1`` … ``$n`` for both drivers (asyncpg; psycopg with ``RawCursor``).

    Args:
        name: area and name, such as ``incident/open``. Its header says what it takes and returns.

    Raises:
        LookupError: there is no such query; a mistake in the program.
    """
    path = FOLDER / f"{name}.sql"
    if not path.is_file():
        raise LookupError(f"there is no query {name!r} under {FOLDER}")
    return path.read_text(encoding="utf-8")


def names() -> list[str]:
    """The names of all queries, sorted."""
    return sorted(str(p.relative_to(FOLDER).with_suffix("")) for p in FOLDER.rglob("*.sql"))


def is_hot(name: str) -> bool:
    """Whether a query is asked so often that it must touch few partitions (``-- hot``); a test checks it."""
    return HOT in query(name).splitlines()
