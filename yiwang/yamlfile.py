"""YAML files checked against a type, with errors that name file, line and field."""

import re
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{code}.missing", f"{path} cannot be read: {error}", file=str(path)) from error
    try:
        node = yaml.compose(text, Loader=_Plain)
        data = yaml.load(text, Loader=_Plain)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error)
        raise BadInput(
            f"{code}.syntax", f"{path}:{line}: no YAML: {problem}", file=str(path), line=line
        ) from error
    try:
        return msgspec.convert(data, type_, strict=True)
    except msgspec.ValidationError as error:
        message = str(error)
        line, field = _where(node, message)
        raise BadInput(
            f"{code}.field",
            f"{path}:{line}: {_say(message, field, type_)}",
            file=str(path),
            line=line,
            field=field,
        ) from None


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
