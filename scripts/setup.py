"""``make setup``: everything that demo and tests need, from nothing, on a machine with Python alone.

Usage: ``python3 scripts/setup.py`` (standard library only; run by the system's Python)

Five steps, each skipped when what it depends on has not changed (stamps in ``.venv/.setup`` hold a hash of
it), so a repeat takes a fraction of a second. Everything comes by lock file: Python packages and uv with
hashes, browser libraries by npm's lock, Kafka's jars by their own.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".setup"
LOG = ROOT / ".yiwang" / "setup.log"
LEAST_PYTHON = (3, 11)
LEAST_NODE = 20
LEAST_FREE_MB = 1500


class Trouble(Exception):
    """What is missing and what to do about it; printed without a traceback."""


def check_prerequisites() -> None:
    """Look at each thing that we cannot bring ourselves.

    Raises:
        Trouble: naming the first one that is missing, with its remedy.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < LEAST_PYTHON:
        raise Trouble(
            f"Python {version} is too old: 3.11 or newer is needed.\n"
            "  Debian, Ubuntu:  apt-get install python3.11 python3.11-venv\n"
            "  then:            make setup PYTHON=python3.11"
        )
    if not sys.platform.startswith("linux"):
        raise Trouble(f"this runs on Linux only, not on {sys.platform}")
    for module in ("venv", "ensurepip", "ssl"):
        try:
            __import__(module)
        except ImportError:
            raise Trouble(
                f"this Python ({sys.executable}) has no module {module}, so no virtual environment can be made.\n"
                f"  Debian, Ubuntu:  apt-get install python{version}-venv   (or python3-venv)\n"
                "  Fedora:          dnf install python3-pip"
            ) from None
    if not os.access(ROOT, os.W_OK):
        raise Trouble(f"the folder {ROOT} cannot be written; run this as its owner")
    free_mb = shutil.disk_usage(ROOT).free >> 20
    if free_mb < LEAST_FREE_MB and not STAMPS.exists():
        raise Trouble(f"only {free_mb} MB are free where {ROOT} lies; {LEAST_FREE_MB} MB are needed")


def run(*argv: str | Path, remedy: str, env: dict[str, str] | None = None) -> None:
    """Run a quiet step; its output goes to the log.

    Raises:
        Trouble: with the last lines of the output and the remedy.
    """
    with LOG.open("a", encoding="utf-8") as log:
        print("$", *argv, file=log, flush=True)
        begin = log.tell()
        try:
            status = subprocess.run(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, check=False
            ).returncode
        except FileNotFoundError as error:
            raise Trouble(f"{argv[0]} is not there: {error}") from None
    if status != 0:
        with LOG.open(encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            end = "".join(f"  | {line}" for line in log.readlines()[-15:])
        raise Trouble(f"{Path(argv[0]).name} failed:\n{end}  all of it: {LOG}\n  {remedy}")


NETWORK = "Is the network there? It needs the package registries of Python and JavaScript, and Maven Central."


def make_venv() -> None:
    """The virtual environment and uv in it."""
    works = PYTHON.exists() and _succeeds(PYTHON, "-m", "pip", "--version")
    if not works:
        run(sys.executable, "-m", "venv", "--clear", VENV, remedy="Is python3-venv installed?")
    run(
        *(PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes"),
        *("--only-binary", ":all:", "-r", "requirements-uv.lock"),
        remedy=NETWORK,
    )


def install_dependencies() -> None:
    """Every Python package of the lock file, with its hash checked."""
    _uv("--require-hashes", "-r", "requirements.lock")


def install_project() -> None:
    """The checkout itself, editable."""
    _uv("--no-deps", "--no-build-isolation", "-e", ".", remedy="Is the checkout complete? git status says.")


def install_browser_libraries() -> None:
    """``node_modules`` by npm's lock file, then ``web/vendor``."""
    npm, env = _npm()
    run(*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", remedy=NETWORK, env=env)
    run(PYTHON, "scripts/vendor.py", remedy="Remove node_modules and try again.")


def fetch_jars() -> None:
    """Kafka's jars into the user's cache, verified."""
    run(PYTHON, "-m", "yiwang.embedded.kafka", "--fetch", remedy=NETWORK)


def _uv(*arguments: str, remedy: str = NETWORK) -> None:
    env = {**os.environ, "VIRTUAL_ENV": str(VENV)}
    index = _pip_index()
    if index and not any(name in env for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        env["UV_DEFAULT_INDEX"] = index  # whoever told pip of a mirror means uv too
    run(VENV / "bin" / "uv", "pip", "install", "--quiet", *arguments, remedy=remedy, env=env)


def _pip_index() -> str:
    done = subprocess.run(
        [PYTHON, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    return os.environ.get("PIP_INDEX_URL") or done.stdout.strip()


def _npm() -> tuple[list[str | Path], dict[str, str]]:
    """How to call npm: the system's where its Node is new enough, else the one of a wheel."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if version.startswith("v") and int(version[1:].partition(".")[0]) >= LEAST_NODE:
            return [npm], dict(os.environ)
    _uv("--require-hashes", "-r", "requirements-node.lock")
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return [VENV / "bin" / "npm"], {**os.environ, "PATH": path}


def _succeeds(*argv: str | Path) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _hash(*names: str) -> str:
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for name in names:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _vendor_is_whole() -> bool:
    sys.path.insert(0, str(ROOT / "scripts"))
    import vendor

    return not vendor.check() and (ROOT / "node_modules").is_dir()


def _jars_are_there() -> bool:
    lock = ROOT / "yiwang" / "embedded" / "kafka-jars.lock"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "yiwang" / f"kafka-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    return folder.is_dir()  # each start of Kafka verifies them


# name, what it depends on, the work, whether its result is still there
STEPS: tuple[tuple[str, str, Callable[[], None], Callable[[], bool]], ...] = (
    ("virtual environment", "requirements-uv.lock", make_venv, PYTHON.exists),
    ("dependencies", "requirements.lock", install_dependencies, PYTHON.exists),
    ("project", "pyproject.toml", install_project, (VENV / "bin" / "yiwang").exists),
    ("browser libraries", "package-lock.json scripts/vendor.py", install_browser_libraries, _vendor_is_whole),
    ("Apache Kafka", "yiwang/embedded/kafka-jars.lock", fetch_jars, _jars_are_there),
)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two setups at once would break each other's files; the second waits."""
    LOG.parent.mkdir(exist_ok=True)
    with (LOG.parent / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another setup of this folder is running; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Do what has to be done and say it."""
    check_prerequisites()
    with one_at_a_time():
        redone = False
        for number, (name, inputs, work, is_there) in enumerate(STEPS, 1):
            stamp = STAMPS / str(number)
            wanted = _hash(*inputs.split())
            if not redone and stamp.exists() and stamp.read_text("ascii") == wanted and is_there():
                continue
            if not redone and not stamp.exists() and number == 1:
                LOG.unlink(missing_ok=True)
            print(f"[{number}/{len(STEPS)}] {name} …", end="", flush=True)
            begin = time.monotonic()
            stamp.unlink(missing_ok=True)
            try:
                work()
            except BaseException:
                print(flush=True)
                raise
            STAMPS.mkdir(exist_ok=True)
            stamp.write_text(wanted, "ascii")
            redone = redone or number == 1  # a new environment is an empty one
            print(f" {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        sys.exit(f"setup: {trouble}")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to go on")
