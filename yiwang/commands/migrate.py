"""``yiwang migrate``."""

import json
from datetime import timedelta
from typing import Any

import click
import msgspec

from yiwang.clock import SystemClock, to_datetime
from yiwang.runs import Run
from yiwang.settings import Settings, load
from yiwang.topics import LIVE, Topics


@click.command("migrate")
@click.option("--run", help="Run whose schema is brought up to date (setting run).")
@click.option(
    "--districts",
    type=click.IntRange(1, 1000),
    help="Number of districts = feed partitions; for a run that is made now: 1 unless given.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be applied.")
@click.option(
    "--keep-days",
    type=click.IntRange(1),
    help="Afterwards drop readings older than so many whole days (UTC), once; the settings keep_readings_days and"
    " keep_minutes_days have persist do it again and again.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(
    run: str | None, districts: int | None, dry_run: bool, keep_days: int | None, as_json: bool
) -> None:
    """Bring the database up to date: the common tables and those of one run.

    Safe to repeat and to run from several machines at once. Readings are stored in hypertables where the server
    has TimescaleDB and in native partitions where not; the level found is printed.
    """
    import sql

    settings = load(run=run)
    dsn = settings.database.get_secret_value()
    schema = Topics(settings.run).schema
    known = sql.get_run(dsn, settings.run)
    done = sql.pending(dsn, schema)
    dropped: int | None = None
    if not dry_run:
        done = sql.migrate(dsn, _run(settings.run, known, districts))
        if keep_days is not None:
            today = to_datetime(SystemClock().now_ns()).date()
            dropped = sql.drop_readings_before(dsn, schema, today - timedelta(days=keep_days))
    level = sql.level(dsn)
    kept = _kept(settings, level)
    if as_json:
        answer = {
            "run": settings.run,
            "schema": schema,
            "level": level,
            "would_apply" if dry_run else "applied": done,
            **kept,
        }
        click.echo(json.dumps(answer if dropped is None else {**answer, "dropped": dropped}))
        return
    for name in done:
        click.echo(f"{'would apply' if dry_run else 'applied'} {name}")
    if dropped is not None:
        click.echo(f"dropped {dropped} partitions of readings")
    click.echo(f"run {settings.run}: {'nothing to do' if not done else len(done)}; level {level}")
    for what, days in (
        ("readings", kept["keep_readings_days"]),
        ("minute roll-ups", kept["keep_minutes_days"]),
    ):
        click.echo(f"{what}: kept {_span(days, kept)}")
    click.echo(f"compression: {kept['compression']}")


def _span(days: int, kept: dict[str, Any]) -> str:  # Any: of ``_kept``
    return f"{days} days, dropped by {kept['dropped_by']}" if days else "for ever"


def _kept(settings: Settings, level: str) -> dict[str, Any]:  # Any: plain JSON values
    """How long what is kept, and by whom it is dropped and compressed, at this level."""
    by_server = level == "timescale_community"
    live = settings.run == LIVE
    return {
        "keep_readings_days": settings.keep_readings_days if live else 0,
        "keep_minutes_days": settings.keep_minutes_days if live else 0,
        "dropped_by": "the server" if by_server else "persist",
        "compression": "by the server, readings after 7 days, roll-ups after 30"
        if by_server
        else "none at this level",
    }


def _run(name: str, known: Run | None, districts: int | None) -> Run:
    if known is None:
        return Run(
            name=name,
            kind="live" if name == LIVE else "replay",
            ticks="agent" if name == LIVE else "player",
            districts=districts or 1,
            created_ns=SystemClock().now_ns(),
        )
    return msgspec.structs.replace(known, districts=districts or known.districts)
