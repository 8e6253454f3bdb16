"""Writes the pages of docs/reference that come from the code: settings, errors, commands.

Usage: python scripts/reference.py [--check]
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from yiwang.cli import cli
from yiwang.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
PACKAGES = ("yiwang", "detectors", "dispatch", "ingest", "streams", "ws_server", "sql", "scenarios")
HEAD = "<!-- Written by scripts/reference.py from the code. Do not edit. -->\n"
_CODE = re.compile(r"[a-z]+(\.[a-z_]+)+")

# ---- settings ----


def settings_page() -> str:
    """Every setting with its variable, default, bounds and meaning."""
    lines = [
        HEAD + "# Settings",
        "Every process reads the same settings, once, at its start. For each the first of these counts: an option",
        "of the command, the environment variable, `yiwang.toml` in the working folder, the default. A `YIWANG_…`",
        "variable that is no setting is refused. `yiwang settings` shows what is in force and where it came from;",
        "passwords are never shown.",
        "",
        "In `yiwang.toml` a setting stands under its name: `port = 8420`. In a variable a list is JSON:",
        """`YIWANG_MQTT_TOPICS='["city/+/+"]'`.""",
        "",
        "| name | variable | default | what it is |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        about = (field.description or "").replace("|", "\\|")
        bounds = _bounds(field.metadata)
        default = _default(field.default)
        lines.append(f"| `{name}` | `YIWANG_{name.upper()}` | {default} | {about}{bounds} |")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "none: must be given"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    return (
        f"`{value:.12g}`"
        if isinstance(value, float)
        else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


def _bounds(metadata: list[object]) -> str:
    words = []
    for rule in metadata:
        for name, word in (("ge", "at least"), ("gt", "above"), ("le", "at most")):
            if hasattr(rule, name):
                words.append(f"{word} {getattr(rule, name):g}")
    return f" ({', '.join(words)})" if words else ""


# ---- commands ----


def commands_page() -> str:
    """``--help`` of every command."""
    parts = [
        HEAD + "# Commands",
        "What `--help` says. In a checkout the program is `.venv/bin/yiwang`.",
        "",
        "Every command ends with 0 when all is well and with 2 for an error, of which it prints one line:",
        "`yiwang: what, where, what would be right [code]`. Other exit statuses are named below. Results go to standard",
        "output, everything else to standard error.",
        "",
    ]
    for path, command in _commands(cli, ("yiwang",)):
        # Subcommands take over the group's settings, as they do when they are called.
        settings = {**cli.context_settings, **command.context_settings, "max_content_width": 110}
        context = click.Context(command, info_name=" ".join(path), terminal_width=110, **settings)
        parts += [f"{'#' * len(path)} {' '.join(path)}", "```", command.get_help(context), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


def options() -> dict[str, set[str]]:
    """``yiwang replay`` to its options, for every command; for the tests of the docs."""
    found = {"yiwang": {"--help", "-h", "--version"}}
    for path, command in _commands(cli, ("yiwang",)):
        names = {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}
        found[" ".join(path)] = names | {"--help", "-h"}
    return found


# ---- errors ----

CLASSES = {
    "BadInput": "mend the input and send it again",
    "NotAllowed": "the caller may not do this",
    "Conflict": "the thing is no longer in the state the caller believed",
    "Unavailable": "a service is away; nothing was lost, try again later",
}
# Functions that make an error of one class: name to (class, position of the code, position of the message).
MAKERS = {
    **{name: (name, 0, 1) for name in CLASSES},
    "error": ("BadInput", 0, 1),  # yiwang.domains.reader.Node
    "_wrong": ("BadInput", 0, 3),  # detectors.registry
    "add": ("BadInput", 0, 1),  # scenarios.problems
    "_Wrong": ("row", 1, 2),  # rows of files to import
    "_error": ("answer", 1, 2),  # HTTP answers of the gateway
}
# A code that is put together from what a caller gives: the source text of that part to what it is there.
# A code that is put together from what a caller gives: the source text of that part to what it is there.
PARTS = {"self._noun": ("reading", "event"), "code": ("mqtt.mapping", "scenario")}
KINDS = {
    "row": "one row of a file to import; the others are taken",
    "answer": "an answer of the gateway, or the result of a command",
    "trouble": "told by a district in its outputs, with a count; nobody is waiting for an answer",
    "warning": "in an answer of ingest; the reading or event is taken",
    "dead letter": "why a message of a topic is kept beside instead of being stored",
}
# Codes whose sentence does not stand beside them in the source, or that have none: class, meaning and remedy, file.
NOTES = {
    "command.repeat": ("answer", "ok: this command id had its effect before", "dispatch/desk.py"),
    "desk.failed": (
        "trouble",
        "a mistake in the program; the district went on without this step. Report it with its args",
        "streams/machine.py",
    ),
    "detector.failed": (
        "trouble",
        "a detector raised and is out for this zone until rules are applied again; args name detector and zone",
        "streams/machine_watch.py",
    ),
    "dispatch.unknown_kind": (
        "trouble",
        "a finding speaks of an incident kind that no pack in force has",
        "dispatch/desk.py",
    ),
    "dispatch.unknown_place": (
        "trouble",
        "a device stands at a place that is not registered: import the place",
        "dispatch/fusion.py",
    ),
    "event.clock": ("warning", "as reading.clock, of a camera", "ingest/intake.py"),
    "event.unknown_device": (
        "BadInput",
        "device {id} is not registered; register it with: yiwang devices import",
        "ingest/events.py",
    ),
    "feed.late": (
        "trouble",
        "readings no newer than their series' newest: stored, not judged; send in order of time",
        "streams/machine_watch.py",
    ),
    "feed.not_finite": (
        "trouble",
        "readings that are NaN or infinite, left out; the dead letters have them as frame.not_finite",
        "streams/partition.py",
    ),
    "feed.repeated": (
        "trouble",
        "readings of frames with the same bytes as one before: a producer sent them again; passed over",
        "streams/partition.py",
    ),
    "feed.unknown_device": (
        "trouble",
        "a video event of a device, or of a class, that the district does not know",
        "streams/machine.py",
    ),
    "feed.unknown_series": (
        "trouble",
        "readings of series that the district does not know",
        "streams/machine_watch.py",
    ),
    "persist.refused": (
        "dead letter",
        "{query}: what the database says; it is kept, its neighbours are stored",
        "streams/persist_store.py",
    ),
    "persist.value": (
        "dead letter",
        "a value that no column can hold, such as a time beyond the calendar",
        "streams/persist_reading.py",
    ),
    "reading.clock": (
        "warning",
        "device {id}: its clock is {n} s ahead or behind; {count} taken with the time of arrival and marked",
        "ingest/intake.py",
    ),
    "reading.unknown_device": (
        "BadInput",
        "device {id} is not registered; register it with: yiwang devices import",
        "ingest/parse.py",
    ),
    "rules.refused": (
        "trouble",
        "rules in the feed are wrong for this release; the old ones stay in force, args say why",
        "streams/machine.py",
    ),
    "scenario.build": (
        "BadInput",
        "a generator or importer names a device, place or kind that is not there; the sentence says which",
        "scenarios/building.py",
    ),
    "scenario.event": (
        "BadInput",
        "a line of events.jsonl: unknown type, field, device, class, kind, zone or district, a time outside, wrong JSON",
        "scenarios/events.py",
    ),
    "scenario.fault": (
        "BadInput",
        "faults: a share that is none, times that go backwards, a device or metric that nobody has",
        "scenarios/faults.py",
    ),
    "scenario.truth": (
        "BadInput",
        "a truth: unknown kind, place or district, outside the scenario, ends before it begins, levels in no order",
        "scenarios/truths.py",
    ),
    "supervise.gave_up": (
        "Unavailable",
        "process {name} ended again and again; the end of its log: {lines}",
        "yiwang/embedded/supervise.py",
    ),
    "supervise.start_failed": (
        "Unavailable",
        "process {name} did not start; the end of its log: {lines}",
        "yiwang/embedded/supervise.py",
    ),
    "worker.crashed": (
        "log only",
        "a mistake in the program ended a worker; its log has the traceback. Start it again",
        "streams/faust_app.py",
    ),
}


@dataclass(frozen=True, order=True)
class Found:
    """A code in the source."""

    code: str
    kind: str
    message: str
    file: str


def errors() -> list[Found]:
    """Every stable code in the source, sorted."""
    found: set[Found] = set()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= set(_in_module(tree, str(path.relative_to(ROOT))))
    found |= {Found(code, kind, text, file) for code, (kind, text, file) in NOTES.items()}
    best: dict[tuple[str, str, str], Found] = {}
    for one in sorted(found):  # of the sentences of a file the longest, which says most
        key = (one.code, one.kind, one.file)
        if key not in best or len(one.message) > len(best[key].message):
            best[key] = one
    said = {one.code for one in best.values() if one.message}
    return sorted(one for one in best.values() if one.message or one.code not in said)


def _in_module(tree: ast.Module, file: str) -> Iterator[Found]:
    scopes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    owner = {id(node): scope for scope in scopes for node in ast.walk(scope)}  # the innermost comes last
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node, owner.get(id(node), tree), file)


def _in_call(node: ast.Call, scope: ast.AST, file: str) -> Iterator[Found]:
    owner = getattr(node.func, "value", None)
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name not in MAKERS or (isinstance(owner, ast.Name) and owner.id == "_log"):
        return
    kind, at, says = MAKERS[name]
    if len(node.args) <= at:
        return
    text = _text(node.args[says], scope) if len(node.args) > says else ""
    for code in _codes(node.args[at]):
        if _CODE.fullmatch(code) and code not in NOTES:
            yield Found(code, kind, text, file)


def _codes(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        parts = [ast.unparse(v.value) for v in node.values if isinstance(v, ast.FormattedValue)]
        for part in PARTS.get(parts[0], ()):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else part for v in node.values)


def _text(node: ast.expr, scope: ast.AST) -> str:
    """A message with the names of its numbers in braces; empty where it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else _short(v) for v in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left, scope) + _text(node.right, scope)
    if isinstance(node, ast.Name):
        before = [
            n
            for n in ast.walk(scope)
            if isinstance(n, ast.Assign)
            and n.lineno < node.lineno
            and any(isinstance(t, ast.Name) and t.id == node.id for t in n.targets)
        ]
        if before:
            return _text(max(before, key=lambda n: n.lineno).value, scope)
    return ""


