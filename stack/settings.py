"""Where the real parts live on this machine: ports, folders, passwords."""

import base64
import hashlib
import json
import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from libs.common.keys import OPERATOR_SUFFIX
from libs.common.settings import MessagingSettings
from stack.cache import locked
from stack.certificates import Authority

REPOSITORY = Path(__file__).resolve().parent.parent
SERVICES = ("payments", "fraud", "compliance", "accounts")
OPERATOR = "operator"
"""Who may read all topics, and write none."""
KEYS = "keys"
"""The database of the key store, which all services share, and the role that they share there."""
KEYS_OPERATOR = KEYS + OPERATOR_SUFFIX
"""Who may destroy keys, and wrap them anew."""


def _of_our_own(folder: Path) -> Path:
    """The folder's full path. Everything in it is removed with the data, so it may hold nothing of anyone else."""
    folder = folder.resolve()
    if folder in (REPOSITORY, *REPOSITORY.parents, Path.home()):
        raise ValueError(f"{folder} holds more than Weir's data; name a folder of its own")
    return folder


class StackSettings(BaseSettings):
    """One installation of the real parts. Two with other folders and port bases live side by side."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", env_ignore_empty=True, frozen=True)

    folder: Annotated[Path, AfterValidator(_of_our_own)] = Field(
        REPOSITORY / ".weir" / "main", description="data, logs and secrets"
    )
    cache: Path = Field(REPOSITORY / ".weir" / "parts", description="what was fetched once")
    host: str = "127.0.0.1"
    port_base: int = Field(19000, description="every port is this plus a fixed number")
    kafka_heap_mb: int = 512
    kafka_compiler: Literal["quick", "thorough"] = Field(
        "quick",
        description="Java's for the broker: the thorough one halves its CPU after a minute, which costs a core",
    )
    kafka_detour: bool = Field(
        False, description="whether Kafka has one more listener, which sends its clients by where a proxy may stand"
    )
    stack: Literal["native", "docker"] | None = Field(
        None, description="how to run everything; by default in Docker where an engine answers, else as processes"
    )
    stack_secure: bool | None = Field(
        None,
        description="whether the native parts speak TLS alone and know their clients by name and password; by default"
        " as they were started before, at first not",
    )
    memory_mb_min: int = Field(2_000, description="with less free memory nothing is started; 0 starts nevertheless")
    disk_mb_min: int = Field(2_000, description="with less free disk nothing is started; 0 starts nevertheless")

    @property
    def kafka_port(self) -> int:
        return self.port_base + 92

    @property
    def kafka_controller_port(self) -> int:
        return self.port_base + 93

    @property
    def kafka_detour_port(self) -> int:
        return self.port_base + 94

    @property
    def kafka_proxy_port(self) -> int:
        """Where clients of the detour are sent."""
        return self.port_base + 95

    @property
    def kafka_internal_port(self) -> int:
        """Where a secure broker takes who has a certificate of our authority: itself, and who makes its users."""
        return self.port_base + 96

    @property
    def registry_port(self) -> int:
        return self.port_base + 81

    @property
    def registry_management_port(self) -> int:
        return self.port_base + 82

    @property
    def postgres_port(self) -> int:
        return self.port_base + 32

    @property
    def prometheus_port(self) -> int:
        return self.port_base + 90

    @property
    def alertmanager_port(self) -> int:
        return self.port_base + 97

    @property
    def grafana_port(self) -> int:
        """Where Grafana answers, if someone starts it in Docker."""
        return self.port_base + 91

    def service_port(self, service: str) -> int:
        return self.port_base + 1 + SERVICES.index(service)

    @property
    def features_port(self) -> int:
        """Where fraud's Faust worker answers its health check."""
        return self.port_base + 10

    @property
    def ports(self) -> dict[str, int]:
        """Every port of this machine that an installation uses, by what uses it."""
        return {
            "Kafka": self.kafka_port,
            "Kafka's controller": self.kafka_controller_port,
            "Postgres": self.postgres_port,
            "the schema registry": self.registry_port,
            "the schema registry's management": self.registry_management_port,
            "Prometheus": self.prometheus_port,
            "Alertmanager": self.alertmanager_port,
            **{service: self.service_port(service) for service in SERVICES},
            "fraud's features worker": self.features_port,
            **({"Kafka's own listener": self.kafka_internal_port} if self.is_secure else {}),
            **({"Kafka's detour": self.kafka_detour_port} if self.kafka_detour else {}),
        }

    @property
    def is_secure(self) -> bool:
        """Whether all that is said between processes is encrypted, and nobody comes in without a password."""
        return self.secure_mark.exists() if self.stack_secure is None else self.stack_secure

    @property
    def secure_mark(self) -> Path:
        """There while the parts were started last to be secure: whoever comes later need not be told."""
        return self.folder / "secure"

    @property
    def authority(self) -> Authority:
        """Vouches for the parts, where they are secure."""
        return Authority(self.folder / "certificates")

    @property
    def kafka_bootstrap(self) -> str:
        return f"{self.host}:{self.kafka_port}"

    @property
    def registry_url(self) -> str:
        scheme = "https" if self.is_secure else "http"
        return f"{scheme}://{self.host}:{self.registry_port}/apis/ccompat/v7"

    def messaging(self, user: str = OPERATOR) -> MessagingSettings:
        """Broker and registry, as one of their users finds them."""
        plain = {"kafka_bootstrap": self.kafka_bootstrap, "registry_url": self.registry_url}
        if not self.is_secure:
            return MessagingSettings.model_validate(plain)
        proof = {
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ca": self.authority.certificate,
            "kafka_user": user,
            "kafka_password": self.secrets.get(f"kafka/{user}"),
            "registry_ca": self.authority.certificate,
        }
        return MessagingSettings.model_validate(plain | proof)

    def database_url(self, database: str, role: str | None = None) -> str:
        """A role's address of a database, with its password, and what proves to it who the server is."""
        role = role or database
        return self.address(database, role, self.secrets.get(f"postgres/{role}"))

    def address(self, database: str, role: str, password: str) -> str:
        """Of a database of this installation's server, for whom it may concern."""
        proof = f"?sslmode=verify-full&sslrootcert={quote(str(self.authority.certificate))}" if self.is_secure else ""
        return f"postgresql+psycopg://{role}:{password}@{self.host}:{self.postgres_port}/{database}{proof}"

    @property
    def master_keys(self) -> str:
        """What wraps the keys in the key store."""
        made_up = hashlib.sha256(self.secrets.get("master-key").encode()).digest()
        return f"installation:{base64.b64encode(made_up).decode()}"

    @property
    def metrics_token(self) -> str:
        """By which Prometheus reads what services have done."""
        return self.secrets.get("metrics-token")

    @cached_property
    def secrets(self) -> "Secrets":
        return Secrets(self.folder / "secrets.json")

    @property
    def receivers(self) -> Path:
        """Whom alerts are told to: files `page`, `ticket` and `watchdog`, each with the address of a webhook."""
        return self.folder / "receivers"

    @property
    def postgres_folder(self) -> Path:
        """Postgres refuses to run as root; as root it gets a folder that another user can reach."""
        if os.geteuid() == 0:
            return Path("/var/lib/weir") / self.folder.as_posix().strip("/").replace("/", "-")
        return self.folder / "postgres"


class Secrets:
    """Passwords made up once per installation and kept in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str:
        if found := self._known().get(name):
            return found
        # Two who make one up at once, as a backup beside an `up`, would each forget the other's.
        with locked(self._path.with_suffix(".lock")):
            known = self._known()
            if name not in known:
                known[name] = secrets.token_urlsafe(18)
                draft = self._path.with_suffix(".draft")
                draft.touch(mode=0o600)
                draft.write_text(json.dumps(known, indent=1))
                draft.replace(self._path)
            return known[name]

    def _known(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}
