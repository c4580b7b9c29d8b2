"""Every wrong setting is one sentence that names it, at once and without a secret in it."""

from pathlib import Path

import pytest

from invoicing.runtime.settings import WrongSettingError, read_settings

SECRET = "Canary7Tail"  # no character of it needs to be encoded
DSN = "postgresql://invoicing:secret@localhost/invoicing"
LOGIN = {"KAFKA_SASL_USERNAME": "worker", "KAFKA_SASL_PASSWORD": SECRET}

# What is set, and what the sentence has to name.
WRONG: list[tuple[dict[str, str], str]] = [
    # Names
    ({"KAFKA_BOOTSTRAP_SERVER": "kafka:9092"}, "Did you mean INVOICING_KAFKA_BOOTSTRAP_SERVERS?"),
    ({"POSTGRES_DSNN": DSN}, "Did you mean INVOICING_POSTGRES_DSN?"),
    ({"LOG_LEVE": "DEBUG"}, "Did you mean INVOICING_LOG_LEVEL?"),
    ({"POSTGRES_PASSWORD": SECRET}, "INVOICING_POSTGRES_PASSWORD is not a setting"),
    ({"KAFKA_SASL_PASSWORD_FIL": "/x"}, "Did you mean INVOICING_KAFKA_SASL_PASSWORD_FILE?"),
    ({"BATCH_SIZE": "100"}, "INVOICING_BATCH_SIZE is not a setting"),
    ({"log_level": "DEBUG"}, "INVOICING_log_level is not a setting"),
    ({"SELLERS_FILE_FILE": "/x"}, "Did you mean INVOICING_SELLERS_FILE?"),
    # Nothing where something is wanted
    ({"POSTGRES_DSN": ""}, "INVOICING_POSTGRES_DSN is empty"),
    ({"POSTGRES_DSN": "  "}, "INVOICING_POSTGRES_DSN is empty"),
    ({"SELLERS_FILE": ""}, "INVOICING_SELLERS_FILE is empty"),
    ({"CLIENTS_FILE": ""}, "INVOICING_CLIENTS_FILE is empty"),
    ({"KAFKA_BOOTSTRAP_SERVERS": ""}, "INVOICING_KAFKA_BOOTSTRAP_SERVERS is empty"),
    ({"CONSUMER_GROUP": ""}, "INVOICING_CONSUMER_GROUP is empty"),
    ({"GROUP_INSTANCE_ID": ""}, "INVOICING_GROUP_INSTANCE_ID is empty"),
    ({"TRACES_ENDPOINT": ""}, "INVOICING_TRACES_ENDPOINT is empty"),
    ({"HTTP_HOST": ""}, "INVOICING_HTTP_HOST is empty"),
    ({"TOKEN_SIGNING_KEY": ""}, "INVOICING_TOKEN_SIGNING_KEY is empty"),
    # Postgres
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}/more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}#more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}?more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:x@{SECRET}:more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}[more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}]more@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:1234/{SECRET}@localhost/i"}, "percent-encoded"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost:54x/i"}, "port"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost:0/i"}, "port"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost:65536/i"}, "port"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@a:1,b:x/i"}, "port"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost/i?port=5x"}, "port"),
    ({"POSTGRES_DSN": f"mysql://u:{SECRET}@localhost/i"}, "must be postgresql://"),
    ({"POSTGRES_DSN": f"host=localhost password={SECRET}"}, "must be postgresql://"),
    ({"POSTGRES_DSN": SECRET}, "must be postgresql://"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost/i?sslmode=foo"}, "sslmode"),
    ({"POSTGRES_DSN": f"postgresql://u:{SECRET}@localhost/i?sslmode"}, "name=value"),
    (
        {"POSTGRES_DSN": f"postgresql://u:{SECRET}@h/i?sslmode=verify-full&sslrootcert=/none"},
        "sslrootcert",
    ),
    ({"POSTGRES_DSN": DSN, "POSTGRES_DSN_FILE": "/x"}, "not both"),
    ({"POSTGRES_DSN_FILE": "/nowhere"}, "INVOICING_POSTGRES_DSN_FILE"),
    ({"POSTGRES_DSN_FILE": "/"}, "INVOICING_POSTGRES_DSN_FILE"),
    # Kafka
    ({"KAFKA_BOOTSTRAP_SERVERS": "http://localhost:9092"}, "must be host:port"),
    ({"KAFKA_BOOTSTRAP_SERVERS": f"user:{SECRET}@localhost:9092"}, "must be host:port"),
    ({"KAFKA_BOOTSTRAP_SERVERS": "localhost:99999"}, "must be host:port"),
    ({"KAFKA_BOOTSTRAP_SERVERS": "a:1;b:2"}, "must be host:port"),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs INVOICING_KAFKA_SASL_USERNAME"),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "worker"}, "needs INVOICING_"),
    ({"KAFKA_SECURITY_PROTOCOL": "ssl"}, "INVOICING_KAFKA_SECURITY_PROTOCOL is wrong"),
    (LOGIN, "need INVOICING_KAFKA_SECURITY_PROTOCOL"),
    ({"KAFKA_SSL_CA_PATH": "/ca.pem"}, "need INVOICING_KAFKA_SECURITY_PROTOCOL"),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_PATH": "/key.pem"},
        "needs INVOICING_KAFKA_SSL_CERTIFICATE_PATH",
    ),
    (
        {**LOGIN, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "GSSAPI"},
        "INVOICING_KAFKA_SASL_MECHANISM is wrong",
    ),
    ({"KAFKA_TRANSACTIONS": "true"}, "must be 'on' or 'off'"),
    # Topics and the group
    ({"TOPIC_EVENTS": "invoices.commands"}, "must differ"),
    ({"TOPIC_REPLIES": "bad topic"}, "INVOICING_TOPIC_REPLIES is wrong"),
    ({"TOPIC_COMMANDS": ".."}, "INVOICING_TOPIC_COMMANDS is wrong"),
    ({"TOPIC_DEAD_LETTER": "x" * 250}, "INVOICING_TOPIC_DEAD_LETTER is wrong"),
    ({"TOPIC_PARTITIONS": "0"}, "INVOICING_TOPIC_PARTITIONS is wrong"),
    ({"TOPIC_PARTITIONS": "8.5"}, "INVOICING_TOPIC_PARTITIONS is wrong"),
    ({"TOPIC_REPLICATION_FACTOR": "-2"}, "INVOICING_TOPIC_REPLICATION_FACTOR is wrong"),
    ({"CONSUMER_GROUP": "x" * 201}, "INVOICING_CONSUMER_GROUP is wrong"),
    ({"SESSION_TIMEOUT_SECONDS": "0"}, "INVOICING_SESSION_TIMEOUT_SECONDS is wrong"),
    ({"SESSION_TIMEOUT_SECONDS": "10s"}, "INVOICING_SESSION_TIMEOUT_SECONDS is wrong"),
    ({"BATCH_RECORDS_MAX": "10001"}, "INVOICING_BATCH_RECORDS_MAX is wrong"),
    ({"RETRY_LIMIT_SECONDS": "-1"}, "INVOICING_RETRY_LIMIT_SECONDS is wrong"),
    ({"RETRY_LIMIT_SECONDS": "nan"}, "INVOICING_RETRY_LIMIT_SECONDS is wrong"),
    ({"RETRY_LIMIT_SECONDS": "inf"}, "INVOICING_RETRY_LIMIT_SECONDS is wrong"),
    # The clock, which is moved in tests only
    *(
        (
            {"CLOCK_OFFSET_SECONDS": "1", "KAFKA_BOOTSTRAP_SERVERS": kafka, "POSTGRES_DSN": dsn},
            "INVOICING_CLOCK_OFFSET_SECONDS moves the clock for tests",
        )
        for kafka, dsn in [
            ("kafka:9092", DSN),
            ("localhost:9092,10.0.0.7:9092", DSN),
            ("[2001:db8::1]:9092", DSN),
            ("localhost:9092", "postgresql://u:x@db/i"),
            ("localhost", "postgresql:///i"),
            ("localhost", "postgresql://u:x@localhost:5432,db:5432/i"),
            ("localhost", "postgresql://u:x@localhost/i?host=db"),
        ]
    ),
    ({"CLOCK_OFFSET_SECONDS": "nan", "POSTGRES_DSN": DSN}, "INVOICING_CLOCK_OFFSET_SECONDS is"),
    ({"CLOCK_OFFSET_SECONDS": "2e9", "POSTGRES_DSN": DSN}, "INVOICING_CLOCK_OFFSET_SECONDS is"),
    # HTTP, tokens, metrics, traces, logs
    ({"HTTP_PORT": "99999"}, "INVOICING_HTTP_PORT is wrong"),
    ({"METRICS_PORT": "-1"}, "INVOICING_METRICS_PORT is wrong"),
    ({"HTTP_CORS_ORIGINS": "localhost:5173"}, "INVOICING_HTTP_CORS_ORIGINS is wrong"),
    ({"HTTP_CORS_ORIGINS": "https://a.example/app"}, "INVOICING_HTTP_CORS_ORIGINS is wrong"),
    ({"HTTP_CORS_ORIGINS": "https://a.example https://b"}, "INVOICING_HTTP_CORS_ORIGINS is wrong"),
    ({"HTTP_CORS_ORIGINS": "*"}, "INVOICING_HTTP_CORS_ORIGINS is wrong"),
    ({"HTTP_REQUESTS_PER_SECOND_MAX": "0"}, "INVOICING_HTTP_REQUESTS_PER_SECOND_MAX is wrong"),
    ({"TOKEN_JWKS_URL": "ftp://issuer/keys"}, "INVOICING_TOKEN_JWKS_URL is wrong"),
    ({"TOKEN_LIFETIME_SECONDS": "0"}, "INVOICING_TOKEN_LIFETIME_SECONDS is wrong"),
    ({"TOKEN_SIGNING_KEY_FILE": "/nowhere"}, "INVOICING_TOKEN_SIGNING_KEY_FILE"),
    ({"TRACES_ENDPOINT": "notaurl"}, "INVOICING_TRACES_ENDPOINT is wrong"),
    ({"TRACES_ENDPOINT": "http://collector:x"}, "INVOICING_TRACES_ENDPOINT is wrong"),
    ({"TRACES_ENDPOINT": f"grpc://u:{SECRET}@collector"}, "INVOICING_TRACES_ENDPOINT is wrong"),
    ({"LOG_FORMAT": "xml"}, "must be 'console' or 'json'"),
    ({"LOG_LEVEL": "debug"}, "INVOICING_LOG_LEVEL is wrong"),
]


