"""The command line. Each subcommand lives in ``yiwang.commands`` and is imported only when it is asked for."""

import importlib
import sys
from typing import Any

import click

from yiwang.errors import YiwangError

COMMANDS = {
    "demo": "Play a city night through the real system and show it.",
    "ingest": "Take readings and events from devices (HTTP, MQTT) into Kafka.",
    "streams": "Run a stream worker: district, city or persist.",
    "serve": "Serve the screens: pages, HTTP API and live socket.",
    "replay": "Play a scenario or recorded data as a run of its own.",
    "score": "Hold what is raised on scenarios against their truth; compare, report, guard floors.",
    "scenario": "Make, check, import and record scenarios.",
    "tune": "Search a detector's parameters on scenarios, judged on those held out.",
    "shadow": "Run a parameter set beside the living city and list what it would do otherwise.",
    "devices": "Import and list devices, places and units.",
    "domains": "List, show, check and apply domain packs and the values in force.",
    "deadletters": "List and replay what could not be used.",
    "frames": "Show frames of readings as JSON, and make them.",
    "migrate": "Bring the database up to date.",
    "top": "Show live how processes and districts are: rates, lags, latencies.",
    "check": "Test broker, database, topics, clock and disk, and say how to mend what is wrong.",
    "settings": "Show every setting in force and where it came from.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"yiwang.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="yiwang")
def cli() -> None:
    """Yiwang (一网): a city operations centre.

    Settings come from YIWANG_… variables, then yiwang.toml; see "yiwang settings".
    """


def main(argv: list[str] | None = None) -> None:
    """Entry point: our errors become one line on stderr and exit status 2; others keep their traceback."""
    kwargs: dict[str, Any] = {"standalone_mode": True}  # Any: click's own keyword arguments
    try:
        cli(argv, **kwargs)
    except YiwangError as error:
        click.echo(f"yiwang: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
