"""SQL lives in files."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("yiwang", "detectors", "dispatch", "ingest", "streams", "ws_server", "sql", "scenarios")
# The embedded server makes its one database before there is anything to migrate.
EXCEPT = {"yiwang/embedded/postgres.py"}
STATEMENT = re.compile(
    r"^\s*(select\s.+\sfrom\s|select\s+[a-z_]+\(|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s"
    r"|create\s+(or\s+replace\s+)?(table|index|schema|view|function|extension|unique|role|database)\b"
    r"|alter\s+table\s|drop\s+(table|schema|index)\s|truncate\s|copy\s.+\s(from|to)\s|with\s.+\sas\s*\()",
    re.IGNORECASE | re.DOTALL,
)


def _strings(path: Path) -> list[tuple[int, str]]:
    """Every string literal that is not a docstring, f-strings by their literal parts."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def test_no_statement_stands_in_a_python_file() -> None:
    """Queries and migrations are files under sql/, where a test PREPAREs each of them."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text[:60]!r}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in _strings(path)
        if STATEMENT.search(text) and str(path.relative_to(ROOT)) not in EXCEPT
    ]
    assert found == []


def test_the_search_finds_statements() -> None:
    """The test above can fail."""
    for text in ("select a from b", "INSERT INTO x values (1)", "update t set a = 1", "create table x ()"):
        assert STATEMENT.search(text)
    assert not STATEMENT.search("select a device on the map")
