"""``yiwang deadletters``."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from yiwang.clock import iso
from yiwang.errors import BadInput
from yiwang.model import DeadLetter
from yiwang.settings import Settings, load


@click.group("deadletters")
def command() -> None:
    """List and replay what could not be used: rows and messages with their reason and their bytes."""


@command.command("list")
@click.option("--source", help="Only of sources that begin so: http, http:events, mqtt:TOPIC …")
@click.option("--code", help="Only with codes that begin so, such as reading.unit or time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, with the bytes, instead of a table.")
@click.option("--run", help="Name of the run (setting run).")
def list_(source: str | None, code: str | None, limit: int, as_json: bool, run: str | None) -> None:
    """Show dead letters, the newest last, and how many there are of each code and source."""
    letters = asyncio.run(_read(load(run=run), source, code))
    for one in letters[-limit:]:
        if as_json:
            raw = one.raw.decode("utf-8", "backslashreplace")
            click.echo(
                json.dumps(
                    {
                        "id": one.id,
                        "ingest_time": iso(one.ingest_ns),
                        "source": one.source,
                        "code": one.code,
                        "message": one.message,
                        "args": one.args,
                        "raw": raw,
                    },
                    ensure_ascii=False,
                )
            )
        else:
            click.echo(f"{one.id}  {iso(one.ingest_ns)}  {one.source}  {one.code}\n    {one.message}")
    if not as_json:
        _table(Counter((one.source, one.code) for one in letters), len(letters), "dead letters")


@command.command("replay")
@click.option("--id", "ids", multiple=True, help="This letter; may be given several times.")
@click.option("--code", help="All with codes that begin so.")
@click.option("--source", help="All of sources that begin so.")
@click.option("--all", "everything", is_flag=True, help="All there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option("--run", help="Name of the run (setting run).")
def replay(
    ids: tuple[str, ...],
    code: str | None,
    source: str | None,
    everything: bool,
    as_json: bool,
    run: str | None,
) -> None:
    """Send dead letters the same way again, with the devices and domain packs of now.

    What is accepted now goes into the feed; what is not stays a dead letter and is reported with its reason.
    A letter stays in the list either way; a reading that is sent twice is stored twice and judged once.
    """
    if not (ids or code or source or everything):
        raise BadInput("deadletters.which", "say which: --id ID, --code CODE, --source SOURCE or --all")
    settings = load(run=run)
    letters = asyncio.run(_read(settings, source, code))
    if ids:
        letters = [one for one in letters if one.id in ids]
        missing = sorted(set(ids) - {one.id for one in letters})
        if missing:
            raise BadInput(
                "deadletters.unknown", f"there is no dead letter {', '.join(missing)}", ids=missing
            )
    report = asyncio.run(_replay(settings, letters))
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for one in report["rejected"]:
        click.echo(f"{one['id']}  {one['code']}\n    {one['message']}")
    click.echo(
        f"{report['accepted']} accepted now, {len(report['rejected'])} not, of {report['letters']} letters"
    )


async def _read(settings: Settings, source: str | None, code: str | None) -> list[DeadLetter]:
    from ingest import deadletters
    from yiwang.broker import start_consumer
    from yiwang.topics import Topics

    consumer = await start_consumer(settings.kafka, client_id="yiwang-deadletters")
    try:
        return [
            one
            async for one in deadletters.read(consumer, Topics(settings.run))
            if one.source.startswith(source or "") and one.code.startswith(code or "")
        ]
    finally:
        await consumer.stop()


async def _replay(
    settings: Settings, letters: Sequence[DeadLetter]
) -> dict[str, Any]:  # Any: plain JSON values
    from ingest.replay import replay as again

    return await again(settings, letters)


def _table(counts: Counter[tuple[str, str]], total: int, noun: str) -> None:
    click.echo(f"{total} {noun}")
    for (source, code), n in counts.most_common():
        click.echo(f"{n:>8}  {code:<28} {source}")
