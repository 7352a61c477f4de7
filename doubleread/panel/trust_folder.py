"""Versions of a panel's trust as files: the fitted one, and those relearned from outcomes.

arbiter.json, trust/*.json  version 1, as fitted; readings.jsonl holds the answers it was learned from
trust/v2/                   version 2: arbiter.json, trust/*.json, the outcomes it was learned from, version.json
trust.json                  names the version in use (``trust_pointer``)

Versions are written once and never changed, and ``trust.json`` switches between them: an interrupted update changes
nothing, and any version can be restored. A version that ``trust.json`` does not list is a left-over.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from doubleread.core.base import Record
from doubleread.core.drafts import clear_drafts, drafted
from doubleread.core.errors import FileError, PanelError
from doubleread.core.evidence import Evidence, EvidenceQuality
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.reading import Outcome, Reading
from doubleread.core.trust import TrustProfile
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.subject_verdicts import SubjectJudge
from doubleread.panel.panel_manifest import Sealed, damaged, seal
from doubleread.panel.trust_pointer import FITTED, Pointer, locked, pinned, read_pointer

ARBITER = "arbiter.json"
READINGS = "readings.jsonl"
LEARNED = "outcomes.jsonl"
VERSION = "version.json"
MARK = "panel.json"

R = TypeVar("R", bound=Record)


class TrustVersion(Record):
    """Provenance of a version of the trust."""

    version: int
    parent: int
    created: datetime
    learned_from: str
    outcomes: int
    selected: int
    profiles: tuple[str, ...]
    """File names of the profiles."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """One version: the arbiter, and the outcomes that it was learned from in addition to the calibration cases."""

    version: int
    arbiter: Arbiter
    outcomes: tuple[Outcome, ...] = ()
    about: TrustVersion | None = None
    """None for the fitted version."""


def write_trust(folder: Path, arbiter: Arbiter) -> tuple[str, ...]:
    """Writes the arbiter into ``folder`` and its profiles into ``folder/trust``; returns the profiles' names."""
    write_json(folder / ARBITER, arbiter.dump())
    (folder / "trust").mkdir()
    for p in arbiter.profiles:
        write_json(folder / "trust" / _file_of(p), p.model_dump(mode="json"))
    return tuple(_file_of(p) for p in arbiter.profiles)


def read_trust(panel: Sealed, profiles: Sequence[str], pointer: Pointer, version: int) -> Trust:
    """Reads a version of a panel's trust; ``profiles`` are the file names of the fitted version.

    Raises ``PanelError`` for a missing or damaged version.
    """
    digest = pinned(panel.folder, pointer, version)
    if version == FITTED:
        return Trust(version, _arbiter(panel, profiles))
    home = home_of(panel.folder, version)
    sealed = Sealed.open(home, digest)
    with damaged(home):
        about = TrustVersion.model_validate(sealed.json(VERSION))
        outcomes = records(sealed.read(LEARNED), Outcome, home / LEARNED)
    return Trust(version, _arbiter(sealed, about.profiles), outcomes, about)


def add_version(folder: Path, trust: Trust, about: TrustVersion) -> None:
    """Writes a new version, completely or not at all, which is used from the next loading on.

    Raises ``PanelError`` if it cannot be written, or if another process has written a version of that number.
    """
    with locked(folder):
        pointer = read_pointer(folder)
        if trust.version in pointer.manifests:
            raise PanelError(
                f"another process has just written version {trust.version} of the trust of {folder}, and that is kept: "
                "load the panel again, and run the update again"
            )
        home = home_of(folder, trust.version)
        try:
            digest = _write_version(home, trust, about)
            Pointer.to(trust.version, {**pointer.manifests, trust.version: digest}).write(folder)
        except FileError as error:
            shutil.rmtree(home, ignore_errors=True)
            raise PanelError(f"{error}; the trust is as it was") from None


def use_version(folder: Path, version: int) -> None:
    """Selects the version used from the next loading on. Raises ``PanelError`` if it does not exist."""
    with locked(folder):
        pointer = read_pointer(folder)
        pinned(folder, pointer, version)
        try:
            Pointer.to(version, pointer.manifests).write(folder)
        except FileError as error:
            raise PanelError(f"{error}; the trust is as it was") from None


def versions(folder: Path) -> tuple[int, ...]:
    """Returns all versions of the trust."""
    return read_pointer(folder).versions


def home_of(folder: Path, version: int) -> Path:
    """Returns the folder of a relearned version."""
    return folder / "trust" / f"v{version}"


def records(data: bytes, kind: type[R], where: Path) -> tuple[R, ...]:
    """Parses one record a line; ``where`` names them in errors. Raises ``PanelError`` for an invalid line."""
    with damaged(where):
        return tuple(kind.model_validate_json(line) for line in data.splitlines())


def write_lines(path: Path, rows: Iterable[Reading]) -> None:
    """Writes one record a line, without fields at their default."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(record.model_dump_json(exclude_defaults=True) + "\n" for record in rows)


def write_json(path: Path, data: Any) -> None:
    """Writes a value as indented JSON."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _write_version(home: Path, trust: Trust, about: TrustVersion) -> str:
    """Writes the files of a version, replacing a left-over; returns its manifest's digest."""
    for left in home.parent.glob(".v*.draft-*"):
        clear_drafts(home.parent / left.name[1:].partition(".")[0])
    with drafted(home) as draft:
        names = write_trust(draft, trust.arbiter)
        write_lines(draft / LEARNED, trust.outcomes)
        write_json(draft / VERSION, about.model_copy(update={"profiles": names}).model_dump(mode="json"))
        return seal(draft)


def _file_of(p: TrustProfile) -> str:
    return f"{p.agent}-round{p.round}.json"


def _arbiter(sealed: Sealed, names: Sequence[str]) -> Arbiter:
    with damaged(sealed.folder):
        profiles = [TrustProfile.model_validate(sealed.json(f"trust/{name}")) for name in names]
        arbiter = Arbiter.load(sealed.json(ARBITER), profiles)
        _rehearse(arbiter)
    return arbiter


def _rehearse(arbiter: Arbiter) -> None:
    """Decides once on made-up opinions, so that inconsistent parts fail now; in round two one agent abstains."""
    evidence = Evidence(neighbours=(), quality=EvidenceQuality(similarity=0.9, agreement=1, margin=0.5, nearness=0.5))
    first = {name: _made_up(arbiter, name, 1) for name in arbiter.agents}
    arbiter.assess(first, first, evidence, round_=1, can_ask_more=True, can_look_again=True)
    first[arbiter.agents[0]] = Abstention(agent=arbiter.agents[0], cause="failure")
    last = {name: _made_up(arbiter, name, 2) for name in arbiter.agents[1:]}
    arbiter.assess(first, first | last, evidence, round_=2)
    SubjectJudge(arbiter).rehearse()


def _made_up(arbiter: Arbiter, name: str, round_: int) -> Answer:
    """Returns an opinion of 90 % for the first label in the agent's form; an abstention if it never gave one."""
    profile, labels = arbiter.profile(name, round_), len(arbiter.task.names)
    if profile is None or profile.confidence_source is None:
        return Abstention(agent=name, cause="failure", round=round_)
    p = np.full(labels, 0.1 / (labels - 1))
    p[0] = 0.9
    source, prior = profile.confidence_source, profile.prior or "unknown"
    return Opinion.from_vector(name, arbiter.task, p, source, prior=prior, round=round_)
