"""One way in for every kind of data set."""

from pathlib import Path

from doubleread.core.errors import DataError
from doubleread.evals.datasets.archive import is_archive, read_archive
from doubleread.evals.datasets.folder import read_folder
from doubleread.evals.datasets.manifest import CSV_SUFFIXES, JSONL_SUFFIXES, read_manifest
from doubleread.evals.datasets.record import Dataset, Progress
from doubleread.evals.datasets.solar import NAME as SOLAR_CELLS
from doubleread.evals.datasets.solar import read_solar_cells

_KINDS = (
    "a folder with one sub-folder of images per label, a manifest (.csv, .tsv or .jsonl with the columns path and "
    f"label), an archive of cases, or the name {SOLAR_CELLS!r}"
)


def read_dataset(
    source: str | Path,
    *,
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    task_id: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """A labelled data set from a folder, a manifest, an archive, or the name ``solar-cells``.

    ``group`` says what belongs together and must not be split: columns of a manifest (``"series,capture//10"`` joins
    two and cuts a running number into blocks of ten) or, for folders too, ``"re:(plant\\d+)"``, the captured part
    of the relative path. Rows that cannot be used are in ``problems``; pictures are hashed, not decoded.

    Raises ``DataError`` where the source as a whole cannot be used.
    """
    if source == SOLAR_CELLS:
        if group is not None:
            raise DataError(f"{SOLAR_CELLS} brings its own groups (the modules); leave group out")
        return read_solar_cells(task_id=task_id, progress=progress)
    if not str(source).strip():
        raise DataError(f"no data set was named; a data set is {_KINDS}")
    path = Path(source).expanduser()
    if is_archive(path):
        if group is not None:
            raise DataError(f"the archive {source} brings its own groups; leave group out")
        return read_archive(path, task_id=task_id, progress=progress)
    if path.is_dir():
        return read_folder(path, group=group, task_id=task_id, progress=progress)
    if not path.exists():
        raise DataError(f"there is no {source}; a data set is {_KINDS}")
    if path.suffix.lower() in CSV_SUFFIXES | JSONL_SUFFIXES and path.is_file():
        return read_manifest(
            path,
            label_column=label_column,
            path_column=path_column,
            group=group,
            task_id=task_id,
            progress=progress,
        )
    raise DataError(f"{source} is not a data set; a data set is {_KINDS}")
