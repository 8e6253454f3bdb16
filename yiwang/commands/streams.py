"""``yiwang streams``: the workers that decide, coordinate and store."""

import importlib
from typing import Any

import click

from yiwang import logs, settings

_OPTIONS = (
    click.option("--kafka", help="Kafka bootstrap servers."),
    click.option("--database", help="PostgreSQL URL."),
    click.option("--run", help="Run to work for.  [default: live]"),
    click.option(
        "--worker",
        help="Name of this worker. A restarted worker of the same name goes on at once; names must differ.",
    ),
)


@click.group()
def command() -> None:
    """Run a stream worker; each is a process of its own, and stops cleanly on SIGTERM."""


def _role(role: str, text: str) -> None:
    def start(**given: Any) -> None:  # Any: click's options
        s = settings.load(**given)
        logs.configure(json=s.log_json, level=s.log_level, process=f"{role} {s.worker}".strip())
        importlib.import_module(f"streams.{role}").main(s, s.worker)

    start.__doc__ = text
    for option in reversed(_OPTIONS):
        start = option(start)
    command.command(role)(start)


_role(
    "district",
    """Detect, fuse and dispatch: districts from Kafka, as many as this worker is given.

    Start as many as you like, up to one a district; each takes its share.""",
)
_role(
    "city",
    """Find help for districts that have no crew left. One a run.""",
)
_role(
    "persist",
    """Store readings and everything the districts put out in the database.""",
)
