"""From rows to labelled cases: hash the files, drop what cannot be used, and say so; from those to a data set."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import divided
from doubleread.core.task import Task
from doubleread.evals.datasets._dataset_record import COPIES, Dataset, LabelledCases, RowProgress
from doubleread.evals.datasets._row_labels import with_labels
from doubleread.evals.datasets._row_notes import notes_on
from doubleread.evals.datasets.folder_walk import head_of, no_image
from doubleread.evals.datasets.label_names import slug
from doubleread.evals.datasets.read_choice import ReadChoice
from doubleread.rag.images.image_kinds import kind_of, refusal

_SHOWN, _LONGEST = 3, 300


@dataclass(frozen=True)
class DatasetRow:
    """One image as its source names it."""

    where: str
    path: Path
    source: str
    label: str
    group: str | None = None
    subject: str | None = None
    split: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    reading: str = ""
    """How the path was read, if not as it is written."""

    def problem(self, reason: str, told: str) -> RowProblem:
        """The problem of this row; ``reason`` is its kind."""
        return RowProblem(where=self.where, path=self.source, problem=told, reason=reason, split=self.split)


def gather(
    name: str,
    found: Iterable[DatasetRow | RowProblem],
    choice: ReadChoice,
    *,
    notes: Iterable[str] = (),
    progress: RowProgress | None = None,
    ignored: Sequence[RowProblem] = (),
) -> LabelledCases:
    """The cases of the rows that were found, with labels and groups as ``with_labels`` makes them.

    ``ignored`` are files that were not meant as images. Raises ``DataError`` where no row can be used, and what
    ``with_labels`` raises.
    """
    rows: list[DatasetRow] = []
    bad: list[RowProblem] = []
    for one in found:
        rows.append(one) if isinstance(one, DatasetRow) else bad.append(one)
    named = with_labels(rows, choice.label_map)
    bad.extend(named.problems)
    kept = _cases_of(named.rows, bad, progress)
    cases, contradicting, repeated = _merge_identical(kept)
    bad.extend(problem for _, problem in contradicting)
    if not cases:
        raise DataError(f"{name}: none of {len(rows)} rows can be used{_first(bad)}")
    every = (*notes, *named.notes, *notes_on((row.label for row in named.rows), cases, bad))
    information, warnings = divided(every)
    return LabelledCases(
        name=name,
        cases=tuple(cases),
        problems=tuple(bad),
        notes=information,
        warnings=warnings,
        ignored=(*ignored, *(problem for _, problem in repeated)),
        repeated=tuple(case for case, _ in repeated),
        contradicting=tuple(case for case, _ in contradicting),
    )


def dataset_of(found: LabelledCases, *, task: Task | None = None, task_id: str | None = None) -> Dataset:
    """The data set of labelled cases; the task is made of the labels found unless it is given.

    Raises ``DataError`` where there is one label only, or a label has a single case.
    """
    _check_labels(found.name, found.cases, found.problems)
    made = task or Task.of(slug(task_id or found.name), (case.label or "" for case in found.cases))
    told = made.model_copy(update={"id": task_id}) if task and task_id else made
    return Dataset(task=told, **{name: getattr(found, name) for name in LabelledCases.model_fields})


def _cases_of(
    rows: Sequence[DatasetRow], bad: list[RowProblem], progress: RowProgress | None
) -> list[tuple[DatasetRow, Case]]:
    """The rows that can be used with their cases; the problems of the others are added to ``bad``."""
    kept: list[tuple[DatasetRow, Case]] = []
    for done, row in enumerate(rows, start=1):
        case = _read(row)
        if isinstance(case, RowProblem):
            bad.append(case)
        else:
            kept.append((row, case))
        if progress:
            progress(done, len(rows))
    return kept


def _read(row: DatasetRow) -> Case | RowProblem:
    problem = _unusable(row)
    if problem:
        return problem
    try:
        return Case.from_file(
            row.path,
            source=row.source,
            label=row.label,
            group=row.group,
            subject=row.subject,
            split=row.split,
            metadata=row.metadata,
        )
    except DataError as error:
        return row.problem("files that cannot be opened", str(error))


def _unusable(row: DatasetRow) -> RowProblem | None:
    try:
        head = head_of(row.path)
    except FileNotFoundError:
        return row.problem("missing files", "the file is missing")
    except (OSError, ValueError) as error:
        told = f"the path cannot be used: {getattr(error, 'strerror', None) or error}"
        return row.problem("files that cannot be opened", told)
    kind = kind_of(head, row.path.suffix)
    if kind is None:
        return row.problem(*no_image(head))
    refused = refusal(kind)
    return row.problem(f"{kind} images", refused) if refused else None


def _merge_identical(
    kept: Sequence[tuple[DatasetRow, Case]],
) -> tuple[list[Case], list[tuple[Case, RowProblem]], list[tuple[Case, RowProblem]]]:
    """One case per picture, those of pictures with two labels, and the copies left out; copies in two splits stay."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for row, case in kept:
        labels[case.id].setdefault(row.label, row.source)
    cases: list[Case] = []
    contradicting: list[tuple[Case, RowProblem]] = []
    seen: dict[tuple[str, str | None], str] = {}
    repeated: list[tuple[Case, RowProblem]] = []
    for row, case in kept:
        key = (case.id, case.split)
        if len(labels[case.id]) > 1:
            names = ", ".join(f"{label} ({source})" for label, source in sorted(labels[case.id].items()))
            told = f"the same picture has the labels {names}; all copies are left out"
            contradicting.append((case, row.problem("images with contradicting labels", told)))
        elif key in seen:
            repeated.append((case, row.problem(COPIES, f"the same picture as {seen[key]}")))
        else:
            seen[key] = row.where
            cases.append(case)
    return cases, contradicting, repeated


def _check_labels(name: str, cases: Sequence[Case], problems: Sequence[RowProblem]) -> None:
    counts = Counter(case.label or "" for case in cases)
    if len(counts) < 2:
        only = next(iter(counts))
        raise DataError(
            f"{name}: every case has the label {only[:60]!r}; at least 2 labels are needed{_first(problems)}"
        )
    few = sorted(label for label, n in counts.items() if n < 2)
    if few:
        raise DataError(
            f"{name}: too few cases of {', '.join(few)[:_LONGEST]}; each label needs at least 2. "
            f"Add images, or leave the label out{_first(problems)}"
        )


def _first(problems: Sequence[RowProblem]) -> str:
    """The first problems, to end a message with."""
    if not problems:
        return ""
    shown = "; ".join(f"{p.where}: {p.problem}"[:_LONGEST] for p in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f" ({shown}{f'; and {more} more' if more > 0 else ''})"
