"""Apicurio Registry, which speaks Confluent's API, with its schemas kept in Postgres."""

import shutil
import ssl
import urllib.request
from pathlib import Path
from urllib.error import URLError

from libs.common.settings import MessagingSettings
from stack import maven
from stack.cache import fetch_once
from stack.java import java
from stack.part import Program
from stack.settings import StackSettings

VERSION = "3.3.3"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


def fetch(settings: StackSettings) -> None:
    """Bring the application, once."""
    fetch_once(home(settings), _unpack)


def home(settings: StackSettings) -> Path:
    """Where the application is."""
    return settings.cache / f"registry-{VERSION}"


def _unpack(folder: Path) -> None:
    archive = maven.copy_artifact(_ARTIFACT, into=folder / "archive")
    shutil.unpack_archive(archive, folder)
    archive.unlink()


def program(settings: StackSettings) -> Program:
    application = home(settings) / "quarkus-run.jar"
    properties = {
        "quarkus.http.host": settings.host,
        "quarkus.http.port": settings.registry_port,
        "quarkus.management.host": settings.host,
        "quarkus.management.port": settings.registry_management_port,
        "quarkus.log.level": "WARN",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "postgresql",
        **(_secure(settings) if settings.is_secure else {}),
    }
    trusted = f"?sslmode=verify-full&sslrootcert={settings.authority.certificate}" if settings.is_secure else ""
    return Program(
        name="registry",
        command=(
            *java(application.parent),
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-jar",
            str(application),
        ),
        environment={
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{settings.host}:{settings.postgres_port}/registry{trusted}",
            "APICURIO_DATASOURCE_USERNAME": "registry",
            "APICURIO_DATASOURCE_PASSWORD": settings.secrets.get("postgres/registry"),
        },
        directory=application.parent,
        is_ready=lambda: answers(settings.messaging()),
    )


def prepare(settings: StackSettings) -> None:
    """Make its certificate, where it is to have one."""
    if settings.is_secure:
        settings.authority.issue("registry", (settings.host, "localhost"))


def _secure(settings: StackSettings) -> dict[str, object]:
    return {
        "quarkus.http.ssl-port": settings.registry_port,
        "quarkus.http.insecure-requests": "disabled",
        "quarkus.http.ssl.certificate.files": settings.authority.chain("registry"),
        "quarkus.http.ssl.certificate.key-files": settings.authority.key("registry"),
    }


def answers(settings: MessagingSettings) -> bool:
    """Whether a registry answers there."""
    trusted = ssl.create_default_context(cafile=settings.registry_ca) if settings.registry_ca else None
    try:
        with urllib.request.urlopen(f"{settings.registry_url}/subjects", timeout=2, context=trusted) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
