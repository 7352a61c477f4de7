"""A fitted panel as a folder of JSON, arrays and the case store: movable, and no pickle in it.

panel.json            format, task, settings, encoder, provenance, notes
arbiter.json          calibrators, fusion, policy, conformal sets, held-out scores
trust/*.json          one trust profile an agent and round
readings.jsonl        the answers that trust was learned from
reference.npz         what later pictures are compared with
trust/v2/ …           trust learned again, with outcomes that were confirmed since (``trust_folder``)
outcomes.jsonl        those outcomes, once there are any
agents/*.json, *.npz  what each agent learned
store/                the labelled cases
"""

import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from doubleread.agents.vlm.options import TRANSPORT
from doubleread.agents.wire.server import Server
from doubleread.composition import Eyes, Seated
from doubleread.core.errors import DoublereadError, EncoderMismatch, PanelError
from doubleread.core.ports import CaseStore, Learns
from doubleread.core.types import Json
from doubleread.core.verdict import Unread
from doubleread.fitting import Fitted
from doubleread.orchestrator.arbiter import Arbiter
from doubleread.orchestrator.kept import kept
from doubleread.outcomes import FILE as OUTCOMES
from doubleread.provenance import provenance
from doubleread.rag.encoders import Choice
from doubleread.rag.near_rule import NearRule
from doubleread.rag.neighbours import Weighting
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.server import ServerStore
from doubleread.reference import FILE as REFERENCE
from doubleread.reference import Reference
from doubleread.settings import Settings, load_settings
from doubleread.trust_folder import (
    ARBITER,
    MARK,
    READINGS,
    Trust,
    one_line,
    read_json,
    read_trust,
    write_json,
    write_lines,
    write_trust,
)

Asked = TypeVar("Asked", bound=Server)
FORMAT = 5
OWN = {MARK, ARBITER, READINGS, REFERENCE, "trust", "agents", "store"}
"""What a panel folder holds: saving over a panel replaces these, and nothing else may be lost with them."""


@dataclass(frozen=True)
class AboutPanel:
    """What a panel's verdicts rest on."""

    digest: str
    """Of its folder, the archive left out; see ``digest_of``."""
    archive: str
    """Version of its archive."""
    provenance: Json
    """Versions of packages and prompts, git revision, time."""


@dataclass(frozen=True)
class PanelFolder:
    """What a panel folder says."""

    folder: Path
    settings: Settings
    encoder: Choice
    fingerprint: str
    sights: dict[str, str]
    """Fingerprint of each sight that some of its agents have instead of the encoder's."""
    prompts: dict[str, Json]
    """Version and hash of every prompt its agents were asked with."""
    trust: Trust
    notes: tuple[str, ...]
    unread: tuple[Unread, ...]
    dim: int
    """Length of its embeddings."""
    weighting: Weighting
    """How the neighbours agent weighs similar cases."""
    near: NearRule
    """When two pictures are near copies."""
    reference: Reference | None = None
    """What later pictures are compared with; None for a panel that was saved without."""

    @property
    def arbiter(self) -> Arbiter:
        return self.trust.arbiter

    def with_trust(self, trust: Trust) -> "PanelFolder":
        """The same panel with another version of its trust."""
        return replace(self, trust=trust, notes=trust.about.notes if trust.about else self.notes)


def write_panel(folder: Path, settings: Settings, eyes: Eyes, fitted: Fitted | None) -> Path:
    """Writes beside ``folder`` and moves into place at the end: nothing half-written stays behind."""
    if fitted is None:
        raise PanelError("this panel was loaded from a folder; copy that folder instead")
    check_target(folder)
    target = folder.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise PanelError(f"cannot write into {target.parent}: {error.strerror}; choose another folder") from None
    try:
        draft.chmod(0o755)
        _write(draft, settings, eyes, fitted)
        _replace(target, draft)
    except OSError as error:
        raise PanelError(f"{folder} could not be written: {error}; nothing was left behind") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def digest_of(folder: Path) -> str:
    """Of everything that decides a panel's answers but its archive, which has versions of its own; sha256 in hex."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and name.parts[0] in OWN - {"store"}:
            digest.update(f"{name.as_posix()} {file.stat().st_size}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def check_target(folder: Path) -> None:
    """Raises ``PanelError`` unless a panel may be written there: a new or empty folder, or one of a panel only."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise PanelError(f"{folder} is a file; a panel is a folder: choose another name")
    names = {entry.name for entry in folder.iterdir()}
    if MARK in names and OUTCOMES in names:
        raise PanelError(
            f"{folder} holds confirmed outcomes ({OUTCOMES}), which a new panel cannot use and would lose; "
            "choose a new folder, or move that file away"
        )
    others = sorted(names - OWN) if MARK in names else sorted(names)
    if others:
        raise PanelError(
            f"{folder} exists and holds something else ({', '.join(others[:4])}); choose an empty or new folder"
        )


