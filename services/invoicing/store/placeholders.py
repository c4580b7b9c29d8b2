"""Placeholders for numbers that are not taken yet.

A number is known only while its series' row is locked, and that lock blocks every other lane of the
same seller. So everything is decided and rendered before, with a placeholder for each number, and
only filling them in is left to do under the lock. A placeholder is 128 random bits and a count, so
no client's text contains one by chance or by guessing.
"""

import re
from collections.abc import Callable, Mapping
from itertools import count
from uuid import uuid4

_PREFIX = "number-to-come-"
_PLACEHOLDER = re.compile(_PREFIX + r"[0-9a-f]{32}-[0-9]+", re.ASCII)


def placeholders() -> Callable[[], str]:
    """Return a factory of unique placeholders."""
    batch, counter = uuid4().hex, count()
    return lambda: f"{_PREFIX}{batch}-{next(counter)}"


def fill(text: str, numbers: Mapping[str, str]) -> str:
    """Replace each placeholder in the text by its number; others stay."""
    if _PREFIX not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: numbers.get(match[0], match[0]), text)
