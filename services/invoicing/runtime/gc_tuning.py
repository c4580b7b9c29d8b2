"""Garbage collection for work in batches."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS_MAX: Final = 100_000


@contextmanager
def gc_tuned() -> Iterator[None]:
    """Collect rarely while the block runs, and never what was alive before it.

    A batch creates some ten thousand objects that live as long as it does, and no reference cycles:
    the collector would scan much and free nothing.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
