"""Copies labelled cases into a new folder, in the format of another tool."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.drafts import drafted
from doubleread.core.durable import write_text
from doubleread.core.errors import DataError, FileError, ImageError
from doubleread.core.progress import Progress
from doubleread.evals.datasets.label_names import SUPPORT
from doubleread.evals.datasets.manifest_dataset import write_manifest
from doubleread.evals.exports._coco_format import COCO
from doubleread.evals.exports._copied_files import bytes_of, file_name, put
from doubleread.evals.exports._export_parts import (
    SPLIT_FOLDERS,
    ExportDraft,
    ExportedCase,
    ExportFormat,
    UniqueNames,
    safe_name,
)
from doubleread.evals.exports._fiftyone_format import FIFTYONE
from doubleread.evals.exports._imagefolder_format import IMAGE_FOLDER
from doubleread.evals.exports._label_studio_format import LABEL_STUDIO
from doubleread.evals.exports.verdict_source import VerdictSource
from doubleread.rag.images.safe_images import size_of

FORMATS: Mapping[str, ExportFormat] = {
    "imagefolder": IMAGE_FOLDER,
    "coco": COCO,
    "label-studio": LABEL_STUDIO,
    "fiftyone": FIFTYONE,
}
_SPLIT_WORD = re.compile(
    r"(?:^|[-._ \d])(?:train|training|val|valid|validation|dev|test|testing|eval|evaluation)(?:[-._ \d]|$)",
    re.IGNORECASE,
)
MANIFEST, LEFT_OUT = "manifest.csv", "left-out.csv"


@dataclass(frozen=True)
class CaseExport:
    """What was written, and what was not.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.exports import export_cases
        >>> export_cases(doubleread.read_dataset("photos").cases, Path("for-cvat"), "coco").left_out
        ()
    """

    cases: int
    predictions: int
    """Cases whose verdict was written."""
    left_out: tuple[RowProblem, ...]
    notes: tuple[str, ...]


def export_cases(
    cases: Sequence[Case],
    folder: Path,
    to: str,
    *,
    verdicts: VerdictSource | None = None,
    problems: Sequence[RowProblem] = (),
    link: bool = False,
    progress: Progress | None = None,
) -> CaseExport:
    """Writes cases to a new folder in the format of another tool; ``manifest.csv`` beside it keeps everything.

    Pictures are copied. A case without a file, or whose file has changed, is left out and listed. The folder appears
    when it is complete, or not at all.

    Args:
        cases: The cases; those without a label are left out where the format has no place for them.
        folder: A new or empty folder.
        to: One of ``FORMATS``.
        verdicts: The panel's verdicts, which Label Studio and FiftyOne show as predictions.
        problems: What reading the cases left out; it is listed in ``left-out.csv`` too.
        link: Hard-link the pictures instead of copying them, where the file system allows it.
        progress: Called with the stage and the number of pictures done and of all.

    Raises:
        DataError: The format is unknown, the folder is not empty, no case can be written, or the disk fails.

    Examples:
        >>> from pathlib import Path
        >>> from doubleread.evals.exports import export_cases
        >>> dataset = doubleread.read_dataset("photos")
        >>> export_cases(dataset.cases, Path("for-torchvision"), "imagefolder").cases
        33
    """
    if to not in FORMATS:
        raise DataError(f"there is no format {to!r}; formats: {', '.join(FORMATS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty: name a new folder for the export")
    try:
        with drafted(folder) as draft:
            writer = _Export(FORMATS[to], draft, folder.resolve().name, cases, verdicts)
            return writer.write(problems, link, progress)
    except FileError as error:
        raise DataError(str(error)) from None


class _Export:
    def __init__(
        self, form: ExportFormat, draft: Path, name: str, cases: Sequence[Case], verdicts: VerdictSource | None
    ) -> None:
        self.form, self.draft, self.name, self.cases = form, draft, name, cases
        self.given = verdicts.verdicts if verdicts and form.takes_verdicts else {}
        self.version = verdicts.version if verdicts else ""
        said = {label for case in cases if (found := self.given.get(case.id)) for label in found.posterior}
        self.labels = sorted({case.label for case in cases if case.label} | said)
        names = UniqueNames()
        self.folders = {label: names.folder(label) for label in self.labels}
        self.splits = any(case.split for case in cases)

    def write(self, problems: Sequence[RowProblem], link: bool, progress: Progress | None) -> CaseExport:
        written: list[ExportedCase] = []
        left: list[RowProblem] = [*problems]
        names = UniqueNames()
        for done, case in enumerate(self.cases, start=1):
            try:
                written.append(self._copy(case, names, link))
            except (DataError, ImageError) as error:
                where = case.source or case.id[:12]
                left.append(RowProblem(where=where, path=str(case.path or ""), problem=str(error)))
            if progress:
                progress("copying", done, len(self.cases))
        if not written:
            first = left[len(problems)].line if left[len(problems) :] else "there are none"
            raise DataError(f"none of {len(self.cases)} cases can be exported: {first}")
        self.form.write(ExportDraft(self.draft, self.name, written, self.labels, self.folders, self.version))
        write_manifest(self.draft / MANIFEST, [self._placed(one) for one in written])
        _write_left(self.draft / LEFT_OUT, left)
        predictions = sum(one.guess is not None for one in written)
        return CaseExport(len(written), predictions, tuple(left), tuple(self._notes(written)))

    def _copy(self, case: Case, names: UniqueNames, link: bool) -> ExportedCase:
        """Copies the picture of a case; raises ``DataError`` or ``ImageError`` where it cannot be exported."""
        if self.form.needs_label and not case.label:
            raise DataError("it has no label")
        data = bytes_of(case)
        size = size_of(data) if self.form.needs_size else (0, 0)
        split = SPLIT_FOLDERS.get(case.split or SUPPORT) or safe_name(str(case.split)) if self.splits else ""
        home = self.form.place(split, self.folders.get(case.label or "", ""))
        path = f"{home}/{names.file(file_name(case), home)}"
        (self.draft / home).mkdir(parents=True, exist_ok=True)
        put(case, data, self.draft / path, link)
        return ExportedCase(case, path, split, size, self.given.get(case.id))

    def _placed(self, one: ExportedCase) -> Case:
        metadata = {**one.case.metadata, "source": one.case.source}
        return one.case.model_copy(update={"path": self.draft / one.path, "metadata": metadata})

    def _notes(self, written: Sequence[ExportedCase]) -> list[str]:
        changed = [label for label, name in self.folders.items() if label != name and self.form.needs_label]
        unsplit = sum(not one.case.split for one in written) if self.splits else 0
        without = sum(one.verdict is None for one in written) if self.given else 0
        alarmed = sum(one.verdict is not None and one.guess is None for one in written)
        mistaken = [name for name in self.folders.values() if self.form.needs_label and _SPLIT_WORD.search(name)]
        told = (
            ("labels whose name the package datasets takes for a split (give it data_files)", len(mistaken)),
            ("labels whose name no folder can have (see label-names.csv)", len(changed)),
            (f"cases without a split, which are in {SPLIT_FOLDERS[SUPPORT]} as `fit` uses them", unsplit),
            ("cases without a verdict", without),
            ("verdicts without a probability, as after an alarm, which are no predictions", alarmed),
        )
        return [f"{text}: {n:,}" for text, n in told if n]


def _write_left(file: Path, left: Sequence[RowProblem]) -> None:
    if not left:
        return
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("where", "path", "problem"))
    writer.writerows((one.where, one.path, one.problem) for one in left)
    write_text(file, out.getvalue())
