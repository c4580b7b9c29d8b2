"""Garbage collection, where it would look at much and find nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS_MAX: Final = 100_000


@contextmanager
def gc_tuned() -> Iterator[None]:
    """Let the collector look rarely while the block runs, and never at what lived before it.

    For work by batches: each makes some ten thousand objects that live as long as it, and no rings.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
