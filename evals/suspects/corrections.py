"""The table that people decide in, and the data set or archive with their decisions."""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from doubleread.core.case import Case
from doubleread.core.durable import write_file
from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_text import text_lines
from doubleread.evals.suspects.suspect_search import SuspectLabels

ID, CORRECT, LABEL = "id", "correct", "label"
COLUMNS = ("rank", CORRECT, LABEL, "suggested", "probability", "source", "group", ID)


@dataclass(frozen=True)
class Correction:
    """What a person says that a case's label is, and what it was when the table was made."""

    id: str
    label: str
    before: str


def write_table(found: SuspectLabels, file: Path) -> None:
    """One suspect a row, with an empty column ``correct``. Raises ``DataError`` where the file is there already."""
    if os.path.lexists(file):
        raise DataError(
            f"{file} exists already and may contain your corrections; apply it with "
            "`doubleread cases correct`, or choose another folder"
        )
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for i, one in enumerate(found.suspects, start=1):
        chance = f"{one.probability:.4f}"
        writer.writerow((i, "", one.label, one.suggested, chance, one.source, one.group or "", one.id))
    write_file(file, out.getvalue().encode())


def read_table(file: Path) -> list[Correction]:
    """The rows with something in ``correct``. Raises ``DataError`` for a file that is no such table."""
    try:
        reader = csv.DictReader(text_lines(file))
        missing = {ID, CORRECT, LABEL} - set(reader.fieldnames or ())
        rows = list(reader)
    except FileError as error:
        raise DataError(str(error)) from None
    except csv.Error as error:
        raise DataError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    if missing:
        raise DataError(
            f"{file} lacks the columns {', '.join(sorted(missing))}; use the table of `doubleread cases suspect`"
        )
    told = [(row[ID] or "", (row[CORRECT] or "").strip(), row[LABEL] or "") for row in rows]
    return [Correction(case, label, before) for case, label, before in told if label]


def corrected(cases: Iterable[Case], corrections: Iterable[Correction]) -> tuple[list[Case], list[Correction]]:
    """The cases with their corrected labels, and the corrections of cases that are not there."""
    found, wanted = list(cases), {one.id: one for one in corrections}
    there = {case.id for case in found}
    changed = [
        case.model_copy(update={"label": wanted[case.id].label}) if case.id in wanted else case for case in found
    ]
    return changed, [one for one in wanted.values() if one.id not in there]