def read_panel(folder: Path, settings: Settings | None, version: int | None = None) -> PanelFolder:
    """Reads everything but the store; raises ``PanelError`` that says what is missing or broken.

    ``version`` is that of the trust; None: the one that counts.
    """
    if not (folder / MARK).is_file():
        raise PanelError(f"{folder} holds no panel (no {MARK}); make one with `doubleread fit` or Panel.save")
    now = settings or load_settings()
    head = read_json(folder / MARK)
    if head.get("format") != FORMAT:
        raise PanelError(
            f"{folder} has panel format {head.get('format')}; this doubleread reads format {FORMAT}: fit it again"
        )
    try:
        trust = read_trust(folder, head, version)
        return PanelFolder(
            folder=folder,
            settings=_with_run_settings(load_settings(None, head["settings"]), now),
            encoder=Choice(**head["encoder"]),
            fingerprint=head["fingerprint"],
            sights=dict(head.get("sights", {})),
            prompts=dict(head["provenance"]["prompts"]),
            trust=trust,
            notes=trust.about.notes if trust.about else tuple(head["notes"]),
            unread=tuple(Unread.model_validate(row) for row in head["unread"]),
            dim=head["dim"],
            weighting=Weighting.model_validate(head["weighting"]),
            near=NearRule.model_validate(head["near"]),
            reference=Reference.load(folder),
        )
    except PanelError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, DoublereadError) as error:
        raise PanelError(f"{folder} is damaged: {type(error).__name__}: {one_line(error)}; fit it again") from None


@contextmanager
def stored(saved: PanelFolder) -> Iterator[CaseStore]:
    """The panel's case store as it lies there; no encoder is needed."""
    store: CaseStore = Archive(saved.folder / "store", saved.fingerprint, dim=saved.dim, create=False, index=False)
    try:
        yield store
    finally:
        store.close()


def open_store(saved: PanelFolder, eyes: Eyes) -> CaseStore:
    """The panel's case store, read-only; raises ``EncoderMismatch`` where another encoder would search it."""
    if eyes.encoder.fingerprint != saved.fingerprint:
        raise EncoderMismatch(
            f"the panel was fitted with encoder {saved.encoder.name} ({saved.fingerprint}); "
            f"here {saved.encoder.name} has fingerprint {eyes.encoder.fingerprint}: "
            "install the same weights or fit again"
        )
    retrieval, encoder = saved.settings.retrieval, eyes.encoder
    own = Archive(
        saved.folder / "store",
        encoder.fingerprint,
        dim=encoder.dim,
        create=False,
        index=retrieval.store == "chroma" and not retrieval.url,
    )
    try:
        own.contents()  # a damaged archive is told of now, and not in the middle of a batch
    except BaseException:
        own.close()
        raise
    if not retrieval.url:
        return own
    try:
        shared = ServerStore(retrieval.url, encoder.fingerprint, dim=encoder.dim, name=retrieval.collection)
        share(own, shared)
    finally:
        own.close()
    return shared


def share(own: Archive, shared: CaseStore) -> None:
    """Gives a shared store the cases that it lacks."""
    cases, embeddings = own.export()
    lacks = [i for i, case in enumerate(cases) if not shared.holds(case.id)]
    shared.put(own.get([cases[i].id for i in lacks]), embeddings[lacks])


def check_prompts(saved: PanelFolder, seated: Seated) -> None:
    """Raises ``PanelError`` where a prompt is no longer what the agents were calibrated with."""
    changed = [
        f"{p.id} (fitted with {saved.prompts[p.id]['sha256'][:8]}, now {p.sha256[:8]}, {p.origin})"
        for p in seated.prompts
        if p.id in saved.prompts and saved.prompts[p.id]["sha256"] != p.sha256
    ]
    if changed:
        raise PanelError(
            f"{saved.folder}: prompts have changed since the panel was fitted, and its trust is not that of other "
            f"prompts: {', '.join(changed)}; set prompts.folder to the old ones, or fit again"
        )


