"""Solar cells: 2,624 electroluminescence photographs from the package ``elpv-dataset``.

Deitsch et al. 2019, *Automatic classification of defective photovoltaic module cells in electroluminescence images*.
"""

from bisect import bisect_right
from importlib.util import find_spec
from pathlib import Path

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_text import text_lines
from doubleread.core.task import Label, Task
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

NAME = "solar-cells"
DEFECTIVE_FROM = 0.5
"""Graded defect probability (0, 1/3, 2/3 or 1) from which a cell counts as defective."""

MODULE_STARTS = (
    *range(0, 1200, 60),
    *range(1254, 1734, 60),
    1734, 1794, 1904, 1964, 2024, 2084, 2144, 2216, 2276, 2336, 2396, 2444, 2504, 2564,
)  # fmt: skip
"""Where the cells of the next module begin, counted from 0.

The data set's 44 modules are not marked; they stand one after another, mostly 60 cells each. These starts were found
by comparing the 18 pictures before a place with the 18 after it. Two pairs of modules that could not be told apart
safely (from 1140 and from 1794) are one group each, hence 42 groups.
"""

_NOTES = (
    "licence: CC BY-NC-SA 4.0 (elpv-dataset): not for commercial use",
    "labels: a graded defect probability of 0.5 or more (2/3, 1) is 'defective', less (0, 1/3) is 'functional'",
    "groups are solar modules, found from the images and the order of the files",
)
TASK = Task(
    id=NAME,
    labels=(
        Label(
            name="functional",
            description="electroluminescence image of a cell without a defect, graded 0 or 1/3 likely to be defective",
            phrases=("intact solar cell", "functional solar cell"),
        ),
        Label(
            name="defective",
            description="electroluminescence image of a cell with cracks or dark inactive areas, graded 2/3 or 1 "
            "likely to be defective",
            phrases=("cracked solar cell", "solar cell with dark inactive areas"),
        ),
    ),
)


def read_solar_cells(choice: ReadChoice = USUAL, *, progress: RowProgress | None = None) -> LabelledCases:
    """The solar cells; raises ``DataError`` where the package is not installed or not as expected."""
    folder = _folder()
    rows = [_row(folder, number, line) for number, line in enumerate(_lines(folder / "labels.csv"))]
    return gather(NAME, rows, choice, notes=_NOTES, progress=progress)


def _folder() -> Path:
    # The package's own loader would decode all 2,624 pictures; only its folder is wanted.
    spec = find_spec("elpv_dataset")
    if spec is None or spec.origin is None:
        raise DataError("the solar cells are not installed: pip install elpv-dataset")
    return Path(spec.origin).parent / "data"


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in text_lines(file) if line.strip()]
    except FileError as error:
        raise DataError(f"{error}; reinstall elpv-dataset") from None


def _row(folder: Path, number: int, line: str) -> DatasetRow:
    try:
        source, graded, kind = line.split()
        probability = float(graded)
    except ValueError:
        raise DataError(f"{folder / 'labels.csv'}, line {number + 1}: expected path, probability and type") from None
    return DatasetRow(
        where=f"line {number + 1}",
        path=folder / source,
        source=source,
        label="defective" if probability >= DEFECTIVE_FROM else "functional",
        group=f"module-{bisect_right(MODULE_STARTS, number):02d}",
        metadata={"defect_probability": f"{probability:.4g}", "type": kind},
    )
