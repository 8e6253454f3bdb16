"""A stream worker with its metrics shown, from its first moment to its last."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from yiwang.metrics import Metrics
from yiwang.metrics_http import registered, shown
from yiwang.processes import Registration
from yiwang.settings import Settings


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker that shows its metrics.

    Attributes:
        address: where; empty where it does not.
    """

    metrics: Metrics
    entry: Registration
    address: str

    def ready(self) -> dict[str, str]:
        """What the ready line says of it."""
        return {"metrics": self.address} if self.address else {}


async def observed(
    settings: Settings, role: str, worker: str, work: Callable[[Seen], Awaitable[None]]
) -> None:
    """Do ``work`` with its metrics shown from the first moment on, so that a worker that waits is seen waiting.

    Raises:
        Unavailable: ``metrics.port``.
    """
    metrics, entry = registered(settings.data, role, settings.run, worker)
    async with shown(metrics, entry, settings.metrics_host, settings.metrics_port) as address:
        await work(Seen(metrics, entry, address))
