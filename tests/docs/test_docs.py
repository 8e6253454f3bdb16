"""What the docs point at is there, and what they tell people to type exists."""

import importlib.util
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from yiwang.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changes/*.md")])
IDS = [str(p.relative_to(ROOT)) for p in PAGES]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_TYPED = re.compile(r"(?:(?<![\w/.-])|(?<=\.venv/bin/))yiwang((?:[ \t]+(?:[\w./:-]+|…|\"[^\"]*\"))*)")


def options() -> dict[str, set[str]]:
    spec = importlib.util.spec_from_file_location("yiwang_scripts_docs", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: dict[str, set[str]] = module.options()
    return found


def anchors(page: Path) -> set[str]:
    """Fragments of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def test_there_are_pages() -> None:
    """The tests below look at something."""
    assert {"README.md", "docs/tutorial.md", "docs/reference/frames.md"} <= set(IDS)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file or folder of the repository, every fragment a heading."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{link} leads nowhere"
        if fragment:
            assert fragment in anchors(target), f"{link}: no such heading"


def typed(page: Path) -> list[list[str]]:
    """What follows ``yiwang`` in the page's code, word by word."""
    found = []
    for code in _CODE.findall(page.read_text(encoding="utf-8")):
        for line in code.splitlines():
            found += [m.split() for m in _TYPED.findall(line.split(" #")[0]) if m.strip()]
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    """Every ``yiwang SUB --option`` in the docs is in the command line."""
    known = options()
    for words in typed(page):
        path = "yiwang"
        rest = list(words)
        while rest and f"{path} {rest[0]}" in known:
            path = f"{path} {rest.pop(0)}"
        if path == "yiwang" and rest and not rest[0].startswith("-"):
            assert rest[0] in {"&&", "…"}, f"there is no command: yiwang {' '.join(words)}"
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in known[path], f"{path} has no {word}"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_lists_all_commands(name: str) -> None:
    """The list of commands is complete, in the same order in both languages."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"^yiwang (\w+) {2,}", text, re.MULTILINE) == list(COMMANDS)


def test_both_readmes_have_the_same_parts() -> None:
    """As many headings, code blocks and table rows; the same code but for the list of commands."""
    english, chinese = ((ROOT / n).read_text(encoding="utf-8") for n in ("README.md", "README.zh-CN.md"))
    for pattern in (r"^#+ ", r"^\|"):
        counts = [len(re.findall(pattern, t, re.MULTILINE)) for t in (english, chinese)]
        assert counts[0] == counts[1], pattern
    code = [
        [b for b in re.findall(r"```(.*?)```", t, re.DOTALL) if "yiwang demo  " not in b]
        for t in (english, chinese)
    ]
    assert code[0] == code[1]


def test_the_index_names_every_page() -> None:
    """docs/README.md leads to all of them."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("**/*.md")):
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "README.md" or f"]({name})" in index, name
