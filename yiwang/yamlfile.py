"""YAML files checked against a type, with errors that name file, line and field."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from yiwang.errors import BadInput

T = TypeVar("T")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class _Plain(yaml.SafeLoader):
    """YAML without its own idea of times: ours are texts with a zone."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path, type_: type[T], *, code: str) -> T:
    """Read ``path`` as ``type_`` (a msgspec Struct with ``forbid_unknown_fields``).

    Raises:
        BadInput: ``{code}.missing``, ``{code}.syntax`` or ``{code}.field`` with file, line and field.
    """
    node, data = _parsed(path, code)
    try:
        return msgspec.convert(data, type_, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong(path, node, str(error), type_, code) from None


def load_all(path: Path, type_: type[T], *, code: str) -> tuple[T, dict[str, int], list[BadInput]]:
    """As ``load``, but everything that is wrong is listed and what is right is kept.

    A wrong field of the document takes its default, so ``type_`` must have one for every field; an item of a list
    of Structs that is wrong is left out.

    Returns:
        The object; path of each field (``truth.0.begin``) to its line; the mistakes.

    Raises:
        BadInput: ``{code}.missing`` or ``{code}.syntax`` where nothing can be read.
    """
    node, data = _parsed(path, code)
    lines = dict(_lines(node, ""))
    if not isinstance(data, dict):
        raise BadInput(
            f"{code}.syntax", f"{path}:1: it must be a map of fields to values", file=str(path), line=1
        )
    wrong: list[str] = []
    good = _sieve(data, type_, "$", wrong)
    errors = [_wrong(path, node, message, type_, code) for message in wrong]
    return msgspec.convert(good, type_, strict=True), lines, errors


def _parsed(path: Path, code: str) -> tuple[yaml.Node | None, Any]:  # Any: parsed YAML
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{code}.missing", f"{path} cannot be read: {error}", file=str(path)) from error
    try:
        return yaml.compose(text, Loader=_Plain), yaml.load(text, Loader=_Plain)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error)
        raise BadInput(
            f"{code}.syntax", f"{path}:{line}: no YAML: {problem}", file=str(path), line=line
        ) from error


def _wrong(path: Path, node: yaml.Node | None, message: str, type_: Any, code: str) -> BadInput:
    line, field = _where(node, message)
    return BadInput(
        f"{code}.field",
        f"{path}:{line}: {_say(message, field, type_)}",
        file=str(path),
        line=line,
        field=field,
    )


def _sieve(data: dict[str, Any], type_: Any, at: str, wrong: list[str]) -> dict[str, Any]:
    """The fields that convert; for each that does not, msgspec's message with its place."""
    fields = {f.encode_name: f for f in msgspec.structs.fields(type_)}
    good = {}
    for name, value in data.items():
        if name not in fields:
            wrong.append(f"Object contains unknown field `{name}` - at `{at}`")
            continue
        item = _item(fields[name].type)
        if item is not None and isinstance(value, list):
            kept = []
            for i, one in enumerate(value):
                before = len(wrong)
                if isinstance(one, dict):
                    part = _sieve(one, item, f"{at}.{name}[{i}]", wrong)
                    wrong += [
                        f"Object missing required field `{f.encode_name}` - at `{at}.{name}[{i}]`"
                        for f in msgspec.structs.fields(item)
                        if f.required and f.encode_name not in one
                    ]
                else:
                    part = {}
                    wrong.append(f"Expected `object` - at `{at}.{name}[{i}]`")
                if len(wrong) == before:
                    kept.append(part)
            good[name] = kept
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=True)
            good[name] = value
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$")
            wrong.append(f"{message} - at `{at}.{name}{place.rstrip('`')}`")
    return good


def _item(type_: Any) -> Any:  # Any: types as msgspec describes them
    """The Struct of a ``tuple[Struct, ...]``, else None."""
    inner: tuple[Any, ...] = getattr(type_, "__args__", ())
    if getattr(type_, "__origin__", None) is tuple and len(inner) == 2 and inner[1] is ...:
        return inner[0] if isinstance(inner[0], type) and issubclass(inner[0], msgspec.Struct) else None
    return None


def _lines(node: yaml.Node | None, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            step = f"{path}.{key.value}".lstrip(".")
            yield step, key.start_mark.line + 1
            yield from _lines(value, step)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            step = f"{path}.{i}".lstrip(".")
            yield step, value.start_mark.line + 1
            yield from _lines(value, step)


def _where(node: yaml.Node | None, message: str) -> tuple[int, str]:
    """Line (from 1) and field of msgspec's "… - at `$.a[0].b`"."""
    place = re.search(r"at `\$([^`]*)`", message)
    path = place.group(1) if place else ""
    named = re.search(r"field `([^`]+)`", message)
    steps = [a or b for a, b in _STEP.findall(path)]
    if named and "unknown field" in message:
        steps.append(named.group(1))
    line = node.start_mark.line + 1 if node else 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    line, node = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
    field = path.lstrip(".")
    if named:
        field = f"{field}.{named.group(1)}".lstrip(".")
    return line, field


def _say(message: str, field: str, type_: Any) -> str:  # Any: a class; msgspec inspects it
    what = re.sub(r" - at `[^`]*`", "", message)
    last = field.rpartition(".")[2]
    if "unknown field" in what:
        known = sorted(_names(type_, set()))
        near = get_close_matches(last, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        return f"unknown field {last!r}; {hint}"
    return f"{field or 'the file'}: {what[0].lower()}{what[1:]}"


def _names(type_: Any, seen: set[Any]) -> set[str]:  # Any: types as msgspec describes them
    """Field names of a Struct and of the Structs inside it."""
    if type_ in seen or not (isinstance(type_, type) and issubclass(type_, msgspec.Struct)):
        return set()
    seen.add(type_)
    names = set()
    for field in msgspec.structs.fields(type_):
        names.add(field.encode_name)
        for inner in getattr(field.type, "__args__", (field.type,)):
            names |= _names(inner, seen)
    return names