@pytest.mark.parametrize(("wrong", "named"), WRONG, ids=lambda one: str(one)[:60])
def test_a_wrong_setting_is_one_sentence_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], named: str
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(f"INVOICING_{name}", value)

    with pytest.raises(WrongSettingError) as raised:
        read_settings()

    sentence = str(raised.value)
    assert named in sentence
    assert sentence.startswith(("INVOICING_", "Set INVOICING_"))
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    assert SECRET not in sentence
    assert "more" not in sentence.replace("more than", "")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_all_wrong_settings_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICING_LOG_FORMAT", "xml")
    monkeypatch.setenv("INVOICING_HTTP_PORT", "x")

    with pytest.raises(WrongSettingError) as raised:
        read_settings()

    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    "dsn",
    [
        DSN,
        "postgres://localhost",
        "postgresql:///invoicing?host=/var/run/postgresql",
        "postgresql://u:p%40ss%2F%23%3F@db.example:5433/invoicing?application_name=a@b",
        "postgresql://u@a:1,b:2,[::1]:3/invoicing?target_session_attrs=read-write",
        "postgresql://u:p:w@h/invoicing?sslmode=verify-full",
    ],
)
def test_a_dsn_that_asyncpg_takes_is_taken(dsn: str) -> None:
    assert read_settings({}, postgres_dsn=dsn).dsn == dsn


def test_variables_of_kubernetes_compose_and_the_tests_are_not_taken_for_settings(
    tmp_path: Path,
) -> None:
    read_settings(
        {
            "INVOICING_API_SERVICE_HOST": "10.0.0.1",
            "INVOICING_API_SERVICE_PORT_HTTP": "80",
            "INVOICING_API_PORT_80_TCP_ADDR": "10.0.0.1",
            "INVOICING_IMAGE": "invoicing",
            "INVOICING_WORKER_PASSWORD": "worker",
            "INVOICING_TEST_KAFKA": "localhost:9092",
        }
    )


def test_no_origins_may_be_said_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICING_HTTP_CORS_ORIGINS", "")

    assert read_settings().http_cors_origins == ""
