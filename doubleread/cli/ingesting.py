"""What ``doubleread cases add`` and ``sync`` do and show."""

from pathlib import Path
from typing import NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from doubleread.cli.screen import OUT, note, progress, tell_json, warn
from doubleread.core.case import RowProblem
from doubleread.evals.datasets import Labelled, read_labelled
from doubleread.panel.archives import ArchiveIntake, open_intake
from doubleread.rag.ingest import Provenance, gone, ingest, remove
from doubleread.rag.ingested import Ingested
from doubleread.rag.picture_quality import unusual_pictures
from doubleread.settings import Settings

SHOWN_PROBLEMS, SHOWN_COPIES = 10, 3
_ROWS = {
    "added": "new",
    "changed": "rewritten: label, group, split, path, tags or metadata",
    "unchanged": "there already",
    "kept": "corrected, removed or erased in the archive, and left so",
    "duplicates": "the same picture again, here or from another origin",
    "encoded": "there already, and encoded now by the encoder in use",
    "near_copies": "new pictures nearly the same as another of the archive; added all the same",
    "unusual": "dark, blurred, flat, over-bright, tiny or oddly shaped; added all the same",
    "gone": "no longer in the data set",
    "removed": "of these, removed",
    "problems": "left out",
}


class Given(NamedTuple):
    """A data set as the command line names it."""

    data: str
    group: str | None
    label_column: str
    path_column: str
    origin: str
    reviewer: str
    tags: tuple[str, ...]

    def read(self) -> Labelled:
        """The data set, with a bar while its files are hashed."""
        columns = {"label_column": self.label_column, "path_column": self.path_column}
        with progress() as report:
            return read_labelled(
                self.data,
                group=self.group,
                progress=lambda done, total: report("reading files", done, total),
                **columns,
            )


def run_ingest(
    folder: Path, given: Given, settings: Settings, *, prune: bool | None, strict: bool, as_json: bool
) -> None:
    """``prune``: whether what is gone is removed; None for an addition, which does not look.

    Exit code 1 if ``strict`` and rows were left out.
    """
    with open_intake(folder, settings) as intake:
        (warn if intake.choice.fallback else note)(f"encoder: {intake.choice.name}: {intake.choice.reason}")
        dataset = given.read()
        for line in (f"{dataset.name}: {len(dataset.cases)} images", *dataset.notes):
            note(line)
        found = _bring(intake, dataset, given, prune)
    if as_json:
        tell_json(found.model_dump_json())
    else:
        _show(found, folder)
    _warn(found, prune)
    if strict and found.problems:
        raise typer.Exit(1)


def _bring(intake: ArchiveIntake, dataset: Labelled, given: Given, prune: bool | None) -> Ingested:
    source = Provenance(origin=given.origin or dataset.name, reviewer=given.reviewer, tags=given.tags)
    with intake.archive() as archive, progress() as report:
        found = ingest(
            archive, dataset.cases, intake.embedder, source, lambda done, total: report("adding cases", done, total)
        )
        found = found.model_copy(
            update={
                "problems": (*dataset.problems, *found.problems),
                "duplicates": found.duplicates + dataset.copies,
            }
        )
        if prune is None:
            return found
        lost = gone(archive, source.origin, dataset.cases, found.problems)
        if prune:
            remove(archive, source, lost)
        counts = {"gone": len(lost), "removed": len(lost) if prune else 0, "version": archive.version()}
        return found.model_copy(update=counts)


def _show(found: Ingested, folder: Path) -> None:
    table = Table(title=escape(f"{found.origin} → {folder}"), title_justify="left", show_header=False, box=SIMPLE_HEAD)
    table.add_column("count", justify="right")
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("what", style="dim")
    for name, what in _ROWS.items():
        value = getattr(found, name)
        count = value if isinstance(value, int) else len(value)
        if count or name == "added":
            table.add_row(f"{count:,}", name, what)
    OUT.print(table)
    OUT.print(f"archive: {escape(str(folder))} at {found.version}", soft_wrap=True, highlight=False)


def _warn(found: Ingested, prune: bool | None) -> None:
    for problem in found.problems[:SHOWN_PROBLEMS]:
        warn(f"left out {_line(problem)}")
    if len(found.problems) > SHOWN_PROBLEMS:
        warn(f"… and {len(found.problems) - SHOWN_PROBLEMS} more rows left out; --json lists them all")
    for new, other in found.near_copies[:SHOWN_COPIES]:
        warn(f"nearly one picture: {new} and {other}")
    if len(found.near_copies) > SHOWN_COPIES:
        warn(f"… and {len(found.near_copies) - SHOWN_COPIES} more such pairs; --json lists them all")
    for line in unusual_pictures([one.signs for one in found.unusual], [one.source for one in found.unusual]):
        warn(line)
    if found.gone and not prune:
        warn(f"{found.gone} cases of {found.origin} are no longer in the data set: --prune removes them")


def _line(problem: RowProblem) -> str:
    where = problem.where if problem.path in ("", problem.where) else f"{problem.where} ({problem.path})"
    return f"{where}: {problem.problem}"
