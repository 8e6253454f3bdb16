"""All detectors there are: the built-in ones, and those of installed packages."""

import math
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from detectors.accrual import Accrual
from detectors.band import Band
from detectors.bounds import Bounds
from detectors.california import California
from detectors.clock import Clock
from detectors.corridor import Corridor
from detectors.deviate import Deviate
from detectors.drift import Drift
from detectors.drop import Drop
from detectors.ebbing import Ebbing
from detectors.flap import Flap
from detectors.fouling import Fouling
from detectors.grade import Grade
from detectors.index import Index
from detectors.jump import Jump
from detectors.ladder import Ladder
from detectors.mean import Mean
from detectors.noise import Noise
from detectors.protocol import Detector, Param, Spec, roles_of, specs
from detectors.proviso import Proviso
from detectors.pumps import Pumps
from detectors.rainfall import RainBins, RainCounter, RainRate
from detectors.rise import Rise
from detectors.rollback import Rollback
from detectors.seasonal import Seasonal
from detectors.sightings import Sightings
from detectors.silence import Silence
from detectors.states import States
from detectors.still import Still
from detectors.surge import Surge
from detectors.together import Together
from detectors.waterlogging import Waterlogging
from yiwang.domains import Domains
from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput

GROUP = "yiwang.detectors"
"""Entry points of this group name further detector classes."""

DETECTORS: tuple[type, ...] = (
    Corridor,
    Proviso,
    Index,
    Deviate,
    California,
    Ladder,
    Ebbing,
    Grade,
    Sightings,
    Band,
    Mean,
    Drop,
    Accrual,
    States,
    Together,
    Surge,
    Rise,
    RainRate,
    RainBins,
    RainCounter,
    Pumps,
    Waterlogging,
    Silence,
    Still,
    Bounds,
    Clock,
    Jump,
    Noise,
    Drift,
    Fouling,
    Rollback,
    Flap,
    Seasonal,
)

_PARTS = ("reasons", "wants_late", "start", "step", "tick")


@cache
def all_detectors() -> Mapping[str, type]:
    """Name to class. Built-in ones first; a plug-in may not take the name of another.

    Raises:
        BadInput: ``detector.plugin`` or ``detector.duplicate``.
    """
    found: dict[str, type] = {}
    classes: list[object] = list(DETECTORS)
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            classes.append(point.load())
        except (ImportError, AttributeError) as error:
            raise BadInput(
                "detector.plugin", f"entry point {point.name} of group {GROUP}: {error}", name=point.name
            ) from error
    for kind in classes:
        name = getattr(kind, "name", "")
        if not isinstance(kind, type) or not name or not all(hasattr(kind, part) for part in _PARTS):
            raise BadInput(
                "detector.plugin", f"{kind!r} is no detector class: it lacks part of Detector", name=str(kind)
            )
        if name in found:
            raise BadInput(
                "detector.duplicate", f"{kind!r} and {found[name]!r} are both called {name!r}", name=name
            )
        found[name] = kind
    return found


def get(name: str) -> type:
    """The detector class of that name.

    Raises:
        BadInput: ``detector.unknown``.
    """
    known = all_detectors()
    if name not in known:
        raise BadInput(
            "detector.unknown", f"there is no detector {name!r}{did_you_mean(name, known)}", name=name
        )
    return known[name]


def make(name: str, params: Mapping[str, Param]) -> Detector[Any]:  # Any: its state is its own affair
    """A detector with its parameters, floats or float64 arrays (n,).

    Raises:
        BadInput: ``detector.unknown``, or ``detector.param`` for a name it does not have or lacks.
    """
    kind = get(name)
    known = specs(kind)
    for param in params:
        if param not in known:
            raise BadInput(
                "detector.param", f"{name} has no parameter {param!r}{did_you_mean(param, known)}", name=param
            )
    for param, (_, needed) in known.items():
        if needed and param not in params:
            raise BadInput("detector.param", f"{name} needs the parameter {param!r}", name=param)
    made: Detector[Any] = kind(**params)
    return made


def check(domains: Domains) -> None:
    """Whether every pack entry names a detector there is, with parameters it takes, and every reason has a sentence.

    The kernel knows no detector, so whoever loads rules calls this too.

    Raises:
        BadInput: ``domain.unknown``, ``domain.field`` or ``domain.value`` with file and line;
            ``details["errors"]`` lists all.
    """
    errors: list[BadInput] = []
    for entry in domains.detectors:
        try:
            kind = get(entry.use)
        except BadInput as error:
            errors.append(_wrong("domain.unknown", entry.origin, f"{entry.id}.use", error.message))
            continue
        known = specs(kind)
        roles = roles_of(kind)
        for role in dict.fromkeys(how.role for how in entry.watches.values() if how.role):
            if role not in roles[1:]:
                problem = f"{entry.use} has no further role {role!r}{did_you_mean(role, roles[1:])}"
                errors.append(_wrong("domain.field", entry.origin, f"{entry.id}.also", problem))
        stated = [(name, p) for name, p in entry.params.items()]
        for override in domains.overrides.get(entry.id, ()):
            stated += [(name, p) for name, p in override.params.items() if name in entry.params]
        for name, (_, needed) in known.items():
            if needed and name not in entry.params:
                errors.append(
                    _wrong("domain.field", entry.origin, f"{entry.id}.params", f"{entry.use} needs {name!r}")
                )
        for name, param in stated:
            field = f"{entry.id}.params.{name}"
            if name not in known:
                errors.append(
                    _wrong(
                        "domain.field",
                        param.origin,
                        field,
                        f"{entry.use} has no parameter {name!r}{did_you_mean(name, known)}",
                    )
                )
                continue
            for value in (param.value, *(param.table or {}).values()):
                problem = fault(value, known[name][0])
                if problem:
                    errors.append(_wrong("domain.value", param.origin, field, problem))
        errors += [
            _wrong("domain.field", entry.origin, f"reasons.{reason}", f"{entry.use} needs its sentence")
            for reason in kind.reasons  # type: ignore[attr-defined]  # a detector class, checked by all_detectors
            if reason not in domains.reasons
        ]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        details = errors[0].details | {"errors": [e.message for e in errors]}
        raise BadInput(errors[0].code, errors[0].message + more, **details)


def fault(value: float, spec: Spec) -> str:
    """What is wrong with a parameter's value; empty if nothing is."""
    if math.isnan(value):
        return "" if spec.absent else "may not be absent (null); give a number"
    if not spec.lo <= value <= spec.hi:
        return f"must be {spec.lo:g} to {spec.hi:g} {spec.unit}".rstrip() + f", not {value:g}"
    if spec.whole and value != int(value):
        return f"must be a whole number, not {value:g}"
    return ""


def _wrong(code: str, origin: str, field: str, problem: str) -> BadInput:
    file, _, line = origin.removeprefix("override ").rpartition(":")
    return BadInput(
        code, f"{origin}: {field}: {problem}", file=file or line, line=int(line) if file else 0, field=field
    )
