"""Errors of both drivers as ours."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest

import sql
from sql.connect import connect
from sql.errors import DRIVER_ERRORS, address, translated
from sql.pool import coded, pool
from yiwang.embedded.ports import free_port
from yiwang.errors import BadInput, NotAllowed, Unavailable, YiwangError

SECRET = "hunter2"


def _with(
    dsn: str, *, user: str | None = None, password: str | None = None, port: int = 0, name: str = ""
) -> str:
    parts = urlsplit(dsn)
    return (
        f"postgresql://{user or parts.username}:{password or parts.password}"
        f"@127.0.0.1:{port or parts.port}/{name or parts.path[1:]}"
    )


def _both(dsn: str) -> list[YiwangError]:
    """What either driver's way of connecting raises."""
    found: list[YiwangError] = []
    try:
        sql.level(dsn)
    except YiwangError as error:
        found.append(error)
    try:
        asyncio.run(pool(dsn, "live", 1))
    except YiwangError as error:
        found.append(error)
    return found


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "code", "kind"),
    [
        ({"password": SECRET}, "database.auth", NotAllowed),
        ({"user": "nobody", "password": SECRET}, "database.auth", NotAllowed),
        ({"name": "nowhere", "password": ""}, "database.missing", BadInput),
        ({"port": -1, "password": SECRET}, "database.unavailable", Unavailable),
    ],
)
def test_a_connection_that_fails_has_the_same_code_from_both(
    pg_dsn: str, change: dict[str, str | int], code: str, kind: type
) -> None:
    """The address is named, the password never."""
    if change.get("port") == -1:
        change = {**change, "port": free_port()}
    wrong = _with(pg_dsn, **change)  # type: ignore[arg-type]
    errors = _both(wrong)
    assert [(e.code, type(e)) for e in errors] == [(code, kind)] * 2
    for error in errors:
        assert f"127.0.0.1:{urlsplit(wrong).port}" in str(error)
        assert SECRET not in str(error) + repr(error.details)


def test_what_is_no_url_is_said_to_be_none() -> None:
    """Neither the driver's own words nor a traceback."""
    for wrong in ("nonsense", "postgresql://u:p@h:port/x"):
        assert [e.code for e in _both(wrong)] == ["database.address"] * 2


def test_tables_that_are_missing_ask_for_migrate(pg_dsn: str) -> None:
    """The remedy is in the message."""
    with pytest.raises(BadInput, match="run: yiwang migrate") as caught, connect(pg_dsn) as connection:
        connection.execute(sql.query("run/all"))
    assert caught.value.code == "database.not_migrated"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (psycopg.errors.DiskFull("could not extend file"), "database.full"),
        (asyncpg.DiskFullError("could not extend file"), "database.full"),
        (asyncpg.DeadlockDetectedError("deadlock"), "database.busy"),
        (psycopg.errors.QueryCanceled("statement timeout"), "database.busy"),
        (asyncpg.AdminShutdownError("bye"), "database.unavailable"),
        (asyncpg.TooManyConnectionsError("no more"), "database.unavailable"),
        (asyncpg.InsufficientPrivilegeError("no"), "database.permission"),
        (asyncpg.InterfaceError("connection is closed"), "database.unavailable"),
        (asyncpg.InternalClientError("cannot switch to state 12"), "database.unavailable"),
        (ConnectionResetError("reset by peer"), "database.unavailable"),
        (TimeoutError(), "database.unavailable"),
        (asyncpg.NumericValueOutOfRangeError("too large"), "database.error"),
    ],
)
def test_each_state_has_its_code(error: Exception, code: str) -> None:
    """By SQLSTATE, never by words, which are the server's language."""
    assert isinstance(error, DRIVER_ERRORS)  # or nobody would hand it over
    assert translated(error, "postgresql://u:p@db.example:5433/city").code == code


@pytest.mark.parametrize(
    ("dsn", "where"),
    [
        ("postgresql://u:p@db.example:5433/city", "db.example:5433/city"),
        ("postgresql://u:p@db.example/city", "db.example:5432/city"),
        ("postgresql:///city?host=/run/pg", "/run/pg/city"),
    ],
)
def test_an_address_has_no_secret(dsn: str, where: str) -> None:
    """Host, port and database, for messages."""
    assert address(dsn) == where


async def test_work_on_a_connection_raises_our_errors(pg_dsn: str) -> None:
    """``coded`` translates what leaves it."""
    database = await pool(pg_dsn, "live", 1)
    try:
        with pytest.raises(BadInput) as caught:
            async with coded(pg_dsn), database.acquire() as connection:
                await connection.fetch("select * from nothing")
    finally:
        await database.close()
    assert caught.value.code == "database.not_migrated"
