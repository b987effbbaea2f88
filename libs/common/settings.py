"""Settings of a process: read once from the environment (`WEIR_…`), typed, with a meaning each."""

import base64
import binascii
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from libs.common.personal_data import KEY_BYTES


def _an_address(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError as error:
        # Without the text itself: it may hold a password.
        raise PydanticCustomError("not_an_address", "must be like postgresql+psycopg://user@host/database") from error
    return url


def _a_master_key(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not name or len(key) != KEY_BYTES:
        # Without the text itself.
        raise PydanticCustomError("not_a_master_key", "each master key must be `name:base64 of 32 bytes`")
    return name, key


class Settings(BaseSettings):
    """What every service needs to know. A service with settings of its own extends this."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", frozen=True)

    database_url: Annotated[str, AfterValidator(_an_address)] = Field(
        description="SQLAlchemy address of this service's own database"
    )
    kafka_bootstrap: str = Field("127.0.0.1:19092", description="brokers, comma-separated")
    registry_url: str = Field("http://127.0.0.1:19081/apis/ccompat/v7", description="schema registry")

    keys_url: Annotated[str, AfterValidator(_an_address)] | None = Field(
        None,
        description="SQLAlchemy address of the key store, which all services share; without it personal data stay"
        " readable",
    )
    master_keys: SecretStr | None = Field(
        None,
        description="what wraps the keys in the store: `name:base64 of 32 bytes`, comma-separated; the first wraps new"
        " ones",
    )
    master_keys_file: Path | None = Field(None, description="where they are instead, a line each")
    keys_cache_seconds: float = Field(
        60.0, gt=0, le=3_600, description="how long a key that was destroyed may still work in a process that had it"
    )

    http_host: str = "127.0.0.1"
    http_port: int = 8000
    http_body_bytes_max: int = Field(64 * 1024, description="largest body of a request that is not a file")
    request_seconds_max: float = Field(10.0, description="how long a request may wait for its commit")
    trusts_forwarded_headers: bool = Field(
        False,
        description="take address and scheme from X-Forwarded-For and -Proto: only behind a proxy that sets them",
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    batch_size_max: int = Field(500, description="messages in one transaction")
    partitions: int = Field(
        24, description="of every topic, when it is made; fixed for its life: more would move keys to others"
    )
    replication_factor: int = Field(1, description="of every topic; 3 in production")
    retention_ms: int = Field(-1, description="of business topics; -1 keeps everything")
    consumer_instance_id: str | None = Field(None, description="static membership: a name kept over restarts")
    consumer_session_timeout_ms: int = 6_000
    consumer_pace_seconds: float = Field(
        0.02,
        description="at least, between the beginnings of two batches, unless the first was full; an idle worker begins"
        " at once",
    )

    outbox_shards: int = Field(4, description="fixed for an installation's life: a key's shard is hash mod this")
    producer_linger_ms: float = Field(1.0, description="how long a record may wait for company")
    relay_batch_size_max: int = 2_000
    relay_poll_seconds: float = Field(0.005, description="between looks at the outbox while it is in use")
    relay_idle_poll_seconds: float = Field(0.05, description="between looks at the outbox when it has been empty")
    relay_attempts_max: int = Field(5, description="before a row Kafka refuses is parked")

    otlp_endpoint: str | None = Field(
        None, description="where spans go, like http://127.0.0.1:4318/v1/traces; without it none are written"
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="of the requests that come without a trace of their caller, how many get one"
    )
    database_bytes_max: int = Field(
        100_000_000_000, description="room on the disk of this database: an alert tells days before it is used up"
    )

    idempotency_days: int = Field(30, ge=30, description="how long an answer is kept for its Idempotency-Key")

    @model_validator(mode="after")
    def _has_master_keys(self) -> Self:
        if self.keys_url is not None and not self.known_master_keys:
            raise PydanticCustomError(
                "no_master_keys", "WEIR_KEYS_URL needs WEIR_MASTER_KEYS or WEIR_MASTER_KEYS_FILE besides"
            )
        return self

    @property
    def known_master_keys(self) -> tuple[tuple[str, bytes], ...]:
        """Master keys by their names, the one that wraps new keys first. Raises PydanticCustomError, OSError."""
        if self.master_keys is not None:
            lines = self.master_keys.get_secret_value().split(",")
        else:
            lines = self.master_keys_file.read_text().splitlines() if self.master_keys_file else []
        return tuple(_a_master_key(line) for line in map(str.strip, lines) if line)


S = TypeVar("S", bound=Settings)


@lru_cache
def load(kind: type[S]) -> S:
    """This process's settings. Raises pydantic.ValidationError naming what is missing or wrong."""
    return kind()
