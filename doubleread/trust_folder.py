"""What a panel knows of its agents, as files: its first version, and those learned from outcomes later.

arbiter.json, trust/*.json  version 1, as it was fitted; readings.jsonl holds the answers it was learned from
trust/v2/                   version 2: arbiter.json, trust/*.json, the outcomes it was learned from, version.json
panel.json                  "trust_version" says which one counts

Versions are written once and never changed, and one small file switches between them: an update that is interrupted
changes nothing, and any version can be gone back to.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from doubleread.core.base import Record
from doubleread.core.errors import PanelError
from doubleread.core.reading import Outcome, Reading
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Json
from doubleread.orchestrator.arbiter import Arbiter

ARBITER = "arbiter.json"
READINGS = "readings.jsonl"
LEARNED = "outcomes.jsonl"
VERSION = "version.json"
MARK = "panel.json"
FITTED = 1
"""The version that a panel is fitted with."""

R = TypeVar("R", bound=Record)


class TrustVersion(Record):
    """Where a version of the trust came from."""

    version: int
    parent: int
    created: datetime
    learned_from: str
    outcomes: int
    selected: int
    profiles: tuple[str, ...]
    """File names."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Trust:
    """One version: the arbiter, and the outcomes it was learned from beside the calibration cases."""

    version: int
    arbiter: Arbiter
    outcomes: tuple[Outcome, ...] = ()
    about: TrustVersion | None = None
    """None for the version that was fitted."""


def write_trust(folder: Path, arbiter: Arbiter) -> tuple[str, ...]:
    """Writes the arbiter into ``folder`` and its profiles into ``folder/trust``; returns the profiles' names."""
    write_json(folder / ARBITER, arbiter.dump())
    (folder / "trust").mkdir()
    for p in arbiter.profiles:
        write_json(folder / "trust" / _file_of(p), p.model_dump(mode="json"))
    return tuple(_file_of(p) for p in arbiter.profiles)


def read_trust(folder: Path, head: Json, version: int | None = None) -> Trust:
    """A version of a panel's trust; that which counts, unless one is named.

    Raises ``PanelError`` for a version that is not there; errors of damaged files are those of ``Arbiter.load``.
    """
    wanted = int(head.get("trust_version", FITTED)) if version is None else version
    if wanted == FITTED:
        return Trust(wanted, _arbiter(folder, head["trust"]))
    home = folder / "trust" / f"v{wanted}"
    if not (home / VERSION).is_file():
        known = ", ".join(str(number) for number in versions(folder))
        raise PanelError(f"{folder} has no version {wanted} of its trust; there are: {known}")
    about = TrustVersion.model_validate(read_json(home / VERSION))
    return Trust(wanted, _arbiter(home, about.profiles), read_lines(home / LEARNED, Outcome), about)


def write_version(folder: Path, trust: Trust, about: TrustVersion) -> None:
    """Writes a new version, whole or not at all. The panel does not use it before ``use_version``.

    Raises ``PanelError`` where it cannot be written, or another process has written a version of that number.
    """
    home = folder / "trust" / f"v{trust.version}"
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder / "trust"))
    try:
        draft.chmod(0o755)
        names = write_trust(draft, trust.arbiter)
        write_lines(draft / LEARNED, trust.outcomes)
        write_json(draft / VERSION, about.model_copy(update={"profiles": names}).model_dump(mode="json"))
        draft.rename(home)
    except OSError as error:
        raise PanelError(f"{home} could not be written: {error}; the trust is as it was") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def use_version(folder: Path, version: int) -> None:
    """Makes a version count from the next loading on."""
    head = {**read_json(folder / MARK), "trust_version": version}
    draft = folder / f".{MARK}-{os.getpid()}"
    try:
        write_json(draft, head)
        draft.replace(folder / MARK)
    except OSError as error:
        raise PanelError(f"{folder / MARK} could not be written: {error}; the trust is as it was") from None
    finally:
        draft.unlink(missing_ok=True)


def versions(folder: Path) -> list[int]:
    """All versions of the trust that there are."""
    names = [path.parent.name for path in (folder / "trust").glob(f"v*/{VERSION}")]
    return [FITTED, *sorted(int(name[1:]) for name in names if name[1:].isdigit())]


def read_lines(path: Path, kind: type[R]) -> tuple[R, ...]:
    """Records, one a line. Raises ``PanelError`` where a line is none."""
    try:
        return tuple(kind.model_validate_json(line) for line in path.read_bytes().splitlines())
    except OSError as error:
        raise PanelError(f"{path} cannot be read: {error.strerror}; fit the panel again") from None
    except ValidationError as error:
        raise PanelError(f"{path} is damaged: {one_line(error)}; fit the panel again") from None


def write_lines(path: Path, records: Sequence[Reading]) -> None:
    """Records, one a line; what is at its default is left out."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(record.model_dump_json(exclude_defaults=True) + "\n" for record in records)


def write_json(path: Path, data: Any) -> None:
    """Writes a value as JSON for people to read."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> Json:
    """A JSON object. Raises ``PanelError`` for anything else."""
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PanelError(f"{path} cannot be read: {one_line(error)}; fit the panel again") from None
    if not isinstance(loaded, dict):
        raise PanelError(f"{path} should hold a JSON object; fit the panel again")
    return loaded


def one_line(error: Exception) -> str:
    """The beginning of a message, in one line."""
    return " ".join(str(error).split())[:200]


def _file_of(p: TrustProfile) -> str:
    return f"{p.agent}-round{p.round}.json"


def _arbiter(folder: Path, names: Sequence[str]) -> Arbiter:
    profiles = [TrustProfile.model_validate(read_json(folder / "trust" / name)) for name in names]
    return Arbiter.load(read_json(folder / ARBITER), profiles)
