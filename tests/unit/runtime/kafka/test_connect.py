"""Connections to Kafka: an unusable file names its setting."""

from pathlib import Path

import pytest

from invoicing.runtime.kafka.connect import client_options
from invoicing.runtime.settings import WrongSettingError, read_settings


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("kafka_ssl_ca_path", "INVOICING_KAFKA_SSL_CA_PATH"),
        ("kafka_ssl_certificate_path", "INVOICING_KAFKA_SSL_CERTIFICATE_PATH or _KEY_PATH"),
    ],
)
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_names_its_setting(
    tmp_path: Path, setting: str, name: str, content: str | None
) -> None:
    path = tmp_path / "certificate.pem"
    if content is not None:
        path.write_text(content)
    settings = read_settings({}, kafka_security_protocol="SSL", **{setting: path})

    with pytest.raises(WrongSettingError, match=f"^{name} cannot be used: "):
        client_options(settings)
