"""The file of sellers."""

from invoicing.domain.sellers import Sellers, SellersFile
from invoicing.runtime.settings import Settings
from invoicing.runtime.toml_files import read_toml_file


def sellers_of(settings: Settings) -> Sellers:
    """The sellers in force. Raises `WrongSettingError`."""
    if settings.sellers_file is None:
        return Sellers()
    return Sellers(read_toml_file("SELLERS_FILE", settings.sellers_file, SellersFile).sellers)