def _short(value: ast.AST) -> str:
    """What is filled in, in braces, by its name and without what only the program is interested in."""
    assert isinstance(value, ast.FormattedValue)
    source = ast.unparse(value.value)
    if source.startswith(("did_you_mean", "_near")):
        return "; did you mean …?"
    if isinstance(value.value, ast.IfExp | ast.BoolOp) or len(source) > 40:
        return "{…}"
    source = re.sub(r"\bcut\(([^(),]+)(, \d+)?\)", r"\1", source)
    return "{" + re.sub(r"\b(self\.|settings\.|_)(?=[a-z])", "", source) + "}"


def errors_page() -> str:
    """Every code with its class, message and place."""
    lines = [
        HEAD + "# Errors",
        "Every error has a stable code, one English sentence that says what, where and what would be right, and the",
        'numbers and names behind it: `{"code", "message", "args"}` over every interface, `yiwang: sentence [code]` on the',
        "command line. Programs and translations go by the code. In the sentences below `{name}` is filled in.",
        "",
        "What a caller can do is in the class:",
        "",
        "| class | means |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in (*CLASSES.items(), *KINDS.items())),
        "",
        "| code | class | sentence | from |",
        "|---|---|---|---|",
    ]
    for one in errors():
        text = " ".join(one.message.split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| `{one.code}` | {one.kind} | {text} | {one.file} |")
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "errors.md": errors_page}


def stale() -> list[str]:
    """Names of pages that are not what the code says now."""
    return [
        name
        for name, page in PAGES.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != page()
    ]


def main() -> int:
    """Write the pages, or with ``--check`` say which are stale."""
    if "--check" in sys.argv:
        names = stale()
        print(f"stale: {', '.join(names)}; run python scripts/reference.py" if names else "fresh")
        return 1 if names else 0
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
