"""What is loaded is left out of the search for garbage, and let go afterwards."""

import gc
import weakref

import pytest

from doubleread.core.process import at_rest


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.me = self


@pytest.fixture(autouse=True)
def thawed():
    before = gc.get_freeze_count()
    yield
    assert gc.get_freeze_count() == before


def test_what_came_before_is_not_looked_at_and_what_comes_later_is():
    old = Ring()
    watched = weakref.ref(old)
    with at_rest():
        del old
        young = weakref.ref(Ring())
        gc.collect()
        assert young() is None
        assert watched() is not None
    gc.collect()
    assert watched() is None


def test_it_ends_where_the_work_fails():
    with pytest.raises(ZeroDivisionError), at_rest():
        _ = 1 / 0


def test_what_somebody_else_has_set_aside_stays_so():
    gc.freeze()
    try:
        with at_rest():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
