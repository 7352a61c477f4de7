"""Values made lately, for all who ask for the same within a moment."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_LOCKS = 16


class RecentValues(Generic[K, V]):
    """Holds values of at most ``limit`` in ``size`` together; the longest unused go first. Thread-safe.

    ``least`` values are held whatever their size.
    """

    def __init__(self, limit: int, size: Callable[[V], int] = lambda _: 1, *, least: int = 0) -> None:
        self._limit, self._size, self._least = limit, size, least
        self._values: OrderedDict[K, V] = OrderedDict()
        self._guard = threading.Lock()
        self._making = [threading.Lock() for _ in range(_LOCKS)]

    def find(self, key: K) -> V | None:
        """The value, if it is held."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: K, value: V) -> None:
        """Holds a value."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._least and sum(map(self._size, self._values.values())) > self._limit:
                self._values.popitem(last=False)

    def making(self, key: Hashable) -> threading.Lock:
        """To be held while a value is made: who asks for the same waits."""
        return self._making[hash(key) % _LOCKS]
