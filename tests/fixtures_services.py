"""Real services for tests, started when the first test asks and stopped at the end.

Fixtures: ``kafka`` (broker with ``.bootstrap``), ``postgres`` (server), ``pg_dsn`` (a fresh, empty database of
it), ``timescale_dsn`` (the same in a real TimescaleDB), ``any_pg_dsn`` (a test runs once on each of the two).
A test that uses one gets its marker, so ``pytest -m "not kafka"`` works without writing the marker down.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.chromium import MISSING, chromium_path
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.postgres import EmbeddedPostgres

TIMESCALE_VARIABLE = "YIWANG_TEST_TIMESCALE_DSN"
_MARKER_OF_FIXTURE = {"kafka": "kafka", "postgres": "postgres", "timescale_dsn": "timescale"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the services that its fixtures start; long ones first, so that none is waited for alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        for fixture, marker in _MARKER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a browser or TimescaleDB where there is none; from one place, so the report has one line each.

    Where ``YIWANG_REQUIRE_BROWSER`` is 1, as in CI, a missing browser is a failure.
    """
    if item.get_closest_marker("browser") and chromium_path() is None:
        if os.environ.get("YIWANG_REQUIRE_BROWSER") == "1":
            pytest.fail(MISSING, pytrace=False)
        pytest.skip(MISSING)
    if item.get_closest_marker("timescale") and not os.environ.get(TIMESCALE_VARIABLE):
        pytest.skip(
            f"no TimescaleDB: {TIMESCALE_VARIABLE} is not set (deploy/local-services start gives one)"
        )


@pytest.fixture(scope="session")
def services_dir() -> Iterator[Path]:
    """A short-lived folder for service data; not ``tmp_path``, which pytest keeps for three runs."""
    with tempfile.TemporaryDirectory(prefix="yiwang-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def kafka(services_dir: Path) -> Iterator[EmbeddedKafka]:
    """One Apache Kafka for the session; tests keep apart by topic and group names of their own."""
    with EmbeddedKafka(services_dir / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres(services_dir: Path) -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL for the session, without the cost of durability."""
    with EmbeddedPostgres(services_dir / "postgres", durable=False) as server:
        yield server


@pytest.fixture
def pg_dsn(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Address of an empty database that lives as long as the test."""
    with _fresh_database(postgres.dsn) as dsn:
        yield dsn


@pytest.fixture
def timescale_dsn() -> Iterator[str]:
    """Address of an empty database with the extension ``timescaledb``; skips where there is no server."""
    server = os.environ.get(TIMESCALE_VARIABLE)
    if not server:
        pytest.skip(
            f"no TimescaleDB: {TIMESCALE_VARIABLE} is not set (deploy/local-services start gives one)"
        )
    with _fresh_database(server) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create extension if not exists timescaledb")
        yield dsn


@pytest.fixture(
    params=[
        pytest.param("pg_dsn", id="postgres", marks=pytest.mark.postgres),
        pytest.param("timescale_dsn", id="timescale", marks=pytest.mark.timescale),
    ]
)
def any_pg_dsn(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn: plain PostgreSQL, then TimescaleDB."""
    dsn: str = request.getfixturevalue(request.param)
    return dsn


class _fresh_database:  # noqa: N801 - used as a function: a context manager
    """A database with a random name, dropped afterwards even with clients still connected."""

    def __init__(self, server_dsn: str) -> None:
        self._server_dsn = server_dsn
        self._name = f"test_{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> str:
        self._run("create database {}")
        base, _, _ = self._server_dsn.rpartition("/")
        return f"{base}/{self._name}"

    def __exit__(self, *_: object) -> None:
        self._run("drop database {} with (force)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self._name)))