def check_sights(saved: PanelFolder, eyes: Eyes) -> None:
    """Raises ``EncoderMismatch`` where an agent would see something else than it was fitted on."""
    for name, fingerprint in saved.sights.items():
        if name in eyes.sights and eyes.sights[name].fingerprint != fingerprint:
            raise EncoderMismatch(
                f"the panel was fitted with {name} of {fingerprint}; here it is {eyes.sights[name].fingerprint}: "
                "use the doubleread it was fitted with, or fit again"
            )


def restore_agents(saved: PanelFolder, seated: Seated) -> None:
    """Gives each agent what it had learned."""
    for name, agent in seated.agents.items():
        if not isinstance(agent, Learns):
            continue
        try:
            with (
                (saved.folder / "agents" / f"{name}.npz").open("rb") as file,  # numpy itself leaves a damaged one open
                np.load(file, allow_pickle=False) as arrays,
            ):
                agent.restore(read_json(saved.folder / "agents" / f"{name}.json"), dict(arrays))
        except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            raise PanelError(f"{saved.folder} is damaged: agent {name}: {one_line(error)}; fit it again") from None


def _write(folder: Path, settings: Settings, eyes: Eyes, fitted: Fitted) -> None:
    names = write_trust(folder, fitted.arbiter)
    write_lines(folder / READINGS, kept(fitted.arbiter.task, fitted.calibration, fitted.readings))
    (folder / "agents").mkdir()
    for name, agent in fitted.seated.agents.items():
        if isinstance(agent, Learns):
            learned, arrays = agent.state()
            write_json(folder / "agents" / f"{name}.json", learned)
            with (folder / "agents" / f"{name}.npz").open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub reads ** as its own flag
    store: CaseStore = Archive(folder / "store", eyes.encoder.fingerprint, dim=eyes.encoder.dim, name=eyes.choice.name)
    try:
        store.put(fitted.support.stored(), fitted.support.embeddings)
    finally:
        store.close()
    fitted.reference.save(folder)
    write_json(folder / MARK, _head(settings, eyes, fitted, names))


def _head(settings: Settings, eyes: Eyes, fitted: Fitted, profiles: Sequence[str]) -> Json:
    return {
        "format": FORMAT,
        "task": fitted.arbiter.task.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "encoder": asdict(eyes.choice),
        "fingerprint": eyes.encoder.fingerprint,
        "dim": eyes.encoder.dim,
        "sights": {name: sight.fingerprint for name, sight in eyes.sights.items()},
        "trust": list(profiles),
        "support": len(fitted.support.cases),
        "near": fitted.near.model_dump(mode="json"),
        "weighting": fitted.seated.retriever.weighting.model_dump(mode="json"),
        "notes": list(fitted.notes),
        "unread": [row.model_dump(mode="json") for row in fitted.unread],
        "provenance": provenance(fitted.seated.prompts),
    }


def _replace(folder: Path, draft: Path) -> None:
    """Moves the draft into place; the old panel is gone only once the new one stands."""
    old = draft.with_name(draft.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        draft.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _with_run_settings(fitted: Settings, now: Settings) -> Settings:
    """What was fitted stays; where and how it runs is this machine's."""
    checkpoint = now.encoder.checkpoint or fitted.encoder.checkpoint
    encoder = now.encoder.model_copy(update={"name": fitted.encoder.name, "checkpoint": checkpoint})
    here = {
        "run": now.run,
        "ray": now.ray,
        "encoder": encoder,
        "budget": now.budget,
        "prices": now.prices,
        "talk": now.talk,
        "prompts": now.prompts if now.prompts.folder else fitted.prompts,
        "sessions": now.sessions,
        "vlm": {name: _reached_by(options, now.vlm.get(name)) for name, options in fitted.vlm.items()},
        "reasoner": {name: _reached_by(options, now.reasoner.get(name)) for name, options in fitted.reasoner.items()},
        "recorded": {name: now.recorded.get(name, options) for name, options in fitted.recorded.items()},
    }
    return fitted.model_copy(update=here)


def _reached_by(fitted: Asked, now: Asked | None) -> Asked:
    """The same model and questions, at the address and with the limits of this machine."""
    if now is None:
        return fitted
    return fitted.model_copy(update={name: getattr(now, name) for name in TRANSPORT})
