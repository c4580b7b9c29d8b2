"""Kafka clients: how every one of them connects, reads and writes."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed

from invoicing.runtime.kafka import header_names
from invoicing.runtime.retry import describe
from invoicing.runtime.settings import PREFIX, Settings, WrongSettingError

CLIENT_ID: Final = "invoicing"
# A broker answers as soon as there is a record; the embedded one only after this time.
FETCH_WAIT_MS_MAX: Final = 100
TRANSACTION_TIMEOUT_MS: Final = 60_000

header_names.accept_any()


class KafkaLoginError(KafkaConnectionError):  # type: ignore[misc]
    """The brokers refuse our user or password."""


def is_kafka_outage(error: BaseException) -> bool:
    """Whether an error means that Kafka is unavailable, so that a retry may help."""
    return isinstance(error, KafkaError | OSError | TimeoutError)


def new_consumer(settings: Settings, *topics: str, **options: Any) -> AIOKafkaConsumer:
    """A consumer of committed records that commits nothing by itself; without a group by default.

    `options` are aiokafka's. The caller starts and stops it.
    """
    defaults = {
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": FETCH_WAIT_MS_MAX,
    }
    return AIOKafkaConsumer(*topics, **client_options(settings), **(defaults | options))


def new_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """A producer that all in-sync replicas acknowledge and whose retries duplicate nothing."""
    return AIOKafkaProducer(
        **client_options(settings), **({"acks": "all", "enable_idempotence": True} | options)
    )


def new_transactional_producer(settings: Settings, name: str, **options: Any) -> AIOKafkaProducer:
    """A producer of transactions: its start fences any other of this name.

    With KAFKA_TRANSACTIONS=off it is merely idempotent.
    """
    if not settings.is_transactional:
        return new_producer(settings, **options)
    return new_producer(
        settings, transactional_id=name, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS, **options
    )


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started client for topics and groups.

    Raises `KafkaConnectionError` with the reason, or `KafkaLoginError`: aiokafka only logs that a
    certificate is not trusted, or a password wrong.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
    except KafkaConnectionError as error:
        reasons = await _connection_errors(settings)
        is_refused = any(
            isinstance(reason, SaslAuthenticationFailed) for reason in reasons.values()
        )
        message = "; ".join(f"{server}: {describe(reason)}" for server, reason in reasons.items())
        raise (KafkaLoginError if is_refused else KafkaConnectionError)(
            message or str(error)
        ) from error
    try:
        yield admin
    finally:
        await admin.close()


async def _connection_errors(settings: Settings) -> dict[str, Exception]:
    """Why each of the bootstrap servers cannot be connected to."""
    options = client_options(settings)
    errors: dict[str, Exception] = {}
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            connection = await create_conn(host, port, **options)
            connection.close()
        except (OSError, KafkaError, TimeoutError) as error:
            errors[f"{host}:{port}"] = error
    return errors


def client_options(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client needs to connect. Raises `WrongSettingError`."""
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": CLIENT_ID,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": ssl_context(settings),
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
    }


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """The certificates to trust and to show; None without TLS. Raises `WrongSettingError`."""
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    with _usable("KAFKA_SSL_CA_PATH"):
        context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_path)
    if settings.kafka_ssl_certificate_path:
        password = settings.kafka_ssl_key_password
        with _usable("KAFKA_SSL_CERTIFICATE_PATH or _KEY_PATH"):
            context.load_cert_chain(
                settings.kafka_ssl_certificate_path,
                settings.kafka_ssl_key_path,
                password.get_secret_value() if password else None,
            )
    return context


@contextmanager
def _usable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # OpenSSL's errors are OSErrors, too
        raise WrongSettingError(f"{PREFIX}{name} cannot be used: {describe(error)}.") from None
