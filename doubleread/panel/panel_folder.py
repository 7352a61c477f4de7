"""A fitted panel as a movable folder of JSON, arrays and the case store, without pickle.

panel.json            format, task, settings, encoder, provenance, notes, and which archive belongs to it
arbiter.json          calibrators, fusion, policy, conformal sets, held-out scores
trust/*.json          one trust profile an agent and round
readings.jsonl        the answers that trust was learned from
reference.npz         what later pictures are compared with
agents/*.json, *.npz  what each agent learned
manifest.json         digests of all these files; a mismatch is an error (``panel_manifest``)
trust/v2/ …           trust relearned with confirmed outcomes (``trust_folder``)
trust.json            which version of the trust is used (``trust_pointer``)
outcomes.jsonl        the confirmed outcomes, if any (``outcomes``)
store/                the labelled cases
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from doubleread.core.agent_ports import Learns
from doubleread.core.base import Record
from doubleread.core.errors import EncoderMismatch, PanelError
from doubleread.core.ports import CaseStore
from doubleread.core.safe_files import inside, read_arrays, read_json
from doubleread.core.task import Task
from doubleread.core.types import Json
from doubleread.core.verdict import Unread
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.panel._reference import FILE as REFERENCE
from doubleread.panel._reference import PictureReference
from doubleread.panel._run_settings import run_settings, unused_settings
from doubleread.panel._second_prompts import use_second_prompts
from doubleread.panel.composition import Eyes, Seated
from doubleread.panel.consent import Ask, asks_of
from doubleread.panel.fitted_pictures import FittedPictures
from doubleread.panel.panel_manifest import AGAIN, LARGEST, Sealed, damaged
from doubleread.panel.trust_folder import ARBITER, MARK, READINGS, Trust, read_trust
from doubleread.panel.trust_pointer import FITTED, Pointer, pinned, read_pointer
from doubleread.rag.encoders import EncoderChoice
from doubleread.rag.near_copies.near_duplicates import NearRule
from doubleread.rag.nearest_cases import Weighting
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.store_registry import STORES, OpensStore, StorePlace
from doubleread.settings import Settings, load_settings

FORMAT = 6
SEALED = (MARK, ARBITER, READINGS, REFERENCE, "trust", "agents")
"""Files and folders that the manifest lists."""


class PinnedArchive(Record):
    """The archive that a panel was fitted with, and its version at that time."""

    id: str
    seq: Annotated[int, Field(ge=0, lt=2**63)]
    digest: str


class PinnedPrompt(Record):
    """A prompt that agents were calibrated with."""

    version: int
    sha256: str


class PanelProvenance(Record):
    """The parts of a panel's provenance that loading checks."""

    model_config = ConfigDict(extra="ignore")
    prompts: dict[str, PinnedPrompt]


class PanelHead(Record):
    """The contents of ``panel.json``."""

    format: int
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """Assigned at fitting; consent is stored under it."""
    task: Task
    settings: Json
    encoder: EncoderChoice
    fingerprint: str
    dim: Annotated[int, Field(gt=0, lt=2**31)]
    sights: dict[str, str]
    trust: tuple[str, ...]
    """File names of the profiles."""
    support: int
    pictures: FittedPictures = FittedPictures()
    near: NearRule
    weighting: Weighting
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """Empty for panels that were saved when warnings stood among the notes."""
    unread: tuple[Unread, ...]
    archive: PinnedArchive
    provenance: PanelProvenance
    second_prompts: dict[str, str] = Field(default_factory=dict)
    """Prompts that fitting chose for the second look in place of that of the settings, by agent."""


@dataclass(frozen=True)
class AboutPanel:
    """Identifies what a panel's verdicts rest on."""

    digest: str
    """Digest of its folder without the archive; see ``digest_of``."""
    archive: str
    """Version of its archive."""
    provenance: Json
    """Versions of packages and prompts, git revision, time."""


@dataclass(frozen=True)
class PanelFolder:
    """The contents of a panel folder."""

    folder: Path
    sealed: Sealed
    """Its files, as they were fitted."""
    head: PanelHead
    pointer: Pointer
    settings: Settings
    """The settings it was fitted with, and those for running it here."""
    trust: Trust
    reference: PictureReference | None = None
    """The reference for later pictures; None for a panel saved without it."""
    unused: tuple[str, ...] = ()
    """Settings of this machine that are ignored, since the panel keeps the values it was fitted with."""
    asks: tuple[Ask, ...] = ()
    """Requests beyond this machine's settings; call ``consent.check_allowed`` before acting on them."""

    @property
    def arbiter(self) -> Arbiter:
        return self.trust.arbiter

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how this trust was learned."""
        return self.trust.about.notes if self.trust.about else self.head.notes

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about how this trust was learned."""
        return self.trust.about.warnings if self.trust.about else self.head.warnings

    def with_trust(self, trust: Trust) -> "PanelFolder":
        """Returns the same panel with another version of its trust."""
        return replace(self, trust=trust, pointer=read_pointer(self.folder))


def digest_of(folder: Path, version: int) -> str:
    """Returns the sha256, in hex, of all that decides a panel's answers except the archive, which has versions."""
    return pinned(folder, read_pointer(folder), version)


