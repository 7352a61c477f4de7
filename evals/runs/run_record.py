"""What a run was made with: enough to make it again, and to tell it from another."""

from typing import Any

from pydantic import AwareDatetime, Field

from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.trust import PanelMember, TrustProfile
from doubleread.core.types import Json

IRRELEVANT: dict[str, Any] = {
    "run": True,
    "ray": True,
    "budget": True,
    "prices": True,
    "encoder": {"cache_dir", "device", "download"},
}
"""Settings that change no answer: where and how fast it runs, where caches lie, its budget."""


class Shard(Record):
    """Part ``number`` of ``of`` equal parts, counted from 1: every ``of``-th case."""

    number: int = Field(ge=1)
    of: int = Field(ge=1)


class RunRecord(Record):
    """The head of a run, written before its first row."""

    format: int = 1
    name: str
    """Of the data set."""
    cases: int
    """How many are to be diagnosed; of a shard, in it."""
    digest: str
    """Of the cases, the panel and the settings that decide what is answered: rows of one digest belong together."""
    panel: str
    """Digest of the fitted panel."""
    task: Task
    trust: tuple[TrustProfile, ...]
    """The panel's profiles of its agents, as it was fitted: calibrators included."""
    members: tuple[PanelMember, ...] = ()
    """All agents of the panel, those that it does without included; empty in runs of older versions."""
    archive: str
    """Version of the case store when the run began."""
    settings: Json
    """All of them, secrets left out."""
    provenance: Json
    """Versions of packages, prompts with their hashes, git revision, time."""
    seed: int
    """Seed of all draws for the run's figures."""
    unusable: int = 0
    """Rows of the chosen part of the data that gave no case; 0 where that is not known. Of all shards together."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know about the data and the choice of cases."""
    warnings: tuple[str, ...] = ()
    """The warnings of the data and of the panel."""
    shard: Shard | None = None
    started: AwareDatetime

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the panel's agents; in runs of older versions only of those that answered while fitting."""
        known = [one.agent for one in self.trust if one.round == 1 and one.calibrator]
        return tuple(dict.fromkeys((*(one.agent for one in self.members), *known)))
