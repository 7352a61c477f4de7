"""An archive as a data set: its cases with what is known of them."""

from pathlib import Path

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.core.stored import StoredCase
from doubleread.evals.datasets.dataset_record import Labelled, Progress
from doubleread.evals.datasets.gather import Row, gather
from doubleread.rag.stores.ledger import Ledger
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.ledger_folder import FILE


def is_archive(folder: Path) -> bool:
    """Whether a folder is an archive."""
    return (folder / FILE).is_file()


def read_archive(folder: Path, *, progress: Progress | None = None) -> Labelled:
    """The labelled cases of an archive; files that are gone, or that hold other pictures by now, are problems.

    Tags come as metadata ``tags``. Raises ``StoreError`` for a damaged archive, and what ``gather`` raises.
    """
    file = LedgerFile(folder, create=False)
    try:
        stored = Ledger(file).records()
    finally:
        file.close()
    if not stored:
        raise DataError(f"the archive {folder} holds no cases: add some with `doubleread cases add`")
    rows = [_row(one) for one in stored if one.case.path is not None]
    problems = [_problem(one, "it has no file: it was added from memory") for one in stored if one.case.path is None]
    name = folder.resolve().name or "archive"
    notes = ["labels, groups and splits are those of the archive"]
    found = gather(name, rows, problems=problems, notes=notes, progress=progress)
    return _as_stored(found, stored)


def _row(stored: StoredCase) -> Row:
    case = stored.case
    tags = {"tags": ",".join(stored.tags)} if stored.tags else {}
    return Row(
        where=case.id[:12],
        path=Path(str(case.path)),
        source=case.source,
        label=stored.label,
        group=case.group,
        split=case.split,
        metadata={**case.metadata, **tags},
    )


def _as_stored(dataset: Labelled, stored: list[StoredCase]) -> Labelled:
    """Without the files that are no longer the pictures that were added."""
    known = {one.case.id for one in stored}
    changed = [case for case in dataset.cases if case.id not in known]
    told = [
        RowProblem(where=str(case.path), path=case.source, problem="the file has changed since it was added")
        for case in changed
    ]
    kept = tuple(case for case in dataset.cases if case.id in known)
    return dataset.model_copy(update={"cases": kept, "problems": (*dataset.problems, *told)})


def _problem(stored: StoredCase, problem: str) -> RowProblem:
    return RowProblem(where=stored.case.id[:12], path=stored.case.source, problem=problem)
