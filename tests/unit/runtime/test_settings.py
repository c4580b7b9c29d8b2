"""A wrong setting stops the start with a sentence that names it."""

from pathlib import Path

import pytest
from aiokafka.conn import collect_hosts

from invoicing.runtime.settings import Settings, WrongSettingError, read_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A usable environment; tests add to it through `read`."""
    return {"INVOICING_POSTGRES_DSN": "postgresql://localhost/invoicing"}


def read(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **more: str) -> Settings:
    whole = environment | {f"INVOICING_{name}": value for name, value in more.items()}
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    return read_settings(whole)


def test_the_defaults_are_the_documented_ones(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = read(monkeypatch, environment)

    assert settings.topic_commands == "invoices.commands"
    assert settings.topic_dead_letter == "invoices.commands.dead-letter"
    assert settings.topic_partitions == 8
    assert settings.consumer_group == "invoicing"
    assert settings.is_transactional
    assert (settings.http_port, settings.metrics_port) == (8000, 9000)


@pytest.mark.parametrize("servers", ["localhost", "127.0.0.1:9092", "[::1]:9092, localhost:9093"])
@pytest.mark.parametrize(
    "dsn", ["postgresql://u:x@localhost:5432/i", "postgresql:///i?host=/run/postgresql"]
)
def test_the_clock_is_moved_beside_a_kafka_and_a_postgres_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, servers: str, dsn: str
) -> None:
    given = {"KAFKA_BOOTSTRAP_SERVERS": servers, "CLOCK_OFFSET_SECONDS": "-86400"}
    settings = read(monkeypatch, {"INVOICING_POSTGRES_DSN": dsn}, **given)
    assert settings.clock_offset_seconds == -86_400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOPIC_PARTITIONS", "none"),
        ("TOPIC_PARTITIONS", "0"),
        ("KAFKA_TRANSACTIONS", "perhaps"),
        ("METRICS_PORT", "70000"),
        ("BATCH_RECORDS_MAX", "0"),
        ("LOG_FORMAT", "xml"),
        ("TOPIC_EVENTS", "not a topic"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("RETRY_LIMIT_SECONDS", "-1"),
    ],
)
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, value: str
) -> None:
    with pytest.raises(WrongSettingError, match=f"INVOICING_{name}"):
        read(monkeypatch, environment, **{name: value})


@pytest.mark.parametrize(
    "servers",
    [
        "", " ", "host:", ":9092", "localhost:9O92", "host:0", "host:65536", "host:-1", "host:+1",
        "host:９０９２", "a:1,,b:2", "a:1,", "a:1 b:2", "a:1;b:2", "a:b:1", "PLAINTEXT://host:9092",
        "[::1", "::1]:9092", "[::1]9092", "[::1]:", "[]:9092", "[host]:9092", "[::1]]:9092",
    ],
)  # fmt: skip
def test_servers_that_have_no_address_are_named(servers: str) -> None:
    with pytest.raises(
        WrongSettingError, match=r"INVOICING_KAFKA_BOOTSTRAP_SERVERS is wrong: it must be host:port"
    ):
        read_settings({}, kafka_bootstrap_servers=servers)


@pytest.mark.parametrize(
    ("servers", "places"),
    [
        ("localhost:9092", [("localhost", 9092)]),
        ("kafka", [("kafka", 9092)]),
        ("10.0.0.1:19092, kafka_2.internal:1", [("10.0.0.1", 19092), ("kafka_2.internal", 1)]),
        ("[::1]:9093,[fe80::1]", [("::1", 9093), ("fe80::1", 9092)]),
        ("2001:db8::7", [("2001:db8::7", 9092)]),
        ("bücher.example:65535", [("bücher.example", 65535)]),
    ],
)
def test_servers_are_taken_as_the_client_takes_them(
    servers: str, places: list[tuple[str, int]]
) -> None:
    settings = read_settings({}, kafka_bootstrap_servers=servers)

    told = collect_hosts(settings.kafka_bootstrap_servers, randomize=False)
    assert [(host, port) for host, port, _ in told] == places


def test_a_missing_database_is_named() -> None:
    with pytest.raises(WrongSettingError, match="INVOICING_POSTGRES_DSN is not set"):
        _ = read_settings({}).dsn


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://db/invoicing\n")

    settings = read(monkeypatch, {}, POSTGRES_DSN_FILE=str(tmp_path / "dsn"))

    assert settings.dsn == "postgresql://db/invoicing"


def test_a_secrets_file_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(WrongSettingError, match=r"INVOICING_POSTGRES_DSN_FILE.*cannot be read"):
        read(monkeypatch, {}, POSTGRES_DSN_FILE=str(tmp_path / "dsn"))


def test_a_secret_in_two_places_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(WrongSettingError, match="not both"):
        read(monkeypatch, environment, POSTGRES_DSN_FILE=str(tmp_path / "dsn"))


def test_a_login_without_a_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    with pytest.raises(WrongSettingError, match="needs INVOICING_KAFKA_SASL_USERNAME and"):
        read(monkeypatch, environment, KAFKA_SECURITY_PROTOCOL="SASL_SSL")


def test_two_topics_of_one_name_are_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    with pytest.raises(WrongSettingError, match="must differ"):
        read(monkeypatch, environment, TOPIC_EVENTS="invoices.commands")


def test_a_secret_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = read(
        monkeypatch,
        environment,
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_USERNAME="worker",
        KAFKA_SASL_PASSWORD="hush",
    )

    assert "hush" not in repr(settings)
    assert "hush" not in settings.model_dump_json()
