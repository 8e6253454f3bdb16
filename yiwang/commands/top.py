"""``yiwang top``."""

import contextlib
import json
import locale
import re
import sys
import time
from typing import TYPE_CHECKING

import click

from yiwang.clock import SystemClock, iso
from yiwang.errors import BadInput, Unavailable
from yiwang.settings import Settings, load

if TYPE_CHECKING:
    from yiwang.commands._city_rows import City
    from yiwang.commands._top_view import Language
    from yiwang.processes import Entry

FIRST_S = 1.0
SCREENS_S = 15.0  # screens report every 10 s
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")


@click.command("top")
@click.option("--run", help="The run to look at (setting run).")
@click.option(
    "--at",
    "addresses",
    multiple=True,
    metavar="HOST:PORT",
    help="Ask here instead of those announced on this machine; may be given several times.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.2, 60),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--once", is_flag=True, help="One look, over one second; so it is too where there is no terminal."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs; implies --once.")
@click.option("--lang", type=click.Choice(["zh-CN", "en"]), help="Language [default: that of the terminal].")
def command(
    run: str | None,
    addresses: tuple[str, ...],
    every: float,
    once: bool,
    as_json: bool,
    lang: "Language | None",
) -> None:
    """Show how the processes and districts are, live, the worst first.

    Reads the metrics of every process that is announced in the data folder (setting data) of this machine, or of those
    named by --at. A process that does not answer is named with the reason. Latencies are those of the process' own
    stage: ingest (arrival to Kafka), district (arrival to judged), persist (arrival to committed), gateway (decided to
    handed to the screens); above them stands sensor to screen, as the screens themselves report it every ten seconds (in
    one look: since the start, where none reported in that second). One look ends with exit status 1 where no process answers.
    """
    settings = load(run=run)
    language = lang or _language()
    if as_json or once or not sys.stdout.isatty():
        city = _look(settings, addresses)
        if as_json:
            click.echo(json.dumps({"time": iso(SystemClock().now_ns())} | city.as_json(), ensure_ascii=False))
        else:
            from rich.console import Console

            from yiwang.commands._top_view import tables

            Console(highlight=False).print(tables(city, language))
        if all(row.reason for row in city.processes):
            sys.exit(1)
        return
    _live(settings, addresses, every, language)


def _entries(settings: Settings, addresses: tuple[str, ...]) -> "list[Entry]":
    """The processes to ask.

    Raises:
        BadInput: ``top.address`` for what is no address.
        Unavailable: ``top.nothing`` where no process is announced.
    """
    from yiwang import processes

    if addresses:
        for one in addresses:
            match = _ADDRESS.fullmatch(one)
            if not match or not 0 < int(match[2]) < 65536:
                raise BadInput(
                    "top.address", f"--at {one!r} is no address such as 127.0.0.1:8421", address=one
                )
        return [
            processes.Entry(role="", run=settings.run, worker=one, address=one, pid=0, host="")
            for one in addresses
        ]
    entries = processes.found(settings.data, settings.run)
    if not entries:
        folder = settings.data / processes.FOLDER
        others = sorted({e.run for e in processes.found(settings.data) if e.alive})
        hint = f"; there are processes of {', '.join(others)}: choose with --run" if others else ""
        raise Unavailable(
            "top.nothing",
            f"no process of run {settings.run!r} is announced in {folder}{hint}; start some, name their data folder "
            "with YIWANG_DATA, or their addresses with --at",
            folder=str(folder),
            run=settings.run,
        )
    return entries


def _look(settings: Settings, addresses: tuple[str, ...]) -> "City":
    from yiwang.commands._city_rows import city
    from yiwang.commands._pages import between, fetch_all

    entries = _entries(settings, addresses)
    before = fetch_all(entries)
    time.sleep(FIRST_S)
    return city(settings.run, entries, between(before, fetch_all(entries)))


def _live(settings: Settings, addresses: tuple[str, ...], every_s: float, language: "Language") -> None:
    from rich.console import Console
    from rich.live import Live

    from yiwang.commands._city_rows import city
    from yiwang.commands._pages import Kept, between, fetch_all
    from yiwang.commands._top_view import tables

    entries = _entries(settings, addresses)
    kept = Kept(SCREENS_S)
    before = {e.address or e.name: page for e, page in zip(entries, fetch_all(entries), strict=True)}
    wait_s = min(FIRST_S, every_s)
    console = Console(highlight=False)
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                kept.take(before, time.monotonic())
                time.sleep(wait_s)
                wait_s = every_s
                with contextlib.suppress(Unavailable):  # all have ended: show that, and wait for the next
                    entries = _entries(settings, addresses)  # processes come and go
                pages = fetch_all(entries)
                keys = [e.address or e.name for e in entries]
                pairs = between([before.get(key, "new") for key in keys], pages)
                longer = between([kept.before.get(key, "new") for key in keys], pages)
                live.update(
                    tables(city(settings.run, entries, pairs, longer), language, live=True), refresh=True
                )
                before = dict(zip(keys, pages, strict=True))
    except KeyboardInterrupt:
        pass


def _language() -> "Language":
    return "zh-CN" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
