"""Child processes that never outlive us.

Choice: ``PR_SET_PDEATHSIG`` rather than a watchdog pipe. The kernel ends the child even after ``kill -9`` of
the parent, no extra process runs, and the child keeps its own process id, so that fault tests signal the real
thing. Its trap: "parent" means the *thread* that started the child. So every child is started by one thread
that lives as long as the process. Linux only, as the project is.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

from yiwang.errors import Unavailable

_LAUNCH = Path(__file__).with_name("_launch.py")
_Job = tuple[Callable[[], subprocess.Popen[bytes]], "Future[subprocess.Popen[bytes]]"]


class _Starter:
    """The one thread that starts children."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        threading.Thread(target=self._run, name="yiwang-starter", daemon=True).start()

    def call(self, job: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        done: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((job, done))
        return done.result()

    def _run(self) -> None:
        while True:
            job, done = self._jobs.get()
            try:
                done.set_result(job())
            except BaseException as error:  # noqa: BLE001 - handed to the caller, this thread must live on
                done.set_exception(error)


_starter: _Starter | None = None
_starter_lock = threading.Lock()


def _get_starter() -> _Starter:
    global _starter  # noqa: PLW0603 - one starter thread a process is the point
    with _starter_lock:
        if _starter is None or _starter.pid != os.getpid():  # a forked child has no such thread
            _starter = _Starter()
        return _starter


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path | None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: int = signal.SIGKILL,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own; it gets ``death_signal`` when this process ends in any way.

    Args:
        argv: program and arguments; the program is looked up on PATH.
        log: output and errors are appended to this file; None throws them away.
        env: the child's whole environment; None hands on ours.
        cwd: working folder; None keeps ours.
        death_signal: what the kernel sends when we die.
        user: account to become when we are root; None stays.

    Returns:
        The running child; its pid is that of the command itself.

    Raises:
        Unavailable: ``process.not_found`` where the program does not exist.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise Unavailable(
            "process.not_found", f"program {argv[0]} is not there or may not be run", program=str(argv[0])
        )
    command = [
        *(sys.executable, "-I", "-S", str(_LAUNCH)),
        *(str(os.getpid()), str(int(death_signal)), user or "-"),
        *(program, *map(str, argv[1:])),
    ]

    def start() -> subprocess.Popen[bytes]:
        output = log.open("ab") if log is not None else None
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output if output is not None else subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,  # Ctrl-C reaches us only; we stop children in order
            )
        finally:
            if output is not None:
                output.close()

    return _get_starter().call(start)


def stop(child: subprocess.Popen[bytes], first: int = signal.SIGTERM, grace_s: float = 10.0) -> None:
    """Ask a child to end, wait up to ``grace_s``, then end it by force; a child that has ended is no error."""
    if child.poll() is not None:
        return
    child.send_signal(first)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def signs_of_life(pid: int) -> bytes:
    """Something that differs from one look to the next while a process' main thread works or ever wakes up.

    Its CPU time, and how often it has waited and gone on; a stopped or stuck process gives the same each time. Empty
    where there is no such process.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
        times = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[11:13]
    except OSError:
        return b""
    return b" ".join([*times, *(line for line in lines if b"ctxt_switches" in line)])


def tail(path: Path, lines: int = 20) -> str:
    """The last ``lines`` lines of a text file, empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def start_new_log(path: Path) -> None:
    """Put the previous run's log beside the new one as ``NAME.1``."""
    if path.exists():
        path.replace(path.with_name(path.name + ".1"))
