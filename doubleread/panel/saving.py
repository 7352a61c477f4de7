"""Saves a fitted panel completely or not at all, replacing another panel in one step."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import numpy as np

from doubleread.core.agent_ports import Learns
from doubleread.core.drafts import clear_drafts, drafted
from doubleread.core.errors import FileError, PanelError, StoreError
from doubleread.core.safe_files import read_arrays, read_json
from doubleread.core.types import Json
from doubleread.orchestrator.course.kept import kept
from doubleread.panel.composition import Eyes
from doubleread.panel.consent import asks_of, remember
from doubleread.panel.fitting import FittedPanel
from doubleread.panel.outcomes import FILE as OUTCOMES
from doubleread.panel.outcomes import HEAD as OUTCOMES_HEAD
from doubleread.panel.panel_folder import FORMAT, SEALED, PanelHead
from doubleread.panel.panel_manifest import LARGEST, MANIFEST, seal
from doubleread.panel.provenance import provenance
from doubleread.panel.trust_folder import MARK, READINGS, write_json, write_lines, write_trust
from doubleread.panel.trust_pointer import FITTED, LOCK, POINTER, Pointer, locked
from doubleread.rag.stores.archive import Archive
from doubleread.settings import Settings, load_settings

STORE = "store"
OWN = {*SEALED, MANIFEST, POINTER, LOCK, STORE}
"""Entries of a panel folder. Saving over a panel replaces them; the folder must hold nothing else."""


def write_panel(folder: Path, settings: Settings, eyes: Eyes, fitted: FittedPanel | None) -> Path:
    """Writes the panel beside ``folder`` and moves it there at the end, so that a complete panel is always there."""
    if fitted is None:
        raise PanelError("this panel was loaded from a folder; copy that folder instead")
    check_target(folder)
    try:
        with ExitStack() as waiting, drafted(folder) as draft:
            _write(draft, settings, eyes, fitted)
            if os.name == "posix" and (folder / MARK).exists():
                waiting.enter_context(locked(folder))  # no outcome may be confirmed between the check and the end
                check_target(folder)
    except (FileError, StoreError) as error:
        kept_as = f"{folder} is as it was" if folder.exists() else "nothing was written"
        said = str(error)
        raise PanelError(said if kept_as in said else f"{said}; {kept_as}") from None
    return folder


def allow_own(folder: Path) -> None:
    """Records consent for the settings of a panel that was fitted here."""
    head = PanelHead.model_validate(read_json(folder / MARK))
    fitted = load_settings(None, head.settings)
    encoder = fitted.encoder.model_copy(update={"name": head.encoder.name, "download": True})
    further = {name: one.model_copy(update={"download": True}) for name, one in fitted.encoders.items()}
    allowed = fitted.model_copy(update={"encoder": encoder, "encoders": further})
    remember(folder, head.id, asks_of(allowed, None), "made here")


def check_target(folder: Path) -> None:
    """Raises ``PanelError`` unless the folder is new, empty, or holds only a panel."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise PanelError(f"{folder} is a file; a panel is a folder: choose another name")
    names = {entry.name for entry in folder.iterdir()}
    if MARK in names and names & {OUTCOMES, OUTCOMES_HEAD}:
        raise PanelError(
            f"{folder} holds confirmed outcomes ({OUTCOMES}), which a new panel could not use; "
            "choose a new folder, or move that file away"
        )
    others = sorted(name for name in names if not (MARK in names and _is_own(name)))
    if others:
        raise PanelError(
            f"{folder} exists and holds something else ({', '.join(others[:4])}); choose an empty or new folder"
        )


def clear_leftovers(folder: Path) -> None:
    """Removes what killed processes left beside a panel while writing it.

    This includes left-overs of earlier versions (``.panel-x1y2z3w4``) if they hold only a panel.
    """
    clear_drafts(folder)
    for left in _older_leftovers(folder.resolve()):
        if left.name.endswith("-old") and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _older_leftovers(target: Path) -> Iterator[Path]:
    if not target.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(target.name)}-[a-z0-9_]{{8}}(-old)?")
    for entry in sorted(target.parent.iterdir()):
        found = name.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink()
        if found and {one.name for one in entry.iterdir()} <= OWN:
            yield entry


def _is_own(name: str) -> bool:
    """Whether the name belongs to a panel folder, or is a partial file left by a killed process."""
    return name in OWN or name.startswith((f".{POINTER}.part-", f".{OUTCOMES_HEAD}.part-"))


def _write(folder: Path, settings: Settings, eyes: Eyes, fitted: FittedPanel) -> None:
    profiles = write_trust(folder, fitted.arbiter)
    write_lines(folder / READINGS, kept(fitted.arbiter.task, fitted.calibration, fitted.readings))
    (folder / "agents").mkdir()
    for name, agent in fitted.seated.agents.items():
        if isinstance(agent, Learns):
            _write_agent(folder / "agents", name, agent)
    fitted.reference.save(folder)
    archive = _write_archive(folder / STORE, eyes, fitted)
    write_json(folder / MARK, _head(settings, eyes, fitted, profiles, archive))
    Pointer.to(FITTED, {FITTED: seal(folder, frozenset({STORE}))}).write(folder)


def _write_agent(folder: Path, name: str, agent: Learns) -> None:
    """Writes an agent's state. Raises ``FileError`` if it could not be read again."""
    learned, arrays = agent.state()
    write_json(folder / f"{name}.json", learned)
    path = folder / f"{name}.npz"
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes ** as its own flag
    read_arrays(path, limit=LARGEST)


def _write_archive(folder: Path, eyes: Eyes, fitted: FittedPanel) -> Json:
    """Writes the labelled cases; returns the archive's identity and version."""
    store = Archive(folder, eyes.encoder.fingerprint, dim=eyes.encoder.dim, name=eyes.choice.name)
    try:
        version = store.put(fitted.support.stored(), fitted.support.embeddings)
        return {"id": store.file.about("id"), "seq": version.seq, "digest": version.digest}
    finally:
        store.close()


def _head(settings: Settings, eyes: Eyes, fitted: FittedPanel, profiles: Sequence[str], archive: Json) -> Json:
    return {
        "format": FORMAT,
        "id": uuid4().hex,
        "task": fitted.arbiter.task.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "encoder": asdict(eyes.choice),
        "fingerprint": eyes.encoder.fingerprint,
        "dim": eyes.encoder.dim,
        "sights": {name: sight.fingerprint for name, sight in eyes.sights.items()},
        "trust": list(profiles),
        "pictures": fitted.pictures.model_dump(mode="json"),
        "support": len(fitted.support.cases),
        "near": fitted.near.model_dump(mode="json"),
        "weighting": fitted.seated.retriever.weighting.model_dump(mode="json"),
        "notes": list(fitted.notes),
        "warnings": list(fitted.warnings),
        "unread": [row.model_dump(mode="json") for row in fitted.unread],
        "archive": archive,
        "provenance": provenance(fitted.seated.prompts),
        "second_prompts": fitted.seated.second_prompts,
    }
