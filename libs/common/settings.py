"""Settings of a process: read once from the environment (`WEIR_…`), typed, with a meaning each."""

import base64
import binascii
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from libs.common.personal_data import KEY_BYTES
from libs.common.rate_limit import Rate

SECRETS_FOLDER = "WEIR_SECRETS_DIR"
"""The variable that names a folder with a file for each secret, as containers mount them."""

METRICS_TOKEN_LENGTH_MIN = 16


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


class ConfiguredSettings(BaseSettings):
    """Read from the environment, and what is not there from files of the secrets' folder. Never shows what it holds."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", frozen=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get(SECRETS_FOLDER)
        if not folder:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            raise SettingsError(f"{SECRETS_FOLDER}: there is no folder {folder}")
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)


class MessagingSettings(ConfiguredSettings):
    """Where broker and schema registry are, and how each side proves to the other who it is."""

    kafka_bootstrap: str = Field("127.0.0.1:19092", description="brokers, comma-separated")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how brokers are spoken to; SASL_SSL in production"
    )
    kafka_ca: FilePath | None = Field(
        None, description="certificates (PEM) that may vouch for brokers; without it, those of the machine"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how the password is proven to brokers"
    )
    kafka_user: str | None = Field(None, description="who this process is to brokers, with SASL")
    kafka_password: SecretStr | None = Field(None, description="of that user")
    registry_url: str = Field("http://127.0.0.1:19081/apis/ccompat/v7", description="schema registry")
    registry_ca: FilePath | None = Field(
        None, description="certificates (PEM) that may vouch for a registry at https; without it, public ones"
    )

    @model_validator(mode="after")
    def _user_where_one_is_asked_for(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_user and self.kafka_password):
            raise PydanticCustomError(
                "no_user", "WEIR_KAFKA_SECURITY_PROTOCOL is with SASL: give WEIR_KAFKA_USER and WEIR_KAFKA_PASSWORD"
            )
        return self


class Settings(MessagingSettings):
    """What every service needs to know. A service with settings of its own extends this."""

    database_url: Annotated[str, AfterValidator(_an_address)] = Field(
        description="SQLAlchemy address of this service's own database; a password in it becomes the next setting"
    )
    database_password: SecretStr | None = Field(None, description="of the role that the address names")
    database_ca: FilePath | None = Field(
        None,
        description="certificates (PEM) that may vouch for the database; with it, connections are encrypted and the"
        " server's name must be the certificate's (verify-full)",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_the_password_out(cls, given: Any) -> Any:
        """An address is shown and logged: what it holds of a secret is kept apart from it."""
        try:
            url = make_url(given["database_url"]) if isinstance(given, Mapping) else None
        except (ArgumentError, KeyError):
            return given
        if url is None or url.password is None:
            return given
        address = url.set(password=None).render_as_string()
        return {"database_password": url.password, **given, "database_url": address}

    @model_validator(mode="after")
    def _key_with_its_certificate(self) -> Self:
        if (self.http_certificate is None) != (self.http_key is None):
            raise PydanticCustomError("half_a_pair", "WEIR_HTTP_CERTIFICATE and WEIR_HTTP_KEY go together")
        return self

    @property
    def database(self) -> URL:
        """The address with all it takes to connect. Written out, it hides the password."""
        url = make_url(self.database_url).set(drivername="postgresql+psycopg")
        if self.database_password is not None:
            url = url.set(password=self.database_password.get_secret_value())
        return _verified(url, self.database_ca) if self.database_ca is not None else url

    @property
    def keys(self) -> URL | None:
        """The key store's address with all it takes to connect. Written out, it hides the password."""
        if self.keys_url is None:
            return None
        url = make_url(self.keys_url.get_secret_value()).set(drivername="postgresql+psycopg")
        authority = self.keys_ca or (None if "sslmode" in url.query else self.database_ca)
        return _verified(url, authority) if authority is not None else url

    @property
    def database_dsn(self) -> str:
        """The same for who speaks to Postgres past SQLAlchemy; password and all: not to be shown."""
        return self.database.set(drivername="postgresql").render_as_string(hide_password=False)

    database_role: str | None = Field(
        None,
        description="for `migrate`, which runs as the tables' owner: the role that services run as, given what their"
        " code needs and no more; without it, owner and service are one",
    )

    keys_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy address of the key store, with its password; all services share it, and without it"
        " personal data stay readable",
    )

    keys_role: str | None = Field(
        None,
        description="for `migrate`, which then comes to the key store as its tables' owner: the role that services run"
        " as there, given what their code needs and no more, as is this name with `_operator` behind it, by which"
        " operators destroy keys; without it, all three are one",
    )

    keys_ca: FilePath | None = Field(
        None,
        description="certificates (PEM) that may vouch for the key store, as WEIR_DATABASE_CA does for the database;"
        " without it WEIR_DATABASE_CA, unless the address says how its server is verified",
    )

    @field_validator("keys_url")
    @classmethod
    def _an_address_of_keys(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _an_address(url.get_secret_value())
        return url

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
    http_certificate: FilePath | None = Field(
        None, description="with its chain (PEM): requests are taken over TLS; without it, TLS ends at a proxy"
    )
    http_key: FilePath | None = Field(None, description="of that certificate (PEM)")
    http_body_bytes_max: int = Field(64 * 1024, description="largest body of a request that is not a file")
    request_seconds_max: float = Field(10.0, description="how long a request may wait for its commit")
    metrics_token: SecretStr | None = Field(
        None,
        min_length=METRICS_TOKEN_LENGTH_MIN,
        description="what Prometheus shows as a bearer token to read `/metrics`; without it nobody reads them",
    )
    client_requests_per_second: float = Field(
        2_000.0,
        gt=0,
        description="that a client may keep up at each process, unless `clients limit` says otherwise; a line of a file"
        " counts as one",
    )
    client_burst: int = Field(10_000, gt=0, description="requests that a client may make at once")
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
    retention_ms: int = Field(-1, description="of business topics, when they are made; -1 keeps everything")
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

    @property
    def client_rate(self) -> Rate:
        """How fast a client may ask that has no rate of its own."""
        return Rate(per_second=self.client_requests_per_second, burst=self.client_burst)


def _verified(url: URL, authority: Path) -> URL:
    return url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(authority)})


S = TypeVar("S", bound=Settings)


@lru_cache
def load(kind: type[S]) -> S:
    """This process's settings. Raises pydantic.ValidationError naming what is missing or wrong."""
    return kind()
