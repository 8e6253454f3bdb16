"""What the gateway tells of itself as metrics: plain attributes of the hub, read when somebody asks."""

from collections.abc import Iterator

from ws_server.hub import Hub
from yiwang import metrics as m
from yiwang.metrics import Sample, Source

STAGES = ("gateway", "values", "screen")
"""``detect`` is told by the district workers, which see every reading and not only what is shown."""
SERVICES = ("kafka", "database")


def gateway(hub: Hub) -> Source:
    """Of a gateway."""

    def read() -> Iterator[Sample]:
        counts = hub.counts
        yield m.GATEWAY_CLIENTS, (), hub.clients
        yield m.GATEWAY_OUTPUTS, (), counts["outputs"]
        yield m.GATEWAY_VALUES, (), counts["values"]
        yield m.GATEWAY_DELIVERIES, (), counts["deliveries"]
        yield m.GATEWAY_COALESCED, (), counts["coalesced"]
        yield m.GATEWAY_DROPPED, (), counts["dropped"]
        yield m.GATEWAY_RESETS, (), counts["overflows"]
        yield m.GATEWAY_SKIPPED, (), hub.skipped
        for district, lag in hub.lag.items():
            yield m.GATEWAY_LAG, (str(district),), lag
        for service in SERVICES:
            yield m.AWAY, (service,), not hub.has(service)
        for (stage, district), latency in hub.stages.histograms.items():
            if stage in STAGES:
                yield m.STAGE, (stage, str(district)), latency

    return read
