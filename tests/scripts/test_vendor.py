"""Which files of the browser libraries the pages get."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "vendor.py"


@pytest.fixture
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("yiwang_scripts_vendor", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def modules(tmp_path: Path, vendor: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of four files of which the pages enter one."""
    files = {
        "LICENSE": "free",
        "dist/entry.js": 'import{a}from"./a.js";import "../b.js";export{x}from\'./a.js\';',
        "dist/a.js": "export const a=1,x=2;",
        "b.js": 'import("./far.js")',
        "unused.js": "",
    }
    for name, text in files.items():
        path = tmp_path / "node_modules" / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(vendor, "ENTRIES", {"lib": ("LICENSE", "dist/entry.js")})
    return tmp_path / "node_modules"


def test_imports_come_along_and_nothing_else(vendor: ModuleType, modules: Path, tmp_path: Path) -> None:
    """Static imports are followed through folders; what nobody imports stays behind."""
    copied = vendor.copy(modules, tmp_path / "vendor")
    assert sorted(copied) == ["lib/LICENSE", "lib/a.js", "lib/b.js", "lib/entry.js"]
    assert json.loads((tmp_path / "vendor" / "manifest.json").read_text()) == copied
    assert vendor.check(tmp_path / "vendor") == []


def test_a_changed_or_missing_file_is_named(vendor: ModuleType, modules: Path, tmp_path: Path) -> None:
    """The manifest finds what was edited or lost after the copy."""
    folder = tmp_path / "vendor"
    assert vendor.check(folder) == ["manifest.json"]
    vendor.copy(modules, folder)
    (folder / "lib" / "a.js").write_text("edited")
    (folder / "lib" / "b.js").unlink()
    assert vendor.check(folder) == ["lib/a.js", "lib/b.js"]


def test_a_second_copy_leaves_nothing_of_the_first(vendor: ModuleType, modules: Path, tmp_path: Path) -> None:
    """What is no longer used disappears."""
    vendor.copy(modules, tmp_path / "vendor")
    (modules / "lib" / "dist" / "entry.js").write_text("")
    assert sorted(vendor.copy(modules, tmp_path / "vendor")) == ["lib/LICENSE", "lib/entry.js"]
    assert not (tmp_path / "vendor" / "lib" / "a.js").exists()
