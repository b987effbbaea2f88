"""Both ways of running everything are the same suite: held together here, for they are written down twice."""

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import alertmanager, docker, kafka, postgres, prometheus, registry, services
from stack.docker import Docker
from stack.native import Native
from stack.part import StackError
from stack.settings import KEYS, SERVICES, StackSettings
from stack.supervision import Supervisor

COMPOSED: dict[str, Any] = yaml.safe_load(docker.FILE.read_text())["services"]
VARIABLES = set(re.findall(r"\$\{(\w+)", docker.FILE.read_text()))


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(folder=tmp_path, cache=tmp_path, port_base=20_000)


def test_every_variable_of_the_compose_file_is_given_a_value_and_no_other(settings: StackSettings) -> None:
    assert set(docker.environment(settings)) == VARIABLES


def test_no_password_has_a_default() -> None:
    passwords = re.findall(r"\$\{\w+_PASSWORD[^}]*\}", docker.FILE.read_text())
    assert passwords
    assert all(":?" in password for password in passwords), passwords


def test_the_ports_without_make_are_those_of_make(tmp_path: Path) -> None:
    defaults = {name: int(port) for name, port in re.findall(r"\$\{(\w+_PORT):-(\d+)\}", docker.FILE.read_text())}
    given = docker.environment(StackSettings(folder=tmp_path, port_base=19_000))
    assert defaults == {name: int(value) for name, value in given.items() if name.endswith("_PORT")}


def test_passwords_made_by_hand_are_those_that_the_compose_file_wants() -> None:
    script = (docker.FILE.parent / "deploy" / "passwords.sh").read_text()
    (names,) = re.findall(r"for name in (.+); do", script)
    assert {f"WEIR_{name}_PASSWORD" for name in names.split()} == {v for v in VARIABLES if v.endswith("_PASSWORD")}


def test_parts_have_the_same_versions() -> None:
    assert COMPOSED["kafka"]["image"] == f"apache/kafka:{kafka.VERSION}"
    assert COMPOSED["registry"]["image"] == f"apicurio/apicurio-registry:{registry.VERSION}"


def test_postgres_has_the_same_settings() -> None:
    given = [word.removeprefix("-c") for word in COMPOSED["postgres"]["command"] if word.startswith("-c")]
    assert dict(word.split("=") for word in given) == {"listen_addresses": "*", **postgres.SETTINGS}


def test_kafka_has_the_same_settings(settings: StackSettings) -> None:
    native = dict(line.split("=", 1) for line in kafka.properties(settings).splitlines() if "=" in line)
    composed = {
        key.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for key, value in COMPOSED["kafka"]["environment"].items()
    }
    where = re.compile(r"listener|voters|bootstrap|log\.dirs|heap")
    assert {key: value for key, value in composed.items() if not where.search(key)} == {
        key: value for key, value in native.items() if not where.search(key)
    }


def test_services_are_told_the_same() -> None:
    for service in SERVICES:
        told = COMPOSED[service]["environment"]
        assert told["WEIR_PARTITIONS"] == services.PARTITIONS
        assert told["WEIR_RELAY_IDLE_POLL_SECONDS"] == services.RELAY_IDLE_POLL_SECONDS


def test_both_ways_start_the_same_services(settings: StackSettings) -> None:
    native = {program.name for program in Native(settings, Supervisor(settings), {}).programs()}
    migrations = {f"{service}-migrate" for service in SERVICES}
    assert COMPOSED.keys() - migrations == native | {"prometheus", "alertmanager", "grafana", "desk-key"}
    assert COMPOSED.keys() >= migrations


