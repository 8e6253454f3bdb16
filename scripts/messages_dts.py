"""Writes web/lib/messages.d.ts, the browser's view of yiwang.model and yiwang.registry.

Usage: python scripts/messages_dts.py [--check]
"""

import sys
from pathlib import Path

import msgspec.inspect as mi

from yiwang import model, registry

TARGET = Path(__file__).resolve().parents[1] / "web" / "lib" / "messages.d.ts"
BODIES = (
    model.Finding,
    model.Incident,
    model.Situation,
    model.Case,
    model.Order,
    model.UnitState,
    model.SupportNeeded,
    model.SupportOffer,
    model.CommandResult,
    model.Trouble,
)
ACTIONS = (
    model.Acknowledge,
    model.SendReceipt,
    model.Dispatch,
    model.CloseCase,
    model.ConfirmIncident,
    model.DismissIncident,
    model.MergeIncidents,
    model.SplitIncident,
)
PLAIN = (
    model.Evidence,
    model.Step,
    *(getattr(registry, n) for n in ("Text", "District", "Place", "Series", "Device", "Unit")),
)
_SIMPLE = {
    mi.IntType: "number",
    mi.FloatType: "number",
    mi.StrType: "string",
    mi.BoolType: "boolean",
    mi.NoneType: "null",
    mi.AnyType: "unknown",
}


def spell(t: mi.Type) -> str:
    """A type as TypeScript writes it."""
    if type(t) in _SIMPLE:
        return _SIMPLE[type(t)]
    if isinstance(t, mi.LiteralType):
        return " | ".join(f'"{value}"' for value in t.values)
    if isinstance(t, mi.UnionType):
        return " | ".join(spell(part) for part in t.types)
    if isinstance(t, mi.VarTupleType):
        inner = spell(t.item_type)
        return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
    if isinstance(t, mi.DictType):
        return f"Readonly<Record<{spell(t.key_type)}, {spell(t.value_type)}>>"
    if isinstance(t, mi.StructType):
        return t.cls.__name__
    raise TypeError(f"no TypeScript for {t!r}")


def interface(cls: type, *, sent_by_us: bool = False) -> str:
    """One struct. In what we send, fields with a default may be left out."""
    info = mi.type_info(cls)
    assert isinstance(info, mi.StructType)
    lines = [f'  {info.tag_field}: "{info.tag}";'] if info.tag_field else []
    for field in info.fields:
        optional = "?" if sent_by_us and not field.required else ""
        lines.append(f"  {field.encode_name}{optional}: {spell(field.type)};")
    return f"export interface {cls.__name__} {{\n" + "\n".join(lines) + "\n}\n"


def text() -> str:
    """The whole file."""
    parts = ["// Written by scripts/messages_dts.py from yiwang.model and yiwang.registry. Do not edit.\n"]
    parts += [interface(cls) for cls in (*PLAIN, *BODIES)]
    parts += [interface(cls, sent_by_us=True) for cls in ACTIONS]
    parts.append("export type Body =\n  | " + "\n  | ".join(c.__name__ for c in BODIES) + ";\n")
    parts.append("export type Action = " + " | ".join(c.__name__ for c in ACTIONS) + ";\n")
    parts.append('export type Receipt = Order["state"];\nexport type Stage = Case["stage"];\n')
    return "\n".join(parts)


def main() -> int:
    """Write the file, or with ``--check`` say whether it is fresh."""
    if "--check" in sys.argv:
        fresh = TARGET.read_text(encoding="utf-8") == text()
        print("fresh" if fresh else f"{TARGET} is stale: run python scripts/messages_dts.py")
        return 0 if fresh else 1
    TARGET.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
