"""``yiwang devices``."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from yiwang.device_files import KINDS, Table
from yiwang.device_rows import Found
from yiwang.errors import BadInput
from yiwang.registry import District, Registry
from yiwang.settings import Settings, load
from yiwang.topics import Topics

EXIT_ROWS = 3  # some rows were wrong; the others are imported
_CHUNK = 5_000  # devices in one message: some hundred bytes each, far below Kafka's limit


@click.group("devices")
def command() -> None:
    """Import and list districts, places, devices and units.

    \b
    CSV columns (attr:NAME columns hold numbers that thresholds may refer to):
      district  number,code,name[,name_en]
      place     id,kind,district,zone,name[,name_en],lon,lat[,attr:NAME…]
      device    id,kind,district,place,name[,name_en],lon,lat[,attr:NAME…]
      unit      id,skill,district,name[,name_en],lon,lat[,on_duty]
    GeoJSON: the same names as properties, and a Point. A FeatureCollection whose features have a
    property "layer" becomes a layer of the base map.
    """  # noqa: D301  \b is click's mark for text that keeps its lines


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--kind", type=click.Choice(KINDS), help="What the files hold; told from their columns if not given."
)
@click.option("--run", help="Name of the run (setting run).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def import_(files: tuple[Path, ...], kind: str | None, run: str | None, as_json: bool) -> None:
    """Import FILES: good rows are taken, each bad one is reported with file, row, field and what is right.

    A row whose id is known changes that entry. Running processes take the change up without a restart. UTF-8 and
    GB18030 are read. Exit status: 0 all rows taken, 3 some were wrong, 2 nothing could be done.
    """
    from yiwang.device_files import read

    settings = load(run=run)
    tables = [read(str(path), _content(path), kind) for path in files]
    found, changes = asyncio.run(_import(settings, tables))
    taken = {
        "districts": len(found.districts),
        "map_layers": len(found.layers),
        "places": len(found.places),
        "devices": len(found.devices),
        "units": len(found.units),
    }
    changed = sum(len(r.places) + len(r.devices) + len(r.units) for r in changes.values())
    if as_json:
        answer = {
            "run": settings.run,
            "taken": taken,
            "changed": changed,
            "rejected": [msgspec.to_builtins(p) for p in found.problems],
        }
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _report(tables, found, taken, changed)
    if found.problems:
        sys.exit(EXIT_ROWS)


@command.command("list")
@click.option("--run", help="Name of the run (setting run).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def list_(run: str | None, as_json: bool) -> None:
    """Show what is registered, by district."""
    districts, registries = asyncio.run(_load(load(run=run)))
    if as_json:
        everything = [
            {"district": msgspec.to_builtins(d), "registry": msgspec.to_builtins(registries[d.number])}
            for d in districts
        ]
        click.echo(json.dumps(everything, ensure_ascii=False))
        return
    if not districts:
        click.echo("nothing is registered; yiwang devices import FILE…")
    for district in districts:
        registry = registries[district.number]
        click.echo(
            f"district {district.number}  {district.code}  {district.name.zh}  {district.name.en}"
            f"  (registry version {registry.version})"
        )
        for place in registry.places:
            click.echo(f"  place   {place.id}  {place.kind}  {place.name.zh}  zone {place.zone}")
        for device in registry.devices:
            series = " ".join(f"{s.number}:{s.metric}" for s in device.series)
            click.echo(f"  device  {device.id}  {device.kind}  {device.name.zh}  at {device.place}  {series}")
        for unit in registry.units:
            duty = "on duty" if unit.on_duty else "off duty"
            click.echo(f"  unit    {unit.id}  {unit.skill}  {unit.name.zh}  {duty}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("devices.file", f"{path}: cannot be read: {error.strerror}", file=str(path)) from error


def _report(tables: Sequence[Table], found: Found, taken: Mapping[str, int], changed: int) -> None:
    for table in tables:
        if table.ignored:
            click.echo(
                f"{table.file}: not a column of a {table.kind} file, ignored: {', '.join(table.ignored)}",
                err=True,
            )
    for problem in found.problems:
        click.echo(
            f"{problem.file}, row {problem.row}, {problem.field or 'row'}: {problem.message} [{problem.code}]",
            err=True,
        )
    counts = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in taken.items() if n) or "nothing"
    click.echo(f"taken: {counts}; new or changed: {changed}; rejected rows: {len(found.problems)}")


async def _import(settings: Settings, tables: Sequence[Table]) -> tuple[Found, dict[int, Registry]]:
    """Judge the rows, store the good ones, and tell the districts, all or nothing.

    The registry is committed only after Kafka has the change, and Kafka gets it only after the database took it.
    """
    from sql import query, registry
    from sql.pool import coded, connect
    from sql.runs import unknown_run
    from yiwang.broker import ensure_topics
    from yiwang.device_rows import Known, judge
    from yiwang.domains import compile_rules, load_rules

    topics = Topics(settings.run)
    dsn = settings.database.get_secret_value()
    domains = compile_rules(load_rules(settings.domains))
    connection = await connect(dsn, topics.schema)
    try:
        async with coded(dsn):
            run = await connection.fetchrow(query("run/one"), settings.run)
            if run is None:
                raise unknown_run(settings.run, [r["name"] for r in await connection.fetch(query("run/all"))])
            async with connection.transaction():
                await connection.fetch(query("registry/lock"))
                known = Known.of(
                    run["districts"], await registry.districts(connection), await registry.load(connection)
                )
                found = judge(list(tables), known, domains)
                changes = await registry.upsert(
                    connection,
                    districts=found.districts,
                    places=found.places,
                    devices=found.devices,
                    units=found.units,
                    map_layer=found.layers,
                )
                if changes:
                    await ensure_topics(settings.kafka, topics, run["districts"])
                    await _tell(settings.kafka, topics, changes)
        return found, changes
    finally:
        await connection.close()


async def _tell(bootstrap: str, topics: Topics, changes: Mapping[int, Registry]) -> None:
    """The changes on the feed of their districts; returns when Kafka has them."""
    from aiokafka.errors import KafkaError

    from yiwang.broker import start_producer, unavailable
    from yiwang.codec import encode
    from yiwang.model import RegistryChange

    producer = await start_producer(bootstrap, client_id="yiwang-devices")
    try:
        for number, change in changes.items():
            for part in _parts(change):
                payload = encode(RegistryChange(registry=part))
                await producer.send_and_wait(topics.feed, payload, partition=number)
    except KafkaError as error:
        raise unavailable(bootstrap, error) from error
    finally:
        await producer.stop()


def _parts(change: Registry) -> list[Registry]:
    """A large change in several messages; places come first, for devices stand at them."""
    parts = [
        Registry(version=change.version, places=change.places[at : at + _CHUNK])
        for at in range(0, len(change.places), _CHUNK)
    ]
    parts += [
        Registry(version=change.version, devices=change.devices[at : at + _CHUNK])
        for at in range(0, len(change.devices), _CHUNK)
    ]
    parts += [
        Registry(version=change.version, units=change.units[at : at + _CHUNK])
        for at in range(0, len(change.units), _CHUNK)
    ]
    return [change] if sum(map(len, (change.places, change.devices, change.units))) <= _CHUNK else parts


async def _load(settings: Settings) -> tuple[list[District], dict[int, Registry]]:
    from sql import registry
    from sql.pool import coded, connect

    dsn = settings.database.get_secret_value()
    connection = await connect(dsn, Topics(settings.run).schema)
    try:
        async with coded(dsn):
            return await registry.districts(connection), await registry.load(connection)
    finally:
        await connection.close()
