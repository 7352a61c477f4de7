"""An archive as a data set: its cases with what is known of them."""

from contextlib import closing
from pathlib import Path

from doubleread.core.case import RowProblem
from doubleread.core.errors import DataError
from doubleread.core.stored import StoredCase
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice
from doubleread.rag.stores.ledger import Ledger
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.ledger_folder import FILE


def is_archive(folder: Path) -> bool:
    """Whether a folder is an archive."""
    return (folder / FILE).is_file()


def read_archive(folder: Path, choice: ReadChoice = USUAL, *, progress: RowProgress | None = None) -> LabelledCases:
    """The labelled cases of an archive; files that are gone, or that hold other pictures by now, are problems.

    Tags come as metadata ``tags``. Raises ``StoreError`` for a damaged archive, and what ``gather`` raises.
    """
    with closing(LedgerFile(folder, create=False)) as file:
        stored = Ledger(file).records()
    if not stored:
        raise DataError(f"the archive {folder} contains no cases; add some with `doubleread cases add`")
    notes = ["labels, groups and splits are taken from the archive"]
    found = gather(folder.resolve().name or "archive", map(_row, stored), choice, notes=notes, progress=progress)
    return _as_stored(found, stored)


def _row(stored: StoredCase) -> DatasetRow | RowProblem:
    case = stored.case
    if case.path is None:
        return RowProblem(
            where=case.id[:12], path=case.source, problem="it has no file, because it was added from memory"
        )
    tags = {"tags": ",".join(stored.tags)} if stored.tags else {}
    return DatasetRow(
        where=case.id[:12],
        path=case.path,
        source=case.source,
        label=stored.label,
        group=case.group,
        subject=case.subject,
        split=case.split,
        metadata={**case.metadata, **tags},
    )


def _as_stored(dataset: LabelledCases, stored: list[StoredCase]) -> LabelledCases:
    """Without the files that are no longer the pictures that were added."""
    known = {one.case.id for one in stored}
    changed = [case for case in dataset.cases if case.id not in known]
    told = [
        RowProblem(where=str(case.path), path=case.source, problem="the file has changed since it was added")
        for case in changed
    ]
    kept = tuple(case for case in dataset.cases if case.id in known)
    return dataset.model_copy(update={"cases": kept, "problems": (*dataset.problems, *told)})
