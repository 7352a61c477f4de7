"""One way in for every kind of data set."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from doubleread.core.errors import DataError, FileMissing
from doubleread.core.image_paths import locate, named
from doubleread.core.notices import warn_user
from doubleread.evals.datasets._dataset_record import Dataset, LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import dataset_of
from doubleread.evals.datasets.annotation_files import annotation_files, annotations_in, read_annotations
from doubleread.evals.datasets.archive_dataset import is_archive, read_archive
from doubleread.evals.datasets.folder_dataset import read_folder
from doubleread.evals.datasets.hugging_face import HubRows, load_saved, read_hugging_face, was_saved
from doubleread.evals.datasets.image_folder import metadata_of, read_image_folder
from doubleread.evals.datasets.manifest_dataset import is_table, read_manifest
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice
from doubleread.evals.datasets.solar import NAME as SOLAR_CELLS
from doubleread.evals.datasets.solar import TASK as SOLAR_TASK
from doubleread.evals.datasets.solar import read_solar_cells
from doubleread.render.progress_display import shown

_PACKED = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"})
_KINDS = (
    "a folder with one sub-folder of images per label, a folder with a metadata.csv or metadata.jsonl (column "
    "file_name), a folder that the datasets library saved, a manifest (.csv, .tsv, .json, .jsonl or .parquet with the "
    "columns path and label), a COCO, Label Studio or FiftyOne export, an archive of cases, or the name "
    f"{SOLAR_CELLS!r}"
)


def read_dataset(
    source: str | Path | HubRows | Mapping[str, HubRows],
    *,
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    subject: str | None = None,
    label: str | None = None,
    label_level: int | None = None,
    label_map: Mapping[str, str] | None = None,
    task_id: str | None = None,
    progress: RowProgress | None = None,
) -> Dataset:
    r"""Reads a labelled data set. Pictures are hashed, not decoded; unusable rows are listed in ``problems``.

    What makes figures on these data worse or less certain is in ``warnings``; each is also a ``DoublereadWarning``.

    Args:
        source: One of these.

            - A folder with one sub-folder for each label, or with a folder for each split that holds them.
            - A folder with ``metadata.csv`` or ``metadata.jsonl``.
            - Annotations of COCO, Label Studio or FiftyOne with one label an image: the file, or its folder.
            - A manifest: ``.csv``, ``.tsv``, ``.json``, ``.jsonl`` or ``.parquet``.
            - The folder of an archive of cases.
            - A Hugging Face ``Dataset`` or ``DatasetDict``, or a folder that ``save_to_disk`` wrote.
            - ``"solar-cells"``.
        label_column: Column of a table that holds the label.
        path_column: Column of a table that holds the path, or the image of a Hugging Face data set; for names without
            folder or ending, a path with the column in braces, as in ``"images/{image_id}.jpg"``.
        group: What belongs together and must never be split (the same patient, plant, module). Column names of a
            manifest, such as ``"series,capture//10"``, which joins two columns and cuts the second into blocks of ten;
            or ``"re:(plant\d+)"``, which takes the captured part of the relative path.
        subject: What several images show together, so that they get one verdict; written like ``group``. Images of a
            subject are never split.
        label: ``"re:"`` and a pattern that takes the label from the relative path, as in ``"re:(\w+)_\d+"``.
        label_level: Which folder below the data set names the label: 1 for the first, -1 for the one that holds the
            image.
        label_map: New names of labels, as in ``{"Rust": "rust"}``; several labels may get the same one. A word for a
            missing value (``nan``, ``None``, ``N/A``, …) is a label only if it is named here: ``{"None": "None"}``.
        task_id: Id of the task; the name of the data set if None.
        progress: Called with the number of rows read so far and of all rows; if None, it is shown as by ``Panel.fit``.

    Raises:
        DataError: The source cannot be used, or has fewer than two labels with at least two cases.

    Examples:
        >>> dataset = doubleread.read_dataset("photos", group=r"re:(\w+-\d\d)")
        >>> dataset.task.names, len(dataset.cases)
        (('blue', 'green', 'red'), 33)
    """
    choice = ReadChoice(label_column, path_column, group, subject, label_level, label, label_map)
    found = _read(source, choice, progress)
    return dataset_of(found, task=SOLAR_TASK if source == SOLAR_CELLS and not label_map else None, task_id=task_id)


def read_labelled(
    source: str | Path | HubRows | Mapping[str, HubRows],
    *,
    label_column: str = "label",
    path_column: str = "path",
    group: str | None = None,
    subject: str | None = None,
    label: str | None = None,
    label_level: int | None = None,
    label_map: Mapping[str, str] | None = None,
    progress: RowProgress | None = None,
) -> LabelledCases:
    """Reads labelled cases like ``read_dataset``, with any number of labels.

    Raises:
        DataError: No case can be used.

    Examples:
        >>> from doubleread.evals.datasets import read_labelled
        >>> [problem.where for problem in read_labelled("photos").problems]
        []
    """
    return _read(source, ReadChoice(label_column, path_column, group, subject, label_level, label, label_map), progress)


def _read(
    source: str | Path | HubRows | Mapping[str, HubRows], columns: ReadChoice, progress: RowProgress | None
) -> LabelledCases:
    if progress is None:
        with shown() as report:
            found = _labelled(source, columns, partial(report, "reading files"))
    else:
        found = _labelled(source, columns, progress)
    warn_user(found.warnings)
    return found


def _labelled(
    source: str | Path | HubRows | Mapping[str, HubRows], columns: ReadChoice, progress: RowProgress | None
) -> LabelledCases:
    if source == SOLAR_CELLS:
        _check_no_levels(columns, SOLAR_CELLS)
        if columns.group is not None:
            raise DataError(f"{SOLAR_CELLS} brings its own groups (the modules); leave group out")
        return read_solar_cells(columns, progress=progress)
    if not isinstance(source, str | Path):
        _check_no_levels(columns, "the data set")
        return read_hugging_face(source, columns, progress=progress)
    if not str(source).strip():
        raise DataError(f"no data set was given; a data set is {_KINDS}")
    try:
        path = locate(source).path
    except FileMissing as error:
        raise DataError(f"there is no {named(source)} ({error}); a data set is {_KINDS}") from None
    if path.is_dir():
        try:
            return _read_directory(path, columns, progress)
        except PermissionError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}; check its permissions") from None
    return _read_file(path, columns, progress)


def _read_file(file: Path, columns: ReadChoice, progress: RowProgress | None) -> LabelledCases:
    _check_no_levels(columns, str(file))
    if file.is_file():
        if files := annotations_in(file):
            return read_annotations(files, columns, progress, alone=True)
        if is_table(file):
            return read_manifest(file, columns, progress=progress)
    packed = file.suffix.lower() in _PACKED
    told = (
        "is a packed file; unpack it, and give the folder" if packed else f"is not a data set; a data set is {_KINDS}"
    )
    raise DataError(f"{file} {told}")


def _check_no_levels(columns: ReadChoice, what: str) -> None:
    if columns.label_level is not None or columns.label_pattern is not None:
        raise DataError(
            f"{what} names its labels itself; label_level and label='re:…' (--label-level, --label) are for folders of "
            "images"
        )


def _read_directory(folder: Path, columns: ReadChoice, progress: RowProgress | None) -> LabelledCases:
    if is_archive(folder) or was_saved(folder):
        _check_no_levels(columns, str(folder))
    if is_archive(folder):
        if columns.group is not None:
            raise DataError(f"the archive {folder} brings its own groups; leave group out")
        return read_archive(folder, columns, progress=progress)
    if was_saved(folder):
        name = folder.resolve().name
        return read_hugging_face(load_saved(folder), columns, name=name, progress=progress)
    if metadata := metadata_of(folder):
        return read_image_folder(folder, metadata, columns, progress)
    if files := annotation_files(folder, columns):
        return read_annotations(files, columns, progress)
    if other := [name for name in (columns.label, columns.path) if name not in USUAL]:
        raise DataError(
            f"{folder} is a folder of images and has no column {' or '.join(map(repr, other))}: its labels are the "
            "names of its sub-folders. Name a manifest (CSV, TSV or JSONL) to use columns"
        )
    return read_folder(folder, columns, progress)
