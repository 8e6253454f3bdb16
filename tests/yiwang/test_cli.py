"""The command line: help worth reading, errors of one line with a code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from yiwang import cli
from yiwang.settings import Settings, load


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    """``yiwang NAME --help`` exists, says what the command does and shows its options."""
    result = CliRunner().invoke(cli.cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) > 8


def yiwang(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YIWANG_")}
    return subprocess.run(
        [sys.executable, "-m", "yiwang", *arguments],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["replay", "nigth"], {}, "[scenario.unknown]"),
        (["replay"], {}, "name a scenario"),
        (["replay", "night", "--speed", "fast"], {}, "give a number above 0"),
        (["demo", "--json"], {}, "--json goes with --once"),
        (["settings"], {"YIWANG_PORT": "eighty"}, "[settings.invalid]"),
        (["settings"], {"YIWANG_PROT": "80"}, "did you mean YIWANG_PORT?"),
        (["nonsense"], {}, "No such command"),
        (["serve", "--host", "0.0.0.0"], {}, "[serve.loopback]"),
        (["serve", "--run", "NOT A RUN"], {}, "[run.name]"),
    ],
)
def test_wrong_input_is_one_clear_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], says: str
) -> None:
    """No traceback, exit status 2, a stable code or what would be right."""
    done = yiwang(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["migrate"], ["devices", "list"], ["replay", "--list"]])
def test_a_database_that_refuses_is_named_without_its_password(tmp_path: Path, command: list[str]) -> None:
    """Host and port are in the message, the password never is."""
    done = yiwang(
        *command,
        cwd=tmp_path,
        YIWANG_DATABASE="postgresql://yiwang:geheim@127.0.0.1:9/yiwang",
        YIWANG_KAFKA="127.0.0.1:9",
    )
    assert done.returncode == 2
    assert "database.unavailable" in done.stderr
    assert "127.0.0.1:9" in done.stderr or "port 9" in done.stderr
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_say_where_they_come_from_and_hide_secrets(tmp_path: Path) -> None:
    """Environment before file before default; a password is never shown."""
    (tmp_path / "yiwang.toml").write_text('kafka = "broker:9092"\nport = 1\n')
    done = yiwang(
        "settings",
        "--json",
        cwd=tmp_path,
        YIWANG_PORT="9000",
        YIWANG_DATABASE="postgresql://me:geheim@db/yiwang",
    )
    shown = json.loads(done.stdout)
    assert (shown["kafka"]["value"], shown["kafka"]["origin"]) == ("broker:9092", "yiwang.toml")
    assert (shown["port"]["value"], shown["port"]["origin"]) == (9000, "YIWANG_PORT")
    assert shown["host"]["origin"] == "default"
    assert shown["database"]["value"] == "postgresql://me:******@db/yiwang"
    assert set(shown) == set(Settings.model_fields)
    assert all(row["about"] for row in shown.values())


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One frozen object, read once."""
    monkeypatch.chdir(tmp_path)
    settings = load(port=1234)
    assert settings.port == 1234
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
