"""The settings, from the environment: `INVOICING_` and the field's name in capitals.

A secret may be given as a file, `INVOICING_..._FILE`, as container platforms mount them. A wrong
setting stops the start with a sentence that names it and quotes no secret. docs/settings.md is
generated from the descriptions here.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from invoicing.runtime.addresses import (
    PORT_MAX,
    are_on_this_machine,
    check_origins,
    check_postgres_dsn,
    check_servers,
    check_topic,
    check_url,
)
from invoicing.runtime.errors import OperatorError

PREFIX: Final = "INVOICING_"
SECRETS: Final = (
    "POSTGRES_DSN",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD",
    "TOKEN_SIGNING_KEY",
)
# Read by docker-compose.yml, deploy/postgres and the tests, which share our prefix.
NOT_OURS: Final = re.compile(r"IMAGE|(MIGRATOR|WORKER|API)_PASSWORD|TEST_.*")


class WrongSettingError(OperatorError):
    """A setting that cannot be used. The message names it and says what is wanted."""


def _check_secret_dsn(dsn: SecretStr) -> SecretStr:
    check_postgres_dsn(dsn.get_secret_value())
    return dsn


Servers = Annotated[str, AfterValidator(check_servers)]
Topic = Annotated[str, AfterValidator(check_topic)]
Url = Annotated[str, AfterValidator(check_url)]
Origins = Annotated[str, AfterValidator(check_origins)]
PostgresDsn = Annotated[SecretStr, AfterValidator(_check_secret_dsn)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=PORT_MAX)]


class Settings(BaseSettings):
    """What an operator can set. The unit comes last in a name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka_bootstrap_servers: Servers = Field(
        default="localhost:9092",
        description="Brokers to connect to first: host:port, comma separated.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Whether connections are encrypted, and with a login."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How the login is proved; for the SASL protocols."
    )
    kafka_sasl_username: str | None = Field(
        default=None, description="User name; for the SASL protocols."
    )
    kafka_sasl_password: SecretStr | None = Field(
        default=None, description="Password; for the SASL protocols."
    )
    kafka_ssl_ca_path: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the brokers' certificates;"
        " the system's own if not set.",
    )
    kafka_ssl_certificate_path: Path | None = Field(
        default=None, description="PEM file of our own certificate, for brokers that ask for one."
    )
    kafka_ssl_key_path: Path | None = Field(
        default=None,
        description="PEM file of the certificate's private key, if it is not in the same file.",
    )
    kafka_ssl_key_password: SecretStr | None = Field(
        default=None, description="Password of the private key, if it is encrypted."
    )
    kafka_transactions: Literal["on", "off"] = Field(
        default="on",
        description="`off` publishes at least once instead of exactly once, for brokers without"
        " transactions.",
    )

    postgres_dsn: PostgresDsn | None = Field(
        default=None,
        description="`postgresql://user:password@host:port/database`. Special characters in user"
        " and password must be percent-encoded. Every command but `topics` needs it.",
    )

    consumer_group: str = Field(
        default="invoicing",
        min_length=1,
        max_length=200,
        description="Consumer group of the workers. It names the offsets: do not change it later.",
    )
    group_instance_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Name of this worker in the group (static membership). A worker that was killed"
        " and returns under its name within the session timeout gets its partitions back.",
    )
    session_timeout_seconds: Annotated[float, Field(ge=1, le=1800)] = Field(
        default=10.0,
        description="How long a silent worker keeps its partitions. Brokers allow 6 seconds and"
        " more by default.",
    )

    topic_commands: Topic = Field(default="invoices.commands", description="Topic of commands.")
    topic_events: Topic = Field(default="invoices.events", description="Topic of events.")
    topic_replies: Topic = Field(default="invoices.replies", description="Topic of replies.")
    topic_dead_letter: Topic = Field(
        default="invoices.commands.dead-letter", description="Topic of dead letters."
    )
    topic_partitions: PositiveInt = Field(
        default=8, description="Partitions of topics that `invoicing topics` creates."
    )
    topic_replication_factor: Annotated[int, Field(ge=-1)] = Field(
        default=-1,
        description="Replicas of topics that `invoicing topics` creates; -1: the broker's default.",
    )

    batch_records_max: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="Records of one partition that are handled at once. More take more memory and"
        " are no faster.",
    )
    retry_limit_seconds: Positive = Field(
        default=60.0,
        description="How long an outage of Kafka or Postgres is retried before the process ends.",
    )

    http_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that the API listens on. Any but this machine's own needs tokens.",
    )
    http_port: Port = Field(default=8000, description="Port of the API; 0 for any.")
    http_cors_origins: Origins = Field(
        default="",
        description="Origins whose pages may call the API from a browser, comma separated:"
        " `https://app.example.com`. None by default.",
    )
    http_requests_per_second_max: Positive = Field(
        default=200.0,
        description="Requests of one client, on average; it may save up two seconds' worth.",
    )
    token_issuer: str = Field(
        default="invoicing", min_length=1, description="Issuer (`iss`) that tokens must name."
    )
    token_audience: str = Field(
        default="invoicing", min_length=1, description="Audience (`aud`) that tokens must name."
    )
    token_jwks_url: Url | None = Field(
        default=None, description="Where the issuer publishes its keys (JWKS, RFC 7517)."
    )
    token_jwks_file: Path | None = Field(
        default=None, description="The issuer's keys as a file (JWKS, RFC 7517)."
    )
    token_signing_key: SecretStr | None = Field(
        default=None,
        description="Private key in PEM (Ed25519, P-256 or RSA) to issue tokens with, at"
        " `/oauth/token` and by `invoicing token`.",
    )
    token_lifetime_seconds: PositiveInt = Field(
        default=3600, description="Lifetime of the tokens that the API issues."
    )
    clients_file: Path | None = Field(
        default=None,
        description="TOML file of the clients that may get a token at `/oauth/token`; see below.",
    )
    metrics_host: str = Field(
        default="0.0.0.0",  # noqa: S104 (scraped from other machines; no customer's data)
        min_length=1,
        description="Address that /metrics and the health checks listen on.",
    )
    metrics_port: Port = Field(
        default=9000, description="Port of /metrics and the health checks; 0 for any."
    )
    traces_endpoint: Url | None = Field(
        default=None,
        description="Where traces go by OTLP over HTTP: `http://host:4318/v1/traces`. Nowhere by"
        " default.",
    )
    log_format: Literal["console", "json"] = Field(
        default="json", description="Format of the log lines on standard error."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe level that is logged."
    )
    clock_offset_seconds: Annotated[float, Field(ge=-1e9, le=1e9)] = Field(
        default=0,
        description="For tests: moves the clock of the process. Refused unless Kafka and Postgres"
        " are on this machine.",
    )
    sellers_file: Path | None = Field(
        default=None,
        description="TOML file of the sellers; see below. Without it, every seller id is taken,"
        " with default settings.",
    )

    @property
    def dsn(self) -> str:
        """Where Postgres is. Raises `WrongSettingError` if it is not set."""
        if self.postgres_dsn is None:
            raise WrongSettingError(
                f"{PREFIX}POSTGRES_DSN is not set. It is needed, and has no default."
            )
        return self.postgres_dsn.get_secret_value()

    @property
    def is_transactional(self) -> bool:
        """Whether a batch is published in one Kafka transaction."""
        return self.kafka_transactions == "on"

    @model_validator(mode="after")
    def _check_topics(self) -> Self:
        topics = (
            self.topic_commands,
            self.topic_events,
            self.topic_replies,
            self.topic_dead_letter,
        )
        if len(set(topics)) < len(topics):
            raise ValueError(
                f"{PREFIX}TOPIC_COMMANDS, _TOPIC_EVENTS, _TOPIC_REPLIES and _TOPIC_DEAD_LETTER"
                " must differ"
            )
        return self

    @model_validator(mode="after")
    def _check_clock(self) -> Self:
        dsn = self.postgres_dsn.get_secret_value() if self.postgres_dsn else ""
        if self.clock_offset_seconds and not are_on_this_machine(self.kafka_bootstrap_servers, dsn):
            raise ValueError(
                f"{PREFIX}CLOCK_OFFSET_SECONDS moves the clock for tests, and needs a Kafka and a"
                " Postgres on this machine. Remove it"
            )
        return self

    @model_validator(mode="after")
    def _check_kafka_security(self) -> Self:
        protocol = self.kafka_security_protocol
        if protocol.startswith("SASL"):
            if not (self.kafka_sasl_username and self.kafka_sasl_password):
                raise ValueError(
                    f"{PREFIX}KAFKA_SECURITY_PROTOCOL={protocol} needs {PREFIX}KAFKA_SASL_USERNAME"
                    " and _KAFKA_SASL_PASSWORD"
                )
        elif self.kafka_sasl_username or self.kafka_sasl_password:
            raise ValueError(
                f"{PREFIX}KAFKA_SASL_USERNAME and _KAFKA_SASL_PASSWORD need"
                f" {PREFIX}KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT"
            )
        if not protocol.endswith("SSL") and (self.kafka_ssl_ca_path or self.kafka_ssl_key_path):
            raise ValueError(
                f"{PREFIX}KAFKA_SSL_CA_PATH and _KAFKA_SSL_KEY_PATH need"
                f" {PREFIX}KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"
            )
        if self.kafka_ssl_key_path and not self.kafka_ssl_certificate_path:
            raise ValueError(f"{PREFIX}KAFKA_SSL_KEY_PATH needs {PREFIX}KAFKA_SSL_CERTIFICATE_PATH")
        return self


