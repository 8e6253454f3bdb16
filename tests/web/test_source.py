"""Facts about the pages' sources that need no browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
SOURCES = [p for p in sorted(WEB.rglob("*")) if p.is_file() and "vendor" not in p.relative_to(WEB).parts]
SCRIPTS = [p for p in SOURCES if p.suffix == ".js"]
CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)\"""")


def words(lang: str) -> dict[str, str]:
    """The dictionary of a language."""
    found: dict[str, str] = json.loads((WEB / "i18n" / f"{lang}.json").read_text("utf-8"))
    return found


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    """English is complete, and every sentence is given the same facts in both languages."""
    zh, en = words("zh-CN"), words("en")
    assert zh.keys() == en.keys()
    names = re.compile(r"{(\w+)}")
    unlike = [k for k in zh if set(names.findall(zh[k])) != set(names.findall(en[k]))]
    assert unlike == []
    assert [k for k, v in {**zh, **en}.items() if not v] == []


def test_no_english_sentence_holds_chinese() -> None:
    """Only the name of the other language may."""
    assert [k for k, v in words("en").items() if CJK.search(v)] == ["language.other", "w.language"]


def test_chinese_stands_in_the_dictionary_only() -> None:
    """No page, script or style holds a Chinese character."""
    found = [
        p.relative_to(WEB) for p in SOURCES if p.parent.name != "i18n" and CJK.search(p.read_text("utf-8"))
    ]
    assert found == []


def test_every_key_used_is_in_the_dictionary() -> None:
    """t("…") with a literal key finds a sentence."""
    known = words("zh-CN")
    used = {key for p in SCRIPTS for key in re.findall(r"""\bt\("([\w.]+)\"""", p.read_text("utf-8"))}
    assert sorted(used - known.keys()) == []
    assert len(used) > 100


def test_every_step_of_dispatch_has_a_sentence() -> None:
    """What the desk writes into histories can be said in both languages."""
    source = "\n".join(p.read_text("utf-8") for p in (ROOT / "dispatch").glob("*.py"))
    steps = set(re.findall(r"""\.step\(\s*"(\w+)\"""", source)) - {
        "sent",
        "overdue",
    }  # those stand in the order itself
    told = re.search(r"TOLD[^=]*= frozenset\(\{([^}]*)\}", source)
    assert told
    steps |= {f"order_{receipt}" for receipt in re.findall(r'"(\w+)"', told[1])}
    assert len(steps) > 8
    assert sorted(f"step.{s}" for s in steps if f"step.{s}" not in words("en")) == []


def test_pure_folders_import_nothing_that_does_io() -> None:
    """lib/ and views/ know neither io/, map/ nor pages/; lib/ does not know views/ either."""
    wrong = []
    for script in SCRIPTS:
        folder = script.relative_to(WEB).parts[0]
        forbidden = {"lib": ("io", "pages", "map", "views"), "views": ("io", "pages", "map")}.get(folder, ())
        for target in IMPORT.findall(script.read_text("utf-8")):
            resolved = (script.parent / target).resolve()
            if resolved.is_relative_to(WEB) and resolved.relative_to(WEB).parts[0] in forbidden:
                wrong.append(f"{script.relative_to(WEB)} imports {target}")
    assert wrong == []


def test_imports_are_relative() -> None:
    """No bare names: the pages run as they are, without an import map."""
    bare = [
        f"{p.relative_to(WEB)}: {t}"
        for p in SCRIPTS
        for t in re.findall(r"""^import [^;]*from "([^"]+)";""", p.read_text("utf-8"), re.MULTILINE)
        if not t.startswith(".")
    ]
    assert bare == []


def test_colours_come_from_the_tokens() -> None:
    """No style and no script but tokens.css names a colour."""
    colour = re.compile(r"(?<![&\w])#[0-9a-fA-F]{3,8}\b(?![\w-])|\b(?:rgb|hsl)a?\(")
    found = [
        f"{p.relative_to(WEB)}: {m[0]}"
        for p in SOURCES
        if p.suffix in {".css", ".js"} and p.name != "tokens.css"
        for m in colour.finditer(re.sub(r"^\s*(/[/*]|\*).*$", "", p.read_text("utf-8"), flags=re.MULTILINE))
        if not re.match(r"#[a-z]+$", m[0])
    ]
    assert found == []


def test_pages_hold_no_inline_script_style_or_handler() -> None:
    """The strict content policy of the pages has nothing to stop."""
    for page in WEB.glob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r"\sstyle=|<style|\son\w+=", text)
        assert "unsafe" not in text


def test_message_types_are_fresh() -> None:
    """web/lib/messages.d.ts says what yiwang.model says now."""
    run = subprocess.run(
        [sys.executable, "scripts/messages_dts.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=_env(),
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_types_check() -> None:
    """The JSDoc types hold, strictly."""
    checker = ROOT / "node_modules" / ".bin" / "tsc"
    if not checker.exists() or not shutil.which("node"):
        pytest.skip("needs node and node_modules (npm ci)")
    run = subprocess.run(
        [checker, "--noEmit", "-p", "web"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_pure_functions() -> None:
    """web/lib under node's own test runner."""
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node 20 or later")
    files = sorted(str(p) for p in Path(__file__).parent.glob("lib/*.test.mjs"))
    run = subprocess.run([node, "--test", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-6000:]


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
