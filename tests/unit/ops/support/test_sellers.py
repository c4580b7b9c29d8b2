"""The file of sellers."""

from pathlib import Path

import pytest

from invoicing.ops.support.sellers import sellers_of
from invoicing.runtime.settings import Settings, WrongSettingError, read_settings


def settings_with(path: Path | None) -> Settings:
    return read_settings({}, postgres_dsn="postgresql://nowhere", sellers_file=path)


def test_without_a_sellers_file_everyone_may_sell() -> None:
    assert sellers_of(settings_with(None)).find("whoever") is not None


def test_with_a_sellers_file_only_the_listed_may_sell(tmp_path: Path) -> None:
    path = tmp_path / "sellers.toml"
    path.write_text('[sellers.acme]\nname = "Acme"\n')

    sellers = sellers_of(settings_with(path))

    assert sellers.find("acme") is not None
    assert sellers.find("whoever") is None


@pytest.mark.parametrize(
    "content", [b"[sellers", b"[seller.acme]", b'[sellers.acme]\ncolour = "red"', b"\xff"]
)
def test_a_wrong_sellers_file_is_told_by_its_setting(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sellers.toml"
    path.write_bytes(content)

    with pytest.raises(WrongSettingError, match="INVOICING_SELLERS_FILE"):
        sellers_of(settings_with(path))


def test_a_sellers_file_that_is_not_there_is_told_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(WrongSettingError, match=r"INVOICING_SELLERS_FILE.*No such file"):
        sellers_of(settings_with(tmp_path / "none.toml"))
