"""Where an installation's parts are: from the environment or the secrets' folder, each with what secures it."""

from pathlib import Path

import pytest

from operate import health, installation
from stack.services import FEATURES
from stack.settings import SERVICES


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SERVICES:
        monkeypatch.setenv(f"WEIR_{name.upper()}_DATABASE_URL", f"postgresql+psycopg://{name}@db.example/{name}")


def test_databases_are_connected_to_as_services_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, secrets = tmp_path / "ca.pem", tmp_path / "secrets"
    authority.write_text("a certificate")
    secrets.mkdir()
    (secrets / "weir_database_password").write_text("sesame")
    (secrets / "weir_fraud_database_url").write_text("postgresql+psycopg://judge@elsewhere.example/fraud")
    monkeypatch.setenv("WEIR_DATABASE_CA", str(authority))
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(secrets))
    monkeypatch.delenv("WEIR_FRAUD_DATABASE_URL")
    found = installation.databases()
    assert found.keys() == set(SERVICES)
    assert found["accounts"].startswith("postgresql://accounts:sesame@db.example/accounts?")
    assert found["fraud"].startswith("postgresql://judge:")
    assert all("sslmode=verify-full" in dsn and "ca.pem" in dsn for dsn in found.values())


def test_a_service_may_have_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_PAYMENTS_URL", "http://one.example, http://two.example:8000/")
    assert installation.urls("payments") == ["http://one.example", "http://two.example:8000"]
    assert len(installation.urls("fraud")) == len(installation.urls(FEATURES)) == 1
    assert installation.urls("fraud") != installation.urls(FEATURES)


def test_every_process_is_asked_and_prometheus_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "http://127.0.0.1:1"
    monkeypatch.setattr(health, "_asked", lambda part, _: health.Health(part=part, is_well=True, detail=""))
    for name in (*SERVICES, "features"):
        monkeypatch.setenv(f"WEIR_{name.upper()}_URL", nowhere)
    monkeypatch.setenv("WEIR_PAYMENTS_URL", f"{nowhere},{nowhere}/other")
    found = {one.part: one.is_well for one in health.look()}
    ill = {"fraud", "compliance", "accounts", "features", f"payments at {nowhere}", f"payments at {nowhere}/other"}
    assert {part for part, is_well in found.items() if not is_well} == ill
    assert "prometheus" not in found
    monkeypatch.setenv("WEIR_PROMETHEUS_URL", nowhere)
    assert "prometheus" in {one.part for one in health.look()}


def test_prometheus_that_does_not_answer_is_ill() -> None:
    with pytest.raises(health.Unwell, match=r"http://127\.0\.0\.1:1: "):
        health.ask_prometheus("http://127.0.0.1:1")
