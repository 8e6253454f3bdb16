"""``yiwang check``."""

import asyncio
import json
import sys

import click
import msgspec

from yiwang.settings import load


@click.command("check")
@click.option("--run", help="Name of the run (setting run).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(run: str | None, as_json: bool) -> None:
    """Test broker, database, topics, clocks, disk, ports and pages, and say how to mend what is wrong.

    Exit status: 0 when nothing failed (there may be warnings), 1 when something did.
    """
    from yiwang.commands._checks import Status, run_all

    results = asyncio.run(run_all(load(run=run)))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(r) for r in results], ensure_ascii=False))
    else:
        width = max(len(r.what) for r in results)
        for r in results:
            click.echo(f"{r.status:<4}  {r.what:<{width}}  {r.found}")
            if r.remedy:
                click.echo(f"{'':<4}  {'':<{width}}  -> {r.remedy}")
    if any(r.status is Status.FAIL for r in results):
        sys.exit(1)
