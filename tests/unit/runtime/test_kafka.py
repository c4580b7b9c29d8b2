"""Connecting to Kafka: wrong settings are told by name."""

from pathlib import Path

import pytest

from runtime.kafka import client_options
from runtime.settings import WrongSettingError, read_settings


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("kafka_ssl_ca_path", "INVOICING_KAFKA_SSL_CA_PATH"),
        ("kafka_ssl_certificate_path", "INVOICING_KAFKA_SSL_CERTIFICATE_PATH or _KEY_PATH"),
    ],
)
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, setting: str, name: str, content: str | None
) -> None:
    path = tmp_path / "certificate.pem"
    if content is not None:
        path.write_text(content)
    settings = read_settings({}, kafka_security_protocol="SSL", **{setting: path})

    with pytest.raises(WrongSettingError, match=f"^{name} cannot be used: "):
        client_options(settings)