def test_a_service_is_migrated_with_the_same_image_and_database_before_any_service_starts() -> None:
    for service in (*SERVICES, services.FEATURES):
        assert set(COMPOSED[service]["depends_on"]) == {f"{name}-migrate" for name in SERVICES}
    for service in SERVICES:
        migration = COMPOSED[f"{service}-migrate"]
        assert migration["command"] == ["migrate"]
        assert migration["image"] == COMPOSED[service]["image"]
        own = {"WEIR_DATABASE_URL", "WEIR_DATABASE_ROLE", "WEIR_KEYS_URL", "WEIR_KEYS_ROLE"}
        assert _without(migration["environment"], own) == _without(COMPOSED[service]["environment"], own)
        assert migration["environment"]["WEIR_DATABASE_ROLE"] == service
        assert migration["environment"]["WEIR_KEYS_ROLE"] == KEYS
        assert f"//{postgres.owner_of(KEYS)}:" in migration["environment"]["WEIR_KEYS_URL"]
        assert f"//{KEYS}:" in COMPOSED[service]["environment"]["WEIR_KEYS_URL"]
        assert f"//{postgres.owner_of(service)}:" in migration["environment"]["WEIR_DATABASE_URL"]
        assert f"//{service}:" in COMPOSED[service]["environment"]["WEIR_DATABASE_URL"]


def test_prometheus_has_the_token_that_services_ask_for(settings: StackSettings) -> None:
    variable = COMPOSED["payments"]["environment"]["WEIR_METRICS_TOKEN"]
    for name in (*SERVICES, services.FEATURES, "prometheus"):
        assert COMPOSED[name]["environment"]["WEIR_METRICS_TOKEN"] == variable
    (command,) = COMPOSED["prometheus"]["command"]
    folder = Path("/etc/weir/prometheus")
    assert f"./deploy/prometheus:{folder}:ro" in COMPOSED["prometheus"]["volumes"]
    assert f"--config.file={folder}/prometheus.yml" in command
    in_memory = os.path.normpath(folder / token_file(docker.FILE.parent / "deploy" / "prometheus"))
    assert f'"$$WEIR_METRICS_TOKEN" > {in_memory} ' in command
    assert COMPOSED["prometheus"]["tmpfs"] == [str(Path(in_memory).parent)]

    prometheus.prepare(settings)
    folder = settings.folder / "prometheus"
    written = folder / token_file(folder)
    assert written.stat().st_mode & 0o777 == 0o600
    for name in SERVICES:
        assert services.environment(settings, name)["WEIR_METRICS_TOKEN"] == written.read_text()


def token_file(folder: Path) -> str:
    """Where Prometheus' configuration says that the token is."""
    (job,) = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    return str(job["authorization"]["credentials_file"])


def test_both_ways_let_the_desk_ask_payments(settings: StackSettings) -> None:
    let_in, asks = COMPOSED["desk-key"], COMPOSED["compliance"]["environment"]
    assert let_in["image"] == COMPOSED["payments"]["image"]
    assert f"services.payments clients add {' '.join(services.DESK)} --key-stdin" in let_in["command"][0]
    assert let_in["environment"]["WEIR_CLIENT_KEY"] == asks["WEIR_PAYMENTS_KEY"]
    assert asks.keys() >= services.desk_environment(settings).keys()
    assert asks["WEIR_PAYMENTS_URL"] == "http://payments:8000"
    native = services.environment(settings, "compliance")
    assert native["WEIR_PAYMENTS_URL"] == "http://127.0.0.1:20001"
    assert native["WEIR_PAYMENTS_KEY"] == docker.environment(settings)["WEIR_DESK_KEY"]
    assert "WEIR_PAYMENTS_KEY" not in services.environment(settings, "payments")


