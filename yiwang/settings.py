"""Settings: one frozen object, read once in the command line and passed down.

Every field can be given as ``YIWANG_<NAME>`` in the environment or in ``yiwang.toml`` of the working folder
(environment first). ``yiwang settings`` prints what is in force and where it came from.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from yiwang.errors import BadInput


class Settings(BaseSettings):
    """All settings of all processes."""

    model_config = SettingsConfigDict(
        env_prefix="YIWANG_", frozen=True, extra="forbid", toml_file="yiwang.toml", hide_input_in_errors=True
    )

    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port[,host:port]")
    database: SecretStr = Field(
        SecretStr("postgresql://yiwang@127.0.0.1:5432/yiwang"),
        description="PostgreSQL or TimescaleDB, as a URL",
    )
    run: str = Field("live", description="name of the run this process belongs to")
    host: str = Field("127.0.0.1", description="address to listen on; the gateway takes loopback only")
    port: int = Field(8420, ge=0, le=65535, description="HTTP port of the gateway; 0 takes a free one")
    socket_port: int = Field(0, ge=0, le=65535, description="live socket of the gateway; 0 takes a free one")
    ingest_port: int = Field(8421, ge=0, le=65535, description="HTTP port of ingest; 0 takes a free one")
    share_port: bool = Field(
        False, description="several ingest processes may listen on one ingest_port; each of them must say so"
    )
    metrics_host: str = Field("127.0.0.1", description="address where a stream worker shows its metrics")
    metrics_port: int = Field(
        0,
        ge=-1,
        le=65535,
        description="port of a stream worker's metrics; 0 takes a free one (told in the ready line), -1 does without "
        "and announces no process. ingest and the gateway show theirs on their own HTTP port, unless it is shared",
    )
    traces: str = Field(
        "",
        description="OpenTelemetry collector (OTLP over HTTP) for traces, such as http://127.0.0.1:4318; empty: none. "
        "Wants the extra: pip install 'yiwang[otel]'",
    )
    trace_ratio: float = Field(0.001, ge=0, le=1, description="share of the frames that traces follow")
    mqtt: str = Field(
        "", description="MQTT broker to read from, mqtt://[user:password@]host:port; empty: none"
    )
    mqtt_topics: tuple[str, ...] = Field(("city/+/+",), description="MQTT topic filters to subscribe to")
    mqtt_mapping: Path | None = Field(None, description="YAML that maps MQTT topics and payloads to readings")
    frame_ms: int = Field(
        50, ge=1, le=1000, description="a frame leaves after this many milliseconds; sooner under light load"
    )
    frame_rows: int = Field(40_000, ge=1, le=200_000, description="a frame never has more readings than this")
    body_limit: int = Field(8 * 1024 * 1024, ge=1024, description="largest HTTP body taken by ingest, bytes")
    future_limit_s: float = Field(60.0, gt=0, description="a time further ahead than this is a clock fault")
    past_limit_s: float = Field(
        30 * 86400.0, gt=0, description="a time further back than this is a clock fault"
    )
    inflight_mb: int = Field(
        256,
        ge=1,
        description="HTTP bodies that ingest works on at once, MB unpacked; beyond, 503 ingest.busy",
    )
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="readings a second that ingest takes of one source (client address, MQTT topic); 0: any",
    )
    rate_limit_device: float = Field(
        0.0, ge=0, description="readings a second that ingest takes of one series of a device; 0: any"
    )
    rate_limit_bad: float = Field(
        100.0, ge=0, description="rows a second of one source that are kept as dead letters; 0: any"
    )
    spool: Path | None = Field(
        None,
        description="folder where ingest keeps what it accepts while Kafka is away; none: spool below data",
    )
    spool_mb: int = Field(
        1024, ge=0, description="what the spool may hold, MB; 0: no spool, senders are told to wait"
    )
    spool_after_s: float = Field(
        2.0, gt=0, description="Kafka is taken to be away when it has not answered for so long"
    )
    snapshot_s: float = Field(1.0, gt=0, description="interval of state snapshots")
    keep_readings_days: int = Field(
        0,
        ge=0,
        description="persist of the live run drops readings older than so many whole days; 0: never",
    )
    keep_minutes_days: int = Field(
        0, ge=0, description="the same for minute roll-ups, in whole weeks; 0: never"
    )
    worker: str = Field("", description="name of this streams worker, for static group membership")
    data: Path = Field(Path(".yiwang"), description="folder of the embedded services and their logs")
    domains: Path | None = Field(None, description="folder with the city's own domain packs and overrides")
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="debug|info|warning|error"
    )
    log_json: bool = Field(False, description="log as JSON lines")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line first, then environment, then yiwang.toml."""
        del dotenv_settings, file_secret_settings
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))


NOT_SETTINGS = ("YIWANG_TEST_", "YIWANG_CHROMIUM", "YIWANG_REQUIRE_BROWSER", "YIWANG_LOCAL_SERVICES")
"""Variables of the tests and of deploy/local-services, which are no settings of ours."""


def load(**given: Any) -> Settings:  # Any: values of the command line, validated here
    """Settings from the command line (``given``), the environment and yiwang.toml.

    Raises:
        BadInput: ``settings.invalid`` naming the field and what would be right, ``settings.unknown`` for a
            YIWANG_ variable that is no setting.
    """
    _refuse_unknown()
    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise BadInput(
            "settings.invalid",
            f"setting {field} (YIWANG_{field.upper()}): {first['msg']}",
            field=field,
        ) from None


def _refuse_unknown() -> None:
    """A misspelt variable must not be passed over in silence."""
    known = {f"YIWANG_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        upper = name.upper()
        if upper.startswith("YIWANG_") and upper not in known and not upper.startswith(NOT_SETTINGS):
            near = get_close_matches(upper, known, 1)
            hint = f"; did you mean {near[0]}?" if near else '; "yiwang settings" lists them all'
            raise BadInput("settings.unknown", f"{name} is no setting{hint}", name=name)
