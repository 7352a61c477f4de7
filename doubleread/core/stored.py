"""A labelled case as an archive keeps it: where it came from, who vouches for it, what became of it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.types import Embeddings

What = Literal["added", "relabelled", "described", "removed", "restored", "erased"]
"""What a change was; ``described``: anything but the label changed."""


class StoredCase(Record):
    """One labelled case of an archive. ``removed`` cases are kept for the record and never found."""

    case: Case
    tags: tuple[str, ...] = ()
    added: AwareDatetime
    origin: str = ""
    """Where it came from: a data set, a confirmed verdict, another archive."""
    reviewer: str = ""
    """Who vouches for its label."""
    removed: bool = False
    perceptual_hash: str = Field(default="", pattern=r"^([0-9a-f]{16})?$")
    """By which near copies of its picture are known, in hex; empty where nobody has looked."""

    @property
    def label(self) -> str:
        """Its label; an archive keeps no case without one."""
        return str(self.case.label)


@dataclass(frozen=True, eq=False)
class Columns:
    """What a model of the cases learns from, row by row; the same object for as long as nothing changes."""

    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    """Empty for a case without a group."""
    embeddings: Embeddings
    """Shape ``(n, dim)``, rows of unit length."""
    hashes: NDArray[np.uint64]
    """Perceptual hashes; 0 where there is none."""
    hashed: NDArray[np.bool_]
    """Which cases have one."""

    @cached_property
    def position(self) -> dict[str, int]:
        """Where each case stands."""
        return {one: i for i, one in enumerate(self.ids.tolist())}

    @cached_property
    def members(self) -> dict[str, NDArray[np.intp]]:
        """Rows of each group's cases."""
        order = np.argsort(self.groups, kind="stable")
        names, starts = np.unique(self.groups[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {name: rows for name, rows in zip(names.tolist(), parts, strict=True) if name}


class Change(Record):
    """One thing that happened to one case, and the state that came of it."""

    seq: int
    time: AwareDatetime
    what: What
    case_id: str
    reviewer: str = ""
    note: str = ""
    before: str = ""
    """The label before."""
    after: str = ""
    """The label after."""


class Version(Record):
    """A state of an archive: the number of its last change, and a digest of all changes up to it."""

    seq: int
    digest: str

    @property
    def id(self) -> str:
        """As it is shown and recorded, such as ``v120-3f9a0c11d2e4``."""
        return f"v{self.seq}-{self.digest[:12]}"


class Snapshot(Record):
    """A version with a name."""

    name: str
    version: Version
    time: AwareDatetime
    note: str = ""


class Wanted(Record):
    """Which stored cases to look at; what is left empty does not restrict."""

    labels: frozenset[str] = Field(default_factory=frozenset)
    tags: frozenset[str] = Field(default_factory=frozenset)
    """Cases that carry all of these."""
    groups: frozenset[str] = Field(default_factory=frozenset)
    splits: frozenset[str] = Field(default_factory=frozenset)
    since: datetime | None = None
    """Added at that time or later."""
    until: datetime | None = None
    """Added before that time."""

    @property
    def everything(self) -> bool:
        """Nothing is restricted."""
        return self == Wanted()