def read_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """The settings in force, from the process's own environment unless another is given.

    Raises `WrongSettingError` with a line for each setting that is wrong.
    """
    environment = os.environ if environment is None else environment
    wrong = [
        *_unknown(environment),
        *(
            f"{variable} is empty. Give it a value, or remove it."
            for variable in _of_ours(environment)
            if not environment[variable].strip() and variable != f"{PREFIX}HTTP_CORS_ORIGINS"
        ),
    ]
    if wrong:
        raise WrongSettingError("\n".join(wrong))
    try:
        return Settings(**{**_secrets_from_files(environment), **overrides})  # type: ignore[arg-type]
    except ValidationError as error:
        raise WrongSettingError("\n".join(map(_sentence, error.errors()))) from None


def setting_names() -> list[str]:
    """The name of every variable that is read, without the prefix."""
    return [name.upper() for name in Settings.model_fields] + [f"{name}_FILE" for name in SECRETS]


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = setting_names()
    for variable in _of_ours(environment):
        name = variable.removeprefix(PREFIX)
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"Did you mean {PREFIX}{close[0]}? " if close else ""
            yield f"{variable} is not a setting. {meant}docs/settings.md lists them all."


def _of_ours(environment: Mapping[str, str]) -> Iterable[str]:
    """Variables of our prefix, but those that Kubernetes makes for a Service of such a name."""
    services = tuple(
        variable.removesuffix("SERVICE_HOST")
        for variable in environment
        if variable.startswith(PREFIX) and variable.endswith("_SERVICE_HOST")
    )
    return [
        variable
        for variable in environment
        if variable.startswith(PREFIX)
        and not variable.startswith(services)
        and not NOT_OURS.fullmatch(variable.removeprefix(PREFIX))
    ]


