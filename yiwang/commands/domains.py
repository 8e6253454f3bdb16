"""``yiwang domains``: what the packs say, what is in force where, and whether a city's file is right."""

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

import detectors.registry
from detectors.protocol import specs
from yiwang import settings
from yiwang.domains import Domains, Entry, Metric, compile_rules, load_rules
from yiwang.domains.load import parse
from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput
from yiwang.registry import Device, Place, Rules, Text
from yiwang.settings import Settings
from yiwang.topics import Topics

_folder = click.option(
    "--domains",
    "folder",
    type=click.Path(path_type=Path),
    help="folder with the city's own packs and overrides (YIWANG_DOMAINS)",
)
_json = click.option("--json", "as_json", is_flag=True, help="print one JSON document instead of a table")


@click.group()
def command() -> None:
    """List, show and check domain packs and the values in force.

    A pack says what is measured, which detectors watch it with which limits, what kinds of incident there are and
    what is done about them. A city adds packs and overrides of its own in a folder (YIWANG_DOMAINS); no Python needed.

    \b
      yiwang domains list
      yiwang domains show flooding --attr place.closure_depth_cm=30
      yiwang domains check city/*.yaml
      yiwang domains apply
    """  # noqa: D301  click's mark for a paragraph that is not to be wrapped


def _load(folder: Path | None, extra: Sequence[Path] = ()) -> Domains:
    domains = compile_rules(load_rules(settings.load(domains=folder).domains, extra))
    detectors.registry.check(domains)
    return domains


@command.command("list")
@_folder
@_json
def list_(folder: Path | None, as_json: bool) -> None:
    """List packs with their metrics, device kinds, incident kinds and detectors."""
    domains = _load(folder)
    if as_json:
        click.echo(json.dumps(domains.to_json(), ensure_ascii=False))
        return
    for pack in domains.packs.values():
        click.echo(f"{pack.id}  {pack.name.zh} / {pack.name.en}  ({pack.file})")
        for m in domains.metrics.values():
            if m.domain == pack.id:
                click.echo(
                    f"  metric    {m.id:24} {_names(m.name)}; {m.lo:g}…{m.hi:g} {m.unit}; takes {', '.join(m.units)}"
                )
        for d in domains.device_kinds.values():
            if d.domain == pack.id:
                click.echo(f"  device    {d.id:24} {_names(d.name)}; {', '.join(d.metrics)}")
        for k in domains.kinds.values():
            if k.domain == pack.id:
                case = f"case from {k.case_at.name}" if k.case_at else "no case"
                click.echo(f"  incident  {k.id:24} {_names(k.name)}; by {k.by}, {case}, skill {k.skill}")
        for e in domains.detectors:
            if e.domain == pack.id:
                click.echo(f"  detector  {e.id:24} {e.use} on {e.metric} -> {e.kind}")
    click.echo(f"rules version {domains.version}")