def _without(environment: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def test_every_role_of_the_database_is_made_with_a_password_of_its_own() -> None:
    given = COMPOSED["postgres"]["environment"]
    assert {name for name in given if name.endswith("_PASSWORD")} == {
        "POSTGRES_PASSWORD",
        *(f"{role.upper()}_PASSWORD" for role in postgres.ROLES),
    }


def test_what_prometheus_watches_in_containers_are_the_services() -> None:
    targets = yaml.safe_load((docker.FILE.parent / "deploy" / "prometheus" / "targets.json").read_text())
    assert [target["targets"] for target in targets] == [
        [f"{service}:8000"] for service in (*SERVICES, services.FEATURES)
    ]


def test_alertmanager_in_a_container_finds_the_addresses_where_they_are_mounted() -> None:
    # It takes these paths as they stand.
    mounted = {volume.rsplit(":", 2)[1] for volume in COMPOSED["alertmanager"]["volumes"][1:]}
    receivers = yaml.safe_load(alertmanager.CONFIGURATION.read_text())["receivers"]
    files = [Path(webhook["url_file"]) for receiver in receivers for webhook in receiver["webhook_configs"]]
    assert len(files) == 3
    assert {str(file.parent) for file in files} <= mounted


def test_prometheus_tells_the_alertmanager_that_is_in_a_container() -> None:
    told = yaml.safe_load((prometheus.CONFIGURATION / prometheus.ALERTMANAGERS).read_text())
    assert [one["targets"] for one in told] == [["alertmanager:9093"]]
    mounted = dict(volume.rsplit(":", 2)[:2] for volume in COMPOSED["alertmanager"]["volumes"][1:])
    assert mounted["./deploy/alertmanager/alertmanager.yml"] in COMPOSED["alertmanager"]["command"][0]
    assert {Path(inside).parent for inside in mounted.values()} == {Path("/etc/alertmanager")}


def test_alertmanager_is_started_where_there_is_anybody_to_tell(settings: StackSettings) -> None:
    assert "alertmanager" not in Docker(settings, {})._probes
    settings.receivers.mkdir()
    (settings.receivers / "page").write_text("https://pager.example/hook\n")
    assert "alertmanager" in Docker(settings, {})._probes


def test_two_installations_are_two_projects(tmp_path: Path) -> None:
    one, two = (Docker(StackSettings(folder=tmp_path / name), {}).project for name in ("one", "two"))
    assert one != two


@pytest.fixture
def composed(settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> tuple[Docker, list[tuple[str, ...]]]:
    """An installation in Docker, and every command that it gives instead of having it run."""
    given: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        given.append(command)
        return ""

    monkeypatch.setattr(docker, "is_here", lambda: True)
    monkeypatch.setattr(docker, "compose_command", lambda: ("docker", "compose"))
    monkeypatch.setattr(docker, "_run", run)
    return Docker(settings, {}), given


def test_every_profile_of_the_compose_file_is_known() -> None:
    assert {profile for service in COMPOSED.values() for profile in service.get("profiles", ())} == set(docker.PROFILES)


def test_what_somebody_has_started_besides_is_stopped_as_well(
    composed: tuple[Docker, list[tuple[str, ...]]],
) -> None:
    installation, given = composed
    installation.stop()
    installation.forget()
    assert len(given) == 3
    for command in given:
        assert {f"--profile {profile}" for profile in docker.PROFILES} <= set(_pairs(command)), command


def test_nothing_is_started_that_nobody_asked_for(composed: tuple[Docker, list[tuple[str, ...]]]) -> None:
    installation, given = composed
    installation.migrate("payments")
    assert not any("--profile" in command for command in given)


def test_a_database_that_was_put_in_place_is_migrated_and_knows_the_desk(
    composed: tuple[Docker, list[tuple[str, ...]]],
) -> None:
    installation, given = composed
    installation.migrate("payments")
    assert [command[-1] for command in given] == ["payments-migrate", "desk-key"]
    assert all("--no-deps" in command for command in given)


def test_a_part_that_does_not_start_is_told_with_its_log(
    composed: tuple[Docker, list[tuple[str, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "READY_SECONDS_MAX", 0)
    monkeypatch.setattr(postgres, "answers", lambda dsn: False)
    installation, given = composed
    with pytest.raises(StackError, match="postgres did not become ready"):
        installation.start_parts(lambda _: None)
    assert "registry" not in given[0], "Compose would wait in vain, and not say for what"
    assert {"logs", "postgres"} <= set(given[-1])


def _pairs(words: tuple[str, ...]) -> list[str]:
    return [" ".join(pair) for pair in pairwise(words)]
