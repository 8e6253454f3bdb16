"""Outputs that are followed by traces, to the sockets. Made only where traces are on."""

import asyncio

from yiwang.tracing import Headers, Traces, parent_of


class GatewayTraces:
    """The stage ``gateway``: from reading an output to having handed it to the sockets.

    Args:
        traces: of the process.
    """

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def taken(self, district: int, headers: Headers | None) -> None:
        """An output was taken into the view just now; sessions write at the end of this turn of the loop."""
        parent = parent_of(headers)
        if parent is None:
            return
        step = self._traces.follow("gateway", parent, district=district)
        if step is not None:
            asyncio.get_running_loop().call_soon(step.end)

    def flush(self) -> None:
        """Send what is not sent yet."""
        self._traces.flush()
