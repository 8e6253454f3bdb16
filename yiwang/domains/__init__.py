"""Domain packs: what the city watches, how it judges it and what it does then, as data.

A pack is one YAML file; see ``flooding.yaml`` beside this file. A city adds packs and overrides in a folder
of its own. ``load_rules`` reads and checks files, ``compile_rules`` is pure and runs inside the district machine.
"""

from yiwang.domains.compile import compile_rules
from yiwang.domains.load import load_rules
from yiwang.domains.types import (
    VIDEO_PREFIX,
    Category,
    DeviceKind,
    Domains,
    Entry,
    IncidentKind,
    Keep,
    Metric,
    Override,
    Pack,
    Param,
    Reads,
    ReadsAs,
    Resolved,
    SituationKind,
    VideoClass,
)

__all__ = [
    "VIDEO_PREFIX",
    "Category",
    "DeviceKind",
    "Domains",
    "Entry",
    "IncidentKind",
    "Keep",
    "Metric",
    "Override",
    "Pack",
    "Param",
    "Reads",
    "ReadsAs",
    "Resolved",
    "SituationKind",
    "VideoClass",
    "compile_rules",
    "load_rules",
]
