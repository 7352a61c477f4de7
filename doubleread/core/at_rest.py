"""Leaves what is loaded out of the search for garbage, while there is a lot to do.

Libraries, encoder and archive are some hundred thousand objects that stay; looking through them stops everything for
half a second, again and again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """What there is now is not looked at until the end; what comes later is. Nothing where somebody has done so."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
