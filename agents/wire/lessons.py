"""What was learned about servers: features of the protocol that a model on a server does not take.

A lesson is stored once a call without the feature succeeded, and dropped when a call that relies on it is refused.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

REMEMBERED_S = 7 * 24 * 3600.0
"""A server may have gained a feature since."""
TABLE = (
    "create table if not exists lacking (server text, feature text, at real not null, primary key (server, feature));"
)
Ask = Callable[..., list[Any]]
"""Runs one SQL statement with its values and returns the rows."""


class Lesson(NamedTuple):
    """A model on a server does not take ``feature``, learned at ``at`` (seconds since 1970)."""

    server: str
    model: str
    feature: str
    at: float


class Lessons:
    """Lessons of all servers, in the table ``lacking`` of the answer cache. Thread-safe.

    A place is ``base_url model``.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._tried: dict[str, set[str]] = defaultdict(set)
        self._one_limit: set[str] = set()
        self._guard = threading.Lock()

    def known(self, place: str) -> frozenset[str]:
        """Returns the features to leave out: stored ones, and those that are being tried without."""
        with self._guard:
            return self.stored(place) | self._tried[place]

    def stored(self, place: str) -> frozenset[str]:
        """Returns the features that calls succeeded without."""
        since = time.time() - REMEMBERED_S
        rows = self._ask("select feature from lacking where server = ? and at > ?", place, since)
        return frozenset(row[0] for row in rows)

    def try_without(self, place: str, features: Iterable[str]) -> None:
        """Leaves features out of all calls from now on, in this process only."""
        with self._guard:
            self._tried[place].update(features)

    def worked(self, place: str, without: Iterable[str]) -> None:
        """Stores that a call without these features succeeded."""
        for feature in without:
            self._ask("insert or replace into lacking values (?, ?, ?)", place, feature, time.time())

    def limit_is_open(self, place: str) -> bool:
        """Whether long answers may still teach the other name of the limit: not where that name was refused."""
        return place not in self._one_limit

    def failed(self, place: str, *, limit: bool = False) -> None:
        """Forgets all lessons of a place: a call that relied on them was refused, with ``limit`` for both its names."""
        with self._guard:
            self._tried.pop(place, None)
            if limit:
                self._one_limit.add(place)
        self._ask("delete from lacking where server = ?", place)

    def all(self) -> tuple[Lesson, ...]:
        """Returns the stored lessons, by server and model."""
        rows = self._ask("select server, feature, at from lacking where at > ?", time.time() - REMEMBERED_S)
        places = ((*row[0].partition(" ")[::2], *row[1:]) for row in rows)
        return tuple(sorted(Lesson(*place) for place in places))

    def forget(self, name: str = "") -> tuple[Lesson, ...]:
        """Drops the lessons of a server or model, all without a name, and returns them."""
        dropped = tuple(one for one in self.all() if name in ("", one.server, one.model))
        for one in dropped:
            self.failed(f"{one.server} {one.model}")
        return dropped
