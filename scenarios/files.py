"""How a name on the command line becomes a scenario: the library, files and folders; see docs/reference/scenarios.md.

A scenario is a ``scenario.yaml``. It names a ``generator`` that makes the readings, or another scenario (``of``) that
is played with faults, or it stands in a folder beside the tables that hold them.
"""

import inspect
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from scenarios import floodnet, rivers, truths
from scenarios.folder import SPEC, FolderReader, rebased
from scenarios.generators import generator
from scenarios.model import Scenario
from scenarios.problems import Problems, suggest
from scenarios.spec import ScenarioFile
from scenarios.writing import save
from yiwang import yamlfile
from yiwang.domains import compile_rules
from yiwang.errors import BadInput

__all__ = ["about", "check", "library", "load", "save"]

_DEEPEST = 8  # scenarios that refer to each other


def library() -> dict[str, Path]:
    """Built-in scenarios by name: their ``scenario.yaml``, or file of a generator."""
    folder = Path(str(files("scenarios"))) / "library"
    found = {p.stem: p for p in folder.glob("*.yaml")}
    found |= {p.parent.name: p for p in folder.glob(f"*/{SPEC}")}
    return dict(sorted(found.items()))


def about(source: str) -> ScenarioFile:
    """What ``scenario.yaml`` says, without reading or making anything.

    Raises:
        BadInput: as ``load``.
    """
    return yamlfile.load(_spec_file(source), ScenarioFile, code="scenario")


def load(source: str, *, start_ns: int | None = None, full: bool = False) -> Scenario:
    """The scenario that ``source`` names: a built-in one, a file or folder of ours, FloodNet's, or a labelled river.

    Args:
        source: as given on the command line.
        start_ns: moves a generated scenario to this begin.
        full: for FloodNet, also the silence between the floods.

    Raises:
        BadInput: ``scenario.unknown``; ``scenario.…`` with file, line and field of the first mistake
            (``details["errors"]`` has all), or the importer's own.
    """
    if source not in library() and floodnet.is_folder(Path(source)):
        return floodnet.load(Path(source), full=full)
    if source not in library() and rivers.is_file(Path(source)):
        return rivers.load(Path(source))
    problems = Problems()
    scenario = _read(_spec_file(source), problems, start_ns)
    problems.refuse()
    assert scenario is not None  # else something would have been noted
    return scenario


def check(source: str) -> tuple[Scenario | None, Problems]:
    """The scenario as far as it can be made, and everything that is wrong with it.

    A generated one is made, and what it says is true held against its own packs, places and time range.
    """
    problems = Problems()
    try:
        if source not in library() and floodnet.is_folder(Path(source)):
            return floodnet.load(Path(source)), problems
        if source not in library() and rivers.is_file(Path(source)):
            return rivers.load(Path(source)), problems
        file = _spec_file(source)
    except BadInput as error:
        problems.error(error, file=source)
        return None, problems
    scenario = _read(file, problems, None)
    if scenario is not None and not problems:
        span = scenario.start_ns, scenario.end_ns
        domains = compile_rules(scenario.rules)
        truths.check(truths.located(scenario), scenario.registries, domains, span, problems)
    return scenario, problems


def _spec_file(source: str) -> Path:
    path = library().get(source, Path(source))
    if path.is_dir():
        path /= SPEC
    if not path.is_file():
        there = Path(source)
        if there.is_dir():
            what = f"{source!r} is a folder without {SPEC}"
        elif there.exists():
            what = f"{source!r} cannot be read as a file"
        else:
            what = f"{source!r} is no scenario: neither in the library nor there as a file or folder"
        raise BadInput(
            "scenario.unknown",
            f"{what}{suggest(source, library())}; give a name that yiwang scenario list shows, a folder with {SPEC}, "
            "a folder of FloodNet data, or a labelled river",
            source=source,
        )
    return path


def _read(file: Path, problems: Problems, start_ns: int | None, depth: int = 0) -> Scenario | None:
    reader = FolderReader(file, problems)
    spec = reader.spec()
    if spec is None:
        return None
    if spec.of:
        return _referred(reader, spec, start_ns, depth)
    if spec.generator:
        return _generated(reader, spec, start_ns)
    return reader.recorded(spec)


def _referred(reader: FolderReader, spec: ScenarioFile, start_ns: int | None, depth: int) -> Scenario | None:
    """Another scenario, of the library or beside the file, under this name and with these faults."""
    if depth == _DEEPEST:
        reader.wrong("of", "refers to a scenario that refers to another, and so on without end")
        return None
    beside = reader.folder / spec.of
    try:
        file = _spec_file(str(beside) if beside.exists() else spec.of)
    except BadInput as error:
        reader.wrong("of", error.message, code=error.code)
        return None
    scenario = _read(file, reader.problems, start_ns, depth + 1)
    return None if scenario is None else reader.with_faults(rebased(scenario, spec), spec)


def _generated(reader: FolderReader, spec: ScenarioFile, start_ns: int | None) -> Scenario | None:
    before = len(reader.problems)
    begin_ns = reader.time("start", spec.start) if start_ns is None else start_ns
    if "duration_s" not in reader.lines:
        reader.wrong("duration_s", "must be given: how many seconds to make")
    try:
        make = generator(spec.generator)
    except BadInput as error:
        reader.wrong("generator", error.message)
        return None
    known = set(inspect.signature(make).parameters) - {"start_ns", "seed", "duration_s"}
    for name in spec.params:
        if name not in known:
            reader.wrong(
                f"params.{name}",
                f"the generator {spec.generator} has no parameter {name!r}{suggest(name, known)}",
            )
    if len(reader.problems) > before:
        return None
    try:
        made = make(start_ns=begin_ns, seed=spec.seed, duration_s=spec.duration_s, **spec.params)
    except (BadInput, TypeError, ValueError) as error:
        reader.wrong("generator", f"{spec.generator} refuses: {error}")
        return None
    named = replace(made, name=spec.scenario, title=spec.title, notes=(*made.notes, *spec.notes))
    return reader.with_faults(named, spec)
