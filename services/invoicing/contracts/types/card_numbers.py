"""Card numbers in texts: found, and masked."""

import re
from typing import Final

from stdnum import ean, luhn

# A run of digits as people write a card's: groups with one blank or hyphen between them.
_RUN: Final = re.compile(r"[0-9](?:[ -]?[0-9]){12,}")
_UNBROKEN_RUN: Final = re.compile(r"[0-9]{13,}")
_DIGITS_AS_0: Final = bytes.maketrans(b"123456789", b"0" * 9)
_SHORTEST: Final = b"0" * 13
_SEPARATORS: Final = str.maketrans("", "", " -")

_TO_16, _TO_19 = frozenset({16}), frozenset({16, 17, 18, 19})
_ISSUERS: Final = (
    ("1", "1", frozenset({15})),  # UATP
    ("2200", "2205", _TO_19),  # Mir, Borica
    ("2221", "2720", _TO_16),  # Mastercard
    ("300", "305", frozenset({14, *_TO_19})),  # Diners Club
    ("3095", "3095", frozenset({14, *_TO_19})),
    ("36", "36", frozenset(range(14, 20))),
    ("38", "39", frozenset({14, *_TO_19})),
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("3528", "3589", _TO_19),  # JCB
    ("4", "4", frozenset({13, 16, 19})),  # Visa
    ("50", "50", frozenset(range(13, 20))),  # Maestro, Elo, Verve
    ("51", "55", _TO_16),  # Mastercard
    ("56", "58", frozenset(range(13, 20))),  # Maestro
    ("6", "6", frozenset(range(13, 20))),  # Maestro, Discover, UnionPay, RuPay, Elo, Hipercard
    ("81", "82", _TO_19),  # UnionPay, RuPay
    ("8600", "8600", _TO_16),  # UzCard
    ("9792", "9792", _TO_16),  # Troy
    ("9860", "9860", _TO_16),  # Humo
)
"""First and last prefix of each range, and the lengths of its numbers.

ISO/IEC 7812 defines the numbers; its register of issuers is not public. The ranges are those of
https://en.wikipedia.org/wiki/Payment_card_number.
"""


def may_hold_card_number(json: bytes) -> bool:
    """Whether there are as many digits in a row as a card number has; cheap, and never wrongly no.

    Blanks and hyphens do not count.
    """
    return _SHORTEST in json.translate(_DIGITS_AS_0, b" -")


def mask_card_numbers(text: str) -> str:
    """Return the text with all but the first and last four digits of each card number masked.

    A card number is a run of 13 to 19 digits, single blanks or hyphens allowed between them, that
    is not part of a longer run, has the prefix and length of an issuer, and passes Luhn's check. So
    does one of ten numbers of those prefixes that are no card's.
    """
    return _RUN.sub(lambda run: _mask_run(run[0]), text)


def _mask_run(run: str) -> str:
    digits = run.translate(_SEPARATORS)
    if _is_card_number(digits):
        return _masked(digits)
    # A date or a security code may stand beside the number.
    return _UNBROKEN_RUN.sub(
        lambda part: _masked(part[0]) if _is_card_number(part[0]) else part[0], run
    )


def _is_card_number(digits: str) -> bool:
    has_issuer = any(
        len(digits) in lengths and first <= digits[: len(first)] <= last
        for first, last, lengths in _ISSUERS
    )
    if not has_issuer or not luhn.is_valid(digits):
        return False
    # Visa's numbers of 13 digits are long out of use, and those of German articles begin like them.
    return len(digits) > 13 or not ean.is_valid(digits)


def _masked(digits: str) -> str:
    return f"{digits[:4]}{'*' * (len(digits) - 8)}{digits[-4:]}"
