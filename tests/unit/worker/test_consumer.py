"""The worker's consumer logs in to Kafka as every other client does."""

from typing import Any

import pytest
from faststream.kafka.security import parse_security

from invoicing.runtime.kafka.connect import client_options
from invoicing.runtime.settings import read_settings
from invoicing.worker.consumer import security

LOGIN = {"kafka_sasl_username": "worker", "kafka_sasl_password": "made-up"}


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        *(
            {
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_mechanism": mechanism,
                **LOGIN,
            }
            for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
        ),
    ],
)
def test_faststream_is_given_the_same_login_as_the_other_clients(chosen: dict[str, Any]) -> None:
    settings = read_settings({}, **chosen)

    given = parse_security(security(settings))

    assert given.items() <= client_options(settings).items()


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_faststream_checks_certificates_where_the_other_clients_do(protocol: str) -> None:
    login = LOGIN if protocol.startswith("SASL") else {}
    settings = read_settings({}, kafka_security_protocol=protocol, **login)

    given, others = parse_security(security(settings)), client_options(settings)

    assert given["security_protocol"] == others["security_protocol"] == protocol
    assert given["ssl_context"].verify_mode == others["ssl_context"].verify_mode
