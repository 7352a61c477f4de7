"""A thread-safe cache of recent values."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_LOCKS = 16


class RecentValues(Generic[K, V]):
    """Holds values whose ``size`` sums to at most ``limit``; the least recently used go first. Thread-safe.

    At least ``least`` values are held, whatever their size.
    """

    def __init__(self, limit: int, size: Callable[[V], int] = lambda _: 1, *, least: int = 0) -> None:
        self._limit, self._size, self._least = limit, size, least
        self._values: OrderedDict[K, V] = OrderedDict()
        self._guard = threading.Lock()
        self._making = [threading.Lock() for _ in range(_LOCKS)]

    def find(self, key: K) -> V | None:
        """Returns the value, or None if it is not held."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: K, value: V) -> None:
        """Stores a value."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._least and sum(map(self._size, self._values.values())) > self._limit:
                self._values.popitem(last=False)

    def making(self, key: Hashable) -> threading.Lock:
        """Returns a lock to hold while a value is computed, so that concurrent requests wait for it."""
        return self._making[hash(key) % _LOCKS]