def _secrets_from_files(environment: Mapping[str, str]) -> dict[str, str]:
    secrets = {}
    for name in SECRETS:
        path = environment.get(f"{PREFIX}{name}_FILE")
        if path is None:
            continue
        if f"{PREFIX}{name}" in environment:
            raise WrongSettingError(f"Set {PREFIX}{name} or {PREFIX}{name}_FILE, not both.")
        try:
            secrets[name.lower()] = Path(path).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise WrongSettingError(
                f"{PREFIX}{name}_FILE: {path} cannot be read: {reason}."
            ) from None
        if not secrets[name.lower()].strip():
            raise WrongSettingError(f"{PREFIX}{name}_FILE: {path} is empty.")
    return secrets


def _sentence(error: Mapping[str, object]) -> str:
    path = error["loc"]
    assert isinstance(path, tuple)
    reason = str(error["msg"]).removeprefix("Value error, ")
    if not path:
        return f"{reason}."
    reason = re.sub("^Input should be", "must be", reason).partition(", unable to parse")[0]
    name = str(path[0]).upper()
    # Of a text, the value is not shown: a password may have been pasted into the wrong variable.
    is_shown = error["type"] not in {"value_error", "string_too_short", "string_too_long"}
    shown = f"; it is {str(error['input'])[:40]!r}" if is_shown and name not in SECRETS else ""
    return f"{PREFIX}{name} is wrong: it {reason}{shown}."
