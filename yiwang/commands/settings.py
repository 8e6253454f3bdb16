"""``yiwang settings``."""

import json as jsonlib
import os
from pathlib import Path

import click
from pydantic import SecretStr

from yiwang.settings import Settings, load


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(as_json: bool) -> None:
    """Show every setting in force, where its value came from, and what it means.

    Secrets are shown as ******. To change one: set YIWANG_<NAME>, or write it into yiwang.toml.
    """
    settings = load()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = _hide(value) if isinstance(value, SecretStr) else value
        rows.append((name, _plain(shown), origin(name, settings), field.description or ""))
    if as_json:
        click.echo(
            jsonlib.dumps(
                {n: {"value": v, "origin": o, "about": d} for n, v, o, d in rows}, ensure_ascii=False
            )
        )
        return
    width = max(len(n) for n, *_ in rows)
    for name, value, where, about in rows:
        click.echo(f"{name:<{width}}  {value}  ({where})\n{'':<{width}}  {about}")


def origin(name: str, settings: Settings) -> str:
    """Where a setting's value came from."""
    for key in os.environ:
        if key.upper() == f"YIWANG_{name.upper()}":
            return key
    return "yiwang.toml" if name in settings.model_fields_set else "default"


def _hide(secret: SecretStr) -> str:
    """A database URL without its password; anything else entirely hidden."""
    text = secret.get_secret_value()
    scheme, found, rest = text.partition("://")
    if not found:
        return "******"
    login, at, host = rest.rpartition("@")
    user, colon, _password = login.partition(":")
    return f"{scheme}://{user}{':******' if colon else ''}{at}{host}"


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
