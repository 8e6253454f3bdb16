"""Which processes run here and where their metrics are: one small file a process, in ``<data>/processes``.

The files have the form of Prometheus' file-based discovery, so that a Prometheus on this machine finds every process,
also those on free ports, and ``yiwang top`` reads the same. A process that ends in order removes its file. One that is
killed leaves it, which is how others see that it is missing, and how a worker that comes back under its name knows that
its last life did not end in order.
"""

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from yiwang import logs
from yiwang.clock import SECOND, SystemClock

FOLDER = "processes"
FORGOTTEN_S = 86_400.0
"""The file of a process that is gone is kept so long, for people to see that it is gone."""

_log = logs.get("processes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A process.

    Attributes:
        role: ingest, district, city, persist or gateway.
        run: name of the run.
        worker: name of the worker, or empty.
        address: ``host:port`` of its metrics; empty where it has none.
        pid: process id on ``host``.
        restarts: how often it came back without having ended in order.
    """

    role: str
    run: str
    worker: str
    address: str
    pid: int
    host: str
    restarts: int = 0

    @property
    def name(self) -> str:
        """What people call it: ``district a``, or with the process id where it has no name."""
        return f"{self.role} {self.worker or self.pid}".strip()

    @property
    def alive(self) -> bool:
        """Whether the process is there; of one on another machine nothing else is known."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


class _Group(msgspec.Struct):
    """A group of targets as Prometheus reads it; labels that begin with ``__`` are for finding only."""

    targets: list[str]
    labels: dict[str, str]


class Registration:
    """Our own file.

    Args:
        data: folder of the setting ``data``.
        role, run, worker: what we are.

    Attributes:
        restarts: how often a worker of this name came back without having ended in order.
    """

    def __init__(self, data: Path, role: str, run: str, worker: str = "") -> None:
        self._folder = (data / FOLDER).absolute()
        self._path = self._folder / f"{run}-{role}-{_plain(worker) or os.getpid()}.json"
        self._role, self._run, self._worker = role, run, worker
        before = _read(self._path)
        self.restarts = before.restarts + 1 if before and worker else 0

    def announce(self, address: str) -> None:
        """Write the file. Where that cannot be done it is said in the log, and nothing else suffers."""
        labels = {
            "role": self._role,
            "run": self._run,
            "worker": self._worker,
            "__meta_yiwang_pid": str(os.getpid()),
            "__meta_yiwang_host": socket.gethostname(),
            "__meta_yiwang_restarts": str(self.restarts),
        }
        text = json.dumps([{"targets": [_reachable(address)] if address else [], "labels": labels}])
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _sweep(self._folder)
            fresh.write_text(text, "utf-8")
            fresh.replace(self._path)  # nobody ever reads half a file
        except OSError as error:
            _log.warning("process_not_announced", file=str(self._path), reason=str(error))

    def withdraw(self) -> None:
        """Remove the file: we end in order. One that another process has written meanwhile stays."""
        entry = _read(self._path)
        if entry is not None and entry.pid == os.getpid():
            with contextlib.suppress(OSError):
                self._path.unlink()


def found(data: Path, run: str | None = None) -> list[Entry]:
    """The processes announced in a folder, of one run or of all, by role and name; unreadable files are left out."""
    entries = (_read(path) for path in sorted((data / FOLDER).glob("*.json")))
    return [e for e in entries if e is not None and run in (None, e.run)]


def _read(path: Path) -> Entry | None:
    try:
        (group,) = msgspec.json.decode(path.read_bytes(), type=list[_Group])
        labels = group.labels
        return Entry(
            role=labels["role"],
            run=labels["run"],
            worker=labels["worker"],
            address=group.targets[0] if group.targets else "",
            pid=int(labels["__meta_yiwang_pid"]),
            host=labels["__meta_yiwang_host"],
            restarts=int(labels["__meta_yiwang_restarts"]),
        )
    except (OSError, ValueError, KeyError):
        return None


def _sweep(folder: Path) -> None:
    """Forget processes of this machine that are gone: those without a name at once, the others after a day."""
    for path, entry in _entries(folder):
        if not entry.alive and (not entry.worker or _age_s(path) > FORGOTTEN_S):
            with contextlib.suppress(OSError):
                path.unlink()


def _entries(folder: Path) -> Iterator[tuple[Path, Entry]]:
    for path in folder.glob("*.json"):
        entry = _read(path)
        if entry is not None:
            yield path, entry


def _age_s(path: Path) -> float:
    try:
        return (SystemClock().now_ns() - path.stat().st_mtime_ns) / SECOND
    except OSError:
        return 0.0


def _reachable(address: str) -> str:
    """Where we listen on every address, the one by which this machine reaches itself."""
    for everywhere, here in (("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:"), (":::", "[::1]:")):
        if address.startswith(everywhere):
            return here + address.removeprefix(everywhere)
    return address


def _plain(name: str) -> str:
    """A name as part of a file's name."""
    return re.sub(r"[^\w.-]", "_", name)
