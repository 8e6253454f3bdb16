"""``yiwang ingest``."""

import asyncio
import json
import signal
from typing import Any

import click

from yiwang import logs
from yiwang.settings import Settings, load


@click.command("ingest")
@click.option("--http/--no-http", "with_http", default=True, help="Listen for HTTP (default), or not.")
@click.option("--port", type=int, help="HTTP port; 0 takes a free one (setting ingest_port).")
@click.option(
    "--share-port", is_flag=True, default=None, help="Several of these processes listen on one port together."
)
@click.option(
    "--mqtt", metavar="URL", help="MQTT broker, mqtt[s]://[user:password@]host[:port] (setting mqtt)."
)
@click.option("--mqtt-mapping", metavar="FILE", help="YAML that maps topics and payloads to readings.")
@click.option("--run", help="Name of the run that the readings belong to (setting run).")
def command(with_http: bool, **given: Any) -> None:  # Any: options, validated by the settings
    """Take readings and video events from devices into Kafka.

    \b
    POST /v1/readings   [{"device": "WL-1", "metric": "water_depth", "value": 12.5, "unit": "cm",
                          "time": "2026-06-01T20:15:00+08:00"}, …]
    POST /v1/events     [{"device": "CAM-1", "class": "road_flooding", "confidence": 0.9, "time": …}, …]
    GET  /v1/counters   what was accepted and rejected, by source and code
    GET  /healthz
    GET  /metrics       for Prometheus; without HTTP, or with --share-port, on the setting metrics_port

    A body is a JSON array (or one object), or NDJSON with Content-Type: application/x-ndjson; gzip is taken.
    The answer 202 comes when Kafka has the readings; it lists each rejected row with its reason, and the rows
    are kept as dead letters ("yiwang deadletters list"). While Kafka is away, also at the start, the spool on disk
    stands in for it (settings spool, spool_mb); 503 means that it is full, or that there is none: send again later.

    MQTT messages are acknowledged when Kafka or the spool has them. Subscriptions are the setting mqtt_topics.

    Prints one JSON line when ready; SIGTERM or Ctrl-C flushes what was accepted and ends.
    """  # noqa: D301  \b is click's mark for text that is not wrapped
    port = given.pop("port")
    settings = load(ingest_port=port, **given)
    logs.configure(json=settings.log_json, level=settings.log_level, process="ingest")
    asyncio.run(_run(settings, with_http))


async def _run(settings: Settings, with_http: bool) -> None:
    from ingest.service import run
    from yiwang.metrics_http import OFF
    from yiwang.processes import Registration

    entry = Registration(settings.data, "ingest", settings.run, settings.worker)

    def ready(line: dict[str, Any]) -> None:  # Any: plain JSON values
        if settings.metrics_port != OFF:
            entry.announce(line.get("metrics") or line.get("http", ""))
        click.echo(json.dumps(line, ensure_ascii=False))

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(
        settings,
        with_http=with_http,
        stop=stop,
        ready=ready,
    )
    entry.withdraw()
