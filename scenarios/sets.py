"""Parameter sets: a city's overrides with a name and a version that follows from what they say.

A set is a file of overrides as ``yiwang domains apply`` takes it from the city's folder, with two more fields::

    name: depth.ladder tuned on three storms
    version: 9c41f07a2b6e
    overrides:
      - {entry: depth.ladder, params: {hold_s: 480}, source: "yiwang tune …"}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import yaml

import detectors.registry
from scenarios.model import Scenario
from yiwang.domains import compile_rules
from yiwang.domains.load import parse
from yiwang.errors import BadInput
from yiwang.registry import Rules

_Parsed = dict[str, Any]  # Any: parsed YAML, as in Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """Overrides that belong together.

    Attributes:
        name: for people.
        version: of the content; two sets that say the same have the same.
        document: as it stands in ``Rules.overrides``, with the line of every field.
    """

    name: str
    version: str
    document: _Parsed

    def over(self, rules: Rules) -> Rules:
        """The rules with this set behind all other overrides, so that it wins.

        Raises:
            BadInput: ``domain.…`` when the set does not fit the packs of these rules.
        """
        content = f"{rules.version} {self.version}".encode()
        changed = msgspec.structs.replace(
            rules,
            version=blake2b(content, digest_size=6).hexdigest(),
            overrides=(*rules.overrides, self.document),
        )
        detectors.registry.check(compile_rules(changed))
        return changed

    def on(self, scenario: Scenario) -> Scenario:
        """The scenario under this set."""
        return replace(scenario, rules=self.over(scenario.rules))


def version_of(overrides: Sequence[Mapping[str, Any]]) -> str:  # Any: as in an ``overrides:`` list
    """Twelve hexadecimal digits of what the overrides say, whatever their spelling in YAML."""
    return blake2b(msgspec.json.encode(overrides, order="deterministic"), digest_size=6).hexdigest()


def load(path: Path) -> ParameterSet:
    """Read a set.

    Raises:
        BadInput: ``set.file`` no such file, ``set.overrides`` without overrides, ``set.version`` when it was changed
            since its version was written, ``domain.syntax``.
    """
    if not path.is_file():
        raise BadInput(
            "set.file", f"{path} is no file; give a parameter set as yiwang tune writes it", file=str(path)
        )
    document = parse(path.read_bytes(), path.name)
    body = document["body"]
    if not isinstance(body.get("overrides"), list) or not body["overrides"]:
        raise BadInput(
            "set.overrides",
            f"{path}: a parameter set holds overrides: with at least one of them",
            file=str(path),
        )
    version = version_of(body["overrides"])
    said = str(body.get("version", version))
    if said != version:
        raise BadInput(
            "set.version",
            f"{path}: it says version {said} but its overrides are {version}: it was changed since; write the new "
            "version, or leave the line out",
            file=str(path),
            version=version,
        )
    return ParameterSet(name=str(body.get("name", path.stem)), version=version, document=document)


def made(name: str, overrides: Sequence[Mapping[str, Any]]) -> ParameterSet:  # Any: as in ``overrides:``
    """A set that was not read from a file."""
    plain = [dict(o) for o in overrides]
    body = {"name": name, "overrides": plain}
    return ParameterSet(
        name=name, version=version_of(plain), document={"file": name, "lines": {}, "body": body}
    )


def text(set_: ParameterSet, *, about: Sequence[str] = ()) -> str:
    """The file of a set, with some lines about it on top."""
    head = "".join(f"# {line}\n" for line in about)
    body = {"name": set_.name, "version": set_.version, "overrides": set_.document["body"]["overrides"]}
    return head + yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=110)
