"""Kafka and PostgreSQL together, in one data folder that one process at a time may use."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.postgres import EmbeddedPostgres
from yiwang.errors import Conflict, Unavailable

Progress = Callable[[str, str], None]
LEAST_FREE_MB = 512


def _silent(stage: str, detail: str) -> None:
    """No progress wanted."""


class FolderLock:
    """The right to use a data folder; the kernel takes it back however its owner ends.

    The lock is on the file ``running.json``; what stands in it is for people and for the error of whoever
    comes second. A file left by a dead process holds no lock and is taken over.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "running.json"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            Conflict: ``stack.already_running`` with the owner's ``pid`` and ``address``.
        """
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = _read_owner(file.read())
            file.close()
            raise Conflict(
                "stack.already_running",
                f"a Yiwang already runs in {self._path.parent}: process {owner['pid']}, address "
                f"{owner['address']}; stop it first, or choose another folder",
                folder=str(self._path.parent),
                **owner,
            ) from None
        self._file = file
        self.tell("not yet ready")

    def tell(self, address: str) -> None:
        """Write down under which address the owner can be reached."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            json.dump({"pid": os.getpid(), "address": address}, self._file)
            self._file.flush()

    def release(self) -> None:
        """Give the lock back; the file stays, since removing it would let two owners in."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def _read_owner(text: str) -> dict[str, object]:
    try:
        owner = json.loads(text)
        return {"pid": int(owner["pid"]), "address": str(owner["address"])}
    except (ValueError, KeyError, TypeError):  # it is just being written
        return {"pid": "unknown", "address": "unknown"}


class EmbeddedStack:
    """Both services, started side by side.

    Args:
        data_dir: one folder for everything: ``kafka/``, ``postgres/`` and whatever the caller puts beside.
        keep: leave the data for the next start. Where it is false the data is deleted at the end, or at the
            next start if this process dies first; data of an earlier kept run is never deleted.
        durable: as in ``EmbeddedPostgres``.
        heap_mb: as in ``EmbeddedKafka``.
        benchmark: as in ``EmbeddedKafka``.
        progress: told ``(stage, detail)``; stages are ``kafka``, ``postgres``, ``services``. It may be called
            from two threads at once.
    """

    def __init__(
        self,
        data_dir: Path,
        keep: bool,
        *,
        durable: bool = True,
        heap_mb: int = 512,
        benchmark: bool = False,
        progress: Progress = _silent,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.keep = keep
        self.kafka = EmbeddedKafka(
            self.data_dir / "kafka",
            heap_mb=heap_mb,
            benchmark=benchmark,
            progress=lambda text: progress("kafka", text),
        )
        self.postgres = EmbeddedPostgres(self.data_dir / "postgres", durable=durable)
        self._progress = progress
        self._lock = FolderLock(self.data_dir)
        self._throwaway = self.data_dir / "throwaway"

    @property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self.kafka.bootstrap

    @property
    def dsn(self) -> str:
        """PostgreSQL's address with user, password and database."""
        return self.postgres.dsn

    def announce(self, address: str) -> None:
        """Say under which address people reach us, for the error that a second start gets."""
        self._lock.tell(address)

    def start(self) -> Self:
        """Start both and wait until both serve; if one fails the other is stopped.

        Raises:
            Conflict: ``stack.already_running``.
            Unavailable: ``stack.folder``, ``stack.disk_full``, or what ``EmbeddedKafka.start`` and
                ``EmbeddedPostgres.start`` raise.
        """
        self._open_folder()
        try:
            self._prepare_data()
            self._start_services()
        except BaseException:
            self.stop()
            raise
        self._lock.tell(f"Kafka {self.bootstrap}")
        self._progress("services", "ready")
        return self

    def stop(self) -> None:
        """Stop both, delete the data unless it is kept, and free the folder; harmless when not running."""
        self.postgres.stop()
        self.kafka.stop()
        if not self.keep and self._throwaway.exists():
            self._delete_data()
        self._lock.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._lock.take()
        except OSError as error:
            raise Unavailable(
                "stack.folder",
                f"the data folder {self.data_dir} cannot be used: {error}",
                folder=str(self.data_dir),
            ) from error
        free_mb = shutil.disk_usage(self.data_dir).free >> 20
        if free_mb < LEAST_FREE_MB:
            self._lock.release()
            raise Unavailable(
                "stack.disk_full",
                f"only {free_mb} MB are free where {self.data_dir} lies; {LEAST_FREE_MB} MB are needed",
                folder=str(self.data_dir),
                free_mb=free_mb,
                needed_mb=LEAST_FREE_MB,
            )

    def _prepare_data(self) -> None:
        if self._throwaway.exists():  # a run that was to leave nothing died before it could clean up
            self._delete_data()
        new = not (self.kafka.config.data_dir.exists() or self.postgres.config.data_dir.exists())
        if new and not self.keep:
            self._throwaway.touch()

    def _delete_data(self) -> None:
        for folder in (self.kafka.config.data_dir, self.postgres.config.data_dir):
            shutil.rmtree(folder, ignore_errors=True)
        self._throwaway.unlink(missing_ok=True)

    def _start_services(self) -> None:
        def kafka() -> None:
            self._progress("kafka", "starting")
            self.kafka.start()
            self._progress("kafka", f"ready on {self.bootstrap}")

        def postgres() -> None:
            self._progress("postgres", "starting")
            self.postgres.start()
            self._progress("postgres", "ready")

        pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="yiwang-service")
        try:
            for done in [pool.submit(postgres), pool.submit(kafka)]:
                done.result()
        except BaseException:  # also Ctrl-C: what waits for a service sees it end and returns
            self.postgres.stop()
            self.kafka.stop()
            raise
        finally:
            pool.shutdown()
