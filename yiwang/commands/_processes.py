"""Our own processes as children of the demo and of replays, and the services they stand on."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yiwang.embedded.stack import EmbeddedStack
from yiwang.embedded.supervise import Child, LogLine, Supervisor
from yiwang.settings import Settings

Say = Callable[[str, str], None]
_READY = LogLine(pattern=r'^\{"ready"')
SILENT_S = 20.0
"""All our processes have an event loop with timers of a second or less; one that is silent for so long is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where the broker and the database are; ``folder`` is for logs."""

    kafka: str
    database: str
    folder: Path


def child(
    name: str, arguments: Sequence[str], services: Services, *, run: str, **settings: str | int
) -> Child:
    """One ``yiwang`` process of a run; its settings travel in the environment, so that no secret is in ``ps``."""
    env = {
        "YIWANG_KAFKA": services.kafka,
        "YIWANG_DATABASE": services.database,
        "YIWANG_RUN": run,
        "YIWANG_LOG_JSON": "true",
        "YIWANG_DATA": str(services.folder.absolute()),
        "YIWANG_METRICS_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        **{f"YIWANG_{key.upper()}": str(value) for key, value in settings.items()},
    }
    return Child(
        name=name,
        argv=[sys.executable, "-m", "yiwang", *arguments],
        env=env,
        ready=_READY,
        ready_limit_s=60,
        silent_s=SILENT_S,
    )


def stream_children(services: Services, *, run: str, workers: int = 1, city: bool = False) -> list[Child]:
    """The workers of a run: ``workers`` for the districts, one that stores, and perhaps one for the city.

    A scenario that is only replayed has no city worker: its commands would come at moments that depend on the
    speed, and the same scenario is to give the same orders at every speed.
    """
    roles = [(f"district{k}", "district") for k in range(workers)]
    roles += [("persist0", "persist")] + ([("city0", "city")] if city else [])
    return [
        child(f"{run}-{worker}", ["streams", role], services, run=run, worker=worker)
        for worker, role in roles
    ]


def start_all(supervisor: Supervisor, children: Sequence[Child]) -> None:
    """Start them side by side and wait until all are ready."""
    with ThreadPoolExecutor(max_workers=len(children)) as threads:
        for started in [threads.submit(supervisor.start, c) for c in children]:
            started.result()


@contextmanager
def services(settings: Settings, *, folder: Path, embedded: bool, say: Say) -> Iterator[Services]:
    """The services of the settings, or embedded ones in ``folder`` for as long as the block lasts.

    Raises:
        YiwangError: ``stack.…`` when the embedded ones cannot be started.
    """
    if not embedded:
        yield Services(kafka=settings.kafka, database=settings.database.get_secret_value(), folder=folder)
        return
    with EmbeddedStack(folder, keep=True, progress=say) as stack:
        yield Services(kafka=stack.bootstrap, database=stack.dsn, folder=folder)


def is_embedded(settings: Settings) -> bool:
    """Whether nobody named a broker or a database, so that we bring our own."""
    return not {"kafka", "database"} & settings.model_fields_set
