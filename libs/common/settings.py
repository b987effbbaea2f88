"""Settings of a process: read once from the environment (`WEIR_…`), typed, with a meaning each."""

from functools import lru_cache
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from libs.common.rate_limit import Rate


def _an_address(url: str) -> str:
    try:
        make_url(url)
    except ArgumentError as error:
        # Without the text itself: it may hold a password.
        raise PydanticCustomError("not_an_address", "must be like postgresql+psycopg://user@host/database") from error
    return url


class Settings(BaseSettings):
    """What every service needs to know. A service with settings of its own extends this."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", frozen=True)

    database_url: Annotated[str, AfterValidator(_an_address)] = Field(
        description="SQLAlchemy address of this service's own database"
    )
    kafka_bootstrap: str = Field("127.0.0.1:19092", description="brokers, comma-separated")
    registry_url: str = Field("http://127.0.0.1:19081/apis/ccompat/v7", description="schema registry")

    http_host: str = "127.0.0.1"
    http_port: int = 8000
    http_body_bytes_max: int = Field(64 * 1024, description="largest body of a request that is not a file")
    request_seconds_max: float = Field(10.0, description="how long a request may wait for its commit")
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

    @property
    def client_rate(self) -> Rate:
        """How fast a client may ask that has no rate of its own."""
        return Rate(per_second=self.client_requests_per_second, burst=self.client_burst)


S = TypeVar("S", bound=Settings)


@lru_cache
def load(kind: type[S]) -> S:
    """This process's settings. Raises pydantic.ValidationError naming what is missing or wrong."""
    return kind()
