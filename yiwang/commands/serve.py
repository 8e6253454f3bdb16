"""``yiwang serve``."""

import asyncio
import json
import signal

import click

from yiwang import logs
from yiwang.settings import Settings, load


@click.command("serve")
@click.option("--run", help="The run to show (default: live).")
@click.option("--host", help="Loopback address to listen on: 127.0.0.1, ::1 or localhost.")
@click.option("--port", type=int, help="Port of the pages and the HTTP API; 0 takes a free one.")
@click.option("--socket-port", type=int, help="Port of the live socket; 0 (the default) takes a free one.")
def command(run: str | None, host: str | None, port: int | None, socket_port: int | None) -> None:
    """Serve the screens: pages, HTTP API and live socket of one run.

    Open the printed address in a browser. Until there are accounts a person picks a post on the page, and the
    gateway listens on this machine only. It computes nothing itself: it shows what the districts say and
    passes commands on. Broker and database may be away for a while; GET /api/health tells.

    Prints one JSON line when it serves; ends on SIGTERM or Ctrl-C.
    """
    settings = load(run=run, host=host, port=port, socket_port=socket_port)
    logs.configure(json=settings.log_json, level=settings.log_level, process="serve")
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from ws_server.gateway import Gateway
    from yiwang.metrics_http import OFF
    from yiwang.processes import Registration

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Gateway(settings) as gateway:
        ready = {"ready": "serve", "http": gateway.http, "socket": gateway.socket}
        click.echo(json.dumps(ready))
        entry = Registration(settings.data, "gateway", settings.run, settings.worker)
        if settings.metrics_port != OFF:
            entry.announce(gateway.http)
        await gateway.run_until(stop)
    entry.withdraw()
