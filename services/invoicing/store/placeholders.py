"""What stands for an invoice's number until it has one.

A number is known only once its series' row is locked, and that lock holds up every other lane of
the same seller. So everything is decided and rendered before, with a placeholder where the number
goes, and under the lock there is only this to do. A placeholder is 128 random bits and a count,
which nobody's text can hold by chance or by guessing.
"""

import re
from collections.abc import Callable, Mapping
from itertools import count
from uuid import uuid4

_PREFIX = "number-to-come-"
_PLACEHOLDER = re.compile(_PREFIX + r"[0-9a-f]{32}-[0-9]+", re.ASCII)


def placeholders() -> Callable[[], str]:
    """A source of placeholders, each another."""
    batch, counter = uuid4().hex, count()
    return lambda: f"{_PREFIX}{batch}-{next(counter)}"


def fill(text: str, numbers: Mapping[str, str]) -> str:
    """The text with each placeholder's number in its place."""
    if _PREFIX not in text:
        return text
    return _PLACEHOLDER.sub(lambda match: numbers.get(match[0], match[0]), text)
