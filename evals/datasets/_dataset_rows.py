"""From rows to labelled cases: hash the files, drop what cannot be used, and say so; from those to a data set."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from doubleread.core.case import Case, RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import NO_GROUPS, Caution, cautions, divided, first_few
from doubleread.core.task import Task
from doubleread.evals.datasets._dataset_record import Dataset, LabelledCases, RowProgress
from doubleread.evals.datasets.label_names import FOREIGN_SUFFIXES, slug, suffix
from doubleread.evals.leakage import check_leakage

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


def gather(
    name: str,
    found: Iterable[DatasetRow | RowProblem],
    *,
    notes: Iterable[str] = (),
    progress: RowProgress | None = None,
) -> LabelledCases:
    """The cases of the rows that were found. Raises ``DataError`` where no row can be used."""
    rows: list[DatasetRow] = []
    bad: list[RowProblem] = []
    for one in found:
        rows.append(one) if isinstance(one, DatasetRow) else bad.append(one)
    kept: list[tuple[DatasetRow, Case]] = []
    for done, row in enumerate(rows, start=1):
        case = _read(row)
        if isinstance(case, RowProblem):
            bad.append(case)
        else:
            kept.append((row, case))
        if progress:
            progress(done, len(rows))
    cases, contradicting, repeated = _merge_identical(kept)
    bad.extend(problem for _, problem in contradicting)
    if not cases:
        raise DataError(f"{name}: none of {len(rows)} rows can be used{_first(bad)}")
    every = (
        *notes,
        *_grouping(cases),
        *_copy_notes(len(repeated)),
        *_look_alikes(cases),
        *_leaks(cases),
        *_skipped(bad),
    )
    information, warnings = divided(every)
    return LabelledCases(
        name=name,
        cases=tuple(cases),
        problems=tuple(bad),
        notes=information,
        warnings=warnings,
        copies=len(repeated),
        repeated=tuple(repeated),
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


def _read(row: DatasetRow) -> Case | RowProblem:
    problem = _unusable(row)
    if problem:
        return RowProblem(where=row.where, path=row.source, problem=problem)
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
        return RowProblem(where=row.where, path=row.source, problem=str(error))


def _unusable(row: DatasetRow) -> str:
    if not row.label:
        return "the label is empty"
    if suffix(row.path) in FOREIGN_SUFFIXES:
        return f"{row.path.suffix} images are not supported; convert it to PNG or JPEG"
    try:
        found = row.path.stat()
    except FileNotFoundError:
        return "the file is missing"
    except (OSError, ValueError) as error:
        return f"the path cannot be used: {getattr(error, 'strerror', None) or error}"
    if not S_ISREG(found.st_mode):
        return "not a file"
    return "" if found.st_size else "the file is empty"


def _merge_identical(
    kept: Sequence[tuple[DatasetRow, Case]],
) -> tuple[list[Case], list[tuple[Case, RowProblem]], list[Case]]:
    """One case per picture, those of pictures with two labels, and the copies left out; copies in two splits stay."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    for row, case in kept:
        labels[case.id].setdefault(row.label, row.source)
    cases: list[Case] = []
    contradicting: list[tuple[Case, RowProblem]] = []
    seen: dict[tuple[str, str | None], str] = {}
    repeated: list[Case] = []
    for row, case in kept:
        key = (case.id, case.split)
        if len(labels[case.id]) > 1:
            names = ", ".join(f"{label} ({source})" for label, source in sorted(labels[case.id].items()))
            told = f"the same picture has the labels {names}; all copies are left out"
            contradicting.append((case, RowProblem(where=row.where, path=row.source, problem=told)))
        elif key in seen:
            repeated.append(case)
        else:
            seen[key] = row.where
            cases.append(case)
    return cases, contradicting, repeated


def _copy_notes(copies: int) -> list[str]:
    return [f"identical files: {copies} copies were left out"] if copies else []


def _leaks(cases: Sequence[Case]) -> tuple[Caution, ...]:
    """What the splits share, so that figures on them are too good; ``doubleread cases check`` lists it."""
    found = check_leakage(cases)
    shared = (("pictures", len(found.copies)), ("groups", len(found.shared_groups)))
    return cautions(
        f"{n} {what} are in more than one split, so the measured accuracy will be too high; "
        "`doubleread cases check` lists them"
        for what, n in shared
        if n
    )


def _skipped(problems: Sequence[RowProblem]) -> tuple[Caution, ...]:
    return cautions(first_few([one.line for one in problems], "{n:,} more rows skipped"))


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


def _grouping(cases: Sequence[Case]) -> list[str]:
    without = sum(case.group is None for case in cases)
    if without == len(cases):
        return [Caution(NO_GROUPS)]
    groups = len({case.group for case in cases if case.group is not None})
    some = [Caution(f"{without} cases have no group")] if without else []
    return [f"{groups} groups of cases that stay together", *some]


def _look_alikes(cases: Sequence[Case]) -> list[str]:
    spelt: dict[str, list[str]] = defaultdict(list)
    for name in sorted({case.label or "" for case in cases}):
        spelt[slug(name)].append(name)
    return [
        Caution(f"labels {', '.join(map(repr, names))} are kept apart, but look like one label spelt differently")
        for names in spelt.values()
        if len(names) > 1
    ]
