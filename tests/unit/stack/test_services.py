"""What the services of one installation are told apart from others, those who prepare their topics are told as well."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stack import services
from stack.docker import Docker
from stack.settings import SERVICES, StackSettings

DAY = {"WEIR_RETENTION_MS": "86400000"}


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(folder=tmp_path, cache=tmp_path, port_base=20_000)


def test_topics_are_made_with_the_settings_that_the_services_have(
    settings: StackSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Mapping[str, str]] = {}

    class Prepared:
        returncode = 0

        def __init__(self, command: list[str], *, env: Mapping[str, str], **_: Any) -> None:
            told[command[-2].removeprefix("services.")] = env

        def communicate(self) -> tuple[str, None]:
            return "", None

    monkeypatch.setattr("stack.services.subprocess.Popen", Prepared)
    monkeypatch.setattr(services, "let_desk_in", lambda _: None)
    services.migrate(settings, {"payments": DAY, "fraud": {"WEIR_DATABASE_ROLE": "fraud"}})
    assert told.keys() == set(SERVICES)
    assert told["payments"].items() >= {**DAY, "WEIR_DATABASE_ROLE": "payments"}.items()
    assert "WEIR_RETENTION_MS" not in told["accounts"]


def test_in_containers_too(settings: StackSettings) -> None:
    Docker(settings, {"payments": DAY, services.FEATURES: {}})._write_overrides()
    written = json.loads((settings.folder / "compose.overrides.yml").read_text())["services"]
    assert written == {
        "payments": {"environment": DAY},
        "payments-migrate": {"environment": DAY},
        services.FEATURES: {"environment": {}},
    }
