"""What several measurements stand on: a broker, a database, processes held to a core, tables, the last line."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.postgres import EmbeddedPostgres

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Stack:
    """A broker, a database and a folder for logs, for as long as a measurement lasts."""

    kafka: str
    dsn: str
    folder: Path


@contextlib.contextmanager
def stack(dsn: str | None = None) -> Iterator[Stack]:
    """Real services of our own; the database may be a given one (TimescaleDB, say).

    The broker gets a compiler that optimises and 1 GiB, as a server would have, not the demo's quick start.
    """
    # where temporary files are kept in memory, TMPDIR must name a disk: a broker's log may be several GB
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as name:
        folder = Path(name)
        with contextlib.ExitStack() as held:
            kafka = held.enter_context(EmbeddedKafka(folder / "kafka", heap_mb=1024, benchmark=True))
            if dsn is None:
                dsn = held.enter_context(EmbeddedPostgres(folder / "postgres")).dsn
            yield Stack(kafka.bootstrap, dsn, folder)


def cores() -> list[int]:
    """Those this process may use."""
    return sorted(os.sched_getaffinity(0))


def spawn(
    argv: Sequence[str | Path],
    *,
    core: int | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.Popen[str]:
    """A child with pipes for its standard input and output, held to one core where one is named."""
    errors = log.open("w") if log else None
    child = subprocess.Popen(
        [str(a) for a in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    if core is not None:
        os.sched_setaffinity(child.pid, {core})
    if errors:
        errors.close()
    return child


def machine() -> dict[str, Any]:  # Any: plain JSON values
    """What figures belong to: processor, cores, memory, Python."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": len(cores()),
        "memory_gib": round(memory, 1),
        "python": sys.version.split()[0],
    }


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers to the right."""
    table = Table(title=title, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right")
    for row in rows:
        table.add_row(*[f"{x:,}" if isinstance(x, int) else str(x) for x in row])
    Console(width=130).print(table)


def last_line(result: Mapping[str, object]) -> None:
    """The result for programs."""
    sys.stdout.write(json.dumps(result) + "\n")