@command.command()
@click.argument("domain")
@click.option(
    "--attr", "attrs", multiple=True, metavar="place.NAME=N|device.NAME=N", help="an attribute; repeatable"
)
@click.option("--zone", default="", help="id of the zone, for overrides")
@click.option("--place", default="", help="id of the place, for overrides")
@click.option("--device", default="", help="id of the device, for overrides")
@_folder
@_json
def show(
    domain: str,
    attrs: tuple[str, ...],
    zone: str,
    place: str,
    device: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Show every value in force in DOMAIN, where it stands and where it was taken from.

    Without options: as for a device and place without attributes of their own.
    """
    domains = _load(folder)
    if domain not in domains.packs:
        raise BadInput(
            "domain.unknown",
            f"there is no domain {domain!r}{did_you_mean(domain, domains.packs)}",
            domain=domain,
        )
    site = _site(attrs, zone, place)
    sensor = _sensor(attrs, device, place)
    entries = [e for e in domains.detectors if e.domain == domain]
    metrics = [m for m in domains.metrics.values() if m.domain == domain]
    if as_json:
        shown = {
            "domain": domain,
            "version": domains.version,
            "metrics": {
                m.id: domains.to_json()["metrics"][m.id]
                | {"source": m.source, "keep": msgspec.to_builtins(m.keep)}
                for m in metrics
            },
            "detectors": {e.id: _entry(domains, e, sensor, site) for e in entries},
            "kinds": {i: k for i, k in domains.to_json()["kinds"].items() if k["domain"] == domain},
            "categories": {
                i: c
                for i, c in domains.to_json()["categories"].items()
                if domains.categories[i].domain == domain
            },
        }
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for m in metrics:
        click.echo(f"{m.id}  {m.lo:g}…{m.hi:g} {m.unit} every {m.period_s:g} s  {m.source}".rstrip())
        click.echo(f"  {_keep(m)}")
    for entry in entries:
        click.echo(f"{entry.id}  {entry.use} on {entry.metric} -> {entry.kind}  ({entry.origin})")
        for name, p in _entry(domains, entry, sensor, site)["params"].items():
            value = "absent" if p["value"] is None else f"{p['value']:g} {p['unit']}"
            click.echo(f"  {name:18} {value:16} {p['origin']:32} {p['source']}".rstrip())
    for kind in domains.kinds.values():
        if kind.domain == domain:
            case = f"case from {kind.case_at.name}" if kind.case_at else "no case"
            click.echo(f"{kind.id}  {case}; closed {kind.linger_s:g} s after the last evidence")
    for category in domains.categories.values():
        if category.domain == domain:
            limits = f"accept {category.accept_s:g} s, arrive {category.arrive_s:g} s"
            limits += f", handle {category.handle_s:g} s, check {category.check_s:g} s"
            click.echo(f"{category.id}  {limits}  {category.source}")


def _keep(metric: Metric) -> str:
    keep = metric.keep
    origin = f"  {keep.origin}" if keep.origin else ""
    if keep.what == "changes":
        return f"stored: changes of {keep.delta:g} {metric.unit}, and one every {keep.every_s:g} s{origin}"
    return f"stored: {'every reading' if keep.what == 'raw' else 'only minute roll-ups'}{origin}"


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_json
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check a city's FILES together with the built-in packs.

    Exit 0 when all is right; otherwise every fault with file and line, and exit 1.
    """
    errors = _faults(files)
    if as_json:
        click.echo(json.dumps({"ok": not errors, "errors": errors}, ensure_ascii=False))
    elif errors:
        click.echo("\n".join(errors))
    else:
        click.echo(f"{len(files)} file(s) right")
    if errors:
        raise click.exceptions.Exit(1)


@command.command()
@click.option("--run", help="Name of the run (setting run).")
@_folder
@_json
def apply(run: str | None, folder: Path | None, as_json: bool) -> None:
    """Put the packs and the city's overrides in force in every district of a run.

    They are checked whole, then go into the feed, so every district changes at one place of its log. A city judges
    nothing before this was done once. Incidents that are open go on; a detector whose entry stays keeps what it has
    seen. Processes that take readings or show them (ingest, serve) read new metrics and names when they start.
    """
    given = settings.load(run=run, domains=folder)
    rules = load_rules(given.domains)
    detectors.registry.check(compile_rules(rules))
    districts = asyncio.run(_put_in_force(given, rules))
    if as_json:
        click.echo(json.dumps({"run": given.run, "version": rules.version, "districts": districts}))
    else:
        click.echo(
            f"rules version {rules.version} is in the feed of {districts} district(s) of run {given.run}"
        )


async def _put_in_force(given: Settings, rules: Rules) -> int:
    """The rules in the feed of every district; returns, when Kafka has them all, how many districts there are."""
    from aiokafka.errors import KafkaError

    from sql import get_run, list_runs
    from sql.runs import unknown_run
    from yiwang.broker import ensure_topics, start_producer, unavailable
    from yiwang.codec import encode
    from yiwang.model import RulesChange

    topics = Topics(given.run)
    dsn = given.database.get_secret_value()
    run = await asyncio.to_thread(get_run, dsn, given.run)
    if run is None:
        raise unknown_run(given.run, [r.name for r in await asyncio.to_thread(list_runs, dsn)])
    await ensure_topics(given.kafka, topics, run.districts)
    producer = await start_producer(given.kafka, client_id="yiwang-domains")
    try:
        for district in range(run.districts):
            await producer.send_and_wait(topics.feed, encode(RulesChange(rules=rules)), partition=district)
    except KafkaError as error:
        raise unavailable(given.kafka, error) from error
    finally:
        await producer.stop()
    return run.districts


def _faults(files: Sequence[Path]) -> list[str]:
    """Files that cannot be read at all first; only if there is none can the rest be judged."""
    errors: list[str] = []
    for path in files:
        try:
            if not path.is_file():
                raise BadInput("domain.file", f"{path} is no file", file=str(path))
            parse(path.read_bytes(), path.name)
        except BadInput as error:
            errors.append(error.message)
    if errors:
        return errors
    try:
        detectors.registry.check(compile_rules(load_rules(None, files)))
    except BadInput as error:
        found: list[str] = error.details.get("errors", [error.message])
        return found
    return []


def _entry(domains: Domains, entry: Entry, device: Device, place: Place) -> dict[str, Any]:  # Any: JSON
    known = specs(detectors.registry.get(entry.use))
    metric = domains.metrics[entry.metric].unit
    return {
        "use": entry.use,
        "version": entry.version,
        "metric": entry.metric,
        "kind": entry.kind,
        "origin": entry.origin,
        "params": {
            name: {
                "value": None if math.isnan(value.value) else value.value,
                "unit": metric if known[name][0].unit == "metric" else known[name][0].unit,
                "origin": value.origin,
                "source": value.source,
            }
            for name, value in domains.params(entry, device, place).items()
        },
    }


def _attributes(attrs: Sequence[str], of: str) -> dict[str, float]:
    found = {}
    for attr in attrs:
        name, _, value = attr.partition("=")
        owner, _, key = name.partition(".")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if owner not in {"place", "device"} or not key or math.isnan(number):
            raise BadInput(
                "domain.attribute",
                f"--attr {attr}: write place.closure_depth_cm=30 or device.NAME=NUMBER",
                attr=attr,
            )
        if owner == of:
            found[key] = number
    return found


def _site(attrs: Sequence[str], zone: str, place: str) -> Place:
    return Place(
        id=place,
        district=0,
        zone=zone,
        kind="",
        name=Text(""),
        lon=0,
        lat=0,
        attributes=_attributes(attrs, "place"),
    )


def _sensor(attrs: Sequence[str], device: str, place: str) -> Device:
    return Device(
        id=device,
        district=0,
        kind="",
        place=place,
        name=Text(""),
        lon=0,
        lat=0,
        series=(),
        attributes=_attributes(attrs, "device"),
    )


def _names(text: Text) -> str:
    return f"{text.zh} / {text.en}"