def read_panel(folder: Path, settings: Settings | None, version: int | None = None) -> PanelFolder:
    """Reads everything but the store; raises ``PanelError`` that says what is missing or broken.

    ``version`` is the version of the trust; None is the one in use.
    """
    now = settings or load_settings()
    _check_format(folder)
    pointer = read_pointer(folder)
    sealed = Sealed.open(folder, pinned(folder, pointer, FITTED))
    with damaged(folder):
        sealed.check_listed(_entries(folder))
        head = PanelHead.model_validate(sealed.json(MARK))
        trust = read_trust(sealed, head.trust, pointer, pointer.version if version is None else version)
        fitted = load_settings(None, head.settings)
        running = run_settings(fitted, now)
        encoder = running.encoder.model_copy(update={"name": head.encoder.name})
        running = running.model_copy(update={"encoder": encoder})
        return PanelFolder(
            folder=folder,
            sealed=sealed,
            head=head,
            pointer=pointer,
            settings=running,
            trust=trust,
            reference=_reference(sealed),
            unused=unused_settings(running, fitted, now),
            asks=asks_of(running, now),
        )


def _reference(sealed: Sealed) -> PictureReference | None:
    if REFERENCE not in sealed.files:
        return None
    with damaged(sealed.folder / REFERENCE):
        return PictureReference.load(sealed.path(REFERENCE))


def _check_format(folder: Path) -> None:
    """Raises an error for a panel of another format, to distinguish it from a damaged one."""
    with damaged(folder / MARK):
        if not (folder / MARK).exists():
            raise PanelError(f"{folder} holds no panel (no {MARK}); make one with `doubleread fit` or Panel.save")
        found = read_json(inside(folder, MARK)).get("format")
        if found != FORMAT:
            said = found if isinstance(found, int) and found < 1000 else "of no known number"
            raise PanelError(f"{folder} has panel format {said}; this doubleread reads format {FORMAT}: fit it again")


def _entries(folder: Path) -> Iterator[str]:
    """Yields entries in the places of the manifest's files, except versions of the trust."""
    for name in SEALED:
        if (home := inside(folder, name)).is_dir():
            versions = {one for one in home.glob("v*") if name == "trust" and one.is_dir()}
            yield from (f"{name}/{one.name}" for one in home.iterdir() if one not in versions)
        elif home.exists():
            yield name


def stored(saved: PanelFolder) -> Archive:
    """Opens the panel's case store without an encoder. The caller closes it."""
    return _own_archive(saved, saved.head.fingerprint, saved.head.dim)


def open_store(saved: PanelFolder, eyes: Eyes) -> CaseStore:
    """Opens the panel's case store read-only; raises ``EncoderMismatch`` if it was made with another encoder."""
    if eyes.encoder.fingerprint != saved.head.fingerprint:
        raise EncoderMismatch(
            f"the panel was fitted with encoder {saved.head.encoder.name} ({saved.head.fingerprint}); "
            f"here {saved.head.encoder.name} has fingerprint {eyes.encoder.fingerprint}: "
            "install the same weights or fit again"
        )
    retrieval = saved.settings.retrieval
    with ExitStack() as undo:
        own = undo.enter_context(_own_archive(saved, eyes.encoder.fingerprint, eyes.encoder.dim))
        opens: OpensStore = STORES.get(retrieval.answered_by)
        store = opens(StorePlace(own, retrieval.url, retrieval.collection))
        if store is not own:
            share(own, store)
            return store
        undo.pop_all()
        return store


def _own_archive(saved: PanelFolder, fingerprint: str, dim: int) -> Archive:
    """Opens the archive in the panel's folder. Raises ``PanelError`` if the panel was fitted with another one."""
    with damaged(saved.folder / "store"):
        home = inside(saved.folder, "store")
    own, pin = Archive(home, fingerprint, dim=dim, create=False, index=False), saved.head.archive
    try:
        if own.file.about("id") != pin.id or own.digest_at(pin.seq) != pin.digest:
            raise PanelError(
                f"{home} is not the archive that the panel was fitted with, or its history is damaged; {AGAIN}"
            )
        own.contents()  # reports a damaged archive now and not in the middle of a batch
    except BaseException:
        own.close()
        raise
    return own


def share(own: Archive, shared: CaseStore) -> None:
    """Adds missing cases to a shared store."""
    cases, embeddings = own.export()
    lacks = [i for i, case in enumerate(cases) if not shared.holds(case.id)]
    shared.put(own.get([cases[i].id for i in lacks]), embeddings[lacks])


def check_prompts(saved: PanelFolder, seated: Seated) -> None:
    """Raises ``PanelError`` if a prompt differs from the one the agents were calibrated with."""
    fitted = saved.head.provenance.prompts
    changed = [
        f"{p.id} (fitted with {fitted[p.id].sha256[:8]}, now {p.sha256[:8]}, {p.origin})"
        for p in seated.prompts
        if p.id in fitted and fitted[p.id].sha256 != p.sha256
    ]
    if changed:
        raise PanelError(
            f"{saved.folder}: prompts have changed since the panel was fitted, and its trust is not that of other "
            f"prompts: {', '.join(changed)}; set prompts.folder to the old ones, or fit again"
        )


def check_sights(saved: PanelFolder, eyes: Eyes) -> None:
    """Raises ``EncoderMismatch`` if an agent's features differ from those it was fitted on."""
    for name, fingerprint in saved.head.sights.items():
        if name in eyes.sights and eyes.sights[name].fingerprint != fingerprint:
            raise EncoderMismatch(
                f"the panel was fitted with {name} of {fingerprint}; here it is {eyes.sights[name].fingerprint}: "
                "use the doubleread it was fitted with, or fit again"
            )


def restore_agents(saved: PanelFolder, seated: Seated) -> None:
    """Restores the learned state of each agent, and the prompts that fitting chose."""
    use_second_prompts(seated, saved.head.second_prompts)
    for name, agent in seated.agents.items():
        if isinstance(agent, Learns):
            with damaged(saved.folder / "agents" / name):
                arrays = read_arrays(saved.sealed.path(f"agents/{name}.npz"), limit=LARGEST)
                agent.restore(saved.sealed.json(f"agents/{name}.json"), arrays)
