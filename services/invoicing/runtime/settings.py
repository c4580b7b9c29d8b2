"""The settings, from the environment: `INVOICING_` and the field's name in capitals.

A secret may be given as a file, `INVOICING_..._FILE`, as container platforms mount them. A wrong
setting stops the start with a sentence that names it.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "INVOICING_"
SECRETS: Final = (
    "POSTGRES_DSN",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD",
    "TOKEN_SIGNING_KEY",
)


class WrongSettingError(Exception):
    """A setting that cannot be used. The message names it and says what is wanted."""


def _is_topic(name: str) -> str:
    if not (
        1 <= len(name) <= 249 and all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    ):
        raise ValueError("must be a topic's name: 1 to 249 of A-Z a-z 0-9 . _ -")
    return name


def _are_servers(text: str) -> str:
    if not all(_is_server(server.strip()) for server in text.split(",")):
        raise ValueError("must be host:port, or several of them with commas between")
    return text


def _is_server(text: str) -> bool:
    """Whether aiokafka can make an address of it; without a port it takes 9092."""
    match = _SERVER.fullmatch(text)
    if match is None:
        return _is_ipv6(text)
    if match["ipv6"] is not None and not _is_ipv6(match["ipv6"]):
        return False
    return match["port"] is None or 1 <= int(match["port"]) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


_SERVER: Final = re.compile(
    r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^\[\]:;/\s]+))(?::(?P<port>[0-9]{1,5}))?"
)

Servers = Annotated[str, AfterValidator(_are_servers)]
Topic = Annotated[str, AfterValidator(_is_topic)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """What an operator can set. The unit comes last in a name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka_bootstrap_servers: Servers = Field(
        default="localhost:9092", description="host:port, comma separated"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_path: Path | None = Field(
        default=None, description="PEM; the system's authorities where not set"
    )
    kafka_ssl_certificate_path: Path | None = None
    kafka_ssl_key_path: Path | None = None
    kafka_ssl_key_password: SecretStr | None = None
    kafka_transactions: Literal["on", "off"] = Field(
        default="on", description="off: at least once, for a broker without transactions"
    )

    postgres_dsn: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host:port/database"
    )

    consumer_group: str = Field(default="invoicing", min_length=1, max_length=200)
    group_instance_id: str | None = Field(
        default=None, description="static membership: a worker that was killed has its lanes back"
    )
    session_timeout_seconds: Annotated[float, Field(ge=1, le=1800)] = 10.0

    topic_commands: Topic = "invoices.commands"
    topic_events: Topic = "invoices.events"
    topic_replies: Topic = "invoices.replies"
    topic_dead_letter: Topic = "invoices.commands.dead-letter"
    topic_partitions: PositiveInt = 8
    topic_replication_factor: Annotated[int, Field(ge=-1)] = Field(
        default=-1, description="-1: the broker's own default"
    )

    batch_records_max: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="records that a lane handles at once: more take memory, and are no faster",
    )
    retry_limit_seconds: PositiveFloat = Field(
        default=60.0, description="how long an outage is retried before the process stops"
    )

    http_host: str = "127.0.0.1"
    http_port: Port = 8000
    http_cors_origins: str = Field(
        default="", description="whose pages may call us from a browser, comma separated"
    )
    http_requests_per_second_max: PositiveFloat = Field(
        default=200.0, description="of one client, on average; it may save up two seconds' worth"
    )
    token_issuer: str = Field(default="invoicing", min_length=1, description="`iss` of tokens")
    token_audience: str = Field(default="invoicing", min_length=1, description="`aud` of tokens")
    token_jwks_url: str | None = Field(
        default=None, description="where the issuer publishes its keys (RFC 7517)"
    )
    token_jwks_file: Path | None = Field(default=None, description="the same as a file")
    token_signing_key: SecretStr | None = Field(
        default=None, description="PEM; to issue tokens ourselves, at /oauth/token"
    )
    token_lifetime_seconds: PositiveInt = 3600
    clients_file: Path | None = Field(
        default=None, description="TOML; who may have a token from us, with hashed secrets"
    )
    metrics_host: str = "0.0.0.0"  # noqa: S104 (scraped from other machines; no customer's data)
    metrics_port: Port = 9000
    traces_endpoint: str | None = Field(
        default=None, description="where traces go by OTLP over HTTP: http://host:4318/v1/traces"
    )
    log_format: Literal["console", "json"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    sellers_file: Path | None = None

    @property
    def dsn(self) -> str:
        """Where Postgres is. Raises `WrongSettingError` where nobody has said so."""
        if self.postgres_dsn is None:
            raise WrongSettingError(
                f"{PREFIX}POSTGRES_DSN is not set. It is needed: there is no right default for it."
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
            raise ValueError("TOPIC_COMMANDS, _EVENTS, _REPLIES and _DEAD_LETTER must differ")
        return self

    @model_validator(mode="after")
    def _check_sasl(self) -> Self:
        wants_login = self.kafka_security_protocol.startswith("SASL")
        if wants_login and not (self.kafka_sasl_username and self.kafka_sasl_password):
            raise ValueError(
                f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs"
                " KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
            )
        return self


def read_settings(environment: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
    """The settings in force. Raises `WrongSettingError`."""
    try:
        return Settings(**{**_secrets_from_files(environment), **overrides})  # type: ignore[arg-type]
    except ValidationError as error:
        raise WrongSettingError("\n".join(map(_sentence, error.errors()))) from None


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
    return secrets


def _sentence(error: Mapping[str, object]) -> str:
    path = error["loc"]
    assert isinstance(path, tuple)
    if not path:
        return f"{PREFIX[:-1]} settings: {str(error['msg']).removeprefix('Value error, ')}."
    name = f"{PREFIX}{'_'.join(map(str, path)).upper()}"
    reason = str(error["msg"]).removeprefix("Value error, ")
    if name.removeprefix(PREFIX) in SECRETS:
        return f"{name} is wrong: {reason}."
    return f"{name} is wrong: {reason}; it is {str(error['input'])[:100]!r}."
