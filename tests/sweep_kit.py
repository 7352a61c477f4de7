"""A panel of scripted agents as its folder would be read, with readings in groups."""

from kit import TASK, case_of
from scripts_kit import Script, readings

from doubleread.evals.sweep import RecordedAnswers
from doubleread.orchestrator.course.kept import kept, readings_of
from doubleread.panel.fitting import learn_trust
from doubleread.panel.panel_folder import PanelFolder, PanelHead, PinnedArchive
from doubleread.panel.panel_manifest import Sealed
from doubleread.panel.trust_folder import Trust
from doubleread.panel.trust_pointer import Pointer
from doubleread.rag.nearest_cases import Weighting
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.seal import START
from doubleread.settings import load_settings

SCRIPTS = {
    "a": Script(0.8, then=0.97, silent=0.05),
    "b": Script(0.7, then=0.8, silent=0.1),
    "c": Script(0.6),
}


def panel_folder(folder, scripts, said, **sections):
    """A panel that learned from these readings, without agents, over an empty archive."""
    flags = {
        "panel": {"agents": tuple(scripts)},
        "fusion": {"rule": "log-pool"},
        "trust": {"calibrator": "temperature", "folds": 3},
        **sections,
    }
    settings = load_settings(None, flags)
    with Archive(folder / "store", "scripted", dim=4) as archive:
        pin = PinnedArchive(id=archive.file.about("id"), seq=0, digest=START)
    pointer = Pointer.to(1, {1: "0" * 64})
    pointer.write(folder)
    arbiter = learn_trust(TASK, settings, said)
    head = PanelHead.model_construct(fingerprint="scripted", dim=4, weighting=Weighting(), archive=pin, notes=())
    return PanelFolder(
        folder=folder,
        head=head,
        settings=settings,
        trust=Trust(1, arbiter),
        sealed=Sealed(folder, {}),
        pointer=pointer,
    )


def recorded(folder, scripts=SCRIPTS, n=90, seed=0, usd=None, per_group=2, **sections):
    """That panel with its readings, ``per_group`` cases of one label a group."""
    said = readings(scripts, n, seed)
    rows = kept(TASK, [case_of(f"case {i}") for i in range(n)], said)
    rows = tuple(row.model_copy(update={"group": f"{row.label} {i // 3 // per_group}"}) for i, row in enumerate(rows))
    said = readings_of(TASK, tuple(scripts), rows, "")
    return RecordedAnswers(panel_folder(folder, scripts, said, **sections), rows, usd or {})
