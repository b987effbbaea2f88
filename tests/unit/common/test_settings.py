"""Settings: where secrets come from, and that nothing ever shows them."""

import base64
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from libs.common import kafka, registry
from libs.common.settings import Settings

SECRET = "hunter2-hunter2"
ADDRESS = "postgresql+psycopg://weir@db.example/payments"
WITH_PASSWORD = ADDRESS.replace("weir@", f"weir:{SECRET}@")
MASTER = base64.b64encode(bytes(range(32))).decode()
SASL = {"kafka_security_protocol": "SASL_SSL", "kafka_user": "payments", "kafka_password": SECRET}


def settings(**given: object) -> Settings:
    return Settings.model_validate({"database_url": ADDRESS, **given})


def test_what_is_shown_logged_or_complained_of_holds_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    keys = {"keys_url": WITH_PASSWORD, "master_keys": f"m1:{MASTER}"}
    found = settings(database_url=WITH_PASSWORD, **SASL, **keys)
    logging.getLogger("weir").warning("%s %r %s", found, found, found.database)
    shown = [repr(found), str(found), str(found.model_dump()), found.model_dump_json(), found.database_url]
    for wrong in ({"http_port": "eighty"}, {"kafka_user": None}, {"kafka_ca": Path("/no/such/ca.pem")}):
        try:
            settings(database_url=WITH_PASSWORD, **(SASL | wrong))
        except ValidationError as error:
            shown += [str(error), repr(error), *traceback.format_exception(error)]
        else:
            raise AssertionError(f"{wrong} was taken")
    for text in (*shown, caplog.text):
        assert SECRET not in text
        assert MASTER not in text


def test_a_password_in_an_address_is_used_as_one_of_its_own_is() -> None:
    one, other = settings(database_url=WITH_PASSWORD), settings(database_password=SECRET)
    assert one.database == other.database
    assert one.database.password == SECRET
    assert one.database_dsn == f"postgresql://weir:{SECRET}@db.example/payments"


def test_a_password_of_its_own_goes_before_one_in_the_address() -> None:
    assert settings(database_url=WITH_PASSWORD, database_password="newer").database.password == "newer"


def test_secrets_are_read_from_files_as_containers_mount_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weir_database_password").write_text(f"{SECRET}\n")
    (tmp_path / "weir_kafka_password").write_text(SECRET)
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("WEIR_DATABASE_URL", ADDRESS)
    monkeypatch.setenv("WEIR_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("WEIR_KAFKA_USER", "payments")
    found = Settings.model_validate({})
    assert found.database.password == SECRET
    assert kafka.client_config(found)["sasl.password"] == SECRET


def test_a_folder_of_secrets_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_SECRETS_DIR", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match=r"WEIR_SECRETS_DIR: there is no folder .*missing"):
        Settings()


def test_sasl_without_a_user_is_refused_at_the_start_and_not_by_the_broker() -> None:
    with pytest.raises(ValidationError, match="give WEIR_KAFKA_USER and WEIR_KAFKA_PASSWORD"):
        settings(kafka_security_protocol="SASL_SSL")


def test_an_authority_for_the_database_has_its_server_verified(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    found = settings(database_ca=authority)
    assert found.database.query == {"sslmode": "verify-full", "sslrootcert": str(authority)}


def test_an_authority_has_the_key_store_verified_like_the_database(tmp_path: Path) -> None:
    authority, other = tmp_path / "ca.pem", tmp_path / "keys.pem"
    authority.touch()
    other.touch()
    keys = {"keys_url": WITH_PASSWORD, "master_keys": f"m1:{MASTER}"}

    def asked(**given: Any) -> Any:
        url = settings(**{**keys, **given}).keys
        assert url is not None
        return url.query

    assert asked() == {}
    assert asked(database_ca=authority) == {"sslmode": "verify-full", "sslrootcert": str(authority)}
    assert asked(database_ca=authority, keys_ca=other) == {"sslmode": "verify-full", "sslrootcert": str(other)}
    own = f"{WITH_PASSWORD}?sslmode=verify-full&sslrootcert=own.pem"
    assert asked(database_ca=authority, keys_url=own) == {"sslmode": "verify-full", "sslrootcert": "own.pem"}


def test_clients_are_told_of_authorities(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    found = settings(kafka_ca=authority, registry_ca=authority, **SASL)
    told = kafka.client_config(found)
    assert {name: told[name] for name in told if name.startswith(("s", "b"))} == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "payments",
        "sasl.password": SECRET,
    }
    assert registry.client_config(found)["ssl.ca.location"] == str(authority)


def test_without_security_nothing_is_told_of_it() -> None:
    assert not {name for name in kafka.client_config(settings()) if name.startswith(("ssl", "sasl"))}
    assert settings().database.query == {}


def test_consumers_producers_and_admins_are_told_the_same() -> None:
    found = settings(**SASL)
    common = kafka.client_config(found)
    for config in (kafka.producer_config(found), kafka.consumer_config(found, "group")):
        assert common.items() <= config.items()


def test_a_certificate_goes_with_its_key(tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    certificate.touch()
    with pytest.raises(ValidationError, match="WEIR_HTTP_CERTIFICATE and WEIR_HTTP_KEY go together"):
        settings(http_certificate=certificate)


@pytest.mark.parametrize("token", ["", "short"])
def test_a_token_that_could_be_guessed_is_none(token: str) -> None:
    with pytest.raises(ValidationError, match="at least 16"):
        settings(metrics_token=token)
