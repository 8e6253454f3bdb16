"""Generated scenarios with another seed: ``night@7`` is the built-in night as it would have been with seed 7."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import yaml

from scenarios import files
from scenarios.model import Scenario
from yiwang.errors import BadInput

_SEEDED = re.compile(r"(.+)@(\d+)")


def check(source: str) -> None:
    """Whether there is something of that name at all; quick.

    Raises:
        BadInput: ``scenario.unknown``.
    """
    seeded = _SEEDED.fullmatch(source)
    for name in (source, seeded[1] if seeded else source):
        if name in files.library() or Path(name).exists():
            return
    files.load(source)  # says what there is


def called(source: str) -> str:
    """What the scenario is called, without making it; empty where only loading it tells."""
    if _SEEDED.fullmatch(source) and not Path(source).exists():
        return source
    try:
        return files.about(source).scenario
    except BadInput:  # recorded data of others; or it is wrong, which loading it says better
        return ""


def load(source: str, *, full: bool = False) -> Scenario:
    """As ``files.load``, and ``NAME@SEED`` besides; the scenario is called so then.

    Raises:
        BadInput: those of ``files.load``; ``scenario.seed`` for a scenario that no generator makes.
    """
    seeded = _SEEDED.fullmatch(source)
    if seeded is None or Path(source).exists():
        return files.load(source, full=full)
    name, seed = seeded.groups()
    path = files.library().get(name, Path(name))
    path = path / "scenario.yaml" if path.is_dir() else path
    spec = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    if not isinstance(spec, dict) or "generator" not in spec:
        if spec is None:
            return files.load(name)  # says what there is
        raise BadInput(
            "scenario.seed",
            f"{source}: {name} is not made by a generator, so it has no other seed",
            source=source,
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        file.write_text(yaml.safe_dump(spec | {"seed": int(seed)}, allow_unicode=True), "utf-8")
        scenario = files.load(str(file))
    return replace(scenario, name=source)
