"""Dependencies point inwards: I/O folders -> pure folders -> kernel. Read from the source, not from running it."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("yiwang", "detectors", "dispatch", "ingest", "streams", "ws_server", "sql", "scenarios")
MAY_IMPORT = {
    "yiwang": {"yiwang"},
    "detectors": {"yiwang", "detectors"},
    "dispatch": {"yiwang", "dispatch"},
    "sql": {"yiwang", "sql"},
    "ingest": {"yiwang", "ingest", "sql"},
    "streams": {"yiwang", "detectors", "dispatch", "streams", "sql"},
    "ws_server": {"yiwang", "dispatch", "sql", "ws_server"},
    "scenarios": {"yiwang", "scenarios", "detectors", "ingest", "streams", "sql", "ws_server"},
}
# The command line and the embedded services are the outermost shell, although they live in the kernel's folder.
SHELL = ("yiwang/commands/", "yiwang/cli.py", "yiwang/__main__.py", "yiwang/embedded/")
KERNEL_MAY = {
    "numpy",
    "msgspec",
    "pydantic",
    "pydantic_settings",
    "structlog",
    "yaml",
    "aiokafka",  # yiwang/broker.py only, below
    "prometheus_client",  # yiwang/metrics.py only, below
    "opentelemetry",  # yiwang/tracing.py only, below
}
PURE = (
    "detectors/",
    "dispatch/",
    "streams/machine",
    "streams/sequencer",
    "streams/direct",
    "scenarios/playing",
    "scenarios/scoring",
)
IMPURE = {
    "asyncio",
    "faust",
    "aiokafka",
    "asyncpg",
    "psycopg",
    "random",
    "socket",
    "threading",
    "subprocess",
    "time",
    "os",
}


def sources() -> list[Path]:
    return [p for package in OURS for p in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Every module a file imports, by its full dotted name, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", OURS)
def test_a_folder_imports_only_what_lies_further_in(package: str) -> None:
    """No arrow of an import points outwards."""
    wrong = [
        f"{short(path)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if not short(path).startswith(SHELL)
        for name in imports(path)
        if name.split(".")[0] in OURS and name.split(".")[0] not in MAY_IMPORT[package]
    ]
    assert not wrong


def test_the_kernel_needs_little() -> None:
    """Outside its shell the kernel imports the standard library, numpy, the settings and message libraries."""
    wrong = [
        f"{short(path)} imports {name}"
        for path in sorted((ROOT / "yiwang").rglob("*.py"))
        if not short(path).startswith(SHELL)
        for name in imports(path)
        for top in [name.split(".")[0]]
        if top not in OURS and top not in sys.stdlib_module_names and top not in KERNEL_MAY
    ]
    assert not wrong
    for library, home in (
        ("aiokafka", "yiwang/broker.py"),
        ("prometheus_client", "yiwang/metrics.py"),
        ("opentelemetry", "yiwang/tracing.py"),
    ):
        users = [
            short(p) for p in (ROOT / "yiwang").glob("*.py") if any(n.startswith(library) for n in imports(p))
        ]
        assert users == [home]


def test_what_decides_reads_no_clock_and_does_no_io() -> None:
    """Detectors, dispatch, the district machine and the order of play are pure."""
    pure = [p for p in sources() if short(p).startswith(PURE)]
    assert len(pure) > 15
    wrong = [
        f"{short(path)} imports {name}"
        for path in pure
        for name in imports(path)
        if name.split(".")[0] in IMPURE
        or name.startswith("datetime")
        or name in ("yiwang.clock.SystemClock", "yiwang.broker", "yiwang.metrics", "yiwang.tracing")
    ]
    assert not wrong


def test_only_the_clock_reads_the_wall_clock() -> None:
    """``time.time`` and ``datetime.now`` stand in yiwang/clock.py alone; everybody else is given a clock."""
    wrong = []
    for path in sources():
        if short(path) == "yiwang/clock.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                if called in ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow"):
                    wrong.append(f"{short(path)}:{node.lineno} {called}")
    assert not wrong


def test_faust_stays_in_streams() -> None:
    """Faust's types never leave streams/, so that replay and scoring run the same machine without it."""
    users = {
        short(p).split("/")[0]
        for p in sources()
        if any(n.split(".")[0] in ("faust", "mode") for n in imports(p))
    }
    assert users <= {"streams"}


@pytest.mark.parametrize("package", OURS)
def test_our_generic_names_resolve_to_our_files(package: str) -> None:
    """No other installed distribution shadows our flat package names."""
    module = importlib.import_module(package)
    assert Path(str(module.__file__)).parent == ROOT / package
