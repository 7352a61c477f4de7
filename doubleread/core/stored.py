"""A labelled case in an archive, with its provenance and history."""

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
"""Kind of a change; ``described``: anything but the label changed."""


class StoredCase(Record):
    """One labelled case of an archive. ``removed`` cases are kept on record but never found."""

    case: Case
    tags: tuple[str, ...] = ()
    added: AwareDatetime
    origin: str = ""
    """Origin: a data set, a confirmed verdict, or another archive."""
    reviewer: str = ""
    """Person responsible for its label."""
    removed: bool = False
    perceptual_hash: str = Field(default="", pattern=r"^([0-9a-f]{16})?$")
    """Hash for finding near copies of its picture, in hex; empty if not computed."""

    @property
    def label(self) -> str:
        """The label; every case of an archive has one."""
        return str(self.case.label)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns that a model of the cases is fitted on; the same object while nothing changes."""

    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    """Empty for a case without a group."""
    embeddings: Embeddings
    """Shape ``(n, dim)``, rows of unit length."""
    hashes: NDArray[np.uint64]
    """Perceptual hashes; 0 where there is none."""
    hashed: NDArray[np.bool_]
    """Whether each case has a hash."""

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each case, by id."""
        return {one: i for i, one in enumerate(self.ids.tolist())}

    @cached_property
    def members(self) -> dict[str, NDArray[np.intp]]:
        """Rows of each group's cases."""
        order = np.argsort(self.groups, kind="stable")
        names, starts = np.unique(self.groups[order], return_index=True)
        parts = np.split(order, starts[1:])
        return {name: rows for name, rows in zip(names.tolist(), parts, strict=True) if name}


class Change(Record):
    """One change of a case, and its state afterwards."""

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
        """The version as shown and recorded, such as ``v120-3f9a0c11d2e4``."""
        return f"v{self.seq}-{self.digest[:12]}"


class Snapshot(Record):
    """A version with a name."""

    name: str
    version: Version
    time: AwareDatetime
    note: str = ""


class Wanted(Record):
    """A filter of stored cases; empty fields do not restrict."""

    labels: frozenset[str] = Field(default_factory=frozenset)
    tags: frozenset[str] = Field(default_factory=frozenset)
    """Cases must carry all of these."""
    groups: frozenset[str] = Field(default_factory=frozenset)
    splits: frozenset[str] = Field(default_factory=frozenset)
    since: datetime | None = None
    """Added at that time or later."""
    until: datetime | None = None
    """Added before that time."""

    @property
    def everything(self) -> bool:
        """Whether nothing is restricted."""
        return self == Wanted()
