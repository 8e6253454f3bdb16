"""make setup names what is missing and how to get it."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class OldVersion(NamedTuple):
    major: int = 3
    minor: int = 9


@pytest.fixture
def setup_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("yiwang_scripts_setup", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_this_machine_has_what_is_needed(setup_script: ModuleType) -> None:
    """Where the tests run the prerequisites are there."""
    setup_script.check_prerequisites()


def test_an_old_python_is_told_with_its_remedy(
    setup_script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that is there, the one that is needed, and the command to get it."""
    monkeypatch.setattr(setup_script.sys, "version_info", OldVersion())
    with pytest.raises(setup_script.Trouble, match=r"(?s)3\.9 is too old.*3\.11.*apt-get install"):
        setup_script.check_prerequisites()


def test_a_python_without_ensurepip_is_told_with_its_remedy(
    setup_script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's Python without python3-venv: the package is named."""
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(setup_script.Trouble, match=r"(?s)no module ensurepip.*apt-get install python3"):
        setup_script.check_prerequisites()


def test_a_step_that_fails_shows_its_last_words(
    setup_script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The end of the output, where all of it is, and the remedy."""
    monkeypatch.setattr(setup_script, "LOG", tmp_path / "log")
    code = "print('resolving'); raise SystemExit('no route to host')"
    with pytest.raises(
        setup_script.Trouble, match=r"(?s)no route to host.*log.*is there a network"
    ) as caught:
        setup_script.run(sys.executable, "-c", code, remedy="is there a network?")
    assert "resolving" in str(caught.value)


def test_make_without_a_python_says_what_to_install() -> None:
    """Make itself names the missing interpreter, since the script cannot."""
    done = subprocess.run(
        ["make", "--no-print-directory", "setup", "PYTHON="],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "no Python 3.11 or newer was found" in done.stderr


def test_make_help_lists_every_target() -> None:
    """Whoever types make help finds all of them."""
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert listed == set(phony.removeprefix(".PHONY:").split())
