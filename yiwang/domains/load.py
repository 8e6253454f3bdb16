"""Domain packs and overrides from files: YAML with the line of every field."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from yiwang.domains.compile import compile_rules
from yiwang.errors import BadInput
from yiwang.registry import Rules

GROUP = "yiwang.domains"
"""Entry points of this group name packages whose ``*.yaml`` files are packs."""

_Parsed = dict[str, Any]  # Any: parsed YAML: {"file", "lines", "body"}, read through reader.Node


def load_rules(
    folder: Path | None = None,
    extra: Sequence[Path] = (),
    overrides: Sequence[Mapping[str, Any]] = (),  # Any: as in an ``overrides:`` list of a city file
    *,
    lateness_s: float = 10.0,
    tick_s: float = 1.0,
) -> Rules:
    """The built-in packs, those of installed packages, and the city's own, checked.

    Whether the detectors they name exist and know their parameters is checked by
    ``detectors.registry.check``: the kernel knows no detector.

    Args:
        folder: the city's folder: each ``*.yaml`` in it is a pack (``domain:``) or holds ``overrides:``.
        extra: further such files.
        overrides: further overrides, which come last.
        lateness_s: how long ticks wait for late readings, seconds.
        tick_s: grid of event time on which detectors tick, seconds.

    Raises:
        BadInput: ``domain.…`` with file, line, field and what would be right; ``details["errors"]`` has all.
    """
    lateness_s, tick_s = float(lateness_s), float(tick_s)  # 1 and 1.0 are one version
    packs: list[_Parsed] = []
    changes: list[_Parsed] = []
    for file in _files(folder, extra):
        parsed = _parsed(file.read_bytes(), file.name)
        body = parsed["body"]
        if "domain" in body:
            packs.append(parsed)
        elif "overrides" in body:
            changes.append(parsed)
        else:
            raise BadInput(
                "domain.file",
                f"{file.name}:1: neither a pack (first field domain:) nor a file of overrides (overrides:)",
                file=file.name,
                line=1,
            )
    if overrides:
        changes.append({"file": "given", "lines": {}, "body": {"overrides": [dict(o) for o in overrides]}})
    content = msgspec.json.encode([packs, changes, lateness_s, tick_s], order="deterministic")
    rules = Rules(
        version=blake2b(content, digest_size=6).hexdigest(),
        packs=tuple(packs),
        overrides=tuple(changes),
        lateness_s=lateness_s,
        tick_s=tick_s,
    )
    compile_rules(rules)
    return rules


@lru_cache(maxsize=64)
def _parsed(content: bytes, file: str) -> _Parsed:
    """As ``parse``; the packs are the same each time rules are loaded, and nobody changes rules in place."""
    return parse(content, file)


def parse(content: bytes, file: str) -> _Parsed:
    """One YAML document with the line of every field, as it stands in ``Rules``.

    Only maps, lists and plain scalars; a key may occur once; no anchors that hold themselves.

    Raises:
        BadInput: ``domain.syntax`` with file and line.
    """
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _syntax(file, line, error.problem or "not YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _syntax(file, 1, f"not YAML in UTF-8: {error}") from None
    if not isinstance(root, yaml.MappingNode):
        raise _syntax(file, 1, "the document must be a map of names to values")
    lines: dict[str, int] = {}
    body = _Builder(loader, file, lines).build(root, (), frozenset())
    return {"file": file, "lines": lines, "body": body}


class _Builder:
    """Turns YAML nodes into plain values and notes the line of each."""

    def __init__(self, loader: yaml.SafeLoader, file: str, lines: dict[str, int]) -> None:
        self.loader = loader
        self.file = file
        self.lines = lines

    def build(self, node: yaml.Node, path: tuple[str, ...], above: frozenset[int]) -> Any:  # Any: YAML
        if id(node) in above:
            raise _syntax(self.file, node.start_mark.line + 1, "an alias may not hold itself")
        above |= {id(node)}
        if path:
            self.lines.setdefault("\t".join(path), node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, str(i)), above) for i, item in enumerate(node.value)]
        try:
            value = self.loader.construct_object(node)
        except yaml.MarkedYAMLError as error:
            raise _syntax(self.file, node.start_mark.line + 1, error.problem or "unknown value") from None
        except (ValueError, OverflowError) as error:  # a date or number that cannot be
            raise _syntax(self.file, node.start_mark.line + 1, str(error)) from None
        # dates and binary are no values of ours: keep what was written, the reader says what is wanted
        return value if isinstance(value, str | int | float | bool | None) else str(node.value)

    def _mapping(
        self, node: yaml.MappingNode, path: tuple[str, ...], above: frozenset[int]
    ) -> dict[str, Any]:  # Any: YAML
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _syntax(self.file, line, "a name must be a plain text or number")
            key = str(key_node.value)
            if key in found:
                raise _syntax(self.file, line, f"{key!r} stands here twice")
            self.lines["\t".join((*path, key))] = line
            found[key] = self.build(value_node, (*path, key), above)
        return found


def _syntax(file: str, line: int, problem: str) -> BadInput:
    return BadInput("domain.syntax", f"{file}:{line}: {problem}", file=file, line=line)


def _files(folder: Path | None, extra: Iterable[Path]) -> list[Traversable]:
    found: list[Traversable] = _yaml_in(files("yiwang.domains"))
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            found += _yaml_in(files(point.value))
        except ModuleNotFoundError as error:
            raise BadInput(
                "domain.plugin",
                f"entry point {point.name} of group {GROUP} names {point.value}, which cannot be imported: {error}",
                name=point.name,
            ) from error
    if folder is not None:
        if not folder.is_dir():
            raise BadInput(
                "domain.file",
                f"{folder} is no folder; set YIWANG_DOMAINS to the city's folder",
                file=str(folder),
            )
        found += _yaml_in(folder)
    for path in extra:
        if not path.is_file():
            raise BadInput("domain.file", f"{path} is no file", file=str(path))
        found.append(path)
    return found


def _yaml_in(folder: Traversable) -> list[Traversable]:
    return sorted((f for f in folder.iterdir() if f.name.endswith((".yaml", ".yml"))), key=_turn)


def _turn(file: Traversable) -> tuple[int, str]:
    """Common things, then health: what doubts a reading is said before what the reading means."""
    first = ("common.yaml", "health.yaml")
    return (first.index(file.name) if file.name in first else len(first), file.name)
